"""Random QKeras networks as neutral specs, with the options of QTools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

Spec = dict[str, Any]

WEIGHTS = [
    "quantized_bits(8,0,1)", "quantized_bits(4,0,1)", "quantized_bits(7,3,0)",
    "quantized_bits(5,0,1,alpha=1.0)", "quantized_bits(6,1,1,False)", "quantized_bits(1,1,0)",
    "quantized_po2(3)", "quantized_po2(4,1)", "quantized_po2(5,8)", "quantized_relu_po2(4,2)",
    "quantized_relu_po2(3)", "quantized_relu_po2(4,0.25)", "ternary()", "binary()",
    "binary(use_01=1)", "stochastic_ternary()", "stochastic_binary()", "bernoulli()",
    "quantized_relu(4,1)", "quantized_relu(1,1)", "quantized_tanh(6)", "quantized_ulaw(6,1)", None,
]  # fmt: skip
BIASES = [
    "quantized_bits(8,3,1)", "quantized_bits(16,4,1)", "ternary()", "binary()", "binary(use_01=1)",
    "quantized_po2(4,1)", "quantized_relu_po2(4)", "bernoulli()", "quantized_bits(4,0,0)", None,
]  # fmt: skip
ACTIVATIONS = [
    "quantized_relu(6,2)", "quantized_relu(4)", "quantized_relu(1,1)",
    "quantized_relu(8,2,negative_slope=0.25)", "quantized_bits(6,0,1)", "quantized_bits(4,1,1)",
    "quantized_tanh(5)", "quantized_ulaw(6,1)", "binary()", "binary(use_01=1)", "ternary()",
    "stochastic_binary()", "stochastic_ternary()", "bernoulli()", "quantized_po2(4,2)",
    "quantized_relu_po2(4)", "quantized_relu_po2(3,2)", "quantized_sigmoid(6)", "quantized_po2(4)",
    "quantized_linear(8,2)",
]  # fmt: skip
LAYER_ACTIVATIONS = [*[None] * 5, *ACTIVATIONS, "relu", "linear", "softmax"]
SCALES = [
    "quantized_relu_po2(6)", "quantized_relu_po2(4,2)", "quantized_po2(5)",
    "quantized_bits(6,0,1)", "quantized_relu_po2(6,2048)", "ternary()", "binary()",
    "quantized_relu_po2(3,0.2)", "binary(use_01=1)", None,
]  # fmt: skip
VARIANCES = [
    "quantized_relu_po2(6)", "quantized_relu_po2(4,2)", "quantized_relu_po2(5,9)",
    "quantized_bits(8,1,0)", "quantized_po2(6,4)", "quantized_relu_po2(5,0.1)", None,
]  # fmt: skip
SOURCES = [
    "quantized_bits(8,0,1)", "quantized_bits(8,0,0)", "quantized_relu(6,1)", "int8", "fp16",
    "fp32", "quantized_bits(4,0,1)", "binary()", "quantized_po2(4)", "int16",
]  # fmt: skip
NAMED = [None, "fp16", "fp32", "int8", "int16", "int32", "quantized_bits(12,3,1)", "ternary()"]
PLACES = ["dram", "sram", "fixed"]
SIZES = [0, 0, 2**16, 2**20, 2**27]
"""Least sizes of the SRAM, in bits."""

SHAPES = {"image": [8, 6, 3], "sequence": [12, 3], "vector": [20]}
MERGES = [
    "Add", "Add", "Average", "Concatenate", "Concatenate", "Maximum", "Minimum", "Multiply",
    "Multiply",
]  # fmt: skip


def draw_case(random: Random) -> Spec:
    """A network, the options of QTools' constructor, and those of its `pe`."""
    spec = _Drawer(random).spec()
    named = [random.choice(NAMED) if random.random() < 0.5 else None for _ in range(2)]
    sources = [random.choice(SOURCES) for _ in spec["inputs"]]
    return {
        "spec": spec,
        "options": {
            "keras_quantizer": named[0],
            "keras_accumulator": named[1],
            "for_reference": random.random() < 0.3,
            "is_inference": random.random() < 0.35,
        },
        "source_quantizers": random.choice([None, sources]),
        "memory": {
            "weights_on_memory": random.choice(PLACES),
            "activations_on_memory": random.choice(PLACES),
            "min_sram_size": random.choice(SIZES),
            "rd_wr_on_io": random.random() < 0.5,
        },
    }


class _Drawer:
    """One network in the making."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.layers: list[Spec] = []

    def spec(self) -> Spec:
        style = self.pick(["image"] * 5 + ["sequence", "vector"])
        count = 2 if self.chance(0.2) else 1
        inputs = [{"name": f"input_{i}", "shape": SHAPES[style]} for i in range(count)]
        step = {"image": self.body, "sequence": self.sequence, "vector": self.dense}[style]
        ends = [step(item["name"]) for item in inputs]
        joined = self.join(ends) if count > 1 else self.flat(ends[0], style)
        outputs = [self.head(joined) for _ in range(self.pick([1, 1, 1, 2]))]
        return {"inputs": inputs, "layers": self.layers, "outputs": outputs}

    def add(self, kind: str, sources: Sequence[str], **args: Any) -> str:
        name = f"{kind.lower()}_{len(self.layers)}"
        self.layers.append({"type": kind, "name": name, "args": args, "from": list(sources)})
        return name

    def pick(self, items: Sequence[Any]) -> Any:
        return self.random.choice(items)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def bias(self) -> Spec:
        return {"use_bias": self.chance(0.7), "bias_quantizer": self.pick(BIASES)}

    def join(self, ends: Sequence[str]) -> str:
        kind = self.pick(["Concatenate", "Concatenate", "Add"])
        flat = [self.add("Flatten", [end]) for end in ends]
        if kind == "Add":
            kernel = self.pick(WEIGHTS)
            flat = [self.add("QDense", [end], units=5, kernel_quantizer=kernel) for end in flat]
        return self.add(kind, flat)

    def flat(self, end: str, style: str) -> str:
        if style == "vector":
            return end
        kind = self.pick(["Flatten", "Flatten", "QGlobalAveragePooling2D", "GlobalMaxPooling2D"])
        if style == "sequence" or kind == "Flatten":
            return self.add("Flatten", [end])
        quantized = kind == "QGlobalAveragePooling2D"
        args = {"average_quantizer": self.pick(WEIGHTS)} if quantized else {}
        return self.add(kind, [end], **args)

    def head(self, end: str) -> str:
        for _ in range(self.random.randint(1, 3)):
            end = self.dense(end)
            end = self.plain(end) if self.chance(0.5) else end
        return end

    def body(self, end: str) -> str:
        steps = [
            self.convolution, self.convolution, self.plain, self.plain, self.resize, self.merge,
        ]  # fmt: skip
        for _ in range(self.random.randint(1, 5)):
            end = self.pick(steps)(end)
        return end

    def dense(self, end: str) -> str:
        units = self.pick([1, 4, 10])
        if self.chance(0.15):
            return self.add("Dense", [end], units=units)
        activation = self.pick(LAYER_ACTIVATIONS)
        kernel = self.pick(WEIGHTS)
        return self.add(
            "QDense", [end], units=units, kernel_quantizer=kernel, activation=activation,
            **self.bias(),
        )  # fmt: skip

    def sequence(self, end: str) -> str:
        for _ in range(self.random.randint(1, 3)):
            end = self.add(
                "QConv1D", [end], filters=self.pick([2, 4]), kernel_size=self.pick([1, 3]),
                padding="same", kernel_quantizer=self.pick(WEIGHTS),
                activation=self.pick(LAYER_ACTIVATIONS), **self.bias(),
            )  # fmt: skip
            end = self.plain(end)
        last: Callable[[], str] = self.pick(
            [
                lambda: self.add("MaxPooling1D", [end], pool_size=2),
                lambda: self.add("UpSampling1D", [end], size=2),
                lambda: self.add("QLSTM", [end], units=3, return_sequences=True),
                lambda: end,
            ]
        )
        return last()

    def convolution(self, end: str) -> str:
        kind = self.pick(
            ["QConv2D"] * 6
            + ["QDepthwiseConv2D", "QDepthwiseConv2D", "QConv2DTranspose", "QConv2DBatchnorm"]
            + ["QDepthwiseConv2DBatchnorm", "QSeparableConv2D", "Conv2D", "DepthwiseConv2D"]
            + ["Conv2DTranspose"]
        )
        return self.add(kind, [end], **self.convolution_settings(kind))

    def convolution_settings(self, kind: str) -> Spec:
        settings: Spec = {"kernel_size": self.pick([1, 2, 3]), "padding": "same"}
        if "Depthwise" not in kind:
            settings["filters"] = self.pick([2, 4, 8])
        if "Transpose" in kind:
            settings["strides"] = 2
        if not kind.startswith("Q"):
            keras = {"use_bias": self.chance(0.7), "activation": self.pick([None, "relu"])}
            return settings | keras
        return settings | self.bias() | self.kernels(kind)

    def kernels(self, kind: str) -> Spec:
        if kind == "QSeparableConv2D":
            pair = {"depthwise_quantizer", "pointwise_quantizer"}
            return {name: self.pick(WEIGHTS) for name in sorted(pair)}
        name = "depthwise_quantizer" if "Depthwise" in kind else "kernel_quantizer"
        kernel = {name: self.pick(WEIGHTS)}
        if kind == "QDepthwiseConv2DBatchnorm":
            return kernel | {"padding": "SAME"}
        activated = kind in {"QConv2D", "QDepthwiseConv2D"}
        return kernel | ({"activation": self.pick(LAYER_ACTIVATIONS)} if activated else {})

    def plain(self, end: str) -> str:
        choices: list[tuple[str, Spec]] = [
            ("QActivation", {"activation": self.pick(ACTIVATIONS)}),
            ("QActivation", {"activation": self.pick(ACTIVATIONS)}),
            ("Activation", {"activation": self.pick(["relu", "softmax", "linear", "tanh"])}),
            ("Dropout", {"rate": 0.1}),
            ("ReLU", {}),
            ("LeakyReLU", {}),
            ("GaussianNoise", {"stddev": 0.1}),
            ("LayerNormalization", {}),
            ("QAdaptiveActivation", {"activation": self.pick(["quantized_relu", "quantized_bits"]),
                                     "total_bits": self.pick([4, 6, 8]), "ema_freeze_delay": 1}),
            ("QBatchNormalization", self.normalization()),
            ("QBatchNormalization", self.normalization()),
            ("BatchNormalization", self.parts()),
        ]  # fmt: skip
        kind, args = self.pick(choices)
        return self.add(kind, [end], **args)

    def parts(self) -> Spec:
        return {"scale": self.chance(0.7), "center": self.chance(0.7)}

    def normalization(self) -> Spec:
        if self.chance(0.3):
            return self.parts()
        return self.parts() | {
            "gamma_quantizer": self.pick(SCALES),
            "variance_quantizer": self.pick(VARIANCES),
            "beta_quantizer": self.pick([None, "quantized_po2(4)", "quantized_bits(4,0,1)"]),
            "mean_quantizer": self.pick([None, "quantized_bits(4,0,1)"]),
        }

    def resize(self, end: str) -> str:
        window = {"pool_size": 2, "padding": "same"}
        average = {
            "average_quantizer": self.pick(WEIGHTS), "activation": self.pick([None, *ACTIVATIONS]),
        }  # fmt: skip
        choices: list[tuple[str, Spec]] = [
            ("MaxPooling2D", window),
            ("UpSampling2D", {"size": 2}),
            ("ZeroPadding2D", {"padding": 1}),
            ("Cropping2D", {"cropping": 1}),
            ("QAveragePooling2D", window | average),
        ]
        rare = [("AveragePooling2D", window)]
        kind, args = self.pick(rare if self.chance(0.03) else choices)
        return self.add(kind, [end], **args)

    def merge(self, end: str) -> str:
        branches = [self.branch(end) for _ in range(self.pick([2, 2, 2, 3]))]
        if self.chance(0.03):
            return self.add("Subtract", branches[:2])
        return self.add(self.pick(MERGES), branches)

    def branch(self, end: str) -> str:
        for _ in range(self.pick([0, 1, 1, 2])):
            end = self.plain(end)
        return end
