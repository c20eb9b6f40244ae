// Errors as values. Every function of Octet that can fail for a reason outside the program (a bad
// model, bad data, a full disk) returns Result<T>; no exception crosses a function of ours.
#pragma once

#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace octet {

// The value is the exit code of the process; see docs/errors.md.
enum class ErrorCode : int {
  kUsage = 2,
  kMalformed = 3,
  kUnsupported = 4,
  kResourceLimit = 5,
  kIo = 6,
  kAccuracyGate = 7,
  kBadData = 8,
  kInternal = 70,
};

// "a", 5, "b" -> "a5b". Floating point numbers print with enough digits to be read back.
template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(9);
  (out << ... << parts);
  return std::move(out).str();
}

// One line: innermost message, with the contexts it passed through in front of it.
class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // Returns this error with "context: " in front of its message.
  Error in(std::string_view context) const { return {code_, cat(context, ": ", message_)}; }

 private:
  ErrorCode code_;
  std::string message_;
};

template <typename... Parts>
Error usage_error(const Parts&... parts) {
  return {ErrorCode::kUsage, cat(parts...)};
}
template <typename... Parts>
Error malformed(const Parts&... parts) {
  return {ErrorCode::kMalformed, cat(parts...)};
}
template <typename... Parts>
Error unsupported(const Parts&... parts) {
  return {ErrorCode::kUnsupported, cat(parts...)};
}
template <typename... Parts>
Error resource_limit(const Parts&... parts) {
  return {ErrorCode::kResourceLimit, cat(parts...)};
}
template <typename... Parts>
Error io_error(const Parts&... parts) {
  return {ErrorCode::kIo, cat(parts...)};
}
template <typename... Parts>
Error bad_data(const Parts&... parts) {
  return {ErrorCode::kBadData, cat(parts...)};
}
template <typename... Parts>
Error internal_error(const Parts&... parts) {
  return {ErrorCode::kInternal, cat(parts...)};
}

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }

  const T& value() const& { return std::get<T>(state_); }
  T& value() & { return std::get<T>(state_); }
  T&& value() && { return std::get<T>(std::move(state_)); }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  const Error& error() const { return std::get<Error>(state_); }

  // The same result, an error in it with "context: " in front.
  Result in(std::string_view context) && {
    if (ok()) return std::move(*this);
    return error().in(context);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }

  Result in(std::string_view context) && {
    if (ok()) return {};
    return error().in(context);
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace octet

#define OCTET_CONCAT_(a, b) a##b
#define OCTET_CONCAT(a, b) OCTET_CONCAT_(a, b)

// Returns the error of `expr` from the enclosing function, if there is one.
#define OCTET_TRY(expr)                               \
  do {                                                \
    if (auto octet_try_ = (expr); !octet_try_.ok()) { \
      return octet_try_.error();                      \
    }                                                 \
  } while (false)

// OCTET_ASSIGN(auto x, f()): declares or assigns x from the value of f(), or returns its error.
#define OCTET_ASSIGN(target, expr) \
  OCTET_ASSIGN_(OCTET_CONCAT(octet_result_, __LINE__), target, expr)
#define OCTET_ASSIGN_(result, target, expr) \
  auto result = (expr);                     \
  if (!result.ok()) return result.error();  \
  target = std::move(result).value()
