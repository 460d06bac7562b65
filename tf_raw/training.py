"""The training loop of the 32 and 64 networks, written out: learning rate, step, log, evaluate, checkpoint, stop."""

import csv
import io
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from preprocessing.batches import in_order, open_training
from preprocessing.files import UserError, held, write_atomically
from preprocessing.front_door import StopRequest
from preprocessing.options import TrainedNetwork, check_same_run, run_settings
from tf_raw.adam import Adam
from tf_raw.build import build_network
from tf_raw.checkpoints import RunState
from tf_raw.losses import squared_l2

CHECKPOINT_SECONDS = 120
VALIDATION_BATCH = 100
COMPUTE_TYPES = {"float32": tf.float32, "bfloat16": tf.bfloat16}


def to_network_units(units, L, ab):
    """8-bit codes -> float32 L and ab in a network's `units`."""
    return units.lightness_from_code(tf.cast(L, tf.float32)), units.ab_from_code(tf.cast(ab, tf.float32))


def train_step(network, average, optimizer, L, ab, learning_rate, average_decay, seed, compute_dtype):
    """One step of Adam on one batch of 8-bit L and ab, and of `average` after it; the batch's loss before it."""
    L, ab_true = to_network_units(network.units, L, ab)
    with tf.GradientTape() as tape:
        ab_pred = network(L, training=True, seed=seed, compute_dtype=compute_dtype)
        loss = squared_l2(ab_true, ab_pred)
    variables = network.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), learning_rate)
    average.move_towards(network, 1 - average_decay)
    return loss


def learning_rate_at(step, config, total_steps):
    """Linear warm-up, then half a cosine down to 0 (Loshchilov & Hutter 2017) or a constant."""
    warmup = min(config.warmup_steps, total_steps // 2)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total_steps - warmup)))


def average_decay_at(step, config):
    """The decay of the moving average: lower at first, or it would remember where the run began."""
    return min(config.average_decay, (step + 1) / (step + 10))


def validation_mse(predict, units, val):
    """Mean squared error over a split, in CIE ab units squared; `predict` maps L to ab in a network's `units`."""
    squares = 0.0
    for L, ab in in_order(val.L, val.ab, VALIDATION_BATCH):
        L, ab_true = to_network_units(units, L, ab)
        squares += float(squared_l2(ab_true, predict(L))) * len(ab)
    return squares / len(val.ab) * units.ab_scale**2


def train(config, source, folder, initial=None, root="shards"):
    """Train a network on the shards of `source`, or go on with the run in `folder`.

    Parameters
    ----------
    config : tf_raw.config.TrainingConfig
    source : str, the name under `root`
    folder : path, where checkpoints, log.csv and TensorBoard summaries go
    initial : dict of arrays, optional; weights to start from

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
    with held(folder):
        settings_path = folder / "config.json"
        if settings_path.exists():
            check_same_run(folder, json.loads(settings_path.read_text()), settings)
        else:
            write_atomically(settings_path, json.dumps(settings, indent=1).encode())
        network, average = (build_network(config.network, config.network_arguments(), config.seed) for _ in range(2))
        if initial:
            network.assign(initial)
            average.assign(initial)
        state = RunState(network, average, Adam(network.trainable_variables, config.weight_decay), folder)
        if state.restore():
            print(f"going on with {folder} from step {state.progress['step']}")
        if "compute" not in state.progress:
            state.progress["compute"] = choose_compute(config)
        if not state.progress["finished"]:
            _loop(config, network, average, state, batches, val, folder)
    return TrainedNetwork(
        {name: variable.numpy() for name, variable in state.best.items()},
        config.network_arguments(),
        _summary(state.progress, batches),
        state.progress["history"],
    )


def _loop(config, network, average, state, batches, val, folder):
    """Go through the epochs that are left; the order of things within a step is the order in which they stand."""
    progress, steps = state.progress, steps_per_epoch(config, batches)
    total_steps = config.epochs * steps
    compute_dtype = COMPUTE_TYPES[progress["compute"]]
    step_function = compiled_step(network, average, state.optimizer, compute_dtype)
    predict = tf.function(lambda L: average(L, compute_dtype=compute_dtype), reduce_retracing=True)
    summaries = tf.summary.create_file_writer(str(folder / "tensorboard"))
    stop = StopRequest()
    saved = resumed = time.monotonic()
    seconds_before = progress["seconds"]
    stream = batches.from_step(progress["step"])
    bar = None
    with stop:
        while not progress["finished"]:
            step = progress["step"]
            bar = bar or _epoch_bar(config, steps, step)
            rate = learning_rate_at(step, config, total_steps)
            waiting = time.monotonic()
            L, ab = next(stream)
            progress["wait_seconds"] += time.monotonic() - waiting
            loss = float(step_function(L, ab, rate, average_decay_at(step, config), [config.seed, step]))
            if not math.isfinite(loss):
                raise UserError(f"the loss is {loss} at step {step}: start a new --run with a lower --learning-rate")
            progress["step"] += 1
            progress["epoch_squares"] += loss * network.units.ab_scale**2 * len(L)
            progress["epoch_images"] += len(L)
            progress["seconds"] = seconds_before + time.monotonic() - resumed
            bar.set_postfix_str(f"mse {progress['epoch_squares'] / progress['epoch_images']:.1f}", refresh=False)
            bar.update(len(L))
            epoch_ended = progress["step"] % steps == 0
            if epoch_ended:
                bar.close()
                bar = None
                _end_epoch(config, state, validation_mse(predict, network.units, val), rate, folder, summaries, steps)
            if config.checkpoints and (epoch_ended or stop.requested or time.monotonic() - saved > CHECKPOINT_SECONDS):
                state.save()
                saved = time.monotonic()
            if stop.requested:
                if bar:
                    bar.close()
                raise KeyboardInterrupt


def compiled_step(network, average, optimizer, compute_dtype):
    """`train_step` under `tf.function`: a function of 8-bit L and ab (arrays), learning rate, average's decay and seed."""

    @tf.function(reduce_retracing=True)
    def compiled(L, ab, learning_rate, average_decay, seed):
        return train_step(network, average, optimizer, L, ab, learning_rate, average_decay, seed, compute_dtype)

    def call(L, ab, learning_rate, average_decay, seed):
        rates = tf.constant(learning_rate, tf.float32), tf.constant(average_decay, tf.float32)
        return compiled(tf.constant(L), tf.constant(ab), *rates, tf.constant(seed))

    return call


def steps_per_epoch(config, batches):
    """Steps between two validations."""
    if not config.images_per_epoch:
        return batches.steps_per_epoch
    return max(1, min(batches.steps_per_epoch, config.images_per_epoch // batches.batch_size))


def _epoch_bar(config, steps, step):
    epoch, done = divmod(step, steps)
    batch = config.batch_size
    return tqdm(
        total=steps * batch,
        initial=done * batch,
        desc=f"epoch {epoch + 1}/{config.epochs}",
        unit=" images",
        mininterval=0.5 if sys.stderr.isatty() else 60,
    )


def _end_epoch(config, state, val_mse, rate, folder, summaries, steps):
    progress = state.progress
    epoch = progress["step"] // steps
    row = {
        "epoch": epoch,
        "images": progress["step"] * progress["epoch_images"] // steps,
        "seconds": round(progress["seconds"], 1),
        "wait_share": round(progress["wait_seconds"] / max(progress["seconds"], 1e-9), 5),
        "learning_rate": rate,
        "train_mse": progress["epoch_squares"] / progress["epoch_images"],
        "val_mse": val_mse,
    }
    progress["history"].append(row)
    progress.update(epoch_squares=0.0, epoch_images=0)
    if val_mse < progress["best_val_mse"]:
        progress.update(best_val_mse=val_mse, best_epoch=epoch)
        state.keep_best()
    progress["finished"] = epoch >= config.epochs or epoch - progress["best_epoch"] >= config.patience
    print(
        f"epoch {epoch}: train {row['train_mse']:.2f}, val {val_mse:.2f} (best {progress['best_val_mse']:.2f}), CIE ab squared"
    )
    write_log(folder / "log.csv", progress["history"])
    with summaries.as_default(step=epoch):
        for name in ("learning_rate", "train_mse", "val_mse"):
            tf.summary.scalar(name, row[name])
    summaries.flush()


def write_log(path, history):
    """Write the epochs so far as CSV: whole each time, so that a resumed run repeats no row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomically(path, text.getvalue().encode())


def choose_compute(config):
    """Resolve "auto": time some steps of each type on this machine and keep the faster."""
    if config.compute != "auto":
        return config.compute
    seconds = {name: _time_steps(config, dtype) for name, dtype in COMPUTE_TYPES.items()}
    fastest = min(seconds, key=seconds.get)
    rates = ", ".join(f"{name} {config.batch_size / each:.0f} images/s" for name, each in seconds.items())
    print(f"compute: {fastest} ({rates})")
    return fastest


def _time_steps(config, compute_dtype, steps=5):
    network, average = (build_network(config.network, config.network_arguments()) for _ in range(2))
    step_function = compiled_step(network, average, Adam(network.trainable_variables), compute_dtype)
    random = np.random.default_rng(0)
    L, ab = (
        random.integers(0, 256, (config.batch_size, config.resolution, config.resolution, channels), np.uint8)
        for channels in (1, 2)
    )
    seconds = []
    for step in range(steps + 2):
        started = time.perf_counter()
        step_function(L, ab, 1e-3, 0.0, [0, step])
        seconds.append(time.perf_counter() - started)
    return min(seconds[2:])  # the first two build the graph


def _summary(progress, batches):
    return {
        "val_mse": progress["best_val_mse"],
        "best_epoch": progress["best_epoch"],
        "epochs": len(progress["history"]),
        "images_seen": progress["step"] * batches.batch_size,
        "seconds": round(progress["seconds"]),
        "compute": progress["compute"],
    }
