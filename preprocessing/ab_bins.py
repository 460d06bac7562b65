"""The in-gamut ab bins of Zhang et al. 2016 (sections 2.2 and 2.3): a grid of 10 CIE ab units, soft encoding, prior."""

import functools

import cv2
import numpy as np

from preprocessing.lab import AB_ZERO

GRID = 10  # CIE ab units, Zhang et al. 2016, section 2.2
FARTHEST = 13  # cells from gray to the end of 8-bit ab
NEIGHBOURS = 5  # bins of the soft encoding, section 2.2
SIGMA = 5.0  # CIE ab units, of its Gaussian and of the prior's smoothing, sections 2.2 and 2.3
LAMBDA = 0.5  # share of the uniform distribution mixed into the prior, section 2.3


@functools.cache
def bin_centres():
    """Centres of the grid cells that hold at least one sRGB colour: 262.

    The paper's list of 313 (its pts_in_hull) holds these, and 51 around them that no sRGB colour is nearest to.

    The six faces of the RGB cube are enough: along L every in-gamut ab leaves the solid through its surface.

    Returns
    -------
    centres : ndarray of float32, shape (Q, 2), CIE ab units, sorted by a and then b
    """
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    u, v = (grid.ravel() for grid in np.meshgrid(levels, levels))
    faces = [np.insert(np.stack([u, v], axis=-1), axis, side, axis=-1) for axis in range(3) for side in (0, 1)]
    ab = cv2.cvtColor(np.concatenate(faces)[None], cv2.COLOR_BGR2LAB)[0, :, 1:]
    cells = np.rint(ab / GRID).astype(int) + FARTHEST
    held = np.zeros((2 * FARTHEST + 1,) * 2, bool)  # np.unique would take a third of a second
    held[cells[:, 0], cells[:, 1]] = True
    return (np.argwhere(held) - FARTHEST).astype(np.float32) * GRID


@functools.cache
def _nearest_of_code(count):
    """The `count` nearest bins of each pair of 8-bit ab codes, nearest first, and their squared distances: (65536, count).

    In whole numbers, and the lower index where two are as near (a colour at +-5 is): the same on every machine.
    """
    centres = bin_centres().astype(np.int32)
    codes = np.arange(256, dtype=np.int32) - AB_ZERO
    squares_b = np.square(codes[:, None] - centres[:, 1])
    nearest = []
    for a in codes:  # (256, Q) at a time
        keys = (np.square(a - centres[:, 0]) + squares_b) * len(centres) + np.arange(len(centres), dtype=np.int32)
        first = keys.min(axis=1, keepdims=True) if count == 1 else np.partition(keys, count, axis=1)[:, :count]
        nearest.append(np.sort(first, axis=1))
    nearest = np.concatenate(nearest)
    return nearest % len(centres), nearest // len(centres)


@functools.cache
def _bin_of_code():
    """Index of the nearest bin for each pair of codes: (256, 256) int16."""
    return _nearest_of_code(1)[0].reshape(256, 256).astype(np.int16)


def nearest_bin(ab_code):
    """Index of the bin nearest to each 8-bit ab code: (..., 2) uint8 -> (...) int16."""
    return _bin_of_code()[ab_code[..., 0], ab_code[..., 1]]


def code_counts(ab_code):
    """Pixels of each pair of 8-bit codes: (N, S, S, 2) uint8 -> (256, 256) int64, indexed by a and b."""
    counts = np.zeros((256, 256), np.int64)
    for part in np.array_split(ab_code, len(ab_code) // 1024 + 1):  # float32 counts are exact below 2^24
        if len(part):
            pixels = [part.reshape(-1, 1, 2)]
            counts += cv2.calcHist(pixels, [0, 1], None, [256, 256], [0, 256, 0, 256]).astype(np.int64)
    return counts


def bin_counts(counts):
    """Pixels in each bin, from `code_counts`: (256, 256) -> (Q,) int64. Divided by its sum it is the empirical prior."""
    binned = np.bincount(_bin_of_code().ravel(), weights=counts.ravel(), minlength=len(bin_centres()))
    return binned.astype(np.int64)


@functools.cache
def soft_encoding():
    """The distribution that stands for each pair of 8-bit codes: its five nearest bins, weighted by a Gaussian.

    Returns
    -------
    encoding : ndarray of float32, shape (65536, Q), row a8 * 256 + b8; each sums to 1
    """
    bins, squares = _nearest_of_code(NEIGHBOURS)
    exponents = -squares / (2 * SIGMA**2)
    weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))  # far outside the gamut all would be 0
    encoding = np.zeros((len(bins), len(bin_centres())), np.float32)
    np.put_along_axis(encoding, bins, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32), axis=1)
    return encoding


def smoothed_prior(counts):
    """The empirical distribution over bins, smoothed with a Gaussian in ab space (section 2.3): (Q,) -> (Q,), sum 1."""
    squares = np.square(bin_centres()[:, None] - bin_centres()).sum(axis=-1)
    kernel = np.exp(-squares / (2 * SIGMA**2))
    kernel /= kernel.sum(axis=1, keepdims=True)  # what a bin at the gamut's edge would lose outside stays inside
    prior = np.asarray(counts, np.float64) @ kernel
    return prior / prior.sum()


def rebalancing_weights(counts):
    """The weight of a pixel by its bin, 1 / ((1 - lambda) p + lambda / Q), whose mean over the prior is 1 (equation 4).

    Parameters
    ----------
    counts : training pixels in each bin, (Q,)

    Returns
    -------
    weights : ndarray of float64, shape (Q,)
    """
    prior = smoothed_prior(counts)
    weights = 1 / ((1 - LAMBDA) * prior + LAMBDA / len(prior))
    return weights / (prior @ weights)


def weighted_targets(counts, rebalanced):
    """What a network learns for each pair of 8-bit codes: its soft encoding times the weight of its nearest bin.

    Parameters
    ----------
    counts : training pixels in each bin, (Q,)
    rebalanced : bool; else every weight is 1

    Returns
    -------
    targets : ndarray of float32, shape (65536, Q), row a8 * 256 + b8
    """
    if not rebalanced:
        return soft_encoding()
    weights = rebalancing_weights(counts)[_bin_of_code().ravel()]
    return soft_encoding() * weights[:, None].astype(np.float32)
