"""`make scale`: what several machines, and more images than fit in memory, cost in training at 64 px; on an idle Linux machine.

Measured: a step of two workers on loopback, a core each, beside that of one with the same share of a batch; the all-reduce of
the whole network, and of one number. Computed from them by FORMULA, a model and not measured: a step of n machines over a
network, each with the batch that this one has alone.
Measured: peak memory, and the wait for data, of training from 20,000 and from 200,000 synthetic images (2.5 GB in a temporary
folder) under `ulimit -d`: all are read in turn, and the steps around the beginning of the last group of shards are trained.
The numbers go to results/scale.json, the model's to results/figures/scale.png.
"""

import argparse
import json
import multiprocessing
import os
import resource
import socket
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from preprocessing.front_door import run

SIDE = 64  # px
BATCH = 64  # images a machine and step
CORE_BATCH = 32  # of a worker that has one core
STEPS, WARM_STEPS = 15, 3
ALL_REDUCES = 20
FORMULA = "step = compute + 2 (n - 1) message + 2 (n - 1) / n bytes / bandwidth"  # a ring; nothing overlaps
MACHINES = (1, 2, 8, 32)
GIGABITS = (1, 10, 100)  # a second
IMAGES = (20_000, 200_000)
MEMORY = 1_500_000_000  # bytes, `ulimit -d`
MEMORY_BATCH = 16
BEFORE, AFTER = 70, 30  # steps on both sides of where the next group of shards begins, or up to 60 steps before that


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()

    from preprocessing.files import write_atomically
    from results.prediction.weights import this_machine

    started = time.monotonic()
    measured = measure_workers()
    table = {
        "host": this_machine(),
        "side": SIDE,
        "batch": BATCH,
        "core_batch": CORE_BATCH,
        "measured": measured,
        "model": {"formula": FORMULA, "rows": model(measured)},
        "out_of_core": measure_out_of_core(),
    }
    table["seconds"] = round(time.monotonic() - started)
    write_atomically(Path("results/scale.json"), (json.dumps(table, indent=1) + "\n").encode())
    draw(table["model"]["rows"], Path("results/figures/scale.png"))
    print("table: results/scale.json\nfigure: results/figures/scale.png")


def measure_workers():
    """Seconds of a step: of this machine, of one core, and of two workers of a core each; of their all-reduces."""
    whole = {compute: in_processes(_step, (compute, BATCH))[0] for compute in ("float32", "bfloat16")}
    compute = min(whole, key=lambda name: whole[name]["step"])
    cores = [{each} for each in (sorted(os.sched_getaffinity(0)) * 2)[:2]]
    one = in_processes(_step, (compute, CORE_BATCH, cores[0]))[0]
    ports = [_free_port() for _ in cores]
    tasks = [(compute, CORE_BATCH, each, ports, rank) for rank, each in enumerate(cores)]
    two = in_processes(_step, *tasks)[0]
    measured = {
        "compute": compute,
        "step_seconds": whole[compute]["step"],
        "core_step_seconds": one["step"],
        "two_workers_step_seconds": two["step"],
        "all_reduce_bytes": two["bytes"],
        "all_reduce_seconds": two["all_reduce"],
        "message_seconds": two["number"] / 2,  # there and back
    }
    for name, value in measured.items():
        print(f"{name}: {value}")
    return measured


def model(measured):
    """What FORMULA says of a step, and of images/s against as many machines apart, for MACHINES and GIGABITS."""
    compute, size = measured["step_seconds"], measured["all_reduce_bytes"]
    rows = []
    for gigabits in GIGABITS:
        for n in MACHINES:
            step = compute + 2 * (n - 1) * measured["message_seconds"] + 2 * (n - 1) / n * size / (gigabits * 1e9 / 8)
            rows.append(
                {
                    "machines": n,
                    "gigabits": gigabits,
                    "step_seconds": round(step, 4),
                    "images_per_second": round(n * BATCH / step, 1),
                    "efficiency": round(compute / step, 3),
                }
            )
    return rows


def measure_out_of_core():
    """The peak of memory and the share of the time that waits for data, for each of IMAGES."""
    measured = {"limit_mb": MEMORY // 10**6, "batch": MEMORY_BATCH, "steps": BEFORE + AFTER, "images": {}}
    with tempfile.TemporaryDirectory() as root:
        for images in IMAGES:
            write_noise(Path(root) / str(images), images)
            measured["images"][images] = in_processes(_train_within, (root, images))[0]
            print(f"{images} images: {measured['images'][images]}")
    peaks = [each["peak_mb"] for each in measured["images"].values()]
    measured["growth"] = round(peaks[1] / peaks[0] - 1, 3)
    return measured


def write_noise(folder, images):
    """Train shards of that many images of noise."""
    import numpy as np

    from preprocessing.shards import SHARD_IMAGES, Shard, shard_path, write_shard

    random = np.random.default_rng(0)
    count = -(-images // SHARD_IMAGES)
    for index in range(count):
        length = min(SHARD_IMAGES, images - index * SHARD_IMAGES)
        noise = random.integers(0, 256, (length, SIDE, SIDE, 3), np.uint8)
        shard = Shard(noise[..., :1], noise[..., 1:], [f"{index}-{row}" for row in range(length)])
        path = shard_path(folder, SIDE, "train", index, count)
        write_shard(path, shard, resolution=SIDE, split="train", source=folder.name, build_log={})


def in_processes(function, *tasks):
    """What `function` returns for each task, all at once, each in a new process."""
    with ProcessPoolExecutor(len(tasks), multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        return list(pool.map(function, *zip(*tasks, strict=True)))


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _step(compute, batch, cores=None, ports=(), rank=0):
    """The least seconds of a step on noise; of the workers at `ports`, also of their all-reduces, and the bytes of these."""
    if cores:
        os.sched_setaffinity(0, cores)
    if ports:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": rank}})

    import tensorflow as tf

    from tf_raw.workers import averaged, join

    workers = join(batch * max(1, len(ports)))
    network, step = _step_function(compute, workers)
    L, ab = _noise(batch)
    seconds = {"step": _least(lambda: float(step(L, ab, 1e-3, 0.0, [0, 0])), STEPS)}
    if not ports:
        return seconds
    variables = network.trainable_variables

    @tf.function
    def all_reduce():
        def mean():
            return averaged(network, tf.constant(0.0), [tf.identity(each) for each in variables])

        return workers.strategy.run(mean)

    seconds["all_reduce"] = _least(lambda: all_reduce()[0].numpy(), ALL_REDUCES)
    seconds["number"] = _least(lambda: workers.total(1), ALL_REDUCES)
    return seconds | {"bytes": sum(4 * int(tf.size(each)) for each in network.variables.values())}


def _step_function(compute, workers):
    from tf_raw.adam import Adam
    from tf_raw.config import AT_64, PRESETS, SevenLayerArguments
    from tf_raw.losses import squared_loss
    from tf_raw.network import SevenLayerNetwork
    from tf_raw.training import COMPUTE_TYPES, compiled_step

    arguments = SevenLayerArguments(dropout=PRESETS["best"]["dropout"], **AT_64)
    network, average = (SevenLayerNetwork(arguments) for _ in range(2))
    optimizer, loss = Adam(network.trainable_variables), squared_loss(network.units)
    return network, compiled_step(network, average, optimizer, loss, COMPUTE_TYPES[compute], workers.strategy)


def _noise(batch):
    import numpy as np

    random = np.random.default_rng(0)
    return tuple(random.integers(0, 256, (batch, SIDE, SIDE, channels), np.uint8) for channels in (1, 2))


def _least(call, times):
    seconds = []
    for _ in range(WARM_STEPS + times):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return round(min(seconds[WARM_STEPS:]), 5)


def _train_within(root, images):
    """Read the shards but for their last group, and train across its beginning; the peak, and the wait."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))

    from preprocessing.batches import SHUFFLED_SHARDS, TrainingBatches
    from preprocessing.shards import SHARD_IMAGES
    from tf_raw.workers import ALONE

    _, step = _step_function("float32", ALONE)
    batches = TrainingBatches(str(images), SIDE, MEMORY_BATCH, 0, root)
    group = SHUFFLED_SHARDS * SHARD_IMAGES
    stream, waited = batches.from_step(0), 0.0
    for _ in range((images - 1) // group * group // MEMORY_BATCH - WARM_STEPS - BEFORE):
        next(stream)
    _forget(Path(root) / str(images))
    for number in range(WARM_STEPS + BEFORE + AFTER):
        if number == WARM_STEPS:
            started, waited = time.perf_counter(), 0.0
        waiting = time.perf_counter()
        L, ab = next(stream)
        waited += time.perf_counter() - waiting
        float(step(L, ab, 1e-3, 0.0, [0, number]))
    seconds = time.perf_counter() - started
    return {
        "shards_mb": round(images * SIDE * SIDE * 3 / 1e6),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        "images_per_second": round((BEFORE + AFTER) * MEMORY_BATCH / seconds, 1),
        "wait_share": round(waited / seconds, 5),
    }


def _forget(folder):
    """Have the system read these files from the disk again."""
    for path in folder.rglob("*.h5"):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def draw(rows, path):
    """Images/s over machines, a line for each network, as the model has it."""
    from matplotlib.figure import Figure

    from results.drawing.figure import write_figure

    figure = Figure(figsize=(4.4, 3.2), dpi=200, layout="constrained")
    place = figure.subplots()
    rates = [row["images_per_second"] for row in rows if row["gigabits"] == GIGABITS[0]]
    place.plot(MACHINES, [n * rates[0] for n in MACHINES], color="#bbbbbb", lw=0.8, label="no network's cost")
    for gigabits in GIGABITS:
        rates = [row["images_per_second"] for row in rows if row["gigabits"] == gigabits]
        place.plot(MACHINES, rates, ".-", label=f"{gigabits} Gb/s")
    place.set(xscale="log", yscale="log", xlabel="machines", ylabel=f"images/s at {SIDE} px (model)")
    place.set_xticks(MACHINES, MACHINES)
    place.spines[["top", "right"]].set_visible(False)
    place.legend(frameon=False, fontsize=7)
    write_figure(figure, path)


if __name__ == "__main__":
    run(main)
