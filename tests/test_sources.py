import io
import os
import zipfile

import cv2
import numpy as np
import pytest
from conftest import photograph_file
from PIL import Image

from preprocessing.files import UserError
from preprocessing.sources import (
    EMBEDDED,
    EMBEDDED_TRAINING,
    UnreadableImage,
    decode_image,
    open_embedded,
    open_source,
    read_image,
    source_name,
)


def encoded(mode, format="PNG", **options):
    colours = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colours).convert(mode).save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA"])
def test_png_of_any_mode_becomes_three_channels(mode):
    assert decode_image(encoded(mode)).shape == (40, 50, 3)


def test_sixteen_bit_png_is_read_as_eight():
    levels = np.linspace(0, 65535, 40 * 50).reshape(40, 50).astype(np.uint16)
    image = decode_image(cv2.imencode(".png", levels)[1].tobytes())
    assert image.dtype == np.uint8
    assert image[-1, -1, 0] == 255
    assert image[0, 0, 0] == 0


def test_cmyk_jpeg_keeps_its_colours():
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 30, 30)).convert("CMYK").save(buffer, "JPEG")
    blue, green, red = decode_image(buffer.getvalue())[16, 16].astype(int)
    assert red > 150
    assert max(blue, green) < 90


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_truncated_images_are_refused(format, share):
    data = encoded("RGB", format)
    with pytest.raises(UnreadableImage):
        decode_image(data[: int(len(data) * share)])


def test_trailing_bytes_do_not_make_a_jpeg_truncated():
    assert decode_image(encoded("RGB", "JPEG") + b"\0" * 500).shape == (40, 50, 3)


@pytest.mark.parametrize("data", [b"", b"a text file named .jpg", b"\xff\xd8\xff"])
def test_what_is_no_image_is_refused(data):
    with pytest.raises(UnreadableImage):
        decode_image(data)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_image(encoded("RGB", "JPEG", exif=exif.tobytes())).shape == (50, 40, 3)


def make_folder(folder):
    for part, count in (("train", 3), ("val", 2), ("full-size", 1)):
        for index in range(count):
            photograph_file(folder / part / "class" / f"{part}{index}.png", index)
    return folder


def test_zip_and_folder_give_the_same_ids_and_parts(tmp_path):
    folder = make_folder(tmp_path / "photos")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(tmp_path))
        archive.writestr("__MACOSX/photos/train/._x.png", b"resource fork")
    unpacked, packed = open_source([folder]), open_source([tmp_path / "archive.zip"])
    assert {(p.id, p.part) for p in unpacked.photographs} == {(p.id, p.part) for p in packed.photographs}
    assert len(packed.photographs) == 5  # full-size/ is no part to train or test on
    first = {p.id: p for p in unpacked.photographs}["train/class/train0.png"]
    second = {p.id: p for p in packed.photographs}["train/class/train0.png"]
    assert (read_image(first) == read_image(second)).all()


def test_a_class_whose_name_ends_in_train_is_no_part_of_its_own(tmp_path):
    folder = make_folder(tmp_path / "photos")
    photograph_file(folder / "train" / "bullet_train" / "0.png", 7)
    photograph_file(folder / "train" / "train" / "0.png", 8)
    assert {p.part for p in open_source([folder]).photographs} == {"train", "val"}


def test_odd_names_and_links_that_lead_nowhere_do_not_end_the_listing(tmp_path):
    photograph_file(tmp_path / "a.png", 1)
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/caf\xe9.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    odd, gone = open_source([tmp_path]).photographs
    assert odd.id.encode() == "caf\ufffd.png".encode()
    assert read_image(odd).ndim == 3
    with pytest.raises(UnreadableImage):
        read_image(gone)


def test_a_folder_without_parts_lists_everything(tmp_path):
    for index in range(4):
        photograph_file(tmp_path / "2019" / f"{index}.png", index)
    assert {p.part for p in open_source([tmp_path]).photographs} == {""}
    assert len(open_source([tmp_path]).photographs) == 4


def test_fingerprint_follows_the_photographs(tmp_path):
    folder = make_folder(tmp_path / "photos")
    before = open_source([folder]).fingerprint
    assert open_source([folder]).fingerprint == before
    photograph_file(folder / "train" / "new.png", 9)
    assert open_source([folder]).fingerprint != before


def test_joined_name_does_not_depend_on_the_order():
    assert source_name(["b.zip", "a"]) == source_name(["a", "b.zip"]) == "a+b"


def test_what_cannot_be_a_source_is_one_clear_error(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no zip")
    for path in ("missing", "empty", "text.zip"):
        with pytest.raises(UserError, match=path):
            open_source([tmp_path / path])


def test_embedded_photographs_are_all_test_and_all_readable():
    photographs = open_embedded(EMBEDDED).photographs
    assert {p.part for p in photographs} == {"val"}
    assert all(min(read_image(p).shape[:2]) >= 128 for p in photographs)
    assert {p.id for p in open_embedded(EMBEDDED_TRAINING).photographs} == {p.id for p in photographs}
