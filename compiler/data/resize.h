// Resizing as Pillow's Image.resize(size, Image.BILINEAR) does it, to the bit.
#pragma once

#include <cstdint>

#include "compiler/base/result.h"
#include "compiler/data/image.h"

namespace octet::data {

// Columns [left, left + width) and rows [top, top + height) of the picture resized to
// full_width x full_height.
struct ResizeTo {
  int64_t full_width = 0;
  int64_t full_height = 0;
  int64_t left = 0;
  int64_t top = 0;
  int64_t width = 0;
  int64_t height = 0;
};

// A triangle filter, widened when shrinking so that every pixel counts, with weights of 22 bits
// behind the point; first along the rows, then along the columns, with bytes between the passes.
// kBadData when the result is too large (check_image_size).
Result<Image> resize_bilinear(const Image& image, const ResizeTo& to);

}  // namespace octet::data
