#include "compiler/accuracy/kept_tensors.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "compiler/base/thread_pool.h"
#include "tests/support/graph_builder.h"

namespace octet::accuracy {
namespace {

using ir::Tensor;
using testing::must;

Tensor numbered(size_t sample) {
  return Tensor::of<float>({2, 500000 + static_cast<int64_t>(sample)},
                           std::vector<float>(2 * (500000 + sample), static_cast<float>(sample)));
}

void expect_all_come_back() {
  constexpr size_t kSamples = 7;  // 4 MB each: beyond what stays in memory
  KeptTensors kept(kSamples);
  ASSERT_TRUE(parallel_for(4, kSamples, [&](size_t, size_t i) -> Status {
                kept.put(i, numbered(i));
                return {};
              }).ok());
  int64_t bytes = 0;
  for (size_t i = 0; i < kSamples; ++i) {
    const Tensor expected = numbered(i);
    EXPECT_TRUE(must(kept.get(i)) == expected) << i;
    bytes += static_cast<int64_t>(expected.bytes().size());
  }
  EXPECT_EQ(kept.bytes(), bytes);
}

TEST(KeptTensors, ComeBackAsTheyWere) { expect_all_come_back(); }

TEST(KeptTensors, StayInMemoryWithoutATemporaryFolder) {
  const char* before = std::getenv("TMPDIR");
  const std::string old = before == nullptr ? "" : before;
  setenv("TMPDIR", "/there/is/no/such/folder", 1);
  expect_all_come_back();
  if (before == nullptr) {
    unsetenv("TMPDIR");
  } else {
    setenv("TMPDIR", old.c_str(), 1);
  }
}

TEST(KeptTensors, PutAgainReplaces) {
  KeptTensors kept(4);
  kept.put(3, numbered(3));
  kept.put(3, Tensor::of<int64_t>({1}, {5}));
  EXPECT_TRUE(must(kept.get(3)) == (Tensor::of<int64_t>({1}, {5})));
}

}  // namespace
}  // namespace octet::accuracy
