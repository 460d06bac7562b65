"""What training shows instead of the shards' own pictures, so that a network carries over to gray files (ours).

The geometry (place and scale) is that of L and ab alike; all else touches L only. Each image has a generator of its own,
seeded by the run's seed, the step and its place in the batch (preprocessing/batches.py), so that a resumed run sees what an
unbroken one does.
"""

import cv2
import numpy as np

from preprocessing.gray_file import GRAY_OF_LIGHTNESS, LIGHTNESS_OF_GRAY, luma, through_jpeg

LUMA_SHARE = 0.5  # of the images whose L is that of their gray file
JPEG_SHARE = 0.25
JPEG_QUALITIES = (40, 95)
BLUR_SHARE, BLUR_SIGMA = 0.1, (0.4, 1.2)  # px
NOISE_SHARE, NOISE_SIGMA = 0.1, (1.0, 6.0)  # gray levels
ENLARGED_SHARE, ENLARGED_FROM = 0.5, 0.75  # of the pictures shown at their shard's own size; of its side
TONE_SHARE, CONTRAST, BRIGHTNESS = 0.3, (0.75, 1.2), (-20, 20)  # a factor about middle gray; gray levels


def random_square(L, ab, side, random):
    """Cut a square of random place and size from `side` up, and resize it: (S, S, 1), (S, S, 2) -> (side, side, ...) uint8."""
    return _resized_cut(L, ab, int(random.integers(side, len(L) + 1)), side, cv2.INTER_AREA, random)


def enlarged_square(L, ab, random):
    """Half of the time a square of random place, from three quarters of the side up, enlarged to it; else the picture itself.

    For pictures that were JPEGs at this size, such as Tiny ImageNet's at 64 px: their blocks of 8 x 8 would always lie on
    one grid, and a network would learn to expect it. Shapes and types as those of `random_square`.
    """
    side = len(L)
    if random.random() >= ENLARGED_SHARE:
        return L, ab
    return _resized_cut(L, ab, int(random.integers(round(ENLARGED_FROM * side), side)), side, cv2.INTER_CUBIC, random)


def _resized_cut(L, ab, size, side, interpolation, random):
    y, x = random.integers(len(L) - size + 1, size=2)
    cut = slice(y, y + size), slice(x, x + size)
    L, ab = L[cut], ab[cut]
    if size == side:
        return L, ab
    resized = cv2.resize(cv2.merge([L, ab]), (side, side), interpolation=interpolation)
    return resized[..., :1], resized[..., 1:]


def as_gray_file(L, ab, random):
    """The L of a picture as some gray file might give it: (S, S, 1), (S, S, 2) uint8 -> (S, S, 1) uint8.

    With the shares above: luma instead of L*, contrast and brightness moved, blurred, noisy, saved as JPEG.
    """
    of_luma, toned, blurred, noisy, jpeg = random.random(5) < (
        LUMA_SHARE,
        TONE_SHARE,
        BLUR_SHARE,
        NOISE_SHARE,
        JPEG_SHARE,
    )
    if not (of_luma or toned or blurred or noisy or jpeg):
        return L
    gray = luma(L, ab) if of_luma else GRAY_OF_LIGHTNESS[L[..., 0]]
    if toned:
        contrast, brightness = random.uniform(*CONTRAST), random.uniform(*BRIGHTNESS)
        curve = np.clip((np.arange(256) - 127.5) * contrast + 127.5 + brightness, 0, 255).astype(np.uint8)
        gray = curve[gray]
    if blurred:
        gray = cv2.GaussianBlur(gray, (0, 0), random.uniform(*BLUR_SIGMA))
    if noisy:
        noise = random.standard_normal(gray.shape, np.float32) * random.uniform(*NOISE_SIGMA)
        gray = np.clip(gray + noise, 0, 255).astype(np.uint8)
    if jpeg:
        gray = through_jpeg(gray, int(random.integers(*JPEG_QUALITIES)), random.integers(8, size=2))
    return LIGHTNESS_OF_GRAY[gray][..., None]
