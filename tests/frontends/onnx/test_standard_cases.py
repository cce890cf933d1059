"""The models by which the package `onnx` tests backends: each is read, counted and estimated.

They hold every operator of the standard in all its forms, most of them with every operand as an
input. What decides shapes is a constant in the files of exporters, so that they are read with
constants in the place of inputs as well.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import costmodel
from costmodel.errors import CostModelError
from costmodel.estimates.counts import count

DEVICE: Final = "raspberry-pi-4"
FORMS: Final[dict[str, Callable[[int, Any], bool]]] = {
    # which inputs are constants, by their place and data
    "as they are": lambda _, __: False,
    "with settings": lambda place, data: place > 0 and data.dtype.kind in "iub",
    "with weights": lambda place, _: place > 0,
    "all constant": lambda _, __: True,
}
REFUSED: Final = {
    "has no layers": "all that it computes is constant",
    "expected 7 or newer": "the operator is older than the operators that broadcast",
    r"open axes: input '\w+': axis \d \(0 in the file\)": "an axis of no elements",
    r"open axes: input 'x1': axis 0 \('M'\)": "an axis that is not the batch",
    "0 in shape .* is not an axis length of 1 or more": "a constant of no elements",
    "do not add up to an axis of 1|cannot be seen as": "an axis of no elements is read as a batch",
}
"""What the message of a refused model says, and why it is refused."""
UNPRICED: Final = (
    "how many operations a Fourier transform takes is the plan of the library",
    r"^(the|how|which|where|along) [^:]* depends on data \(",
    r"^the shape of .* is not known: (node .*: .*depends on data|input .* and no tensor)",
    r"^the shape of .* is not known: node .*: it (works on texts|holds no value)",
    r"^input '.*' is (a sequence|an optional value), and no tensor$",
    r"^a graph within it gives a sequence of tensors$",
    r"^the order of elimination depends on data$",
    r"^the size of the image is in its bytes, which are data$",
    r"^it works on texts, whose length no shape states$",
    r"^no rule for the onnx operator 'ai\.onnx\.(ml|preview\.training)::",
)
"""Why layers stay unpriced."""


@functools.cache
def cases() -> list[tuple[str, Any, list[Any]]]:
    """The name, the model and the data of each case."""
    from onnx.backend.test.case.node import collect_testcases  # noqa: PLC0415  # makes them all

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases(None)
    return [(one.name, one.model, list(one.data_sets[0][0])) for one in found]


def held(proto: Any, data: list[Any], is_constant: Callable[[int, Any], bool]) -> Any:
    """The model with constants in the place of some inputs."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    inputs = list(made.graph.input)
    del made.graph.input[:]
    for place, (one, array) in enumerate(zip(inputs, data, strict=False)):
        kind = one.type.tensor_type.elem_type
        is_number = kind not in {onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING}
        if (
            is_number
            and isinstance(array, np.ndarray | np.generic)
            and is_constant(place, np.asarray(array))
        ):
            made.graph.initializer.append(_tensor(np.asarray(array), one.name, kind))
        else:
            made.graph.input.append(one)
    made.graph.input.extend(inputs[len(data) :])
    return made


def _tensor(array: Any, name: str, kind: int) -> Any:
    tensor = numpy_helper.from_array(array, name)
    if tensor.data_type == kind:
        return tensor
    return helper.make_tensor(name, kind, array.shape, array.reshape(-1).tolist())


def faults(path: Path) -> Iterator[str]:
    """What is wrong with what is made of a file."""
    try:
        network = costmodel.read(path)
    except CostModelError as error:
        if not any(re.search(pattern, str(error)) for pattern in REFUSED):
            yield f"refused: {error}"
        return
    costmodel.estimate(network, DEVICE, on_unpriced="bound")
    for reason in {one for each in count(network).to_dict()["unpriced"].values() for one in each}:
        if not any(re.search(pattern, reason) for pattern in UNPRICED):
            yield f"unpriced: {reason}"
    yield from (note for note in network.notes if "the file declares" in note)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_every_model_of_the_standard_is_estimated_or_has_a_listed_reason(
    form: str, tmp_path: Path
) -> None:
    path, found = tmp_path / "model.onnx", {}
    for name, proto, data in cases():
        path.write_bytes(held(proto, data, FORMS[form]).SerializeToString())
        wrong = list(faults(path))
        if wrong:
            found[name] = wrong
    assert len(cases()) > 1800
    assert not found
