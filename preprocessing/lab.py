"""CIE Lab (D65) and its units: 8-bit codes in shards, [-1, 1] in networks, CIE ab units in every score.

OpenCV's 8-bit code: L8 = L* x 255 / 100, a8 = a* + 128, b8 = b* + 128
(https://docs.opencv.org/4.x/de/d25/imgproc_color_conversions.html, RGB <-> CIE L*a*b*).
"""

from dataclasses import dataclass

import cv2
import numpy as np

AB_ZERO = 128  # the 8-bit code of a* = 0


@dataclass(frozen=True)
class Units:
    """The units in which a network takes L and gives ab. The methods take float32 arrays or tensors of any shape."""

    L_zero: float  # the 8-bit code of the network's L = 0
    L_scale: float  # 8-bit codes in one unit of the network's L
    ab_zero: float  # the network's value of a* = 0
    ab_scale: float  # CIE ab units in one unit of the network's ab

    def lightness_from_code(self, L):
        """8-bit L -> the network's L."""
        return (L - self.L_zero) / self.L_scale

    def ab_from_code(self, ab):
        """8-bit ab -> the network's ab."""
        return (ab - AB_ZERO) / self.ab_scale + self.ab_zero

    def cie_ab(self, ab):
        """The network's ab -> CIE ab units."""
        return (ab - self.ab_zero) * self.ab_scale


# L and ab in [-1, 1], for tanh; 128 is the largest |ab| that the 8-bit code holds.
UNIT_RANGE = Units(L_zero=127.5, L_scale=127.5, ab_zero=0.0, ab_scale=128.0)
CIE = Units(L_zero=0.0, L_scale=2.55, ab_zero=0.0, ab_scale=1.0)  # L* in 0..100: the original's colorize_cnn.py
CODE = Units(L_zero=0.0, L_scale=1.0, ab_zero=128.0, ab_scale=1.0)  # 0..255: the original's notebooks


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
    width = L.shape[-2]
    planes = cv2.split(ab.astype(np.float32).reshape(-1, width, 2))  # split and merge are faster than strided copies
    return lab_planes_to_bgr(L.reshape(-1, width), *planes).reshape(*L.shape[:-1], 3)


def lab_planes_to_bgr(L, a, b):
    """As `lab_to_bgr`, of one picture whose a and b are planes: (H, W) float32 each."""
    lab = cv2.merge([L.reshape(a.shape) * np.float32(100 / 255), a, b])
    return cv2.convertScaleAbs(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), alpha=255)  # float32, clipped to 0..1


def cie_ab(ab_code):
    """8-bit ab codes -> CIE ab units, float32."""
    return np.asarray(ab_code, np.float32) - AB_ZERO
