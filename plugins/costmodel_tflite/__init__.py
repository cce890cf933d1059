"""The frontend of TFLite files."""
