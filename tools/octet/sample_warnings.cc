#include "tools/octet/sample_warnings.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "compiler/data/content_order.h"

namespace octet::tools {
namespace {

// More than one element, and all of them the same bits.
bool holds_one_number(const ir::Tensor& tensor) {
  const auto bytes = tensor.bytes();
  if (tensor.element_count() < 2) return false;
  const size_t element = bytes.size() / static_cast<size_t>(tensor.element_count());
  return element > 0 &&
         std::memcmp(bytes.data(), bytes.data() + element, bytes.size() - element) == 0;
}

}  // namespace

// Masks and segment numbers may well be constant; a sample is blank when nothing else is in it.
bool is_blank(const data::Sample& sample) {
  const bool any = std::any_of(sample.begin(), sample.end(), holds_one_number);
  return any && std::all_of(sample.begin(), sample.end(), [](const ir::Tensor& tensor) {
           return tensor.element_count() < 2 || holds_one_number(tensor);
         });
}

bool is_zero(const data::Sample& sample) {
  return std::all_of(sample.begin(), sample.end(), [](const ir::Tensor& tensor) {
    return tensor.element_count() == 0 || tensor.at_as_double(0) == 0.0;
  });
}

Result<data::Sample> WatchedDataset::get(size_t index) const {
  auto sample = dataset_.get(index);
  if (!sample.ok() || dataset_.data_free()) return sample;
  const uint64_t hash = data::content_hash(*sample);
  const bool blank = is_blank(*sample);
  const bool zero = blank && is_zero(*sample);
  const std::lock_guard lock(mutex_);
  seen_.insert(index);
  different_.insert(hash);
  if (blank) {
    blank_.insert(index);
    all_zero_ = all_zero_ && zero;
  }
  return sample;
}

Status WatchedDataset::check() const {
  const std::lock_guard lock(mutex_);
  if (dataset_.data_free() || seen_.empty() || !all_zero_ || blank_.size() < seen_.size()) {
    return {};
  }
  return bad_data("--data: all ", seen_.size(),
                  " calibration samples hold nothing but zeros; give samples as the model will see "
                  "them");
}

std::optional<std::string> WatchedDataset::warning() const {
  if (dataset_.data_free()) {
    return "the calibration samples are random numbers: real ones give a more accurate model";
  }
  const std::lock_guard lock(mutex_);
  const size_t repeated = seen_.size() - different_.size();
  if (blank_.empty() && repeated == 0) return std::nullopt;
  std::string out = cat("of ", seen_.size(), " calibration samples ");
  if (!blank_.empty()) {
    out += cat(blank_.size(), all_zero_ ? " hold nothing but zeros" : " hold one number only");
  }
  if (repeated > 0) out += cat(blank_.empty() ? "" : " and ", repeated, " repeat another");
  return out + ": give samples as the model will see them";
}

}  // namespace octet::tools
