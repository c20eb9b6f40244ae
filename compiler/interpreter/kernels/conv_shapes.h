// A convolution as oneDNN describes it; shared by the float and the integer kernels.
#pragma once

#include "compiler/interpreter/onednn_compat.h"
#include "compiler/ops/window.h"

namespace octet::interpreter {

// [group, out, in, kernel...], the first only where there are groups; `out` and `in` per group.
onednn::Dims conv_weight_dims(const ops::ConvAttributes& conv);

onednn::WindowSpec conv_window_spec(const ops::ConvAttributes& conv);

}  // namespace octet::interpreter
