import collections
import os
import pickle

import numpy as np
import pytest

from preprocessing.build import build_shards
from preprocessing.downsampled_imagenet import load_batch, row_to_bgr
from preprocessing.files import UserError
from preprocessing.shards import read_split
from preprocessing.sources import open_source


def rows(count=12, side=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 3 * side * side), np.uint8)


def write_pickle(path, data, protocol):
    batch = {"data": data, "labels": list(range(1, len(data) + 1)), "mean": data.mean(axis=0)}
    path.write_bytes(pickle.dumps(batch, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickles_of_every_protocol_are_read(tmp_path, protocol):
    path = write_pickle(tmp_path / "train_data_batch_1", rows(), protocol)
    assert (load_batch(path) == rows()).all()


def test_npz_is_read(tmp_path):
    np.savez(tmp_path / "val_data.npz", data=rows(), labels=np.arange(12))
    assert (load_batch(tmp_path / "val_data.npz") == rows()).all()


def test_planes_are_red_green_blue():
    row = np.repeat(np.uint8([10, 20, 30]), 32 * 32)
    assert row_to_bgr(row)[5, 7].tolist() == [30, 20, 10]


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_hostile_pickle_is_refused_and_runs_nothing(tmp_path, protocol):
    harm = tmp_path / "harm"
    for name, content in {
        "train_data_batch_1": {"data": rows(), "extra": RunsCode(harm)},
        "train_data_batch_2": {"data": np.array([RunsCode(harm)], dtype=object)},
        "train_data_batch_3": RunsCode(harm),
    }.items():
        (tmp_path / name).write_bytes(pickle.dumps(content, protocol=protocol))
        with pytest.raises(UserError, match="refused"):
            load_batch(tmp_path / name)
    assert not harm.exists()


def test_classes_that_are_no_arrays_are_refused(tmp_path):
    (tmp_path / "val_data").write_bytes(pickle.dumps({"data": collections.OrderedDict(a=1)}))
    with pytest.raises(UserError, match="OrderedDict"):
        load_batch(tmp_path / "val_data")


@pytest.mark.parametrize("content", [b"", b"garbage", pickle.dumps([1, 2]), pickle.dumps({"data": [1, 2]})])
def test_damaged_pickles_are_one_clear_error(tmp_path, content):
    (tmp_path / "val_data").write_bytes(content)
    with pytest.raises(UserError, match="val_data"):
        load_batch(tmp_path / "val_data")


def test_batches_become_shards_whose_test_is_their_validation_file(tmp_path):
    folder = tmp_path / "imagenet32"
    folder.mkdir()
    np.savez(folder / "train_data_batch_1.npz", data=rows(60, seed=1))
    write_pickle(folder / "train_data_batch_2", rows(60, seed=2), 2)
    np.savez(folder / "val_data.npz", data=rows(7, seed=3))
    build_shards(open_source([folder]), [32], root=tmp_path / "shards")
    test = read_split("imagenet32", 32, "test", tmp_path / "shards")
    assert sorted(test.id) == [f"val_data/{row:06}" for row in range(7)]
    counts = [len(read_split("imagenet32", 32, split, tmp_path / "shards").id) for split in ("train", "val")]
    assert sum(counts) == 120
