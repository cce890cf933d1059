"""Live models of HGQ2 say what their files say, where hgq2 is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from attrs import frozen
from figures import near
from worlds import HOUSE, world

import costmodel
import costmodel_hgq.hooks
from costmodel import Device, Free, Scenario, Unpriced
from costmodel.devices import Charge, Cost, Evidence, Factor, Parameter, handles
from costmodel.errors import CostModelError, UnpricedWarning
from costmodel.workload.operators import Activation, Contraction
from costmodel_hgq.training import bit_prices, energy_loss
from costmodel_keras.running.training import cost_logger

q = pytest.importorskip("hgq.layers")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Of Keras 3.15 under NumPy 2, where a variable becomes an array."""

WORLD = world(**HOUSE, hgq=costmodel_hgq.hooks)

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.keras"))


@pytest.fixture(autouse=True)
def floating_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let HGQ2 0.2.0 make floating point from a file: it refuses the setting that it wrote."""
    from hgq.quantizer.internal.float_point_quantizer import (  # noqa: PLC0415  # where installed
        FloatPointQuantizer,
    )

    made = FloatPointQuantizer.__init__

    def init(self: object, *given: object, is_weight: object = None, **named: object) -> None:
        made(self, *given, **named)

    monkeypatch.setattr(FloatPointQuantizer, "__init__", init)


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let callbacks find the plugins where costmodel is on the path and not installed."""
    monkeypatch.setattr("costmodel.registry.installed", lambda: WORLD)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_live_model_is_read_as_its_file(path: Path) -> None:
    keras = sys.modules["keras"]
    live = WORLD.read(keras.models.load_model(path, compile=False))
    of_file = WORLD.read(path)
    for one, other in zip(of_file.layers, live.layers, strict=True):
        assert one.name == other.name
        assert one.declared_formats() == other.declared_formats()
        assert list(one.declared_inputs()) == list(other.declared_inputs())
        assert one.declared_result() == other.declared_result()
        assert one.parameters == other.parameters
        if one.outputs:  # a file does not record what leaves a layer without a rule at its end
            assert one.outputs == other.outputs


# ------------------------------------------------------------------ while a model is trained

DEVICE = "horowitz-45nm"


def small() -> Any:
    """Two layers whose widths start at 9 bits, without HGQ2's own price of bit operations."""
    keras = sys.modules["keras"]
    keras.utils.set_random_seed(7)
    entering = keras.Input((16,), name="entering")
    hidden = q.QDense(16, activation="relu", beta0=0.0, name="hidden")(entering)
    made = keras.Model(entering, q.QDense(4, beta0=0.0, name="last")(hidden), name="small")
    made.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mse"])
    return made


def examples() -> tuple[Any, Any]:
    """A target that five of the inputs give."""
    draw = np.random.default_rng(7)
    given = draw.normal(size=(512, 16)).astype("float32")
    return given, np.maximum(given[:, :5] @ draw.normal(size=(5, 4)), 0).astype("float32")


def trained(*callbacks: Any, epochs: int = 20) -> Any:
    return small().fit(
        *examples(), epochs=epochs, batch_size=64, verbose=0, callbacks=[*callbacks]
    )  # fmt: skip


def energy(source: Any) -> float:
    return costmodel.estimate(source, DEVICE).total(DEVICE).energy_joules


def test_each_epoch_logs_the_energy_of_the_model_that_is_saved_then(tmp_path: Path) -> None:
    keras = sys.modules["keras"]
    saving = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"))
    devices = [DEVICE, "eyeriss-v1"]
    loss = energy_loss(DEVICE, 1e7)
    history = trained(loss, cost_logger(devices), saving, epochs=4).history
    for place in range(4):
        found = costmodel.estimate(tmp_path / f"{place + 1}.keras", devices)
        for name in devices:
            total = found.total(name).energy_joules
            assert history[f"{name}_energy"][place] == near(total, rel=1e-12)
        latency = found.total("eyeriss-v1").latency_seconds
        assert history["eyeriss-v1_latency"][place] == near(latency, rel=1e-12)
    assert len(set(history[f"{DEVICE}_energy"])) > 1


def test_layers_that_a_device_cannot_run_are_named() -> None:
    expected = "'systolic-array' leaves out 2 of 3 layers"
    with pytest.warns(UnpricedWarning, match=expected):
        trained(cost_logger("systolic-array"), epochs=2)
    with (
        pytest.warns(UnpricedWarning, match=expected),
        pytest.raises(CostModelError, match="no width of model 'small' costs energy"),
    ):
        trained(energy_loss("systolic-array", 1.0), epochs=1)


PRICE = Parameter("energy_per_one", 1e-12, "J", "a test", Evidence.ASSUMED)


@frozen
class Words(Device):
    """A picojoule for a contraction of words, which have bits."""

    resources: ClassVar = ("ones",)

    @handles(Contraction)
    def contraction(self, operator: Contraction, scenario: Scenario) -> Any:
        if any(one.format and not one.format.mean_bits for one in operator.operands):
            return Unpriced("a word has bits")
        return Cost([Charge("ones", "compute", (Factor("ones", 1),), PRICE)])

    @handles(Activation)
    def activation(self, operator: Activation, scenario: Scenario) -> Any:
        return Free("it is wired")


def test_a_device_that_knows_no_tensor_of_no_bits_is_refused() -> None:
    expected = "'words' has no price for a tensor of no bits"
    with pytest.raises(CostModelError, match=expected):
        trained(energy_loss(Words("words"), 1.0), epochs=1)


def test_energy_in_the_loss_makes_it_fall_further() -> None:
    without = trained(cost_logger(DEVICE)).history
    priced = trained(energy_loss(DEVICE, 3e6), cost_logger(DEVICE)).history
    key = f"{DEVICE}_energy"
    assert priced[key][-1] < 0.9 * without[key][-1]
    assert priced[key][-1] < 0.9 * priced[key][0]
    assert priced["mse"][-1] < 0.1 * priced["mse"][0]  # and it still learns


def test_the_price_of_a_bit_is_what_a_quantizer_takes_over_its_bits(tmp_path: Path) -> None:
    model = small()
    before = [np.array(one) for one in model.variables]
    prices = bit_prices(model, DEVICE)
    assert all(np.array_equal(*pair) for pair in zip(before, model.variables, strict=True))
    assert len(prices) == 6  # inputs, kernels and biases
    with_all = energy(model)
    for inner, price in prices:
        (integer,) = [one for one in inner.variables if one.name == "i"]
        own = np.array(integer)
        integer.assign(own * 0 - 1e9)
        model.save(tmp_path / "bare.keras")
        integer.assign(own)
        saved = with_all - energy(tmp_path / "bare.keras")
        assert price * 9 * own.size == near(saved)


def test_a_bit_less_of_a_kernel_saves_its_price() -> None:
    keras = sys.modules["keras"]
    layer = q.QDense(64, name="layer")  # whole accesses of 64 bits, whatever the widths
    model = keras.Sequential([keras.Input((64,)), layer])
    kernel = layer.kq.quantizer
    (price,) = [price for inner, price in bit_prices(model, DEVICE) if inner is kernel]
    before = energy(model)
    kernel._b.assign(kernel._b - 1)
    assert before - energy(model) == pytest.approx(64 * 64 * price, rel=0.01, abs=0)


def test_the_term_is_in_the_loss_while_the_model_is_trained() -> None:
    keras = sys.modules["keras"]
    seen: list[float] = []

    class Losses(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            prices = bit_prices(self.model, DEVICE)
            bits = [float(keras.ops.sum(inner.bits)) for inner, _ in prices]
            seen.append(sum(price * one for (_, price), one in zip(prices, bits, strict=True)))
            seen.append(float(sum(self.model.losses)))

    history = trained(energy_loss(DEVICE, 3e6), Losses(), epochs=1)
    own = float(sum(small().losses))
    assert seen[1] == near(3e6 * seen[0] + own, rel=1e-6)
    assert float(sum(history.model.losses)) < 1e-3
    again = history.model.fit(*examples(), verbose=0).history
    assert again["loss"][0] == pytest.approx(again["mse"][0], abs=1e-3)


def test_a_device_of_one_price_for_all_widths_has_none_for_a_bit() -> None:
    with pytest.raises(CostModelError, match="no width of model 'small' costs energy on 'cpu'"):
        trained(energy_loss("cpu", 1.0), epochs=1)


def test_a_model_without_widths_is_refused() -> None:
    keras = sys.modules["keras"]
    plain = keras.Sequential([keras.Input((16,)), keras.layers.Dense(4)], name="plain")
    plain.compile("sgd", "mse")
    with pytest.raises(CostModelError, match="model 'plain' has no widths that are trained"):
        plain.fit(*examples(), verbose=0, callbacks=[energy_loss(DEVICE, 1.0)])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_widths_of_all_kinds_of_layers_have_prices(path: Path) -> None:
    model = sys.modules["keras"].models.load_model(path, compile=False)
    if path.stem == "tables":  # none of its layers has a rule
        with pytest.raises(CostModelError, match="no width"):
            bit_prices(model, DEVICE)
        return
    prices = bit_prices(model, DEVICE)
    assert sum(price > 0 for _, price in prices) >= 10
