"""Colour spaces that a file names without holding their profile, as ICC profiles: PNG's gAMA and cHRM, EXIF's Adobe RGB."""

import functools
import struct

import numpy as np

WHITE, RED, GREEN, BLUE = (0.3127, 0.329), (0.64, 0.33), (0.3, 0.6), (0.15, 0.06)  # of sRGB, xy (IEC 61966-2-1)
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # ICC's parametric curve of type 3
ADOBE_RGB = (WHITE, RED, (0.21, 0.71), BLUE, (563 / 256,))  # Adobe RGB (1998), 4.3.1 and 4.3.4
D50 = (0.9642, 1.0, 0.8249)  # XYZ, to which ICC refers colours
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])  # ICC.1, annex E
AS_SRGB = 0.05  # a PNG's gAMA that is off 1 / 2.2 by no more means sRGB's curve: libpng's PNG_GAMMA_THRESHOLD
GAMMAS = 0.1, 10  # a gAMA beyond is none
EXIF, INTEROPERABILITY, INDEX, COLOUR_SPACE = 0x8769, 0xA005, 1, 0xA001  # EXIF's tags
AS_EXIF_SRGB = 1
ADOBE_RGB_INDEX = b"R03\0"  # the value of INDEX, as a file holds it


def profile_of(image):
    """The ICC profile (bytes) that a PIL image means, which it holds or names; None: sRGB."""
    info = image.info
    if info.get("icc_profile"):
        return info["icc_profile"]
    if image.format == "PNG" and "srgb" not in info and ("gamma" in info or "chromaticity" in info):
        return _profile_of_png(info.get("gamma"), info.get("chromaticity"))
    if ADOBE_RGB_INDEX in (info.get("exif") or b"") and _is_adobe_rgb(image.getexif()):
        return profile(*ADOBE_RGB)
    return None


def _is_adobe_rgb(exif):
    """As DCF 2.0 has it: the index R03, and no colour space of EXIF's own."""
    try:
        index = exif.get_ifd(INTEROPERABILITY).get(INDEX)
        return index == "R03" and exif.get_ifd(EXIF).get(COLOUR_SPACE) != AS_EXIF_SRGB
    except Exception:  # noqa: BLE001 - damaged EXIF, which is no reason to refuse a picture
        return False


def _profile_of_png(gamma, chromaticity):
    """Where one of gAMA and cHRM is missing it is sRGB's, as in browsers; None for numbers that mean nothing."""
    points = np.reshape(chromaticity or (WHITE, RED, GREEN, BLUE), (4, 2)).round(5)
    if gamma is None or abs(gamma * 2.2 - 1) <= AS_SRGB:
        curve = SRGB_CURVE
    elif GAMMAS[0] <= gamma <= GAMMAS[1]:
        curve = (1 / gamma,)
    else:
        return None
    try:
        return profile(*map(tuple, points.tolist()), curve)
    except (np.linalg.LinAlgError, ZeroDivisionError, struct.error):
        return None


@functools.lru_cache(maxsize=64)
def profile(white, red, green, blue, curve):
    """An ICC profile (bytes) of an RGB space: xy of its white and primaries, and the parameters of its curve.

    Raises
    ------
    LinAlgError, ZeroDivisionError, struct.error
        The points span no space.
    """
    colorants = np.array([_xyz(point) for point in (red, green, blue)]).T
    colorants = colorants * np.linalg.solve(colorants, _xyz(white))
    adapted = np.diag((BRADFORD @ D50) / (BRADFORD @ _xyz(white)))
    colorants = np.linalg.solve(BRADFORD, adapted @ BRADFORD @ colorants)
    kind = {1: 0, 5: 3}[len(curve)]  # Y = X^g, or with a straight part
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(D50)}
    for name, colorant in zip((b"r", b"g", b"b"), colorants.T, strict=True):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(colorant)
        tags[name + b"TRC"] = b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + _fixed(curve)
    table, body, first = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", first + len(body), len(data))
        body += data
    head = struct.pack(">I4xI", first + len(body), 0x04200000) + b"mntrRGB XYZ " + b"\0" * 12 + b"acsp"
    return head.ljust(68, b"\0") + _fixed(D50) + b"\0" * 48 + table + body


def _xyz(point):
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _fixed(values):
    """ICC's s15Fixed16Numbers."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
