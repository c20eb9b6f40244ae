// Pictures of any origin as samples.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "compiler/base/result.h"
#include "compiler/data/dataset.h"
#include "compiler/data/image.h"
#include "compiler/data/sources.h"

namespace octet::data {

class PictureSource {
 public:
  virtual ~PictureSource() = default;
  virtual int64_t count() const = 0;
  virtual Result<Image> get(int64_t index) const = 0;
  virtual std::string describe(int64_t index) const = 0;  // in front of messages
};

// The preprocess with the sizes that the input fixes. kBadData where the input cannot take such
// pictures, with both shapes; kUsage for means on an input of bytes.
Result<Preprocess> fit_preprocess(const InputSpec& input, Preprocess preprocess);

// One picture a sample, or b where the model fixes its batch at b. options.preprocess is set.
Result<DatasetPtr> open_pictures(std::unique_ptr<PictureSource> source, const InputSpec& input,
                                 const OpenOptions& options);

}  // namespace octet::data
