// Samples made of nothing: for a look at speed or coverage without data.
#include <utility>

#include "compiler/base/checked.h"
#include "compiler/base/names.h"
#include "compiler/data/buffer.h"
#include "compiler/data/fit.h"
#include "compiler/data/sources.h"

namespace octet::data {
namespace {

using ir::DType;

// SplitMix64 (Steele, Lea, Flood 2014): any state gives a good sequence, so that each tensor of
// each sample has its own.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

  // Close to a normal distribution of mean 0 and variance 1, in [-3.47, 3.47]: the sum of four
  // uniform integers, which is the same on every machine, as the library's logarithms are not.
  float normal() {
    constexpr int64_t kMean = 2 * 65535;
    constexpr float kDeviation = 37837.22F;  // sqrt(4 * (2^32 - 1) / 12)
    const uint64_t bits = next();
    int64_t sum = -kMean;
    for (int part = 0; part < 4; ++part) sum += static_cast<int64_t>(bits >> (16 * part) & 0xFFFF);
    return static_cast<float>(sum) / kDeviation;
  }

 private:
  uint64_t state_;
};

bool is_supported(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 ||
         dtype == DType::kBool || (numerics::is_integer(dtype) && numerics::bit_width(dtype) >= 8);
}

// Bytes take all values, as pictures do. Wider integers are indices, lengths or masks of which
// only 0 and 1 are sure to be valid.
int64_t random_integer(DType dtype, Random& random) {
  if (dtype == DType::kUint8) return static_cast<int64_t>(random.next() & 0xFF);
  if (dtype == DType::kInt8) return static_cast<int64_t>(random.next() & 0xFF) - 128;
  return static_cast<int64_t>(random.next() & 1);
}

class RandomDataset : public Dataset {
 public:
  RandomDataset(std::vector<InputSpec> inputs, std::vector<std::vector<int64_t>> shapes,
                size_t size)
      : inputs_(std::move(inputs)), shapes_(std::move(shapes)), size_(size) {}

  size_t size() const override { return size_; }
  bool data_free() const override { return true; }

  Result<Sample> get(size_t index) const override {
    Sample sample;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      OCTET_ASSIGN(ir::Tensor tensor,
                   make(i, static_cast<uint64_t>(index)).in(input_context(inputs_[i])));
      sample.push_back(std::move(tensor));
    }
    return sample;
  }

 private:
  Result<ir::Tensor> make(size_t input, uint64_t index) const {
    const DType dtype = inputs_[input].type.storage;
    OCTET_ASSIGN(ir::Tensor tensor, ir::Tensor::zeros(dtype, shapes_[input]));
    Random random(Random(index * 0x100000001B3U + input).next());
    if (dtype == DType::kFloat32) {
      for (float& value : tensor.mutable_data<float>()) value = random.normal();
      return tensor;
    }
    for (int64_t i = 0; i < tensor.element_count(); ++i) {
      if (numerics::is_floating_point(dtype)) {
        tensor.set_from_double(i, static_cast<double>(random.normal()));
      } else {
        tensor.set_from_int64(i, random_integer(dtype, random));
      }
    }
    return tensor;
  }

  std::vector<InputSpec> inputs_;
  std::vector<std::vector<int64_t>> shapes_;
  size_t size_;
};

// A batch that the model leaves open is one; any other extent must be known.
Result<std::vector<int64_t>> random_shape(const InputSpec& input) {
  const ir::Shape& shape = input.type.shape;
  std::vector<int64_t> out;
  bool known = shape.has_rank();
  for (size_t axis = 0; known && axis < shape.rank(); ++axis) {
    known = shape[axis].is_static() || axis == 0;
    out.push_back(shape[axis].is_static() ? shape[axis].extent() : 1);
  }
  if (known && checked_product(out)) return out;
  return bad_data(input_context(input), " is ", shape.to_string(),
                  ": random data needs its shape to be fixed");
}

}  // namespace

Result<DatasetPtr> open_random(int64_t count, const std::vector<InputSpec>& inputs,
                               const OpenOptions& options) {
  OCTET_TRY(refuse_preprocess(options, "random"));
  OCTET_ASSIGN(const size_t size, sample_count(count, options));
  std::vector<std::vector<int64_t>> shapes;
  for (const InputSpec& input : inputs) {
    if (!is_supported(input.type.storage)) {
      return bad_data(input_context(input), " takes ", numerics::dtype_name(input.type.storage),
                      ", which is not made at random");
    }
    OCTET_ASSIGN(std::vector<int64_t> shape, random_shape(input));
    shapes.push_back(std::move(shape));
  }
  return DatasetPtr(std::make_unique<RandomDataset>(inputs, std::move(shapes), size));
}

}  // namespace octet::data
