"""The configuration of a 128 px run."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from preprocessing.files import UserError
from preprocessing.options import resolve, training_parser


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a run's weights, besides the shards and the machine."""

    resolution: int = 128
    network: str = "seven_layer"  # or "bins", "notebook": see network.py
    objective: str = "l2"  # or "classification", "rebalanced": see losses.py
    bins_at: int = 4  # of a bins network: the share of the size at which it predicts
    epochs: int = 12
    images_per_epoch: int = 4096  # an epoch is what lies between two validations and checkpoints, not a pass
    batch_size: int = 32
    learning_rate: float = 0.001
    optimizer: str = "adam"  # with a warm-up and half a cosine; or "rmsprop" at a constant rate
    warmup_steps: int = 100
    weight_decay: float = 0.0  # of kernels, decoupled from the gradient (Loshchilov & Hutter 2019); with adam only
    average_decay: float = 0.0  # of the moving average of the weights that is validated and kept; 0: the weights
    patience: int = 4  # epochs without a better validation error before the run stops
    mirrored: bool = True  # each image mirrored left to right with probability 1/2
    mirror_average: bool = True  # ours: a prediction is the mean over the picture and its mirror image
    compute: str = "auto"
    seed: int = 1
    kernel: int = 3
    deconv_kernel: int = 4
    dropout: float = 0.0
    dilation: int = 1
    filters: int = 64
    stride: int = 4

    def network_arguments(self):
        """The part of the configuration that shapes the network."""
        if self.network == "notebook":
            return {}
        names = ("kernel", "deconv_kernel", "dropout", "dilation", "filters", "stride")
        names += ("bins_at",) if self.network == "bins" else ()
        return {name: getattr(self, name) for name in names}

    def to_dict(self):
        """Plain values by name."""
        return asdict(self)


OBJECTIVES = ("l2", "classification", "rebalanced")

# Ours, where the search of step 5 is not asked: with dilation 4 the deep layers see at 128 px as much of the scene as they
# did at 32, where they learnt to (tf_raw/config.py:AT_64).
AT_128 = {"dilation": 4, "dropout": 0.1, "weight_decay": 0.01, "average_decay": 0.99}

# The original's notebook (ORIGINAL.md, section 3): RMSprop at Keras' rate, batch 50, 100 epochs; ours validates and stops.
NETWORKS = {
    "seven_layer": AT_128,
    "bins": AT_128,
    "notebook": {
        "epochs": 100,
        "batch_size": 50,
        "learning_rate": 0.001,
        "optimizer": "rmsprop",
        "mirror_average": False,
    },
}

# A run on the embedded photographs shows that everything works; it does not learn to colour.
DEMONSTRATION = {
    "epochs": 2,
    "images_per_epoch": 64,
    "batch_size": 16,
    "warmup_steps": 2,
    "compute": "float32",
    "dilation": 1,  # dilated convolutions are slow on a CPU
}


def parse_options(description):
    """Read the command line of 06."""
    parser = training_parser(description)
    parser.add_argument("--objective", choices=OBJECTIVES, default="l2", help="what is learnt: see the README")
    parser.add_argument(
        "--from-study", nargs="?", const="results/tuning.json", metavar="FILE", help="train the best of step 5's search"
    )
    parser.add_argument(
        "--network", choices=("seven-layer", "notebook"), help="the report's (default), or the original's notebook's"
    )
    arguments = parser.parse_args()
    arguments.network = (arguments.network or "seven_layer").replace("-", "_")
    if arguments.network == "notebook" and (arguments.dropout or arguments.dilation or arguments.weight_decay):
        parser.error("--dropout, --dilation and --weight-decay are for the seven-layer network: leave them out")
    if arguments.from_study and arguments.network != "seven_layer":
        parser.error("--from-study is for the seven-layer network: leave --network out")
    if arguments.objective != "l2":
        if arguments.network != "seven_layer":
            parser.error(f"--objective {arguments.objective} is ours: leave --network out")
        arguments.network = "bins"
    tuned = best_parameters(arguments.from_study) if arguments.from_study else {}
    kind = {"seven_layer": "l2", "bins": arguments.objective, "notebook": "notebook"}[arguments.network]
    config = TrainingConfig(**(tuned or NETWORKS[arguments.network]))
    return resolve(arguments, config, f"{'tuned' if tuned and kind == 'l2' else kind}_128", DEMONSTRATION)


def best_parameters(path):
    """The hyperparameters of the best trial in a tuning.json: by its score at 128 where it was trained there.

    Raises
    ------
    UserError
        The file is missing, or is no table of 05_tune_128.py.
    """
    try:
        table = json.loads(Path(path).read_text())
        best = min(table["long"], key=lambda each: each["long_val_mse"])["trial"]
        return next(trial["parameters"] for trial in table["trials"] if trial["number"] == best)
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        raise UserError(f"{path} is no table of a search: run python keras_port/05_tune_128.py first") from None
