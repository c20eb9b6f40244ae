#include "passes/purity.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "compiler/ops/schema.h"

namespace octet::passes {

bool is_pure(const ir::Node& node) {
  static constexpr std::array<std::string_view, 10> kOthers = {
      "Bernoulli",     "DequantizeLinear", "Dropout",      "DynamicQuantizeLinear",
      "Multinomial",   "QuantizeLinear",   "RandomNormal", "RandomNormalLike",
      "RandomUniform", "RandomUniformLike"};
  return ops::find_schema(node) != nullptr && node.implicit_inputs.empty() &&
         ir::bodies(node).empty() &&
         std::find(kOthers.begin(), kOthers.end(), node.op_type) == kOthers.end();
}

}  // namespace octet::passes
