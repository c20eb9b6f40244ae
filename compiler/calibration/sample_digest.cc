#include "compiler/calibration/sample_digest.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <span>

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

// One multiplication, since every word of every sample goes through it: reversible, so that samples
// that differ in one word differ, and mixed thoroughly at the end.
uint64_t absorb(uint64_t lane, uint64_t word) {
  return std::rotl((lane ^ word) * 0x9e3779b97f4a7c15U, 32);
}

// Words in turn to a few sums that do not wait for each other.
uint64_t digest_of(std::span<const std::byte> bytes, uint64_t seed) {
  constexpr size_t kLanes = 8;
  constexpr size_t kAhead = 2048;  // bytes; a prefetch beyond the end does no harm
  std::array<uint64_t, kLanes> lanes;
  for (size_t l = 0; l < kLanes; ++l) lanes[l] = mix(seed + l);
  size_t at = 0;
  for (; at + sizeof(lanes) <= bytes.size(); at += sizeof(lanes)) {
    __builtin_prefetch(bytes.data() + at + kAhead);
    std::array<uint64_t, kLanes> words;
    std::memcpy(words.data(), bytes.data() + at, sizeof(words));
    for (size_t l = 0; l < kLanes; ++l) lanes[l] = absorb(lanes[l], words[l]);
  }
  for (size_t l = 0; at < bytes.size(); at += sizeof(uint64_t), ++l) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min(sizeof(word), bytes.size() - at));
    lanes[l] = absorb(lanes[l], word);
  }
  uint64_t hash = seed;
  for (const uint64_t lane : lanes) hash = mix(hash ^ lane);
  return hash;
}

}  // namespace

uint64_t sample_digest(const data::Sample& sample) {
  uint64_t hash = mix(sample.size());
  for (const ir::Tensor& tensor : sample) {
    const auto bytes = tensor.bytes();
    hash = digest_of(bytes, mix(hash ^ bytes.size()));
  }
  return hash;
}

}  // namespace octet::calibration
