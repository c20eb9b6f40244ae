#!/usr/bin/env bash
# Sets up, builds with tests, and passes them: unit, golden and conformance tests, then format and
# lint.  tools/test.sh [--asan]  runs the tests under AddressSanitizer and UBSan instead.
#
# OCTET_SHARED names a folder with the measuring corpus; tests that need it are skipped by name
# where it is absent.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=dev
case "${1:-}" in
  "") ;;
  --asan) preset=asan ;;
  *) echo "usage: tools/test.sh [--asan]" >&2; exit 2 ;;
esac

tools/setup/install_packages.sh build test
OCTET_PYTHON=$(tools/setup/python_environment.sh)
export OCTET_PYTHON
OCTET_ONNX_TESTS=$("$OCTET_PYTHON" -c 'import onnx, os; print(os.path.join(os.path.dirname(onnx.__file__), "backend/test/data"))')
export OCTET_ONNX_TESTS
if [ -z "${OCTET_SHARED:-}" ] && [ -d ../shared/corpus ]; then
  OCTET_SHARED=$(cd ../shared && pwd)
  export OCTET_SHARED
fi

cmake --preset "$preset" > /dev/null
cmake --build "build/$preset"
# A leak report of the sanitizers is an error; oneDNN keeps its caches on purpose.
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export LSAN_OPTIONS=suppressions=$PWD/tests/support/leaks.supp
export UBSAN_OPTIONS=print_stacktrace=1
ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)"

if [ "$preset" = dev ]; then
  tools/lint.sh build/dev
fi
