// Second-order statistics of one linear layer's columns, in sums that merge without loss.
//
// A sample's columns are rounded to 16 bits in units of 2^(e - 15), where 2^e is the least power of
// 16 above the greatest magnitude of the layer's data in that sample. Products and sums of those
// integers are exact, so any split of the samples over threads, shards and runs, in any order,
// gives the same bytes. Samples of one e add up in one bucket. Only the bucket of the greatest e
// and the one below it are kept: what is left out has less than 1/16 of the greatest magnitude, and
// at most 1/256 of its weight in a sum of products. A bucket that is among the two in the end was
// among the two in every part, so merging in any order comes to the same.
//
// Samples whose digest is 3 modulo 4 are kept apart: what is learnt from the others is judged on
// them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "compiler/base/result.h"

namespace octet::calibration {

// Integer sums over the columns of one bucket.
struct ColumnProducts {
  int64_t count = 0;              // columns a group
  std::vector<int64_t> sums;      // groups x columns
  std::vector<int64_t> products;  // see LayerStatistics
  bool operator==(const ColumnProducts&) const = default;
};

struct LayerStatistics {
  static constexpr int kStep = 4;              // between the exponents of buckets
  static constexpr int kBits = 15;             // of a magnitude
  static constexpr int kLeastExponent = -108;  // finer units are no normal float32
  static constexpr int kGreatestExponent = 128;
  static constexpr int64_t kMostColumns = int64_t{1} << 32;  // that int64 sums have room for

  int64_t groups = 1;
  int64_t columns = 0;  // a group
  // Products are kept within blocks of so many columns that stand together, a power of two; whole
  // Grams where it is at least `columns`. Per group, per block, the upper triangle row by row.
  int64_t block = 0;
  using Buckets = std::map<int, ColumnProducts>;  // by exponent
  Buckets fit;
  Buckets apart;

  // Products of all blocks of all groups; nothing where that overflows.
  static std::optional<int64_t> product_count(int64_t groups, int64_t columns, int64_t block);

  // Adds a bucket, and drops those that are too far below the greatest. kUsage when the sums would
  // not fit.
  static Status add(Buckets& to, int exponent, const ColumnProducts& from);
  // False when the bucket would be dropped at once.
  static bool wanted(const Buckets& buckets, int exponent);

  // The same with smaller blocks: products across their borders are dropped.
  LayerStatistics narrowed(int64_t to_block) const;
  // The smaller block of the two serves both.
  Status merge(const LayerStatistics& other);

  bool operator==(const LayerStatistics&) const = default;
};

// Least and greatest of every channel of a value.
struct ChannelStatistics {
  int64_t axis = 0;
  std::vector<float> low;
  std::vector<float> high;

  Status merge(const ChannelStatistics& other);
  bool operator==(const ChannelStatistics&) const = default;
};

}  // namespace octet::calibration
