"""Batches out of shards: shuffled and mirrored for training, in order and complete for evaluation."""

import os
import queue
import threading
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from preprocessing.augment import as_gray_file, enlarged_square, random_square
from preprocessing.files import UserError
from preprocessing.lab import AB_ZERO
from preprocessing.mix import Mix
from preprocessing.shards import BUILD, list_shards, read_ab_and_origin, read_shard, read_split

GRAY_MAX_AB = 2  # CIE ab units; a photograph with no |ab| above it teaches nothing but gray
SHUFFLED_SHARDS = 16  # shards whose images are mixed; photographs lie in shards in the order of their hashes
QUEUED_BATCHES = 8


class TrainingBatches:
    """An endless stream of batches that depends only on the shards, the seed and the step.

    Attributes
    ----------
    images : int, photographs of an epoch (gray ones are left out)
    gray : int, how many were left out
    steps_per_epoch : int, whole batches in an epoch
    """

    def __init__(
        self,
        source,
        resolution,
        batch_size,
        seed,
        root="shards",
        mirrored=True,
        crop=0,
        augmented=False,
        shares=None,
        workers=1,
        rank=0,
    ):
        """`crop` is the side in px of the square that is cut anew each time a picture is shown; 0 shows it whole.

        `shares`, a dictionary of each source's name to its share of every batch, shows each of its photographs equally often;
        without it every photograph of every source is shown once an epoch. Of `workers`, number `rank` gets its part of each batch.
        """
        self._paths = list_shards(source, resolution, "train", root)
        self._seed, self._mirrored, self._crop, self._augmented = seed, mirrored, crop, augmented
        coloured = [_coloured_rows(path) for path in self._paths]
        self._rows = [rows for rows, *_ in coloured]
        self.images = sum(map(len, self._rows))
        self.gray = sum(count for _, count, _ in coloured) - self.images
        if self.images < workers:
            held = f"{self.images} colour photographs, fewer than workers" if self.images else "no colour photograph"
            raise UserError(f"the train shards of {source} at {resolution} px hold {held}")
        self.batch_size = min(batch_size, self.images // workers * workers)
        size = self.batch_size // workers
        self._part = range(rank * size, (rank + 1) * size)
        self.steps_per_epoch = self.images // self.batch_size
        self._mix = None
        if shares:
            if any(len(names) < count for _, count, names in coloured):
                folder = self._paths[0].parent
                raise UserError(f"the shards in {folder} do not tell sources apart: delete it and run {BUILD} again")
            self._mix = Mix([[names[row] for row in rows] for rows, _, names in coloured], shares, seed)

    def from_step(self, step):
        """Yield this worker's part of `(L, ab)` from batch `step` on: (B, S, S, 1) and (B, S, S, 2) uint8, read by a thread."""
        batches = queue.Queue(QUEUED_BATCHES)
        stopped = threading.Event()

        def put(item):
            while not stopped.is_set():
                try:
                    batches.put(item, timeout=0.2)
                    return
                except queue.Full:
                    continue

        def read():
            try:
                for batch in self._generate(step):
                    put(batch)
                    if stopped.is_set():
                        return
            except BaseException as error:  # noqa: BLE001 - raised again where the batch is waited for
                put(error)

        threading.Thread(target=read, daemon=True).start()
        try:
            while True:
                batch = batches.get()
                if isinstance(batch, BaseException):
                    raise batch
                yield batch
        finally:
            stopped.set()

    def _generate(self, step):
        """Batches from `step` on; those ahead are varied by threads of their own while one is waited for."""
        ahead = deque()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for number, L, ab in self._as_stored(step):
                ahead.append(pool.submit(self._varied, number, L, ab))
                if len(ahead) > QUEUED_BATCHES:
                    yield ahead.popleft().result()

    def _as_stored(self, step):
        """Yield `(step, L, ab)` without end, as the shards hold them."""
        shards = OrderedDict()  # the last ones read
        while True:
            epoch, start = divmod(step, self.steps_per_epoch)
            order = self._epoch_order(epoch)
            for index in range(start, self.steps_per_epoch):
                batch = order[index * self.batch_size : (index + 1) * self.batch_size]
                yield step, *self._gather(batch[self._part], shards)
                step += 1

    def _varied(self, step, L, ab):
        """A batch as training shows it: a function of the seed, the step and an image's place in the whole batch."""
        if self._mirrored:
            L, ab = mirror(L, ab, np.random.default_rng([self._seed, 1, step]), self._part.start)
        if not (self._crop or self._augmented):
            return L, ab
        images = (
            self._varied_image(*pair, np.random.default_rng([self._seed, 2, step, place]))
            for place, pair in zip(self._part, zip(L, ab, strict=True), strict=True)
        )
        return tuple(map(np.stack, zip(*images, strict=True)))

    def _varied_image(self, L, ab, random):
        if self._crop and self._crop < len(L):
            L, ab = random_square(L, ab, self._crop, random)
        elif self._augmented:
            L, ab = enlarged_square(L, ab, random)
        return (as_gray_file(L, ab, random) if self._augmented else L), ab

    def _epoch_order(self, epoch):
        """(images, 2) int64 of shard and row: groups of shards in random order, shuffled within a group."""
        random = np.random.default_rng([self._seed, 0, epoch])
        shard_order = random.permutation(len(self._paths))
        groups = []
        for start in range(0, len(shard_order), SHUFFLED_SHARDS):
            shards = shard_order[start : start + SHUFFLED_SHARDS]
            group = [np.stack([np.full_like(self._rows[shard], shard), self._rows[shard]], axis=1) for shard in shards]
            group = np.concatenate(group)
            groups.append(group[self._mix.order(shards, epoch, random)] if self._mix else random.permutation(group))
        return np.concatenate(groups)

    def _gather(self, chosen, shards):
        L, ab = [None] * len(chosen), [None] * len(chosen)
        for place, (index, row) in enumerate(chosen):
            if index not in shards:
                shards[index] = read_shard(self._paths[index])
                while len(shards) > SHUFFLED_SHARDS:  # a group comes whole before the next
                    shards.popitem(last=False)
            shards.move_to_end(index)
            L[place], ab[place] = shards[index].L[row], shards[index].ab[row]
        return np.stack(L), np.stack(ab)


def open_training(source, config, root="shards", workers=1, rank=0):
    """The training batches (of `workers`, number `rank`'s part) and the val split of a run, after a line that counts them.

    `config` is a preprocessing.options.RunConfig. Raises UserError where either split has no image.
    """
    batches = TrainingBatches(
        source,
        config.train_side or config.resolution,
        config.batch_size,
        config.seed,
        root,
        config.mirrored,
        config.crop,
        config.augment,
        config.shares,
        workers,
        rank,
    )
    val = read_split(source, config.resolution, "val", root)
    if not len(val.L):
        raise UserError(f"{source} has no val photograph of {config.resolution} px: name more photographs")
    print(
        f"{source}: {batches.images} images to train on ({batches.gray} gray ones left out), {len(val.L)} to validate"
    )
    return batches, val


def _coloured_rows(path):
    """The rows of a shard that are not gray, how many rows it has, and the source of each (none where it is not told).

    Reads, and so verifies, all of its ab.
    """
    ab, origin = read_ab_and_origin(path)
    # uint8 arithmetic that wraps: |ab| <= 2 is the five codes from 126 on
    coloured = ((ab - np.uint8(AB_ZERO - GRAY_MAX_AB)) > 2 * GRAY_MAX_AB).any(axis=(1, 2, 3))
    return np.flatnonzero(coloured), len(ab), origin


def mirror(L, ab, random, before=0):
    """Mirror each image left to right with probability 1/2; L and ab together, of a batch that has `before` others first."""
    flipped = random.random(before + len(L))[before:] < 0.5
    L[flipped] = L[flipped, :, ::-1]
    ab[flipped] = ab[flipped, :, ::-1]
    return L, ab


def in_order(L, ab, batch_size):
    """Yield every image once, in order; the last batch may be smaller."""
    for start in range(0, len(L), batch_size):
        yield L[start : start + batch_size], ab[start : start + batch_size]
