"""The architectures of the public code examples of Keras are read, and counted as they compute."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import public_networks as nets
import pytest
from tensorflow_counts import multiply_accumulates

from costmodel import Network, read
from costmodel.network.layer import UnknownLayer

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # Keras itself, under NumPy 2
    "ignore:NotImplemented should not be used:DeprecationWarning",  # Keras, in a tensordot of axes
    # The examples themselves bring these:
    "ignore:Layer .* was passed an input with a mask:UserWarning",
    "ignore:Layer .* looks like it has unbuilt state:UserWarning",
    "ignore:`build.*was called on layer:UserWarning",
)

IS_LOOPED = {"unroll": True}
"""What writes out the steps of a recurrent network, whose loop hides them from TensorFlow."""


class Case(NamedTuple):
    """What is not covered of a network, and what TensorFlow's graph computes beside it."""

    make: Any
    unpriced: Mapping[str, str] = MappingProxyType({})
    reference: Mapping[str, bool] = MappingProxyType({})
    beside: int = 0


A_TRANSFORM = "how many operations a Fourier transform takes is the plan of the library"
A_FUNCTION = "it runs a function of the program, which is never called here"
A_SUM_OVER_EDGES = (
    "axis 1 of its input is the batch; a 'keras.ops.SegmentSum' takes the batch as the first axis"
)

CASES = [
    Case(nets.vision_transformer),
    Case(nets.distilled_vision_transformer),
    Case(nets.swin_transformer),
    # The projection of the latents that are weights is computed once.
    Case(nets.perceiver, beside=6 * 16 * 16),
    Case(nets.mlp_mixer),
    Case(
        nets.fourier_network,
        {
            "sequential_2/fourier/fft2": A_TRANSFORM,
            "sequential_2/fourier_1/fft2": A_TRANSFORM,
        },
    ),
    Case(nets.gated_perceptron),
    Case(nets.conv_mixer),
    Case(nets.mobile_vision_transformer),
    Case(nets.compact_convolutional_transformer),
    Case(nets.external_attention, {"double_norm": A_FUNCTION}),
    # TensorFlow extracts patches by a convolution with an identity.
    Case(nets.involution, beside=(8 * 8 + 4 * 4) * 9 * 4 * 36),
    Case(nets.token_learner),
    Case(nets.class_attention),
    Case(nets.u_net),
    Case(nets.xception_u_net),
    Case(nets.dilated_segmentation),
    Case(nets.enhanced_super_resolution),
    Case(nets.sub_pixel_super_resolution),
    Case(nets.curve_estimation),
    Case(nets.low_light_enhancement),
    Case(nets.dcgan_generator),
    Case(nets.dcgan_discriminator),
    Case(nets.convolutional_autoencoder),
    Case(nets.variational_autoencoder),
    Case(nets.vector_quantized_autoencoder),
    Case(nets.pixel_cnn),
    Case(nets.cycle_gan_generator),
    Case(nets.denoising_diffusion, {"lambda": A_FUNCTION}),
    Case(nets.diffusion_u_net),
    Case(nets.neural_radiance_field),
    Case(nets.point_network),
    Case(nets.dense_graph_attention),
    Case(nets.multiple_instance_learning),
    # Nodes stand before the batch: what follows the sum over edges is named, not counted.
    Case(
        nets.traffic_forecast,
        {
            "traffic_forecast/graph_convolution/segment_sum": A_SUM_OVER_EDGES,
            **dict.fromkeys(
                [
                    "traffic_forecast/graph_convolution/matmul@2",
                    "traffic_forecast/graph_convolution/concatenate",
                    "traffic_forecast/graph_convolution/relu",
                    "traffic_forecast/reshape",
                    "traffic_forecast/lstm",
                    "traffic_forecast/dense",
                    "traffic_forecast/reshape@2",
                    "traffic_forecast/transpose@2",
                ],
                "the shape of its input is not known for one example",
            ),
        },
        IS_LOOPED,
        beside=4 * 6 * 3 * 4 + 4 * 6 * (8 + 5) * 20 + 4 * 5 * 3,
    ),
    Case(nets.siamese_network),
    Case(nets.text_classifier),
    Case(nets.masked_language_model),
    Case(nets.miniature_gpt),
    Case(nets.translation_transformer),
    Case(nets.sequence_to_sequence, reference=IS_LOOPED),
    Case(nets.bidirectional_classifier, reference=IS_LOOPED),
    Case(nets.text_recognition, reference=IS_LOOPED),
    Case(nets.next_frame, reference=IS_LOOPED),
    Case(nets.dilated_waves),
    Case(nets.temporal_convolution),
    Case(nets.time_series_transformer),
    Case(nets.speech_transformer),
    Case(nets.video_transformer),
    Case(nets.video_recurrent, reference=IS_LOOPED),
    Case(nets.video_residual),
    Case(nets.wide_and_deep),
    Case(nets.deep_and_cross),
    Case(nets.deep_factorisation),
    Case(nets.tabular_transformer),
    Case(nets.variable_selection),
    Case(nets.decision_forest),
    Case(nets.collaborative_filtering),
    Case(nets.behaviour_sequence),
    Case(nets.normalizing_flow),
]
BY_NAME = {case.make.__name__: case for case in CASES}


@functools.cache
def built(name: str) -> Any:
    keras.utils.clear_session(free_memory=False)  # names are counted from the beginning
    return BY_NAME[name].make()


@functools.cache
def network(name: str) -> Network:
    return read(built(name))


def of_inputs(model: Any, found: Network) -> Any:
    """The model itself, or the functional model around one that has no graph."""
    if getattr(model, "inputs", None):
        return model
    inputs = [keras.Input(layer.shape) for layer in found.inputs]
    return keras.Model(inputs, model(inputs if len(inputs) > 1 else inputs[0]))


@pytest.mark.parametrize("name", BY_NAME)
def test_a_network_is_counted_as_tensorflow_computes_it(name: str) -> None:
    case, found = BY_NAME[name], network(name)
    model = case.make(**case.reference) if case.reference else built(name)
    assert found.macs == multiply_accumulates(of_inputs(model, found)) - case.beside


@pytest.mark.parametrize("name", BY_NAME)
def test_a_network_has_the_parameters_that_keras_counts(name: str) -> None:
    assert network(name).parameter_count == built(name).count_params()


@pytest.mark.parametrize("name", BY_NAME)
def test_what_no_rule_covers_is_named_with_the_reason(name: str) -> None:
    unknown = [layer for layer in network(name).layers if isinstance(layer, UnknownLayer)]
    assert {layer.name: layer.reason for layer in unknown} == dict(BY_NAME[name].unpriced)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_network_is_the_same_from_its_own_json(name: str) -> None:
    found = network(name)
    assert read(found.to_json()) == found
