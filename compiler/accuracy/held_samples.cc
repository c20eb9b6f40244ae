#include "compiler/accuracy/held_samples.h"

#include <algorithm>

#include "compiler/base/names.h"

namespace octet::accuracy {

std::vector<size_t> spread_samples(size_t count, size_t of) {
  const size_t used = std::min(count, of);
  std::vector<size_t> out;
  for (size_t i = 0; i < used; ++i) out.push_back(i * of / used);
  return out;
}

Result<HeldSamples> HeldSamples::read(const data::Dataset& dataset,
                                      const std::vector<size_t>& indices) {
  HeldSamples out;
  for (const size_t index : indices) {
    OCTET_ASSIGN(data::Sample sample, dataset.get(index));
    out.samples_.push_back(std::move(sample));
  }
  return out;
}

}  // namespace octet::accuracy
