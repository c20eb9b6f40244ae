#!/usr/bin/env bash
# Runs one of the oracle scripts with the python of tools/test.sh; says SKIPPED without it.
set -euo pipefail
if [ -z "${OCTET_PYTHON:-}" ]; then
  echo "SKIPPED: OCTET_PYTHON is not set (tools/test.sh sets it)"
  exit 0
fi
script=$1
shift
exec "$OCTET_PYTHON" -B "$(dirname "$0")/$script" "$@"
