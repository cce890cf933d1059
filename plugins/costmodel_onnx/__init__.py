"""The frontend of ONNX files."""
