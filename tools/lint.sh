#!/usr/bin/env bash
# Format and lint of every source: tools/lint.sh BUILD_FOLDER. clang-tidy's verdict on a file is kept
# in the build folder and reused while the file and its headers stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1

mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.cc' '*.h' | sort)
clang-format --dry-run -Werror "${sources[@]}"
echo "format: ${#sources[@]} files as .clang-format has them"

mapfile -t compiled < <(git ls-files --cached --others --exclude-standard \
  'compiler/*.cc' 'passes/*.cc' 'patterns/*.cc' 'backends/*.cc' 'tools/*.cc' | sort)
printf '%s\n' "${compiled[@]}" | xargs -P "$(nproc)" -n 4 tools/setup/tidy_files.sh "$build"
echo "lint: ${#compiled[@]} files pass .clang-tidy"
