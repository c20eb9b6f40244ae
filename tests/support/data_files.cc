#include "tests/support/data_files.h"

#include <cstdio>
// jpeglib.h needs stdio.h before it.
#include <jpeglib.h>
#include <png.h>
#include <stdlib.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace octet::test {
namespace {

void append(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

std::string deflate_raw(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void append_png(png_structp png, png_bytep bytes, size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))
      ->append(reinterpret_cast<const char*>(bytes), count);
}

}  // namespace

DataFolder::DataFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "octet-data-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

DataFolder::~DataFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string DataFolder::path(const std::string& name) const {
  return name.empty() ? path_ : path_ + "/" + name;
}

std::string DataFolder::put(const std::string& name, const std::string& bytes) const {
  const std::filesystem::path file = path(name);
  std::filesystem::create_directories(file.parent_path());
  // Some file systems write a file that replaces its own contents to disk at once.
  std::filesystem::remove(file);
  std::ofstream(file, std::ios::binary) << bytes;
  return file.string();
}

std::string npy_bytes(const std::string& descr, const std::string& shape, const std::string& data,
                      int version, const std::string& fortran_order) {
  std::string dictionary = "{'descr': '" + descr + "', 'fortran_order': " + fortran_order +
                           ", 'shape': " + shape + ", }";
  const size_t preamble = version == 1 ? 10 : 12;
  while ((preamble + dictionary.size() + 1) % 64 != 0) dictionary += ' ';
  dictionary += '\n';
  std::string out = "\x93NUMPY";
  append(out, static_cast<uint64_t>(version), 2);
  append(out, dictionary.size(), version == 1 ? 2 : 4);
  return out + dictionary + data;
}

std::string npz_bytes(const std::vector<std::pair<std::string, std::string>>& arrays,
                      ZipMethod method) {
  std::string out;
  std::string directory;
  for (const auto& [array, content] : arrays) {
    const std::string name = array + ".npy";
    const std::string packed = method == ZipMethod::kStored ? content : deflate_raw(content);
    std::string fields;
    append(fields, 20, 2);
    append(fields, 0, 2);
    append(fields, method == ZipMethod::kStored ? 0 : 8, 2);
    append(fields, 0, 4);
    append(fields, crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()), 4);
    append(fields, packed.size(), 4);
    append(fields, content.size(), 4);
    append(fields, name.size(), 2);
    append(fields, 0, 2);
    append(directory, 0x02014b50, 4);
    append(directory, 20, 2);
    directory += fields;
    append(directory, 0, 6);
    append(directory, 0, 4);
    append(directory, out.size(), 4);
    directory += name;
    append(out, 0x04034b50, 4);
    out += fields + name + packed;
  }
  const size_t offset = out.size();
  out += directory;
  append(out, 0x06054b50, 4);
  append(out, 0, 4);
  append(out, arrays.size(), 2);
  append(out, arrays.size(), 2);
  append(out, directory.size(), 4);
  append(out, offset, 4);
  append(out, 0, 2);
  return out;
}

std::string jpeg_bytes(int width, int height, int channels, const std::vector<uint8_t>& pixels) {
  jpeg_compress_struct encoder{};
  jpeg_error_mgr errors{};
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &buffer, &size);
  encoder.image_width = static_cast<JDIMENSION>(width);
  encoder.image_height = static_cast<JDIMENSION>(height);
  encoder.input_components = channels;
  encoder.in_color_space = channels == 1 ? JCS_GRAYSCALE : (channels == 3 ? JCS_RGB : JCS_CMYK);
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, 95, TRUE);
  jpeg_start_compress(&encoder, TRUE);
  while (encoder.next_scanline < encoder.image_height) {
    auto* row = const_cast<uint8_t*>(pixels.data()) +
                encoder.next_scanline * static_cast<size_t>(width * channels);
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  std::string out(reinterpret_cast<char*>(buffer), size);
  std::free(buffer);
  return out;
}

std::string png_bytes(int width, int height, int channels, const std::vector<uint8_t>& pixels) {
  constexpr int kTypes[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                            PNG_COLOR_TYPE_RGB_ALPHA};
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &out, append_png, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), 8,
               kTypes[channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (int y = 0; y < height; ++y) {
    png_write_row(png, pixels.data() + static_cast<size_t>(y * width * channels));
  }
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return out;
}

}  // namespace octet::test
