"""`make table1`: the report's table 1 again, each configuration with three seeds and the same number of images seen.

One hyperparameter is varied at a time, everything else is the report's choice (`--preset report`) at 32 px; "stride 2" is
read as dilation 2 in conv4 to conv6 (ORIGINAL.md, section 1). Fifteen runs of 4 to 9 minutes; stopped, the same
command goes on. Out: results/table1.json and results/figures/table1.png.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

from preprocessing.front_door import add_data_argument, run

CHOSEN = "batch 10, dropout 0.4, kernel 3x3, dilation 1"
CONFIGURATIONS = {  # what differs from the chosen one
    CHOSEN: {},
    "batch 20": {"batch_size": 20},
    "dropout 0.6": {"dropout": 0.6},
    "kernel 5x5": {"kernel": 5, "deconv_kernel": 5},
    "dilation 2": {"dilation": 2},
}
REPORT = (  # column, mean squared error as published, our configuration
    ("batch 10", 195.55, CHOSEN),
    ("batch 20", 217.08, "batch 20"),
    ("dropout 0.4", 215.69, CHOSEN),
    ("dropout 0.6", 221.48, "dropout 0.6"),
    ("kernel 3x3", 200.09, CHOSEN),
    ("kernel 5x5", 209.24, "kernel 5x5"),
    ("stride 1", 206.2, CHOSEN),
    ("stride 2", 214.87, "dilation 2"),
)
RESOLUTION = 32


@dataclass(frozen=True)
class Size:
    """How long each run trains, and where everything goes."""

    seeds: tuple[int, ...] = (1, 2, 3)
    images_per_epoch: int = 15_000
    epochs: int = 4
    compute: str = "auto"
    out: Path = Path("results/table1.json")
    figure: Path = Path("results/figures/table1.png")


DEMONSTRATION = Size(
    (1, 2), 16, 1, "float32", Path("results/local/table1.json"), Path("results/local/figures/table1.png")
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    arguments = parser.parse_args()

    from preprocessing.sources import EMBEDDED_TRAINING, source_name

    source = source_name(arguments.data) if arguments.data else EMBEDDED_TRAINING
    if not arguments.data:
        print("no --data: a few steps on the embedded photographs, to show that it works")
    size = Size() if arguments.data else DEMONSTRATION
    table = train_all(source, size)
    draw(table, size.figure)
    print(f"table: {size.out}, {size.figure}")


def configuration(name, seed, size):
    """The resolved configuration of one run."""
    from tf_raw.config import PRESETS, TrainingConfig

    chosen = TrainingConfig(
        RESOLUTION,
        **PRESETS["report"],
        epochs=size.epochs,
        images_per_epoch=size.images_per_epoch,
        patience=size.epochs,
    )
    return replace(chosen, seed=seed, compute=size.compute, **CONFIGURATIONS[name])


def train_all(source, size):
    """Train what the table at `size.out` lacks, write it after each run, and return it."""
    from preprocessing.files import write_atomically
    from preprocessing.shards import read_manifest
    from results.scoring.evaluate import read_json

    head = {
        "data": source,
        "fingerprint": read_manifest(source)["fingerprint"],
        "resolution": RESOLUTION,
        "split": "test",
        "seeds": list(size.seeds),
        "images_seen": size.images_per_epoch * size.epochs,
        "published": [{"column": column, "mse": mse, "configuration": name} for column, mse, name in REPORT],
    }
    table = read_json(size.out, head)
    runs = table.setdefault("runs", [])
    for seed in size.seeds:
        for name in CONFIGURATIONS:
            if not any((each["configuration"], each["seed"]) == (name, seed) for each in runs):
                print(f"{name}, seed {seed}")
                runs.append(train_one(name, seed, source, size))
                write_atomically(size.out, (json.dumps(table, indent=1) + "\n").encode())
    return table


def train_one(name, seed, source, size):
    """Train one configuration with one seed and score it on test."""
    from preprocessing.shards import read_split
    from results.prediction.predict import colorizer_of
    from results.prediction.weights import this_machine
    from results.scoring.evaluate import mean_squared_error
    from tf_raw.training import train

    config = configuration(name, seed, size)
    folder = Path("runs/table1") / f"{source}-{name.partition(',')[0].replace(' ', '')}-{seed}"
    trained = train(config, source, folder)
    colorizer = colorizer_of(trained, config, "tf_raw", name)
    return {
        "configuration": name,
        "seed": seed,
        "mse": mean_squared_error(colorizer.predict_ab, read_split(source, RESOLUTION, "test")),
        "val_mse": trained.summary["val_mse"],
        "parameters": colorizer.parameters,
        "images_seen": trained.summary["images_seen"],
        "seconds": trained.summary["seconds"],
        "compute": trained.summary["compute"],
        "host": this_machine(),
    }


def scores_of(table, name):
    """The test errors of one configuration, one for each seed."""
    return [each["mse"] for each in table["runs"] if each["configuration"] == name]


def draw(table, path):
    """The report's eight columns beside ours: a ring is theirs, dots are our seeds, a line is their mean."""
    from matplotlib.figure import Figure

    from results.drawing.figure import write_figure

    figure = Figure(figsize=(7, 3.4), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    for place, (_, published, name) in enumerate(REPORT):
        ours = scores_of(table, name)
        mean = sum(ours) / len(ours)
        same = name == CHOSEN
        if same:
            axes.axvspan(
                place - 0.45, place + 0.45, color="#f2efe6", lw=0, label="one and the same network" * (not place)
            )
        label = not place
        axes.plot(place - 0.15, published, "o", mfc="none", color="#444444", label="the report" * label)
        axes.plot([place + 0.15] * len(ours), ours, ".", color="#c0392b", label="ours, three seeds" * label)
        axes.plot([place + 0.03, place + 0.27], [mean, mean], color="#c0392b", lw=1)
    axes.set_xticks(range(len(REPORT)), [column for column, _, _ in REPORT], rotation=20)
    axes.set_ylabel("MSE (ours: CIE ab units squared)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.15))
    write_figure(figure, path)


if __name__ == "__main__":
    run(main)
