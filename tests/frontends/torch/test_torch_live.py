"""Modules and exported programs of an installed PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
from frontends.torch.programs import macs, read

import costmodel
from costmodel.workload.reasons import Unpriced

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.filterwarnings("ignore")


class Block(nn.Module):  # type: ignore[misc, name-defined]  # PyTorch is not installed everywhere
    """The block of a small residual network."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != filters:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class ResNet18(nn.Module):  # type: ignore[misc, name-defined]  # likewise
    """ResNet-18 as its paper has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels, stages = 64, []
        for filters, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            stages += [Block(channels, filters, stride), Block(filters, filters, 1)]
            channels = filters
        self.stages = nn.Sequential(*stages)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(512, 1000)

    def forward(self, x: Any) -> Any:
        x = self.stages(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class VisionTransformer(nn.Module):  # type: ignore[misc, name-defined]  # likewise
    """Two encoder layers over sixteen patches and a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 64, 8, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, 64))
        self.place = nn.Parameter(torch.zeros(1, 17, 64))
        layer = nn.TransformerEncoderLayer(
            64, 4, 256, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Any) -> Any:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        return self.head(self.encoder(x)[:, 0])


def parameters(module: Any) -> int:
    return sum(one.numel() for one in module.parameters())


def test_a_module_is_exported_for_example_inputs() -> None:
    module = ResNet18().eval()
    network = read(module, example_inputs=(torch.randn(1, 3, 224, 224),))
    assert macs(network) == 1_814_073_344  # what FlopCounterMode counts, halved
    assert network.parameter_count == parameters(module)
    assert network.layer("stages.1.conv1").kind == "torch.aten.conv2d"
    assert network.name == "ResNet18"


def test_attention_of_a_vision_transformer_stays_whole() -> None:
    module = VisionTransformer().eval()
    network = read(module, example_inputs=torch.randn(1, 3, 32, 32))
    products = 17 * (4 * 64 * 64 + 2 * 64 * 256)
    attention = 2 * 17 * 17 * 64
    assert macs(network) == 16 * 3 * 64 * 64 + 2 * (products + attention) + 64 * 10
    assert network.parameter_count == parameters(module)


def test_a_transformer_attends_to_both_sequences() -> None:
    module = nn.Transformer(32, 4, 1, 1, 64, batch_first=True).eval()
    network = read(module, example_inputs=(torch.randn(1, 5, 32), torch.randn(1, 6, 32)))
    encoder = 5 * (4 * 32 * 32 + 2 * 32 * 64) + 2 * 5 * 5 * 32
    own = 6 * (4 * 32 * 32 + 2 * 32 * 64) + 2 * 6 * 6 * 32
    other = 6 * 2 * 32 * 32 + 5 * 2 * 32 * 32 + 2 * 5 * 6 * 32
    assert macs(network) == encoder + own + other


@pytest.mark.parametrize(
    ("cell", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)], ids=["lstm", "gru", "rnn"]
)
@pytest.mark.parametrize("is_batched", [True, False])
def test_recurrent_modules_count_every_step(cell: str, gates: int, *, is_batched: bool) -> None:
    module = getattr(nn, cell)(8, 16, 2, bidirectional=True, batch_first=True).eval()
    shape = (1, 7, 8) if is_batched else (7, 8)
    network = read(module, example_inputs=(torch.randn(*shape),))
    each = gates * 16 * (8 + 16) + gates * 16 * (32 + 16)
    assert macs(network) == 2 * 7 * each
    assert network.parameter_count == parameters(module)


def test_a_decomposed_program_has_the_same_products() -> None:
    module = VisionTransformer().eval()
    program = torch.export.export(module, (torch.randn(1, 3, 32, 32),))
    assert macs(read(program)) == macs(read(program.run_decompositions()))


def test_a_saved_program_is_the_one_that_was_live(tmp_path: Any) -> None:
    module = VisionTransformer().eval()
    program = torch.export.export(module, (torch.randn(1, 3, 32, 32),))
    path = tmp_path / "net.pt2"
    torch.export.save(program, path)
    live, saved = read(program), read(path)
    assert [(layer.name, layer.kind) for layer in live.layers] == [
        (layer.name, layer.kind) for layer in saved.layers
    ]
    assert macs(live) == macs(saved)
    assert live.parameter_count == saved.parameter_count


def test_a_program_of_an_open_axis_is_bound() -> None:
    length = torch.export.Dim("length", min=2, max=64)
    module = nn.Sequential(nn.Linear(8, 4), nn.ReLU()).eval()
    program = torch.export.export(module, (torch.randn(1, 5, 8),), dynamic_shapes=({1: length},))
    assert macs(read(program, input_shapes=(9, 8))) == 9 * 8 * 4


def test_a_module_without_inputs_says_what_it_needs() -> None:
    with pytest.raises(costmodel.CostModelError, match="example_inputs="):
        read(nn.Linear(8, 4))


def test_a_tensor_is_no_network() -> None:
    with pytest.raises(costmodel.CostModelError, match=r"expected a torch\.nn\.Module"):
        read(torch.zeros(3))


def test_what_cannot_be_exported_is_named() -> None:
    class Choosing(nn.Module):  # type: ignore[misc, name-defined]  # likewise
        def forward(self, x: Any) -> Any:
            return x if x.sum() > 0 else -x

    with pytest.raises(costmodel.CostModelError, match="cannot export 'Choosing'"):
        read(Choosing(), example_inputs=(torch.randn(2),))


def test_examples_by_name_are_those_of_keywords() -> None:
    network = read(nn.Linear(8, 4).eval(), example_inputs={"input": torch.randn(1, 8)})
    assert macs(network) == 8 * 4


class OfData(nn.Module):  # type: ignore[misc, name-defined]  # likewise
    """A layer, and something that data decide."""

    def __init__(self, chosen: Any) -> None:
        super().__init__()
        self.linear, self.chosen = nn.Linear(8, 8), chosen

    def forward(self, x: Any) -> Any:
        y = self.linear(x)
        return y.relu(), self.chosen(y)


def first_rows(y: Any) -> Any:
    """As many rows as a sum says."""
    count = y.sum().long().item()
    torch._check(count >= 1)  # export needs the bounds
    torch._check(count <= 4)
    return y[:count] * 2


@pytest.mark.parametrize(
    ("chosen", "unpriced"),
    [
        (lambda y: y[y > 0].sum() + 1, {"index", "sum_1"}),
        (lambda y: torch.nonzero(y).float().mean(0), {"nonzero", "to", "mean"}),
        (lambda y: torch.where(y > 0)[0].tanh(), {"where", "tanh"}),
        (lambda y: y.masked_select(y > 0), {"masked_select"}),
        (first_rows, {"slice_1", "mul"}),
        (lambda y: y * y.sum().item(), set()),
    ],
)  # fmt: skip
def test_what_data_decide_is_named_and_the_rest_is_counted(
    chosen: Any, unpriced: set[str], tmp_path: Any
) -> None:
    given = torch.zeros(4, 8)
    program = torch.export.export(OfData(chosen), (given,))
    torch.export.save(program, tmp_path / "net.pt2")
    for network in (read(OfData(chosen), example_inputs=given), read(tmp_path / "net.pt2")):
        found = {
            layer.name
            for layer in network.layers
            if isinstance(layer.operators(), Unpriced) and layer.kind != "input"
        }
        assert found == unpriced
        assert macs(network) == 4 * 8 * 8


def test_what_is_mapped_is_counted_for_each_slice(tmp_path: Any) -> None:
    class Mapped(nn.Module):  # type: ignore[misc, name-defined]  # likewise
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 4)

        def forward(self, x: Any) -> Any:
            return torch.vmap(self.linear, in_dims=1)(x)

    given = torch.zeros(1, 5, 8)
    assert macs(read(Mapped(), example_inputs=given)) == 5 * 8 * 4
    torch.export.save(torch.export.export(Mapped(), (given,)), tmp_path / "net.pt2")
    hidden = costmodel.work_by_layer(read(tmp_path / "net.pt2"))
    assert "save program.run_decompositions({})" in str(hidden[-1].work)


def test_a_custom_operator_that_only_writes_stays() -> None:
    @torch.library.custom_op("costmodel_tests::accumulate", mutates_args=("target",))  # type: ignore[untyped-decorator]  # likewise
    def accumulate(source: torch.Tensor, target: torch.Tensor) -> None:
        target.add_(source)

    class Custom(nn.Module):  # type: ignore[misc, name-defined]  # likewise
        def forward(self, x: Any) -> Any:
            y = x.tanh()
            accumulate(x, y)
            return y

    network = read(Custom(), example_inputs=torch.zeros(1, 8))
    kinds = [layer.kind for layer in network.layers]
    assert "torch.costmodel_tests.accumulate.default" in kinds
