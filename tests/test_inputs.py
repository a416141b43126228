"""Scores may come in any floating dtype and layout, memory-mapped, or as a torch tensor: one answer, nothing copied
whole.
"""

import tracemalloc
from unittest import mock

import numpy as np
import pytest
import torch
from standins import Elsewhere

from labelbench_direct import DirectSession
from labelbench_direct.core import engine
from labelbench_direct.core import scores as core_scores
from labelbench_direct.core.scores import OnDevice

LABELS = np.random.default_rng(0).integers(0, 150, 3000)


def scores(num_classes=150):
    """Float16 values, so that every dtype holds them exactly."""
    logits = np.random.default_rng(1).normal(scale=2, size=(3000, num_classes))
    logits[np.arange(3000), LABELS % num_classes] += 5
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float16)


def queries(probabilities, num_classes=150):
    labels = LABELS % num_classes
    rng = np.random.default_rng(2)
    session = DirectSession(probabilities, np.arange(300), labels[:300], budget=400, parallel=7, rng=rng)
    while not session.done:
        indices = session.ask()
        session.tell(indices, labels[indices])
    return list(session.told)


@pytest.mark.parametrize("num_classes", [2, 3, 150])
@pytest.mark.parametrize("worth_compiling", [0, 2**40], ids=["compiled", "numpy"])
def test_one_answer_for_every_kind_of_input(num_classes, worth_compiling, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "WORTH_COMPILING", worth_compiling)
    half = scores(num_classes)
    expected = queries(half, num_classes)
    monkeypatch.setattr(core_scores, "WORTH_A_CORE", 1000)  # from here on with all cores
    path = tmp_path / "scores.npy"
    np.save(path, half.astype(np.float32))
    kinds = {
        "float32": half.astype(np.float32),
        "float64": half.astype(np.float64),
        "Fortran order": np.asfortranarray(half.astype(np.float64)),
        "memory map": np.load(path, mmap_mode="r"),
        "strided": np.repeat(half, 2, axis=0)[::2],
        "tensor": torch.from_numpy(half.astype(np.float32)),
        "tensor with gradient": torch.from_numpy(half.astype(np.float32)).requires_grad_(),
        "tensor elsewhere": Elsewhere(torch.from_numpy(half)),
    }
    for kind, probabilities in kinds.items():
        assert queries(probabilities, num_classes) == expected, kind


def test_tensor_elsewhere_is_read_in_parts():
    tensor = OnDevice(Elsewhere(torch.from_numpy(scores())))
    assert tensor.shape == (3000, 150)
    assert len(tensor) == 3000
    assert tensor.dtype == np.float16
    assert tensor[5:9].shape == (4, 150)


def test_types_that_numpy_lacks_are_refused():
    tensor = torch.from_numpy(scores().astype(np.float32)).bfloat16()
    with pytest.raises(TypeError, match=r"probabilities must be float16, float32 or float64, got torch.bfloat16"):
        queries(tensor)


def test_extra_memory_is_a_share_of_the_input():
    """In numpy, of whose memory everything is traced."""
    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.full(100, 0.3), 30_000), rng.integers(0, 100, 30_000)
    with mock.patch.object(engine, "_compiled_if_possible", return_value=engine.NUMPY):
        tracemalloc.start()
        session = DirectSession(probabilities, [], [], budget=400, parallel=7, rng=rng)
        while not session.done:
            indices = session.ask()
            session.tell(indices, labels[indices])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 0.5 * probabilities.nbytes + 160 * len(probabilities)  # orders, and what two threads sort
