"""The one reader of photographs: a file's bytes as sRGB and alpha, or as 8-bit L; and pictures back as files."""

import contextlib
import functools
import io
import logging
import os
import stat
import struct
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from PIL import EpsImagePlugin, Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from preprocessing.colour_space import ADOBE_RGB_INDEX, profile_of
from preprocessing.lab import bgr_to_lab

LONGEST_SIDE = 32_766  # px, of what OpenCV warps
MOST_PIXELS = 150_000_000  # a larger picture is refused before it is decoded: it could be a decompression bomb
MOST_BYTES = 1_000_000_000  # a larger file is refused before it is read; MOST_PIXELS of 16-bit RGB take 900 MB
SCALES = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}  # of libjpeg
XMP_ORIENTATION = b"tiff:Orientation"  # which Pillow heeds where EXIF has none
ONE_PROFILE = b"ICC_PROFILE\0\1\1"  # of APP2, whose rest is then a whole ICC profile
NEAR_SRGB = 2  # 8-bit levels; a profile that moves no colour by more is one of the many that mean sRGB
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a tag of TIFF, and one of its values
SAMPLE_FORMAT, UNSIGNED = 339, (1,)
SRGB = ImageCms.createProfile("sRGB")
# Half the time of OpenCV's level 3, and files 4% larger (over the embedded photographs).
QUICK_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 2, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit, whose message names no pixels; ours is checked as early
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY  # profiles and generators' notes of some megabytes
TiffImagePlugin.READ_LIBTIFF = True  # Pillow's own way of 16 bits in planes gives other colours
EpsImagePlugin.gs_binary = False  # no file that is called a photograph is run as a program
pillow_heif.register_heif_opener()
warnings.filterwarnings("ignore", module="PIL")  # what we say of a file is said once, by us
logging.getLogger("PIL").setLevel(logging.CRITICAL)


class UnreadableFile(Exception):
    """A file that is no photograph or film, is damaged or too large; the text says why."""


@dataclass(frozen=True)
class Photograph:
    """What is kept of a photograph: L (H, W, 1) uint8, its own colours (H, W, 3) uint8 BGR, and alpha (H, W) or None."""

    L: np.ndarray
    image_bgr: np.ndarray
    alpha: np.ndarray | None


@contextlib.contextmanager
def libraries_silenced():
    """Keep what libraries print of damaged files from standard error, which is given as a text stream for what we say."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    with open(kept, "w", errors="backslashreplace", buffering=1) as ours:
        try:
            yield ours if sys.stderr is sys.__stderr__ else sys.stderr
        finally:
            os.dup2(kept, 2)


def read_file(path):
    """A file's bytes; raises UnreadableFile where it may not be read, is no file or has more than MOST_BYTES."""
    path = Path(path)
    check_file(path)
    try:
        check_size(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(error.strerror) from None


def check_file(path):
    """Raise UnreadableFile for what is not there or no file: a pipe could be waited for without end."""
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        raise UnreadableFile(error.strerror) from None
    if not is_file:
        raise UnreadableFile("no file but a folder, a pipe or a device")


def check_size(count):
    """Raise UnreadableFile for a file of more than MOST_BYTES."""
    if count > MOST_BYTES:
        raise UnreadableFile(f"{count:,} bytes are more than {MOST_BYTES:,}")


def pixels_of(data):
    """The number of pixels that an image file's header names; 0 if it is no image."""
    try:
        image = Image.open(io.BytesIO(data))
    except Exception:  # noqa: BLE001 - as in decode, which says what is wrong
        return 0
    return image.width * image.height


def decode(data, most_pixels=MOST_PIXELS, short_side=0):
    """Decode an image file's bytes: the first picture in it, upright by its EXIF orientation, in sRGB by its colour space.

    Every kind that Pillow reads: gray of 1 to 32 bits, RGB, palette, CMYK, Lab. With a `short_side` in px a JPEG is decoded
    at 1/8, 1/4 or 1/2, straight from its DCT coefficients, where its short side stays that long.

    Returns
    -------
    image_bgr : ndarray of uint8, shape (H, W, 3)
    alpha : ndarray of uint8, shape (H, W), or None

    Raises
    ------
    UnreadableFile
        It is empty, truncated, no image, or has more than `most_pixels` pixels or a side above LONGEST_SIDE.
    """
    check_size(len(data))
    try:
        image = Image.open(io.BytesIO(data))  # reads the header only
        if image.width * image.height > most_pixels:
            raise UnreadableFile(f"{image.width} x {image.height} pixels are more than {most_pixels:,}")
        if max(image.size) > LONGEST_SIDE:
            raise UnreadableFile(f"{image.width} x {image.height} pixels: no side may be longer than {LONGEST_SIDE:,}")
        if short_side:
            image.draft(None, (short_side, short_side))
        icc = profile_of(image)
        if image.format == "PNG" and isinstance(image.info.get("transparency"), int | tuple):
            image.info["transparency"] = _in_eight_bits(image.info["transparency"], image.mode, depth=data[24])
        ImageOps.exif_transpose(image, in_place=True)
        return cv2.cvtColor(np.asarray(_in_srgb(image, icc)), cv2.COLOR_RGB2BGR), _alpha(image)
    except UnreadableFile:
        raise
    except UnidentifiedImageError:
        raise UnreadableFile("empty file" if not data else "no image that Pillow reads") from None
    except Exception as error:  # noqa: BLE001 - decoders raise whatever a damaged file leads them to
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise UnreadableFile(f"not a whole image ({reason})") from None


def decode_ordinary_jpeg(data, short_side=0):
    """What `decode` gives of an ordinary JPEG file, in less time, or None; OpenCV may print what it finds in it.

    Pillow takes half as long again for a photograph of 500 x 375 pixels, and twice as long for one of 64 x 64.

    Returns
    -------
    image_bgr : ndarray of uint8, shape (H, W, 3); None of a file that is cut, too large, in CMYK, in another colour space, or no JPEG
    """
    if not (data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")):
        return None
    at = 2
    profiled = False
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker, length = struct.unpack_from(">BH", data, at + 1)
        held = data[at + 4 : at + 2 + length]
        if marker in (0xC0, 0xC1, 0xC2):
            bits, height, width, channels = struct.unpack_from(">BHHB", data, at + 4)
            if not 0 < height * width <= MOST_PIXELS or max(height, width) > LONGEST_SIDE:
                return None
            if bits != 8 or channels not in ((3,) if profiled else (1, 3)):
                return None
            fit = min(height, width) // short_side if short_side else 1
            way = next((flag for scale, flag in SCALES.items() if scale <= fit), cv2.IMREAD_COLOR)
            with contextlib.suppress(cv2.error):
                return cv2.imdecode(np.frombuffer(data, np.uint8), way)
        if marker == 0xE1 and (ADOBE_RGB_INDEX in held or XMP_ORIENTATION in held):
            return None
        if marker == 0xE2:  # a profile, or more pictures
            profiled = held.startswith(ONE_PROFILE)
            if not profiled or _to_srgb(held[len(ONE_PROFILE) :], "RGB"):
                return None
        at += 2 + length
    return None


def read_photograph(data, most_pixels=MOST_PIXELS):
    """As `decode`, as a Photograph."""
    return from_bgr(*decode(data, most_pixels))


def _in_eight_bits(transparent, mode, depth):
    """The level (of gray) or levels (of RGB) that a PNG of `depth` bits calls transparent, as its pixels are decoded."""
    if mode == "RGB" and depth == 16:
        return tuple(level >> 8 for level in transparent)
    return transparent * 255 // (2**depth - 1) if mode == "L" else transparent


def _alpha(image):
    """(H, W) uint8 of an image that has some, else None."""
    if image.mode.startswith("I;16") and "transparency" in image.info:  # which Pillow's own conversion passes over
        return np.where(np.asarray(image) == image.info["transparency"], 0, 255).astype(np.uint8)
    if "A" in image.getbands() or "transparency" in image.info:
        return np.asarray(image.convert("RGBA").getchannel("A"))
    return None


def _in_srgb(image, icc):
    """An image of any mode as RGB, seen through its ICC profile (bytes, or None)."""
    if image.mode.startswith("I") or image.mode == "F":
        values, tags = np.asarray(image), getattr(image, "tag_v2", {})
        if image.format == "TIFF" and image.mode == "I" and tags.get(SAMPLE_FORMAT, UNSIGNED) == UNSIGNED:
            values = values.view(np.uint32)
        levels = _eight_bits(values, image.mode)
        negative = image.mode.startswith("I;16") and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
        image = Image.fromarray(255 - levels if negative else levels)  # Pillow heeds it in 8 bits only
    if icc:
        own = {"L": "L", "LA": "L", "CMYK": "CMYK", "LAB": "LAB"}.get(image.mode, "RGB")
        for mode in (own, "RGB"):  # a gray picture may have a profile of RGB
            if transform := _to_srgb(icc, mode):
                return transform.apply(image.convert(mode))
    return image.convert("RGB")


@functools.lru_cache(maxsize=64)
def _to_srgb(icc, mode):
    """The transform from a profile to sRGB; None if it is sRGB, not of this mode, or damaged."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            SRGB,
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode in ("L", "RGB"):
        levels = np.linspace(0, 255, 18).astype(np.uint8)
        grid = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(18, -1, 3)
        seen = Image.fromarray(grid).convert(mode)
        moved = np.asarray(transform.apply(seen)).astype(int) - np.asarray(seen.convert("RGB"))
        return transform if np.abs(moved).max() > NEAR_SRGB else None
    return transform


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
    return cv2.imencode(".png", image_bgr, QUICK_PNG)[1].tobytes()
