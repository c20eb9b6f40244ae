// Samples for calibration and evaluation, one at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/tensor.h"

namespace octet::data {

// An input of the model as the data must fit it.
struct InputSpec {
  std::string name;
  ir::TensorType type;
};

// One tensor per InputSpec, in that order, batch axis included.
using Sample = std::vector<ir::Tensor>;

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual size_t size() const = 0;
  // Sample `index`; safe to call from several threads at once. Errors: kBadData naming file (or
  // array), sample and what is wrong (both shapes, the position of a NaN).
  virtual Result<Sample> get(size_t index) const = 0;
  // True for random: data; goes into reports and the model's metadata.
  virtual bool data_free() const { return false; }
};

enum class Channels { kRgb, kBgr, kGray };
enum class Layout { kNchw, kNhwc };
enum class Fit { kStretch, kCenterCrop };  // resize to size; or resize the short side, then crop

// How a picture becomes a tensor: value = (pixel - mean) / std per channel, in the order of
// `channels`. A one-element mean or std serves all channels.
struct Preprocess {
  std::optional<int64_t> height = std::nullopt;  // from the model's input where absent
  std::optional<int64_t> width = std::nullopt;
  Fit fit = Fit::kStretch;
  Channels channels = Channels::kRgb;
  std::vector<double> mean = {0.0};
  std::vector<double> std = {1.0};
  Layout layout = Layout::kNchw;
};

// "size=224x224,channels=bgr,mean=103.5:116.3:123.7,std=57.4:57.1:58.4,fit=crop,layout=nchw", or
// the path of a textproto file (preprocess.proto) with the same fields. kUsage with the nearest
// valid name for an unknown key or value.
Result<Preprocess> parse_preprocess(const std::string& text);

struct OpenOptions {
  std::optional<Preprocess> preprocess = std::nullopt;
  std::optional<size_t> limit = std::nullopt;  // the first so many samples
};

// `path` is one of
//   a folder of JPEG or PNG pictures (sorted by name; needs a preprocess),
//   a .npy file: axis 0 is the sample; uint8 NHWC pictures where a preprocess is given,
//   a .npz file: one array per input name, axis 0 is the sample,
//   a folder of .npz files, each one sample with its batch axis,
//   a folder of test_data_set_*/input_*.pb (ONNX TensorProto), in the order of the inputs,
//   "random:N": N seeded samples, at most 1000000.
// A dynamic dimension takes what the data gives; the batch axis of array data is 1 unless the
// model fixes it at b: then b consecutive rows are one sample (a rest that does not fill one is an
// error). All that can be known from headers is checked here, for all samples: kBadData, kIo.
Result<std::unique_ptr<Dataset>> open_dataset(const std::string& path,
                                              const std::vector<InputSpec>& inputs,
                                              const OpenOptions& options);

// Class indices for `count` samples: a .npy of integers, or text with a line per sample, "INDEX" or
// "FILE INDEX" (then sorted by file name). kBadData when the count differs.
Result<std::vector<int64_t>> read_labels(const std::string& path, size_t count);

}  // namespace octet::data
