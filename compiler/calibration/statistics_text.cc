// Statistics to and from text:
//
//   octet-statistics 2
//   fingerprint HEX
//   samples N
//   data_free 0|1
//   digests HEX...                             of the samples, sorted: one per sample
//   blocks TENSORS CHANNELS LAYERS              how many follow, so that a lost one is noticed
//   tensor "NAME" SAMPLES ELEMENTS MIN MAX      floats in hexadecimal
//   sum_min INDEX:LIMB...                       of ExactSum, limbs that are not 0
//   sum_max INDEX:LIMB...
//   histogram EXPONENT INDEX:COUNT...           only bins that are not empty
//   channels "NAME" AXIS LOW HIGH LOW HIGH...   second order: floats in hexadecimal
//   layer "NAME" GROUPS COLUMNS BLOCK
//   fit EXPONENT COUNT BASE64                   sums, then products, as variable-length integers
//   apart EXPONENT COUNT BASE64
//   end
// Files without second-order statistics have no line of the last four kinds.
#include <algorithm>
#include <array>
#include <charconv>

#include "compiler/base/base64.h"
#include "compiler/calibration/statistics.h"

namespace octet::calibration {
namespace {

constexpr std::string_view kHeader = "octet-statistics 2";

std::string hex_float(float x) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), x, std::chars_format::hex).ptr;
  return {buffer, end};
}

std::string hex_digits(uint64_t x) {
  std::array<char, 16> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), x, 16).ptr};
}

void write_sum(std::string& out, std::string_view key, const numerics::ExactSum& sum) {
  out += key;
  const auto limbs = sum.limbs();
  for (size_t i = 0; i < limbs.size(); ++i) {
    if (limbs[i] != 0) out += cat(" ", i, ":", limbs[i]);
  }
  out += '\n';
}

// Names may hold any byte; the text is one line.
std::string escape(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '%') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

// Reads words of one line after the other.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool next_line() {
    if (rest_.empty()) return false;
    const size_t end = rest_.find('\n');
    line_ = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    ++number_;
    return true;
  }

  std::string_view line() const { return line_; }

  std::string_view word() {
    const size_t start = line_.find_first_not_of(' ');
    if (start == std::string_view::npos) {
      line_ = {};
      return {};
    }
    line_ = line_.substr(start);
    const size_t end = line_.find(' ');
    const std::string_view out = line_.substr(0, end);
    line_ = end == std::string_view::npos ? std::string_view() : line_.substr(end);
    return out;
  }

  template <typename T>
  bool number(T& out) {
    return parse(word(), out);
  }

  bool real(float& out) {
    std::string_view text = word();
    const bool negative = !text.empty() && text.front() == '-';
    if (negative) text.remove_prefix(1);
    const auto result =
        std::from_chars(text.data(), text.data() + text.size(), out, std::chars_format::hex);
    if (negative) out = -out;
    return result.ec == std::errc() && result.ptr == text.data() + text.size();
  }

  // The next "INDEX:COUNT"; false at the end of the line or when it is something else.
  template <typename T>
  bool pair(size_t& index, T& value, bool& at_end) {
    const std::string_view text = word();
    at_end = text.empty();
    const size_t colon = text.find(':');
    return colon != std::string_view::npos && parse(text.substr(0, colon), index) &&
           parse(text.substr(colon + 1), value);
  }

  Error error(std::string_view what) const {
    return usage_error("statistics, line ", number_, ": ", what);
  }

 private:
  template <typename T>
  static bool parse(std::string_view text, T& out) {
    const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
    return !text.empty() && result.ec == std::errc() && result.ptr == text.data() + text.size();
  }

  std::string_view rest_;
  std::string_view line_;
  int64_t number_ = 0;
};

Result<std::string> unescape(std::string_view text, const Reader& reader) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned int byte = 0;
    if (i + 2 >= text.size() ||
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr !=
            text.data() + i + 3) {
      return reader.error("a name with a broken escape");
    }
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

Result<numerics::ExactSum> read_sum(Reader& reader, std::string_view key) {
  if (!reader.next_line() || reader.word() != key) return reader.error(cat("expected ", key));
  std::array<uint32_t, numerics::ExactSum::kLimbs> limbs{};
  for (;;) {
    size_t index = 0;
    uint32_t limb = 0;
    bool at_end = false;
    if (!reader.pair(index, limb, at_end)) {
      if (at_end) return numerics::ExactSum::from_limbs(limbs);
      return reader.error("expected INDEX:LIMB");
    }
    if (index >= limbs.size()) return reader.error("a limb beyond the last");
    limbs[index] = limb;
  }
}

Result<Histogram> read_histogram(Reader& reader) {
  int exponent = 0;
  if (!reader.number(exponent) || exponent < Histogram::kLeastExponent || exponent > 127) {
    return reader.error("expected an exponent");
  }
  std::vector<uint64_t> counts;
  for (;;) {
    size_t index = 0;
    uint64_t count = 0;
    bool at_end = false;
    if (!reader.pair(index, count, at_end)) {
      if (at_end) return Histogram::from_counts(exponent, std::move(counts));
      return reader.error("expected INDEX:COUNT");
    }
    if (index >= static_cast<size_t>(Histogram::kBins)) {
      return reader.error("a bin beyond the last");
    }
    counts.resize(Histogram::kBins, 0);
    counts[index] = count;
  }
}

Result<std::vector<uint64_t>> read_digests(Reader& reader) {
  if (!reader.next_line() || reader.word() != "digests") return reader.error("expected digests");
  std::vector<uint64_t> out;
  for (std::string_view word = reader.word(); !word.empty(); word = reader.word()) {
    uint64_t digest = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), digest, 16);
    if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size()) {
      return reader.error("expected digests in hexadecimal");
    }
    out.push_back(digest);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// How many blocks of each kind the header promises.
struct Blocks {
  size_t tensors = 0;
  size_t channels = 0;
  size_t layers = 0;

  Status read(Reader& reader) {
    if (!reader.next_line() || reader.word() != "blocks" || !reader.number(tensors) ||
        !reader.number(channels) || !reader.number(layers)) {
      return reader.error("expected blocks TENSORS CHANNELS LAYERS; calibrate again");
    }
    return {};
  }
  Status check(const Statistics& statistics) const {
    OCTET_TRY(check_one("tensor", tensors, statistics.tensors.size()));
    OCTET_TRY(check_one("channels", channels, statistics.channels.size()));
    return check_one("layer", layers, statistics.layers.size());
  }

 private:
  static Status check_one(std::string_view kind, size_t said, size_t found) {
    if (said == found) return {};
    return usage_error("the file says ", said, " blocks of kind ", kind, " and has ", found,
                       ": it was changed by hand or damaged; calibrate again");
  }
};

Result<TensorStatistics> read_tensor(Reader& reader) {
  TensorStatistics out;
  if (!reader.number(out.samples) || !reader.number(out.elements) || !reader.real(out.min) ||
      !reader.real(out.max) || out.samples < 0 || out.elements < 0 || out.min > out.max) {
    return reader.error("expected SAMPLES ELEMENTS MIN MAX");
  }
  OCTET_ASSIGN(out.sum_of_sample_min, read_sum(reader, "sum_min"));
  OCTET_ASSIGN(out.sum_of_sample_max, read_sum(reader, "sum_max"));
  return out;
}

// Seven bits a byte, least significant first, the highest bit set in all but the last; the sign in
// the lowest bit of the number.
void put_integer(std::vector<std::byte>& out, int64_t value) {
  auto rest = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  while (rest >= 0x80) {
    out.push_back(static_cast<std::byte>(rest | 0x80));
    rest >>= 7;
  }
  out.push_back(static_cast<std::byte>(rest));
}

bool take_integer(std::span<const std::byte>& bytes, int64_t& value) {
  uint64_t rest = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<uint64_t>(bytes.front());
    bytes = bytes.subspan(1);
    rest |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      value = static_cast<int64_t>(rest >> 1) ^ -static_cast<int64_t>(rest & 1);
      return true;
    }
  }
  return false;
}

void write_buckets(std::string& out, std::string_view key,
                   const LayerStatistics::Buckets& buckets) {
  for (const auto& [exponent, bucket] : buckets) {
    std::vector<std::byte> bytes;
    for (const int64_t sum : bucket.sums) put_integer(bytes, sum);
    for (const int64_t product : bucket.products) put_integer(bytes, product);
    out += cat(key, " ", exponent, " ", bucket.count, " ", to_base64(bytes), "\n");
  }
}

void write_second_order(std::string& out, const Statistics& statistics) {
  for (const auto& [name, value] : statistics.channels) {
    out += cat("channels ", escape(name), " ", value.axis);
    for (size_t c = 0; c < value.low.size(); ++c) {
      out += cat(" ", hex_float(value.low[c]), " ", hex_float(value.high[c]));
    }
    out += '\n';
  }
  for (const auto& [name, layer] : statistics.layers) {
    out +=
        cat("layer ", escape(name), " ", layer.groups, " ", layer.columns, " ", layer.block, "\n");
    write_buckets(out, "fit", layer.fit);
    write_buckets(out, "apart", layer.apart);
  }
}

Result<ChannelStatistics> read_channels(Reader& reader) {
  ChannelStatistics out;
  if (!reader.number(out.axis) || out.axis < 0) return reader.error("expected AXIS");
  while (!reader.line().empty()) {
    float low = 0.0F;
    float high = 0.0F;
    // A channel that held nothing has the range [inf, -inf].
    if (!reader.real(low) || !reader.real(high)) return reader.error("expected LOW HIGH");
    out.low.push_back(low);
    out.high.push_back(high);
  }
  return out;
}

Result<LayerStatistics> read_layer(Reader& reader) {
  LayerStatistics out;
  if (!reader.number(out.groups) || !reader.number(out.columns) || !reader.number(out.block) ||
      !LayerStatistics::product_count(out.groups, out.columns, out.block)) {
    return reader.error("expected GROUPS COLUMNS BLOCK");
  }
  return out;
}

Status read_bucket(Reader& reader, const LayerStatistics& layer,
                   LayerStatistics::Buckets& buckets) {
  int exponent = 0;
  ColumnProducts bucket;
  if (!reader.number(exponent) || exponent % LayerStatistics::kStep != 0 ||
      exponent < LayerStatistics::kLeastExponent || exponent > LayerStatistics::kGreatestExponent ||
      !reader.number(bucket.count) || bucket.count < 1 ||
      bucket.count > LayerStatistics::kMostColumns) {
    return reader.error("expected EXPONENT COUNT");
  }
  const auto decoded = from_base64(reader.word());
  if (!decoded.ok()) return reader.error("expected base64");
  std::span<const std::byte> bytes(*decoded);
  const int64_t sums = layer.groups * layer.columns;
  const int64_t all =
      sums + *LayerStatistics::product_count(layer.groups, layer.columns, layer.block);
  // A number takes a byte at least, so memory is bounded by the file.
  if (all > static_cast<int64_t>(bytes.size())) return reader.error("too few sums");
  const int64_t greatest = bucket.count << (2 * LayerStatistics::kBits);
  for (int64_t i = 0; i < all; ++i) {
    int64_t value = 0;
    if (!take_integer(bytes, value) || value > greatest || value < -greatest) {
      return reader.error("a sum that cannot be");
    }
    (i < sums ? bucket.sums : bucket.products).push_back(value);
  }
  if (!bytes.empty()) return reader.error("too many sums");
  if (!buckets.emplace(exponent, std::move(bucket)).second) {
    return reader.error("an exponent that was there already");
  }
  return {};
}

}  // namespace

std::string Statistics::to_text() const {
  std::string out = cat(kHeader, "\nfingerprint ", fingerprint, "\nsamples ", samples,
                        "\ndata_free ", data_free ? 1 : 0, "\n");
  out += "digests";
  for (uint64_t digest : digests) out += " " + hex_digits(digest);
  out += cat("\nblocks ", tensors.size(), " ", channels.size(), " ", layers.size(), "\n");
  for (const auto& [name, tensor] : tensors) {
    out += cat("tensor ", escape(name), " ", tensor.samples, " ", tensor.elements, " ",
               hex_float(tensor.min), " ", hex_float(tensor.max), "\n");
    write_sum(out, "sum_min", tensor.sum_of_sample_min);
    write_sum(out, "sum_max", tensor.sum_of_sample_max);
    if (!tensor.histogram) continue;
    out += cat("histogram ", tensor.histogram->exponent());
    const auto counts = tensor.histogram->counts();
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] != 0) out += cat(" ", i, ":", counts[i]);
    }
    out += '\n';
  }
  write_second_order(out, *this);
  return out + "end\n";
}

Result<Statistics> Statistics::from_text(std::string_view text) {
  Reader reader(text);
  if (!reader.next_line() || reader.line() != kHeader) {
    return usage_error("not a statistics file of this version (its first line must be \"", kHeader,
                       "\")");
  }
  Statistics out;
  int data_free = 0;
  if (!reader.next_line() || reader.word() != "fingerprint") {
    return reader.error("expected fingerprint");
  }
  out.fingerprint = std::string(reader.word());
  if (!reader.next_line() || reader.word() != "samples" || !reader.number(out.samples) ||
      out.samples < 0) {
    return reader.error("expected samples");
  }
  if (!reader.next_line() || reader.word() != "data_free" || !reader.number(data_free)) {
    return reader.error("expected data_free");
  }
  out.data_free = data_free != 0;
  OCTET_ASSIGN(out.digests, read_digests(reader));
  if (out.digests.size() != static_cast<size_t>(out.samples)) {
    return usage_error("the file says ", out.samples, " samples and has the digests of ",
                       out.digests.size(), ": it was changed by hand or damaged; calibrate again");
  }
  Blocks blocks;
  OCTET_TRY(blocks.read(reader));
  TensorStatistics* current = nullptr;
  LayerStatistics* layer = nullptr;
  while (reader.next_line()) {
    const std::string_view key = reader.word();
    if (key == "end") {
      OCTET_TRY(blocks.check(out));
      return out;
    }
    if (key == "tensor") {
      OCTET_ASSIGN(const std::string name, unescape(reader.word(), reader));
      OCTET_ASSIGN(TensorStatistics tensor, read_tensor(reader));
      current = &out.tensors.insert_or_assign(name, std::move(tensor)).first->second;
    } else if (key == "histogram" && current != nullptr) {
      OCTET_ASSIGN(current->histogram, read_histogram(reader));
    } else if (key == "channels") {
      OCTET_ASSIGN(const std::string name, unescape(reader.word(), reader));
      OCTET_ASSIGN(out.channels[name], read_channels(reader));
    } else if (key == "layer") {
      OCTET_ASSIGN(const std::string name, unescape(reader.word(), reader));
      OCTET_ASSIGN(LayerStatistics read, read_layer(reader));
      layer = &out.layers.insert_or_assign(name, std::move(read)).first->second;
    } else if ((key == "fit" || key == "apart") && layer != nullptr) {
      OCTET_TRY(read_bucket(reader, *layer, key == "fit" ? layer->fit : layer->apart));
    } else {
      return reader.error("expected tensor, histogram, channels, layer or end");
    }
  }
  return reader.error("the file is cut short");
}

}  // namespace octet::calibration
