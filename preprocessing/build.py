"""Builds shards from a source; a build that was stopped goes on where it was.

A split is cut into blocks of photographs, which workers take: processes of this machine (`pool.py`) or those of a Dask
cluster (`cluster.py`). Test goes first: the other splits are compared with its thumbnails.
"""

import contextlib
import time
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from preprocessing import downsampled_imagenet
from preprocessing.block import Block, Work
from preprocessing.files import UserError, held
from preprocessing.manifest import begin_manifest, finish_manifest
from preprocessing.photograph import UnreadableFile, libraries_silenced
from preprocessing.pool import local_pool
from preprocessing.shards import SHARD_IMAGES
from preprocessing.sources import read_image
from preprocessing.splits import NearCopies, split_photographs

BLOCKS = 16  # of a split, at least, if they are of MIN_BLOCK photographs or more: work for every core
MIN_BLOCK = 64
PEEK = 100  # photographs looked at to tell which resolutions a source has


def cut_into_blocks(split, photographs, images_each):
    """Blocks of a split, whose shards hold at most SHARD_IMAGES at `images_each` of a photograph."""
    most = max(1, SHARD_IMAGES // images_each)
    size = min(most, max(MIN_BLOCK, -(-len(photographs) // BLOCKS)))
    starts = range(0, len(photographs), size)
    return [Block(split, index, len(starts), photographs[start : start + size]) for index, start in enumerate(starts)]


def resolutions_of(source, wanted):
    """Those of `wanted` that at least one of a hundred evenly spread photographs is large enough for."""
    step = max(1, len(source.photographs) // PEEK)
    largest = 0
    with libraries_silenced():
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


def build_shards(source, resolutions, crops=0, root="shards", engine=local_pool, fast_decode=False):
    """Write every shard of `source` and its manifest; shards that are whole, and resolutions built before, are kept.

    Parameters
    ----------
    source : preprocessing.sources.Source
    resolutions : sequence of int, px
    crops : int, random crops of each training photograph; 0 for its centre square
    engine : function of the folder and the photographs, a context that gives preprocessing.block.Workers
    fast_decode : bool, whether a JPEG of train is decoded at 1/2, 1/4 or 1/8 that is no smaller than the largest shard

    Returns
    -------
    manifest : dict, as written to `<root>/<source>/manifest.json`
    """
    folder = Path(root) / source.name
    with _swept(folder), engine(folder, source.photographs) as workers:
        started = time.monotonic()
        resolutions, fast_side = begin_manifest(folder, source, resolutions, crops, fast_decode)
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
            work = Work(folder, source.name, tuple(resolutions), crops, fast_side)
            _build_blocks(workers, work, splits["test"], missing)
        return finish_manifest(folder, source, crops, fast_side, splits, resolutions, time.monotonic() - started)


@contextlib.contextmanager
def _swept(folder):
    """Hold `folder`, and remove before and after what processes leave there that are killed."""
    with held(folder):
        _sweep(folder)
        yield
        _sweep(folder)


def _sweep(folder):
    for left in folder.glob("**/.*.tmp"):
        left.unlink(missing_ok=True)


def _build_blocks(workers, work, test, missing):
    """Write the shards of the `missing` blocks; all of `test`, written or not, is read for its thumbnails."""
    others = [block for block in missing if block.split != "test"]
    total = sum(len(block.photographs) for block in [*test, *others])
    with tqdm(total=total, unit="photo", disable=None) as bar:
        thumbnails = [pair for pairs in _run(workers, work, test, None, bar) for pair in pairs]
        _run(workers, work, others, NearCopies(thumbnails) if thumbnails else None, bar)
        bar.update(total - bar.n)


def _run(workers, work, blocks, near_copies, bar):
    """What `build_block` returns for each block, in any order."""
    waiting, made = set(), []
    todo = iter(blocks)
    while True:
        few = 2 * workers.count()  # at a time: the rows of a downsampled-ImageNet batch travel with their block
        while len(waiting) < few and (block := next(todo, None)) is not None:
            waiting.add(workers.submit(work, _with_rows(block), near_copies))
        if not waiting:
            return made
        done, waiting = wait(waiting, timeout=0.2, return_when="FIRST_COMPLETED")
        made += [future.result() for future in done]
        bar.update(workers.done() - bar.n)


def _with_rows(block):
    if block.photographs[0].kind != "batch":
        return block
    batches = downsampled_imagenet.load_batch
    return replace(block, rows=[batches(each.container)[each.member] for each in block.photographs])
