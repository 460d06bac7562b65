"""CIE Lab (D65) and its units: 8-bit codes in shards, [-1, 1] in networks, CIE ab units in every score.

OpenCV's 8-bit code: L8 = L* x 255 / 100, a8 = a* + 128, b8 = b* + 128
(https://docs.opencv.org/4.x/de/d25/imgproc_color_conversions.html, RGB <-> CIE L*a*b*).
"""

import cv2
import numpy as np

L_HALF_RANGE = 127.5  # L8 in 0..255 -> [-1, 1]
AB_ZERO = 128  # the 8-bit code of a* = 0
AB_SCALE = 128.0  # network ab in [-1, 1] x 128 = CIE ab: the largest |ab| that the 8-bit code holds


def bgr_to_lab(image_bgr, out=None):
    """Split a picture into its 8-bit L and ab.

    Parameters
    ----------
    image_bgr : ndarray of uint8, shape (H, W, 3)
    out : (L, ab), optional; contiguous arrays of these shapes that are filled

    Returns
    -------
    L : ndarray of uint8, shape (H, W, 1)
    ab : ndarray of uint8, shape (H, W, 2)
    """
    lab = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2LAB)
    L, ab = out or (np.empty((*lab.shape[:2], channels), np.uint8) for channels in (1, 2))
    cv2.mixChannels([lab], [L, ab], [0, 0, 1, 1, 2, 2])  # contiguous, and faster than a strided copy
    return L, ab


def lab_to_bgr(L, ab):
    """Join L with ab, clipping what lies outside the RGB gamut.

    Parameters
    ----------
    L : ndarray of uint8, shape (..., H, W, 1)
    ab : ndarray of float32, shape (..., H, W, 2), CIE ab units

    Returns
    -------
    image_bgr : ndarray of uint8, shape (..., H, W, 3)
    """
    lab = np.concatenate([L * np.float32(100 / 255), ab.astype(np.float32)], axis=-1)
    bgr = cv2.cvtColor(lab.reshape(-1, lab.shape[-2], 3), cv2.COLOR_LAB2BGR).reshape(lab.shape)
    return np.rint(np.clip(bgr, 0, 1) * 255).astype(np.uint8)


def cie_ab(ab_code):
    """8-bit ab codes -> CIE ab units, float32."""
    return np.asarray(ab_code, np.float32) - AB_ZERO
