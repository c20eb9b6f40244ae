// --arithmetic: what integer operators compute with.
#include <string_view>

#include "tests/support/refusals.h"

namespace octet {
namespace {

using test::file_bytes;
using test::run_octet;

class Arithmetic : public test::Refusals {
 protected:
  // The outputs of a quantized model as bytes of a file.
  std::string outputs(const std::string& model, const std::vector<std::string>& more) const {
    const std::string path = folder_.path("outputs.npz");
    std::vector<std::string> arguments = {"run", model, "--data", data(), "-q", "-o", path};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto run = run_octet(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return file_bytes(path);
  }
};

TEST_F(Arithmetic, ChangesWhatIsComputed) {
  const std::string quantized = folder_.path("model.int8.onnx");
  ASSERT_EQ(
      run_octet({"quantize", model(), "--data", data(), "-q", "--backend", "x86", "-o", quantized})
          .exit_code,
      0);
  const std::string exact = outputs(quantized, {});
  EXPECT_EQ(outputs(quantized, {"--arithmetic", "exact"}), exact);
  for (const char* name : {"saturating-pairs", "neon", "fixed-point"}) {
    const std::string found = outputs(quantized, {"--arithmetic", name});
    // NEON kernels differ in additions and products only; this model has none.
    EXPECT_EQ(found == exact, name == std::string_view("neon")) << name;
    EXPECT_EQ(outputs(quantized, {"--arithmetic", name, "--reference"}), found)
        << name << ": reference evaluation agrees to the bit";
  }
  const auto compared = run_octet({"compare", model(), quantized, "--data", data(), "-q",
                                   "--arithmetic", "fixed-point", "--min-sqnr", "20"});
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
}

TEST_F(Arithmetic, UnknownNameIsAnsweredWithTheNames) {
  refused(2, {"run", model(), "--data", data(), "-q", "--arithmetic", "arm"},
          {"\"arm\"", "saturating-pairs", "fixed-point"});
  refused(2, {"compare", model(), model(), "--data", data(), "-q", "--arithmetic", "arm"},
          {"\"arm\"", "fixed-point"});
}

}  // namespace
}  // namespace octet
