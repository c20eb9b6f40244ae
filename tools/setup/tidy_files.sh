#!/usr/bin/env bash
# clang-tidy on the files given after the build folder, unless nothing they are made of has changed
# since it last passed.
set -euo pipefail
build=$1
shift
mkdir -p "$build/tidy"
failed=0
for file in "$@"; do
  headers=$(c++ -std=c++20 -MM -I. -Ibuild/dev/generated -I"$build/generated" "$file" 2>/dev/null |
    tr -d '\\\n' | cut -d: -f2) || headers=$file
  # shellcheck disable=SC2086
  key=$(cat .clang-tidy $headers | sha256sum | cut -d' ' -f1)
  mark="$build/tidy/$(echo "$file" | tr / _)"
  [ "$(cat "$mark" 2>/dev/null)" = "$key" ] && continue
  # The findings go to stdout; stderr only counts the warnings that were left out.
  if ! clang-tidy --quiet -p "$build" --extra-arg=-Wno-unknown-warning-option "$file" 2> /dev/null; then
    failed=1
    continue
  fi
  echo "$key" > "$mark"
done
exit $failed
