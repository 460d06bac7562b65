import json
import os
import signal
import time

import cv2
import numpy as np
import pytest
from conftest import photograph_file, run_script, start_script

from preprocessing.build import build_shards, resolutions_of
from preprocessing.crops import centre_square
from preprocessing.files import UserError
from preprocessing.lab import bgr_to_lab
from preprocessing.shards import list_shards, read_manifest, read_split
from preprocessing.sources import open_source
from preprocessing.splits import photo_of

BUILD = "preprocessing/02_build_shards.py"


def make_photos(folder, count, **size):
    for index in range(count):
        photograph_file(folder / f"{index}.png", index, **size)
    return folder


def test_shards_hold_what_the_photographs_say(tmp_path):
    photos = make_photos(tmp_path / "photos", 40)
    build_shards(open_source([photos]), [32, 64], root=tmp_path)
    for side in (32, 64):
        seen = []
        for split in ("train", "val", "test"):
            shard = read_split("photos", side, split, tmp_path)
            seen += shard.id
            for L, ab, name in zip(shard.L, shard.ab, shard.id, strict=True):
                expected = bgr_to_lab(centre_square(cv2.imread(str(photos / name)), side))
                assert (expected[0] == L).all()
                assert (ab == expected[1]).all()
        assert sorted(seen) == sorted(f"{index}.png" for index in range(40))


def test_no_photograph_crop_or_near_copy_is_in_two_splits(tmp_path):
    photos = tmp_path / "photos"
    for index in range(120):
        photograph_file(photos / "train" / f"{index}.png", index)
    for index in range(10):
        photograph_file(photos / "val" / f"v{index}.png", 1000 + index)
    copy = cv2.imread(str(photos / "val" / "v3.png"))
    cv2.imwrite(str(photos / "train" / "copy.jpg"), copy)
    cv2.imwrite(str(photos / "train" / "mirror.png"), copy[:, ::-1])
    manifest = build_shards(open_source([photos]), [32, 64], crops=3, root=tmp_path)
    assert manifest["near_copies"] == {"train/copy.jpg": "val/v3.png", "train/mirror.png": "val/v3.png"}
    names = {
        split: {photo_of(name) for side in (32, 64) for name in read_split("photos", side, split, tmp_path).id}
        for split in ("train", "val", "test")
    }
    assert len(names["train"] | names["val"]) == 120
    assert not names["train"] & names["val"]
    assert names["test"] == {f"val/v{index}.png" for index in range(10)}
    assert len(read_split("photos", 32, "train", tmp_path).id) == 3 * len(names["train"])


def test_shards_tell_from_which_of_the_sources_each_image_is(tmp_path):
    make_photos(tmp_path / "few" / "train", 30)
    for index in range(10):
        photograph_file(tmp_path / "few" / "val" / f"v{index}.png", 900 + index)
    for index in range(40):
        photograph_file(tmp_path / "many" / f"m{index}.png", 1000 + index)
    cv2.imwrite(str(tmp_path / "many" / "copy.png"), cv2.imread(str(tmp_path / "few" / "val" / "v3.png")))
    manifest = build_shards(open_source([tmp_path / "many", tmp_path / "few"]), [32], crops=2, root=tmp_path)
    assert list(manifest["near_copies"]) == ["copy.png"]
    for split in ("train", "val", "test"):
        shard = read_split("few+many", 32, split, tmp_path)
        assert shard.origin == ["many" if id.startswith("m") else "few" for id in shard.id]


def test_bad_files_are_skipped_counted_and_named(tmp_path):
    photos = make_photos(tmp_path / "photos", 30)
    whole = (photos / "0.png").read_bytes()
    bad = {"empty.png": b"", "text.jpg": b"hello", "cut.png": whole[: len(whole) // 2]}
    for name, data in bad.items():
        (photos / name).write_bytes(data)
    manifest = build_shards(open_source([photos]), [32], root=tmp_path)
    assert set(manifest["skipped"]) == set(bad)
    assert sum(entry["images"] for entry in manifest["resolutions"]["32"].values()) == 30


def test_a_build_prints_nothing_that_opencv_says_of_damaged_files(tmp_path):
    photos = make_photos(tmp_path / "photos", 20)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = bytearray(cv2.imencode(".jpg", noise)[1].tobytes())
    data[-400:-300] = b"\xff\x00\xff\xd9" * 25
    (photos / "damaged.jpg").write_bytes(data)
    process = run_script(BUILD, "--data", photos, "--resolutions", "32", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "orrupt" not in process.stderr


def test_small_photographs_give_no_larger_shard(tmp_path):
    photos = make_photos(tmp_path / "photos", 20, height=64, width=64)
    source = open_source([photos])
    assert resolutions_of(source, [32, 64, 128]) == [32, 64]
    with pytest.raises(UserError, match="nothing is scaled up"):
        resolutions_of(source, [128])
    photograph_file(photos / "small.png", 77, 40, 40)
    manifest = build_shards(open_source([photos]), [32, 64], root=tmp_path)
    counts = {side: sum(e["images"] for e in splits.values()) for side, splits in manifest["resolutions"].items()}
    assert counts == {"32": 21, "64": 20}


def test_manifest_counts_bins_and_mean_of_the_training_shards(tmp_path):
    photos = make_photos(tmp_path / "photos", 30)
    entry = build_shards(open_source([photos]), [32], root=tmp_path)["resolutions"]["32"]["train"]
    ab = read_split("photos", 32, "train", tmp_path).ab
    assert sum(entry["ab_bin_counts"]) == ab[..., 0].size
    assert entry["mean_ab"] == pytest.approx((ab.mean(axis=(0, 1, 2)) - 128).tolist())


def test_finished_shards_are_kept_and_other_crops_build_again(tmp_path):
    source = open_source([make_photos(tmp_path / "photos", 20)])
    build_shards(source, [32], root=tmp_path)
    (path,) = list_shards("photos", 32, "train", tmp_path)
    written = path.stat().st_mtime_ns
    build_shards(source, [64], root=tmp_path)
    assert path.stat().st_mtime_ns == written
    assert list(read_manifest("photos", tmp_path)["resolutions"]) == ["32", "64"]
    assert read_split("photos", 64, "train", tmp_path).L.shape[1] == 64
    build_shards(source, [32], crops=2, root=tmp_path)
    photographs = read_manifest("photos", tmp_path)["photographs"]["train"]
    assert len(read_split("photos", 32, "train", tmp_path).id) == 2 * photographs
    assert read_manifest("photos", tmp_path)["crops"] == 2


def test_fast_decoding_is_of_train_alone_and_shards_say_so(tmp_path):
    for index in range(40):
        photograph_file(tmp_path / "photos" / f"{index}.jpg", index, height=150, width=200)
    source, whole, fast = open_source([tmp_path / "photos"]), tmp_path / "whole", tmp_path / "fast"
    build_shards(source, [32, 64], root=whole)
    build_shards(source, [32], root=fast, fast_decode=True)
    assert read_manifest("photos", fast)["fingerprint"] == source.fingerprint + "-fast-32"
    quarter = read_split("photos", 32, "train", fast).L
    build_shards(source, [32, 64], root=fast, fast_decode=True)
    assert read_manifest("photos", fast)["fingerprint"] == source.fingerprint + "-fast-64"
    assert (quarter != read_split("photos", 32, "train", fast).L).any()  # now out of a half, as those of 64 px
    for side in (32, 64):
        for split in ("train", "val", "test"):
            one, other = (read_split("photos", side, split, root) for root in (whole, fast))
            assert (one.id, (one.L == other.L).all()) == (other.id, split != "train")
            assert np.abs(one.L.astype(int) - other.L).mean() < 2
            assert np.abs(one.ab.astype(int) - other.ab).mean() < 2
    written = list_shards("photos", 64, "train", fast)[0].stat().st_mtime_ns
    build_shards(source, [32], root=fast, fast_decode=True)
    assert list_shards("photos", 64, "train", fast)[0].stat().st_mtime_ns == written
    build_shards(source, [32], root=fast)
    assert read_manifest("photos", fast)["fingerprint"] == source.fingerprint
    assert (read_split("photos", 32, "train", fast).L == read_split("photos", 32, "train", whole).L).all()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_stopped_build_goes_on_and_equals_an_unbroken_one(tmp_path, number, code):
    photos = make_photos(tmp_path / "photos", 400)  # many blocks, so that the signal comes in time
    arguments = ("--data", photos, "--resolutions", "32", "64", "--crops", "100")
    process = start_script(BUILD, *arguments, cwd=tmp_path)
    shards = tmp_path / "shards" / "photos"
    deadline = time.monotonic() + 60
    while not list(shards.glob("32/train-*.h5")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, number)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == code, output
    if code == 130:
        assert "Traceback" not in output
        assert output.splitlines()[-1].startswith("02_build_shards.py: stopped")
    assert not json.loads((shards / "manifest.json").read_text())["complete"]
    first = sorted(shards.glob("32/train-*.h5"))[0]
    kept = first.stat().st_mtime_ns
    finished = run_script(BUILD, *arguments, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert first.stat().st_mtime_ns == kept
    build_shards(open_source([photos]), [32, 64], crops=100, root=tmp_path / "unbroken")
    for path in sorted((tmp_path / "unbroken").rglob("*.h5")):
        assert path.read_bytes() == (tmp_path / "shards" / path.relative_to(tmp_path / "unbroken")).read_bytes()


def test_errors_of_a_user_are_one_line_and_exit_code_2(tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments in (
        ["--data", "empty"],
        ["--data", "missing"],
        ["--crops", "-1"],
        ["--resolutions", "0"],
        ["--data", "empty", "--fast-decode", "--crops", "2"],
        ["--fast-decode"],
    ):
        process = run_script(BUILD, *arguments, cwd=tmp_path)
        assert process.returncode == 2
        assert "Traceback" not in process.stderr
        assert not (tmp_path / "shards").exists()
