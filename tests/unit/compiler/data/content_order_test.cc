#include "compiler/data/content_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace octet::data {
namespace {

// One number per sample.
class Numbers : public Dataset {
 public:
  explicit Numbers(std::vector<float> numbers) : numbers_(std::move(numbers)) {}
  size_t size() const override { return numbers_.size(); }
  Result<Sample> get(size_t index) const override {
    if (numbers_[index] < 0) return bad_data("sample ", index);
    Sample out;
    out.push_back(ir::Tensor::scalar(numbers_[index]));
    return out;
  }

 private:
  std::vector<float> numbers_;
};

std::vector<float> taken(const Dataset& dataset) {
  std::vector<float> out;
  for (size_t i = 0; i < dataset.size(); ++i) {
    const auto sample = dataset.get(i);
    EXPECT_TRUE(sample.ok());
    out.push_back(sample.ok() ? (*sample)[0].data<float>()[0] : -1.0F);
  }
  return out;
}

TEST(ContentOrder, IsTheSameForEveryOrderOfTheSamples) {
  std::vector<float> numbers = {0, 1, 2, 3, 4, 5, 6, 7};
  const Numbers first(numbers);
  ContentOrder expected(first);
  EXPECT_EQ(taken(expected), numbers) << "as it is before settle()";
  ASSERT_TRUE(expected.settle().ok());
  const auto order = taken(expected);
  EXPECT_EQ(std::set<float>(order.begin(), order.end()).size(), numbers.size());
  std::reverse(numbers.begin(), numbers.end());
  std::swap(numbers[1], numbers[5]);
  const Numbers shuffled(numbers);
  ContentOrder other(shuffled);
  ASSERT_TRUE(other.settle().ok()) << "without a pass before";
  EXPECT_EQ(taken(other), order);
}

TEST(ContentOrder, HandsOnErrors) {
  const Numbers broken({1, 2, -1, 3});
  ContentOrder order(broken);
  const auto settled = order.settle();
  ASSERT_FALSE(settled.ok());
  EXPECT_EQ(settled.error().message(), "sample 2");
}

TEST(ContentHash, TellsBitsAndShapesApart) {
  const auto hash = [](ir::Tensor tensor) {
    Sample sample;
    sample.push_back(std::move(tensor));
    return content_hash(sample);
  };
  const uint64_t one = hash(ir::Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(one, hash(ir::Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})));
  EXPECT_NE(one, hash(ir::Tensor::of<float>({3, 2}, {1, 2, 3, 4, 5, 6})));
  EXPECT_NE(one, hash(ir::Tensor::of<float>({2, 3}, {1, 2, 3, 4, 6, 5})));
}

}  // namespace
}  // namespace octet::data
