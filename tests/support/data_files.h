// Files for tests of the data room, written byte by byte.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace octet::test {

// A fresh folder that goes with the object.
class DataFolder {
 public:
  DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;
  ~DataFolder();

  std::string path(const std::string& name = "") const;
  // Writes the file, and the folders on the way; its path.
  std::string put(const std::string& name, const std::string& bytes) const;

 private:
  std::string path_;
};

// Preamble, dictionary and data of a .npy file. `version` is 1, 2 or 3.
std::string npy_bytes(const std::string& descr, const std::string& shape, const std::string& data,
                      int version = 1, const std::string& fortran_order = "False");

// The bytes of the values as they lie in memory.
template <typename T>
std::string raw(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

enum class ZipMethod { kStored, kDeflated };

// A .npz of these members; names without ".npy".
std::string npz_bytes(const std::vector<std::pair<std::string, std::string>>& arrays,
                      ZipMethod method);

// Pictures of 8-bit pixels, `channels` bytes each: JPEG 1, 3 or 4 (CMYK); PNG 1 to 4 (gray, gray
// and alpha, RGB, RGBA).
std::string jpeg_bytes(int width, int height, int channels, const std::vector<uint8_t>& pixels);
std::string png_bytes(int width, int height, int channels, const std::vector<uint8_t>& pixels);

}  // namespace octet::test
