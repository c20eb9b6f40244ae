#include "compiler/data/preprocess.h"

#include <cmath>
#include <utility>

#include "compiler/data/resize.h"

namespace octet::data {
namespace {

// The size at which the picture just covers height x width, and the middle of it.
ResizeTo covering(const Image& image, int64_t height, int64_t width) {
  ResizeTo to{width, height, 0, 0, width, height};
  if (image.width * height >= image.height * width) {
    to.full_width = image.width * height / image.height;
  } else {
    to.full_height = image.height * width / image.width;
  }
  to.left = (to.full_width - width) / 2;
  to.top = (to.full_height - height) / 2;
  return to;
}

// ITU-R 601-2 luma with 16 bits behind the point, as Pillow's convert("L").
Image to_gray(const Image& image) {
  Image out{image.width, image.height, 1, {}};
  out.pixels.resize(image.pixels.size() / 3);
  const uint8_t* in = image.pixels.data();
  for (uint8_t& gray : out.pixels) {
    gray = static_cast<uint8_t>((in[0] * 19595 + in[1] * 38470 + in[2] * 7471 + 0x8000) >> 16);
    in += 3;
  }
  return out;
}

Image to_rgb(const Image& image) {
  Image out{image.width, image.height, 3, {}};
  out.pixels.reserve(image.pixels.size() * 3);
  for (const uint8_t gray : image.pixels) out.pixels.insert(out.pixels.end(), 3, gray);
  return out;
}

double of_channel(const std::vector<double>& values, size_t channel) {
  return values.size() == 1 ? values[0] : values[channel];
}

}  // namespace

int64_t channel_count(Channels channels) { return channels == Channels::kGray ? 1 : 3; }

Status check_preprocess(const Preprocess& preprocess) {
  for (const std::optional<int64_t>& size : {preprocess.height, preprocess.width}) {
    if (size && *size <= 0) return usage_error("preprocess: a size of ", *size);
  }
  const auto channels = static_cast<size_t>(channel_count(preprocess.channels));
  for (const std::vector<double>* values : {&preprocess.mean, &preprocess.std}) {
    const char* name = values == &preprocess.mean ? "mean" : "std";
    if (values->size() != 1 && values->size() != channels) {
      return usage_error("preprocess: ", values->size(), " values of ", name, " for ", channels,
                         " channels");
    }
    for (const double value : *values) {
      if (!std::isfinite(value)) return usage_error("preprocess: a ", name, " that is not finite");
    }
  }
  for (const double value : preprocess.std) {
    if (!(value > 0)) return usage_error("preprocess: a std of ", value, " is not positive");
  }
  return {};
}

Preprocessor::Preprocessor(const Preprocess& preprocess) : preprocess_(preprocess) {
  for (size_t c = 0; c < static_cast<size_t>(channel_count(preprocess.channels)); ++c) {
    for (size_t pixel = 0; pixel < 256; ++pixel) {
      const double shifted = static_cast<double>(pixel) - of_channel(preprocess.mean, c);
      values_[c][pixel] = static_cast<float>(shifted / of_channel(preprocess.std, c));
      bytes_[c][pixel] = static_cast<uint8_t>(pixel);
    }
  }
}

bool Preprocessor::keeps_values() const {
  for (const double mean : preprocess_.mean) {
    if (mean != 0.0) return false;
  }
  for (const double std : preprocess_.std) {
    if (std != 1.0) return false;
  }
  return true;
}

Result<Image> Preprocessor::prepare(Image image) const {
  const bool gray = preprocess_.channels == Channels::kGray;
  if (gray && image.channels == 3) image = to_gray(image);
  if (!gray && image.channels == 1) image = to_rgb(image);
  const int64_t height = preprocess_.height.value_or(image.height);
  const int64_t width = preprocess_.width.value_or(image.width);
  if (image.height == height && image.width == width) return image;
  OCTET_TRY(check_image_size(width, height));
  const ResizeTo to = preprocess_.fit == Fit::kCenterCrop
                          ? covering(image, height, width)
                          : ResizeTo{width, height, 0, 0, width, height};
  return resize_bilinear(image, to);
}

template <typename T>
void Preprocessor::write(const Image& prepared, const std::array<std::array<T, 256>, 3>& tables,
                         std::span<T> out) const {
  const auto channels = static_cast<size_t>(prepared.channels);
  const size_t area = prepared.pixels.size() / channels;
  const bool planar = preprocess_.layout == Layout::kNchw;
  for (size_t c = 0; c < channels; ++c) {
    const size_t source = preprocess_.channels == Channels::kBgr ? channels - 1 - c : c;
    const uint8_t* in = prepared.pixels.data() + source;
    T* to = out.data() + (planar ? c * area : c);
    const size_t step = planar ? 1 : channels;
    const std::array<T, 256>& table = tables[c];
    for (size_t i = 0; i < area; ++i) to[i * step] = table[in[i * channels]];
  }
}

void Preprocessor::write_floats(const Image& prepared, std::span<float> out) const {
  write(prepared, values_, out);
}

void Preprocessor::write_bytes(const Image& prepared, std::span<uint8_t> out) const {
  write(prepared, bytes_, out);
}

}  // namespace octet::data
