# octet_embed(<target> <namespace> <function> <glob>...): the text files that match become string
# literals of the target, read through `std::span<const octet::EmbeddedFile> namespace::function()`
# (compiler/base/embedded_file.h), sorted by path.
if(CMAKE_SCRIPT_MODE_FILE)
  # cmake -DROOT= -DOUTPUT= -DNAMESPACE= -DFUNCTION= -DFILES=a|b -P embed.cmake writes the source.
  set(entries "")
  string(REPLACE "|" ";" FILES "${FILES}")
  foreach(path IN LISTS FILES)
    file(READ ${ROOT}/${path} text)
    # A literal of 16 KiB or less is taken by every compiler.
    string(LENGTH "${text}" size)
    if(size GREATER 16000)
      message(FATAL_ERROR "${path}: ${size} bytes; split the file")
    endif()
    string(APPEND entries "    {\"${path}\", R\"octet(${text})octet\"},\n")
  endforeach()
  file(WRITE ${OUTPUT} "#include \"compiler/base/embedded_file.h\"

#include <array>

namespace ${NAMESPACE} {

std::span<const octet::EmbeddedFile> ${FUNCTION}() {
  static constexpr auto kFiles = std::to_array<octet::EmbeddedFile>({
${entries}  });
  return kFiles;
}

}  // namespace ${NAMESPACE}
")
  return()
endif()

set(OCTET_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(octet_embed target namespace function)
  file(GLOB_RECURSE files RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${ARGN})
  list(SORT files)
  string(REPLACE ";" "|" list "${files}")
  list(TRANSFORM files PREPEND ${PROJECT_SOURCE_DIR}/)
  set(output ${PROJECT_BINARY_DIR}/generated/${target}_${function}.cc)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -DOUTPUT=${output}
      -DNAMESPACE=${namespace} -DFUNCTION=${function} -DFILES=${list} -P ${OCTET_EMBED_SCRIPT}
    DEPENDS ${files} ${OCTET_EMBED_SCRIPT} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
