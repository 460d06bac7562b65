"""A picture of colours, its gray, and both as files of any kind."""

import io

import cv2
import numpy as np
from PIL import Image

from preprocessing.photograph import read_photograph

RANDOM = np.random.default_rng(0)
COLOURS = cv2.resize(RANDOM.integers(0, 256, (6, 9, 3), np.uint8), (90, 60), interpolation=cv2.INTER_CUBIC)
GRAY = np.ascontiguousarray(COLOURS[..., 0])


def encoded(image, format="PNG", **options):
    image = image.copy() if isinstance(image, Image.Image) else Image.fromarray(image)
    image.info.pop("icc_profile", None)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def error_of_lightness(data, expected_data):
    """Mean |L* difference| of two image files."""
    one, other = (read_photograph(each).L.astype(float) for each in (data, expected_data))
    return np.abs(one - other).mean() * 100 / 255
