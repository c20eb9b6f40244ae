#include "tools/octet/command_line.h"

#include <exception>
#include <iostream>
#include <new>
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/base/files.h"
#include "compiler/base/log.h"
#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"
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

bool is_option(std::string_view argument) {
  return argument.size() > 1 && argument[0] == '-' && !(argument[1] >= '0' && argument[1] <= '9');
}

// An unset variable of a script must not switch off what it was to set.
std::string refuse_empty(const std::string& text) {
  return text.empty() ? "the value is empty; give one, or leave the option out" : "";
}

void refuse_empty_values(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    for (CLI::Option* option : verb->get_options()) {
      if (option->nonpositional() && option->get_type_size() > 0) {
        option->check(CLI::Validator(refuse_empty, ""));
      }
    }
  }
}

// What the parser's own message leaves out: which verb or option is not known, and the nearest.
std::optional<Error> unknown_name(CLI::App& app, int argc, char** argv) {
  if (argc < 2 || is_option(argv[1])) return std::nullopt;
  std::vector<std::string> names;
  const CLI::App* verb = nullptr;
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(each->get_name());
    if (names.back() == argv[1]) verb = each;
  }
  if (verb == nullptr) {
    return usage_error("unknown verb ", quote_name(argv[1]), name_hint(argv[1], names),
                       " (octet --help lists all)");
  }
  names.clear();
  for (const CLI::Option* option : verb->get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (int i = 2; i < argc; ++i) {
    const std::string argument(argv[i]);
    const std::string name = argument.substr(0, argument.find('='));
    if (name == "--") break;
    // A short option may have its value behind it: -ofile.
    if (!is_option(name) || verb->get_option_no_throw(name) != nullptr) continue;
    if (name[1] != '-' && verb->get_option_no_throw(name.substr(0, 2)) != nullptr) continue;
    return usage_error("unknown option ", quote_name(name), name_hint(name, names), " (octet ",
                       verb->get_name(), " --help lists all)");
  }
  return std::nullopt;
}

// Where to read on: the help of the verb that was given, if one was.
std::string verb_help(const CLI::App& app, int argc, char** argv) {
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (argc > 1 && verb->get_name() == argv[1]) return cat("octet ", argv[1], " --help");
  }
  return "octet --help";
}

// What went to stdout may not have arrived: a full disk, a closed pipe.
int written() {
  if (!std::cout.flush()) return report(io_error("standard output could not be written"));
  return kDone;
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
  refuse_empty_values(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app.exit(error);
      return written();
    }
    if (const auto unknown = unknown_name(app, argc, argv)) return report(*unknown);
    std::string message = error.what();
    for (char& c : message) c = c == '\n' ? ' ' : c;
    const std::string help = verb_help(app, argc, argv);
    return report(usage_error(message, "; ", help, " lists what there is"));
  }
  set_log_level(invocation.quiet     ? LogLevel::kQuiet
                : invocation.verbose ? LogLevel::kVerbose
                                     : LogLevel::kNormal);
  const Status status = invocation.action();
  if (!status.ok()) return report(status.error());
  return written();
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
