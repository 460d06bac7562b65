"""The in-gamut ab bins of Zhang et al. 2016 (section 2.2): a grid of 10 CIE ab units, and counts over it."""

import functools

import cv2
import numpy as np
from scipy.spatial import KDTree

from preprocessing.lab import cie_ab

GRID = 10  # CIE ab units, Zhang et al. 2016, section 2.2


@functools.cache
def bin_centres():
    """Centres of the grid cells that hold at least one sRGB colour.

    The six faces of the RGB cube are enough: along L every in-gamut ab leaves the solid through its surface.

    Returns
    -------
    centres : ndarray of float32, shape (Q, 2), CIE ab units, sorted by a and then b
    """
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    u, v = (grid.ravel() for grid in np.meshgrid(levels, levels))
    faces = [np.insert(np.stack([u, v], axis=-1), axis, side, axis=-1) for axis in range(3) for side in (0, 1)]
    ab = cv2.cvtColor(np.concatenate(faces)[None], cv2.COLOR_BGR2LAB)[0, :, 1:]
    return np.unique(np.rint(ab / GRID), axis=0).astype(np.float32) * GRID


@functools.cache
def _bin_of_code():
    """Index of the nearest bin for each of the 256 x 256 8-bit ab codes, int16."""
    codes = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), axis=-1)
    return KDTree(bin_centres()).query(cie_ab(codes))[1].astype(np.int16)


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
