// The node tests of the ONNX project and its sets simple, pytorch-converted and pytorch-operator,
// run by reference evaluation. The environment variable OCTET_ONNX_TESTS names their folder:
// onnx/backend/test/data of the installed Python package.
//
// A case passes, is refused (exit code 4: an operator, version or type that Octet does not run), or
// is wrong. Wrong ones fail the test. Refused ones must be in node_tests_refused.txt with a reason,
// and what stands there must be refused. A line there that begins with '!' names a case whose
// expected output contradicts the operator's text and ONNX Runtime, or is one of many that the text
// allows; it must stay different. One that begins with '~' relaxes the absolute tolerance.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/tensor_io.h"
#include "compiler/ops/schema.h"
#include "tests/support/reference_executor.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

// Those of ONNX's own runner (onnx/backend/test/case/test_case.py).
struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-7;
};
constexpr Tolerance kStandard = {};
constexpr Tolerance kRelaxed = {1e-3, 1e-6};
constexpr Tolerance kOfRuntimes = {1e-4, 1e-5};

enum class Verdict { kPassed, kRefused, kWrong };

struct Outcome {
  Verdict verdict = Verdict::kPassed;
  std::string reason;
  std::string op;  // of a model with operators of one kind; else "(several)"
};

bool close(double found, double expected, const Tolerance& tolerance) {
  if (std::isnan(expected) || std::isnan(found)) return std::isnan(expected) && std::isnan(found);
  if (std::isinf(expected) || std::isinf(found)) return found == expected;
  return std::abs(found - expected) <= tolerance.absolute + tolerance.relative * std::abs(expected);
}

Status compare_elements(const ir::Tensor& found, const ir::Tensor& expected,
                        const Tolerance& tolerance) {
  const bool real = numerics::is_floating_point(expected.dtype());
  for (int64_t i = 0; i < expected.element_count(); ++i) {
    if (real && close(found.at_as_double(i), expected.at_as_double(i), tolerance)) continue;
    if (!real && found.at_as_int64(i) == expected.at_as_int64(i)) continue;
    return malformed("element ", i, " of ", expected.element_count(), " is ", found.at_as_double(i),
                     ", not ", expected.at_as_double(i));
  }
  return {};
}

Status compare(const ir::Tensor& found, const ir::Tensor& expected, const Tolerance& tolerance) {
  if (found.dtype() != expected.dtype() || found.shape() != expected.shape()) {
    return malformed("is ", found.type().to_string(), ", not ", expected.type().to_string());
  }
  switch (expected.dtype()) {
    case numerics::DType::kString:
      if (found.strings() != expected.strings()) return malformed("strings differ");
      return {};
    case numerics::DType::kComplex64:
    case numerics::DType::kComplex128:
      if (!(found == expected)) return malformed("complex numbers differ");
      return {};
    default:
      return compare_elements(found, expected, tolerance);
  }
}

std::vector<fs::path> numbered_files(const fs::path& folder, const std::string& stem) {
  std::vector<fs::path> files;
  for (int i = 0; fs::exists(folder / cat(stem, "_", i, ".pb")); ++i) {
    files.push_back(folder / cat(stem, "_", i, ".pb"));
  }
  return files;
}

Result<std::vector<ir::Tensor>> read_tensors(const std::vector<fs::path>& files) {
  std::vector<ir::Tensor> tensors;
  for (const fs::path& file : files) {
    OCTET_ASSIGN(const std::string bytes, read_file(file.string()));
    OCTET_ASSIGN(ir::Tensor tensor, onnx::import_tensor_bytes(bytes).in(file.filename().string()));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// A graph input or output that is a sequence, an optional or a map; empty when all are tensors.
std::string non_tensor(const ir::Graph& graph) {
  for (const auto& ids : {graph.inputs(), graph.outputs()}) {
    for (ir::ValueId id : ids) {
      const ir::Value& value = graph.value(id);
      if (value.type.storage == numerics::DType::kUndefined) return value.name;
    }
  }
  return {};
}

Status run_graph(const ir::Graph& graph, const fs::path& data, const Tolerance& tolerance) {
  const std::string other = non_tensor(graph);
  if (!other.empty()) return unsupported("value ", quote_name(other), " is no tensor");
  OCTET_ASSIGN(const auto inputs, read_tensors(numbered_files(data, "input")));
  OCTET_ASSIGN(const auto expected, read_tensors(numbered_files(data, "output")));
  OCTET_ASSIGN(const auto found, testing_support::execute_reference(graph, inputs));
  if (found.size() != expected.size()) {
    return malformed(found.size(), " outputs, not ", expected.size());
  }
  for (size_t i = 0; i < found.size(); ++i) {
    OCTET_TRY(compare(found[i], expected[i], tolerance).in(cat("output ", i)));
  }
  return {};
}

Outcome outcome_of(const Status& status, std::string op) {
  if (status.ok()) return {Verdict::kPassed, "", std::move(op)};
  const bool refused = status.error().code() == ErrorCode::kUnsupported;
  return {refused ? Verdict::kRefused : Verdict::kWrong, status.error().message(), std::move(op)};
}

Outcome run_case(const fs::path& folder, const Tolerance& tolerance) {
  auto graph = onnx::import_model((folder / "model.onnx").string());
  if (!graph.ok()) return outcome_of(graph.error(), "(import)");
  std::set<std::string> names;
  for (ir::NodeId id : graph->order()) {
    const ir::Node& node = graph->node(id);
    names.insert(cat(node.domain, node.domain.empty() ? "" : ".", node.op_type));
  }
  const std::string op = names.size() == 1 ? *names.begin() : "(several)";
  for (int i = 0; fs::exists(folder / cat("test_data_set_", i)); ++i) {
    const Status status = run_graph(*graph, folder / cat("test_data_set_", i), tolerance);
    if (!status.ok()) return outcome_of(status, op);
  }
  return {Verdict::kPassed, "", op};
}

struct Exception {
  std::string pattern;
  std::string reason;
  Verdict verdict = Verdict::kRefused;  // kWrong for lines with '!', kPassed for those with '~'
  bool used = false;
};

Verdict verdict_of(char mark) {
  if (mark == '!') return Verdict::kWrong;
  return mark == '~' ? Verdict::kPassed : Verdict::kRefused;
}

// Lines of a name or glob, blanks, and the reason; '#' starts a comment.
std::vector<Exception> read_exceptions(const std::string& name) {
  std::ifstream file(fs::path(OCTET_SOURCE_DIR) / "tests/conformance" / name);
  std::vector<Exception> exceptions;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const Verdict verdict = verdict_of(line[0]);
    const size_t start = verdict == Verdict::kRefused ? 0 : 1;
    const size_t space = line.find(' ');
    const size_t reason = line.find_first_not_of(' ', space);
    EXPECT_NE(reason, std::string::npos) << "no reason: " << line;
    exceptions.push_back(
        {line.substr(start, space - start), line.substr(std::min(reason, line.size())), verdict});
  }
  return exceptions;
}

struct Counts {
  int passed = 0;
  int refused = 0;
  int differ = 0;  // as listed
  int wrong = 0;

  int all() const { return passed + refused + differ + wrong; }
};

void count(const Outcome& outcome, bool listed, Counts& counts) {
  counts.passed += outcome.verdict == Verdict::kPassed ? 1 : 0;
  counts.refused += outcome.verdict == Verdict::kRefused ? 1 : 0;
  counts.differ += outcome.verdict == Verdict::kWrong && listed ? 1 : 0;
  counts.wrong += outcome.verdict == Verdict::kWrong && !listed ? 1 : 0;
}

void print(const std::map<std::string, Counts>& by_operator, const Counts& total) {
  const auto line = [](const std::string& name, const Counts& counts) {
    std::cout << std::left << std::setw(40) << name << std::right << std::setw(6) << counts.passed
              << std::setw(8) << counts.refused << std::setw(7) << counts.differ << std::setw(6)
              << counts.wrong << "\n";
  };
  std::cout << "operator                                passed refused differ wrong\n";
  for (const auto& [name, counts] : by_operator) line(name, counts);
  line("total", total);
}

// Whether the list says that the case ends as it did; notes entries that are met.
bool is_listed(const std::string& name, Verdict verdict, std::vector<Exception>& exceptions) {
  bool listed = false;
  for (Exception& exception : exceptions) {
    if (!glob_match(exception.pattern, name)) continue;
    listed = listed || exception.verdict == verdict;
    exception.used = true;
    if (verdict == Verdict::kPassed && exception.verdict != Verdict::kPassed) {
      ADD_FAILURE() << name << " is listed, but passes";
    }
  }
  return listed;
}

Tolerance tolerance_for(const std::string& name, const std::vector<Exception>& exceptions) {
  for (const Exception& exception : exceptions) {
    if (exception.verdict == Verdict::kPassed && glob_match(exception.pattern, name)) {
      return kRelaxed;
    }
  }
  return kStandard;
}

std::vector<fs::path> cases_of(const fs::path& set) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(set)) {
    if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

// One case, judged and counted.
void judge(const fs::path& folder, const std::string& name, const Tolerance& tolerance,
           std::vector<Exception>& exceptions, std::map<std::string, Counts>& by_operator,
           Counts& total) {
  const Outcome outcome = run_case(folder, tolerance);
  const bool listed = is_listed(name, outcome.verdict, exceptions);
  if (outcome.verdict == Verdict::kWrong && !listed) {
    ADD_FAILURE() << name << " is wrong: " << outcome.reason;
  }
  if (outcome.verdict == Verdict::kRefused && !listed) {
    ADD_FAILURE() << name << " is refused and not listed: " << outcome.reason;
  }
  count(outcome, listed, by_operator[outcome.op]);
  count(outcome, listed, total);
}

// Cases of sets other than "node" are listed as set/case.
Counts run_set(const fs::path& root, const std::string& set, std::vector<Exception>& exceptions) {
  std::map<std::string, Counts> by_operator;
  Counts total;
  for (const fs::path& folder : cases_of(root / set)) {
    const std::string name = cat(set == "node" ? "" : set + "/", folder.filename().string());
    judge(folder, name, tolerance_for(name, exceptions), exceptions, by_operator, total);
  }
  std::cout << set << "\n";
  print(by_operator, total);
  return total;
}

void expect_all_used(const std::vector<Exception>& exceptions) {
  for (const Exception& exception : exceptions) {
    EXPECT_TRUE(exception.used) << "no case is called " << exception.pattern;
  }
}

TEST(NodeTests, GiveTheExpectedOutputs) {
  const char* root = std::getenv("OCTET_ONNX_TESTS");
  if (root == nullptr) GTEST_SKIP() << "OCTET_ONNX_TESTS does not name the folder of ONNX's tests";
  std::vector<Exception> exceptions = read_exceptions("node_tests_refused.txt");
  const Counts node = run_set(root, "node", exceptions);
  EXPECT_EQ(node.all(), 1765);
  EXPECT_GE(node.passed, 1500);
  EXPECT_EQ(run_set(root, "simple", exceptions).all(), 23);
  EXPECT_EQ(run_set(root, "pytorch-converted", exceptions).passed, 82);
  EXPECT_EQ(run_set(root, "pytorch-operator", exceptions).passed, 35);
  expect_all_used(exceptions);
}

// Those that tests/oracle/onnxruntime_operators.py writes.
TEST(OperatorCases, AgreeWithOnnxRuntime) {
  const char* root = std::getenv("OCTET_OPERATOR_CASES");
  if (root == nullptr) GTEST_SKIP() << "OCTET_OPERATOR_CASES does not name a folder of cases";
  std::vector<Exception> exceptions = read_exceptions("onnxruntime_differs.txt");
  std::map<std::string, Counts> by_operator;
  Counts total;
  for (const fs::path& folder : cases_of(root)) {
    judge(folder, folder.filename().string(), kOfRuntimes, exceptions, by_operator, total);
  }
  print(by_operator, total);
  EXPECT_GT(total.passed, 3000);
  expect_all_used(exceptions);
}

}  // namespace
}  // namespace octet
