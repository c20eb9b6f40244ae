// How far one set of samples is from another, tensor by tensor.
#pragma once

#include <string>
#include <vector>

#include "compiler/calibration/statistics.h"

namespace octet::accuracy {

struct Moments {
  float min = 0.0F;
  float max = 0.0F;
  double mean = 0.0;  // of the histogram: each element at the middle of its bin
  double deviation = 0.0;
};

struct DataShift {
  std::string tensor;
  Moments first;
  Moments second;
  // The area between the two distribution functions (Wasserstein-1) in standard deviations of the
  // first: 1 says that values lie one deviation off on average.
  double distance = 0.0;
  double outside = 0.0;  // share of the second's elements outside the first's range
};

// The tensors both know, farthest first.
std::vector<DataShift> data_shifts(const calibration::Statistics& first,
                                   const calibration::Statistics& second);

}  // namespace octet::accuracy
