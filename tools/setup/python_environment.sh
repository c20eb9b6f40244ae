#!/usr/bin/env bash
# Makes the virtual environment of the oracles (ONNX's node tests, ONNX Runtime) in build/venv, once
# per version of tests/requirements.txt. Prints the path of its python.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=build/venv
wanted=$(sha256sum tests/requirements.txt)
if [ ! -x "$venv/bin/python" ] || [ "$(cat "$venv/requirements.sha256" 2>/dev/null)" != "$wanted" ]; then
  echo "installing the test oracles of tests/requirements.txt into $venv" >&2
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/requirements.txt >&2
  echo "$wanted" > "$venv/requirements.sha256"
fi
echo "$PWD/$venv/bin/python"
