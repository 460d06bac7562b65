"""The one reader: what colours, lightness and alpha it sees in a file of any kind, and what it refuses."""

import io
import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from pictures import COLOURS, GRAY, encoded, error_of_lightness
from PIL import Image, PngImagePlugin

from preprocessing import photograph
from preprocessing.lab import bgr_to_lab
from preprocessing.photograph import UnreadableFile, decode, decode_ordinary_jpeg, read_file, read_photograph

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_an_ordinary_photograph_has_the_pixels_on_which_weights_were_trained_and_scored(format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for image in (COLOURS, GRAY):
        data = encoded(image, format, exif=exif)
        assert (decode(data)[0] == cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)).all()


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("short_side", [0, 90, 59, 16])  # the whole, and no less than 1, 1/2 and 1/4 of the enlarged
def test_the_quick_way_for_ordinary_jpegs_gives_what_the_reader_gives(orientation, short_side):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for options in ({}, {"progressive": True}, {"subsampling": 0, "quality": 95}, {"comment": b"APP2" * 9}):
        for image in (COLOURS, GRAY, cv2.resize(COLOURS, (181, 119))):
            data = encoded(image, "JPEG", exif=exif, **options)
            assert (decode_ordinary_jpeg(data, short_side) == decode(data, short_side=short_side)[0]).all()


def test_a_jpeg_decoded_scaled_is_upright_no_smaller_than_asked_for_and_as_if_resized():
    exif = Image.Exif()
    exif[0x0112] = 6
    large = cv2.resize(COLOURS, (720, 480), interpolation=cv2.INTER_CUBIC)
    data = encoded(large, "JPEG", quality=95, exif=exif)
    whole = decode(data)[0]
    for short_side, size in ((481, (480, 720)), (240, (240, 360)), (61, (120, 180)), (60, (60, 90)), (1, (60, 90))):
        scaled = decode(data, short_side=short_side)[0]
        assert scaled.shape[1::-1] == size
        expected = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
        assert np.abs(scaled.astype(int) - expected).mean() < 2
    assert decode(encoded(large), short_side=60)[0].shape == large.shape  # no other kind is decoded scaled


def test_gray_of_8_and_16_bits_palette_cmyk_and_rgb_are_the_same_photograph():
    rgb = Image.fromarray(np.dstack([GRAY] * 3))
    kinds = {
        "rgb": encoded(rgb),
        "deep": encoded(GRAY.astype(np.uint16) * 257),
        "palette": encoded(rgb.quantize(256)),
        "gif": encoded(rgb, "GIF"),
        "cmyk": encoded(rgb.convert("CMYK"), "TIFF"),
        "float": encoded(GRAY.astype(np.float32) / 255, "TIFF"),
        "jp2": encoded(rgb, "JPEG2000"),
    }
    for name, data in kinds.items():
        assert error_of_lightness(data, encoded(GRAY)) < 1.2, name
        assert decode(data)[1] is None, name


def tiff_of_16_bits(bands, photometric):
    """An uncompressed TIFF of (C, H, W) uint16, in planes, which Pillow and OpenCV do not write."""
    count, height, width = bands.shape
    size = 2 * height * width
    first = 8 + 10 * count  # after lists of the strips' offsets and sizes, and of bits
    lists = [struct.pack(f"<{count}I", *(first + i * size for i in range(count))), struct.pack("<I", size) * count]
    lists.append(struct.pack("<H", 16) * count)
    tags = {256: width, 257: height, 259: 1, 262: photometric, 277: count, 278: height, 284: 2}
    entries = {tag: struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()}
    for tag, kind, place, values in (
        (273, 4, 8, lists[0]),
        (279, 4, 8 + 4 * count, lists[1]),
        (258, 3, first - 2 * count, lists[2]),
    ):
        entries[tag] = struct.pack("<HHI", tag, kind, count) + (
            values if count == 1 else struct.pack("<I", place)
        ).ljust(4, b"\0")
    directory = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + b"\0" * 4
    return (
        b"II*\0" + struct.pack("<I", first + count * size) + b"".join(lists) + bands.astype("<u2").tobytes() + directory
    )


def test_a_tiff_of_16_bits_in_planes_or_with_white_as_0_has_its_colours():
    planes = np.ascontiguousarray(COLOURS.transpose(2, 0, 1)).astype(np.uint16) * 257
    assert (decode(tiff_of_16_bits(planes, 2))[0] == COLOURS[..., ::-1]).all()
    assert (decode(tiff_of_16_bits((255 - GRAY[None].astype(np.uint16)) * 257, 0))[0] == GRAY[..., None]).all()


def test_a_png_with_megabytes_of_text_is_read_and_postscript_is_not_run():
    note = PngImagePlugin.PngInfo()
    note.add_text("workflow", "a" * 3_000_000, zip=True)
    assert (decode(encoded(COLOURS, pnginfo=note))[0] == COLOURS[..., ::-1]).all()
    with pytest.raises(UnreadableFile, match="Ghostscript"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n/x 1 def\n")


def test_an_animation_is_read_as_its_first_picture():
    first, second = Image.fromarray(COLOURS), Image.fromarray(255 - COLOURS)
    for format in ("GIF", "WEBP"):
        data = encoded(first, format, save_all=True, append_images=[second], duration=100)
        assert np.abs(decode(data)[0].astype(int) - COLOURS[..., ::-1]).mean() < 9, format


def test_cmyk_jpeg_keeps_its_colours():
    blue, green, red = decode(encoded(Image.new("RGB", (32, 32), (200, 30, 30)).convert("CMYK"), "JPEG"))[0][16, 16]
    assert red > 150
    assert max(blue, green) < 90


def test_exif_orientation_is_honoured_and_alpha_kept():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by 90 degrees
    alpha = RANDOM.integers(0, 256, GRAY.shape, np.uint8)
    image_bgr, turned = decode(encoded(np.dstack([COLOURS, alpha]), exif=exif))
    assert (image_bgr == np.rot90(COLOURS[..., ::-1], -1)).all()
    assert (turned == np.rot90(alpha, -1)).all()


@pytest.mark.parametrize(
    ("mode", "pixels", "transparent"),
    [
        ("L", [[0, 9, 255]], 9),
        ("RGB", [[(1, 2, 3), (9, 9, 9), (255, 255, 255)]], (9, 9, 9)),
        ("I;16", [[0, 1000, 65535]], 1000),
    ],
)
def test_a_png_that_calls_one_colour_transparent_has_alpha(mode, pixels, transparent):
    image = Image.fromarray(np.array(pixels, np.uint16 if mode == "I;16" else np.uint8))
    assert decode(encoded(image, transparency=transparent))[1].tolist() == [[255, 0, 255]]


def test_a_16_bit_rgb_png_that_calls_one_colour_transparent_has_alpha():
    data = cv2.imencode(".png", np.array([[(0, 0, 0), (25700, 25700, 25700)]], np.uint16))[1].tobytes()
    chunk = encoded(np.zeros((1, 1, 3), np.uint8), transparency=(25700, 25700, 25700))
    start, end = chunk.index(b"tRNS") - 4, data.index(b"IDAT") - 4
    assert decode(data[:end] + chunk[start : start + 18] + data[end:])[1].tolist() == [[255, 0]]


@pytest.mark.parametrize(("depth", "transparent", "alpha"), [(2, 2, [255, 255, 0, 255]), (4, 11, [255, 0])])
def test_a_png_of_2_or_4_bits_that_calls_one_level_transparent_has_alpha(depth, transparent, alpha):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", len(alpha), 1, depth, 0, 0, 0, 0)
    kept = [(b"IHDR", header), (b"tRNS", struct.pack(">H", transparent)), (b"IDAT", zlib.compress(b"\0\x1b"))]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in [*kept, (b"IEND", b"")])
    assert decode(data)[1].tolist() == [alpha]


@pytest.mark.parametrize(
    ("mode", "values", "L"),
    [
        ("I;16", [0, 200, 65535], [0, 0, 255]),
        ("I", [0, 200, 255], [0, 206, 255]),
        ("I", [0, 500_000, 1_000_000], [0, 138, 255]),
        ("F", [0.0, 0.5, 1.0], [0, 138, 255]),
        ("F", [0.0, float("nan"), 1.0], [0, 0, 255]),
    ],
)
def test_gray_of_more_than_8_bits_is_scaled_by_its_kind(mode, values, L):
    dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    data = encoded(np.array([values], dtype), "TIFF")
    np.testing.assert_allclose(read_photograph(data).L[0, :, 0], L, atol=1)


def test_gray_of_32_bits_without_sign_is_not_negative():
    data = io.BytesIO()
    tifffile.imwrite(data, np.array([[0, 1 << 31, (1 << 32) - 1]], np.uint32))
    assert decode(data.getvalue())[0][0, :, 0].tolist() == [0, 128, 255]


def test_lightness_is_that_of_the_colours():
    assert (bgr_to_lab(np.ascontiguousarray(COLOURS[..., ::-1]))[0] == read_photograph(encoded(COLOURS)).L).all()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_truncated_images_are_refused(format, share):
    data = encoded(RANDOM.integers(0, 256, (40, 50, 3), np.uint8), format)
    with pytest.raises(UnreadableFile):
        decode(data[: int(len(data) * share)])


def test_trailing_bytes_do_not_make_a_jpeg_truncated():
    assert decode(encoded(COLOURS, "JPEG") + b"\0" * 500)[0].shape == COLOURS.shape


@pytest.mark.parametrize("data", [b"", b"a text file named .jpg", b"\xff\xd8\xff"])
def test_what_is_no_image_is_refused(data):
    with pytest.raises(UnreadableFile):
        decode(data)


def test_limits_on_pixels_sides_and_bytes_come_before_decoding(monkeypatch, tmp_path):
    whole = encoded(COLOURS)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(UnreadableFile, match="90 x 60 pixels are more than 1,000"):
        decode(whole, most_pixels=1000)
    with pytest.raises(UnreadableFile, match="no side may be longer than 32,766"):
        decode(encoded(np.zeros((2, 40_000), np.uint8)))
    (tmp_path / "large.png").write_bytes(whole)
    monkeypatch.setattr(photograph, "MOST_BYTES", 1000)
    with pytest.raises(UnreadableFile, match="bytes are more than 1,000"):
        read_file(tmp_path / "large.png")


def test_a_pipe_a_folder_and_a_missing_file_are_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path, tmp_path / "missing.png"):
        with pytest.raises(UnreadableFile):
            read_file(path)


def test_the_libraries_say_nothing_of_a_damaged_file_beside_what_we_say(tmp_path):
    noise = RANDOM.integers(0, 256, (60, 90, 3), np.uint8)
    jpeg, png, tiff = (bytearray(encoded(noise, format)) for format in ("JPEG", "PNG", "TIFF"))
    jpeg[-400:-300] = b"\xff\x00\xff\xd9" * 25
    png[500] ^= 1
    tiff[4:8] = b"\xff\xff\xff\0"
    for name, data in (("a.jpg", jpeg), ("b.png", png), ("c.tif", tiff), ("d.tif", tiff[:-3])):
        (tmp_path / name).write_bytes(data)
    program = "import sys\nfrom preprocessing.photograph import *\nfor path in sys.argv[1:]:\n"
    program += "    try: decode(read_file(path))\n    except UnreadableFile: pass\n"
    files = sorted(map(str, tmp_path.iterdir()))
    process = subprocess.run([sys.executable, "-c", program, *files], capture_output=True, text=True)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
