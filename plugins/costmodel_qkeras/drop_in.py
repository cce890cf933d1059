"""A drop-in for QKeras's QTools, without its global state."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from costmodel.estimates.estimate import read
from costmodel.network.graph import Network
from costmodel_qkeras.qtools import live, results, saved
from costmodel_qkeras.qtools.datatypes import Datatype
from costmodel_qkeras.qtools.errors import QToolsError, as_original
from costmodel_qkeras.qtools.facts import Node, Settings
from costmodel_qkeras.qtools.network import describe_network
from costmodel_qkeras.qtools.prices import Memory
from costmodel_qkeras.qtools.processes import prices_of


class QTools:
    """Estimates energy, bit operations and bytes of a QKeras model as QKeras's QTools does.

    `model` is a live model, a `Network`, or what `costmodel.read` takes, such as the path of a
    `.keras` file; only a live model has weights, which `is_inference` and `weights_path` need.
    `process` is "horowitz" or the name of a device of that family. `source_quantizers` is a list
    with one for each input, or a single one for all, such as "int8" or "quantized_bits(8,0,1)".

    The inputs of a layer come in their declared order. In QTools itself their order follows
    memory addresses, so that its answer can change from one process to the next.

    Raises:
        UnknownNameError: no such process.
        QuantizerError: a quantizer that cannot be read.
        QToolsError: QTools has no answer, and none can be given instead. Where QTools raises an
            exception of its own, such as `qgraph.WrongInputQuantizerError`, the error is one of
            the same name, which handlers of the original catch.

    """

    include_energy: ClassVar[Mapping[str, Sequence[str]]] = results.INCLUDE_ENERGY
    """What QTools has as `cfg.include_energy`: the parts of an energy that count in a sum."""

    def __init__(  # noqa: PLR0913, PLR0917  # QTools has it so
        self,
        model: Any,
        process: str,
        source_quantizers: Any = None,
        is_inference: bool = False,  # noqa: FBT001, FBT002  # QTools has it so
        weights_path: str | None = None,
        keras_quantizer: str | None = None,
        keras_accumulator: str | None = None,
        for_reference: bool = False,  # noqa: FBT001, FBT002  # QTools has it so
        model_weights_already_quantized: bool = True,  # noqa: FBT001, FBT002  # QTools has it so
        hw_weight_dict: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Infer the data types of every layer."""
        self._prices = prices_of(process)
        if weights_path is not None:
            _need_weights(model, "weights_path")
            model.load_weights(weights_path)
        settings = Settings(
            bool(is_inference), bool(for_reference), keras_quantizer, keras_accumulator
        )
        if is_inference and not model_weights_already_quantized:
            message = (
                "model_weights_already_quantized is False; expected quantised weights, since "
                "QTools itself fails to quantise them (AttributeError)"
            )
            raise QToolsError(message)
        self._nodes, inputs = _facts(model, is_inference=settings.is_inference)
        fusions = _fusions(hw_weight_dict or {})
        try:
            self._layer_map = describe_network(
                self._nodes, settings, source_quantizers, inputs=inputs, fusions=fusions
            )
        except QToolsError as error:
            raise as_original(error) from None

    @cached_property
    def _output_dict(self) -> OrderedDict[str, Any]:
        return OrderedDict(self._layer_map.as_json())

    @property
    def source_quantizer_list(self) -> list[Datatype]:
        """The data types of the inputs."""
        return list(self._layer_map.sources)

    def qtools_stats_to_json(self, json_name: str | Path) -> None:
        """Write the data type map to a JSON file."""
        Path(json_name).write_text(json.dumps(self._output_dict, indent=4))

    def qtools_stats_print(self) -> None:
        """Print the data type map as JSON."""
        print(json.dumps(self._output_dict, indent=4))  # noqa: T201  # this is what it is for

    def pe(
        self,
        weights_on_memory: str = "dram",
        activations_on_memory: str = "dram",
        min_sram_size: int = 0,
        rd_wr_on_io: bool = True,  # noqa: FBT001, FBT002  # QTools has it so
        verbose: bool = False,  # noqa: FBT001, FBT002  # QTools has it so
    ) -> dict[str, Any]:
        """Energy of every layer in picojoules: `inputs`, `outputs`, `parameters`, `op_cost`.

        Tensors live in `dram`, `sram` or `fixed`, an SRAM of at least `min_sram_size` bits; with
        `rd_wr_on_io` inputs and outputs of the network are in DRAM and pass the SRAM.

        Raises:
            UnknownNameError: a memory that QTools does not have.
            QToolsError: QTools has no energy for a layer.

        """
        memory = Memory(weights_on_memory, activations_on_memory, min_sram_size, bool(rd_wr_on_io))
        priced = results.price_network(self._layer_map, memory, self._prices)
        if verbose:
            print("COST:", json.dumps(priced, indent=4), sep="\n")  # noqa: T201  # asked for
        return priced

    def extract_energy_sum(
        self, cfg_setting: Mapping[str, Sequence[str]], energy_dict: Mapping[str, Any]
    ) -> int:
        """Picojoules of the parts that `cfg_setting` counts, such as `QTools.include_energy`."""
        return results.energy_sum(cfg_setting, energy_dict)

    def extract_energy_profile(
        self, cfg_setting: Mapping[str, Sequence[str]], energy_dict: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The energy of every layer with the `total` of the parts that count."""
        return results.energy_profile(cfg_setting, energy_dict)

    def calculate_ace(self, default_float_bits: int) -> tuple[int, int]:
        """Operations of layers with weights times the bits of both operands, and as floats."""
        return results.bit_operations(self._layer_map, default_float_bits)

    def calculate_output_bytes(
        self,
        include_model_input_size: bool,  # noqa: FBT001  # QTools has it so
        default_float_bits: int,
    ) -> tuple[float, float]:
        """Bytes that quantised activations put out, and the same as floats."""
        shape = self._input_shape() if include_model_input_size else None
        return results.output_bytes(self._layer_map, shape, default_float_bits)

    def calculate_weight_bytes(self, default_float_bits: int) -> tuple[int, int]:
        """Bytes of kernels and biases, and the same as floats."""
        return results.weight_bytes(self._layer_map, self._nodes, default_float_bits)

    def get_roofline_numbers(
        self,
        include_model_input_size: bool = True,  # noqa: FBT001, FBT002  # QTools has it so
        default_float_bits: int = 32,
    ) -> dict[str, float]:
        """Bit operations and bytes for a roofline, quantised and as floats."""
        ace, ace_float = self.calculate_ace(default_float_bits)
        weights, weights_float = self.calculate_weight_bytes(default_float_bits)
        activations, activations_float = self.calculate_output_bytes(
            include_model_input_size, default_float_bits
        )
        return {
            "ACE": ace,
            "weight_in_bytes": weights,
            "activation_in_bytes": activations,
            "ACE_float": ace_float,
            "weight_in_bytes_float": weights_float,
            "activation_in_bytes_float": activations_float,
        }

    def _input_shape(self) -> Sequence[int]:
        """The elements of the inputs: QTools' formula, which knows just one."""
        return self._layer_map.input_shapes[0]


def _facts(model: Any, *, is_inference: bool) -> tuple[list[Node], list[str] | None]:
    """The facts of a model, and the names of its inputs in their order."""
    if is_inference:
        _need_weights(model, "is_inference")
    if _is_live(model):
        return live.nodes_of(model, count_values=is_inference), live.inputs_of(model)
    network = model if isinstance(model, Network) else read(model)
    return saved.nodes_of(network), None


def _is_live(model: Any) -> bool:
    return hasattr(model, "layers") and not isinstance(model, Network)


def _need_weights(model: Any, option: str) -> None:
    if not _is_live(model):
        message = f"{option} needs the weights of a live model, not {model!r:.80}"
        raise QToolsError(message)


def _fusions(weights: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    """The batch normalisation that is folded into each layer, by the layer's name."""
    return {
        name: entry["fused_bn_layer_name"]
        for name, entry in weights.items()
        if entry.get("enable_bn_fusing") and "fused_bn_layer_name" in entry
    }
