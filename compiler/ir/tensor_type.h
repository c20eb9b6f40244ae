#pragma once

#include <optional>
#include <string>

#include "compiler/ir/quant_params.h"
#include "compiler/ir/shape.h"
#include "compiler/numerics/dtype.h"

namespace octet::ir {

using numerics::DType;

// Storage type, shape, and what the stored integers stand for. A value that is no tensor (a
// sequence, a map, an optional) has dtype kUndefined.
struct TensorType {
  DType storage = DType::kUndefined;
  Shape shape;
  std::optional<QuantParams> quant = std::nullopt;

  bool operator==(const TensorType&) const = default;
  std::string to_string() const;  // "float32[1,3,N]", "int8[64] quant"
};

}  // namespace octet::ir
