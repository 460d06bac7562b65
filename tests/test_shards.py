import resource
from dataclasses import replace

import h5py
import numpy as np
import pytest

from preprocessing.files import UserError
from preprocessing.shards import Shard, list_shards, read_shard, read_split, shard_path, write_shard


def make_shard(count=5, side=32, seed=0):
    random = np.random.default_rng(seed)
    L, ab = (random.integers(0, 256, (count, side, side, channels), np.uint8) for channels in (1, 2))
    return Shard(L, ab, [f"ordner/bäume{index}.jpg#1,2,{index + 32}" for index in range(count)])


def write(folder, shard, split="train", index=0, count=1):
    path = shard_path(folder, 32, split, index, count)
    write_shard(path, shard, resolution=32, split=split, source="s", build_log={"images": len(shard.id)})
    return path


@pytest.mark.parametrize("count", [0, 1, 5, 130])
def test_round_trip_keeps_every_byte_and_name(tmp_path, count):
    shard = make_shard(count)
    back = read_shard(write(tmp_path, shard))
    assert (back.L == shard.L).all()
    assert (back.ab == shard.ab).all()
    assert back.id == shard.id
    assert back.origin == []


def test_a_file_is_the_same_whoever_holds_the_objects_that_made_it(tmp_path, monkeypatch):
    shard = replace(make_shard(130), origin=["s"] * 130)
    before = write(tmp_path / "before", shard).read_bytes()
    create, held = h5py.Group.create_dataset, []

    def create_and_hold(*arguments, **options):  # as a profiler does that has looked at the frame
        held.append(create(*arguments, **options))
        return held[-1]

    monkeypatch.setattr(h5py.Group, "create_dataset", create_and_hold)
    assert write(tmp_path / "after", shard).read_bytes() == before


def test_sources_are_told_of_a_split_only_if_all_its_shards_tell_them(tmp_path):
    told = replace(make_shard(3), origin=["über"] * 3)
    for index in range(2):
        write(tmp_path / "s", told, index=index, count=2)
    assert read_split("s", 32, "train", tmp_path).origin == ["über"] * 6
    write(tmp_path / "s", make_shard(3), index=1, count=2)
    assert read_split("s", 32, "train", tmp_path).origin == []


def test_the_file_keeps_the_contract(tmp_path):
    with h5py.File(write(tmp_path, make_shard())) as file:
        assert {name: (file[name].shape, str(file[name].dtype)) for name in ("L", "ab")} == {
            "L": ((5, 32, 32, 1), "uint8"),
            "ab": ((5, 32, 32, 2), "uint8"),
        }
        assert all(file[name].fletcher32 and file[name].chunks for name in ("L", "ab", "id"))
        assert h5py.check_string_dtype(file["id"].dtype).encoding == "utf-8"
        assert dict(file.attrs) == {
            "schema": 1,
            "resolution": 32,
            "split": "train",
            "source": "s",
            "color_space": "OpenCV 8-bit CIE Lab, D65",
            "channel_order_read": "BGR",
        }


def test_a_flipped_byte_a_cut_file_and_a_foreign_file_are_refused(tmp_path):
    path = write(tmp_path, make_shard())
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(make_shard().ab[2].tobytes()) + 100] ^= 1
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = [1, 2, 3]
    for data in (bytes(flipped), whole[: len(whole) // 2], b"", (tmp_path / "foreign.h5").read_bytes()):
        path.write_bytes(data)
        with pytest.raises(UserError, match="delete it"):
            read_shard(path)


def test_a_missing_shard_of_a_split_is_noticed(tmp_path):
    for index in range(3):
        write(tmp_path / "s", make_shard(seed=index), index=index, count=3)
    assert len(read_split("s", 32, "train", tmp_path).id) == 15
    list_shards("s", 32, "train", tmp_path)[1].unlink()
    with pytest.raises(UserError, match="2 of 3"):
        list_shards("s", 32, "train", tmp_path)
    with pytest.raises(UserError, match="run python"):
        list_shards("s", 64, "train", tmp_path)


def test_a_disk_that_fills_leaves_nothing_half_written(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(UserError, match="cannot write"):
            write(tmp_path, make_shard(20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "32").iterdir()) == []
