#include "compiler/data/image.h"

#include <algorithm>
#include <array>

namespace octet::data {

ImageFormat image_format(std::span<const std::byte> start) {
  constexpr std::array<uint8_t, 3> kJpeg = {0xFF, 0xD8, 0xFF};
  constexpr std::array<uint8_t, 8> kPng = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  const auto begins = [&](std::span<const uint8_t> signature) {
    return start.size() >= signature.size() &&
           std::equal(signature.begin(), signature.end(), start.begin(),
                      [](uint8_t a, std::byte b) { return std::byte{a} == b; });
  };
  if (begins(kJpeg)) return ImageFormat::kJpeg;
  return begins(kPng) ? ImageFormat::kPng : ImageFormat::kUnknown;
}

Status check_image_size(int64_t width, int64_t height) {
  constexpr int64_t kMostPixels = int64_t{1} << 27;
  if (width > 0 && height > 0 && width <= kMostPixels / height) return {};
  return bad_data("is a picture of ", width, " x ", height, " pixels; at most ", kMostPixels,
                  " are taken");
}

Result<Image> decode_image(std::span<const std::byte> bytes) {
  switch (image_format(bytes)) {
    case ImageFormat::kJpeg:
      return decode_jpeg(bytes);
    case ImageFormat::kPng:
      return decode_png(bytes);
    case ImageFormat::kUnknown:
      break;
  }
  return bad_data("is neither JPEG nor PNG");
}

}  // namespace octet::data
