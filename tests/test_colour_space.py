"""Colour spaces that a file's profile, EXIF or PNG's gAMA and cHRM name: L is that of the colours that are meant."""

import io
import struct
import zlib

import numpy as np
import pytest
from pictures import COLOURS, GRAY, encoded, error_of_lightness
from PIL import Image, ImageCms

from preprocessing.colour_space import COLOUR_SPACE, EXIF, INDEX, INTEROPERABILITY
from preprocessing.photograph import SRGB, decode, decode_ordinary_jpeg


def numbers(values):
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile(space, gamma, primaries=()):
    """An ICC profile of space b"GRAY", or of b"RGB " with the XYZ (D50) of its three primaries."""
    curve = b"curv" + struct.pack(">IIHH", 0, 1, round(gamma * 256), 0)
    tags = [(b"desc", b"desc" + struct.pack(">II", 0, 5) + b"test\0".ljust(84, b"\0"))]
    tags += [(b"wtpt", b"XYZ \0\0\0\0" + numbers((0.9642, 1, 0.8249))), (b"cprt", b"text\0\0\0\0cc0\0")]
    tags += [(b"rXYZ gXYZ bXYZ".split()[i], b"XYZ \0\0\0\0" + numbers(xyz)) for i, xyz in enumerate(primaries)]
    tags += [(name, curve) for name in ((b"rTRC", b"gTRC", b"bTRC") if primaries else (b"kTRC",))]
    offset, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags:
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">IIIII", offset + len(body), 0, 0x02200000, 0, 0)[:12] + b"mntr" + space + b"XYZ "
    head = head.ljust(36, b"\0") + b"acsp" + b"\0" * 28 + numbers((0.9642, 1, 0.8249))
    return head.ljust(128, b"\0") + table + body


SRGB_PROFILE = ImageCms.ImageCmsProfile(SRGB).tobytes()
PROFILES = {
    "Adobe RGB": profile(b"RGB ", 2.2, [(0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)]),
    "Display P3": profile(b"RGB ", 2.2, [(0.5151, 0.2412, -0.001), (0.292, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)]),
    "ProPhoto": profile(b"RGB ", 1.8, [(0.7977, 0.288, 0), (0.1352, 0.7119, 0), (0.0313, 0.0001, 0.8249)]),
}


def as_in(icc):
    """COLOURS as an image in another RGB space holds them."""
    there = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return ImageCms.profileToProfile(Image.fromarray(COLOURS), SRGB, there, ImageCms.Intent.RELATIVE_COLORIMETRIC)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_photograph_in_another_colour_space_has_the_lightness_that_its_profile_says(name, format):
    image = as_in(PROFILES[name])
    right, wrong = (
        error_of_lightness(encoded(image, format, quality=95, icc_profile=icc), encoded(COLOURS))
        for icc in (PROFILES[name], None)
    )
    assert right < 0.7
    assert wrong > 1.5 * right


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("deep", [False, True])
def test_a_gray_profile_says_what_its_levels_mean(gamma, deep):
    levels = GRAY / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    most, dtype = (65535, np.uint16) if deep else (255, np.uint8)
    data = encoded(np.rint(linear ** (1 / gamma) * most).astype(dtype), icc_profile=profile(b"GRAY", gamma))
    assert error_of_lightness(data, encoded(GRAY)) < 0.9  # 22.8 at gamma 1 without it


def test_a_gray_picture_with_a_profile_of_rgb_is_seen_through_it():
    icc = PROFILES["ProPhoto"]
    as_gray, as_rgb = encoded(GRAY, icc_profile=icc), encoded(np.dstack([GRAY] * 3), icc_profile=icc)
    assert (decode(as_gray)[0] == decode(as_rgb)[0]).all()
    assert error_of_lightness(as_gray, encoded(GRAY)) > 1


@pytest.mark.parametrize("icc", [SRGB_PROFILE, b"no profile", profile(b"GRAY", 1.0)])
def test_a_profile_of_srgb_and_one_that_does_not_fit_change_nothing(icc):
    assert (decode(encoded(COLOURS, icc_profile=icc))[0] == COLOURS[..., ::-1]).all()


def named_by_exif(index, colour_space):
    exif = Image.Exif()
    exif[EXIF] = {COLOUR_SPACE: colour_space, INTEROPERABILITY: {INDEX: index}}
    return exif


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_adobe_rgb_that_only_exif_names_is_seen(format):
    image = as_in(PROFILES["Adobe RGB"])
    said, wrong, srgb = (
        encoded(image, format, quality=95, exif=named_by_exif(*names))
        for names in (("R03", 0xFFFF), ("R98", 0xFFFF), ("R03", 1))
    )
    held = encoded(image, format, quality=95, icc_profile=PROFILES["Adobe RGB"])
    assert np.abs(decode(said)[0].astype(int) - decode(held)[0]).max() <= 2
    assert error_of_lightness(said, encoded(COLOURS)) < 0.5 * error_of_lightness(wrong, encoded(COLOURS))
    assert (decode(wrong)[0] == decode(srgb)[0]).all()
    assert format != "JPEG" or decode_ordinary_jpeg(said) is None


def png_with(pixels, **chunks):
    """A PNG file with chunks (their bytes) before its pixels."""
    data = encoded(pixels)
    end = data.index(b"IDAT") - 4
    held = b"".join(
        struct.pack(">I", len(body)) + name.encode() + body + struct.pack(">I", zlib.crc32(name.encode() + body))
        for name, body in chunks.items()
    )
    return data[:end] + held + data[end:]


def hundred_thousandths(*values):
    return b"".join(struct.pack(">I", round(value * 100_000)) for value in values)


OF_SRGB = hundred_thousandths(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)


def test_a_png_whose_gama_and_chrm_are_those_of_srgb_is_as_it_is():
    for chunks in (
        {"gAMA": hundred_thousandths(0.45455)},
        {"gAMA": hundred_thousandths(0.45455), "cHRM": OF_SRGB},
        {"gAMA": hundred_thousandths(1), "sRGB": b"\0"},
        {"gAMA": hundred_thousandths(0)},
        {"cHRM": b"\0" * 32},
    ):
        for pixels in (COLOURS, GRAY):
            assert (decode(png_with(pixels, **chunks))[0] == decode(encoded(pixels))[0]).all(), chunks


def test_a_png_with_another_gama_and_chrm_has_the_colours_that_they_mean():
    levels = COLOURS / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    data = png_with(np.rint(linear ** (1 / 1.8) * 255).astype(np.uint8), gAMA=hundred_thousandths(1 / 1.8))
    assert np.abs(decode(data)[0][..., ::-1].astype(int) - COLOURS).max() < 6
    prophoto = hundred_thousandths(0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)
    image = as_in(PROFILES["ProPhoto"])
    named = png_with(np.asarray(image), gAMA=hundred_thousandths(1 / 1.8), cHRM=prophoto)
    held = encoded(image, icc_profile=PROFILES["ProPhoto"])
    assert np.abs(decode(named)[0].astype(int) - decode(held)[0]).max() <= 2


def test_the_quick_way_leaves_every_other_file_to_the_reader():
    small = encoded(COLOURS, "JPEG")
    others = {
        "profile": encoded(COLOURS, "JPEG", icc_profile=PROFILES["ProPhoto"]),
        "cmyk": encoded(Image.fromarray(COLOURS).convert("CMYK"), "JPEG"),
        "gray with a profile": encoded(GRAY, "JPEG", icc_profile=SRGB_PROFILE),
        "orientation in XMP": encoded(COLOURS, "JPEG", xmp=b'<x tiff:Orientation="6"/>'),
        "cut": small[:-9],
        "cut in its header": small[:30] + b"\xff\xd9",
        "png": encoded(COLOURS),
        "empty": b"",
    }
    for ordinary in (small, encoded(COLOURS, "JPEG", icc_profile=SRGB_PROFILE)):
        assert (decode_ordinary_jpeg(ordinary) == decode(ordinary)[0]).all()
    assert [name for name, data in others.items() if decode_ordinary_jpeg(data) is not None] == []
