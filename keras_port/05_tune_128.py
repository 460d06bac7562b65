"""Step 5: search the six hyperparameters that the original's README names, on the validation split.

In:  the shards of step 2 for the same `--data`, at `--resolution` and at 128 (without `--data`, at 64).
Out: the study in an SQLite file (or any Optuna `--storage`), results/tuning.json and results/figures/tuning.png and
     overfitting.png. A trial trains on 3,000 photographs; no trial is begun after --minutes. The best three and the median of
     those that were not pruned are then trained at 128. On two cores 40 trials take two hours and the rest 35 minutes.
     Stopped, the same command goes on; several processes on one storage share the trials.
"""

import argparse
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from preprocessing.front_door import add_data_argument, run
from preprocessing.options import natural, positive


@dataclass(frozen=True)
class Size:
    """How large a search is, and where its results go."""

    photographs: int = 3000
    epochs: int = 20
    long_resolution: int = 128
    long_epochs: int = 4
    long_images_per_epoch: int = 2048
    compute: str = "auto"
    trials: int = 40
    runs: Path = Path("runs/tune")
    out: Path = Path("results")


DEMONSTRATION = Size(16, 3, 64, 1, 16, "float32", 2, Path("runs/demonstration-tune"), Path("results/local"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    parser.add_argument("--resolution", type=int, choices=(32, 64, 128), default=32, help="px, of the trials")
    parser.add_argument("--trials", type=positive(int), help="finished trials of the whole study (default: 40)")
    parser.add_argument("--minutes", type=positive(float), default=180.0, help="after which no trial is begun")
    parser.add_argument("--seed", type=natural, default=1, metavar="INT")
    parser.add_argument("--storage", metavar="URL", help="(default: sqlite:///results/local/tuning.db)")
    arguments = parser.parse_args()

    try:
        import optuna  # noqa: F401
    except ImportError:
        from preprocessing.files import UserError

        raise UserError("the search needs Optuna: pip install -e '.[tune]'") from None
    from preprocessing.sources import EMBEDDED_TRAINING, source_name

    if not arguments.data:
        print("no --data: a few steps on the embedded photographs, to show that it works")
    size = Size() if arguments.data else DEMONSTRATION
    size = replace(size, trials=arguments.trials or size.trials)
    source = source_name(arguments.data) if arguments.data else EMBEDDED_TRAINING
    tune(source, arguments, size)


def tune(source, arguments, size):
    """Search, and when the study is complete train its best at 128 and write what was found."""
    from keras_port import tuning
    from preprocessing.files import held
    from preprocessing.shards import list_shards
    from results.studies.tuning import draw_overfitting, draw_tuning, table_of, write_table

    for split in ("train", "val"):
        list_shards(source, size.long_resolution, split)  # missed now rather than after hours
    storage = arguments.storage or "sqlite:///results/local/tuning.db"
    name = f"{source}-{arguments.resolution}-seed{arguments.seed}"
    folder = size.runs / name
    base = replace(
        tuning.default_base(arguments.resolution, arguments.seed),
        epochs=size.epochs,
        images_per_epoch=size.photographs,
        compute=size.compute,
    )
    root, subset = folder / "shards", f"{source}-{size.photographs}"
    with held(folder, wait=True):  # several processes may begin together
        write_subset(source, subset, arguments.resolution, size.photographs, root)
        study, base = tuning.open_study(name, storage, base, subset, root)
    tuning.search(study, base, subset, folder, size.trials, arguments.minutes, arguments.seed, root)
    searching = study.get_trials(deepcopy=False, states=(tuning.optuna.trial.TrialState.RUNNING,))
    best = tuning.finished(study)
    if searching or not best:
        print(
            f"{len(best)} trials are complete and {len(searching)} running elsewhere, or killed less than "
            f"{tuning.GRACE_SECONDS} seconds ago: search again later"
        )
        return
    table = table_of(study, source, subset, base, root) | {"long_resolution": size.long_resolution, "long": []}
    path = size.out / "tuning.json"
    write_table(table, path)
    for trial in best_and_median(best):
        table["long"].append(train_long(trial, source, base, size, folder))
        write_table(table, path)
    draw_tuning(table, size.out / "figures/tuning.png")
    table["overfitting"] = overfit(best[0], base, subset, folder, root)
    write_table(table, path)
    draw_overfitting(table, size.out / "figures/overfitting.png")
    print(f"study: {storage}\ntable: {path}\nfigures: {size.out}/figures/tuning.png, overfitting.png")


def write_subset(source, subset, resolution, photographs, root):
    """Shards of the photographs on which all trials train; validation is the whole of `val`."""
    from preprocessing.derived import first_photographs, write_source
    from preprocessing.shards import read_split

    splits = {
        "train": first_photographs(source, resolution, "train", photographs),
        "val": read_split(source, resolution, "val"),
    }
    write_source(root, subset, resolution, splits)


def best_and_median(best):
    """The best three of the trials that were not pruned and their median, each once.

    Of trials with one and the same score only the first: in bfloat16 two dropouts that are near can be one network.
    """
    distinct = [next(same) for _, same in groupby(best, key=lambda trial: trial.value)]
    chosen = [*distinct[:3], distinct[len(distinct) // 2]]
    return list({trial.number: trial for trial in chosen}.values())


def train_long(trial, source, base, size, folder):
    """Train one trial's configuration at `size.long_resolution`; its short and its long score."""
    from keras_port import tuning
    from keras_port.training import train

    longer = {"epochs": size.long_epochs, "images_per_epoch": size.long_images_per_epoch}
    base = replace(base, resolution=size.long_resolution, **longer)
    print(f"trial {trial.number} at {base.resolution} px")
    trained = train(tuning.configuration_of(trial, base), source, folder / f"long-{trial.number:03}")
    return {
        "trial": trial.number,
        "short_val_mse": trial.value,
        "long_val_mse": trained.summary["val_mse"],
        "epochs": trained.summary["epochs"],
        "images_seen": trained.summary["images_seen"],
        "seconds": trained.summary["seconds"],
    }


def overfit(trial, base, subset, folder, root):
    """The best configuration with its dropout and early stopping, and without both: the errors of each epoch."""
    from keras_port import tuning
    from keras_port.training import train

    config = tuning.configuration_of(trial, base)
    variants = {
        "with": config if config.dropout else replace(config, dropout=0.2),
        "without": replace(config, dropout=0.0, patience=config.epochs),
    }
    curves = {}
    for name, variant in variants.items():
        print(f"overfitting, {name} dropout and early stopping")
        trained = train(variant, subset, folder / f"overfitting-{name}-{trial.number:03}", root=root)
        curves[name] = {
            "dropout": variant.dropout,
            "best_epoch": trained.summary["best_epoch"],
            "seconds": trained.summary["seconds"],
            "epochs": trained.history,
        }
    return curves


if __name__ == "__main__":
    run(main)
