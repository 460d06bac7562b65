"""What training shows instead of the shards' own pictures: ab is left alone, and a step always shows the same."""

import itertools

import numpy as np
import pytest

from preprocessing import augment
from preprocessing.augment import as_gray_file, enlarged_square, random_square
from preprocessing.batches import TrainingBatches
from preprocessing.sources import EMBEDDED_TRAINING

RANDOM = np.random.default_rng(0)


def picture(side=48):
    return (RANDOM.integers(0, 256, (side, side, channels), np.uint8) for channels in (1, 2))


def test_a_square_is_cut_from_l_and_ab_alike():
    L = RANDOM.integers(0, 256, (48, 48, 1), np.uint8)
    for seed in range(20):
        cut_L, cut_ab = random_square(L, np.concatenate([L, L], axis=-1), 32, np.random.default_rng(seed))
        assert cut_L.shape == (32, 32, 1)
        assert (cut_ab == cut_L).all()


def test_half_of_the_pictures_shown_whole_are_enlarged_so_that_blocks_leave_their_grid():
    rows = np.repeat(np.array([0, 200], np.uint8), 8).reshape(16, 1)  # edges where JPEG's blocks have theirs
    L = np.tile(rows, (4, 64))[..., None]
    edges = np.zeros(64, int)
    for seed in range(200):
        shown_L, shown_ab = enlarged_square(L, np.concatenate([L, L], axis=-1), np.random.default_rng(seed))
        assert shown_L.shape == (64, 64, 1)
        assert (shown_ab == shown_L).all()
        edges[np.flatnonzero(np.abs(np.diff(np.int16(shown_L[:, 0, 0]))) > 60) + 1] += 1
    assert 80 < edges[8::8].min() <= edges[8::8].max() < 160  # the pictures left as they are, and few others
    assert np.delete(edges, np.s_[::8])[3:-3].min() > 0


@pytest.mark.parametrize("share", ["LUMA", "JPEG", "BLUR", "NOISE", "TONE"])
def test_each_alteration_changes_l_and_none_leaves_it(monkeypatch, share):
    L, ab = picture()
    for name in ("LUMA", "JPEG", "BLUR", "NOISE", "TONE"):
        monkeypatch.setattr(augment, f"{name}_SHARE", 0.0)
    assert (as_gray_file(L, ab, np.random.default_rng(1)) == L).all()
    monkeypatch.setattr(augment, f"{share}_SHARE", 1.0)
    altered = as_gray_file(L, ab, np.random.default_rng(1))
    assert altered.shape == L.shape
    assert (altered != L).mean() > 0.2


def batches(shard_root, **options):
    return TrainingBatches(EMBEDDED_TRAINING, 32, 4, 1, shard_root, **options)


def test_augmentation_leaves_ab_alone_but_for_geometry(shard_root, monkeypatch):
    monkeypatch.setattr(augment, "ENLARGED_SHARE", 0.0)
    plain = next(batches(shard_root).from_step(0))
    augmented = next(batches(shard_root, augmented=True).from_step(0))
    assert (augmented[1] == plain[1]).all()
    assert (augmented[0] != plain[0]).any()


@pytest.mark.parametrize("crop", [16, 0])
def test_a_resumed_run_sees_what_an_unbroken_one_does(shard_root, crop):
    options = {"crop": crop, "augmented": True}
    unbroken = list(itertools.islice(batches(shard_root, **options).from_step(0), 9))
    resumed = list(itertools.islice(batches(shard_root, **options).from_step(5), 4))
    for one, other in zip(unbroken[5:], resumed, strict=True):
        assert all((a == b).all() for a, b in zip(one, other, strict=True))
    assert unbroken[0][0].shape == (4, crop or 32, crop or 32, 1)


@pytest.mark.parametrize("crop", [16, 0])
def test_workers_see_the_parts_of_what_one_does(shard_root, crop):
    options = {"crop": crop, "augmented": True}
    parts = [batches(shard_root, **options, workers=2, rank=rank).from_step(0) for rank in range(2)]
    for whole, *halves in itertools.islice(zip(batches(shard_root, **options).from_step(0), *parts, strict=True), 3):
        for array, *half in zip(whole, *halves, strict=True):
            assert (np.concatenate(half) == array).all()


def test_each_epoch_cuts_anew(shard_root):
    stream = batches(shard_root, crop=16, mirrored=False)
    epochs = [next(stream.from_step(epoch * stream.steps_per_epoch))[0] for epoch in range(2)]
    assert (epochs[0] != epochs[1]).any()
