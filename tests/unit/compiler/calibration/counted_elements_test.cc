#include "compiler/calibration/counted_elements.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "compiler/calibration/histogram_builder.h"
#include "tests/support/random_graph.h"

namespace octet::calibration {
namespace {

using octet::testing::Random;
using Shape = std::vector<int64_t>;

size_t element_count(const Shape& shape) {
  return static_cast<size_t>(
      std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
}

// Every element is its own index in row-major order.
std::vector<float> indices(const Shape& shape) {
  std::vector<float> out(element_count(shape));
  std::iota(out.begin(), out.end(), 0.0F);
  return out;
}

// [N, C, spatial...] as [N, ceil(C / block), spatial..., lanes], the last block narrower.
std::vector<float> in_blocks(const std::vector<float>& values, const Shape& shape, int64_t block) {
  const int64_t spatial = static_cast<int64_t>(element_count(shape)) / (shape[0] * shape[1]);
  std::vector<float> out;
  for (int64_t n = 0; n < shape[0]; ++n) {
    for (int64_t first = 0; first < shape[1]; first += block) {
      const int64_t lanes = std::min(block, shape[1] - first);
      for (int64_t pixel = 0; pixel < spatial; ++pixel) {
        for (int64_t lane = 0; lane < lanes; ++lane) {
          const int64_t at = (n * shape[1] + first + lane) * spatial + pixel;
          out.push_back(values[static_cast<size_t>(at)]);
        }
      }
    }
  }
  return out;
}

struct Passed {
  std::vector<float> looked;
  std::vector<float> counted;
};

Passed pass(const CountedElements& elements, const std::vector<float>& values) {
  Passed out;
  EXPECT_TRUE(elements.pass(
      values,
      [&](std::span<const float> stretch) {
        out.looked.insert(out.looked.end(), stretch.begin(), stretch.end());
        return true;
      },
      [&](std::span<const float> counted) {
        out.counted.insert(out.counted.end(), counted.begin(), counted.end());
      }));
  std::sort(out.looked.begin(), out.looked.end());
  std::sort(out.counted.begin(), out.counted.end());
  return out;
}

// What the header says, written the other way round: a test of each index.
std::vector<float> expected(const Shape& shape, int64_t step) {
  int64_t plane = 1;
  for (size_t back = 1; back <= std::min<size_t>(2, shape.size()); ++back) {
    plane *= shape[shape.size() - back];
  }
  std::vector<float> out;
  for (size_t i = 0; i < element_count(shape); ++i) {
    const int64_t pixel = static_cast<int64_t>(i) % plane;
    if (step == 1 || pixel % step == (step - 1) / 2) out.push_back(static_cast<float>(i));
  }
  return out;
}

TEST(CountedElements, AreEveryNthOfEachPlane) {
  const std::map<Shape, int64_t> steps = {
      {{1, 128, 7, 5}, 7},   // small, a width that 7 does not divide
      {{1, 128, 5, 7}, 11},  // one that it divides
      {{1, 64, 20, 20}, 31},
      {{1, 64, 20, 31}, 37},
      {{1, 8, 100, 100}, 127},
      {{1, 1, 1000, 254}, 131},
      {{1, 300, 10, 10}, 31},
      {{1, 5000, 2, 2}, 1},
      {{1, 2, 10, 10}, 1},
      {{1, 2, 4, 20, 30}, 7},
      {{100, 384}, 31},
      {{70000}, 127},
      {{}, 1},
  };
  for (const auto& [shape, step] : steps) {
    const CountedElements elements(shape);
    EXPECT_EQ(elements.weight(), static_cast<uint64_t>(step)) << ::testing::PrintToString(shape);
    EXPECT_EQ(elements.all(), step == 1);
    const Passed passed = pass(elements, indices(shape));
    EXPECT_EQ(passed.looked, indices(shape));
    EXPECT_EQ(passed.counted, expected(shape, step)) << ::testing::PrintToString(shape);
  }
}

TEST(CountedElements, AreTheSameInBlocksOfChannels) {
  for (const Shape& shape : {Shape{2, 19, 21, 13}, Shape{1, 24, 40, 40}, Shape{1, 5, 300, 300},
                             Shape{1, 33, 4, 9, 11}, Shape{2, 3, 2, 2}}) {
    const Passed plain = pass(CountedElements(shape), indices(shape));
    for (const int64_t block : {int64_t{8}, int64_t{16}, shape[1]}) {
      const Passed blocked =
          pass(CountedElements(shape, block), in_blocks(indices(shape), shape, block));
      EXPECT_EQ(blocked.looked, plain.looked);
      EXPECT_EQ(blocked.counted, plain.counted) << ::testing::PrintToString(shape) << block;
    }
  }
}

TEST(CountedElements, StopWhenTold) {
  for (const Shape& shape : {Shape{200, 200}, Shape{1000}}) {
    const auto refuse = [](std::span<const float>) { return false; };
    const auto never = [](std::span<const float>) { FAIL(); };
    EXPECT_FALSE(CountedElements(shape).pass(indices(shape), refuse, never));
  }
}

// The part that is counted looks like the whole; extremes are those of the whole.
TEST(CountedElements, GiveAHistogramLikeThatOfAll) {
  const Shape shape = {1, 16, 112, 112};
  std::vector<float> values(element_count(shape));
  Random random(1);
  for (float& x : values) x = random.between(-1.0F, 1.0F) * random.between(0.0F, 1.0F);
  values[17] = 31.0F;
  HistogramBuilder some;
  const auto extremes = some.add(values, CountedElements(shape));
  ASSERT_TRUE(extremes.has_value());
  EXPECT_EQ(extremes->max, 31.0F);
  Histogram all;
  all.add(values);
  const Histogram part = some.all();
  ASSERT_EQ(part.exponent(), all.exponent());
  EXPECT_NEAR(static_cast<double>(part.total()), static_cast<double>(all.total()),
              0.02 * static_cast<double>(all.total()));
  double below_part = 0.0;
  double below_all = 0.0;
  double furthest = 0.0;
  for (size_t i = 0; i < Histogram::kBins; ++i) {
    below_part += static_cast<double>(part.counts()[i]) / static_cast<double>(part.total());
    below_all += static_cast<double>(all.counts()[i]) / static_cast<double>(all.total());
    furthest = std::max(furthest, std::abs(below_part - below_all));
  }
  // Kolmogorov and Smirnov's distance of 1,580 independent draws exceeds 1.95 / sqrt(1580) once in
  // a thousand.
  EXPECT_LT(furthest, 0.049);
  EXPECT_GE(part.counts()[static_cast<size_t>(31.0 / part.bin_width()) + Histogram::kHalf], 1U);
}

}  // namespace
}  // namespace octet::calibration
