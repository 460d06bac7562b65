"""Photographs of any kind as 8-bit L and alpha, and pictures back as files."""

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from preprocessing.lab import bgr_to_lab

LONGEST_SIDE = 32_766  # px, of what OpenCV warps
MOST_PIXELS = 150_000_000  # a larger picture is refused before it is decoded: it could be a decompression bomb
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit, whose message names no pixels; ours is checked as early


class UnreadableFile(Exception):
    """A file that is no photograph or film, is damaged or too large; the text says why."""


@dataclass(frozen=True)
class Photograph:
    """What is kept of a photograph: L (H, W, 1) uint8, its own colours (H, W, 3) uint8 BGR, and alpha (H, W) or None."""

    L: np.ndarray
    image_bgr: np.ndarray
    alpha: np.ndarray | None


def pixels_of(data):
    """The number of pixels that an image file's header names; 0 if it is no image."""
    try:
        image = Image.open(io.BytesIO(data))
    except Exception:  # noqa: BLE001 - as in read_photograph, which says what is wrong
        return 0
    return image.width * image.height


def read_photograph(data, most_pixels=MOST_PIXELS):
    """Decode an image file's bytes: gray, 16-bit gray, RGB, palette or CMYK, its EXIF orientation honoured.

    Raises
    ------
    UnreadableFile
        It is empty, truncated, no image, or has more than `most_pixels` pixels or a side above LONGEST_SIDE.
    """
    try:
        image = Image.open(io.BytesIO(data))  # reads the header only
        if image.width * image.height > most_pixels:
            raise UnreadableFile(f"{image.width} x {image.height} pixels are more than {most_pixels:,}")
        if max(image.size) > LONGEST_SIDE:
            raise UnreadableFile(f"{image.width} x {image.height} pixels: no side may be longer than {LONGEST_SIDE:,}")
        return _from_pillow(ImageOps.exif_transpose(image))
    except UnreadableFile:
        raise
    except UnidentifiedImageError:
        raise UnreadableFile("empty file" if not data else "no image that Pillow reads") from None
    except Exception as error:  # noqa: BLE001 - decoders raise whatever a damaged file leads them to
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise UnreadableFile(f"not a whole image ({reason})") from None


def _from_pillow(image):
    alpha = None
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return from_bgr(cv2.cvtColor(_eight_bits(np.asarray(image), image.mode), cv2.COLOR_GRAY2BGR))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
    return from_bgr(cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR), alpha)


def _eight_bits(values, mode):
    """Gray of more than 8 bits -> uint8. Only 16 bits have a fixed white; else it is 1, 255, 65535 or the lightest value."""
    values = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
    whites = (65535,) if mode.startswith("I;16") else (1, 255, 65535) if mode == "F" else (255, 65535)
    white = next((white for white in whites if values.max() <= white), values.max())
    return np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)


def from_bgr(image_bgr, alpha=None):
    """A photograph from (H, W, 3) uint8 BGR."""
    return Photograph(bgr_to_lab(image_bgr)[0], image_bgr, alpha)


def png(image_bgr, alpha=None):
    """The bytes of a PNG file."""
    if alpha is not None:
        image_bgr = np.dstack([image_bgr, alpha])
    return cv2.imencode(".png", image_bgr, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()
