// Arithmetic on partly known shape values (ValueFacts::elements): Shape -> Mul -> Reshape and the
// like, where the graph computes extents.
#pragma once

#include <optional>
#include <vector>

#include "compiler/ops/schema.h"

namespace octet::ops {

// Unknown where the result is, is negative, or does not fit 64 bits.
using DimFunction = ir::Dim (*)(const ir::Dim&, const ir::Dim&);
ir::Dim add_dims(const ir::Dim& a, const ir::Dim& b);
ir::Dim sub_dims(const ir::Dim& a, const ir::Dim& b);
ir::Dim mul_dims(const ir::Dim& a, const ir::Dim& b);
ir::Dim div_dims(const ir::Dim& a, const ir::Dim& b);
ir::Dim mod_dims(const ir::Dim& a, const ir::Dim& b);
ir::Dim max_dims(const ir::Dim& a, const ir::Dim& b);
ir::Dim min_dims(const ir::Dim& a, const ir::Dim& b);

// `combine` of operands 0 and 1, element by element with broadcasting, for an output of type
// `type`; nothing where that cannot tell anything (other types than int32 and int64, ranks above 1,
// operands of unknown length).
std::optional<std::vector<ir::Dim>> combined_elements(const InferContext& context,
                                                      const ir::TensorType& type,
                                                      DimFunction combine);

// The elements with those removed that do not fit `dtype`; nothing when the type of the value is no
// int32 or int64 tensor of rank 0 or 1, or when no element is known.
std::optional<std::vector<ir::Dim>> kept_elements(std::optional<std::vector<ir::Dim>> elements,
                                                  const ir::TensorType& type);

}  // namespace octet::ops
