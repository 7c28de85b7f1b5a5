"""Whether a config is that of a text decoder, and where in it: others are refused by the field that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.footprint.spec.fields import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER_PARTS = {
    "vision_config": "a vision tower",
    "visual": "a vision tower",
    "vision_tower": "a vision tower",
    "mm_vision_tower": "a vision tower",
    "audio_config": "an audio encoder",
    "audio_tower": "an audio encoder",
    "thinker_config": "audio and vision encoders",
    "talker_config": "a speech decoder",
    "vae_config": "an image decoder",
    "decoder_config": "a decoder of another modality",
    "_diffusers_version": "a diffusion model",
    "_class_name": "a diffusion model",
}
"""Fields of parts whose weights dstop has no arithmetic for."""

ENCODERS = frozenset(
    {"albert", "bert", "camembert", "clip", "deberta", "deberta-v2", "distilbert", "electra", "modernbert", "roberta",
     "siglip", "vit", "wav2vec2", "xlm-roberta"}
)  # fmt: skip


def text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the config of the text decoder: the config itself, or its `text_config` where nothing else has weights.

    Raises:
        PlanError: the model has other parts, or is no decoder; it names the field that says so.
    """
    for name, what in OTHER_PARTS.items():
        if config.get(name):
            raise PlanError(
                f"model: {name} says {what}, whose weights dstop has no arithmetic for",
                fix="plan its text decoder alone: give text_config as the model",
            )
    if config.get("is_encoder_decoder"):
        raise PlanError("model: is_encoder_decoder is true", fix="dstop plans decoder-only language models")
    family = config.get("model_type")
    if isinstance(family, str) and family in ENCODERS:
        raise PlanError(
            f"model: model_type {shown(family)} is an encoder", fix="dstop plans decoder-only language models"
        )
    text = config.get("text_config", config.get("llm_config"))
    if text is None:
        return config
    if not isinstance(text, dict):
        raise PlanError(f"text_config: {shown(text)} is no object of fields", fix="the config of the decoder")
    if text.get("text_config") is not None:
        raise PlanError("text_config: there is one inside it", fix="give the inner one as the model")
    return text_part(text)
