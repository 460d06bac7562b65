"""The configuration of a 128 px run."""

from dataclasses import asdict, dataclass

from preprocessing.options import positive, resolve, training_parser


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a run's weights, besides the shards and the machine."""

    resolution: int = 128
    epochs: int = 12
    images_per_epoch: int = 4096  # an epoch is what lies between two validations and checkpoints, not a pass
    batch_size: int = 32
    learning_rate: float = 0.001
    warmup_steps: int = 100
    patience: int = 4  # epochs without a better validation error before the run stops
    compute: str = "auto"
    seed: int = 1
    kernel: int = 3
    deconv_kernel: int = 4
    dropout: float = 0.0
    dilation: int = 1

    def network_arguments(self):
        """The part of the configuration that shapes the network."""
        names = ("kernel", "deconv_kernel", "dropout", "dilation")
        return {name: getattr(self, name) for name in names}

    def to_dict(self):
        """Plain values by name."""
        return asdict(self)


# A run on the embedded photographs shows that everything works; it does not learn to colour.
DEMONSTRATION = {"epochs": 2, "images_per_epoch": 64, "batch_size": 16, "warmup_steps": 2, "compute": "float32"}


def parse_options(description):
    """Read the command line of 06."""
    parser = training_parser(description)
    parser.add_argument("--images-per-epoch", type=positive(int), help="images between validations")
    return resolve(parser.parse_args(), TrainingConfig(), "l2_128", DEMONSTRATION)
