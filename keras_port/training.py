"""Training with Keras' `fit` on any backend, fed with NumPy batches, and resumed where it was."""

import csv
import importlib.util
import io
import sys
from pathlib import Path

import keras
import numpy as np

from keras_port.board import Board
from keras_port.losses import build_loss
from keras_port.network import UNITS, assign, build_network, to_arrays
from keras_port.resume import ResumableState, load_state
from keras_port.unet import ENCODER
from preprocessing import compute
from preprocessing.batches import open_training
from preprocessing.files import held
from preprocessing.front_door import StopRequest
from preprocessing.options import TrainedNetwork, loss_name, run_settings, steps_per_epoch, summary_of

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
# Keras of 2017 added 1e-7 to the root of the mean square; today's adds its epsilon before the root, where the same 1e-7
# would all but stop the small gradients of a mean over 32,768 outputs.
RMSPROP_EPSILON = 1e-7**2


def to_units(units, L, ab):
    """8-bit codes -> what `fit` takes: float32 L in a network's units, and ab as it is, for the loss."""
    return units.lightness_from_code(L.astype(np.float32)), ab


def train(config, source, folder, initial=None, root="shards", callbacks=()):
    """Train a network with `fit`, or go on with the run in `folder`.

    Parameters
    ----------
    config : keras_port.config.TrainingConfig
    source : str, the name under `root`
    folder : path, where the state, log.csv and TensorBoard summaries go
    initial : dict of arrays, optional; weights to start from (a network trained by `tf_raw` serves)
    callbacks : Keras callbacks besides those that every run has; they come after the state is saved

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    UserError
        The folder holds another run, shards are missing or damaged, the disk is full, or the loss is not finite.
    """
    folder = Path(folder)
    batches, val = open_training(source, config, root)
    settings = run_settings(config, source, initial, root)
    units = UNITS[config.network]
    with held(folder):
        state = load_state(folder, settings) or {"compute": choose_compute(config, source, root)}
        steps = steps_per_epoch(config, batches)
        model = _compiled(config, state["compute"], steps, build_loss(config, units, source, root))
        if initial:
            assign(model, initial)
        state = _fit(config, model, state, settings, batches, val, folder, callbacks)
        model.set_weights(state["best_weights"])
    best_epoch, epochs = state["best_epoch"] + 1, state["epoch"]
    summary = summary_of(config, batches, state["best"], best_epoch, epochs, state["seconds"], state["compute"])
    summary |= {"backend": keras.backend.backend(), "device": _device()}
    history = _history(state["log"], loss_name(config), steps * batches.batch_size)
    return TrainedNetwork(to_arrays(model), config.network_arguments(), summary, history)


def _device():
    """The kind of device that trained, as the backend names it; "cpu" where it names none."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return "cpu"


def _history(log, loss, images_per_epoch):
    """The epochs out of what Keras' CSVLogger wrote."""
    return [
        {
            "epoch": epoch,
            "images": epoch * images_per_epoch,
            f"train_{loss}": float(row["loss"]),
            f"val_{loss}": float(row["val_loss"]),
        }
        for epoch, row in enumerate(csv.DictReader(io.StringIO(log)), start=1)
    ]


def _fit(config, model, state, settings, batches, val, folder, more_callbacks):
    """Run `fit` over the epochs that are left and return the state at its end."""
    steps = steps_per_epoch(config, batches)
    stop = StopRequest()
    early_stopping = keras.callbacks.EarlyStopping(patience=config.patience, restore_best_weights=True)
    averaging = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if config.average_decay else []
    resumable = ResumableState(folder, state, settings, early_stopping, averaging, config.epochs, stop)
    resumable.restore(model)
    if state.get("finished"):
        return resumable.state
    epoch = state.get("epoch", 0)
    if epoch:
        print(f"going on with {folder} from epoch {epoch}")
    callbacks = [*averaging, early_stopping, keras.callbacks.CSVLogger(str(folder / "log.csv"), append=True)]
    if importlib.util.find_spec("tensorflow"):  # Keras writes TensorBoard's files through TensorFlow
        callbacks.append(Board(str(folder / "tensorboard")))
    units = UNITS[config.network]
    stream = (to_units(units, L, ab) for L, ab in batches.from_step(epoch * steps))
    with stop:
        model.fit(
            stream,
            steps_per_epoch=steps,
            initial_epoch=epoch,
            epochs=config.epochs,
            validation_data=to_units(units, val.L, val.ab),
            validation_batch_size=config.batch_size,
            shuffle=False,  # the stream is shuffled already
            callbacks=[*callbacks, resumable, *more_callbacks],  # the state is saved when those have done their part
            verbose=1 if sys.stderr.isatty() else 2,
        )
    return resumable.state


def _compiled(config, compute, steps, loss):
    """The network with its optimizer and `loss`."""
    model = build_network(config.network, config.network_arguments(), config.seed, POLICIES[compute])
    model.compile(optimizer=_optimizer(config, steps), loss=loss)
    model.optimizer.build(model.trainable_variables)
    return model


def _optimizer(config, steps):
    """Adam (AdamW) with a linear warm-up and half a cosine, or the notebook's RMSprop at a constant rate."""
    averaging = {"use_ema": True, "ema_momentum": config.average_decay} if config.average_decay else {}
    if config.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(config.learning_rate, epsilon=RMSPROP_EPSILON, **averaging)
    total = config.epochs * steps
    warmup = min(config.warmup_steps, total // 2)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warmup), warmup_target=config.learning_rate, warmup_steps=warmup
    )
    optimizer = ScaledAdamW(rate, weight_decay=config.weight_decay, **averaging)
    optimizer.encoder_rate = config.encoder_rate
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


class ScaledAdamW(keras.optimizers.AdamW):
    """AdamW whose rate is `encoder_rate` times as high for what a U-Net's encoder holds."""

    encoder_rate = 1.0

    def update_step(self, gradient, variable, learning_rate):
        # TensorFlow hands over its own variable, which has no path.
        path = self._trainable_variables[self._get_variable_index(variable)].path
        rate = learning_rate * self.encoder_rate if path.startswith(ENCODER) else learning_rate
        super().update_step(gradient, variable, rate)


def choose_compute(config, source, root="shards"):
    """Resolve "auto" by some steps on noise."""
    return compute.choose_compute(config, lambda name: _step_in(name, config, source, root), steps=3)


def _step_in(name, config, source, root):
    model = _compiled(config, name, 100, build_loss(config, UNITS[config.network], source, root))
    random = np.random.default_rng(0)
    side = config.resolution
    L = random.uniform(-1, 1, (config.batch_size, side, side, 1)).astype(np.float32)
    ab = random.integers(0, 256, (config.batch_size, side, side, 2), np.uint8)
    return lambda: model.train_on_batch(L, ab)
