"""The functions of TensorFlow that rules are known for, by the names that programs call them by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from costmodel_keras.arguments import Arguments, Array, layer_inputs
from costmodel_keras.keras2 import function_settings as settings
from costmodel_keras.keras2.functions import (
    ITEM,
    PREFIX,
    Adapter,
    Called,
    Function,
    FunctionError,
    Operation,
    as_key,
)

if TYPE_CHECKING:
    from costmodel_keras.layers.operations.operation import Whole


def _row(
    operation: str, operands: str, options: str = "", adapt: Adapter | None = None, **more: Any
) -> Function:
    return Function(operation, tuple(operands.split()), tuple(options.split()), adapt=adapt, **more)


def _all(operands: str, names: str) -> Iterator[tuple[str, Function]]:
    """Functions of the same operands, each named `function=Operation`."""
    for pair in names.split():
        name, _, operation = pair.partition("=")
        yield name, _row(operation, operands)


_IMAGE: Final = "strides padding data_format dilations rate"
_POOLED: Final = "ksize strides padding data_format dilations"
_SIZES: Final = "offset_height offset_width target_height target_width"
_KEEPING: Final = "axis keepdims"
_SIMULATED: Final = "tf.quantization.fake_quant_with_min_max_args"
_SIMULATED_OPTIONS: Final = "min max num_bits narrow_range"
_LAST_TWO: Final = {"axis1": -2, "axis2": -1}


def _pools() -> Iterator[tuple[str, Function]]:
    for how, operation in (("max", "MaxPool"), ("avg", "AveragePool")):
        for rank in ("", "1d", "2d", "3d"):
            yield f"nn.{how}_pool{rank}", _row(operation, "input", _POOLED, settings.pool())


def _convolutions() -> Iterator[tuple[str, Function]]:
    adapt = settings.convolution("input")
    for name in ("conv1d", "conv2d", "conv3d", "convolution"):
        defaults = {"padding": "VALID"}
        yield f"nn.{name}", _row("Conv", "input filters", _IMAGE, adapt, defaults=defaults)
    for rank in ("1d", "2d", "3d"):
        yield (
            f"nn.conv{rank}_transpose",
            _row(
                "ConvTranspose", "input filters", f"output_shape {_IMAGE}",
                settings.transposed_convolution, defaults={"padding": "SAME"},
            ),
        )  # fmt: skip
    for name in ("depthwise_conv2d", "depthwise_conv2d_native"):
        yield f"nn.{name}", _row("DepthwiseConv", "input filters", _IMAGE, adapt)
    yield (
        "nn.separable_conv2d",
        _row("SeparableConv", "input depthwise_filter pointwise_filter", _IMAGE, adapt),
    )


def _resizings() -> Iterator[tuple[str, Function]]:
    for name, method in (
        ("bilinear", "bilinear"), ("nearest_neighbor", "nearest"), ("bicubic", "bicubic"),
    ):  # fmt: skip
        yield f"image.resize_{name}", _row("Resize", "images", "size", settings.resize_by(method))
    options = "size method preserve_aspect_ratio antialias"
    for name in ("resize", "resize_images"):
        yield (
            f"image.{name}",
            _row("Resize", "images", options, settings.resize, defaults={"method": "bilinear"}),
        )


_REDUCTIONS: Final = """
    all=All any=Any euclidean_norm=Norm logsumexp=Logsumexp max=Max mean=Mean min=Min prod=Prod
    std=Std sum=Sum variance=Var
"""


def _reductions() -> Iterator[tuple[str, Function]]:
    for pair in _REDUCTIONS.split():
        name, _, operation = pair.partition("=")
        yield (
            f"math.reduce_{name}", _row(operation, "input_tensor", _KEEPING, settings.reduction)
        )  # fmt: skip


FUNCTIONS: Final[Mapping[str, Function]] = {
    **dict(_all("x y", """
        __operators__.add=Add __operators__.eq=Equal __operators__.ne=NotEqual
        bitwise.bitwise_and=BitwiseAnd bitwise.bitwise_or=BitwiseOr bitwise.bitwise_xor=BitwiseXor
        div_no_nan=DivideNoNan floor_div=FloorDivide floordiv=FloorDivide math.add=Add
        math.divide=Divide math.divide_no_nan=DivideNoNan math.equal=Equal
        math.floordiv=FloorDivide math.floormod=Mod math.greater=Greater
        math.greater_equal=GreaterEqual math.less=Less math.less_equal=LessEqual
        math.logical_and=LogicalAnd math.logical_or=LogicalOr math.logical_xor=LogicalXor
        math.maximum=Maximum math.minimum=Minimum math.mod=Mod math.multiply=Multiply
        math.multiply_no_nan=tf.math.multiply_no_nan math.not_equal=NotEqual math.pow=Power
        math.squared_difference=tf.math.squared_difference math.subtract=Subtract
        math.truediv=TrueDivide math.xdivy=tf.math.xdivy math.xlogy=tf.math.xlogy
    """)),
    **dict(_all("x", """
        math.abs=Absolute math.acos=Arccos math.acosh=Arccosh math.asin=Arcsin math.asinh=Arcsinh
        math.atan=Arctan math.atanh=Arctanh math.bessel_i0=I0 math.ceil=Ceil math.cos=Cos
        math.cosh=Cosh math.erf=Erf math.erfc=Erfc math.erfinv=Erfinv math.exp=Exp math.expm1=Expm1
        math.floor=Floor math.is_finite=Isfinite math.is_inf=Isinf math.is_nan=Isnan math.log=Log
        math.log1p=Log1p math.log_sigmoid=LogSigmoid math.logical_not=LogicalNot
        math.negative=Negative math.reciprocal=Reciprocal
        math.reciprocal_no_nan=tf.math.reciprocal_no_nan math.rint=Round math.round=Round
        math.rsqrt=Rsqrt math.sigmoid=Sigmoid math.sign=Sign math.sin=Sin math.sinh=Sinh
        math.sqrt=Sqrt math.square=Square math.tan=Tan math.tanh=Tanh math.digamma=tf.math.digamma
        math.erfcinv=tf.math.erfcinv math.lgamma=tf.math.lgamma math.ndtri=tf.math.ndtri
    """)),
    **dict(_all("features", """
        math.softplus=Softplus math.softsign=Softsign nn.elu=Elu nn.relu=Relu nn.relu6=Relu6
        nn.selu=Selu nn.softsign=Softsign
    """)),
    **dict(_all("input", """
        grad_pass_through=Copy identity=Copy
        image.per_image_standardization=tf.image.per_image_standardization
        linalg.inv=tf.linalg.inv ones_like=OnesLike stop_gradient=StopGradient
        zeros_like=ZerosLike
    """)),
    **dict(_pools()),
    **dict(_convolutions()),
    **dict(_resizings()),
    **dict(_reductions()),
    "argsort": _row("tf.argsort", "values", "axis direction"),
    "broadcast_to": _row("BroadcastTo", "input", "shape"),
    "cast": _row("Cast", "x", "dtype"),
    "clip_by_value": _row(
        "Clip", "t", "clip_value_min clip_value_max",
        renamed={"clip_value_min": "x_min", "clip_value_max": "x_max"},
    ),
    "concat": _row("Concatenate", "values", "axis"),
    "convert_to_tensor": _row("Copy", "value", "dtype_hint"),
    "batch_to_space": _row(
        "tf.batch_to_space_nd", "input", "block_shape crops", settings.batch_to_space
    ),
    "batch_to_space_nd": _row(
        "tf.batch_to_space_nd", "input", "block_shape crops", settings.batch_to_space
    ),
    "debugging.check_numerics": _row("tf.debugging.check_numerics", "tensor", "message"),
    "quantization.fake_quant_with_min_max_args": _row(_SIMULATED, "inputs", _SIMULATED_OPTIONS),
    "quantization.fake_quant_with_min_max_vars": _row(_SIMULATED, "inputs", _SIMULATED_OPTIONS),
    "space_to_batch": _row(
        "tf.space_to_batch_nd", "input", "block_shape paddings", settings.space_to_batch
    ),
    "space_to_batch_nd": _row(
        "tf.space_to_batch_nd", "input", "block_shape paddings", settings.space_to_batch
    ),
    "dtypes.saturate_cast": _row("SaturateCast", "value", "dtype"),
    "ensure_shape": _row("Copy", "x", "shape", settings.along()),
    "expand_dims": _row("ExpandDims", "input", "axis"),
    "gather": _row("Take", "params indices", "axis batch_dims", settings.taken),
    "gather_nd": _row("tf.gather_nd", "params indices", "batch_dims", defaults={"batch_dims": 0}),
    "image.adjust_brightness": _row("Add", "image delta"),
    "image.central_crop": _row("CropImages", "image", "central_fraction", settings.central),
    "image.crop_to_bounding_box": _row("CropImages", "image", _SIZES, settings.cut("cropping")),
    "image.extract_patches": _row(
        "ExtractPatches", "images", "sizes strides rates padding", settings.patches
    ),
    "image.flip_left_right": _row("Flip", "image", adapt=settings.along(axis=(-2,))),
    "image.flip_up_down": _row("Flip", "image", adapt=settings.along(axis=(-3,))),
    "image.grayscale_to_rgb": _row(
        "Repeat", "images", adapt=settings.along(repeats=(3,), axis=-1)
    ),
    "image.pad_to_bounding_box": _row("PadImages", "image", _SIZES, settings.cut("padding")),
    "image.resize_with_pad": _row(
        "Resize", "image", "target_height target_width method antialias", settings.resize_padded,
        defaults={"method": "bilinear"},
    ),
    "image.rgb_to_grayscale": _row("RGBToGrayscale", "images", adapt=settings.along()),
    "image.rgb_to_hsv": _row("tf.image.rgb_to_hsv", "images"),
    "image.hsv_to_rgb": _row("tf.image.hsv_to_rgb", "images"),
    "image.rot90": _row("Rot90", "image", "k", settings.quarters, defaults={"k": 1}),
    "linalg.cross": _row("Cross", "a b"),
    "linalg.diag": _row(
        "tf.linalg.diag", "diagonal", "k", defaults={"k": 0}
    ),
    "linalg.diag_part": _row(
        "Diagonal", "input", "k", lambda called: {**_LAST_TWO, "offset": called["k"] or 0}
    ),
    "linalg.matmul": _row(
        "Matmul", "a b", "transpose_a transpose_b adjoint_a adjoint_b", settings.matmul
    ),
    "linalg.matrix_transpose": _row("Swapaxes", "a", adapt=settings.along(axis1=-2, axis2=-1)),
    "linalg.trace": _row("Trace", "x", adapt=lambda _: {**_LAST_TWO, "offset": 0}),
    "math.accumulate_n": _row("tf.math.add_n", "inputs"),
    "math.add_n": _row("tf.math.add_n", "inputs"),
    "math.argmax": _row("Argmax", "input", "axis", defaults={"axis": 0}),
    "math.argmin": _row("Argmin", "input", "axis", defaults={"axis": 0}),
    "math.atan2": _row("Arctan2", "y x"),
    "math.count_nonzero": _row("CountNonzero", "input", _KEEPING, settings.reduction),
    "math.cumprod": _row("Cumprod", "x", "axis", defaults={"axis": 0}),
    "math.cumsum": _row("Cumsum", "x", "axis", defaults={"axis": 0}),
    "math.cumulative_logsumexp": _row("tf.math.cumulative_logsumexp", "x", "axis"),
    "math.l2_normalize": _row("Normalize", "x", "axis", defaults={"axis": (-1,)}),
    "math.scalar_mul": _row("Multiply", "scalar x"),
    "math.top_k": _row("tf.math.top_k", "input", "k sorted index_type", defaults={"k": 1}),
    "nn.bias_add": _row("Add", "value bias", "data_format", settings.bias),
    "nn.depth_to_space": _row("DepthToSpace", "input", "block_size data_format", settings.blocks),
    "nn.dropout": _row("tf.nn.dropout", "x", "rate noise_shape seed"),
    "nn.embedding_lookup": _row(
        "Take", "params ids", "partition_strategy max_norm", settings.looked_up
    ),
    "nn.gelu": _row("Gelu", "features", "approximate", defaults={"approximate": False}),
    "nn.leaky_relu": _row(
        "LeakyRelu", "features", "alpha", renamed={"alpha": "negative_slope"},
        defaults={"alpha": 0.2},
    ),
    "nn.local_response_normalization": _row(
        "tf.nn.local_response_normalization", "input", "depth_radius bias alpha beta",
        defaults={"depth_radius": 5},
    ),
    "nn.log_softmax": _row("LogSoftmax", "logits", "axis", defaults={"axis": -1}),
    "nn.silu": _row("Silu", "features", "beta", settings.along()),
    "nn.softmax": _row("Softmax", "logits", "axis", defaults={"axis": -1}),
    "nn.space_to_depth": _row("SpaceToDepth", "input", "block_size data_format", settings.blocks),
    "norm": _row("Norm", "tensor", "ord axis keepdims", settings.norm),
    "one_hot": _row("OneHot", "indices", "depth on_value off_value axis", settings.hot),
    "pad": _row(
        "Pad", "tensor", "paddings mode constant_values", settings.pad,
        defaults={"mode": "CONSTANT"},
    ),
    "repeat": _row("Repeat", "input", "repeats axis"),
    "reshape": _row("Reshape", "tensor", "shape", renamed={"shape": "newshape"}),
    "reverse": _row("Flip", "tensor", "axis"),
    "roll": _row("Roll", "input", "shift axis"),
    "sequence_mask": _row("tf.sequence_mask", "lengths", "maxlen"),
    "signal.frame": _row(
        "ExtractSequences", "signal", "frame_length frame_step axis",
        lambda called: {
            "sequence_length": called["frame_length"], "sequence_stride": called["frame_step"]
        },
    ),
    "sort": _row("tf.sort", "values", "axis direction"),
    "split": _row(
        "Split", "value", "num_or_size_splits axis num", settings.split, defaults={"axis": 0}
    ),
    "squeeze": _row("Squeeze", "input", "axis"),
    "stack": _row("Stack", "values", "axis", defaults={"axis": 0}),
    "tensordot": _row("Tensordot", "a b", "axes"),
    "tile": _row("Tile", "input", "multiples", renamed={"multiples": "repeats"}),
    "transpose": _row("Transpose", "a", "perm", renamed={"perm": "axes"}),
    "unstack": _row("Unstack", "value", "num axis", defaults={"axis": 0}),
    "where": _row("Where", "condition x y", optional=2),
}  # fmt: skip
"""By the name of the function, without what TensorFlow writes in front of its older ones."""


# ------------------------------------------------------------------ what a row cannot say


def _indexed(called: Called, index: Any) -> Operation:
    return Operation(ITEM, {}, Arguments((called["tensor"], index)))


def _item(called: Called) -> Operation:
    return _indexed(called, as_key(called["slice_spec"]))


def _block(called: Called) -> Operation:
    return _indexed(called, settings.block(called))


def _strided(called: Called) -> Operation:
    return _indexed(called, settings.strided(called))


def _band(called: Called) -> Operation:
    name, found = settings.band(called)
    return Operation(f"keras.ops.{name}", found, Arguments((called["input"],)))


def _fitted(called: Called) -> Operation:
    name, found = settings.fitted(called)
    return Operation(f"keras.ops.{name}", found, Arguments((called["image"],)))


def _gathered(called: Called) -> Operation:
    """A lookup; where tensor and indices share the batch, each example in itself."""
    if called["batch_dims"] in {None, 0}:
        return FUNCTIONS["gather"].translated(called)
    given = Arguments((called["params"], called["indices"]))
    return Operation("tf.gather", settings.gathered(called), given)


def _colours(called: Called) -> Operation:
    """Every colour a sum of three, by a constant matrix."""
    given = Arguments((called["images"], Array((3, 3), "float32")))
    return Operation("keras.ops.Tensordot", {"axes": 1}, given)


def _pooled(called: Called) -> Operation:
    how = {"MAX": "MaxPool", "AVG": "AveragePool"}.get(called["pooling_type"])
    if how is None:
        called.refuse("pooling_type")
    adapted = settings.pool(default_stride=True)(called)
    return Operation(f"keras.ops.{how}", adapted, Arguments((called["input"],)))


def _normalized(called: Called) -> Operation:
    """A batch normalization by given statistics."""
    names = ("x", "mean", "variance", "offset", "scale")
    if called["is_training"] is not False or settings.data_format(called) != _LAST:
        called.refuse("is_training")
    values = tuple([called[name] for name in names])
    return Operation("keras.ops.BatchNorm", {}, Arguments(values))


_TARGETS: Final = "target_height target_width"
_LAST: Final = {"data_format": "channels_last"}

Special = tuple[Function, Callable[[Called], Operation]]

SPECIAL: Final[Mapping[str, Special]] = {
    "__operators__.getitem": (_row("GetItem", "tensor slice_spec", optional=1), _item),
    "gather": (FUNCTIONS["gather"], _gathered),
    "image.resize_image_with_crop_or_pad": (_row("PadImages", "image", _TARGETS), _fitted),
    "image.resize_with_crop_or_pad": (_row("PadImages", "image", _TARGETS), _fitted),
    "image.rgb_to_yiq": (_row("Tensordot", "images"), _colours),
    "image.rgb_to_yuv": (_row("Tensordot", "images"), _colours),
    "image.yiq_to_rgb": (_row("Tensordot", "images"), _colours),
    "image.yuv_to_rgb": (_row("Tensordot", "images"), _colours),
    "linalg.band_part": (_row("Tril", "input", "num_lower num_upper"), _band),
    "nn.fused_batch_norm": (
        _row("BatchNorm", "x scale offset mean variance", "is_training data_format"), _normalized,
    ),
    "nn.pool": (
        _row("MaxPool", "input", f"pooling_type {_POOLED}"), _pooled,
    ),
    "slice": (_row("GetItem", "tensor", "begin size"), _block),
    "strided_slice": (
        _row("GetItem", "tensor", "begin end strides begin_mask end_mask shrink_axis_mask"),
        _strided,
    ),
}  # fmt: skip
"""Functions whose operation, or what it is called on, depends on the call."""


def operation(kind: str, given: Arguments, wholes: Sequence[Whole]) -> Operation:
    """What a call of a function of TensorFlow, by its kind, is in the words of the rules.

    Raises:
        FunctionError: it is not in the table, or called in a way that no rule knows.

    """
    name = kind.removeprefix(PREFIX)
    found = _einsum(given) if name == "einsum" else _found(name, given, wholes)
    read = {each.index for each in layer_inputs(found.arguments.positional)}
    if read != set(range(len(wholes))):
        message = f"tf.{name} takes a tensor where a number is expected"
        raise FunctionError(message)
    return found


def _found(name: str, given: Arguments, wholes: Sequence[Whole]) -> Operation:
    row, make = SPECIAL.get(name) or _plain(name)
    return make(row.call(name, given, wholes))


def _plain(name: str) -> Special:
    row = FUNCTIONS.get(name)
    if row is None:
        raise FunctionError  # its kind says that there is no rule
    return row, row.translated


def _einsum(given: Arguments) -> Operation:
    """Products by an equation, which stands in front of the operands."""
    equation, *operands = given.positional or (None,)
    if not isinstance(equation, str) or not operands:
        message = (
            "tf.einsum is recorded without its operands: a file of Keras 2 keeps the equation "
            "alone; read the live model"
        )
        raise FunctionError(message)
    return Operation("keras.ops.Einsum", {"subscripts": equation}, Arguments(tuple(operands)))
