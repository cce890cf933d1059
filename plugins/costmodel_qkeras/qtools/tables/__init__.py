"""The energy laws of QTools' processes."""
