"""The in-gamut ab bins of Zhang et al. 2016 (section 2.2): a grid of 10 CIE ab units, and counts over it."""

import functools

import cv2
import numpy as np

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
    ab = cie_ab(codes).reshape(-1, 1, 2)
    nearest = [np.argmin(np.square(block - bin_centres()).sum(axis=-1), axis=-1) for block in np.array_split(ab, 64)]
    return np.concatenate(nearest).reshape(256, 256).astype(np.int16)


def nearest_bin(ab_code):
    """Index of the bin nearest to each 8-bit ab code: (..., 2) uint8 -> (...) int16."""
    return _bin_of_code()[ab_code[..., 0], ab_code[..., 1]]


def bin_counts(ab_code):
    """Pixels in each bin: (..., 2) uint8 -> (Q,) int64. Divided by its sum it is the empirical prior."""
    return np.bincount(nearest_bin(ab_code).ravel(), minlength=len(bin_centres()))
