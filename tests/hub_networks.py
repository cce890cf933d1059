"""Small networks of keras-hub's classes, with random weights and without any download.

Each has the rows that are not covered, by the last part of their names, and what TensorFlow's graph
counts beside the rows that are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from keras_hub import layers
from keras_hub import models as hub


class Case(NamedTuple):
    """A network, and what is not as TensorFlow counts it."""

    make: Callable[[], Any]
    unpriced: tuple[str, ...] = ()
    beside: int = 0
    """Multiply-accumulates of rows without a count, less those of rows that no result needs, or
    that work for each example on copies of weights."""

    shapes: Mapping[str, tuple[int, ...]] = {}
    """Shapes of inputs that are not as short as those of the others."""

    is_slow: bool = True


SIZES = {"num_layers": 2, "hidden_dim": 16}
TEXT = {"vocabulary_size": 100, "intermediate_dim": 32, **SIZES}
HEADS = {"num_heads": 2, **TEXT}
SHORT = {"max_sequence_length": 32, **HEADS}
GROUPED = {"num_query_heads": 4, "num_key_value_heads": 2, **TEXT}
EXPERTS = {"num_experts": 4, "top_k": 2, **GROUPED}
PATCHES = {"image_shape": (32, 32, 3), "patch_size": 8, "num_heads": 2, **SIZES}
ENCODER = {"intermediate_dim": 32, **PATCHES}
CAPTION = {"embedding_dim": 16, "max_sequence_length": 8, **HEADS}


def vit() -> Any:
    sizes = PATCHES | {"patch_size": (8, 8)}
    return hub.ViTBackbone(mlp_dim=32, **sizes)


def swin(window_size: int) -> Any:
    return hub.SwinTransformerBackbone(
        image_shape=(64, 64, 3), embed_dim=8, depths=(2, 2), num_heads=(2, 4),
        window_size=window_size,
    )  # fmt: skip


def vit_det(**settings: Any) -> Any:
    sizes = {
        "hidden_size": 16, "num_layers": 2, "intermediate_dim": 32, "num_heads": 2,
        "global_attention_layer_indices": [1], "image_shape": (64, 64, 3), "patch_size": 8,
        "num_output_channels": 8, "window_size": 3,
    }  # fmt: skip
    return hub.ViTDetBackbone(**sizes | settings)


def sig_lip() -> Any:
    return hub.SigLIPBackbone(hub.SigLIPVisionEncoder(**ENCODER), hub.SigLIPTextEncoder(**CAPTION))


def clip() -> Any:
    return hub.CLIPBackbone(
        hub.CLIPVisionEncoder(**ENCODER), hub.CLIPTextEncoder(**CAPTION), projection_dim=8
    )


def sam() -> Any:
    return hub.SAMBackbone(
        vit_det(patch_size=16, window_size=2),
        layers.SAMPromptEncoder(
            hidden_size=8, image_embedding_size=(4, 4), input_image_size=(64, 64),
            mask_in_channels=4,
        ),
        layers.SAMMaskDecoder(
            num_layers=2, hidden_size=8, intermediate_dim=16, num_heads=2, embedding_dim=8,
            num_multimask_outputs=3, iou_head_depth=2, iou_head_hidden_dim=8,
        ),
    )  # fmt: skip


def res_net() -> Any:
    return hub.ResNetBackbone(
        input_conv_filters=[64], input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 16, 16, 16], stackwise_num_blocks=[1] * 4,
        stackwise_num_strides=[1, 2, 2, 2], block_type="basic_block", image_shape=(64, 64, 3),
    )  # fmt: skip


def retina_net() -> Any:
    return hub.RetinaNetBackbone(
        image_encoder=res_net(), min_level=3, max_level=5, use_p5=True, image_shape=(64, 64, 3)
    )


def deep_lab() -> Any:
    return hub.DeepLabV3Backbone(
        image_encoder=res_net(), spatial_pyramid_pooling_key="P4", upsampling_size=4,
        dilation_rates=[2, 4], low_level_feature_key="P2", projection_filters=8,
        image_shape=(64, 64, 3),
    )  # fmt: skip


def mit() -> Any:
    return hub.MiTBackbone(
        image_shape=(32, 32, 3), num_layers=2, hidden_dims=[8, 16], layerwise_depths=[1, 1],
        layerwise_num_heads=[1, 2], layerwise_sr_ratios=[2, 1], layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2], max_drop_path_rate=0.1,
    )  # fmt: skip


def hg_net() -> Any:
    return hub.HGNetV2Backbone(
        depths=[1, 1, 1], embedding_size=8, hidden_sizes=[16, 24, 32], stem_channels=[3, 8, 8],
        hidden_act="relu", use_learnable_affine_block=True,
        stackwise_stage_filters=[(8, 8, 16, 1, 1, 3), (16, 8, 24, 1, 1, 3), (24, 8, 32, 1, 2, 3)],
        apply_downsample=[False, True, True], use_lightweight_conv_block=[False, False, True],
        image_shape=(64, 64, 3),
    )  # fmt: skip


def efficient_net(first: str) -> Any:
    return hub.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0] * 2, stackwise_depth_coefficients=[1.0] * 2,
        stackwise_kernel_sizes=[3, 5], stackwise_num_repeats=[1, 2],
        stackwise_input_filters=[8, 8], stackwise_output_filters=[8, 16],
        stackwise_expansion_ratios=[1, 4], stackwise_squeeze_and_excite_ratios=[0.25, 0.25],
        stackwise_strides=[1, 2], stackwise_block_types=[first, "unfused"],
        stackwise_force_input_filters=[0, 0], stackwise_nores_option=[False, False],
        num_features=32, image_shape=(32, 32, 3),
    )  # fmt: skip


def mobile_net() -> Any:
    return hub.MobileNetBackbone(
        stackwise_expansion=[[8, 16], [16, 32]], stackwise_num_blocks=[2, 2],
        stackwise_num_filters=[[8, 8], [16, 16]], stackwise_kernel_size=[[3, 3], [5, 5]],
        stackwise_num_strides=[[2, 1], [2, 1]], stackwise_se_ratio=[[None] * 2, [0.25] * 2],
        stackwise_activation=[["relu"] * 2, ["hard_swish"] * 2],
        stackwise_padding=[[1, 1], [2, 2]], output_num_filters=32, depthwise_filters=8,
        depthwise_stride=2, depthwise_residual=False, last_layer_filter=16,
        squeeze_and_excite=0.5, input_num_filters=8, image_shape=(64, 64, 3),
    )  # fmt: skip


def mobile_net_v5() -> Any:
    blocks = {
        "block_types": ("er", "uir", "mqa"), "num_filters": (8, 16, 16), "strides": (2, 2, 1),
        "act_layers": ("relu",) * 3, "exp_ratios": (4.0, 6.0, 0.0), "se_ratios": (0.0,) * 3,
        "dw_kernel_sizes": (0, 5, 0), "dw_start_kernel_sizes": (0,) * 3,
        "dw_end_kernel_sizes": (0,) * 3, "exp_kernel_sizes": (3, 0, 0),
        "pw_kernel_sizes": (1, 0, 0), "num_heads": (0, 0, 2), "key_dims": (0, 0, 8),
        "value_dims": (0, 0, 8), "kv_strides": (0, 0, 2), "use_cpe": (False,) * 3,
    }  # fmt: skip
    return hub.MobileNetV5Backbone(
        image_shape=(64, 64, 3), stem_size=8, use_msfa=False, stackwise_num_blocks=[1, 1, 1],
        **{f"stackwise_{name}": [[one] for one in each] for name, each in blocks.items()},
    )  # fmt: skip


def csp_net() -> Any:
    return hub.CSPNetBackbone(
        stem_filters=8, stem_kernel_size=3, stem_strides=1, stackwise_depth=[1, 1],
        stackwise_strides=[1, 2], stackwise_num_filters=[8, 16], block_type="dark_block",
        stage_type="dark", stem_padding="same", image_shape=(32, 32, 3),
    )  # fmt: skip


def dino_v2(**settings: Any) -> Any:
    position = {"position_embedding_shape": (40, 40, 3), "num_register_tokens": 2}
    return hub.DINOV2Backbone(**ENCODER | position | settings)


def flux() -> Any:
    return hub.FluxBackbone(
        input_channels=8, hidden_size=16, mlp_ratio=2.0, num_heads=2, depth=1,
        depth_single_blocks=1, axes_dim=[2, 2, 4], theta=10000, use_bias=True,
        guidance_embed=True, image_shape=(8, 8), text_shape=(4, 16), image_ids_shape=(8, 3),
        text_ids_shape=(4, 3), y_shape=(16,),
    )  # fmt: skip


def gemma_3n() -> Any:
    return hub.Gemma3nBackbone(
        text_vocab_size=50, text_hidden_size=8, num_hidden_layers=2, pad_token_id=0,
        num_attention_heads=2, num_key_value_heads=1, head_dim=4, intermediate_size=[16, 16],
        hidden_activation="gelu_approximate",
        layer_types=["full_attention", "sliding_attention"], sliding_window=4,
        rope_theta=10000.0, max_position_embeddings=16, vocab_size_per_layer_input=50,
        hidden_size_per_layer_input=2, altup_num_inputs=2, laurel_rank=1,
    )  # fmt: skip


def t5_gemma(make: Any) -> Any:
    half = {
        "hidden_dim": 16, "intermediate_dim": 32, "num_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 4,
        "layer_types": ["full_attention", "sliding_attention"],
    }  # fmt: skip
    both = {
        f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in half.items()
    }
    return make(vocabulary_size=100, sliding_window=4, **both)


def smol_lm() -> Any:
    return hub.SmolLM3Backbone(
        vocabulary_size=100, hidden_dim=16, intermediate_dim=32, num_layers=2,
        num_attention_heads=4, num_key_value_heads=2, attention_bias=False,
        attention_dropout=0.0, rope_layer_enabled_list=[True, False],
        layer_types=["full_attention"] * 2, mlp_bias=False, layer_norm_epsilon=1e-6,
        max_position_embeddings=32, rope_theta=10000.0, partial_rotary_factor=1.0,
    )  # fmt: skip


def moonshine() -> Any:
    return hub.MoonshineBackbone(
        vocabulary_size=100, filter_dim=16, encoder_num_layers=1, decoder_num_layers=1,
        hidden_dim=16, intermediate_dim=32, encoder_num_heads=2, decoder_num_heads=2,
    )  # fmt: skip


def par_seq() -> Any:
    return hub.PARSeqBackbone(
        image_encoder=vit(), vocabulary_size=20, max_label_length=8, decoder_hidden_dim=16,
        num_decoder_layers=1, num_decoder_heads=2, decoder_mlp_dim=32,
    )  # fmt: skip


def pali_gemma() -> Any:
    return hub.PaliGemmaBackbone(
        image_size=16, head_dim=4, vit_patch_size=4, vit_num_heads=2, vit_hidden_dim=8,
        vit_num_layers=1, **GROUPED,
    )  # fmt: skip


def rwkv() -> Any:
    return hub.RWKV7Backbone(
        hidden_size=16, head_size=8, num_layers=2, vocabulary_size=100, intermediate_dim=32,
        gate_lora=8, mv_lora=4, aaa_lora=4, decay_lora=4,
    )  # fmt: skip


def video_prism(**settings: Any) -> Any:
    return hub.VideoPrismBackbone(
        num_frames=2, patch_size=8, hidden_dim=16, intermediate_dim=32, num_heads=2,
        num_spatial_layers=1, num_temporal_layers=1, num_auxiliary_layers=1,
        image_shape=(16, 16, 3), **settings,
    )  # fmt: skip


def whisper() -> Any:
    lengths = {"max_encoder_sequence_length": 16, "max_decoder_sequence_length": 16}
    return hub.WhisperBackbone(num_mels=8, **lengths, **HEADS)


def xception() -> Any:
    return hub.XceptionBackbone(
        stackwise_conv_filters=[[8, 8], [16, 16]], stackwise_pooling=[True, True],
        image_shape=(64, 64, 3),
    )  # fmt: skip


GEMMA = {"head_dim": 4, **GROUPED}
WINDOW = {"use_sliding_window_attention": True, "sliding_window_size": 4}
PAIRS = ("matmul", "multiply", "transpose@2")
"""The scores of every image with every text of a batch: no part of them is of one example."""

CASES: dict[str, Case] = {
    "bert": Case(lambda: hub.BertBackbone(**SHORT), is_slow=False),
    "bert classifier": Case(lambda: hub.BertTextClassifier(hub.BertBackbone(**SHORT), 3)),
    "clip": Case(clip, PAIRS, 8),
    "deberta": Case(
        lambda: hub.DebertaV3Backbone(bucket_size=4, **SHORT),
        # They gather by a function of TensorFlow.
        ("self_attention_layer", "self_attention_layer"), 24576, is_slow=False,
    ),
    "deit": Case(lambda: hub.DeiTBackbone(**ENCODER), is_slow=False),
    "dino v3": Case(lambda: hub.DINOV3Backbone(use_gated_mlp=True, **ENCODER), is_slow=False),
    "gpt2": Case(lambda: hub.GPT2Backbone(**SHORT)),
    "gpt2 language model": Case(lambda: hub.GPT2CausalLM(hub.GPT2Backbone(**SHORT))),
    "llama": Case(lambda: hub.LlamaBackbone(**GROUPED), is_slow=False),
    "llama language model": Case(lambda: hub.LlamaCausalLM(hub.LlamaBackbone(**GROUPED))),
    "mixtral": Case(
        lambda: hub.MixtralBackbone(sliding_window=4, **EXPERTS), ("top_k", "top_k"),
        is_slow=False,
    ),
    "mobilenet v5": Case(mobile_net_v5, ("activation",), is_slow=False),
    "moonshine": Case(moonshine, shapes={"encoder_input_values": (4096, 1)}, is_slow=False),
    "roformer": Case(lambda: hub.RoformerV2Backbone(head_size=8, **HEADS), is_slow=False),
    "sam": Case(sam, shapes={"masks": (1, 16, 16, 1)}, is_slow=False),
    # One image by one text of 16 features; the query of the pooling, a weight that is copied for
    # each example, by its kernel of 16 x 16.
    "siglip": Case(
        sig_lip, ("matmul", "multiply", "add", "transpose@2"), 16 - 16 * 16, is_slow=False
    ),
    "swin": Case(lambda: swin(4), is_slow=False),
    "swin with padding": Case(lambda: swin(3)),
    "t5": Case(lambda: hub.T5Backbone(**HEADS), is_slow=False),
    "t5 without gates": Case(
        lambda: hub.T5Backbone(
            use_gated_activation=False, tie_embedding_weights=False, key_value_dim=4, **HEADS
        )
    ),
    "vit": Case(vit, is_slow=False),
    "vit classifier": Case(lambda: hub.ViTImageClassifier(vit(), num_classes=5)),
    "vitdet": Case(vit_det, is_slow=False),
    "vitdet without positions": Case(lambda: vit_det(use_rel_pos=False, window_size=4)),
    # ------------------------------------------------------------ images
    "csp net": Case(csp_net),
    # The last stage of its encoder, which no result reads: 2 x 2 points of a 3 x 3, a 1 x 1 and
    # a 3 x 3 convolution of 16 channels.
    "deeplab": Case(deep_lab, beside=-4 * 16 * 16 * (9 + 1 + 9)),
    "dense net": Case(lambda: hub.DenseNetBackbone([2, 2], (64, 64, 3), growth_rate=8)),
    "dino v2": Case(dino_v2),
    "dino v2 with swiglu": Case(lambda: dino_v2(use_swiglu_ffn=True)),
    "efficient net": Case(lambda: efficient_net("v1")),
    "efficient net v2": Case(lambda: efficient_net("fused")),
    "flux": Case(flux),
    "hg net": Case(hg_net),
    "mit": Case(mit),
    "mobile net": Case(mobile_net),
    "parseq": Case(par_seq),
    "res net": Case(res_net),
    "retina net": Case(retina_net),
    "segformer": Case(lambda: hub.SegFormerBackbone(image_encoder=mit(), projection_filters=8)),
    "vgg": Case(lambda: hub.VGGBackbone([1, 1], [8, 16], (32, 32, 3))),
    "video prism": Case(video_prism),
    "video prism with text": Case(lambda: video_prism(vocabulary_size=100, num_text_layers=1)),
    "xception": Case(xception),
    # ------------------------------------------------------------ text and sound
    "albert": Case(
        lambda: hub.AlbertBackbone(embedding_dim=8, num_inner_repetitions=2, **SHORT)
    ),
    "bart": Case(lambda: hub.BartBackbone(**SHORT)),
    "bloom": Case(lambda: hub.BloomBackbone(**HEADS)),
    "distilbert": Case(lambda: hub.DistilBertBackbone(**SHORT)),
    "edrec": Case(lambda: hub.EdRecBackbone(100, 2, 2, 16, 32, 2)),
    "electra": Case(lambda: hub.ElectraBackbone(100, 2, 2, 16, 8, 32, max_sequence_length=32)),
    "esm": Case(lambda: hub.ESMBackbone(**SHORT)),
    "falcon": Case(lambda: hub.FalconBackbone(num_attention_heads=2, **TEXT)),
    "fnet": Case(lambda: hub.FNetBackbone(max_sequence_length=32, **TEXT), ("fft2", "fft2")),
    "gemma": Case(lambda: hub.GemmaBackbone(**GEMMA)),
    "gemma 2": Case(
        lambda: hub.GemmaBackbone(
            use_post_ffw_norm=True, use_post_attention_norm=True, attention_logit_soft_cap=50.0,
            **WINDOW, **GEMMA,
        )
    ),
    "gemma 3": Case(lambda: hub.Gemma3Backbone(image_size=16, **WINDOW, **GEMMA)),
    "gemma 3n": Case(gemma_3n),
    "gemma 4": Case(lambda: hub.Gemma4Backbone(image_size=16, **GEMMA)),
    "gpt neox": Case(lambda: hub.GPTNeoXBackbone(rotary_percentage=0.5, **SHORT)),
    "gpt oss": Case(lambda: hub.GptOssBackbone(sliding_window=4, **EXPERTS), ("top_k", "top_k")),
    "mistral": Case(lambda: hub.MistralBackbone(sliding_window=4, **GROUPED)),
    "opt": Case(lambda: hub.OPTBackbone(**SHORT)),
    "paligemma": Case(pali_gemma),
    "phi 3": Case(lambda: hub.Phi3Backbone(**GROUPED)),
    "qwen 2": Case(lambda: hub.Qwen2Backbone(**GROUPED)),
    "qwen 3": Case(lambda: hub.Qwen3Backbone(**GEMMA)),
    "qwen 3 with experts": Case(
        lambda: hub.Qwen3MoeBackbone(moe_intermediate_dim=8, head_dim=4, **EXPERTS),
        ("top_k", "top_k"),
    ),
    "roberta": Case(lambda: hub.RobertaBackbone(**SHORT)),
    # Their steps write into an array of TensorFlow.
    "rwkv": Case(rwkv, ("RWKV_TIME_MIX", "RWKV_TIME_MIX"), 33792),
    "smollm": Case(smol_lm),
    "t5 gemma": Case(lambda: t5_gemma(hub.T5GemmaBackbone)),
    "t5 gemma 2": Case(lambda: t5_gemma(hub.T5Gemma2Backbone)),
    "whisper": Case(whisper),
    "xlm roberta": Case(lambda: hub.XLMRobertaBackbone(**SHORT)),
    # In 2 layers, 16 relative positions, copied for each example, by a kernel of 16 x 16.
    "xlnet": Case(lambda: hub.XLNetBackbone(**HEADS), beside=-2 * 16 * 16 * 16),
}  # fmt: skip
