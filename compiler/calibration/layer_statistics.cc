#include "compiler/calibration/layer_statistics.h"

#include <algorithm>

#include "compiler/base/checked.h"

namespace octet::calibration {

namespace {

int64_t triangle(int64_t n) { return n * (n + 1) / 2; }

void drop_small(LayerStatistics::Buckets& buckets) {
  while (!buckets.empty() &&
         buckets.begin()->first < buckets.rbegin()->first - LayerStatistics::kStep) {
    buckets.erase(buckets.begin());
  }
}

// The products of one block of `from`, cut into blocks of `to` columns.
void cut_block(const int64_t* products, int64_t extent, int64_t to, std::vector<int64_t>& out) {
  for (int64_t first = 0; first < extent; first += to) {
    const int64_t last = std::min(extent, first + to);
    for (int64_t a = first; a < last; ++a) {
      // Row a of the triangle begins behind the rows of extent, extent - 1, ... above it.
      const int64_t* row = products + a * extent - a * (a - 1) / 2;
      out.insert(out.end(), row, row + (last - a));
    }
  }
}

}  // namespace

std::optional<int64_t> LayerStatistics::product_count(int64_t groups, int64_t columns,
                                                      int64_t block) {
  if (groups <= 0 || columns <= 0 || block <= 0) return std::nullopt;
  const int64_t extent = std::min(columns, block);
  const auto square = checked_mul(extent, extent + 1);
  const auto whole = square ? checked_mul(columns / extent, *square / 2) : std::nullopt;
  const auto each = whole ? checked_add(*whole, triangle(columns % extent)) : std::nullopt;
  return each ? checked_mul(*each, groups) : std::nullopt;
}

bool LayerStatistics::wanted(const Buckets& buckets, int exponent) {
  return buckets.empty() || exponent >= buckets.rbegin()->first - kStep;
}

Status LayerStatistics::add(Buckets& to, int exponent, const ColumnProducts& from) {
  if (!wanted(to, exponent)) return {};
  const auto [it, is_new] = to.emplace(exponent, from);
  if (!is_new) {
    ColumnProducts& sums = it->second;
    if (sums.count + from.count > kMostColumns) {
      return usage_error("second-order statistics of more than ", kMostColumns, " columns");
    }
    sums.count += from.count;
    for (size_t i = 0; i < sums.sums.size(); ++i) sums.sums[i] += from.sums[i];
    for (size_t i = 0; i < sums.products.size(); ++i) sums.products[i] += from.products[i];
  }
  drop_small(to);
  return {};
}

LayerStatistics LayerStatistics::narrowed(int64_t to_block) const {
  if (std::min(block, columns) <= to_block) {
    LayerStatistics same = *this;
    same.block = std::min(block, to_block);
    return same;
  }
  LayerStatistics out{groups, columns, to_block, {}, {}};
  const auto cut = [&](const Buckets& from, Buckets& to) {
    for (const auto& [exponent, bucket] : from) {
      ColumnProducts& made = to[exponent];
      made.count = bucket.count;
      made.sums = bucket.sums;
      const int64_t* products = bucket.products.data();
      for (int64_t group = 0; group < groups; ++group) {
        for (int64_t first = 0; first < columns; first += block) {
          const int64_t extent = std::min(block, columns - first);
          cut_block(products, extent, to_block, made.products);
          products += triangle(extent);
        }
      }
    }
  };
  cut(fit, out.fit);
  cut(apart, out.apart);
  return out;
}

Status LayerStatistics::merge(const LayerStatistics& other) {
  if (groups != other.groups || columns != other.columns) {
    return usage_error("second-order statistics of ", groups, " x ", columns, " and of ",
                       other.groups, " x ", other.columns, " columns");
  }
  if (block > other.block) *this = narrowed(other.block);
  const LayerStatistics narrow = other.block > block ? other.narrowed(block) : other;
  for (const auto& [exponent, bucket] : narrow.fit) OCTET_TRY(add(fit, exponent, bucket));
  for (const auto& [exponent, bucket] : narrow.apart) OCTET_TRY(add(apart, exponent, bucket));
  return {};
}

Status ChannelStatistics::merge(const ChannelStatistics& other) {
  if (axis != other.axis) return usage_error("channels of different axes");
  const size_t count = std::max(low.size(), other.low.size());
  const auto extend = [&](std::vector<float>& to, const std::vector<float>& from) {
    for (size_t c = to.size(); c < count; ++c) to.push_back(from[c]);
  };
  extend(low, other.low);
  extend(high, other.high);
  for (size_t c = 0; c < other.low.size(); ++c) {
    low[c] = std::min(low[c], other.low[c]);
    high[c] = std::max(high[c], other.high[c]);
  }
  return {};
}

}  // namespace octet::calibration
