// What `octet analyze` prints.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/accuracy/analysis.h"
#include "compiler/accuracy/data_shift.h"
#include "compiler/accuracy/output_noise.h"
#include "tools/octet/comparison.h"
#include "tools/octet/invocation.h"

namespace octet::tools {

struct AnalysisReport {
  std::string model;
  std::string backend;
  accuracy::Analysis analysis;
  Comparison quantized;                         // float against all quantizers, by tensor
  std::vector<size_t> blank;                    // samples of one number
  std::vector<std::vector<size_t>> duplicates;  // groups of equal samples
  std::optional<std::vector<accuracy::DataShift>> shifts;
  size_t against = 0;  // samples of the second set
};

// All there is, in the order of the tables.
Json to_json(const AnalysisReport& report);
// Tables of the `top` first entries.
std::string to_text(const AnalysisReport& report, size_t top);

}  // namespace octet::tools
