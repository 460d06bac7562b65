"""The configuration of a training run and its presets."""

from dataclasses import asdict, dataclass

from preprocessing.options import resolve, training_parser


@dataclass(frozen=True)
class SevenLayerArguments:
    """What the report leaves open. Defaults are ours; the report's preset is kernel 3, deconv_kernel 3, dropout 0.4."""

    kernel: int = 3
    deconv_kernel: int = 4  # divisible by the stride: no checkerboard (Odena et al. 2016)
    dropout: float = 0.0  # after each of the seven layers


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a run's weights, besides the shards and the machine."""

    resolution: int
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 0.003
    warmup_steps: int = 300
    patience: int = 4  # epochs without a better validation error before the run stops
    compute: str = "auto"
    seed: int = 1
    kernel: int = SevenLayerArguments.kernel
    deconv_kernel: int = SevenLayerArguments.deconv_kernel
    dropout: float = SevenLayerArguments.dropout

    def network_arguments(self):
        """The part of the configuration that shapes the network."""
        return SevenLayerArguments(self.kernel, self.deconv_kernel, self.dropout)

    def to_dict(self):
        """Plain values by name."""
        return asdict(self)


PRESETS = {
    # Ours: batch 64 and a cosine from 0.003, as DESIGN.md measures.
    "best": {},
    # The report's table 1 (ORIGINAL.md, section 1): batch 10, dropout 0.4, kernel 3. The report names no rate: Adam
    # 0.001 is that of the original's code (section 2), held constant but for the warm-up and decay of every run here.
    "report": {"batch_size": 10, "dropout": 0.4, "kernel": 3, "deconv_kernel": 3, "learning_rate": 0.001},
}

# A run on the embedded photographs shows that everything works; it does not learn to colour.
DEMONSTRATION = {"epochs": 2, "batch_size": 32, "warmup_steps": 5, "compute": "float32"}


def parse_options(description, resolution):
    """Read the command line of 03 or 04."""
    parser = training_parser(description)
    parser.add_argument("--preset", choices=PRESETS, default="best", help="hyperparameters: ours, or the report's")
    arguments = parser.parse_args()
    name = f"l2_{resolution}" if arguments.preset == "best" else f"{arguments.preset}_{resolution}"
    return resolve(arguments, TrainingConfig(resolution, **PRESETS[arguments.preset]), name, DEMONSTRATION)
