"""Builds shards from a source on all cores; a build that was stopped goes on where it was.

A split is cut into blocks of photographs. A worker takes one block and writes its shard at each resolution, so that
no picture passes between processes. Test goes first: the other splits are compared with its thumbnails.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from preprocessing import downsampled_imagenet
from preprocessing.ab_bins import bin_counts, code_counts
from preprocessing.crops import centre_square, random_crops
from preprocessing.files import UserError, held
from preprocessing.lab import bgr_to_lab
from preprocessing.manifest import begin_manifest, finish_manifest
from preprocessing.photograph import UnreadableFile
from preprocessing.shards import SHARD_IMAGES, Shard, shard_path, write_shard
from preprocessing.sources import read_image
from preprocessing.splits import NearCopies, photo_of, split_photographs, thumbnail

BLOCKS = 16  # of a split, at least, if they are of MIN_BLOCK photographs or more: work for every core
MIN_BLOCK = 64
PROGRESS_STEP = 8  # photographs
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
PEEK = 100  # photographs looked at to tell which resolutions a source has


@dataclass(frozen=True)
class Block:
    """Photographs of one split that become shard `index` of `count` at each resolution."""

    split: str
    index: int
    count: int
    photographs: list

    def path(self, folder, resolution):
        """Where its shard at `resolution` belongs."""
        return shard_path(folder, resolution, self.split, self.index, self.count)


def cut_into_blocks(split, photographs, images_each):
    """Blocks of a split, whose shards hold at most SHARD_IMAGES at `images_each` of a photograph."""
    most = max(1, SHARD_IMAGES // images_each)
    size = min(most, max(MIN_BLOCK, -(-len(photographs) // BLOCKS)))
    starts = range(0, len(photographs), size)
    return [Block(split, index, len(starts), photographs[start : start + size]) for index, start in enumerate(starts)]


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


def resolutions_of(source, wanted):
    """Those of `wanted` that at least one of a hundred evenly spread photographs is large enough for."""
    step = max(1, len(source.photographs) // PEEK)
    largest = 0
    with _libraries_silenced():
        for photograph in source.photographs[::step]:
            with contextlib.suppress(UnreadableFile):
                largest = max(largest, min(read_image(photograph).shape[:2]))
    if not largest:
        raise UserError(f"{source.name}: none of the photographs looked at can be read")
    kept = [side for side in wanted if side <= largest]
    refused = [str(side) for side in wanted if side > largest]
    if refused:
        print(
            f"{source.name}: its photographs have {largest} px, so no shards at {', '.join(refused)}: nothing is scaled up"
        )
    if not kept:
        raise UserError(f"{source.name} has {largest} px and nothing is scaled up: choose smaller --resolutions")
    return kept


@contextlib.contextmanager
def _libraries_silenced():
    """Keep what OpenCV's libraries print of damaged files from standard error: what is skipped is named by us."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def build_shards(source, resolutions, crops=0, root="shards"):
    """Write every shard of `source` and its manifest; shards that are whole, and resolutions built before, are kept.

    Parameters
    ----------
    source : preprocessing.sources.Source
    resolutions : sequence of int, px
    crops : int, random crops of each training photograph; 0 for its centre square

    Returns
    -------
    manifest : dict, as written to `<root>/<source>/manifest.json`
    """
    folder = Path(root) / source.name
    with held(folder):
        started = time.monotonic()
        resolutions = sorted({*resolutions, *begin_manifest(folder, source, crops)})
        splits = {
            split: cut_into_blocks(split, photographs, max(1, crops) if split == "train" else 1)
            for split, photographs in split_photographs(source.photographs).items()
        }
        missing = [
            block
            for blocks in splits.values()
            for block in blocks
            if not all(block.path(folder, side).exists() for side in resolutions)
        ]
        if missing:
            _build_blocks(_Work(folder, source.name, tuple(resolutions), crops), splits["test"], missing)
        return finish_manifest(folder, source, crops, splits, resolutions, time.monotonic() - started)


@dataclass(frozen=True)
class _Work:
    """What is the same for every block."""

    folder: Path
    source: str
    resolutions: tuple
    crops: int


def start_workers_early():
    """Let the server from which workers are forked import what they need while this process lists photographs."""
    multiprocessing.set_forkserver_preload([__name__])
    forkserver.ensure_running()


def _build_blocks(work, test, missing):
    """Write the shards of the `missing` blocks on all cores; all of `test`, written or not, is read for its thumbnails."""
    start_workers_early()
    context = multiprocessing.get_context("forkserver")  # a fork of this process would inherit OpenCV's locked threads
    progress, stop = context.Value("q", 0), context.Event()
    others = [block for block in missing if block.split != "test"]
    total = sum(len(block.photographs) for block in [*test, *others])
    with (
        tqdm(total=total, unit="photo", disable=None) as bar,
        ProcessPoolExecutor(os.cpu_count(), context, _start_worker, (work, progress, stop)) as pool,
    ):
        try:
            made = _run(pool, test, None, progress, bar)
            thumbnails = [pair for pairs in made for pair in pairs]
            _run(pool, others, NearCopies(thumbnails) if thumbnails else None, progress, bar)
        except BrokenProcessPool:
            raise UserError("a worker process was killed (out of memory?): run the same command again") from None
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run(pool, blocks, near_copies, progress, bar):
    """What `_build_block` returns for each block, in any order."""
    waiting, made = set(), []
    todo = iter(blocks)
    while True:
        # Few at a time: the rows of a downsampled-ImageNet batch travel with their block.
        while len(waiting) < 2 * (os.cpu_count() or 1) and (block := next(todo, None)) is not None:
            waiting.add(pool.submit(_build_block, block, _batch_rows(block.photographs), near_copies))
        if not waiting:
            return made
        done, waiting = wait(waiting, timeout=0.2, return_when="FIRST_COMPLETED")
        made += [future.result() for future in done]
        bar.update(progress.value - bar.n)


def _batch_rows(photographs):
    """The rows of batch photographs, sent along so that not every worker loads a batch of 1.5 GB; else None."""
    return [
        downsampled_imagenet.load_batch(photograph.container)[photograph.member] if photograph.kind == "batch" else None
        for photograph in photographs
    ]


def _start_worker(*shared):
    global _work, _progress, _stop
    _work, _progress, _stop = shared
    _keep_freed_memory()
    cv2.setNumThreads(1)  # the processes are the parallelism
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer

    def leave_with_parent():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def _keep_freed_memory():
    """Let malloc keep what a block has freed for the next: to fault in fresh pages costs a seventh of the time."""
    with contextlib.suppress(AttributeError, OSError):  # where the C library is not glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, 1 << 30)
        mallopt(M_MMAP_THRESHOLD, 1 << 25)  # the most it takes


@_libraries_silenced()
def _build_block(block, rows, near_copies):
    """Write the shards of a block that are not there yet; of a test block return `(id, thumbnail)` of each photograph."""
    crops = _work.crops if block.split == "train" else 0
    sides = [side for side in _work.resolutions if not block.path(_work.folder, side).exists()]
    shards = [_ShardInMaking(side, len(block.photographs), crops) for side in sides]
    thumbnails = []
    for index, (photograph, row) in enumerate(zip(block.photographs, rows, strict=True)):
        if _stop.is_set():
            return []
        try:
            image_bgr = read_image(photograph) if row is None else downsampled_imagenet.row_to_bgr(row)
        except UnreadableFile as error:
            for shard in shards:
                shard.log["skipped"].append([photograph.id, str(error)])
        else:
            thumbnails.append((photograph.id, thumbnail(image_bgr)))
            for shard in shards:
                shard.add(photograph, image_bgr)
        if (index + 1) % PROGRESS_STEP == 0:
            _add_progress(PROGRESS_STEP)
    _add_progress(len(rows) % PROGRESS_STEP)
    copies = near_copies.find(thumbnails) if near_copies else {}
    for shard in shards:
        if copies:
            shard.drop(copies)
        shard.write(block.path(_work.folder, shard.resolution), block.split, _work.source)
    return thumbnails if block.split == "test" else []


def _add_progress(count):
    with _progress.get_lock():
        _progress.value += count
