"""What needs no network: predictions that every model stands beside.

Each is a function of L, (N, S, S, 1) uint8, to ab, (N, S, S, 2) in CIE ab units, called on a split in order.
"""

import re
from pathlib import PurePosixPath

import numpy as np

from preprocessing.lab import cie_ab
from preprocessing.shards import list_shards, read_shard
from preprocessing.splits import photo_of

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def gray(L):
    """Baseline: no colour at all."""
    return np.zeros((*L.shape[:3], 2), np.float32)


def constant(mean_ab):
    """Baseline: the mean colour of the training split, everywhere."""
    return lambda L: np.broadcast_to(np.float32(mean_ab), (*L.shape[:3], 2))


def random_colours(ab_of_all, seed=0):
    """Baseline: the colours of another photograph of the split, drawn at random (Zhang et al. 2016 draw from training)."""
    order = np.random.default_rng(seed).permutation(len(ab_of_all))
    successor = np.empty(len(order), int)
    successor[order] = np.roll(order, -1)  # one cycle through all: nobody draws itself
    position = 0

    def predict(L):
        nonlocal position
        chosen = successor[position : position + len(L)]
        position += len(L)
        return cie_ab(ab_of_all[chosen])

    return predict


def collection_of(image_id):
    """The collection a photograph comes from, told by how its file is named: `sunrise12.jpg` -> "sunrise"."""
    stem = PurePosixPath(photo_of(image_id)).stem
    return "uuid" if UUID.fullmatch(stem) else re.match(r"[^0-9]*", stem).group()


def source_mean(source, resolution, test_ids):
    """Baseline: the mean training colour of each photograph's own collection; None where a source has only one."""
    sums, counts = {}, {}
    for path in list_shards(source, resolution, "train"):
        shard = read_shard(path)
        for image_id, colour in zip(shard.id, cie_ab(shard.ab).mean(axis=(1, 2)), strict=True):
            name = collection_of(image_id)
            sums[name] = sums.get(name, 0) + colour
            counts[name] = counts.get(name, 0) + 1
    names = [collection_of(image_id) for image_id in test_ids]
    if len(counts) < 2 or not set(names) & set(counts):
        return None
    overall = sum(sums.values()) / sum(counts.values())
    colours = np.float32([sums[name] / counts[name] if name in counts else overall for name in names])
    position = 0

    def predict(L):
        nonlocal position
        chosen = colours[position : position + len(L)]
        position += len(L)
        return np.broadcast_to(chosen[:, None, None], (*L.shape[:3], 2))

    return predict
