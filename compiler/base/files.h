// Files: read whole, written so that a crash or a full disk leaves the old file or the new one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/result.h"

namespace octet {

// The bytes of a regular file of at most `max_bytes`. Never blocks on a pipe or reads a device;
// the size comes from the open descriptor. Errors: kIo, kResourceLimit above `max_bytes`.
Result<std::string> read_file(const std::string& path, int64_t max_bytes = INT64_MAX);

// `length` bytes at `offset` of the regular file `location` beneath the folder `directory`;
// length -1 reads to the end. `location` must be a plain relative name: no "..", no absolute path,
// no symbolic link on the way, link count 1. Errors: kMalformed for a location that is not plain,
// a link or a range outside the file, kIo otherwise.
Result<std::string> read_contained(const std::string& directory, const std::string& location,
                                   int64_t offset, int64_t length);

// Writes a temporary file ".octet-*.tmp" beside `path`, syncs it, renames it over `path` and syncs
// the folder. On any error the temporary is removed and `path` is as it was. An existing file keeps
// its mode; a symbolic link stays and the file it leads to is replaced. Refuses folders, devices
// and files without write permission: kIo.
Status write_file_atomic(const std::string& path, std::string_view bytes);

// True when both paths name the same existing file (by device and inode).
bool same_file(const std::string& a, const std::string& b);

bool is_directory(const std::string& path);

// Names (not paths) of the regular files in a folder, and of links to such, sorted by bytes.
Result<std::vector<std::string>> list_files(const std::string& directory);

// Removes temporary files of writes under way when the process is ended by SIGINT, SIGTERM,
// SIGHUP or SIGPIPE (unless ignored already), and makes passing a file size limit an error instead
// of a signal. Called once by main.
void remove_temporaries_on_signal();

}  // namespace octet
