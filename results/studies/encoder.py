"""`make encoder`: what the U-Net's pretrained encoder is worth, and what it costs to freeze it or not.

The same network, data, order of images and number of steps each time; what differs is where the encoder begins and how much
of it may move. In: the shards of `--data` at 128 and 144 px. Out: results/encoder.json. Stopped, the same command goes on.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

from keras_port.unet_layout import STAGES
from preprocessing.front_door import add_data_argument, run

WAYS = {  # what differs from the shipped network's own configuration
    "pretrained, stem and two stages frozen": {},
    "pretrained, none frozen": {"frozen_stages": 0},
    "pretrained, all frozen": {"frozen_stages": len(STAGES)},
    "from nothing": {"pretrained": False, "frozen_stages": 0, "encoder_rate": 1.0},
}
BATCH, TIMED_STEPS, ROUNDS = 32, 4, 5


@dataclass(frozen=True)
class Size:
    """How long each run trains, and where the table goes."""

    settings: dict
    timed_side: int
    out: Path


FULL = Size({"images_per_epoch": 16384, "average_decay": 0.98, "compute": "float32"}, 128, Path("results/encoder.json"))
DEMONSTRATION = Size(
    {"images_per_epoch": 4, "batch_size": 2, "train_side": 0, "crop": 0, "compute": "float32"},
    32,
    Path("results/local/encoder.json"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    arguments = parser.parse_args()

    from preprocessing.files import write_atomically
    from preprocessing.shards import read_manifest
    from preprocessing.sources import EMBEDDED_TRAINING, source_name
    from results.prediction.weights import this_machine
    from results.scoring.evaluate import read_json

    if not arguments.data:
        print("no --data: two steps on the embedded photographs, to show that it works")
    source = source_name(arguments.data) if arguments.data else EMBEDDED_TRAINING
    size = FULL if arguments.data else DEMONSTRATION
    images = size.settings["images_per_epoch"]
    head = {"data": source, "fingerprint": read_manifest(source)["fingerprint"], "split": "test", "images_seen": images}
    table = read_json(size.out, head)
    ways = table.setdefault("ways", {})
    for way in WAYS:
        if way not in ways:
            print(way)
            ways[way] = train_one(way, source, size) | {"host": this_machine()}
            write_atomically(size.out, (json.dumps(table, indent=1) + "\n").encode())
    if "images_per_second" not in table:
        table["images_per_second"] = training_speeds(size.timed_side)
        write_atomically(size.out, (json.dumps(table, indent=1) + "\n").encode())
    for way, scores in ways.items():
        speed = table["images_per_second"][way]
        print(f"{way:40} MSE {scores['mse']:.1f}  AuC {scores['auc']:.4f}  {speed:.0f} images/s")
    print(f"table: {size.out}")


def configuration(way, size):
    """The resolved configuration of one run: one epoch, with its warm-up and its half a cosine."""
    from keras_port.config import NETWORKS, TrainingConfig

    return replace(TrainingConfig(network="unet", **NETWORKS["unet"]), **{"epochs": 1} | size.settings | WAYS[way])


def train_one(way, source, size):
    """Train one way and score it on test."""
    from keras_port.network import build_network, to_arrays
    from keras_port.pretrained import encoder_arrays
    from keras_port.training import train
    from preprocessing.shards import read_manifest, read_split
    from results.prediction.predict import colorizer_of
    from results.scoring.evaluate import score

    config = configuration(way, size)
    own = to_arrays(build_network(config.network, config.network_arguments(), config.seed))
    folder = Path("runs/encoder") / f"{source}-{way.replace(', ', '-').replace(' ', '-')}"
    trained = train(config, source, folder, own | encoder_arrays() if config.pretrained else own)
    bin_counts = read_manifest(source)["resolutions"][str(config.resolution)]["train"]["ab_bin_counts"]
    test = read_split(source, config.resolution, "test")
    if not len(test.L):  # a demonstration
        test = read_split(source, config.resolution, "val")
    scores = score(colorizer_of(trained, config, "keras", "unet_128").predict_ab, test, bin_counts, way)
    return {"val_mse": trained.summary["val_mse"], **{key: scores[key] for key in ("mse", "mse_ci", "auc", "auc_ci")}}


def training_speeds(side):
    """Images a second of each way: steps on noise, the ways in turn, the fastest of ROUNDS each."""
    import numpy as np

    from keras_port.losses import squared_loss
    from keras_port.network import UNITS
    from keras_port.unet import build_unet

    random = np.random.default_rng(0)
    L = random.uniform(-1, 1, (BATCH, side, side, 1)).astype(np.float32)
    ab = random.integers(0, 256, (BATCH, side, side, 2), np.uint8)
    models = {
        way: build_unet(changes.get("frozen_stages", 2)) for way, changes in WAYS.items() if way != "from nothing"
    }
    for model in models.values():
        model.compile(optimizer="adam", loss=squared_loss(UNITS["unet"]))
        model.train_on_batch(L, ab)
    seconds = {way: [] for way in models}
    for _ in range(ROUNDS):
        for way, model in models.items():
            started = time.perf_counter()
            for _ in range(TIMED_STEPS):
                model.train_on_batch(L, ab)
            seconds[way].append(time.perf_counter() - started)
    speeds = {way: round(TIMED_STEPS * BATCH / min(each), 1) for way, each in seconds.items()}
    return speeds | {"from nothing": speeds["pretrained, none frozen"]}  # the same computation


if __name__ == "__main__":
    run(main)
