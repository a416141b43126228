"""CLIP's ViT-B/32 by open_clip: fine-tuned, or as a frozen embedding whose features are kept on disk."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from labelbench_direct.core.checks import check_choice, check_count
from labelbench_direct.hosts.embedded.config import at_home, check_flag
from labelbench_direct.hosts.embedded.data.npz import write_npz
from labelbench_direct.hosts.embedded.data.parts import Data, Part
from labelbench_direct.hosts.embedded.models.inputs import ArrayInputs, Inputs
from labelbench_direct.hosts.embedded.models.network import Network, Training, classifier
from labelbench_direct.hosts.embedded.models.transfer import to_host

ARCHITECTURE = "ViT-B-32-quickgelu"  # OpenAI's ViT-B/32 was trained with this activation
OPENAI_WEIGHTS = "timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors"

_ROWS_SCORED = 250


@dataclass(frozen=True)
class Clip:
    """``weights``: ``openai``, ``random``, or the path of a checkpoint of open_clip's ``ViT-B-32-quickgelu``.

    ``frozen``: a ``head``, ``linear`` or an ``mlp`` with ``hidden`` units, on the embedding, which is computed once and
    kept in the folder ``cache`` under a checksum of data and model. Otherwise all layers and a linear head learn.
    ``flip``: see ``Preprocessing``.
    """

    weights: str = "openai"
    frozen: bool = True
    head: str = "linear"
    hidden: int = 128
    cache: str = "data/features"
    flip: bool = True

    def __post_init__(self) -> None:
        for name in ("weights", "cache"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a string, got {getattr(self, name)!r}")
        check_flag(self.frozen, "frozen")
        check_flag(self.flip, "flip")
        check_choice(self.head, "head", ("linear", "mlp"))
        check_count(self.hidden, "hidden", least=1)
        if self.head == "mlp" and not self.frozen:
            raise ValueError("head 'mlp' is for the frozen embedding: set frozen to true, or head to 'linear'")

    def network(self, training: Training, data: Data, device: torch.device) -> Network:
        from labelbench_direct.hosts.embedded.models.images import ImageInputs, Preprocessing

        visual = _visual(self.weights)
        settings = visual.preprocess_cfg
        preprocessing = Preprocessing(settings["size"][0], settings["mean"], settings["std"], self.flip)
        images = ImageInputs(data, device, preprocessing, _ROWS_SCORED)
        if not self.frozen:
            return Network(images, lambda num_classes: ClipClassifier(visual, num_classes))
        features = cached_features(data, images, visual, repr(preprocessing), at_home(self.cache), device)
        head = replace(training, model=self.head, hidden=self.hidden)  # type: ignore[arg-type]  # checked above
        return classifier(head, ArrayInputs(features, device))


class ClipClassifier(nn.Module):
    """A copy of CLIP's image encoder with a linear head."""

    def __init__(self, visual: Any, num_classes: int) -> None:
        super().__init__()
        self.body = copy.deepcopy(visual)
        self.head = nn.Linear(visual.output_dim, num_classes)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, K) and embeddings (n, 512)."""
        embeddings = self.body(inputs)
        return self.head(embeddings), embeddings


def cached_features(
    data: Data, images: Inputs, visual: nn.Module, preprocessing: str, folder: Path, device: torch.device
) -> Data:
    """The data with the model's embeddings (n, D) float32 in place of the images: computed, or from an earlier time.

    A file has its name only when it is whole and on disk, and one that cannot be read, or holds anything else, is made
    again. Raises OSError naming the file where the disk refuses it.
    """
    parts = {"train": data.train, "val": data.val, "test": data.test}
    path = folder / f"clip-{_checksum(parts, visual, preprocessing)}.npz"
    features = _kept(path, parts)
    if features is None:
        features = {name: _features(images, name, visual, device) for name in parts}
        write_npz(path, features)
    train, val, test = (Part(features[name], part.labels) for name, part in parts.items())
    return replace(data, train=train, val=val, test=test, image_shape=None)


def _kept(path: Path, parts: Mapping[str, Part]) -> dict[str, NDArray[Any]] | None:
    """The features of a file, or None where it is not there or not what was written."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            features = {name: stored[name] for name in parts}
    except Exception:  # a damaged file raises whatever numpy, zipfile or zlib meets in it
        return None
    rows = [len(features[name]) == len(part.labels) for name, part in parts.items() if features[name].ndim == 2]
    columns = {array.shape[-1:] for array in features.values()}
    return features if rows == [True] * len(parts) and len(columns) == 1 else None


@torch.no_grad()
def _features(images: Inputs, part: str, visual: nn.Module, device: torch.device) -> NDArray[np.float32]:
    visual = visual.to(device).eval()

    def embedded(batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.autocast(device.type, enabled=device.type == "cuda"):
            return (visual(batch).float(),)

    (features,) = to_host(map(embedded, images.in_order(part)))
    array: NDArray[np.float32] = features.numpy()
    return array


def _checksum(parts: Mapping[str, Part], visual: nn.Module, preprocessing: str) -> str:
    digest = hashlib.sha256(preprocessing.encode())
    arrays = {name: part.inputs for name, part in parts.items()}
    weights = {name: value.cpu().numpy() for name, value in visual.state_dict().items()}
    for name, array in (arrays | weights).items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]


def _visual(weights: str) -> Any:
    """open_clip's image encoder on the CPU."""
    try:
        import open_clip
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"model 'clip_vitb32' needs {error.name}: pip install 'labelbench-direct[clip]'", name=error.name
        ) from error
    if weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            return open_clip.create_model(ARCHITECTURE).visual
    path = _openai_weights() if weights == "openai" else at_home(weights)
    if not path.is_file():
        raise FileNotFoundError(
            f"there are no weights at {path}; weights must be 'openai', 'random' or the path of a checkpoint of "
            f"open_clip's {ARCHITECTURE}"
        )
    try:
        return open_clip.create_model(ARCHITECTURE, pretrained=str(path)).visual
    except Exception as error:  # open_clip raises whatever it meets in a file that is none of its own
        # What torch says of a foreign file is pages, and advises to load it all the same.
        raise ValueError(f"{path} is incomplete, or no checkpoint of open_clip's {ARCHITECTURE}") from error


def _openai_weights() -> Path:
    """OpenAI's weights where open_clip keeps what it downloads; the file is named for its SHA-256 there."""
    from huggingface_hub import try_to_load_from_cache

    advice = f"python -c \"import open_clip; open_clip.create_model('{ARCHITECTURE}', pretrained='openai')\""
    found = try_to_load_from_cache(*OPENAI_WEIGHTS)
    if not isinstance(found, str):
        raise FileNotFoundError(f"OpenAI's weights of ViT-B/32 are not there; get them with: {advice}")
    path = Path(found).resolve()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if len(path.name) == len(digest) and path.name != digest:  # where there are no links it has its own name
        raise ValueError(f"{path} is incomplete or damaged, its SHA-256 is {digest}; delete it, then: {advice}")
    return path
