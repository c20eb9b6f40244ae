// The command line as a whole: parses, runs one verb, prints the error, returns the exit code.
#pragma once

namespace octet::tools {

int run_command_line(int argc, char** argv);

}  // namespace octet::tools
