# cmake -DROOT=<repository> -DOUTPUT=<file.cc> -DFILES=<paths below ROOT> -P embed_rules.cmake
# Writes a source file in which every rule file is a string literal.
set(entries "")
string(REPLACE "|" ";" FILES "${FILES}")
foreach(path IN LISTS FILES)
  file(READ ${ROOT}/${path} text)
  # A literal of 16 KiB or less is taken by every compiler.
  string(LENGTH "${text}" size)
  if(size GREATER 16000)
    message(FATAL_ERROR "${path}: ${size} bytes; split the file, a rule is a file")
  endif()
  string(APPEND entries "    {\"${path}\", R\"octet(${text})octet\"},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"patterns/embedded.h\"

#include <array>

namespace octet::patterns {
namespace {
const auto kFiles = std::to_array<EmbeddedFile>({
${entries}});
}  // namespace

std::span<const EmbeddedFile> embedded_rule_files() { return kFiles; }

}  // namespace octet::patterns
")
