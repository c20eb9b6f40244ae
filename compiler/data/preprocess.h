// A decoded picture as the values that a model takes.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "compiler/base/result.h"
#include "compiler/data/dataset.h"
#include "compiler/data/image.h"

namespace octet::data {

// 1 for gray, else 3.
int64_t channel_count(Channels channels);

// kUsage for sizes that are not positive, means or stds of the wrong number, a std of zero.
Status check_preprocess(const Preprocess& preprocess);

// Applies one Preprocess to many pictures.
class Preprocessor {
 public:
  explicit Preprocessor(const Preprocess& preprocess);

  // Resized (where a size is given), cropped, and in the channels asked for (gray or RGB; the
  // exchange to BGR is left to write_*).
  Result<Image> prepare(Image image) const;

  // Elements of a prepared picture in the layout, as float or as the bytes themselves.
  void write_floats(const Image& prepared, std::span<float> out) const;
  void write_bytes(const Image& prepared, std::span<uint8_t> out) const;

  // True when value = pixel, so that bytes can stay bytes.
  bool keeps_values() const;

 private:
  template <typename T>
  void write(const Image& prepared, const std::array<std::array<T, 256>, 3>& tables,
             std::span<T> out) const;

  Preprocess preprocess_;
  std::array<std::array<float, 256>, 3> values_{};  // by channel of the output, then pixel
  std::array<std::array<uint8_t, 256>, 3> bytes_{};
};

}  // namespace octet::data
