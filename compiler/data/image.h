// Decoding JPEG and PNG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compiler/base/result.h"

namespace octet::data {

// Rows of pixels from the top, `channels` (1 or 3: gray or RGB) bytes each.
struct Image {
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 3;
  std::vector<uint8_t> pixels;
};

enum class ImageFormat { kUnknown, kJpeg, kPng };

// By the first eight bytes.
ImageFormat image_format(std::span<const std::byte> start);

// The picture as 8-bit RGB, as Pillow's Image.open(...).convert("RGB") gives it: gray and palettes
// widened, alpha dropped, colour profiles and orientation not applied. JPEG: accurate integer DCT,
// smooth chroma upsampling. kBadData for what is damaged or cut short, for CMYK, and for more than
// 2^27 pixels.
Result<Image> decode_image(std::span<const std::byte> bytes);

// One format each; decode_image calls them.
Result<Image> decode_jpeg(std::span<const std::byte> bytes);
Result<Image> decode_png(std::span<const std::byte> bytes);

// kBadData when a picture of this size is refused.
Status check_image_size(int64_t width, int64_t height);

}  // namespace octet::data
