"""Write every network of `tests/keras2_networks.py` as Keras 2 writes it.

Needs tf_keras: PYTHONPATH=tests python tests/keras/samples/make.py
"""

from __future__ import annotations

from pathlib import Path

import tf_keras
from keras2_networks import NETWORKS

for name, build in NETWORKS.items():
    text = build(tf_keras).to_json()
    (Path(__file__).parent / f"keras2.{name}.json").write_text(text + "\n")
