#include "tools/octet/command_line.h"

int main(int argc, char** argv) { return octet::tools::run_command_line(argc, argv); }
