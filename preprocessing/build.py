"""Builds shards from a source on all cores; a build that was stopped goes on where it was."""

import collections
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from preprocessing import downsampled_imagenet
from preprocessing.ab_bins import bin_centres, bin_counts, code_counts
from preprocessing.files import UserError, held, write_atomically
from preprocessing.lab import AB_ZERO, bgr_to_lab
from preprocessing.shards import SCHEMA, Shard, read_build_log, shard_capacity, shard_path, write_shard
from preprocessing.sources import UnreadableImage, read_image
from preprocessing.splits import NearCopies, split_photographs, thumbnail

TASK_PHOTOGRAPHS = 64  # photographs in one task of a worker
PEEK = 100  # photographs looked at to tell which resolutions a source has


@dataclass(frozen=True)
class Images:
    """What is made of one photograph: `problem` says why there is nothing, `at` maps S to its images."""

    problem: str | None
    thumbnail: np.ndarray | None
    at: dict[int, Shard]


def centre_square(image_bgr, side):
    """Short side to `side` with INTER_AREA, then the centre crop; None if that would scale up."""
    height, width = image_bgr.shape[:2]
    short = min(height, width)
    if short < side:
        return None
    size = (max(side, round(width * side / short)), max(side, round(height * side / short)))
    resized = image_bgr if short == side else cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)
    top, left = (resized.shape[0] - side) // 2, (resized.shape[1] - side) // 2
    return resized[top : top + side, left : left + side]


def random_crops(image_bgr, side, count, photo_id):
    """`count` squares of random place and size from `side` up, resized to it; the same each time for one id.

    Returns
    -------
    crops : list of (str, ndarray), the id `photo#x,y,width` and the (side, side, 3) uint8 picture
    """
    height, width = image_bgr.shape[:2]
    if min(height, width) < side:
        return []
    seed = hashlib.sha256(f"{photo_id} {side}".encode()).digest()[:8]
    random = np.random.default_rng(int.from_bytes(seed, "big"))
    crops = []
    for _ in range(count):
        size = int(random.integers(side, min(height, width) + 1))
        x, y = int(random.integers(width - size + 1)), int(random.integers(height - size + 1))
        square = image_bgr[y : y + size, x : x + size]
        crops.append((f"{photo_id}#{x},{y},{size}", cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)))
    return crops


def make_images(photograph, row, resolutions, crops):
    """Read one photograph (or take its batch `row`) and cut its images at each resolution."""
    try:
        image_bgr = read_image(photograph) if row is None else downsampled_imagenet.row_to_bgr(row)
    except UnreadableImage as error:
        return Images(str(error), None, {})
    at = {}
    for side in resolutions:
        if crops:
            cut = random_crops(image_bgr, side, crops, photograph.id)
        else:
            square = centre_square(image_bgr, side)
            cut = [] if square is None else [(photograph.id, square)]
        if cut:
            L, ab = zip(*(bgr_to_lab(picture) for _, picture in cut), strict=True)
            at[side] = Shard(np.asarray(L), np.asarray(ab), [id for id, _ in cut])
    return Images(None, thumbnail(image_bgr), at)


class _SplitWriter:
    """Gathers one split's images at one resolution and writes each shard when its photographs are through."""

    def __init__(self, folder, source, split, resolution, photographs, images_each):
        self.resolution = resolution
        self._folder, self._source, self._split = folder, source, split
        self._per_shard = max(1, shard_capacity(resolution) // images_each)  # photographs
        self._capacity = self._per_shard * images_each
        self._photographs = photographs
        self.shard_count = -(-photographs // self._per_shard)
        self.done = {index for index in range(self.shard_count) if self.path(index).exists()}
        self._start(0)

    def path(self, index):
        return shard_path(self._folder, self.resolution, self._split, index, self.shard_count)

    def wants(self, position):
        """Whether the photograph at `position` of the split belongs to a shard that is not written yet."""
        return position // self._per_shard not in self.done

    def _start(self, index):
        self._index = index
        self._L = self._ab = None
        self._ids = []
        self._log = {"photographs": 0, "skipped": [], "near_copies": [], "too_small": 0}

    def add(self, position, photograph, images, near_copy):
        """Take the next photograph's images; positions come in order."""
        index = position // self._per_shard
        if index in self.done:
            return
        if index != self._index:
            self._start(index)
        self._log["photographs"] += 1
        if images.problem:
            self._log["skipped"].append([photograph.id, images.problem])
        elif near_copy:
            self._log["near_copies"].append([photograph.id, near_copy])
        elif self.resolution not in images.at:
            self._log["too_small"] += 1
        else:
            self._append(images.at[self.resolution])
        if position == min((index + 1) * self._per_shard, self._photographs) - 1:
            self._finish()

    def _append(self, shard):
        if self._L is None:
            side = self.resolution
            self._L = np.empty((self._capacity, side, side, 1), np.uint8)
            self._ab = np.empty((self._capacity, side, side, 2), np.uint8)
        start, end = len(self._ids), len(self._ids) + len(shard.id)
        self._L[start:end], self._ab[start:end] = shard.L, shard.ab
        self._ids += shard.id

    def _finish(self):
        side, count = self.resolution, len(self._ids)
        if count:
            shard = Shard(self._L[:count], self._ab[:count], self._ids)
        else:
            shard = Shard(np.empty((0, side, side, 1), np.uint8), np.empty((0, side, side, 2), np.uint8), [])
        self._log["images"] = count
        counts = code_counts(shard.ab)
        self._log["ab_bin_counts"] = bin_counts(counts).tolist()
        self._log["ab_sum"] = [int(counts.sum(axis=axis) @ np.arange(256)) for axis in (1, 0)]
        write_shard(
            self.path(self._index),
            shard,
            resolution=side,
            split=self._split,
            source=self._source,
            build_log=self._log,
        )
        self.done.add(self._index)
        self._start(self._index + 1)


def resolutions_of(source, wanted):
    """Those of `wanted` that at least one of a hundred evenly spread photographs is large enough for."""
    step = max(1, len(source.photographs) // PEEK)
    largest = 0
    for photograph in source.photographs[::step]:
        try:
            largest = max(largest, min(read_image(photograph).shape[:2]))
        except UnreadableImage:
            continue
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


def build_shards(source, resolutions, crops=0, root="shards"):
    """Write every shard of `source` and its manifest; shards that are whole already are kept.

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
        _begin_manifest(folder, source, crops)
        splits = split_photographs(source.photographs)
        writers = {
            split: [
                _SplitWriter(
                    folder, source.name, split, side, len(photographs), max(1, crops if split == "train" else 0)
                )
                for side in resolutions
            ]
            for split, photographs in splits.items()
        }
        if any(len(writer.done) < writer.shard_count for each in writers.values() for writer in each):
            _build_splits(splits, writers, crops)
        return _finish_manifest(folder, source, crops, splits, writers, time.monotonic() - started)


def _build_splits(splits, writers, crops):
    context = multiprocessing.get_context("spawn")  # a fork would inherit OpenCV's locked threads
    with ProcessPoolExecutor(mp_context=context, initializer=_start_worker, initargs=(os.getpid(),)) as pool:
        try:
            thumbnails = []  # of test, which are needed whatever of test is written already
            everything = range(len(splits["test"]))
            for _, photograph, images in _results(pool, "test", splits["test"], everything, writers["test"], 0):
                if images.thumbnail is not None:
                    thumbnails.append((photograph.id, images.thumbnail))
            near_copies = NearCopies([id for id, _ in thumbnails], [array for _, array in thumbnails])
            for split in ("val", "train"):
                each = writers[split]
                wanted = [i for i in range(len(splits[split])) if any(writer.wants(i) for writer in each)]
                split_crops = crops if split == "train" else 0
                for _ in _results(pool, split, splits[split], wanted, each, split_crops, near_copies):
                    pass
        except BrokenProcessPool:
            raise UserError("a worker process was killed (out of memory?): run the same command again") from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _results(pool, split, photographs, positions, writers, crops, near_copies=None):
    """Work through `positions` on all cores, hand each photograph to the writers in order, and yield it."""
    pending = collections.deque()
    tasks = [positions[start : start + TASK_PHOTOGRAPHS] for start in range(0, len(positions), TASK_PHOTOGRAPHS)]
    todo = iter(tasks)
    with tqdm(total=len(positions), desc=f"{split:5}", unit="photo", disable=not positions) as bar:
        for _ in tasks:
            while len(pending) < 3 * (os.cpu_count() or 1) and (task := next(todo, None)) is not None:
                sides = [writer.resolution for writer in writers if any(writer.wants(position) for position in task)]
                chosen = [photographs[position] for position in task]
                pending.append((task, pool.submit(_work, chosen, _batch_rows(chosen), sides, crops)))
            task, future = pending.popleft()
            made = _unpack(*future.result())
            copies = _find_copies(near_copies, made)
            for position, images, copy in zip(task, made, copies, strict=True):
                for writer in writers:
                    writer.add(position, photographs[position], images, copy)
                yield position, photographs[position], images
            bar.update(len(task))


def _find_copies(near_copies, made):
    readable = [images.thumbnail for images in made if images.thumbnail is not None]
    if near_copies is None or not readable:
        return [None] * len(made)
    found = iter(near_copies.find(readable))
    return [None if images.thumbnail is None else next(found) for images in made]


def _batch_rows(photographs):
    """The rows of batch photographs, sent along so that not every worker loads a batch of 1.5 GB; else None."""
    return [
        downsampled_imagenet.load_batch(photograph.container)[photograph.member] if photograph.kind == "batch" else None
        for photograph in photographs
    ]


def _work(photographs, rows, resolutions, crops):
    made = [make_images(photograph, row, resolutions, crops) for photograph, row in zip(photographs, rows, strict=True)]
    return _pack(made, resolutions)


def _pack(made, resolutions):
    """A task's images as two arrays for each resolution: to send 64 pictures one by one takes longer than to cut them."""
    arrays = {}
    for side in resolutions:
        shards = [images.at[side] for images in made if side in images.at]
        if shards:
            arrays[side] = np.concatenate([shard.L for shard in shards]), np.concatenate([shard.ab for shard in shards])
    names = [(images.problem, {side: shard.id for side, shard in images.at.items()}) for images in made]
    thumbnails = np.asarray([images.thumbnail for images in made if images.thumbnail is not None])
    return names, thumbnails, arrays


def _unpack(names, thumbnails, arrays):
    thumbnails = iter(thumbnails)
    ends = dict.fromkeys(arrays, 0)
    made = []
    for problem, ids in names:
        at = {}
        for side, (L, ab) in arrays.items():
            if side in ids:
                start, ends[side] = ends[side], ends[side] + len(ids[side])
                at[side] = Shard(L[start : ends[side]], ab[start : ends[side]], ids[side])
        made.append(Images(problem, None if problem else next(thumbnails), at))
    return made


def _start_worker(parent):
    cv2.setNumThreads(1)  # the processes are the parallelism
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer

    def leave_with_parent():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def _begin_manifest(folder, source, crops):
    """Note what is being built; shards of another list of photographs or other crops are removed first."""
    head = {"schema": SCHEMA, "source": source.name, "fingerprint": source.fingerprint, "crops": crops}
    path = folder / "manifest.json"
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError):
        before = {}
    if any(before.get(key) != value for key, value in head.items()):
        stale = [entry for entry in folder.iterdir() if entry.is_dir() and entry.name.isdigit()]
        if stale:
            print(f"{folder} was built from other photographs or crops: building it again")
        for entry in stale:
            shutil.rmtree(entry)
    write_atomically(path, json.dumps(head | {"complete": False}).encode())


def _finish_manifest(folder, source, crops, splits, writers, seconds):
    logs = {
        (split, writer.resolution): [read_build_log(writer.path(index)) for index in range(writer.shard_count)]
        for split, each in writers.items()
        for writer in each
    }
    first = next(iter(writers.values()))[0].resolution
    seen = [log for (_, side), each in logs.items() if side == first for log in each]
    manifest = {
        "schema": SCHEMA,
        "source": source.name,
        "fingerprint": source.fingerprint,
        "crops": crops,
        "complete": True,
        "photographs": {split: len(photographs) for split, photographs in splits.items()},
        "skipped": {id: reason for log in seen for id, reason in log["skipped"]},
        "near_copies": {id: copy for log in seen for id, copy in log["near_copies"]},
        "seconds": round(seconds, 1),
        "ab_bin_centres": bin_centres().astype(int).tolist(),
        "resolutions": {},
    }
    for (split, side), each in logs.items():
        images = sum(log["images"] for log in each)
        entry = {"images": images, "shards": len(each), "too_small": sum(log["too_small"] for log in each)}
        if split == "train" and images:
            entry["ab_bin_counts"] = np.sum([log["ab_bin_counts"] for log in each], axis=0).tolist()
            ab_sum = np.sum([log["ab_sum"] for log in each], axis=0)
            entry["mean_ab"] = (ab_sum / (images * side**2) - AB_ZERO).tolist()
        manifest["resolutions"].setdefault(str(side), {})[split] = entry
    write_atomically(folder / "manifest.json", json.dumps(manifest, indent=1).encode())
    if len(manifest["skipped"]) == len(source.photographs):
        raise UserError(f"{source.name}: not one of {len(source.photographs)} photographs can be read")
    return manifest
