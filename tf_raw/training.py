"""The training loop of the 32 and 64 networks, written out: learning rate, step, log, evaluate, checkpoint, stop."""

import contextlib
import csv
import io
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from preprocessing.batches import in_order, open_training
from preprocessing.compute import TYPES, choose_compute
from preprocessing.files import held, json_object, write_atomically
from preprocessing.front_door import StopRequest
from preprocessing.options import (
    TrainedNetwork,
    check_finite,
    check_same_run,
    run_settings,
    steps_per_epoch,
    summary_of,
)
from tf_raw.adam import Adam
from tf_raw.build import build_network
from tf_raw.checkpoints import RunState
from tf_raw.losses import build_loss
from tf_raw.summaries import Summaries
from tf_raw.workers import ALONE, averaged

CHECKPOINT_SECONDS = 120
VALIDATION_BATCH = 100
COMPUTE_TYPES = {"float32": tf.float32, "bfloat16": tf.bfloat16}


def train_step(network, average, optimizer, loss, L, ab, learning_rate, average_decay, seed, compute_dtype):
    """One step of Adam on one batch of 8-bit L and ab, and of `average` after it; the batch's loss before it."""
    with tf.GradientTape() as tape:
        output = network(to_units(network, L), training=True, seed=seed, compute_dtype=compute_dtype)
        value = loss.of(ab, output)
    variables = network.trainable_variables
    value, gradients = averaged(network, value, tape.gradient(value, variables))
    optimizer.apply(gradients, learning_rate)
    average.move_towards(network, 1 - average_decay)
    return value


def to_units(network, L):
    """8-bit L -> float32 L in a network's units."""
    return network.units.lightness_from_code(tf.cast(L, tf.float32))


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


def validation_loss(predict, loss, val, workers=ALONE):
    """The loss over a split, as it is reported; `predict` maps 8-bit L to a network's output."""
    total, mine = 0.0, workers.share(len(val.ab))
    for L, ab in in_order(val.L[mine], val.ab[mine], VALIDATION_BATCH):
        total += float(loss.of(tf.constant(ab), predict(tf.constant(L)))) * len(ab)
    return workers.total(total) / len(val.ab) * loss.scale


def train(config, source, folder, initial=None, root="shards", workers=ALONE):
    """Train a network on the shards of `source`, or go on with the run in `folder`.

    Parameters
    ----------
    config : tf_raw.config.TrainingConfig
    source : str, the name under `root`
    folder : path, where checkpoints, log.csv and TensorBoard summaries go
    initial : dict of arrays, optional; weights to start from
    workers : tf_raw.workers.Workers, who all call this with the same arguments and see the same `folder`

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    UserError
        The folder holds another run, shards are missing or damaged, the disk is full, the loss is not finite, or another
        worker has ended.
    """
    folder = Path(folder)
    batches, val = open_training(source, config, root, workers.count, workers.rank)
    settings = run_settings(config, source, initial, root)
    with workers.together(), held(folder) if workers.chief else contextlib.nullcontext():
        if workers.chief:
            _check_or_write(settings, folder)
        workers.check_same(settings, "this worker and the first differ in flags, shards or --init: give each the same")
        network, average = (build_network(config.network, config.network_arguments(), config.seed) for _ in range(2))
        if initial:
            network.assign(initial)
            average.assign(initial)
        state = RunState(network, average, Adam(network.trainable_variables, config.weight_decay), folder)
        if state.restore():
            print(f"going on with {folder} from step {state.progress['step']}")
        workers.check_same(state.progress, f"the first worker sees another checkpoint in {folder}: share the folder")
        if "compute" not in state.progress:
            state.progress["compute"] = _choose_compute(config, source, root, workers)
        if not state.progress["finished"]:
            loss = build_loss(config, network.units, source, root)
            _loop(config, network, average, loss, state, batches, val, folder, workers)
    return TrainedNetwork(
        {name: variable.numpy() for name, variable in state.best.items()},
        config.network_arguments(),
        _summary(config, batches, state.progress),
        state.progress["history"],
    )


def _summary(config, batches, progress):
    best, best_epoch, epochs = progress["best_val"], progress["best_epoch"], len(progress["history"])
    return summary_of(config, batches, best, best_epoch, epochs, progress["seconds"], progress["compute"])


def _check_or_write(settings, folder):
    """Check the settings with which a run was begun; write them where there are none, or a crash has emptied them."""
    path = folder / "config.json"
    try:
        before = json_object(path)
    except (FileNotFoundError, ValueError):
        before = {}
    if before:
        check_same_run(folder, before, settings)
    else:
        write_atomically(path, json.dumps(settings, indent=1).encode())


def _loop(config, network, average, loss, state, batches, val, folder, workers):
    """Go through the epochs that are left; the order of things within a step is the order in which they stand."""
    progress, steps = state.progress, steps_per_epoch(config, batches)
    total_steps = config.epochs * steps
    compute_dtype = COMPUTE_TYPES[progress["compute"]]
    step_function = compiled_step(network, average, state.optimizer, loss, compute_dtype, workers.strategy)
    predict = tf.function(
        lambda L: average(to_units(average, L), compute_dtype=compute_dtype), reduce_retracing=True, autograph=False
    )
    summaries = Summaries(folder / "tensorboard")
    stop = StopRequest()
    saved = resumed = time.monotonic()
    seconds_before = progress["seconds"]
    stream = batches.from_step(progress["step"])
    bar = None
    with stop, contextlib.ExitStack() as bars:  # closes the bar before what ends the loop is said
        while not progress["finished"]:
            step = progress["step"]
            bar = bar or bars.enter_context(_epoch_bar(config, steps, step, batches.batch_size, workers.chief))
            rate = learning_rate_at(step, config, total_steps)
            waiting = time.monotonic()
            L, ab = next(stream)
            progress["wait_seconds"] += time.monotonic() - waiting
            seed = [config.seed, step * workers.count + workers.rank]  # each worker drops other values
            value = float(step_function(L, ab, rate, average_decay_at(step, config), seed))
            check_finite(value, f"step {step}")
            progress["step"] += 1
            progress["epoch_sum"] += value * loss.scale * batches.batch_size
            progress["epoch_images"] += batches.batch_size
            progress["seconds"] = seconds_before + time.monotonic() - resumed
            bar.set_postfix_str(f"{loss.name} {progress['epoch_sum'] / progress['epoch_images']:.4g}", refresh=False)
            bar.update(batches.batch_size)
            epoch_ended = progress["step"] % steps == 0
            if epoch_ended:
                bar.close()
                bar = None
                val_loss = validation_loss(predict, loss, val, workers)
                row = _end_epoch(config, state, loss.name, val_loss, rate, steps)
                if workers.chief:
                    _tell(row, loss.name, progress, folder, summaries)
            stopping = workers.stopping(stop.requested, progress["step"])
            due = epoch_ended or stopping or time.monotonic() - saved > CHECKPOINT_SECONDS
            if due and config.checkpoints and workers.chief:
                state.save()
                saved = time.monotonic()
            if stopping:
                raise KeyboardInterrupt


def compiled_step(network, average, optimizer, loss, compute_dtype, strategy=ALONE.strategy):
    """`train_step` under `tf.function`: a function of 8-bit L and ab (arrays), learning rate, average's decay and seed."""

    def step(*inputs):
        return train_step(network, average, optimizer, loss, *inputs, compute_dtype)

    @tf.function(reduce_retracing=True, autograph=False)
    def compiled(L, ab, learning_rate, average_decay, seed):
        return strategy.run(step, (L, ab, learning_rate, average_decay, seed))

    def call(L, ab, learning_rate, average_decay, seed):
        rates = tf.constant(learning_rate, tf.float32), tf.constant(average_decay, tf.float32)
        return compiled(tf.constant(L), tf.constant(ab), *rates, tf.constant(seed))

    return call


def _epoch_bar(config, steps, step, batch, shown):
    epoch, done = divmod(step, steps)
    return tqdm(
        total=steps * batch,
        initial=done * batch,
        desc=f"epoch {epoch + 1}/{config.epochs}",
        unit=" images",
        mininterval=0.5 if sys.stderr.isatty() else 60,
        disable=not shown,
    )


def _end_epoch(config, state, name, val_loss, rate, steps):
    """Count an epoch as done, and return what is worth knowing of it."""
    progress = state.progress
    epoch = progress["step"] // steps
    row = {
        "epoch": epoch,
        "images": progress["step"] * progress["epoch_images"] // steps,
        "seconds": round(progress["seconds"], 1),
        "wait_share": round(progress["wait_seconds"] / max(progress["seconds"], 1e-9), 5),
        "learning_rate": rate,
        f"train_{name}": progress["epoch_sum"] / progress["epoch_images"],
        f"val_{name}": val_loss,
    }
    progress["history"].append(row)
    progress.update(epoch_sum=0.0, epoch_images=0)
    if val_loss < progress["best_val"]:
        progress.update(best_val=val_loss, best_epoch=epoch)
        state.keep_best()
    progress["finished"] = epoch >= config.epochs or epoch - progress["best_epoch"] >= config.patience
    return row


def _tell(row, name, progress, folder, summaries):
    print(
        f"epoch {row['epoch']}: {name} {row[f'train_{name}']:.5g} in training, {row[f'val_{name}']:.5g} on val "
        f"(best {progress['best_val']:.5g})"
    )
    write_log(folder / "log.csv", progress["history"])
    summaries.write(row["epoch"], {key: row[key] for key in ("learning_rate", f"train_{name}", f"val_{name}")})


def write_log(path, history):
    """Write the epochs so far as CSV: whole each time, so that a resumed run repeats no row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomically(path, text.getvalue().encode())


def _choose_compute(config, source, root, workers):
    """The type that is faster at the first worker, on its share of a batch."""
    share = replace(config, batch_size=max(1, config.batch_size // workers.count))
    chosen = choose_compute(share, lambda name: _step_in(name, share, source, root)) if workers.chief else TYPES[0]
    return TYPES[int(workers.total(TYPES.index(chosen)))]


def _step_in(compute, config, source, root):
    """A step on noise with that type of the activations, for `choose_compute` to time."""
    network, average = (build_network(config.network, config.network_arguments()) for _ in range(2))
    loss = build_loss(config, network.units, source, root)
    step = compiled_step(network, average, Adam(network.trainable_variables), loss, COMPUTE_TYPES[compute])
    random = np.random.default_rng(0)
    L, ab = (
        random.integers(0, 256, (config.batch_size, config.resolution, config.resolution, channels), np.uint8)
        for channels in (1, 2)
    )
    return lambda: step(L, ab, 1e-3, 0.0, [0, 0])
