"""Inference of the numeric formats that a network does not declare, in topological order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from costmodel import formats as arithmetic
from costmodel.errors import ScenarioError, nearest
from costmodel.formats import NumericFormat
from costmodel.network.blocks import meant, path_of
from costmodel.network.layer import Layer, Source, work_of
from costmodel.scenario import ALL_OTHERS
from costmodel.tensor.shapes import Tensor
from costmodel.workload.format_inference import result_of
from costmodel.workload.reasons import Reason, Unpriced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.network.graph import Network
    from costmodel.scenario import Scenario


def infer(network: Network, scenario: Scenario) -> Network:
    """The same network with the format of every tensor that follows from what is declared.

    A layer that declares no result gets the exact one, that of its operators over its inputs
    and parameters, if it declares formats of parameters, or has none and reads what follows
    from a declaration. All else is in the default format; a network without any declaration
    and source format is returned as it is.
    """
    distinct = {layer.structural_key: layer for layer in network.layers}
    if scenario.source_format is None and not any(
        layer.declares_formats for layer in distinct.values()
    ):
        return network
    formatted: dict[str, Layer] = {}
    known: set[str] = set()
    for layer in network.layers:
        sources = network.sources(layer.name)
        inputs = tuple(formatted[port.layer].outputs[port.output] for port in sources)
        reads_known = any(port.layer in known for port in sources)
        follows = layer.declares_formats or (reads_known and not layer.parameters)
        is_source = isinstance(layer, Source)
        if follows or (is_source and scenario.source_format is not None):
            known.add(layer.name)
        formatted[layer.name] = _formatted(layer, inputs, scenario, follows=follows)
    return evolve(network, layers=tuple(formatted.values()), read_again=None)


def declared(network: Network) -> Network:
    """The same network with the formats that its layers declare on their tensors, and no other.

    Each layer takes inputs without a format, whatever the layer before it declares.
    """
    distinct = {layer.structural_key: layer for layer in network.layers}
    made = {
        structural_key: layer.with_formats(
            layer.inputs, layer.declared_formats(), layer.declared_result()
        )
        for structural_key, layer in distinct.items()
        if layer.declares_formats
    }
    if not made:
        return network
    layers = [
        made[layer.structural_key].renamed(layer.name, layer.shares)
        if layer.structural_key in made
        else layer
        for layer in network.layers
    ]
    return evolve(network, layers=layers, read_again=None)


def with_formats(network: Network, formats: Mapping[str, NumericFormat]) -> Network:
    """The same network whose layers of these names hold and give numbers of other formats.

    A name that no layer has may be that of a block around layers: `encoder` of `encoder/dense`,
    `block_1` of `block_1_add`. The innermost block counts.

    Raises:
        ScenarioError: a name of no layer, or a layer whose operators have formats of their own.

    """
    if not formats:
        return network
    names = [layer.name for layer in network.layers]
    chosen: dict[str, NumericFormat] = {}
    for name in sorted(formats, key=len):  # of the names around a layer, the innermost is longest
        inside = meant(name, names)
        if not inside:
            near = nearest(name, dict.fromkeys(one for layer in names for one in path_of(layer)))
            message = f"a format is given for {name!r:.80}, which is not a layer or a block"
            raise ScenarioError(message + (f"; nearest known: {near!r}" if near else ""))
        chosen.update(dict.fromkeys(inside, formats[name]))
    layers = [
        _in_format(layer, chosen[layer.name], is_named=layer.name in formats)
        if layer.name in chosen
        else layer
        for layer in network.layers
    ]
    return evolve(network, layers=layers, read_again=None)


def _in_format(layer: Layer, number: NumericFormat, *, is_named: bool) -> Layer:
    if isinstance(layer, Source) and not is_named:
        return layer
    if isinstance(layer, Source):
        message = (
            f"layer {layer.name!r} is an input; the format of what arrives is source_format "
            "(--source-format)"
        )
        raise ScenarioError(message)
    held = tuple([(name, number) for name in layer.parameters])
    made = layer.declaring(evolve(layer.declared, parameters=held, result=number, replaces=True))
    if made.declared_result() != number:
        message = (
            f"layer {layer.name!r} has formats of its own, which a scenario does not change; "
            "make the layer with others"
        )
        raise ScenarioError(message)
    return made


def with_weights(
    network: Network, weights: Mapping[str, NumericFormat], default: NumericFormat
) -> Network:
    """The same network with other formats of the parameters of layers that multiply.

    `weights` are by the names of layers and of blocks around them, of which the innermost counts,
    and `*` is all others. Such a layer gives what it declares, or else the default format.

    Raises:
        ScenarioError: a name of no layer with parameters, or a layer whose operators have formats
            of their own.

    """
    if not weights:
        return network
    held = [one.name for one in network.layers if one.parameters and one.shares is None]
    chosen: dict[str, NumericFormat] = {}
    for name in sorted(weights, key=lambda one: (one != ALL_OTHERS, len(one))):
        inside = multiplying(network) if name == ALL_OTHERS else meant(name, held)
        if not inside and name != ALL_OTHERS:
            near = nearest(name, dict.fromkeys(one for layer in held for one in path_of(layer)))
            message = (
                f"a format of weights is given for {name!r:.80}, which is not a layer with "
                "parameters or a block of such"
            )
            raise ScenarioError(message + (f"; nearest known: {near!r}" if near else ""))
        chosen.update(dict.fromkeys(inside, weights[name]))
    results = {
        layer.name: layer.declared_result() or default
        for layer in network.layers
        if (layer.shares or layer.name) in chosen
    }
    return declaring(network, chosen, results)


def multiplying(network: Network) -> tuple[str, ...]:
    """The layers with multiply-accumulates and parameters of their own."""
    found = []
    for layer in network.layers:
        if layer.parameters and layer.shares is None:
            work = work_of(layer)
            if not isinstance(work, Reason) and any(one.macs for one in work):
                found.append(layer.name)
    return tuple(found)


def declaring(
    network: Network,
    weights: Mapping[str, NumericFormat],
    results: Mapping[str, NumericFormat],
    accumulators: Mapping[str, NumericFormat] | None = None,
) -> Network:
    """The same network whose layers of these names declare formats: of parameters, results, sums.

    What a layer declares of the other, or of its inputs, stays. Formats of parameters hold for
    all of a layer, also where it shares them.

    Raises:
        UnknownNameError: a name of no layer.
        ScenarioError: a layer that cannot declare it.

    """
    sums = accumulators or {}
    if not weights and not results and not sums:
        return network
    for name in (*weights, *results, *sums):
        network.layer(name)
    layers = []
    for layer in network.layers:
        held = weights.get(layer.shares or layer.name)
        result = results.get(layer.name)
        made = layer
        if layer.name in sums:
            declared = evolve(layer.declared, accumulator=sums[layer.name])
            made = layer = layer.declaring(declared)  # noqa: PLW2901  # the rest is added to it
        if held is not None or result is not None:
            declared = evolve(layer.declared, replaces=True)
            if held is not None:
                declared = evolve(declared, parameters=[(name, held) for name in layer.parameters])
            if result is not None:
                declared = evolve(declared, result=result)
            made = layer.declaring(declared)
            _check_declared(made, held, result)
        layers.append(made)
    return evolve(network, layers=layers, read_again=None)


def _check_declared(layer: Layer, held: NumericFormat | None, result: NumericFormat | None) -> None:
    has_others = held is not None and layer.parameters.keys() - {
        name for name, found in layer.declared_formats().items() if found == held
    }
    if has_others or (result is not None and layer.declared_result() != result):
        message = (
            f"layer {layer.name!r} of kind {layer.kind!r} has formats of its own, which nothing "
            "else replaces; make the layer with others"
        )
        raise ScenarioError(message)


def _formatted(
    layer: Layer, inputs: tuple[Tensor, ...], scenario: Scenario, *, follows: bool
) -> Layer:
    declared, default = layer.declared_formats(), scenario.default_format
    if isinstance(layer, Source):
        return layer.with_formats(inputs, declared, scenario.source_format or default)
    found = layer.declared_result()
    if found is None:
        bare = layer.with_formats(inputs, declared, None)
        found = _result(bare, default) if follows else default
    return layer.with_formats(inputs, declared, found)


def _result(layer: Layer, default: NumericFormat) -> NumericFormat:
    """The exact format of what the layer's operators yield."""
    arriving = [tensor.format or default for tensor in layer.inputs]
    work = work_of(layer) if layer.is_bound else ()
    if isinstance(work, Unpriced):
        return default
    if isinstance(work, Reason) or not work:
        return arithmetic.union(*arriving)
    result: NumericFormat | None = None
    for operator in work:
        result = result_of(operator, result, default)
    return result or default
