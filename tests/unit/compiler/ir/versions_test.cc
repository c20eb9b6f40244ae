#include "compiler/ir/versions.h"

#include <gtest/gtest.h>

#include <map>

namespace octet::ir {
namespace {

// The table of ONNX's docs/Versioning.md, for the operator sets that Octet writes.
TEST(Versions, TheFileFormatIsThatOfTheReleaseOfTheOperatorSet) {
  const std::map<int64_t, int64_t> table = {{13, 7}, {14, 7}, {15, 8},  {16, 8},  {17, 8}, {18, 8},
                                            {19, 9}, {20, 9}, {21, 10}, {22, 10}, {23, 11}};
  for (const auto& [opset, version] : table) EXPECT_EQ(ir_version_for(opset), version) << opset;
}

}  // namespace
}  // namespace octet::ir
