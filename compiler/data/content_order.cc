#include "compiler/data/content_order.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace octet::data {
namespace {

constexpr uint64_t kOdd = 0x9E3779B97F4A7C15U;

uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * kOdd;
  return hash ^ (hash >> 29);
}

}  // namespace

uint64_t content_hash(const Sample& sample) {
  uint64_t hash = kOdd;
  for (const ir::Tensor& tensor : sample) {
    for (const int64_t extent : tensor.shape()) hash = mix(hash, static_cast<uint64_t>(extent));
    const auto bytes = tensor.bytes();
    for (size_t at = 0; at < bytes.size(); at += sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at, std::min(sizeof(word), bytes.size() - at));
      hash = mix(hash, word);
    }
  }
  return hash;
}

ContentOrder::ContentOrder(const Dataset& dataset)
    : dataset_(dataset), hashes_(dataset.size(), 0), seen_(dataset.size(), false) {}

Result<Sample> ContentOrder::get(size_t index) const {
  if (!order_.empty()) return dataset_.get(index < order_.size() ? order_[index] : index);
  auto sample = dataset_.get(index);
  if (!sample.ok() || index >= hashes_.size()) return sample;
  const uint64_t hash = content_hash(*sample);
  const std::lock_guard lock(mutex_);
  hashes_[index] = hash;
  seen_[index] = true;
  return sample;
}

Status ContentOrder::settle() {
  for (size_t i = 0; i < seen_.size(); ++i) {
    if (seen_[i]) continue;
    auto sample = get(i);
    if (!sample.ok()) return sample.error();
  }
  order_.resize(hashes_.size());
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::stable_sort(order_.begin(), order_.end(),
                   [&](size_t a, size_t b) { return hashes_[a] < hashes_[b]; });
  return {};
}

}  // namespace octet::data
