"""The configuration of a 128 px run."""

import json
from dataclasses import dataclass
from pathlib import Path

from preprocessing.files import UserError
from preprocessing.options import OBJECTIVES, RunConfig, natural, positive, resolve, training_parser


@dataclass(frozen=True)
class TrainingConfig(RunConfig):
    """A run of 05 or 06. Networks: "seven_layer", "bins", "notebook" (network.py), "unet", "unet_bins" (unet.py)."""

    resolution: int = 128
    images_per_epoch: int = 4096
    batch_size: int = 32
    optimizer: str = "adam"  # with a warm-up and half a cosine; or "rmsprop" at a constant rate
    filters: int = 64
    stride: int = 4
    pretrained: bool = True  # whether a U-Net's encoder begins from its ImageNet weights
    frozen_stages: int = 2  # of a U-Net's encoder, and its stem, that keep their weights and statistics
    encoder_rate: float = 0.3  # a U-Net's encoder's share of the learning rate

    def network_arguments(self):
        """The part of the configuration that shapes the network."""
        if self.network == "notebook":
            return {}
        if self.network in UNETS:
            return {"frozen_stages": self.frozen_stages}
        names = ("kernel", "deconv_kernel", "dropout", "dilation", "filters", "stride")
        names += ("bins_at",) if self.network == "bins" else ()
        return {name: getattr(self, name) for name in names}


UNETS = ("unet", "unet_bins")

# Ours, where the search of step 5 is not asked: dilated, the deep layers see at 128 px more of the scene, of which they saw
# all at 32, where they learnt to (tf_raw/config.py:AT_64). With one rate of 4 in all three they left a grid in smooth areas
# (`make gridding`); rates without a common divisor leave none (Wang et al. 2018, hybrid dilated convolution).
AT_128 = {"dilation": (5, 3, 1), "dropout": 0.1, "weight_decay": 0.01, "average_decay": 0.99, "augment": True}

# Ours, for two cores, and not yet run to its end: its average of 0.999 asks for the 10,000 steps that it has. The shipped
# unet_128 saw 166,000 images on a GPU, in batches of 256, with an average of 0.98 (its file holds the command): validation MSE 151.4.
UNET_128 = {
    "train_side": 144,
    "crop": 128,
    "augment": True,
    "weight_decay": 0.02,
    "average_decay": 0.999,
    "epochs": 40,
    "images_per_epoch": 8192,
    "patience": 10,
}

# The original's notebook (ORIGINAL.md, section 3): RMSprop at Keras' rate, batch 50, 100 epochs; ours validates and stops.
NETWORKS = {
    "seven_layer": AT_128,
    "bins": AT_128,
    "unet": UNET_128,
    "unet_bins": UNET_128,
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
    "images_per_epoch": 4,
    "batch_size": 4,
    "warmup_steps": 2,
    "compute": "float32",
    "dilation": 1,  # dilated convolutions are slow on a CPU
    "train_side": 0,  # step 2 builds the embedded photographs at 128 px
    "crop": 0,
}


def parse_options(description):
    """Read the command line of 06."""
    parser = training_parser(description)
    parser.add_argument("--objective", choices=OBJECTIVES, default="l2", help="what is learnt: see the README")
    parser.add_argument(
        "--from-study", nargs="?", const="results/tuning.json", metavar="FILE", help="train the best of step 5's search"
    )
    parser.add_argument(
        "--network",
        choices=("seven-layer", "notebook", "unet"),
        help="the report's (default), the original's notebook's, or ours with a pretrained encoder",
    )
    parser.add_argument(
        "--from-nothing", action="store_true", help="with --network unet: without the encoder's ImageNet weights"
    )
    parser.add_argument("--frozen-stages", type=natural, help="of a U-Net's encoder, and its stem (default: 2)")
    parser.add_argument("--encoder-rate", type=positive(float), help="its encoder's share of the rate (default: 0.3)")
    arguments = parser.parse_args()
    network = (arguments.network or "seven_layer").replace("-", "_")
    arguments.network = network
    if network != "seven_layer" and (arguments.dropout or arguments.dilation):
        parser.error("--dropout and --dilation are for the seven-layer network: leave them out")
    if arguments.from_study and network != "seven_layer":
        parser.error("--from-study is for the seven-layer network: leave --network out")
    if network != "unet" and (arguments.from_nothing or arguments.encoder_rate or arguments.frozen_stages is not None):
        parser.error("--from-nothing, --frozen-stages and --encoder-rate are for --network unet")
    if network == "notebook" and arguments.objective != "l2":
        parser.error(f"--objective {arguments.objective} is ours: leave --network notebook out")
    if arguments.objective != "l2":
        arguments.network = {"seven_layer": "bins", "unet": "unet_bins"}[network]
    if arguments.from_nothing:
        arguments.pretrained = False
        arguments.frozen_stages = arguments.frozen_stages or 0
    if network == "unet" and arguments.crop and arguments.crop % 32:
        parser.error("--crop takes a multiple of 32 with --network unet")
    tuned = best_parameters(arguments.from_study) if arguments.from_study else {}
    config = TrainingConfig(**(tuned or NETWORKS[arguments.network]))
    return resolve(arguments, config, run_name(network, arguments.objective, bool(tuned)), DEMONSTRATION)


def run_name(network, objective, tuned=False):
    """The name of a run and of its weights: l2_128, rebalanced_128, notebook_128, tuned_128, unet_128, unet_rebalanced_128."""
    if network == "unet":
        return "unet_128" if objective == "l2" else f"unet_{objective}_128"
    return f"{'notebook' if network == 'notebook' else 'tuned' if tuned and objective == 'l2' else objective}_128"


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
