#include "tools/octet/command_line.h"

#include <exception>
#include <iostream>
#include <new>

#include "compiler/base/files.h"
#include "compiler/base/log.h"
#include "tools/octet/invocation.h"
#include "tools/octet/version.h"

namespace octet::tools {

#define OCTET_VERB(name) void add_##name(CLI::App& app, Invocation& invocation);
#include "tools/octet/verbs.def"
#undef OCTET_VERB

namespace {

constexpr int kDone = 0;

int report(const Error& error) {
  std::cerr << "octet: error: " << error.message() << '\n';
  return static_cast<int>(error.code());
}

int parse_and_run(int argc, char** argv) {
  CLI::App app{"Octet makes int8 ONNX models from float ones, for the hardware they will run on.",
               "octet"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("octet ") + kVersion);
  app.footer(
      "The main job:\n"
      "  octet quantize model.onnx --data photos/ --preprocess size=224x224,mean=127.5,std=127.5\n"
      "Help on a verb: octet quantize --help\n"
      "Exit codes: 0 done, 2 usage, 3 malformed model, 4 unsupported, 5 resource limit, 6 file\n"
      "  error, 7 accuracy gate missed, 8 unusable data, 70 a bug of Octet");
  Invocation invocation;
#define OCTET_VERB(name) add_##name(app, invocation);
#include "tools/octet/verbs.def"
#undef OCTET_VERB
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::string message = error.what();
    for (char& c : message) c = c == '\n' ? ' ' : c;
    return report(usage_error(message, "; octet --help lists the verbs and options"));
  }
  set_log_level(invocation.quiet     ? LogLevel::kQuiet
                : invocation.verbose ? LogLevel::kVerbose
                                     : LogLevel::kNormal);
  const Status status = invocation.action();
  return status.ok() ? kDone : report(status.error());
}

}  // namespace

int run_command_line(int argc, char** argv) {
  remove_temporaries_on_signal();
  try {
    return parse_and_run(argc, argv);
  } catch (const std::bad_alloc&) {
    return report(resource_limit("out of memory; try --max-memory with less, or fewer --threads"));
  } catch (const std::exception& error) {
    return report(internal_error("unexpected: ", error.what(), "; please report this as a bug"));
  }
}

}  // namespace octet::tools
