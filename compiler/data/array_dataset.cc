// Samples from arrays whose axis 0 is the sample.
#include <algorithm>
#include <optional>
#include <utility>

#include "compiler/base/names.h"
#include "compiler/data/array.h"
#include "compiler/data/fit.h"
#include "compiler/data/npz.h"
#include "compiler/data/pictures.h"
#include "compiler/data/sources.h"

namespace octet::data {
namespace {

// Rows of one array as samples of one input.
struct Column {
  Array array;
  int64_t rows_per_sample = 1;
  std::vector<int64_t> shape;  // of a sample
  int64_t samples = 0;
};

// The batch axis is axis 0 of the input: of the extent that the model fixes, else 1. An array with
// an axis more than the input has batches as rows.
Result<Column> split_rows(const InputSpec& input, Array array) {
  OCTET_TRY(check_dtype(input, array.dtype()));
  const std::vector<int64_t>& found = array.shape();
  const ir::Shape& wanted = input.type.shape;
  Column column;
  if (found.empty()) return bad_data("is a single number, without an axis of samples");
  if (wanted.has_rank() && found.size() == wanted.rank() + 1) {
    column.shape.assign(found.begin() + 1, found.end());
  } else {
    const bool fixed = wanted.has_rank() && wanted.rank() > 0 && wanted[0].is_static();
    column.rows_per_sample = fixed ? wanted[0].extent() : 1;
    column.shape = found;
    column.shape[0] = column.rows_per_sample;
  }
  if (!ir::compatible(wanted, ir::Shape::of(column.shape))) {
    return bad_data(input_context(input), " takes ", wanted.to_string(), ", the data is ",
                    ir::Shape::of(found).to_string(),
                    " (axis 0 is the sample); give samples of the shape that the model takes");
  }
  if (column.rows_per_sample <= 0 || found[0] % column.rows_per_sample != 0) {
    return bad_data(input_context(input), " takes ", column.rows_per_sample,
                    " rows at a time; the data has ", found[0], "; give a multiple of that");
  }
  column.samples = found[0] / column.rows_per_sample;
  column.array = std::move(array);
  return column;
}

class ArrayDataset : public Dataset {
 public:
  ArrayDataset(std::string path, std::vector<InputSpec> inputs, std::vector<Column> columns,
               size_t size)
      : path_(std::move(path)),
        inputs_(std::move(inputs)),
        columns_(std::move(columns)),
        size_(size) {}

  size_t size() const override { return size_; }

  Result<Sample> get(size_t index) const override {
    Sample sample;
    for (size_t i = 0; i < columns_.size(); ++i) {
      OCTET_ASSIGN(
          ir::Tensor tensor,
          read(i, static_cast<int64_t>(index)).in(cat(quote_name(path_), ": sample ", index)));
      sample.push_back(std::move(tensor));
    }
    return sample;
  }

 private:
  Result<ir::Tensor> read(size_t i, int64_t index) const {
    const Column& column = columns_[i];
    OCTET_ASSIGN(ir::Tensor tensor, column.array.rows(index * column.rows_per_sample,
                                                      column.rows_per_sample, column.shape));
    return fit_values(inputs_[i], std::move(tensor));
  }

  std::string path_;
  std::vector<InputSpec> inputs_;
  std::vector<Column> columns_;
  size_t size_;
};

Result<DatasetPtr> make(const std::string& path, const std::vector<InputSpec>& inputs,
                        std::vector<Column> columns, const OpenOptions& options) {
  for (size_t i = 1; i < columns.size(); ++i) {
    if (columns[i].samples == columns[0].samples) continue;
    return bad_data("has ", columns[0].samples, " samples of ", input_context(inputs[0]), " and ",
                    columns[i].samples, " of ", input_context(inputs[i]));
  }
  OCTET_ASSIGN(const size_t size, sample_count(columns[0].samples, options));
  return DatasetPtr(std::make_unique<ArrayDataset>(path, inputs, std::move(columns), size));
}

// Bytes NHWC, or NHW for gray pictures.
class ArrayPictures : public PictureSource {
 public:
  ArrayPictures(std::string path, Array array) : path_(std::move(path)), array_(std::move(array)) {}

  int64_t count() const override { return array_.shape()[0]; }
  std::string describe(int64_t index) const override {
    return cat(quote_name(path_), ": picture ", index);
  }

  Result<Image> get(int64_t index) const override {
    const std::vector<int64_t>& shape = array_.shape();
    Image image{shape[2], shape[1], shape.size() == 4 ? shape[3] : 1, {}};
    OCTET_ASSIGN(const ir::Tensor row,
                 array_.rows(index, 1, {image.height, image.width, image.channels}));
    const std::span<const uint8_t> pixels = row.data<uint8_t>();
    image.pixels.assign(pixels.begin(), pixels.end());
    return image;
  }

 private:
  std::string path_;
  Array array_;
};

Result<DatasetPtr> open_array_pictures(const std::string& path, Array array, const InputSpec& input,
                                       const OpenOptions& options) {
  const std::vector<int64_t>& shape = array.shape();
  const bool gray = shape.size() == 3 || (shape.size() == 4 && shape[3] == 1);
  const bool colour = shape.size() == 4 && shape[3] == 3;
  if (array.dtype() != ir::DType::kUint8) {
    return usage_error("--preprocess is for pictures of uint8; the array is of ",
                       numerics::dtype_name(array.dtype()));
  }
  if (!gray && !colour) {
    return bad_data("pictures are uint8[N,height,width,3] or [N,height,width]; the array is ",
                    ir::Shape::of(shape).to_string());
  }
  OCTET_TRY(check_image_size(shape[2], shape[1]));
  return open_pictures(std::make_unique<ArrayPictures>(path, std::move(array)), input, options);
}

}  // namespace

Result<DatasetPtr> open_npy_file(const std::string& path, const std::vector<InputSpec>& inputs,
                                 const OpenOptions& options) {
  if (inputs.size() != 1) {
    return bad_data("is one array, but the model has ", inputs.size(),
                    " inputs: give a .npz with an array for each");
  }
  OCTET_ASSIGN(OpenFile file, OpenFile::open(path));
  const auto shared = std::make_shared<const OpenFile>(std::move(file));
  OCTET_ASSIGN(Array array,
               Array::open(std::make_shared<const FileBytes>(shared, 0, shared->size())));
  if (options.preprocess) return open_array_pictures(path, std::move(array), inputs[0], options);
  OCTET_ASSIGN(Column column, split_rows(inputs[0], std::move(array)));
  std::vector<Column> columns;
  columns.push_back(std::move(column));
  return make(path, inputs, std::move(columns), options);
}

Result<DatasetPtr> open_npz_file(const std::string& path, const std::vector<InputSpec>& inputs,
                                 const OpenOptions& options) {
  OCTET_TRY(refuse_preprocess(options, "a .npz of arrays"));
  OCTET_ASSIGN(auto arrays, open_npz(path));
  OCTET_TRY(check_names(inputs, arrays));
  std::vector<Column> columns;
  for (const InputSpec& input : inputs) {
    OCTET_ASSIGN(Column column, split_rows(input, std::move(arrays.at(input.name))));
    columns.push_back(std::move(column));
  }
  return make(path, inputs, std::move(columns), options);
}

}  // namespace octet::data
