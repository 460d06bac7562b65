"""Colours for a photograph of any size: predicted small, brought to full size along the photograph's own edges."""

import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from preprocessing.lab import lab_planes_to_bgr, lab_to_bgr
from results.prediction.vibrance import with_vibrance

SCALES = (0.5, 0.75, 1.0)  # of the network's side, for the photograph's short side; their predictions are averaged
LONGEST = 4  # times the short side; a longer picture is squeezed
GUIDE_SIDE = 512  # px, short side at which edges are looked at (He & Sun 2015, the fast guided filter)
GUIDE_RADIUS = 1 / 32  # of the short side
GUIDE_EPSILON = 1e-3  # of L in 0..1, squared
STRIP = 64  # rows that a core finishes at a time: few enough for its cache


def network_size(height, width, short_side):
    """The size at which a network sees a photograph: both sides divisible by 4, as it asks."""
    scale = short_side / min(height, width)
    sides = (min(side * scale, LONGEST * short_side) for side in (height, width))
    return tuple(max(4, round(side / 4) * 4) for side in sides)


def predict_small(L, predict, resolution):
    """The mean of the predictions at SCALES, at the size of the largest.

    Parameters
    ----------
    L : (N, H, W, 1) uint8
    predict : (N, h, w, 1) uint8 -> (N, h, w, 2) float32, for sides that are divisible by 4

    Returns
    -------
    ab : (N, h, w, 2) float32
    """
    return merged([predict(seen) for seen in views(L, resolution)])


def views(L, resolution):
    """What the network is shown: (N, H, W, 1) uint8 -> one (N, h, w, 1) uint8 for each of SCALES."""
    height, width = L.shape[1:3]
    each = []
    for h, w in (network_size(height, width, scale * resolution) for scale in SCALES):
        how = cv2.INTER_AREA if h <= height and w <= width else cv2.INTER_LINEAR
        each.append(np.stack([cv2.resize(one, (w, h), interpolation=how) for one in L])[..., None])
    return each


def merged(ab_of_views):
    """The mean of the views' ab, at the size of the last: (N, h, w, 2) float32."""
    size = ab_of_views[-1].shape[2:0:-1]
    return np.mean(
        [[cv2.resize(ab, size, interpolation=cv2.INTER_LINEAR) for ab in each] for each in ab_of_views], axis=0
    )


def guided_coefficients(lightness, ab):
    """Where ab follows the lightness of each neighbourhood: slopes and offsets (He et al. 2013, equations 5 to 8).

    Parameters
    ----------
    lightness : (h, w) float32 in 0..1
    ab : (h, w, 2) float32

    Returns
    -------
    coefficients : (4, h, w) float32, two slopes and two offsets: ab = slope * lightness + offset
    """
    radius = max(1, round(GUIDE_RADIUS * min(lightness.shape)))

    def mean(x):
        return cv2.boxFilter(x, -1, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REPLICATE)

    mean_I = mean(lightness)
    variance = mean(lightness * lightness) - mean_I * mean_I
    slopes, offsets = [], []
    for p in (np.ascontiguousarray(ab[..., channel]) for channel in (0, 1)):
        mean_p = mean(p)
        slope = (mean(lightness * p) - mean_I * mean_p) / (variance + GUIDE_EPSILON)
        slopes.append(mean(slope))
        offsets.append(mean(mean_p - slope * mean_I))
    return np.stack([*slopes, *offsets])


def at_full_size(small, height, width, first_row, rows):
    """Some rows of a small plane enlarged to (height, width), bilinear: (h, w) float32 -> (rows, width) float32."""
    y = np.clip((np.arange(first_row, first_row + rows) + 0.5) * (len(small) / height) - 0.5, 0, len(small) - 1)
    above = y.astype(int)
    below = np.minimum(above + 1, len(small) - 1)
    share = (y - above).astype(np.float32)[:, None]
    between = small[above] + share * (small[below] - small[above])
    return cv2.resize(between, (width, rows), interpolation=cv2.INTER_LINEAR)


def ab_at_full_size(L, ab_small, guided=True):
    """ab at the size of L, whole: (H, W, 1) uint8, (h, w, 2) float32 -> (H, W, 2) float32; for pictures of some megapixels."""
    if not guided:
        return cv2.resize(ab_small, L.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.merge(_guided_rows(L, coefficients_for(L, ab_small), slice(0, len(L))))


def coefficients_for(L, ab_small):
    """The coefficients that take a photograph's L to its ab, looked at with a short side of at most GUIDE_SIDE."""
    guide = guide_of(L)
    lightness = guide.astype(np.float32) / 255
    return guided_coefficients(lightness, cv2.resize(ab_small, guide.shape[::-1], interpolation=cv2.INTER_LINEAR))


def guide_of(L):
    """L with a short side of at most GUIDE_SIDE: (H, W, 1) uint8 -> (h, w) uint8."""
    height, width = L.shape[:2]
    scale = min(1.0, GUIDE_SIDE / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(L, size, interpolation=cv2.INTER_AREA).reshape(size[::-1])


def _guided_rows(L, coefficients, rows):
    """Some rows of a and of b."""
    lightness = L[rows, :, 0] * np.float32(1 / 255)
    slope_a, slope_b, offset_a, offset_b = (
        at_full_size(each, *L.shape[:2], rows.start, len(lightness)) for each in coefficients
    )
    for slope, offset in ((slope_a, offset_a), (slope_b, offset_b)):  # in place: what is large is slow to allocate
        slope *= lightness
        slope += offset
    return slope_a, slope_b


def join(L, ab_small, vibrance=1.0):
    """Bring ab to the size of L and join them inside the RGB gamut.

    Parameters
    ----------
    L : (H, W, 1) uint8
    ab_small : (h, w, 2) float32, CIE ab units

    Returns
    -------
    image_bgr : (H, W, 3) uint8
    """
    coefficients = coefficients_for(L, ab_small) * np.float32(vibrance)
    image_bgr = np.empty((*L.shape[:2], 3), np.uint8)

    def finish(top):
        rows = slice(top, min(top + STRIP, len(L)))
        image_bgr[rows] = _in_gamut(L[rows], *_guided_rows(L, coefficients, rows))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(finish, range(0, len(L), STRIP)))
    return image_bgr


def _in_gamut(L, a, b):
    """L and its a and b as BGR; what RGB cannot hold is pulled back along its hue, and only there the gamut is looked up."""
    image_bgr = lab_planes_to_bgr(L, a, b)
    # Where a channel is at an end, or was cut off there.
    (outside,) = np.nonzero(cv2.inRange(image_bgr, (1, 1, 1), (254, 254, 254)).ravel() == 0)
    if len(outside):
        L, a, b = (plane.ravel()[outside] for plane in (L, a, b))
        ab = with_vibrance(L[:, None], cv2.merge([a, b]).reshape(-1, 2), 1.0)
        image_bgr.reshape(-1, 3)[outside] = lab_to_bgr(L[None, :, None], ab[None])[0]
    return image_bgr


def gray_picture(L):
    """The gray picture of a lightness: (H, W, 1) uint8 -> (H, W, 3) uint8 BGR."""
    return join(L, np.zeros((4, 4, 2), np.float32))
