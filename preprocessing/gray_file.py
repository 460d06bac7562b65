"""What a gray file shows of a photograph: luma instead of L*, and JPEG's blocks (ours: the original made L from colours).

A network is trained and scored on the L of Lab, which is computed from a colour photograph. A gray file holds luma, the weighted
sum of the gamma-coded R, G and B, and its L* is that of a gray pixel: lower than the photograph's L* where colours are
strong. Saved as JPEG it also has blocks of 8 x 8.
"""

import cv2
import numpy as np

from preprocessing.lab import bgr_to_lab

_GRAYS = np.arange(256, dtype=np.uint8).reshape(256, 1)
LIGHTNESS_OF_GRAY = bgr_to_lab(cv2.cvtColor(_GRAYS, cv2.COLOR_GRAY2BGR))[0].ravel()  # (256,) uint8, gray value -> L8
GRAY_OF_LIGHTNESS = (
    np.abs(LIGHTNESS_OF_GRAY.astype(int)[None] - np.arange(256)[:, None]).argmin(axis=1).astype(np.uint8)
)


def luma(L, ab):
    """The gray file of one picture, ITU-R BT.601: (H, W, 1) and (H, W, 2) uint8 codes -> (H, W) uint8 gray values."""
    return cv2.cvtColor(cv2.cvtColor(cv2.merge([L, ab]), cv2.COLOR_LAB2BGR), cv2.COLOR_BGR2GRAY)


def through_jpeg(gray, quality, offset=(0, 0)):
    """Save gray values as JPEG and read them: (H, W) uint8 -> (H, W) uint8.

    Parameters
    ----------
    quality : int, 1 to 100
    offset : (y, x), where in a block of 8 x 8 the picture's corner lies
    """
    y, x = offset
    padded = cv2.copyMakeBorder(gray, y, 0, x, 0, cv2.BORDER_REPLICATE) if y or x else gray
    file = cv2.imencode(".jpg", padded, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(file, cv2.IMREAD_GRAYSCALE)[y:, x:]


def lightness_of_gray_files(L, ab, quality=None):
    """The L that pictures would have if they were given as gray files: (N, S, S, 1), (N, S, S, 2) uint8 -> (N, S, S, 1) uint8.

    `quality` is that of the JPEG as which each is saved at this size; None: it is not.
    """
    grays = (luma(*picture) for picture in zip(L, ab, strict=True))
    files = (gray if quality is None else through_jpeg(gray, quality) for gray in grays)
    return np.array([LIGHTNESS_OF_GRAY[file] for file in files], np.uint8).reshape(L.shape)
