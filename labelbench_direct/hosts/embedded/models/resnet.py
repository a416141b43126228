"""ResNet-18, the paper's supervised setting (Appendix D), by torchvision."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from labelbench_direct.core.checks import check_count
from labelbench_direct.hosts.embedded.config import at_home, check_flag
from labelbench_direct.hosts.embedded.data.parts import Data
from labelbench_direct.hosts.embedded.models.network import Network, Training

IMAGENET_FILE = "resnet18-f37072fd.pth"
"""torchvision's IMAGENET1K_V1 weights; the name holds the first digits of the file's SHA-256."""

_ROWS_SCORED = 500


@dataclass(frozen=True)
class ResNet18:
    """``weights``: ``imagenet`` (torchvision's), ``random``, or the path of a checkpoint of torchvision's ResNet-18,
    whose last layer is not used. ``size``: scale images to so many pixels; None: as they are. ``flip``: see
    ``Preprocessing``.
    """

    weights: str = "imagenet"
    size: int | None = None
    flip: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.weights, str):
            raise TypeError(f"weights must be 'imagenet', 'random' or a path, got {self.weights!r}")
        if self.size is not None:
            check_count(self.size, "size", least=1)
        check_flag(self.flip, "flip")

    def network(self, training: Training, data: Data, device: torch.device) -> Network:
        from labelbench_direct.hosts.embedded.models.images import ImageInputs, Preprocessing

        # GALAXY's public code, which the paper's experiments follow, normalizes with these.
        preprocessing = Preprocessing(self.size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), self.flip)
        pretrained = None if self.weights == "random" else _pretrained(self.weights)
        return Network(
            ImageInputs(data, device, preprocessing, _ROWS_SCORED),
            lambda num_classes: ResNet18Classifier(num_classes, pretrained),
        )


class ResNet18Classifier(nn.Module):
    """A copy of a pretrained ResNet-18 without last layer, or one with random weights, and a new last layer."""

    def __init__(self, num_classes: int, pretrained: nn.Module | None) -> None:
        super().__init__()
        self.body = _headless() if pretrained is None else copy.deepcopy(pretrained)
        self.head = nn.Linear(512, num_classes)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, K) and penultimate-layer embeddings (n, 512)."""
        if self.training and len(inputs) < 2:
            raise ValueError("resnet18 normalizes over the batch: it needs at least 2 labels to train on, got 1")
        embeddings = self.body(inputs)
        return self.head(embeddings), embeddings


def _headless() -> nn.Module:
    from torchvision.models import resnet18

    body: nn.Module = resnet18(weights=None)
    body.fc = nn.Identity()
    return body


def _pretrained(name: str) -> nn.Module:
    """A ResNet-18 without last layer and with the weights of a file, which must be whole."""
    if name == "imagenet":
        path = Path(torch.hub.get_dir()) / "checkpoints" / IMAGENET_FILE
        advice = "get it with: python -c \"from torchvision.models import resnet18; resnet18(weights='IMAGENET1K_V1')\""
    else:
        path = at_home(name)
        advice = "weights must be 'imagenet', 'random' or the path of a checkpoint of torchvision's ResNet-18"
    if not path.is_file():
        raise FileNotFoundError(f"there are no weights at {path}; {advice}")
    if name == "imagenet":
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if not digest.startswith(IMAGENET_FILE.split("-")[1].removesuffix(".pth")):
            raise ValueError(f"{path} is incomplete or damaged, its SHA-256 is {digest}; delete it, then {advice}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        body = _headless()
        body.load_state_dict({key: value for key, value in state.items() if not key.startswith("fc.")})
    except Exception as error:  # torch raises whatever it meets in a file that is none of its own
        # What torch says of a foreign file is pages, and advises to load it all the same.
        raise ValueError(f"{path} is no checkpoint of torchvision's ResNet-18; {advice}") from error
    return body
