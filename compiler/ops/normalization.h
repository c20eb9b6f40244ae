// Mean and variance of a run of elements, shared by the normalizations.
#pragma once

#include <cstdint>

#include "compiler/ops/scratch.h"

namespace octet::ops {

struct Moments {
  double mean = 0;
  double variance = 0;  // of the population: divided by the count
};

// In two passes, in double. Of float or double elements.
template <typename T>
Moments moments(const T* x, int64_t count);

extern template Moments moments(const float*, int64_t);
extern template Moments moments(const double*, int64_t);

}  // namespace octet::ops
