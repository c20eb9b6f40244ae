#!/usr/bin/env bash
# Installs the Debian packages that are missing, and says which. Arguments: "build" for what the
# product needs, "test" for what its tests need besides.
set -euo pipefail

# ocl-icd-opencl-dev: the CMake package of libdnnl-dev asks for OpenCL.
build=(cmake ninja-build g++ ccache pkg-config ocl-icd-opencl-dev
  libonnx-dev libprotobuf-dev protobuf-compiler libcli11-dev libspdlog-dev libdnnl-dev
  libjpeg-dev libpng-dev zlib1g-dev libssl-dev nlohmann-json3-dev)
test=(libgtest-dev libgmock-dev libbenchmark-dev clang-format clang-tidy python3 python3-venv git)

packages=()
for group in "$@"; do
  case "$group" in
    build) packages+=("${build[@]}") ;;
    test) packages+=("${test[@]}") ;;
    *) echo "install_packages.sh: unknown group $group" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' ||
    missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

echo "installing: ${missing[*]}"
root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "need root or sudo to install packages" >&2; exit 1; }
  root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${root[@]}" apt-get update -qq
"${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
