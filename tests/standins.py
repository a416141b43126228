"""A data set and a trainer as small as LabelBench's contract allows; a tensor that is not in main memory."""

from types import SimpleNamespace

import numpy as np


class Dataset:
    """Everything is known to it; ``get_train_labels`` tells of the labeled examples only."""

    label_type = "MULTI_CLASS"

    def __init__(self, labels, labeled, num_classes):
        self.num_classes = num_classes
        self._labels = np.asarray(labels)
        self._labeled = np.asarray(labeled, dtype=np.int64)

    def __len__(self):
        return len(self._labels)

    def labeled_idxs(self):
        return self._labeled

    def update_labeled_idxs(self, new_idxs):
        self._labeled = np.concatenate([self._labeled, new_idxs])

    def get_train_labels(self):
        labels = self._labels[self.labeled_idxs()]
        return (labels[:, None] == np.arange(self.num_classes)).astype(np.float64)

    def train(self):
        pass


class Items:
    """LabelBench's ``TransformDataset``, of which there is no reading without a transform nor, here, any image."""

    def __init__(self, inputs, noisy_labels):
        self.dataset, self.noisy_labels, self.transforms = inputs, noisy_labels, {}

    def set_noisy_labels(self, labels):
        self.noisy_labels = labels

    def set_transform(self, transform):
        self.transforms = {**self.transforms, "": transform}

    def set_strong_transform(self, transform):
        self.transforms = {**self.transforms, "strong": transform}

    def set_target_transform(self, transform):
        self.transforms = {**self.transforms, "target": transform}

    def __getitem__(self, item):
        inputs, label = self.dataset[item]
        label = label if self.transforms["target"] is None else self.transforms["target"](label)
        return self.transforms[""](inputs), label if self.noisy_labels is None else self.noisy_labels[item]


class Trainer:
    """Hands out scores (input type 0) and embeddings (input type 9)."""

    def __init__(self, probabilities, embeddings):
        self.inputs = {0: probabilities, 9: embeddings}

    def retrieve_inputs(self, input_types):
        return [self.inputs[int(kind)] for kind in input_types]


class FullDataset(Dataset):
    """What LabelBench's strategies use beside what ours use."""

    def unlabeled_idxs(self):
        return np.setdiff1d(np.arange(len(self)), self.labeled_idxs())


class FullTrainer(Trainer):
    """Copies, as LabelBench's trainers hand them out; clean labels, too, where they are given."""

    def __init__(self, probabilities, embeddings, labels):
        super().__init__(probabilities, embeddings)
        if labels is not None:
            self.inputs[3] = np.eye(probabilities.shape[1])[labels]

    def retrieve_inputs(self, input_types):
        return [array.copy() for array in super().retrieve_inputs(input_types)]


class Elsewhere:
    """A tensor that says it is on another device, and gives main memory only what was copied there."""

    def __init__(self, tensor):
        self.tensor, self.shape, self.dtype = tensor, tensor.shape, tensor.dtype
        self.device = SimpleNamespace(type="meta")

    def detach(self):
        return self

    def __getitem__(self, key):
        return Elsewhere(self.tensor[key])

    def cpu(self):
        return self.tensor.clone()
