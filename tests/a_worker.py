"""A process of test_workers.py: `a_worker.py SHARDS FOLDER` trains what the test trains alone, then runs script 03."""

import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from conftest import narrowed, traced_into_no_graph

from preprocessing.sources import EMBEDDED_TRAINING
from tf_raw import network, training
from tf_raw.config import TrainingConfig
from tf_raw.workers import ALONE, join

CONFIG = TrainingConfig(
    32,
    epochs=2,
    images_per_epoch=40,
    batch_size=8,
    learning_rate=3e-4,  # Adam divides what rounding leaves of a gradient that is nearly nothing by its own size
    warmup_steps=2,
    compute="float32",
    weight_decay=0.01,
    average_decay=0.9,
    augment=True,
)
ONE_STEP = replace(CONFIG, epochs=1, images_per_epoch=8)
SCRIPT = Path(__file__).parent.parent / "tf_raw/03_train_32.py"
FLAGS = ("--epochs", "6", "--batch-size", "8", "--images-per-epoch", "24", "--patience", "6", "--dropout", "0")


def trained(shards, folder, workers=ALONE):
    """The weights, by name, of CONFIG with batch normalisation in inference mode, and of ONE_STEP as it is."""
    as_it_is = network.batch_norm
    with narrowed():
        network.batch_norm = lambda *inputs: as_it_is(*inputs[:-1], training=False)
        try:
            frozen = training.train(CONFIG, EMBEDDED_TRAINING, folder / "frozen", root=shards, workers=workers)
        finally:
            network.batch_norm = as_it_is
        step = training.train(ONE_STEP, EMBEDDED_TRAINING, folder / "step", root=shards, workers=workers)
    return frozen.arrays, step.arrays


if __name__ == "__main__":
    shards, folder = map(Path, sys.argv[1:])
    workers = join(CONFIG.batch_size)
    with traced_into_no_graph():  # the workers of script 03 that go on trace
        for name, arrays in zip(("frozen", "step"), trained(shards, folder, workers), strict=True):
            np.savez(folder / f"{name}{workers.rank}", **arrays)
        sys.argv = [str(SCRIPT), *FLAGS]
        runpy.run_path(sys.argv[0], run_name="__main__")
