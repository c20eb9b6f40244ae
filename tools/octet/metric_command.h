// A command of the user's that says how good a model file is.
#pragma once

#include <chrono>
#include <string>

#include "compiler/base/result.h"

namespace octet::tools {

// Runs `command` in /bin/sh with `{}` in it replaced by the quoted path, or the path behind it
// where there is no `{}`; the last word it prints on stdout has to be a finite number. Its input is
// empty, its stderr is kept for the message. kUsage, one line that begins with --metric-command,
// where it cannot be started, ends with another status than 0 or prints no number last;
// kResourceLimit where it is not done in time, after ending it with all it started in its group.
Result<double> run_metric_command(const std::string& command, const std::string& model_path,
                                  std::chrono::milliseconds time_limit);

}  // namespace octet::tools
