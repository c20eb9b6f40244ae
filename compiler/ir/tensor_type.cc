#include "compiler/ir/tensor_type.h"

namespace octet::ir {

std::string TensorType::to_string() const {
  std::string out(numerics::dtype_name(storage));
  out += shape.to_string();
  if (quant) out += " quant";
  return out;
}

}  // namespace octet::ir
