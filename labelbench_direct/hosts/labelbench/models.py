"""``open_clip_vitb32``: CLIP ViT-B/32 with OpenAI's weights by open_clip, in place of LabelBench's ``clip_vitb32``."""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

NAME = "open_clip_vitb32"
KEYS = frozenset({"checkpoint"})
"""What its configuration may have beyond LabelBench's ``model_name``, ``pretrain``, ``ret_emb`` and so on."""

ARCHITECTURE = "ViT-B-32-quickgelu"  # OpenAI trained with this activation; plain ViT-B-32 would change the features
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")  # in OpenAI's own archives


class OpenClipVisionOnly(nn.Module):
    """The image encoder and a classifier on its (n, 512) features; for 0 classes the features themselves.

    Configuration: ``pretrain`` true for OpenAI's weights (the default), ``checkpoint`` for a file with weights instead,
    ``pretrain`` false for random ones. The text encoder is kept until a zero-shot head is made from it.
    """

    def __init__(self, num_output: int, ret_emb: bool, pretrain: bool, checkpoint: str | None) -> None:
        super().__init__()
        self.image_encoder_model, self.preprocess_transform = _encoder(pretrain, checkpoint)
        self.embed_dim = int(self.image_encoder_model.text_projection.shape[1])
        self.ret_emb = ret_emb
        self.num_output = num_output
        self.classifier: nn.Module = nn.Linear(self.embed_dim, num_output) if num_output else nn.Identity()

    def forward(self, imgs: torch.Tensor, ret_features: bool = False, freeze: bool = False) -> Any:
        """Logits; with ``ret_features`` (detached) or ``ret_emb`` features, too; ``freeze`` spares the encoder."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not freeze):
            features = self.image_encoder_model.encode_image(imgs)
        if ret_features:
            return self.classifier(features), features.detach()
        return (self.classifier(features), features) if self.ret_emb else self.classifier(features)

    def init_head_withzeroshot(self, classnames: list[str] | None, template: str) -> None:
        """Make the classifier from class names and one of LabelBench's templates, by the text encoder."""
        if classnames is None:
            raise ValueError(
                f"a zero-shot head with {template!r} needs class names, and this data set has none; "
                "use a model configuration without a template"
            )
        import open_clip

        head = importlib.import_module("LabelBench.model.model_impl.zero_shot_head")
        tokenizer = open_clip.get_tokenizer(ARCHITECTURE)
        self.classifier = head.get_zeroshot_classifier(self.image_encoder_model, tokenizer, classnames, template)
        self.image_encoder_model.transformer = None  # the text encoder: half of the memory, not needed any more

    def get_embedding_dim(self) -> int:
        """512."""
        return self.embed_dim

    def get_preprocess(self, split: str) -> Any:
        """OpenAI's transform, the same for training and testing."""
        return self.preprocess_transform


def _encoder(pretrain: bool, checkpoint: str | None) -> tuple[Any, Any]:
    """CLIP and its transform for images. Leaves torch's random state as it was."""
    import open_clip

    if checkpoint is not None and not Path(checkpoint).is_file():
        raise FileNotFoundError(f"the model configuration's checkpoint {checkpoint!r} is not there")
    weights = "openai" if pretrain and checkpoint is None else None
    with torch.random.fork_rng(devices=[]):
        try:
            model, _, preprocess = open_clip.create_model_and_transforms(
                ARCHITECTURE, pretrained=weights, precision="fp32"
            )
        except RuntimeError as error:
            raise RuntimeError(
                f"OpenAI's weights of ViT-B/32 could not be had ({error}); without a network, name a file with them as "
                '"checkpoint" in the model configuration, or ask for random weights with "pretrain": false'
            ) from error
    if checkpoint is not None:
        model.load_state_dict(_read_weights(checkpoint))
    return model, preprocess


def _read_weights(checkpoint: str) -> dict[str, torch.Tensor]:
    """The weights in OpenAI's own archive (ViT-B-32.pt), in a state dictionary, or in safetensors."""
    if zipfile.is_zipfile(checkpoint) and any("/code/" in name for name in zipfile.ZipFile(checkpoint).namelist()):
        archive: dict[str, torch.Tensor] = torch.jit.load(checkpoint, map_location="cpu").state_dict()  # type: ignore[no-untyped-call]  # torch's is untyped
        return {name: weight.float() for name, weight in archive.items() if name not in _NOT_WEIGHTS}
    from open_clip.factory import load_state_dict

    weights: dict[str, torch.Tensor] = load_state_dict(checkpoint)
    return {name: weight for name, weight in weights.items() if name not in _NOT_WEIGHTS}


def _init_open_clip(model_config: dict[str, Any]) -> OpenClipVisionOnly:
    return OpenClipVisionOnly(
        model_config["num_output"],
        ret_emb=model_config.get("ret_emb", False),
        pretrain=model_config.get("pretrain", True),
        checkpoint=model_config.get("checkpoint"),
    )


def register() -> None:
    """File the model in LabelBench's registry."""
    registry = importlib.import_module("LabelBench.skeleton.model_skeleton")
    registry.register_model(NAME)(_init_open_clip)
