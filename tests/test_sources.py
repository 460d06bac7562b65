import os
import zipfile

import pytest
from conftest import photograph_file

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
