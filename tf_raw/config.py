"""The configuration of a training run, its presets, and the flags that change it."""

import argparse
from dataclasses import asdict, dataclass, fields, replace

from tf_raw.network import SevenLayerArguments


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


def add_training_flags(parser):
    """Add `--preset` and a flag for each field that a user may change."""
    parser.add_argument("--preset", choices=PRESETS, default="best", help="hyperparameters: ours, or the report's")
    parser.add_argument("--epochs", type=_positive(int))
    parser.add_argument("--batch-size", type=_positive(int))
    parser.add_argument("--learning-rate", type=_positive(float))
    parser.add_argument("--patience", type=_positive(int), help="epochs without a better validation error")
    parser.add_argument("--compute", choices=("auto", "float32", "bfloat16"), help="type of the activations")
    parser.add_argument("--seed", type=int)


def make_config(resolution, arguments, demonstration):
    """The preset, changed by a demonstration's small numbers, changed by the flags that were given."""
    given = {field.name: getattr(arguments, field.name, None) for field in fields(TrainingConfig)}
    config = TrainingConfig(resolution, **PRESETS[arguments.preset])
    if demonstration:
        config = replace(config, **DEMONSTRATION)
    return replace(config, **{name: value for name, value in given.items() if value is not None})


def _positive(kind):
    def convert(text):
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return value

    convert.__name__ = kind.__name__  # argparse names it in its message
    return convert
