#include "compiler/ir/versions.h"

namespace octet::ir {

int64_t ir_version_for(int64_t opset) {
  if (opset >= 23) return 11;
  if (opset >= 21) return 10;
  if (opset >= 19) return 9;
  if (opset >= 15) return 8;
  return 7;
}

}  // namespace octet::ir
