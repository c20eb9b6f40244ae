#include "compiler/ir/shape.h"

#include <gtest/gtest.h>

namespace octet::ir {
namespace {

TEST(Dim, IsStaticNamedOrUnknown) {
  EXPECT_TRUE(Dim(0).is_static());
  EXPECT_TRUE(Dim::named("N").is_named());
  EXPECT_TRUE(Dim().is_unknown());
  EXPECT_TRUE(Dim::named("").is_unknown());
  EXPECT_EQ(Dim::named("N").extent(), -1);
  EXPECT_EQ(Dim::named("N"), Dim::named("N"));
  EXPECT_NE(Dim::named("N"), Dim::named("M"));
  EXPECT_NE(Dim(3), Dim());
}

TEST(Dim, NegativeExtentsAreAllUnknown) { EXPECT_EQ(Dim(-7), Dim()); }

TEST(Shape, TextSaysWhatIsKnown) {
  EXPECT_EQ(Shape().to_string(), "[...]");
  EXPECT_EQ(Shape::of({}).to_string(), "[]");
  EXPECT_EQ(Shape({Dim(1), Dim::named("N"), Dim()}).to_string(), "[1,N,?]");
}

TEST(Shape, ElementCountNeedsStaticExtentsAndNoOverflow) {
  EXPECT_EQ(Shape::of({}).element_count(), 1);
  EXPECT_EQ(Shape::of({2, 3}).element_count(), 6);
  EXPECT_EQ(Shape::of({0, INT64_MAX, 2}).element_count(), 0);
  EXPECT_EQ(Shape::of({INT64_MAX, 2}).element_count(), std::nullopt);
  EXPECT_EQ(Shape({Dim()}).element_count(), std::nullopt);
  EXPECT_EQ(Shape().element_count(), std::nullopt);
  EXPECT_FALSE(Shape().is_static());
  EXPECT_TRUE(Shape::of({}).is_static());
}

TEST(Shape, CompatibleUnlessRanksOrExtentsContradict) {
  EXPECT_TRUE(compatible(Shape(), Shape::of({1})));
  EXPECT_TRUE(compatible(Shape::of({1}), Shape()));
  EXPECT_TRUE(compatible(Shape({Dim::named("N"), Dim(3)}), Shape({Dim(2), Dim()})));
  EXPECT_TRUE(compatible(Shape({Dim::named("N")}), Shape({Dim::named("M")})));
  EXPECT_FALSE(compatible(Shape::of({1}), Shape::of({1, 1})));
  EXPECT_FALSE(compatible(Shape::of({1, 2}), Shape::of({1, 3})));
}

TEST(Shape, MergeTakesTheMoreSpecific) {
  const Shape loose({Dim(), Dim::named("N"), Dim(3), Dim()});
  const Shape tight({Dim::named("A"), Dim(2), Dim(), Dim()});
  const Shape merged({Dim::named("A"), Dim(2), Dim(3), Dim()});
  EXPECT_EQ(merge(loose, tight), merged);
  EXPECT_EQ(merge(tight, loose), merged);
  EXPECT_EQ(merge(Shape(), tight), tight);
  EXPECT_EQ(merge(tight, Shape()), tight);
  EXPECT_EQ(merge(Shape({Dim::named("N")}), Shape({Dim::named("M")})), Shape({Dim::named("N")}));
}

}  // namespace
}  // namespace octet::ir
