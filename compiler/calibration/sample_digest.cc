#include "compiler/calibration/sample_digest.h"

#include <algorithm>
#include <cstring>

namespace octet::calibration {
namespace {

// One round of the splitmix64 generator's output function (public domain, S. Vigna): every bit of
// the input reaches every bit of the result.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

}  // namespace

uint64_t sample_digest(const data::Sample& sample) {
  uint64_t hash = mix(sample.size());
  for (const ir::Tensor& tensor : sample) {
    const auto bytes = tensor.bytes();
    hash = mix(hash ^ bytes.size());
    for (size_t i = 0; i < bytes.size(); i += sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, std::min(sizeof(word), bytes.size() - i));
      hash = mix(hash ^ word);
    }
  }
  return hash;
}

}  // namespace octet::calibration
