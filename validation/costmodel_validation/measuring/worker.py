"""Times one network, in a process of its own: `python -m costmodel_validation.measuring.worker`.

The request, on standard input, is a JSON object, as `runs` makes it; the answer is one on the last
line of standard output. The frameworks are imported here alone.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

WARM_UP_SECONDS: Final = 0.5
WARM_UP_CALLS: Final = 3
"""Before times count: so long, and so many calls, whichever takes longer."""
LONGEST_SECONDS: Final = 60.0
"""After so long no more calls are made, however few there were."""
_RAPL: Final = Path("/sys/class/powercap/intel-rapl:0/energy_uj")

Call = Callable[[], None]


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """The median time of a call, and what the machine was like."""
    make = {"tensorflow": _tensorflow, "torch": _torch, "tflite": _tflite, "onnxruntime": _onnx}
    call, version = make[request["runtime"]](request)
    on_gpu = request["runtime"] in {"tensorflow", "torch"}
    times = timed(call, request["seconds"], request["repeats"], on_gpu=on_gpu)
    return {"version": version, **times}


def timed(call: Call, seconds: float, repeats: int, *, on_gpu: bool) -> dict[str, Any]:
    """Call until there are so many times and they took so long, after a warm-up.

    The energy of a GPU counts if the runtime would use one.
    """
    begin, calls = time.perf_counter(), 0
    while calls < WARM_UP_CALLS or time.perf_counter() - begin < WARM_UP_SECONDS:
        call()
        calls += 1
    times: list[float] = []
    energy, begin = _energy_joules(on_gpu=on_gpu), time.perf_counter()
    while True:
        before = time.perf_counter()
        call()
        now = time.perf_counter()
        times.append(now - before)
        is_enough = len(times) >= repeats and now - begin >= seconds
        if is_enough or now - begin >= LONGEST_SECONDS:
            break
    spent, after = time.perf_counter() - begin, _energy_joules(on_gpu=on_gpu)
    found: dict[str, Any] = {"latency_seconds": statistics.median(times), "calls": len(times)}
    for name, joules in after.items():
        if joules > energy.get(name, joules):  # a counter that has not begun anew
            found["power_watts"] = (joules - energy[name]) / spent
            found["power_boundary"] = name
    return found


def _energy_joules(*, on_gpu: bool) -> dict[str, float]:
    """What counters of energy the machine offers, by what they measure; the last one counts."""
    found = {}
    with contextlib.suppress(OSError, ValueError):
        found["CPU package (RAPL)"] = int(_RAPL.read_text()) / 1e6
    if not on_gpu:
        return found
    try:
        import pynvml  # noqa: PLC0415  # where NVIDIA's library is installed

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        found["GPU board (NVML)"] = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
    except Exception:  # noqa: BLE001, S110  # no such library or no such GPU
        pass
    return found


def _model(request: Mapping[str, Any]) -> Any:
    """The network as Keras builds it, with random weights where its file has none."""
    import keras  # noqa: PLC0415  # in this process alone

    path = Path(request["path"])
    if path.suffix == ".json":
        text = path.read_text()
        name = request["format"]
        return keras.models.model_from_json(
            text if name == "float32" else text.replace('"float32"', f'"{name}"')
        )
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def _inputs(model: Any, batch: int) -> list[Any]:
    """Random numbers for every input of a model."""
    import numpy as np  # noqa: PLC0415  # as in `_model`

    random = np.random.default_rng(0)
    found = []
    for tensor in model.inputs:
        shape = tuple(tensor.shape)[1:]
        if None in shape:
            message = f"input {tensor.name!r} has an open length: {shape}"
            raise ValueError(message)
        values = random.standard_normal((batch, *shape))
        is_whole = "int" in str(tensor.dtype)
        found.append((np.abs(values) if is_whole else values).astype(str(tensor.dtype)))
    return found


def _tensorflow(request: Mapping[str, Any]) -> tuple[Call, str]:
    import tensorflow as tf  # noqa: PLC0415  # as in `_model`

    if request["threads"]:
        tf.config.threading.set_intra_op_parallelism_threads(request["threads"])
    model = _model(request)
    inputs = [tf.constant(one) for one in _inputs(model, request["batch"])]
    function = tf.function(lambda *given: model([*given] if len(given) > 1 else given[0]))

    def call() -> None:
        for one in tf.nest.flatten(function(*inputs)):
            one.numpy()

    return call, f"TensorFlow {tf.__version__}"


def _torch(request: Mapping[str, Any]) -> tuple[Call, str]:
    import torch  # noqa: PLC0415  # as in `_model`

    if request["threads"]:
        torch.set_num_threads(request["threads"])
    model = _model(request)
    has_gpu = torch.cuda.is_available()
    inputs = [
        torch.as_tensor(one, device="cuda" if has_gpu else "cpu")
        for one in _inputs(model, request["batch"])
    ]

    def call() -> None:
        with torch.no_grad():
            model(inputs if len(inputs) > 1 else inputs[0], training=False)
        if has_gpu:
            torch.cuda.synchronize()

    return call, f"PyTorch {torch.__version__} by Keras"


def _tflite(request: Mapping[str, Any]) -> tuple[Call, str]:
    import tensorflow as tf  # noqa: PLC0415  # as in `_model`

    model = _model({**request, "format": "float32"})
    inputs = _inputs(model, request["batch"])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if request["format"] == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([one[:1] for one in inputs] for _ in range(4))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    interpreter = tf.lite.Interpreter(
        model_content=converter.convert(), num_threads=request["threads"] or None
    )
    for detail, one in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.resize_tensor_input(detail["index"], one.shape)
    interpreter.allocate_tensors()
    for detail, one in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], one.astype(detail["dtype"]))
    return interpreter.invoke, f"TensorFlow Lite {tf.__version__}"


def _onnx(request: Mapping[str, Any]) -> tuple[Call, str]:
    import tempfile  # noqa: PLC0415  # on demand

    import onnxruntime  # noqa: PLC0415  # as in `_model`

    model = _model(request)
    inputs = _inputs(model, request["batch"])
    model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)  # an export needs a call
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        model.export(str(file), format="onnx", verbose=False)
        options = onnxruntime.SessionOptions()
        if request["threads"]:
            options.intra_op_num_threads = request["threads"]
        session = onnxruntime.InferenceSession(str(file), options)
    names = [one.name for one in session.get_inputs()]
    given = dict(zip(names, inputs, strict=True))
    return lambda: session.run(None, given), f"ONNX Runtime {onnxruntime.__version__}"


def main() -> None:
    """Answer the request on standard input; an error is an answer too."""
    request = json.load(sys.stdin)
    try:
        found = answer(request)
    except Exception as error:  # noqa: BLE001  # a framework may fail in any way
        found = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    main()
