"""LabelBench's multi-class metrics, under its names."""

from __future__ import annotations

import numpy as np

from labelbench_direct.core.types import Floats, Indices

BALANCED_TEST = "Balanced Test Accuracy"
RAREST = "Min Class Number of Positive"


def class_accuracies(probabilities: Floats, labels: Indices) -> tuple[Floats, float]:
    """The accuracy within each class, (K,), 0 for a class without examples; and macro-F1, over the classes that
    are true or predicted somewhere.
    """
    num_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    counts = np.bincount(labels, minlength=num_classes)
    correct = np.bincount(labels[predicted == labels], minlength=num_classes)
    said_or_true = counts + np.bincount(predicted, minlength=num_classes)
    macro_f1 = (2 * correct / np.maximum(said_or_true, 1))[said_or_true > 0].mean()
    return correct / np.maximum(counts, 1), float(macro_f1)


def multi_class_metrics(
    parts: dict[str, tuple[Floats, Indices]], losses: dict[str, float], labeled: Indices
) -> dict[str, float]:
    """Metrics of the parts ``train`` (the pool), ``val`` and ``test``, each (scores, true labels); class counts are of
    the true labels of ``labeled`` pool examples.
    """
    metrics: dict[str, float] = {"Num Labeled": len(labeled)}
    names = {"train": ("Pool", "Training"), "val": ("Validation", "Validation"), "test": ("Test", "Test")}
    for part, (name, balanced_name) in names.items():
        probabilities, labels = parts[part]
        accuracies, macro_f1 = class_accuracies(probabilities, labels)
        metrics[f"{name} Accuracy"] = float(np.mean(probabilities.argmax(axis=1) == labels))
        metrics[f"Balanced {balanced_name} Accuracy"] = float(accuracies.mean())
        metrics[f"{name} Loss"] = losses[part]
        metrics[f"{name} Macro F1"] = macro_f1
        if part == "train":
            positives = np.bincount(labels[labeled], minlength=probabilities.shape[1])
    metrics["Total Number of Positive"] = int(positives.sum())
    metrics["Min Class Number of Positive"] = int(positives.min())
    metrics["Max Class Number of Positive"] = int(positives.max())
    return metrics
