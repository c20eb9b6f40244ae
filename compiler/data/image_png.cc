// The one file that knows libpng. Its errors leave by longjmp, so the functions between setjmp and
// the library own nothing that needs a destructor.
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <new>

#include "compiler/base/names.h"
#include "compiler/data/image.h"

namespace octet::data {
namespace {

struct Reader {
  png_structp png;
  png_infop info;
  const std::byte* bytes;
  size_t size;
  size_t position;
  std::array<char, 200> message;
};

[[noreturn]] void leave(png_structp png, png_const_charp text) {
  auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
  std::strncpy(reader->message.data(), text, reader->message.size() - 1);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

void give_bytes(png_structp png, png_bytep out, size_t count) {
  auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (count > reader->size - reader->position) png_error(png, "ends too early");
  std::memcpy(out, reader->bytes + reader->position, count);
  reader->position += count;
}

enum class Step { kDone, kLibraryError };

// Asks the library for 8-bit RGB whatever the file holds.
Step start(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return Step::kLibraryError;
  png_set_read_fn(reader.png, &reader, give_bytes);
  png_set_user_limits(reader.png, 1U << 27, 1U << 27);
  png_set_chunk_malloc_max(reader.png, 8U << 20);
  png_set_chunk_cache_max(reader.png, 100);
  png_read_info(reader.png, reader.info);
  png_set_expand(reader.png);
  png_set_scale_16(reader.png);
  png_set_gray_to_rgb(reader.png);
  png_set_strip_alpha(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return Step::kDone;
}

Step decode(Reader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return Step::kLibraryError;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, nullptr);
  return Step::kDone;
}

Error damaged(const Reader& reader) {
  return bad_data("is a damaged PNG: ", quote_name(reader.message.data()));
}

Result<Image> decode_with(Reader& reader) {
  if (start(reader) != Step::kDone) return damaged(reader);
  Image image;
  image.width = png_get_image_width(reader.png, reader.info);
  image.height = png_get_image_height(reader.png, reader.info);
  OCTET_TRY(check_image_size(image.width, image.height));
  const auto stride = static_cast<size_t>(image.width * 3);
  if (png_get_rowbytes(reader.png, reader.info) != stride) return damaged(reader);
  std::vector<png_bytep> rows;
  try {
    image.pixels.resize(stride * static_cast<size_t>(image.height));
    rows.resize(static_cast<size_t>(image.height));
  } catch (const std::bad_alloc&) {
    return resource_limit("no memory for the picture");
  }
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = image.pixels.data() + y * stride;
  if (decode(reader, rows.data()) != Step::kDone) return damaged(reader);
  return image;
}

}  // namespace

Result<Image> decode_png(std::span<const std::byte> bytes) {
  Reader reader{};
  reader.bytes = bytes.data();
  reader.size = bytes.size();
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, leave, ignore_warning);
  if (reader.png == nullptr) return resource_limit("no memory to decode a PNG");
  reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) {
    png_destroy_read_struct(&reader.png, nullptr, nullptr);
    return resource_limit("no memory to decode a PNG");
  }
  Result<Image> result = decode_with(reader);
  png_destroy_read_struct(&reader.png, &reader.info, nullptr);
  return result;
}

}  // namespace octet::data
