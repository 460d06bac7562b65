"""Squares of a photograph: the centre one, or random ones; nothing is ever scaled up."""

import hashlib
import math

import cv2
import numpy as np


def centre_square(image_bgr, side):
    """Short side to `side` with INTER_AREA, then the centre crop; None if that would scale up."""
    height, width = image_bgr.shape[:2]
    short = min(height, width)
    if short < side:
        return None
    size = (max(side, round(width * side / short)), max(side, round(height * side / short)))
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    if short == side:
        return image_bgr[top : top + side, left : left + side]
    fx, fy = size[0] / width, size[1] / height
    # What lies right of the square or below it has no part in it; one pixel more, whatever rounding does.
    seen = image_bgr[: math.ceil((top + side) / fy) + 1, : math.ceil((left + side) / fx) + 1]
    return cv2.resize(seen, None, fx=fx, fy=fy, interpolation=cv2.INTER_AREA)[top : top + side, left : left + side]


def random_crops(image_bgr, side, count, photo_id):
    """`count` squares of random place and size from `side` up, resized to it; the same each time for one id.

    Returns
    -------
    crops : list of (str, ndarray), the id `photo#x,y,width` and the (side, side, 3) uint8 picture
    """
    height, width = image_bgr.shape[:2]
    if min(height, width) < side:
        return []
    seed = hashlib.sha256(f"{photo_id} {side}".encode()).digest()[:8]
    random = np.random.default_rng(int.from_bytes(seed, "big"))
    crops = []
    for _ in range(count):
        size = int(random.integers(side, min(height, width) + 1))
        x, y = int(random.integers(width - size + 1)), int(random.integers(height - size + 1))
        square = image_bgr[y : y + size, x : x + size]
        crops.append((f"{photo_id}#{x},{y},{size}", cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)))
    return crops
