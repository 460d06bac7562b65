"""What every training script takes (flags that change a configuration, where things go) and what training gives."""

import argparse
import hashlib
import math
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from preprocessing.files import UserError
from preprocessing.front_door import add_data_argument

OBJECTIVES = ("l2", "classification", "rebalanced")


@dataclass(frozen=True)
class RunConfig:
    """What decides a run's weights, besides the shards and the machine, whichever package trains.

    Each package adds what only it has, and its own defaults.
    """

    resolution: int  # px, of val and test, and of what is trained on unless train_side says otherwise
    network: str = "seven_layer"
    objective: str = "l2"  # or "classification", "rebalanced": see the losses.py of each package
    bins_at: int = 4  # of a bins network: the share of the size at which it predicts
    epochs: int = 12
    images_per_epoch: int = 0  # an epoch is what lies between two validations; 0: a pass over the training images
    batch_size: int = 64
    learning_rate: float = 0.001
    warmup_steps: int = 100
    weight_decay: float = 0.0  # of kernels, decoupled from the gradient (Loshchilov & Hutter 2019)
    average_decay: float = 0.0  # of the moving average of the weights that is validated and kept; 0: the weights
    patience: int = 4  # epochs without a better validation error before the run stops
    train_side: int = 0  # px of the shards that are trained on, for `crop` to cut from; 0: `resolution`
    crop: int = 0  # px of the square that is cut anew each time a picture is shown; 0: the whole picture
    augment: bool = False  # L as gray files of all kinds might give it, and scales: preprocessing/augment.py
    shares: dict = field(default_factory=dict)  # of each batch, by source's name; {}: each photograph once an epoch
    mirrored: bool = True  # each image mirrored left to right with probability 1/2
    mirror_average: bool = True  # ours: a prediction is the mean over the picture and its mirror image
    compute: str = "auto"
    seed: int = 1
    kernel: int = 3
    deconv_kernel: int = 4  # divisible by the stride: no checkerboard (Odena et al. 2016)
    dropout: float = 0.0  # after each of the seven layers
    dilation: int | tuple = 1  # of conv4 to conv6, or of each of the three

    def to_dict(self):
        """Plain values by name, as JSON gives them back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def dilation_rates(dilation):
    """The rates of conv4, conv5 and conv6, of one for all or three."""
    return (dilation,) * 3 if isinstance(dilation, int) else tuple(dilation)


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
    parser.add_argument("--warmup-steps", type=natural, help="steps over which the rate rises from 0")
    parser.add_argument("--patience", type=positive(int), help="epochs without a better validation error")
    parser.add_argument("--images-per-epoch", type=positive(int), help="images between two validations")
    parser.add_argument("--dropout", type=share, help="after each of the seven layers")
    parser.add_argument(
        "--dilation", nargs="+", type=positive(int), metavar="RATE", help="of conv4 to conv6, or of each of the three"
    )
    parser.add_argument("--weight-decay", type=share, help="of the kernels, for each step times the learning rate")
    parser.add_argument("--average-decay", type=share, help="of the moving average of the weights that is kept")
    parser.add_argument(
        "--train-side", type=positive(int), metavar="PX", help="train on shards of this size (02: --resolutions)"
    )
    parser.add_argument(
        "--crop", type=positive(int), metavar="PX", help="cut a random square anew each time a picture is shown"
    )
    parser.add_argument(
        "--augment",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show L as gray files of all kinds might give it",
    )
    parser.add_argument(
        "--shares",
        nargs="+",
        type=positive(float),
        metavar="SHARE",
        help="of each batch, one for each source in the order of --data (default: each photograph once an epoch)",
    )
    parser.add_argument("--compute", choices=("auto", "float32", "bfloat16"), help="type of the activations")
    parser.add_argument("--seed", type=natural, metavar="INT")
    parser.add_argument("--init", metavar="WEIGHTS", help="start from these weights: a shipped name or a file")
    parser.add_argument("--run", metavar="FOLDER", help="where checkpoints and logs go (default: runs/NAME)")
    parser.add_argument("--out", metavar="FILE", help="the weights file (default: results/local/weights/NAME.h5)")
    return parser


def resolve(arguments, config, name, demonstration):
    """Change `config` by the numbers of a demonstration where there is no data, then by the flags that were given."""
    from preprocessing.sources import EMBEDDED_TRAINING, source_name, stem_of

    if arguments.dilation:
        if len(arguments.dilation) not in (1, 3):
            raise UserError("--dilation takes one rate, or three for conv4, conv5 and conv6")
        arguments.dilation = tuple(arguments.dilation) if len(arguments.dilation) > 1 else arguments.dilation[0]
    if arguments.shares:
        if len(arguments.shares) != len(arguments.data):
            raise UserError(f"--shares takes a number for each source of --data, which names {len(arguments.data)}")
        total = sum(arguments.shares)
        names = map(stem_of, arguments.data)
        arguments.shares = {name: each / total for name, each in zip(names, arguments.shares, strict=True)}
    if not arguments.data:
        print("no --data: a few steps on the embedded photographs, to show that it works; it learns no colour")
        config, name = replace(config, **demonstration), f"demonstration_{name}"
    given = {field.name: getattr(arguments, field.name, None) for field in fields(config)}
    config = replace(config, **{key: value for key, value in given.items() if value is not None})
    if config.crop % 16 or config.crop > (config.train_side or config.resolution):
        raise UserError("--crop takes a multiple of 16, up to the size of the shards that are trained on")
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


def steps_per_epoch(config, batches):
    """Steps between two validations; `batches` is a preprocessing.batches.TrainingBatches."""
    if not config.images_per_epoch:
        return batches.steps_per_epoch
    return max(1, min(batches.steps_per_epoch, config.images_per_epoch // batches.batch_size))


def check_finite(loss, where):
    """Raise UserError where the loss of a step is not a number."""
    if not math.isfinite(loss):
        raise UserError(f"the loss is {loss} at {where}: start a new --run with a lower --learning-rate")


def loss_name(config):
    """What the loss is called in logs and weights files."""
    return "mse" if config.objective == "l2" else "cross_entropy"


def summary_of(config, batches, best, best_epoch, epochs, seconds, compute):
    """What a weights file says of its training: the best validation loss, where it was, and what it cost."""
    name = loss_name(config)
    return {
        "loss": name,
        f"val_{name}": best,
        "best_epoch": best_epoch,
        "epochs": epochs,
        "images_seen": epochs * steps_per_epoch(config, batches) * batches.batch_size,
        "seconds": round(seconds),
        "compute": compute,
    }


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
