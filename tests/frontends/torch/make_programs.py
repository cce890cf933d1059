"""Makes the `.pt2` files of these tests: `python make_programs.py FOLDER`, with PyTorch installed.

Random weights; the paths of this machine are left out of the files.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.ao.quantization.fx._decomposed  # registers the operators of quantisation
from torch import nn
from torch._higher_order_ops.map import map as each
from torch._higher_order_ops.scan import scan
from torch.export import Dim

_Made = tuple[nn.Module, tuple[Any, ...], Any]


class Cells(nn.Module):
    """A bidirectional LSTM of two layers with projections, a GRU and an Elman network."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 16, 2, batch_first=True, bidirectional=True, proj_size=4)
        self.gru = nn.GRU(8, 12, batch_first=True)
        self.rnn = nn.RNN(12, 6, nonlinearity="relu", batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.rnn(self.gru(self.lstm(x)[0])[0])[0][:, -1]


class Convolutions(nn.Module):
    """Grouped, dilated and transposed convolutions, pooling and resizing."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(8, 16, 3, stride=2, padding=1, groups=8, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.dilated = nn.Conv2d(16, 12, 3, padding="same", dilation=2, groups=4)
        self.up = nn.ConvTranspose2d(12, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.act = nn.Hardswish()

    def forward(self, x: Any) -> Any:
        x = self.act(self.norm(self.depthwise(x)))
        x = self.up(self.dilated(x))
        x = nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
        return nn.functional.adaptive_avg_pool2d(x, (5, 1))


class Encoder(nn.Module):
    """An encoder layer of PyTorch, whose head is tied to the embedding; tokens are open."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 32)
        self.layers = nn.ModuleList(
            [nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True)]
        )
        self.twice = nn.Linear(32, 32)
        self.head = nn.Linear(32, 50, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Any) -> Any:
        x = self.layers[0](self.embedding(tokens))
        return self.head(self.twice(torch.relu(self.twice(x))))


class Experts(nn.Module):
    """Each row by the expert that a gate chooses."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(16, 4)
        self.experts = nn.Parameter(torch.randn(4, 16, 24))

    def forward(self, x: Any) -> Any:
        chosen = self.experts[self.gate(x).argmax(-1)]
        return torch.bmm(x.unsqueeze(1), chosen).squeeze(1)


class Controlled(nn.Module):
    """A branch by data, a loop of three steps, and a part without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        y = torch.cond(
            x.sum() > 0, lambda x: self.first(x) + 1, lambda x: self.second(self.first(x)), (x,)
        )

        def going(count: Any, _: Any) -> Any:
            return count < 3

        def step(count: Any, value: Any) -> Any:
            return count + 1, torch.relu(self.second(value))

        _, y = torch._higher_order_ops.while_loop(going, step, (torch.tensor(0), y))
        with torch.no_grad():
            return self.first(y)


class Scanned(nn.Module):
    """A recurrent step over slices, and the same layer for each slice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(8, 8), nn.Linear(8, 6)

    def forward(self, x: Any, start: Any) -> Any:
        def step(state: Any, part: Any) -> Any:
            new = torch.tanh(self.inner(part) + state)
            return new, new * 2

        _, outputs = scan(step, start, x, dim=0)
        return each(lambda part: torch.relu(self.outer(part)), outputs)


class Stateful(nn.Module):
    """A leaky neuron whose membrane is kept, and a cache that is written at a place."""

    def __init__(self) -> None:
        super().__init__()
        self.synapse = nn.Linear(8, 8)
        self.register_buffer("membrane", torch.zeros(1, 8))
        self.register_buffer("cache", torch.zeros(1, 4, 8))

    def forward(self, x: Any) -> Any:
        self.membrane.mul_(0.9).add_(self.synapse(x))
        spikes = (self.membrane > 1).float()
        self.cache[:, 1] = spikes
        return self.cache.sum(1)


class Quantized(nn.Module):
    """Eight-bit weights and activations, as PyTorch 2's quantisation writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randint(-127, 127, (16, 8), dtype=torch.int8))
        self.register_buffer("scales", torch.rand(16))
        self.register_buffer("zeros", torch.zeros(16, dtype=torch.int64))

    def forward(self, x: Any) -> Any:
        own = torch.ops.quantized_decomposed
        bounds = (-128, 127, torch.int8)

        def rounded(value: Any) -> Any:
            held = own.quantize_per_tensor.default(value, 0.02, 0, *bounds)
            return own.dequantize_per_tensor.default(held, 0.02, 0, *bounds)

        weight = own.dequantize_per_channel.default(
            self.weight, self.scales, self.zeros, 0, -127, 127, torch.int8
        )
        y = rounded(nn.functional.linear(rounded(x), weight))
        return rounded(torch.relu(y))


def _encoder() -> _Made:
    batch, length = Dim("batch"), Dim("length", min=2, max=512)
    return Encoder(), (torch.zeros(2, 5, dtype=torch.long),), ({0: batch, 1: length},)


MADE: dict[str, Callable[[], _Made]] = {
    "cells": lambda: (Cells(), (torch.randn(1, 10, 8),), None),
    "convolutions": lambda: (Convolutions(), (torch.randn(1, 8, 20, 20),), None),
    "encoder": _encoder,
    "experts": lambda: (Experts(), (torch.randn(3, 16),), ({0: Dim("batch")},)),
    "controlled": lambda: (Controlled(), (torch.randn(2, 8),), ({0: Dim("batch")},)),
    "scanned": lambda: (Scanned(), (torch.randn(5, 1, 8), torch.randn(1, 8)), None),
    "stateful": lambda: (Stateful(), (torch.randn(1, 8),), None),
    "quantized": lambda: (Quantized(), (torch.randn(1, 8),), None),
}


def main(folder: str) -> None:
    """Write all files."""
    torch.manual_seed(0)
    for name, made in MADE.items():
        module, arguments, shapes = made()
        path = Path(folder) / f"{name}.pt2"
        program = torch.export.export(module.eval(), arguments, dynamic_shapes=shapes)
        torch.export.save(program, path)
        _strip(path)


def _strip(path: Path) -> None:
    """Compress an archive, and leave traces and example inputs out of it."""
    with zipfile.ZipFile(path) as archive:
        members = {
            name: archive.read(name) for name in archive.namelist() if "sample_inputs" not in name
        }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            is_program = name.endswith("models/model.json")
            kept = json.dumps(_without_traces(json.loads(content))) if is_program else content
            archive.writestr(zipfile.ZipInfo(name), kept, zipfile.ZIP_DEFLATED)


def _without_traces(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _without_traces(one) for key, one in values.items() if key != "stack_trace"}
    return [_without_traces(one) for one in values] if isinstance(values, list) else values


if __name__ == "__main__":
    main(sys.argv[1])
