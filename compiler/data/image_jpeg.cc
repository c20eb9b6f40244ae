// The one file that knows libjpeg. Its errors leave by longjmp, so the functions between setjmp and
// the library own nothing that needs a destructor.
#include <csetjmp>
#include <cstdio>
// jpeglib.h needs stdio.h before it.
#include <jerror.h>
#include <jpeglib.h>

#include <array>
#include <new>
#include <string>

#include "compiler/base/names.h"
#include "compiler/data/image.h"

namespace octet::data {
namespace {

struct Reader {
  jpeg_decompress_struct decoder;
  jpeg_error_mgr errors;
  jmp_buf escape;
  std::array<char, JMSG_LENGTH_MAX> message;
};

void leave(j_common_ptr decoder) {
  auto* reader = static_cast<Reader*>(decoder->client_data);
  decoder->err->format_message(decoder, reader->message.data());
  longjmp(reader->escape, 1);
}

// Most warnings are about bytes around the picture. These mean that part of it was made up.
void on_message(j_common_ptr decoder, int level) {
  if (level >= 0) return;
  switch (decoder->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
      leave(decoder);
  }
}

void ignore_output(j_common_ptr) {}

enum class Step { kDone, kLibraryError, kCmyk };

Step start(Reader& reader, std::span<const std::byte> bytes) {
  if (setjmp(reader.escape) != 0) return Step::kLibraryError;
  jpeg_mem_src(&reader.decoder, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&reader.decoder, TRUE);
  const J_COLOR_SPACE space = reader.decoder.jpeg_color_space;
  if (space == JCS_CMYK || space == JCS_YCCK) return Step::kCmyk;
  reader.decoder.out_color_space = JCS_RGB;
  reader.decoder.dct_method = JDCT_ISLOW;
  reader.decoder.do_fancy_upsampling = TRUE;
  return Step::kDone;
}

Step decode(Reader& reader, uint8_t* pixels) {
  if (setjmp(reader.escape) != 0) return Step::kLibraryError;
  jpeg_start_decompress(&reader.decoder);
  const size_t stride = static_cast<size_t>(reader.decoder.output_width) * 3;
  while (reader.decoder.output_scanline < reader.decoder.output_height) {
    JSAMPROW row = pixels + stride * reader.decoder.output_scanline;
    jpeg_read_scanlines(&reader.decoder, &row, 1);
  }
  jpeg_finish_decompress(&reader.decoder);
  return Step::kDone;
}

Error damaged(const Reader& reader) {
  return bad_data("is a damaged JPEG: ", quote_name(reader.message.data()));
}

Result<Image> decode_with(Reader& reader, std::span<const std::byte> bytes) {
  const Step started = start(reader, bytes);
  if (started == Step::kCmyk) return bad_data("is a CMYK JPEG; convert it to RGB");
  if (started != Step::kDone) return damaged(reader);
  Image image;
  image.width = reader.decoder.image_width;
  image.height = reader.decoder.image_height;
  OCTET_TRY(check_image_size(image.width, image.height));
  try {
    image.pixels.resize(static_cast<size_t>(image.width * image.height * 3));
  } catch (const std::bad_alloc&) {
    return resource_limit("no memory for the picture");
  }
  if (decode(reader, image.pixels.data()) != Step::kDone) return damaged(reader);
  return image;
}

}  // namespace

Result<Image> decode_jpeg(std::span<const std::byte> bytes) {
  Reader reader{};
  reader.decoder.err = jpeg_std_error(&reader.errors);
  reader.decoder.client_data = &reader;
  reader.errors.error_exit = leave;
  reader.errors.emit_message = on_message;
  reader.errors.output_message = ignore_output;
  if (setjmp(reader.escape) != 0) return damaged(reader);
  jpeg_create_decompress(&reader.decoder);
  Result<Image> result = decode_with(reader, bytes);
  jpeg_destroy_decompress(&reader.decoder);
  return result;
}

}  // namespace octet::data
