"""One block of photographs into its shard at each resolution: the piece of work that a worker takes.

So no picture passes between processes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from preprocessing import downsampled_imagenet
from preprocessing.ab_bins import bin_counts, code_counts
from preprocessing.crops import centre_square, random_crops
from preprocessing.lab import bgr_to_lab
from preprocessing.photograph import UnreadableFile
from preprocessing.shards import Shard, shard_path, write_shard
from preprocessing.sources import read_image
from preprocessing.splits import photo_of, thumbnail


@dataclass(frozen=True)
class Workers:
    """Who builds blocks: `pool.py` and `cluster.py` each give one of these.

    `submit` takes a Work, a Block and NearCopies or None, and returns a concurrent.futures.Future of `build_block`'s thumbnails;
    `count` tells how many blocks are built at once, and `done` how many photographs so far.
    """

    submit: Callable
    count: Callable[[], int]
    done: Callable[[], int]


@dataclass(frozen=True)
class Work:
    """What is the same for every block."""

    folder: Path
    source: str
    resolutions: tuple
    crops: int
    fast_side: int = 0  # px that the short side of a training photograph keeps where it is decoded scaled; 0: it is not


@dataclass(frozen=True)
class Block:
    """Photographs of one split that become shard `index` of `count` at each resolution."""

    split: str
    index: int
    count: int
    photographs: list
    rows: list | None = None  # of batch photographs: not every worker is to load a batch of 1.5 GB

    def path(self, folder, resolution):
        """Where its shard at `resolution` belongs."""
        return shard_path(folder, resolution, self.split, self.index, self.count)


def build_block(work, block, near_copies, step):
    """Write the shards of a block that are not there yet.

    Parameters
    ----------
    work : Work
    block : Block
    near_copies : preprocessing.splits.NearCopies, or None
    step : function, called with the number of photographs done after each; what it raises ends the block

    Returns
    -------
    thumbnails : list of (id, thumbnail) of each photograph of a test block, else empty
    """
    crops, fast_side = (work.crops, work.fast_side) if block.split == "train" else (0, 0)
    sides = [side for side in work.resolutions if not block.path(work.folder, side).exists()]
    shards = [_ShardInMaking(side, len(block.photographs), crops) for side in sides]
    thumbnails = []
    for index, photograph in enumerate(block.photographs):
        try:
            image_bgr = (
                downsampled_imagenet.row_to_bgr(block.rows[index]) if block.rows else read_image(photograph, fast_side)
            )
        except UnreadableFile as error:
            for shard in shards:
                shard.log["skipped"].append([photograph.id, str(error)])
        else:
            thumbnails.append((photograph.id, thumbnail(image_bgr)))
            for shard in shards:
                shard.add(photograph, image_bgr)
        step(index + 1)
    copies = near_copies.find(thumbnails) if near_copies else {}
    for shard in shards:
        if copies:
            shard.drop(copies)
        shard.write(block.path(work.folder, shard.resolution), block.split, work.source)
    return thumbnails if block.split == "test" else []


class _ShardInMaking:
    """One block's images at one resolution, and the log of what became of its photographs."""

    def __init__(self, resolution, photographs, crops):
        capacity = photographs * max(1, crops)
        self.resolution, self._crops = resolution, crops
        self._L = np.empty((capacity, resolution, resolution, 1), np.uint8)
        self._ab = np.empty((capacity, resolution, resolution, 2), np.uint8)
        self._ids, self._origins = [], []
        self.log = {"photographs": photographs, "skipped": [], "near_copies": [], "too_small": 0}

    def add(self, photograph, image_bgr):
        if self._crops:
            cut = random_crops(image_bgr, self.resolution, self._crops, photograph.id)
        else:
            square = centre_square(image_bgr, self.resolution)
            cut = [] if square is None else [(photograph.id, square)]
        self.log["too_small"] += not cut
        for image_id, picture in cut:
            bgr_to_lab(picture, out=(self._L[len(self._ids)], self._ab[len(self._ids)]))
            self._ids.append(image_id)
            self._origins.append(photograph.origin)

    def drop(self, copies):
        """Take out the near-copies of test photographs: a dictionary of photograph to the one it nearly equals."""
        kept = [row for row, image_id in enumerate(self._ids) if photo_of(image_id) not in copies]
        self._L, self._ab = self._L[kept], self._ab[kept]
        self._ids, self._origins = ([texts[row] for row in kept] for texts in (self._ids, self._origins))
        self.log["near_copies"] = list(copies.items())

    def write(self, path, split, source):
        count = len(self._ids)
        shard = Shard(self._L[:count], self._ab[:count], self._ids, self._origins)
        self.log["images"] = count
        if split == "train":
            counts = code_counts(shard.ab)
            self.log["ab_bin_counts"] = bin_counts(counts).tolist()
            self.log["ab_sum"] = [int(counts.sum(axis=axis) @ np.arange(256)) for axis in (1, 0)]
        write_shard(path, shard, resolution=self.resolution, split=split, source=source, build_log=self.log)
