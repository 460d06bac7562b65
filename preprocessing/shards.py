"""HDF5 shards of L and ab: the data contract of every network here.

A shard holds up to 1,024 images of one split at one resolution S:

    L          (N, S, S, 1) uint8   L8 = L* x 255 / 100
    ab         (N, S, S, 2) uint8   a8 = a* + 128, b8 = b* + 128
    id         (N,) UTF-8           `photo`, or `photo#x,y,width` for a crop
    origin     (N,) UTF-8           which of the sources built together it is from; absent from shards of before it was told
    build_log  JSON as bytes        what 02_build_shards.py read, skipped and dropped for this shard
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from preprocessing.files import UserError, json_object, write_atomically
from preprocessing.hdf5 import reading

SCHEMA = 1
BLOCK_BYTES = 1 << 24  # by which a file in memory grows
SHARD_IMAGES = 1024  # at the most: each process that builds holds one shard of each resolution in memory
BUILD = "python preprocessing/02_build_shards.py"


@dataclass(frozen=True)
class Shard:
    """L (N, S, S, 1) uint8, ab (N, S, S, 2) uint8, N ids, and N names of sources, or none where they are not told."""

    L: np.ndarray
    ab: np.ndarray
    id: list[str]
    origin: list[str] = field(default_factory=list)


def shard_path(folder, resolution, split, index, count):
    """`<folder>/<resolution>/<split>-00000-of-00016.h5`."""
    return Path(folder) / str(resolution) / f"{split}-{index:05}-of-{count:05}.h5"


def write_shard(path, shard, *, resolution, split, source, build_log):
    """Write one shard whole, checksummed and chunked along N; raises UserError where it cannot."""
    with h5py.File(path, "w", driver="core", backing_store=False, block_size=BLOCK_BYTES) as file:
        file.attrs.update(
            schema=SCHEMA,
            resolution=resolution,
            split=split,
            source=source,
            color_space="OpenCV 8-bit CIE Lab, D65",
            channel_order_read="BGR",
        )
        data = {"L": shard.L, "ab": shard.ab, "id": _fixed_length(shard.id)}
        if len(shard.origin) == len(shard.id):
            data["origin"] = _fixed_length(shard.origin)
        for name, array in data.items():
            chunks = (64, *array.shape[1:])
            maxshape = (None, *array.shape[1:])  # lets an empty shard have chunks
            dataset = file.create_dataset(
                name, data=array, dtype=array.dtype, chunks=chunks, maxshape=maxshape, fletcher32=True
            )
            # Closed now and not when its last reference goes, for it is then that its place in the file is given: a
            # profiler, such as each Dask worker has, may hold the frame that made it.
            dataset.id.close()
        file.create_dataset("build_log", data=np.frombuffer(json.dumps(build_log).encode(), np.uint8))
        file.flush()
        image = file.id.get_file_image()
    write_atomically(path, image, shared=True)  # a cluster begins a block again while its first worker may still live


def _fixed_length(texts):
    """Texts as UTF-8 of one length, which h5py can checksum."""
    encoded = np.array([text.encode() for text in texts], dtype="S")
    return encoded.astype(h5py.string_dtype("utf-8", max(1, encoded.dtype.itemsize)))


def _texts(file, name):
    return [text.decode() for text in file[name][()]] if name in file else []


def read_shard(path):
    """Read one shard.

    Raises
    ------
    UserError
        The file is damaged (checksums are compared) or is not a shard by this contract.
    """
    return _read(path, lambda file: Shard(file["L"][()], file["ab"][()], _texts(file, "id"), _texts(file, "origin")))


def read_ab_and_origin(path):
    """Only the ab of a shard, (N, S, S, 2) uint8, and the N sources of its images (an empty list where they are not told)."""
    return _read(path, lambda file: (file["ab"][()], _texts(file, "origin")))


def read_build_log(path):
    """The dictionary that was passed to `write_shard`."""
    return _read(path, lambda file: json.loads(file["build_log"][()].tobytes()))


def _read(path, get):
    with reading(path, "shard", f"delete it and run {BUILD} again") as file:
        _check(file, path)
        return get(file)


def _check(file, path):
    if file.attrs.get("schema") != SCHEMA:
        raise ValueError(f"schema {file.attrs.get('schema')}, not {SCHEMA}")
    side = int(path.parent.name)
    count = file["id"].shape[0]
    for name, channels in (("L", 1), ("ab", 2)):
        if file[name].dtype != np.uint8 or file[name].shape != (count, side, side, channels):
            raise ValueError(
                f"{name} is {file[name].dtype} {file[name].shape}, not uint8 (N, {side}, {side}, {channels})"
            )
    if file.attrs["split"] != path.name.partition("-")[0]:
        raise ValueError(f"split {file.attrs['split']}")


def list_shards(source, resolution, split, root="shards"):
    """The paths of every shard of a split, in order.

    Raises
    ------
    UserError
        None is there, or the build was not finished.
    """
    folder = Path(root) / source / str(resolution)
    paths = sorted(folder.glob(f"{split}-*-of-*.h5"))
    if not paths:
        raise UserError(f"no {split} shards of {source} at {resolution} px in {folder}: run {BUILD} first")
    count = int(paths[0].stem.rpartition("-")[2])
    if paths != [shard_path(folder.parent, resolution, split, index, count) for index in range(count)]:
        raise UserError(f"{folder} holds {len(paths)} of {count} {split} shards: run {BUILD} again to finish")
    return paths


def read_split(source, resolution, split, root="shards"):
    """All of a split in one Shard; for val and test, which fit in memory."""
    shards = [read_shard(path) for path in list_shards(source, resolution, split, root)]
    return Shard(
        np.concatenate([shard.L for shard in shards]),
        np.concatenate([shard.ab for shard in shards]),
        [id for shard in shards for id in shard.id],
        [name for shard in shards for name in shard.origin] if all(len(s.origin) == len(s.id) for s in shards) else [],
    )


def read_manifest(source, root="shards"):
    """The manifest beside a source's shards; raises UserError where the build is missing or unfinished."""
    path = Path(root) / source / "manifest.json"
    try:
        manifest = json_object(path)
    except (OSError, ValueError):
        raise UserError(f"no readable {path}: run {BUILD} first") from None
    if not manifest.get("complete"):
        raise UserError(f"the shards of {source} are not finished: run {BUILD} again")
    return manifest
