"""Files that are made to take all time or memory, each as the bytes of it.

`python hostile.py FOLDER NAME` writes one, sends it through its door, and prints the seconds of
processor time, the most bytes of memory, and the refusal, if it was one.
"""

from __future__ import annotations

import itertools
import json
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

QUOTED: Final = '"#"'
OWN_INPUT: Final = '{"name":"#","kind":"keras.InputLayer","settings":{"shape":[3]}}'
LARGE: Final = 33_000_000
"""Bytes, a little less than an architecture may have."""


def tensor(layer: str, call: int = 0) -> dict[str, Any]:
    """A reference to the output of a layer."""
    config = {"keras_history": [layer, call, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def layer(class_name: str, name: str, *sources: str, **settings: Any) -> dict[str, Any]:
    """A layer in a functional model."""
    nodes = [{"args": [tensor(source)], "kwargs": {}} for source in sources]
    if len(sources) > 1:
        nodes = [{"args": [[tensor(source) for source in sources]], "kwargs": {}}]
    config = {"name": name, **settings}
    module = "keras.layers"
    return {
        "module": module, "class_name": class_name, "config": config, "name": name,
        "inbound_nodes": nodes,
    }  # fmt: skip


def entry(name: str = "x", shape: Any = (None, 8)) -> dict[str, Any]:
    """An input of a model."""
    return layer("InputLayer", name, batch_shape=list(shape))


def model(name: str, *layers: dict[str, Any], output: str = "") -> dict[str, Any]:
    """A functional model of one input, called x."""
    config = {
        "name": name, "layers": list(layers), "input_layers": [["x", 0, 0]],
        "output_layers": [[output or layers[-1]["name"], 0, 0]],
    }  # fmt: skip
    return {"module": "keras", "class_name": "Functional", "config": config}


def text(values: Any) -> bytes:
    """The values as compact JSON."""
    return json.dumps(values, separators=(",", ":")).encode()


def repeated(part: bytes, before: bytes = b"[", after: bytes = b"]") -> bytes:
    """A text of as many of a part as an architecture may have."""
    return (
        before + (part + b",") * ((LARGE - len(before + after)) // (len(part) + 1)) + part + after
    )


def numbered(part: str, count: int) -> str:
    """A part again and again, with a number in it each time."""
    return ",".join(part.replace("#", str(index)) for index in range(count))


def wrapped(*parts: str) -> bytes:
    """The parts one behind the other."""
    return "".join(parts).encode()


def chain(count: int, **settings: Any) -> bytes:
    """Layers one behind the other, from the last to the first."""
    made = [
        layer("Dense", f"d{i}", f"d{i - 1}" if i else "x", units=3, **settings)
        for i in range(count)
    ]
    return text(model("m", *made[::-1], entry(), output=f"d{count - 1}"))


def unknown_kinds() -> bytes:
    """As many layers as there may be, each of a kind that is almost known."""
    made = [layer(f"Conv2DTranspos{i}", f"d{i}", f"d{i - 1}" if i else "x") for i in range(49_000)]
    return text(model("m", entry(), *made))


def wide(class_name: str, count: int = 300_000) -> bytes:
    """A layer of so many inputs that are all one."""
    return text(model("m", entry(), layer(class_name, "wide", *["x"] * count)))


def models_in_models(inner: dict[str, Any], levels: int) -> bytes:
    """A model that calls a model twice that calls a model twice, and so on."""
    for level in range(levels):
        called = {"name": f"m{level}", **inner}
        second = [{**called, "name": f"m{level}", "inbound_nodes": []}]
        nodes = [
            {"args": [tensor("x")], "kwargs": {}},
            {"args": [tensor(f"m{level}")], "kwargs": {}},
        ]
        second[0]["inbound_nodes"] = nodes
        inner = model(f"m{level + 1}", entry(), *second)
        inner["config"]["output_layers"] = [[f"m{level}", 2, 0]]
    return text(inner)


def nested_models(levels: int) -> bytes:
    """Models in one another, each with a long name."""
    inner = model("m", entry(), layer("ReLU", "r", "x"))
    for level in range(levels):
        name = f"{level}" * 300
        held = {**inner, "name": name, "inbound_nodes": [{"args": [tensor("x")], "kwargs": {}}]}
        held["config"] = {**held["config"], "name": name}
        inner = model("m", entry(), held)
        inner["config"]["output_layers"] = [[name, 1, 0]]
    return text(inner)


def wrappers(levels: int) -> bytes:
    """Layers that wrap layers that wrap layers."""
    inner = {"module": "keras.layers", "class_name": "ReLU", "config": {"name": "r"}}
    for level in range(levels):
        config = {"name": f"w{level}", "layer": inner}
        inner = {"module": "keras.layers", "class_name": "TimeDistributed", "config": config}
    inner = {**inner, "name": "w", "inbound_nodes": [{"args": [tensor("x")], "kwargs": {}}]}
    inner["config"]["name"] = "w"
    return text(model("m", entry("x", [None, *[2] * 40]), inner))


def long_path() -> bytes:
    """A model with a name of megabytes around thousands of layers."""
    inner = model("n" * 5_000_000, entry(), *[layer("ReLU", f"r{i}", "x") for i in range(20_000)])
    held = {**inner, "name": "n", "inbound_nodes": [{"args": [tensor("x")], "kwargs": {}}]}
    return text(model("m", entry(), held))


def same_names(count: int) -> bytes:
    """A sequential model of layers of which the last two have one name."""
    part = '{"class_name":"ReLU","module":"keras.layers","config":{"name":"#"}}'
    last = part.replace("#", "0")
    first = json.dumps(entry())
    layers = f"[{first},{numbered(part, count)},{last}]"
    config = f'{{"name":"s","layers":{layers}}}'
    return f'{{"class_name":"Sequential","module":"keras","config":{config}}}'.encode()


def growing() -> bytes:
    """Layers of which each makes an axis longer by thousands of digits."""
    made = [
        layer("UpSampling1D", f"u{i}", f"u{i - 1}" if i else "x", size=10**600) for i in range(3000)
    ]
    return text(model("m", entry("x", [None, 8, 8]), *made))


def setting(
    class_name: str,
    name: str,
    value: Any,
    *,
    shape: Any = (None, 8),
    module: str = "keras.layers",
) -> bytes:
    """One layer with one strange setting."""
    made = layer(class_name, "l", "x", **{name: value})
    return text(model("m", entry("x", shape), {**made, "module": module}))


def own(layers: str) -> bytes:
    """A network in the JSON form of this project."""
    return f'{{"schema":"costmodel/network/2","name":"n","layers":[{layers}]}}'.encode()


def nested_values(levels: int) -> bytes:
    """A setting of this project's form in which values stand in values."""
    value = "[" * levels + "]" * levels
    return own(
        '{"name":"x","kind":"keras.InputLayer","settings":{"shape":[3]}},'
        '{"name":"o","kind":"keras.ops.Add","inputs":[["x",0]],"settings":{"arguments":'
        f'{{"type":"Arguments","positional":[{{"type":"LayerInput","index":0}},{value}]}}}}}}'
    )


def many_members(count: int) -> bytes:
    """An archive with a list of so many members, none of which is there."""
    name = b"m"
    member = b"PK\1\2" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + name
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, len(member) * count, 0, 0)
    return member * count + end


def laughs() -> bytes:
    """A device file of lists that are twice the list before."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pairs = itertools.pairwise(letters)
    return "".join(
        ["a: &a [x, x]\n", *[f"{name}: &{name} [*{old}, *{old}]\n" for old, name in pairs]]
    ).encode()


def device(parameters: str) -> bytes:
    head = "schema: costmodel/device/2\nname: d\nclass: per-operation\nsources: {a: b}\n"
    return f"{head}parameters:\n{parameters}".encode()


JSON: Final = ".json"
HOSTILE: Final[dict[str, tuple[str, Callable[[], bytes]]]] = {
    "more values than there may be": (JSON, lambda: repeated(b"[]")),
    "empty lists": (JSON, lambda: b"[" + b"[]," * 1_990_000 + b"[]]"),
    "small objects": (JSON, lambda: b"[" + b'{"a":0},' * 1_300_000 + b"[]]"),
    "short texts": (JSON, lambda: wrapped("[", numbered(QUOTED, 3_000_000), "]")),
    "one text": (JSON, lambda: b'{"a":"\xf0\x9f\x98\x80' + b"a" * (LARGE - 30) + b'"}'),
    "long numbers": (JSON, lambda: repeated(b"1" * 4300)),
    "keys": (JSON, lambda: wrapped("{", numbered(QUOTED + ":0", 1_900_000), "}")),
    "a long chain": (JSON, lambda: chain(49_000)),
    "unknown kinds": (JSON, unknown_kinds),
    "a long kind": (JSON, lambda: setting("C" * 20_000_000, "a", 1)),
    "a long path": (JSON, long_path),
    "a sum of many": (JSON, lambda: wide("Add")),
    "many joined": (JSON, lambda: wide("Concatenate")),
    "models of models": (
        JSON, lambda: models_in_models(model("m", entry(), layer("ReLU", "r", "x")), 30),
    ),
    "empty models of models": (JSON, lambda: models_in_models(model("m", entry()), 30)),
    "models in models": (JSON, lambda: nested_models(200)),
    "wrappers in wrappers": (JSON, lambda: wrappers(200)),
    "same names": (JSON, lambda: same_names(45_000)),
    "many same names": (JSON, lambda: same_names(300_000)),
    "a growing axis": (JSON, growing),
    "astronomical axes": (
        JSON, lambda: text(model("m", entry("x", [None, *[10**4000] * 8000]))),
    ),
    "many axes": (JSON, lambda: text(model("m", entry("x", [None, *[1] * 3_000_000])))),
    "astronomical units": (JSON, lambda: setting("Dense", "units", 10**4000)),
    "many windows": (
        JSON,
        lambda: setting(
            "AdaptiveAveragePooling1D", "output_size", 2**61 - 1, shape=[None, 2**62, 1]
        ),
    ),
    "many axes to swap": (JSON, lambda: setting("Permute", "dims", [*range(1, 2_000_000)])),
    "many boundaries": (
        JSON, lambda: setting("Discretization", "bin_boundaries", [0.5] * 3_000_000),
    ),
    "a long quantizer": (
        JSON,
        lambda: setting(
            "QActivation", "activation", {"class_name": "q" * 20_000_000, "config": {}},
            module="qkeras",
        ),
    ),
    "a long activation": (JSON, lambda: setting("Activation", "activation", "a" * 20_000_000)),
    "many layers of our form": (JSON, lambda: own(numbered(OWN_INPUT, 400_000))),
    "values in values of our form": (JSON, lambda: nested_values(900)),
    "a long key of our form": (
        JSON, lambda: own(f'{{"name":"a","kind":"input","{"k" * 20_000_000}":1}}'),
    ),
    "many operators of our form": (
        JSON,
        lambda: own(
            '{"name":"x","kind":"operators","settings":{"work":['
            + numbered('{"type":"Movement","purpose":"#"}', 700_000) + "]}}"
        ),
    ),
    "an archive of many members": (".keras", lambda: many_members(2_000_000)),
    "a device of aliases": (".yaml", laughs),
    "a device of keys": (".yaml", lambda: wrapped(*[f"{i}:\n" for i in range(130_000)])),
    "a device of wrong parameters": (
        ".yaml", lambda: device("".join(f"  energy{i}: 1\n" for i in range(1500))),
    ),
    "a device of base 60": (".yaml", lambda: b"name: 1" + b":1" * 500_000),
    "a device of base 16": (".yaml", lambda: b"name: 0x1" + b"f" * 1_000_000),
    "a device of digits": (".yaml", lambda: b"name: 1" + b"1" * 1_000_000),
    "a device of lists": (".yaml", lambda: b"[" + b"[]," * 300_000 + b"]"),
}  # fmt: skip
"""By name: the ending of the file, and what is in it."""


def main(folder: str, name: str) -> None:
    """Write a file, read it, and tell what that took."""
    import costmodel  # noqa: PLC0415  # not before the file is made

    suffix, make = HOSTILE[name]
    path = Path(folder) / f"hostile{suffix}"
    path.write_bytes(make())
    # What it took to make the file does not count.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    start = time.process_time()
    message = ""
    try:
        if suffix == ".yaml":
            costmodel.device(path)
        else:
            network = costmodel.read(path)
            network.to_json()
            costmodel.estimate(network, ["cpu"], on_unpriced="bound")
    except costmodel.CostModelError as error:
        message = str(error)
    seconds = time.process_time() - start
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    sys.stdout.write(json.dumps([seconds, int(peak) * 1024, message]))


if __name__ == "__main__":
    main(*sys.argv[1:])
