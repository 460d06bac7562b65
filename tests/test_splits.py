import hashlib
import zipfile

import cv2
import numpy as np
import pytest
from conftest import photograph_file

from preprocessing.files import UserError
from preprocessing.sources import Photograph, open_source
from preprocessing.splits import NearCopies, hash_share, photo_of, split_photographs, thumbnail


def photographs(count, part=""):
    return [Photograph(f"{part}/{index}.jpg", part, "file", "") for index in range(count)]


def test_the_hash_is_the_same_for_ever():
    assert hash_share("train/n01443537/images/n01443537_0.JPEG") == pytest.approx(0.752359, abs=1e-6)


def test_a_source_without_parts_is_cut_90_5_5():
    splits = split_photographs(photographs(4000))
    for name, share in (("train", 0.9), ("val", 0.05), ("test", 0.05)):
        assert len(splits[name]) / 4000 == pytest.approx(share, abs=0.012)


def test_a_sources_own_validation_part_is_test_and_val_is_cut_from_train():
    splits = split_photographs(photographs(2000, "train") + photographs(50, "val"))
    assert {p.part for p in splits["test"]} == {"val"}
    assert len(splits["test"]) == 50
    assert 60 < len(splits["val"]) < 140


def test_joining_a_source_moves_no_photograph_to_another_split_of_training():
    alone = split_photographs(photographs(500, "train") + photographs(5, "val"))
    joined = split_photographs(photographs(500, "train") + photographs(5, "val") + photographs(300))
    assert {p.id for p in alone["val"]} <= {p.id for p in joined["val"]}
    assert {p.part for p in joined["test"]} == {"val"}


@pytest.mark.parametrize("count", [3, 8, 20])
def test_few_photographs_leave_no_split_empty(count):
    splits = split_photographs(photographs(count))
    assert all(splits.values())
    assert sum(map(len, splits.values())) == count


def test_too_few_photographs_are_refused():
    with pytest.raises(UserError, match="too few"):
        split_photographs(photographs(2))


def test_crops_of_one_photograph_share_its_name():
    assert photo_of("a/b.jpg#3,4,64") == "a/b.jpg"


def test_near_copies_are_found_resized_recompressed_and_mirrored_but_others_are_not(tmp_path):
    images = [photograph_file(tmp_path / f"{seed}.png", seed, 200, 240) for seed in range(30)]
    index = NearCopies([(str(seed), thumbnail(image)) for seed, image in enumerate(images)])
    small = cv2.resize(images[3], (120, 100), interpolation=cv2.INTER_AREA)
    compressed = cv2.imdecode(cv2.imencode(".jpg", images[5], [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)
    mirrored = images[7][:, ::-1]
    other = photograph_file(tmp_path / "other.png", 99, 200, 240)
    named = {"small": small, "compressed": compressed, "mirrored": np.ascontiguousarray(mirrored), "other": other}
    found = index.find([(name, thumbnail(image)) for name, image in named.items()])
    assert found == {"small": "3", "compressed": "5", "mirrored": "7"}


NAMES = {  # made-up files that are named as those of the zips are on which scores stand
    "tiny": ["tiny-imagenet-200/train/n01443537/images/n01443537_{}.JPEG", "tiny-imagenet-200/val/images/val_{}.JPEG"],
    "photos": ["photos/train/n01440764_{}.jpg", "photos/val/ILSVRC2012_val_{}.jpg", "photos/full-size/n{}.JPEG"],
    "everyday": ["everyday/train/imagenette-{}.webp", "everyday/val/street-{}.webp"],
    "scenes": ["photos/train/forest-{}.webp"],
}
MEMBERS = {  # (train, val, test, the first hexadecimal digits of a digest of the ids of val and of test)
    "tiny": (95, 5, 100, "dfa0d97de93be308"),
    "photos": (97, 3, 100, "aa0575883ca1a6e6"),
    "everyday": (93, 7, 100, "74f5f6ef972a281e"),
    "scenes": (87, 8, 5, "47652ab2b821767c"),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_val_and_test_photographs_of_the_data_that_scores_stand_on_stay(name, tmp_path):
    with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
        for pattern in NAMES[name]:
            for index in range(100):
                archive.writestr(pattern.format(index), b"")
        archive.writestr("words.txt", b"")
    splits = split_photographs(open_source([tmp_path / f"{name}.zip"]).photographs)
    ids = "\n".join(photograph.id for split in ("val", "test") for photograph in splits[split])
    digest = hashlib.sha256(ids.encode()).hexdigest()[:16]
    assert (*map(len, splits.values()), digest) == MEMBERS[name]
