"""Write the language models among the networks: one step of a decoder, as llama.cpp runs it.

    pip install -e '.[keras]'
    python validation/make_decoders.py

A step takes `tokens` at once: one where a text is written, 512 where a prompt is read. It reads the
keys and values of all tokens so far, its own included, from the inputs of the block `cache`. The
rotation of positions is one multiplication with `angles`, as it is one kernel in llama.cpp. The
logits are those of the last token alone, which is all that llama.cpp computes of a prompt.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Final, NamedTuple

import keras
from keras import layers, ops
from keras.src.backend.common import global_state

FOLDER: Final = Path(__file__).parent / "costmodel_validation" / "networks"


class Decoder(NamedTuple):
    """What a model card states of a decoder."""

    width: int
    blocks: int
    heads: int
    groups: int
    """Heads of keys and values."""
    hidden: int
    vocabulary: int
    length: int = 128
    """Of a head."""
    has_bias: bool = False
    """Whether queries, keys and values have one."""


DECODERS: Final = {
    "llama_2_7b": Decoder(4096, 32, 32, 32, 11008, 32000),
    "llama_3_8b": Decoder(4096, 32, 32, 8, 14336, 128256),
    "llama_3_70b": Decoder(8192, 80, 64, 8, 28672, 128256),
    "qwen_2_5_coder_7b": Decoder(3584, 28, 28, 4, 18944, 152064, has_bias=True),
}
"""By the config.json of each model at Hugging Face: meta-llama/Llama-2-7b-hf,
meta-llama/Meta-Llama-3-8B and 70B, Qwen/Qwen2.5-Coder-7B."""


def model_of(name: str, of: Decoder) -> Any:
    """The Keras model of a decoder, with open numbers of tokens."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    angles = keras.Input((None, 1, of.length), name="angles")
    cache, written = [], []
    x = layers.Embedding(of.vocabulary, of.width, name="embedding")(tokens)
    for place in range(of.blocks):
        block = f"block_{place}"
        keys, values = [
            keras.Input((None, of.groups, of.length), name=f"cache_{what}_{place}")
            for what in ("keys", "values")
        ]
        cache += [keys, values]

        def product(
            x: Any, units: int, part: str, *, use_bias: bool = False, block: str = block
        ) -> Any:
            return layers.Dense(units, use_bias=use_bias, name=f"{block}_{part}")(x)

        def rotated(x: Any, heads: int, part: str, block: str = block) -> Any:
            x = layers.Reshape((-1, heads, of.length))(x)
            return layers.Multiply(name=f"{block}_rotate_{part}")([x, angles])

        normal = layers.RMSNormalization(name=f"{block}_norm")(x)
        query, key, value = [
            product(normal, heads * of.length, part, use_bias=of.has_bias)
            for heads, part in ((of.heads, "query"), (of.groups, "key"), (of.groups, "value"))
        ]
        query, key = rotated(query, of.heads, "query"), rotated(key, of.groups, "key")
        written += [key, value]
        query = layers.Reshape((-1, of.groups, of.heads // of.groups, of.length))(query)
        scores = ops.einsum("btkgd,bckd->bkgtc", query, keys)
        seen = ops.einsum("bkgtc,bckd->btkgd", layers.Softmax()(scores), values)
        seen = layers.Reshape((-1, of.heads * of.length))(seen)
        x = layers.Add()([x, product(seen, of.width, "output")])
        normal = layers.RMSNormalization(name=f"{block}_norm_2")(x)
        gate = layers.Activation("silu")(product(normal, of.hidden, "gate"))
        inner = layers.Multiply()([gate, product(normal, of.hidden, "up")])
        x = layers.Add()([x, product(inner, of.width, "down")])
    last = layers.RMSNormalization(name="norm")(x[:, -1:])
    logits = layers.Dense(of.vocabulary, use_bias=False, name="logits")(last)
    return keras.Model([tokens, angles, *cache], [logits, *written], name=name)


def _without_weights(name: str, of: Decoder) -> str:
    """The configuration; weights would take 282 GB, and so are never made."""
    with keras.StatelessScope():
        text: str = model_of(name, of).to_json()
        global_state.set_global_attribute("uninitialized_variables", [])
    return text


def main() -> None:
    """Write all of them."""
    for name, one in DECODERS.items():
        text = _without_weights(name, one)
        packed = gzip.compress(text.encode(), mtime=0)
        (FOLDER / f"{name}.json.gz").write_bytes(packed)
        print(name, len(text), len(packed))  # noqa: T201  # a script


if __name__ == "__main__":
    main()
