"""What every training script takes (flags that change a configuration, where things go) and what training gives."""

import argparse
import hashlib
from dataclasses import dataclass, fields, replace
from pathlib import Path

from preprocessing.files import UserError
from preprocessing.front_door import add_data_argument


@dataclass(frozen=True)
class Options:
    """A training command, resolved: what to train, on which shards, and where things go."""

    config: object  # a frozen dataclass
    source: str
    name: str
    run: Path
    init: str | None
    out: str | None


@dataclass(frozen=True)
class TrainedNetwork:
    """The best weights of a run (arrays by name), the network's arguments, what is worth knowing of the run, and its epochs.

    Each epoch is a dictionary with `epoch`, `images` (seen so far), and `train_NAME` and `val_NAME`, where `summary["loss"]`
    is the NAME of the loss: "mse" (CIE ab units squared) or "cross_entropy" (nats).
    """

    arrays: dict
    arguments: dict
    summary: dict
    history: list


def training_parser(description):
    """A parser with the flags that all training scripts share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    parser.add_argument("--epochs", type=positive(int))
    parser.add_argument("--batch-size", type=positive(int))
    parser.add_argument("--learning-rate", type=positive(float))
    parser.add_argument("--patience", type=positive(int), help="epochs without a better validation error")
    parser.add_argument("--images-per-epoch", type=positive(int), help="images between two validations")
    parser.add_argument("--dropout", type=share, help="after each of the seven layers")
    parser.add_argument("--dilation", type=positive(int), help="of conv4 to conv6")
    parser.add_argument("--weight-decay", type=share, help="of the kernels, for each step times the learning rate")
    parser.add_argument("--average-decay", type=share, help="of the moving average of the weights that is kept")
    parser.add_argument("--compute", choices=("auto", "float32", "bfloat16"), help="type of the activations")
    parser.add_argument("--seed", type=natural, metavar="INT")
    parser.add_argument("--init", metavar="WEIGHTS", help="start from these weights: a shipped name or a file")
    parser.add_argument("--run", metavar="FOLDER", help="where checkpoints and logs go (default: runs/NAME)")
    parser.add_argument("--out", metavar="FILE", help="the weights file (default: results/local/weights/NAME.h5)")
    return parser


def resolve(arguments, config, name, demonstration):
    """Change `config` by the numbers of a demonstration where there is no data, then by the flags that were given."""
    from preprocessing.sources import EMBEDDED_TRAINING, source_name

    if not arguments.data:
        print("no --data: a few steps on the embedded photographs, to show that it works; it learns no colour")
        config, name = replace(config, **demonstration), f"demonstration_{name}"
    given = {field.name: getattr(arguments, field.name, None) for field in fields(config)}
    config = replace(config, **{key: value for key, value in given.items() if value is not None})
    source = source_name(arguments.data) if arguments.data else EMBEDDED_TRAINING
    return Options(config, source, name, Path(arguments.run or f"runs/{name}"), arguments.init, arguments.out)


def run_settings(config, source, initial, root="shards"):
    """What must be the same when a run goes on: its configuration, its data, and the weights it began from."""
    from preprocessing.shards import read_manifest  # h5py and numpy, which --help can do without

    fingerprint = read_manifest(source, root)["fingerprint"]
    began_from = (
        hashlib.sha256(b"".join(array.tobytes() for array in initial.values())).hexdigest()[:16] if initial else ""
    )
    return {**config.to_dict(), "source": source, "fingerprint": fingerprint, "began_from": began_from}


def check_same_run(folder, before, now):
    """Refuse to go on with a run that was begun with other settings; both are dictionaries of plain values."""
    # What a run does not name is a setting that came after it.
    differing = [f"{key} {before[key]} (now {value})" for key, value in now.items() if before.get(key, value) != value]
    if differing:
        raise UserError(
            f"{folder} holds a run with {', '.join(differing)}: use the same flags, another --run, or delete it"
        )


def positive(kind):
    """An argparse type: a finite number of `kind` above 0."""

    def convert(text):
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return value

    convert.__name__ = kind.__name__  # argparse names it in its message
    return convert


def natural(text):
    """An argparse type: an integer from 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def share(text):
    """An argparse type: a number from 0 to below 1."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to below 1")
    return value
