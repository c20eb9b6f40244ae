"""Random valid ONNX graphs, their runs in ONNX Runtime and in Octet, and the shrinking of those that differ."""
