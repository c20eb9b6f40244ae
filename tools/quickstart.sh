#!/usr/bin/env bash
# Sets up, builds the product, and does its main job on a model of models/: quantizes it and prints
# float and int8 accuracy, size and time.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/setup/install_packages.sh build
cmake --preset release > /dev/null
cmake --build build/release --target octet

octet=build/release/octet
model=models/digits_depthwise
out=build/quickstart
mkdir -p "$out"

echo
echo "== quantize $model/model.onnx"
"$octet" quantize "$model/model.onnx" -o "$out/digits_depthwise.int8.onnx" \
  --data "$model/calibration.npy"
echo
echo "== accuracy, float and int8, on $model/evaluation.npy"
"$octet" compare "$model/model.onnx" "$out/digits_depthwise.int8.onnx" \
  --data "$model/evaluation.npy" --labels "$model/evaluation_labels.npy"
