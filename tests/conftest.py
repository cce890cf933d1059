"""Worlds that the tests share."""

from __future__ import annotations

import os

# Keep TensorFlow's start-up notes out of the tests' output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
