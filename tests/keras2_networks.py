"""Networks that Keras 2 and Keras 3 build alike: each takes the package to build it with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE, LINE, VECTOR, BLOCK = (8, 8, 3), (12, 4), (6,), (4, 6, 6, 2)


def chain(keras: Any, shape: Any, *layers: Any) -> Any:
    """A functional model of one layer after another."""
    tensor = inputs = keras.Input(shape, name="in")
    for layer in layers:
        tensor = layer(tensor)
    return keras.Model(inputs, tensor, name="net")


def perceptron(keras: Any) -> Any:
    """Dense layers, in a sequential model."""
    new = keras.layers
    return keras.Sequential(
        [
            keras.Input(VECTOR, name="in"),
            new.Dense(5, activation="relu", name="hidden"),
            new.Dropout(0.5, name="drop"),
            new.Dense(2, use_bias=False, activation="softmax", name="out"),
        ],
        name="net",
    )


def convolutional(keras: Any) -> Any:
    """Convolution, normalization, pooling."""
    new = keras.layers
    return chain(
        keras, IMAGE,
        new.Conv2D(4, 3, padding="same", name="conv"), new.BatchNormalization(name="norm"),
        new.ReLU(name="relu"), new.MaxPooling2D(name="pool"), new.Flatten(name="flat"),
        new.Dense(3, name="out"),
    )  # fmt: skip


def residual(keras: Any) -> Any:
    """A branch that is added again."""
    new = keras.layers
    inputs = keras.Input(IMAGE, name="in")
    first = new.Conv2D(4, 1, name="first")(inputs)
    second = new.Conv2D(4, 3, padding="same", name="second")(first)
    return keras.Model(inputs, new.Add(name="sum")([first, second]), name="net")


def branches(keras: Any) -> Any:
    """Two inputs, two outputs, every merge."""
    new = keras.layers
    left, right = keras.Input(VECTOR, name="left"), keras.Input(VECTOR, name="right")
    both = [left, right]
    merged = [
        new.Average(name="mean")(both), new.Maximum(name="max")(both),
        new.Minimum(name="min")(both), new.Multiply(name="mul")(both),
        new.Subtract(name="sub")(both), new.Dot(1, name="dot")(both),
    ]  # fmt: skip
    joined = new.Concatenate(name="join")(merged)
    return keras.Model(both, [new.Dense(2, name="out")(joined), merged[0]], name="net")


def separable(keras: Any) -> Any:
    """Depthwise and separable convolutions."""
    new = keras.layers
    return chain(
        keras, IMAGE,
        new.ZeroPadding2D(((0, 1), (0, 1)), name="pad"),
        new.DepthwiseConv2D(3, strides=2, depth_multiplier=2, name="depthwise"),
        new.SeparableConv2D(5, 2, name="separable"), new.GlobalAveragePooling2D(name="pool"),
    )  # fmt: skip


def transposed(keras: Any) -> Any:
    """Transposed convolutions with and without their own output padding."""
    new = keras.layers
    return chain(
        keras, IMAGE,
        new.Conv2DTranspose(4, 3, strides=2, padding="same", name="up"),
        new.Conv2DTranspose(2, 3, strides=2, output_padding=1, name="padded"),
        new.Cropping2D(1, name="crop"), new.UpSampling2D(2, interpolation="bilinear", name="wide"),
    )  # fmt: skip


def grouped(keras: Any) -> Any:
    """Grouped and dilated convolutions."""
    new = keras.layers
    return chain(
        keras, (9, 9, 4),
        new.Conv2D(6, 3, groups=2, name="grouped"),
        new.Conv2D(6, 2, dilation_rate=2, name="dilated"),
        new.PReLU(shared_axes=(1, 2), name="slopes"),
    )  # fmt: skip


def line(keras: Any) -> Any:
    """One dimension."""
    new = keras.layers
    return chain(
        keras, LINE,
        new.Conv1D(6, 3, padding="causal", activation="tanh", name="causal"),
        new.AveragePooling1D(2, name="pool"), new.SeparableConv1D(4, 3, name="separable"),
        new.GlobalMaxPooling1D(keepdims=True, name="most"), new.UpSampling1D(3, name="wide"),
    )  # fmt: skip


def block(keras: Any) -> Any:
    """Three dimensions."""
    new = keras.layers
    return chain(
        keras, BLOCK,
        new.Conv3D(3, 2, name="conv"), new.MaxPooling3D(2, padding="same", name="pool"),
        new.Conv3DTranspose(2, 2, name="up"), new.GlobalAveragePooling3D(name="mean"),
    )  # fmt: skip


def embedding(keras: Any) -> Any:
    """A table of words."""
    new = keras.layers
    return chain(
        keras, (7,), new.Embedding(20, 4, name="words"), new.GlobalAveragePooling1D(name="mean"),
        new.Dense(1, activation="sigmoid", name="out"),
    )  # fmt: skip


def reshaping(keras: Any) -> Any:
    """Movement alone."""
    new = keras.layers
    return chain(
        keras, VECTOR, new.RepeatVector(4, name="repeat"), new.Permute((2, 1), name="turn"),
        new.Reshape((3, -1), name="shape"), new.Flatten(name="flat"),
    )  # fmt: skip


def activations(keras: Any) -> Any:
    """Activations by layer and by name, also those that were renamed."""
    new = keras.layers
    return chain(
        keras, VECTOR, new.Dense(4, activation="swish", name="dense"),
        new.Activation("swish", name="named"), new.LeakyReLU(name="leaky"), new.ELU(name="elu"),
        new.Activation("gelu", name="gelu"), new.Softmax(name="softmax"),
    )  # fmt: skip


def normalizations(keras: Any) -> Any:
    """Normalizations, and scaling by constants."""
    new = keras.layers
    return chain(
        keras, IMAGE, new.Rescaling(1 / 255, name="scale"),
        new.BatchNormalization(axis=-1, scale=False, name="batch"),
        new.LayerNormalization(axis=[1, 2], name="layer"),
        new.BatchNormalization(center=False, name="centered"),
    )  # fmt: skip


def shared(keras: Any) -> Any:
    """A layer called twice."""
    new = keras.layers
    inputs, dense = keras.Input(VECTOR, name="in"), new.Dense(6, name="same")
    return keras.Model(inputs, dense(dense(inputs)), name="net")


def nested(keras: Any) -> Any:
    """Models as layers: functional, sequential, and one called twice."""
    new = keras.layers
    inner_input = keras.Input(VECTOR, name="inner_in")
    inner = keras.Model(inner_input, new.Dense(6, name="deep")(inner_input), name="inner")
    row = keras.Sequential([keras.Input(VECTOR), new.Dense(6, name="first")], name="row")
    inputs = keras.Input(VECTOR, name="in")
    return keras.Model(inputs, [row(inner(inner(inputs))), row(inputs)], name="net")


def nested_at_the_end(keras: Any) -> Any:
    """A model that gives what another one within it gave."""
    new = keras.layers
    row = keras.Sequential([keras.Input(VECTOR), new.Dense(3, name="first")], name="row")
    inner_input = keras.Input((3,), name="inner_in")
    inner = keras.Model(inner_input, new.Dense(2, name="deep")(inner_input), name="inner")
    inputs = keras.Input(VECTOR, name="in")
    middle = row(inputs)
    return keras.Model(inputs, {"end": inner(middle), "middle": middle}, name="net")


def of_dictionaries(keras: Any) -> Any:
    """A model that takes a dictionary, called as a layer."""
    new = keras.layers
    tensors = {"b": keras.Input(VECTOR, name="b"), "a": keras.Input(VECTOR, name="a")}
    inner = keras.Model(tensors, new.Subtract(name="less")([tensors["a"], tensors["b"]]), name="m")
    left, right = keras.Input(VECTOR, name="left"), keras.Input(VECTOR, name="right")
    return keras.Model([left, right], inner({"a": left, "b": right}), name="net")


def distributed(keras: Any) -> Any:
    """A layer at every step of time."""
    new = keras.layers
    step = new.Conv2D(2, 2, activation="swish", name="conv")
    return chain(keras, (3, *IMAGE), new.TimeDistributed(step, name="steps"))


def recurrent(keras: Any) -> Any:
    """Layers over time, in both directions, and with states among their results."""
    new = keras.layers
    inputs = keras.Input(LINE, name="in")
    both = new.Bidirectional(new.GRU(3, return_sequences=True, name="gru"), name="both")(inputs)
    steps, *state = new.LSTM(4, return_sequences=True, return_state=True, name="lstm")(both)
    cells = new.StackedRNNCells(
        [new.LSTMCell(4, name="low"), new.GRUCell(3, name="high")], name="cells"
    )
    last = new.RNN(cells, name="stack")(steps)
    simple = new.SimpleRNN(4, name="simple")(steps, initial_state=state[:1])
    return keras.Model(inputs, [last, simple, state[1]], name="net")


def attention(keras: Any) -> Any:
    """Attention by layers, arguments by their names."""
    new = keras.layers
    inputs = keras.Input(LINE, name="in")
    heads = new.MultiHeadAttention(2, 3, name="heads")(inputs, value=inputs, key=inputs)
    dense = new.EinsumDense("abc,cd->abd", output_shape=(None, 4), name="einsum")(heads)
    found = new.Attention(name="dot")([dense, inputs])
    return keras.Model(inputs, new.LayerNormalization(name="norm")(found), name="net")


def channels_first(keras: Any) -> Any:
    """Channels in front of the image."""
    new = keras.layers
    first = {"data_format": "channels_first"}
    return chain(
        keras, (3, 8, 8), new.Conv2D(4, 3, **first, name="conv"),
        new.BatchNormalization(axis=1, name="norm"), new.AveragePooling2D(2, **first, name="pool"),
        new.GlobalMaxPooling2D(**first, name="most"),
    )  # fmt: skip


def open_sizes(keras: Any) -> Any:
    """An image of any size."""
    new = keras.layers
    return chain(
        keras, (None, None, 3), new.Conv2D(4, 3, strides=2, name="conv"),
        new.GlobalAveragePooling2D(keepdims=True, name="pool"), new.Dense(2, name="out"),
    )  # fmt: skip


NETWORKS: dict[str, Callable[[Any], Any]] = {
    build.__name__: build
    for build in (
        perceptron, convolutional, residual, branches, separable, transposed, grouped, line, block,
        embedding, reshaping, activations, normalizations, shared, nested, nested_at_the_end,
        of_dictionaries, distributed, recurrent, attention, channels_first, open_sizes,
    )
}  # fmt: skip
"""By name; each is saved by Keras 2 in `tests/keras/samples`."""
