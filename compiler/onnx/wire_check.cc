#include "compiler/onnx/wire_check.h"

#include <optional>
#include <vector>

namespace octet::onnx {
namespace {

constexpr uint32_t kVarintWire = 0;
constexpr uint32_t kFixed64Wire = 1;
constexpr uint32_t kLengthWire = 2;
constexpr uint32_t kFixed32Wire = 5;

// Well-formed UTF-8 after the Unicode standard, table 3-7: no overlong forms, no surrogates.
bool is_utf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<uint8_t>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    size_t extra = 0;
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      extra = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      extra = 2;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      extra = 3;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    if (text.size() - i <= extra) return false;
    for (size_t k = 1; k <= extra; ++k) {
      const auto byte = static_cast<uint8_t>(text[i + k]);
      if (byte < low || byte > high) return false;
      low = 0x80;
      high = 0xBF;
    }
    i += extra + 1;
  }
  return true;
}

// Whether a field of this kind may come in this wire type; repeated numbers may also be packed.
bool fits(const WireField& field, uint32_t wire) {
  const bool packed = field.count == WireCount::kMany && wire == kLengthWire;
  switch (field.kind) {
    case WireKind::kVarint:
      return wire == kVarintWire || packed;
    case WireKind::kFixed32:
      return wire == kFixed32Wire || packed;
    case WireKind::kFixed64:
      return wire == kFixed64Wire || packed;
    default:
      return wire == kLengthWire;
  }
}

class Walk {
 public:
  Walk(std::string_view bytes, const WireLimits& limits) : bytes_(bytes), limits_(limits) {}

  Status run(WireMessage root) {
    open_.push_back({bytes_.size(), root, 0});
    while (!open_.empty()) {
      if (at_ == open_.back().end) {
        open_.pop_back();
      } else {
        OCTET_TRY(field());
      }
    }
    return {};
  }

 private:
  struct Open {
    size_t end;
    WireMessage message;
    uint32_t seen;  // singular fields met, by number
  };

  template <typename... Parts>
  Error wrong(size_t offset, const Parts&... parts) const {
    return malformed("byte ", offset, " (", wire_message_name(open_.back().message),
                     "): ", parts...);
  }

  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (at_ >= open_.back().end) return std::nullopt;
      const auto byte = static_cast<uint8_t>(bytes_[at_++]);
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  Status field() {
    const size_t start = at_;
    const auto tag = varint();
    if (!tag) return wrong(start, "a field tag is cut short or longer than 10 bytes");
    const uint64_t number = *tag >> 3;
    const auto wire = static_cast<uint32_t>(*tag & 7);
    if (number == 0 || number > 0x1FFFFFFF) return wrong(start, "field number ", number);
    const WireField* known = nullptr;
    for (const WireField& f : wire_fields(open_.back().message)) {
      if (f.number == number) known = &f;
    }
    if (known != nullptr) OCTET_TRY(check_known(*known, wire, start));
    return value(number, wire, known, start);
  }

  Status check_known(const WireField& field, uint32_t wire, size_t start) {
    if (!fits(field, wire)) {
      return wrong(start, "field ", field.number, " has wire type ", wire);
    }
    if (field.count == WireCount::kMany) return {};
    const uint32_t bit = 1U << field.number;
    if ((open_.back().seen & bit) != 0) {
      return wrong(start, "field ", field.number, " is given twice");
    }
    open_.back().seen |= bit;
    return {};
  }

  Status value(uint64_t number, uint32_t wire, const WireField* known, size_t start) {
    if (wire == kVarintWire) {
      if (!varint()) return wrong(start, "field ", number, ": a number is cut short or too long");
      return {};
    }
    if (wire == kFixed32Wire) return skip(4, number, start);
    if (wire == kFixed64Wire) return skip(8, number, start);
    if (wire != kLengthWire) return wrong(start, "field ", number, " has wire type ", wire);
    const auto length = varint();
    if (!length) return wrong(start, "field ", number, ": its length is cut short or too long");
    const size_t rest = open_.back().end - at_;
    if (*length > rest) {
      return wrong(start, "field ", number, " claims ", *length, " bytes, ", rest, " are left");
    }
    return content(static_cast<size_t>(*length), known, start);
  }

  Status skip(size_t size, uint64_t number, size_t start) {
    if (open_.back().end - at_ < size) return wrong(start, "field ", number, " is cut short");
    at_ += size;
    return {};
  }

  Status content(size_t length, const WireField* known, size_t start) {
    const WireKind kind = known == nullptr ? WireKind::kOther : known->kind;
    if (kind == WireKind::kText || kind == WireKind::kBytes || kind == WireKind::kMessage ||
        kind == WireKind::kOther) {
      OCTET_TRY(count_item());
    }
    if (kind == WireKind::kMessage) return enter(length, known->child, start);
    if (kind == WireKind::kText && !is_utf8(bytes_.substr(at_, length))) {
      return wrong(start, "field ", known->number, " is not valid UTF-8");
    }
    at_ += length;
    return {};
  }

  Status count_item() {
    if (++items_ > limits_.max_items) {
      return resource_limit("more than ", limits_.max_items, " messages and strings in the model");
    }
    return {};
  }

  Status enter(size_t length, WireMessage child, size_t start) {
    if (child == WireMessage::kNode && ++nodes_ > limits_.max_nodes) {
      return resource_limit("more than ", limits_.max_nodes, " nodes in the model");
    }
    if (static_cast<int64_t>(open_.size()) >= limits_.max_depth) {
      return wrong(start, "messages nested more than ", limits_.max_depth, " deep");
    }
    open_.push_back({at_ + length, child, 0});
    return {};
  }

  std::string_view bytes_;
  const WireLimits& limits_;
  std::vector<Open> open_;
  size_t at_ = 0;
  int64_t items_ = 0;
  int64_t nodes_ = 0;
};

}  // namespace

Status check_wire(std::string_view bytes, WireMessage root, const WireLimits& limits) {
  return Walk(bytes, limits).run(root);
}

}  // namespace octet::onnx
