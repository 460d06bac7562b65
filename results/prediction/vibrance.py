"""Vibrance: chroma scaled by a factor and held inside the RGB gamut at each pixel's lightness, hue kept."""

import functools

import cv2
import numpy as np

HUES = 720  # half a degree each
STEPS = 14  # of the bisection: 181 / 2^14, a hundredth of a CIE unit
MOST_CHROMA = 181.0  # CIE ab units; no 8-bit ab is farther out
TOLERANCE = 1e-4  # of linear RGB outside [0, 1]: a third of an 8-bit level where it is steepest


def in_gamut(L, ab):
    """Whether colours are inside the RGB gamut: L* (...) and CIE ab (..., 2), float -> (...) bool."""
    y = (L + 16) / 116
    X, Y, Z = (
        white * np.where(f > 6 / 29, f * f * f, 3 * (6 / 29) ** 2 * (f - 4 / 29))
        for white, f in zip((0.950456, 1.0, 1.088754), (y + ab[..., 0] / 500, y, y - ab[..., 1] / 200), strict=True)
    )
    inside = True
    for of_X, of_Y, of_Z in XYZ_TO_RGB:
        inside = inside & (np.abs(of_X * X + of_Y * Y + of_Z * Z - 0.5) <= 0.5 + TOLERANCE)
    return inside


XYZ_TO_RGB = (  # OpenCV's, for the D65 white above (docs.opencv.org, color conversions)
    (3.240479, -1.53715, -0.498535),
    (-0.969256, 1.875991, 0.041556),
    (0.055648, -0.204043, 1.057311),
)


@functools.cache
def most_chroma():
    """The largest chroma inside the gamut for each 8-bit L and each half degree of hue, 0 to 360: (256, HUES + 1) float32."""
    L = (np.arange(256)[:, None] * 100 / 255 + np.zeros(HUES + 1)).astype(np.float32)
    angle = np.arange(HUES + 1) * 2 * np.pi / HUES
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)
    low, high = np.zeros_like(L), np.full_like(L, MOST_CHROMA)
    for _ in range(STEPS):
        middle = (low + high) / 2
        inside = in_gamut(L, middle[..., None] * direction)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low


def with_vibrance(L, ab, factor):
    """Scale the chroma of `ab` and pull what leaves the gamut back along its hue.

    Parameters
    ----------
    L : ndarray of uint8, shape (..., 1)
    ab : ndarray of float32, shape (..., 2), CIE ab units
    factor : float; 1 only pulls back

    Returns
    -------
    ab : ndarray of float32, shape (..., 2)
    """
    a, b = cv2.split(ab.astype(np.float32).reshape(1, -1, 2))  # whole planes: faster than strided arithmetic
    chroma, degrees = cv2.cartToPolar(a, b, angleInDegrees=True)  # to a third of a degree, faster than NumPy
    hue = (degrees * np.float32(HUES / 360) + np.float32(0.5)).astype(np.int32)
    most = np.take(most_chroma(), L.reshape(1, -1) * np.int32(HUES + 1) + hue)
    gain = np.minimum(chroma * np.float32(factor), most) / np.maximum(chroma, np.float32(1e-6))
    return cv2.merge([a * gain, b * gain]).reshape(ab.shape)
