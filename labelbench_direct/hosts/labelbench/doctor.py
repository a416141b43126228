"""What works in this environment, what is bridged, what is missing, and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labelbench_direct.core.cores import usable_cores
from labelbench_direct.hosts.labelbench.bridges import BRIDGES
from labelbench_direct.hosts.labelbench.checkout import commit_of, commit_warning, is_installed
from labelbench_direct.hosts.labelbench.configurations import own_folder
from labelbench_direct.hosts.labelbench.launch import command, environment

OK, BRIDGED, NOTE, MISSING = "ok", "bridged", "note", "missing"

_INSTALL = "pip install 'labelbench-direct[labelbench]'"
_PACKAGES = {  # what LabelBench imports, by module: who provides it
    "torch": "torch",
    "torchvision": "torchvision",
    "timm": "timm",
    "open_clip": "open_clip_torch",
    "clip": "clip-anytorch",
    "wilds": "wilds",
    "wandb": "wandb",
    "sklearn": "scikit-learn",
}


@dataclass(frozen=True)
class Finding:
    """One line: ``status`` (ok, bridged, note or missing), what was found, and what mends it if something must be."""

    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.status:<8} {self.text}"


def examine(checkout: Path) -> Iterator[Finding]:
    """Everything that a run with this checkout depends on, one finding after the other; ends with a real start."""
    yield Finding(OK, f"Python {platform.python_version()}, {usable_cores()} cores to use")
    yield from _checkout(checkout)
    missing = [finding for finding in map(_package, _PACKAGES) if finding.status == MISSING]
    yield from map(_package, _PACKAGES)
    if missing:
        yield Finding(NOTE, "bridges, devices and LabelBench itself are examined once the packages are there")
        return
    yield from _devices()
    for bridge in BRIDGES:
        if bridge.is_needed(checkout):
            plain = f"; plain main.py needs {bridge.mend}" if bridge.mend else ""
            yield Finding(BRIDGED, f"{bridge.name}: {bridge.why} (answers {bridge.answers}){plain}")
        else:
            yield Finding(OK, f"bridge {bridge.name} is not needed")
    yield Finding(NOTE, "without a wandb account pass --wandb offline or --wandb disabled")
    yield _weights()
    yield start(checkout)


def needed_by_plain_main(checkout: Path) -> list[str]:
    """The commands that mend what only a launched run can bridge: LabelBench needs it before it imports strategies."""
    return [bridge.mend for bridge in BRIDGES if bridge.mend and bridge.is_needed(checkout)]


def _checkout(checkout: Path) -> Iterator[Finding]:
    warning = commit_warning(checkout)
    yield Finding(NOTE, warning) if warning else Finding(OK, f"LabelBench at commit {(commit_of(checkout) or '')[:7]}")
    if is_installed(checkout):
        yield Finding(OK, "plain `python main.py` in the checkout finds this package (labelbench-direct uninstall)")
    else:
        yield Finding(NOTE, "for plain `python main.py` in the checkout: labelbench-direct install --home CHECKOUT")
    if own_folder().is_dir():
        yield Finding(OK, "this package's configurations are there")
    else:
        yield Finding(MISSING, f"this package's configurations, {own_folder()}: {_INSTALL} --force-reinstall --no-deps")


def _package(module: str) -> Finding:
    name = _PACKAGES[module]
    if importlib.util.find_spec(module) is None:
        return Finding(MISSING, f"module {module}: {_INSTALL}")
    try:
        return Finding(OK, f"{name} {importlib.metadata.version(name)}")
    except importlib.metadata.PackageNotFoundError:
        return Finding(OK, f"module {module}, from another package than {name}")


def _devices() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        yield Finding(OK, f"{torch.cuda.device_count()} CUDA devices")
    else:
        yield Finding(NOTE, "no CUDA device: pass --device cpu (for smoke tests; training CLIP takes days there)")


def _weights() -> Finding:
    """Whether CLIP's weights are in the cache of the hub that open_clip downloads them from."""
    import open_clip
    from huggingface_hub import try_to_load_from_cache

    from labelbench_direct.hosts.labelbench.models import ARCHITECTURE

    hub = open_clip.get_pretrained_cfg(ARCHITECTURE, "openai").get("hf_hub", "").strip("/")
    files = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    if hub and any(isinstance(try_to_load_from_cache(hub, file), str) for file in files):
        return Finding(OK, "OpenAI's weights of CLIP ViT-B/32 are in the cache")
    return Finding(
        NOTE,
        "OpenAI's weights of CLIP ViT-B/32 will be downloaded when open_clip_vitb32 is first used; "
        'without a network name a file with them as "checkpoint" in the model configuration',
    )


def start(checkout: Path) -> Finding:
    """Start LabelBench's main.py for real, as far as its help: it imports everything, and everything is registered."""
    process = subprocess.run(  # noqa: S603  # LabelBench's own program
        command(["main.py", "--help"]),
        cwd=checkout,
        env=environment(checkout, device="cpu", wandb="disabled"),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode == 0:
        return Finding(OK, "LabelBench's main.py starts, with this package registered")
    last = (process.stderr.strip().splitlines() or ["no output"])[-1]
    return Finding(MISSING, f"LabelBench's main.py does not start: {last}")
