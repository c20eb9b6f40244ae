#include "compiler/calibration/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "compiler/calibration/extremes.h"
#include "compiler/calibration/sample_digest.h"

namespace octet::calibration {
namespace {

Statistics example() {
  Statistics out;
  out.fingerprint = "abc";
  out.samples = 2;
  out.digests = {1, 2};
  TensorStatistics& tensor = out.tensors["a name with spaces, \n and 100%"];
  tensor.samples = 2;
  tensor.elements = 3;
  tensor.min = -0.1F;
  tensor.max = 1.0F / 3.0F;
  tensor.sum_of_sample_min.add(-0.1F);
  tensor.sum_of_sample_max.add(1e-40F);
  tensor.sum_of_sample_max.add(3e38F);
  tensor.histogram.emplace();
  const std::vector<float> values = {-0.1F, 0.0F, 1.0F / 3.0F};
  tensor.histogram->add(values);
  out.tensors["plain"].samples = 1;
  return out;
}

TEST(Statistics, SurviveTheirText) {
  const Statistics before = example();
  const auto after = Statistics::from_text(before.to_text());
  ASSERT_TRUE(after.ok()) << after.error().message();
  EXPECT_EQ(*after, before);
  EXPECT_EQ(after->to_text(), before.to_text());
}

TEST(Statistics, TextCutAnywhereIsRefused) {
  const std::string text = example().to_text();
  for (size_t length = 0; length + 4 < text.size(); ++length) {
    EXPECT_FALSE(Statistics::from_text(text.substr(0, length)).ok()) << length;
  }
}

TEST(Statistics, OfOtherModelsDoNotMerge) {
  Statistics a = example();
  Statistics b = example();
  b.fingerprint = "def";
  const Status merged = a.merge(b);
  ASSERT_FALSE(merged.ok());
  EXPECT_EQ(merged.error().code(), ErrorCode::kUsage);
}

TEST(Statistics, MergeInAnyOrderAlike) {
  Statistics a = example();
  Statistics b = example();
  b.tensors["plain"].elements = 1;
  b.tensors["plain"].min = b.tensors["plain"].max = 5.0F;
  b.tensors["only in b"].samples = 1;
  Statistics ab = a;
  ASSERT_TRUE(ab.merge(b).ok());
  ASSERT_TRUE(b.merge(a).ok());
  EXPECT_EQ(ab.to_text(), b.to_text());
  EXPECT_EQ(ab.tensors["plain"].min, 5.0F);
  EXPECT_EQ(ab.samples, 4);
}

TEST(Statistics, RememberTheirSamples) {
  Statistics a = example();
  a.samples = 3;
  a.digests = {1, 3, ~uint64_t{0}};
  Statistics b = example();
  b.digests = {2, 3};
  EXPECT_EQ(a.common_samples(b), 1);
  Statistics ab = a;
  Statistics ba = b;
  ASSERT_TRUE(ab.merge(b).ok());
  ASSERT_TRUE(ba.merge(a).ok());
  EXPECT_EQ(ab.digests, (std::vector<uint64_t>{1, 2, 3, 3, ~uint64_t{0}}));
  EXPECT_EQ(ab.to_text(), ba.to_text());
  EXPECT_EQ(ab.common_samples(a), 3);
  const auto read = Statistics::from_text(ab.to_text());
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*read, ab);
}

TEST(SampleDigest, KnowsEveryByte) {
  const auto digest = [](std::vector<float> values) {
    const std::vector<int64_t> shape = {static_cast<int64_t>(values.size())};
    return sample_digest({ir::Tensor::of<float>(shape, values)});
  };
  EXPECT_EQ(digest({1, 2, 3}), digest({1, 2, 3}));
  EXPECT_NE(digest({1, 2, 3}), digest({2, 1, 3}));
  EXPECT_NE(digest({1, 2, 3}), digest({1, 2, 4}));
  EXPECT_NE(digest({1, 2, 3}), digest({1, 2, 3, 0}));
}

TEST(FiniteExtremes, AreThoseOfPlainLoops) {
  for (size_t count : {1U, 2U, 31U, 32U, 33U, 100U}) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>((i * 37) % 101) - 50.0F;
    const auto extremes = finite_extremes(values);
    ASSERT_TRUE(extremes.has_value());
    EXPECT_EQ(extremes->min, *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(extremes->max, *std::max_element(values.begin(), values.end()));
  }
}

TEST(FiniteExtremes, RefuseNanAndInfinityAnywhere) {
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (float value : bad) {
    for (size_t at = 0; at < 70; ++at) {
      std::vector<float> values(70, 1.0F);
      values[at] = value;
      EXPECT_FALSE(finite_extremes(values).has_value()) << at;
    }
  }
}

TEST(FiniteExtremes, ZeroHasNoSign) {
  for (const std::vector<float>& values : {std::vector<float>{0.0F, -0.0F}, {-0.0F, 0.0F}}) {
    const auto extremes = finite_extremes(values);
    EXPECT_FALSE(std::signbit(extremes->min));
    EXPECT_FALSE(std::signbit(extremes->max));
  }
}

}  // namespace
}  // namespace octet::calibration
