#include "compiler/data/pictures.h"

#include <utility>

#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "compiler/base/open_file.h"
#include "compiler/data/buffer.h"
#include "compiler/data/fit.h"
#include "compiler/data/preprocess.h"

namespace octet::data {
namespace {

constexpr int64_t kLargestPicture = int64_t{256} << 20;

std::vector<int64_t> batch_shape(const Preprocess& preprocess, int64_t batch, int64_t height,
                                 int64_t width) {
  const int64_t channels = channel_count(preprocess.channels);
  if (preprocess.layout == Layout::kNchw) return {batch, channels, height, width};
  return {batch, height, width, channels};
}

class PictureDataset : public Dataset {
 public:
  PictureDataset(std::unique_ptr<PictureSource> source, InputSpec input,
                 const Preprocess& preprocess, int64_t batch, size_t size)
      : source_(std::move(source)),
        input_(std::move(input)),
        preprocess_(preprocess),
        preprocessor_(preprocess),
        batch_(batch),
        size_(size) {}

  size_t size() const override { return size_; }

  Result<Sample> get(size_t index) const override {
    const int64_t first = static_cast<int64_t>(index) * batch_;
    OCTET_ASSIGN(Image image, picture(first));
    const int64_t height = image.height;
    const int64_t width = image.width;
    const ir::DType dtype = input_.type.storage;
    const std::vector<int64_t> shape = batch_shape(preprocess_, batch_, height, width);
    OCTET_ASSIGN(Buffer buffer, Buffer::of_tensor(dtype, shape));
    const size_t elements = image.pixels.size();
    for (int64_t i = 0; i < batch_; ++i) {
      if (i > 0) {
        OCTET_ASSIGN(image, picture(first + i));
      }
      if (image.height != height || image.width != width) {
        return bad_data(source_->describe(first + i), " is ", image.height, " x ", image.width,
                        ", others of its batch ", height, " x ", width, "; give a size");
      }
      const size_t offset = static_cast<size_t>(i) * elements;
      if (dtype == ir::DType::kUint8) {
        preprocessor_.write_bytes(image, {buffer.as<uint8_t>() + offset, elements});
      } else {
        preprocessor_.write_floats(image, {buffer.as<float>() + offset, elements});
      }
    }
    OCTET_ASSIGN(ir::Tensor tensor, std::move(buffer).tensor(dtype, shape));
    return Sample{std::move(tensor)};
  }

 private:
  Result<Image> picture(int64_t index) const {
    const auto prepared = [&]() -> Result<Image> {
      OCTET_ASSIGN(Image image, source_->get(index));
      return preprocessor_.prepare(std::move(image));
    };
    return prepared().in(source_->describe(index));
  }

  std::unique_ptr<PictureSource> source_;
  InputSpec input_;
  Preprocess preprocess_;
  Preprocessor preprocessor_;
  int64_t batch_;
  size_t size_;
};

class FolderPictures : public PictureSource {
 public:
  FolderPictures(std::string folder, std::vector<std::string> names)
      : folder_(std::move(folder)), names_(std::move(names)) {}

  int64_t count() const override { return static_cast<int64_t>(names_.size()); }

  std::string describe(int64_t index) const override { return quote_name(path(index)); }

  Result<Image> get(int64_t index) const override {
    OCTET_ASSIGN(const std::string bytes, read_file(path(index), kLargestPicture));
    return decode_image(std::as_bytes(std::span(bytes)));
  }

  Status check_signature(int64_t index) const {
    OCTET_ASSIGN(const OpenFile file, OpenFile::open(path(index)));
    std::array<std::byte, 8> start{};
    if (file.size() < 8) return bad_data("is neither JPEG nor PNG");
    OCTET_TRY(file.read_at(0, start));
    if (image_format(start) == ImageFormat::kUnknown) return bad_data("is neither JPEG nor PNG");
    return {};
  }

 private:
  std::string path(int64_t index) const {
    return cat(folder_, "/", names_[static_cast<size_t>(index)]);
  }

  std::string folder_;
  std::vector<std::string> names_;
};

Status check_picture_dtype(const InputSpec& input, const Preprocess& preprocess) {
  const ir::DType dtype = input.type.storage;
  if (dtype == ir::DType::kFloat32) return {};
  if (dtype != ir::DType::kUint8) {
    return bad_data(input_context(input), " takes ", numerics::dtype_name(dtype),
                    "; pictures serve inputs of float32 or uint8");
  }
  if (Preprocessor(preprocess).keeps_values()) return {};
  return usage_error(input_context(input),
                     " takes uint8, so that the preprocess may not have a "
                     "mean or std");
}

// The model's extent where it has one; it must not contradict the preprocess.
bool fit_size(const ir::Dim& dim, std::optional<int64_t>& size) {
  if (!dim.is_static()) return true;
  if (size && *size != dim.extent()) return false;
  size = dim.extent();
  return true;
}

}  // namespace

Result<Preprocess> fit_preprocess(const InputSpec& input, Preprocess preprocess) {
  OCTET_TRY(check_preprocess(preprocess));
  OCTET_TRY(check_picture_dtype(input, preprocess));
  const ir::Shape& shape = input.type.shape;
  if (!shape.has_rank()) return preprocess;
  const bool planar = preprocess.layout == Layout::kNchw;
  const int64_t channels = channel_count(preprocess.channels);
  const Preprocess asked = preprocess;
  if (shape.rank() == 4) {
    const ir::Dim& channel_dim = shape[planar ? 1 : 3];
    const bool channels_fit = !channel_dim.is_static() || channel_dim.extent() == channels;
    if (fit_size(shape[planar ? 2 : 1], preprocess.height) &&
        fit_size(shape[planar ? 3 : 2], preprocess.width) && channels_fit) {
      return preprocess;
    }
  }
  const auto dim = [](const std::optional<int64_t>& size) {
    return size ? ir::Dim(*size) : ir::Dim();
  };
  const ir::Dim height = dim(asked.height);
  const ir::Dim width = dim(asked.width);
  const ir::Shape made =
      planar ? ir::Shape({1, channels, height, width}) : ir::Shape({1, height, width, channels});
  return bad_data(input_context(input), " takes ", shape.to_string(), ", the preprocess makes ",
                  made.to_string(), planar ? " (layout nchw)" : " (layout nhwc)");
}

Result<DatasetPtr> open_pictures(std::unique_ptr<PictureSource> source, const InputSpec& input,
                                 const OpenOptions& options) {
  OCTET_ASSIGN(const Preprocess preprocess, fit_preprocess(input, *options.preprocess));
  const ir::Shape& shape = input.type.shape;
  const bool fixed = shape.has_rank() && shape[0].is_static();
  const int64_t batch = fixed ? shape[0].extent() : 1;
  if (batch <= 0 || source->count() % batch != 0) {
    return bad_data(input_context(input), " takes ", batch, " pictures at a time; there are ",
                    source->count());
  }
  OCTET_ASSIGN(const size_t size, sample_count(source->count() / batch, options));
  return DatasetPtr(
      std::make_unique<PictureDataset>(std::move(source), input, preprocess, batch, size));
}

Result<DatasetPtr> open_picture_folder(const std::string& folder, std::vector<std::string> names,
                                       const std::vector<InputSpec>& inputs,
                                       const OpenOptions& options) {
  if (!options.preprocess) {
    return usage_error(quote_name(folder),
                       " holds pictures: say with --preprocess how they become values");
  }
  if (inputs.size() != 1) {
    return bad_data(quote_name(folder), " holds pictures, but the model has ", inputs.size(),
                    " inputs");
  }
  const FolderPictures all(folder, names);
  for (int64_t i = 0; i < all.count(); ++i) {
    OCTET_TRY(all.check_signature(i).in(all.describe(i)));
  }
  return open_pictures(std::make_unique<FolderPictures>(folder, std::move(names)), inputs[0],
                       options);
}

}  // namespace octet::data
