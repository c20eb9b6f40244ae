#include "compiler/calibration/fingerprint.h"

#include <openssl/evp.h>

#include <array>
#include <memory>

#include "compiler/ir/print.h"

namespace octet::calibration {
namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void add(const void* data, size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (unsigned int i = 0; i < size; ++i) {
      out += kDigits[digest[i] >> 4];
      out += kDigits[digest[i] & 15];
    }
    return out;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string fingerprint(const ir::Graph& graph) {
  Sha256 hash;
  const std::string text = ir::print(graph, {ir::ConstantText::kSummary});
  hash.add(text.data(), text.size());
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(ir::ValueId(i));
    if (!value.alive || !value.is_constant()) continue;
    hash.add(value.name.data(), value.name.size());
    hash.add(value.constant->bytes().data(), value.constant->bytes().size());
  }
  return hash.hex();
}

}  // namespace octet::calibration
