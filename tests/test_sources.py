import os
import zipfile

import numpy as np
import pytest
from conftest import photograph_file
from PIL import Image

from preprocessing.files import UserError
from preprocessing.photograph import UnreadableFile
from preprocessing.sources import (
    EMBEDDED,
    EMBEDDED_TRAINING,
    open_embedded,
    open_source,
    read_image,
    source_name,
)


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
    with pytest.raises(UnreadableFile):
        read_image(gone)


def test_a_folder_without_parts_lists_everything(tmp_path):
    for index in range(4):
        photograph_file(tmp_path / "2019" / f"{index}.png", index)
    assert {p.part for p in open_source([tmp_path]).photographs} == {""}
    assert len(open_source([tmp_path]).photographs) == 4


def pictures(folder, *names):
    for name in names:
        photograph_file(folder / name, len(name))
    return open_source([folder])


def test_a_folder_that_happens_to_be_called_train_hides_nothing(tmp_path):
    source = pictures(tmp_path / "Pictures", "train/0.png", "family/1.png", "2.png")
    assert {(p.id, p.part) for p in source.photographs} == {
        ("train/0.png", "train"),
        ("family/1.png", ""),
        ("2.png", ""),
    }
    assert source.left_out == ()
    assert {p.id for p in open_source([tmp_path]).photographs} == {"train/0.png", "family/1.png", "2.png"}
    pictures(tmp_path, "train.png", "2.png", "Pictures/train/3.png")
    ids = [p.id for p in open_source([tmp_path]).photographs]
    assert sorted(ids) == ["2.png", "Pictures/2.png", "family/1.png", "train.png", "train/0.png", "train/3.png"]


def test_what_lies_beside_train_and_val_is_counted_and_named(tmp_path):
    source = pictures(tmp_path / "photos", "train/0.png", "val/1.png", "full-size/2.png", "full-size/3.png", "4.png")
    assert sorted(p.id for p in source.photographs) == ["train/0.png", "val/1.png"]
    (line,) = source.left_out
    assert line.startswith("photos: left out")
    assert "3 photographs (4.png, full-size)" in line


def test_files_that_are_not_taken_are_counted_by_suffix_in_a_folder_and_a_zip(tmp_path):
    folder = tmp_path / "photos"
    pictures(folder, "a.png", "b.PNG")
    for name in ("notes.txt", "raw.CR2", "raw2.cr2", ".hidden", "README"):
        (folder / name).write_text("")
    pictures(folder / ".Trash", "gone.png")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, f"./photos/{path.relative_to(folder)}")
    for path, stem in ((folder, "photos"), (tmp_path / "packed.zip", "packed")):
        source = open_source([path])
        assert len(source.photographs) == 2
        (line,) = source.left_out
        assert line.startswith(f"{stem}: passed over: 2 .cr2, ")
        assert {"1 .txt", "1 without suffix"} <= set(line.partition(", ")[2].split(", "))


def test_a_folder_that_may_not_be_listed_is_named_and_the_rest_taken(tmp_path, monkeypatch):
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    source = pictures(tmp_path / "photos", "a.png", "closed/b.png")
    assert [p.id for p in source.photographs] == ["a.png"]
    assert source.left_out == (f"photos: passed over: {tmp_path}/photos/closed, which may not be entered",)


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".gif", ".avif", ".jpx", ".heic", ".tif", ".webp", ".pbm"])
def test_every_kind_that_the_reader_reads_is_listed(tmp_path, suffix):
    image = Image.fromarray(np.full((40, 50), 90, np.uint8))
    format = {".jfif": "JPEG", ".jpe": "JPEG", ".heic": "HEIF", ".pbm": "PPM"}.get(suffix)
    image.save(tmp_path / f"a{suffix.upper()}", format)
    (found,) = open_source([tmp_path]).photographs
    assert np.abs(read_image(found).astype(int) - 90).max() <= 2


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
    for path in ("missing", "empty", "text.zip", "n" * 300):
        with pytest.raises(UserError, match=path):
            open_source([tmp_path / path])


def test_a_zip_that_is_cut_short_and_an_empty_name_are_said(tmp_path):
    (tmp_path / "cut.zip").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(UserError, match="cut.zip is a zip that is cut short or damaged"):
        open_source([tmp_path / "cut.zip"])
    with pytest.raises(UserError, match="an empty path"):
        open_source([""])


def test_embedded_photographs_are_all_test_and_all_readable():
    photographs = open_embedded(EMBEDDED).photographs
    assert {p.part for p in photographs} == {"val"}
    assert all(min(read_image(p).shape[:2]) >= 128 for p in photographs)
    assert {p.id for p in open_embedded(EMBEDDED_TRAINING).photographs} == {p.id for p in photographs}
