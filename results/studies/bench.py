"""`make bench`: how fast this machine trains, builds shards and colours photographs, as ratios within one run.

Training at 64 px, batch 64: our loop on real shards against Keras `fit` on the same images in memory, each with its own
faster type; and what the rebalanced loss costs, against a mean of the logits. Shards at 64 px: step 2 against the bare
reading, decoding, resizing and Lab of the same zip on all cores.
`colorize`: one photograph of 12 megapixels, and a folder of 200, against decoding, Lab, resizing and encoding alone.
Run it on an idle machine, with --data naming a zip of at least 64 px; only the ratios mean anything elsewhere. The
numbers go to results/bench.json.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from preprocessing.front_door import add_data_argument, run

SEQUENCE = (
    "preprocessing/01_get_photos.py",
    "preprocessing/02_build_shards.py",
    "results/07_evaluate.py",
    "results/08_make_figures.py",
)
SIDE, BATCH, STEPS, WARM_STEPS = 64, 64, 25, 3
LARGE = (4000, 3000)  # 12 megapixels
FOLDER = 200  # photographs
FITS = 3  # of Keras, the fastest counts: in some processes the first is half as fast
TIMES = 5  # the large photograph is coloured, the fastest counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    arguments = parser.parse_args()

    from preprocessing.files import UserError, write_atomically
    from preprocessing.sources import source_name
    from results.prediction.weights import this_machine

    if len(arguments.data) != 1 or not zipfile.is_zipfile(arguments.data[0]):
        raise UserError("the benchmark wants one zip of photographs: --data FILE.zip, with its shards built")
    (path,) = arguments.data
    table = {
        "data": source_name(arguments.data),
        "host": this_machine(),
        "sequence_seconds": bench_sequence(),
        "shards": bench_build(path),
        "colorize": bench_colorize(path),
        "training": bench_training(source_name(arguments.data)),
    }
    write_atomically(Path("results/bench.json"), (json.dumps(table, indent=1) + "\n").encode())
    print("table: results/bench.json")


def bench_sequence():
    """Seconds that each script of `make results` takes on the embedded photographs, interpreter included."""
    repository = Path(__file__).resolve().parents[2]
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for script in SEQUENCE:
            command = [sys.executable, str(repository / script)]
            started = time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seconds[script] = round(time.perf_counter() - started, 1)
            print(f"{script}: {seconds[script]} s")
    return seconds


def bench_build(path):
    """Print the rate of 02_build_shards.py, the bare rate, their ratio and the memory of all processes."""
    names = [name for name in _photographs(path) if "/train/" in name or "/val/" in name]
    cores = os.cpu_count()
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        pool.map(_bare, [(path, names[:cores])] * cores)  # imports are not timed
        started = time.perf_counter()
        pool.map(_bare, [(path, names[core::cores]) for core in range(cores)])
        bare = len(names) / (time.perf_counter() - started)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(__file__).resolve().parents[2] / "preprocessing/02_build_shards.py"
        command = [sys.executable, str(script), "--data", str(Path(path).resolve()), "--resolutions", str(SIDE)]
        started, peak_mb = time.perf_counter(), 0.0
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            peak_mb = max(peak_mb, _tree_mb(process.pid))
            time.sleep(0.1)
        ours = len(names) / (time.perf_counter() - started)
        (manifest,) = Path(folder).glob("shards/*/manifest.json")
        started_up = len(names) / json.loads(manifest.read_text())["seconds"]
    print(
        f"shards: {ours:.0f} photographs/s, bare {bare:.0f}: {ours / bare:.2f} of it, "
        f"{started_up / bare:.2f} without imports and the listing of the zip; {peak_mb:.0f} MB at the most"
    )
    return _rounded(
        ours_per_second=ours,
        bare_per_second=bare,
        share=ours / bare,
        share_without_start=started_up / bare,
        peak_mb=peak_mb,
    )


def _rounded(**values):
    return {name: round(float(value), 3) for name, value in values.items()}


def _photographs(path):
    with zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg", ".png"))]


def _bare(task):
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    path, names = task
    with zipfile.ZipFile(path) as archive:
        for name in names:
            image_bgr = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR)
            height, width = image_bgr.shape[:2]
            short = min(height, width)
            size = (round(width * SIDE / short), round(height * SIDE / short))
            cv2.cvtColor(cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2LAB)


def _tree_mb(pid):
    """Proportional memory of a process and its children (shared pages counted once), in MB."""
    total = 0
    for process in [pid, *_children(pid)]:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total / 1024


def _children(pid):
    try:
        direct = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*direct, *(grandchild for child in direct for grandchild in _children(child))]


def bench_colorize(path):
    """Print how long `colorize` takes next to the work it cannot do without, interpreter and imports left out."""
    import cv2
    import numpy as np

    from preprocessing.photograph import read_photograph
    from results.colorize.command import colour_photographs, parse_arguments
    from results.colorize.jobs import list_jobs
    from results.prediction.predict import load_colorizer

    colorizer = load_colorizer("l2_128")
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        folder = Path(folder)
        names = _photographs(path)
        (folder / "many").mkdir()
        for name in names[:: max(1, len(names) // FOLDER)][:FOLDER]:
            (folder / "many" / name.replace("/", "_")).write_bytes(archive.read(name))
        image_bgr = cv2.imdecode(np.frombuffer(archive.read(names[0]), np.uint8), cv2.IMREAD_COLOR)
        cv2.imwrite(str(folder / "large.jpg"), cv2.resize(image_bgr, LARGE, interpolation=cv2.INTER_CUBIC))

        def ours(name):
            arguments = parse_arguments([str(folder / name), "--out", str(folder / "out"), "--force"])
            jobs = list_jobs(arguments.photographs, arguments.out, ["colorized"])
            started = time.perf_counter()
            colour_photographs(jobs, colorizer, arguments)
            return time.perf_counter() - started

        def bare(files):
            started = time.perf_counter()
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda file: _bare_colouring(file, folder), files))
            return time.perf_counter() - started

        large, many = folder / "large.jpg", sorted((folder / "many").iterdir())
        both = [(ours(large.name), bare([large])) for _ in range(TIMES)]
        one, one_bare = (min(seconds) for seconds in zip(*both, strict=True))
        print(f"colorize, 12 megapixels: {one:.2f} s, bare {one_bare:.2f} s: {one / one_bare:.2f} times as long")
        from results.colorize.full_size import views

        ours("many")  # the network is traced for each size once
        seen = [views(read_photograph(file.read_bytes()).L[None], colorizer.resolution) for file in many]
        started = time.perf_counter()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda each: [colorizer.predict_ab(view) for view in each], seen))
        slower = max(time.perf_counter() - started, bare(many))
        share = slower / ours("many")
        print(
            f"colorize, {len(many)} photographs: {share:.2f} of the rate of the slower of network and bare work alone"
        )
        return _rounded(
            large_seconds=one,
            large_bare_seconds=one_bare,
            large_times=one / one_bare,
            folder_photographs=len(many),
            folder_share=share,
        )


def _bare_colouring(file, folder):
    """Decode, Lab, resize to a network's size and back, and encode, with OpenCV alone."""
    import cv2
    import numpy as np

    lab = cv2.cvtColor(cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2LAB)
    small = cv2.resize(lab, (128, 128), interpolation=cv2.INTER_AREA)
    full = cv2.resize(small, lab.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    full[..., 0] = lab[..., 0]
    image_bgr = cv2.cvtColor(full, cv2.COLOR_LAB2BGR)
    encoded = cv2.imencode(".png", image_bgr, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1]
    (folder / "bare.png").with_stem(file.stem).write_bytes(encoded.tobytes())


def bench_training(source):
    """Print images/s of our loop and of Keras `fit`, for each type, the ratio of the best, the wait for data, the loss' cost."""
    import tensorflow as tf

    from preprocessing.batches import TrainingBatches
    from preprocessing.shards import read_manifest
    from tf_raw.losses import Loss, bins_loss, squared_loss
    from tf_raw.network import BinsNetwork, SevenLayerNetwork

    batches = TrainingBatches(source, SIDE, BATCH, seed=0)
    squared = squared_loss(SevenLayerNetwork.units)
    ours = {name: _our_rate(batches, name, SevenLayerNetwork, squared) for name in ("float32", "bfloat16")}
    for name, (rate, wait) in ours.items():
        print(f"tf_raw {name}: {rate:.1f} images/s, waits for data {wait:.2%} of the time")
    theirs = {name: _keras_rate(batches, name) for name in ("float32", "mixed_bfloat16")}
    for name, rate in theirs.items():
        print(f"Keras fit {name}: {rate:.1f} images/s")
    ratio = max(rate for rate, _ in ours.values()) / max(theirs.values())
    print(f"training: {ratio:.2f} of Keras fit's rate")
    counts = read_manifest(source)["resolutions"][str(SIDE)]["train"]["ab_bin_counts"]
    faster = max(ours, key=lambda name: ours[name][0])
    with_loss, without = (
        _our_rate(batches, faster, BinsNetwork, loss)[0]
        for loss in (bins_loss(counts, True), Loss("none", lambda _, logits: tf.reduce_mean(logits)))
    )
    loss_share = 1 - with_loss / without
    print(
        f"rebalanced, {faster}: {with_loss:.1f} images/s, of which encoding and loss take {loss_share:.2%} of the time"
    )
    rates = {f"tf_raw_{name}": rate for name, (rate, _) in ours.items()} | {
        f"fit_{name}": r for name, r in theirs.items()
    }
    waits = {"wait_share": max(wait for _, wait in ours.values())}
    return _rounded(**rates, ratio=ratio, **waits, rebalanced=with_loss, rebalanced_loss_share=loss_share)


def _our_rate(batches, compute, build, loss):
    from tf_raw.adam import Adam
    from tf_raw.training import COMPUTE_TYPES, compiled_step

    network, average = build(), build()
    step_function = compiled_step(network, average, Adam(network.trainable_variables), loss, COMPUTE_TYPES[compute])
    stream = batches.from_step(0)
    waited = 0.0
    for step in range(WARM_STEPS + STEPS):
        if step == WARM_STEPS:
            started, waited = time.perf_counter(), 0.0
        waiting = time.perf_counter()
        L, ab = next(stream)
        waited += time.perf_counter() - waiting
        float(step_function(L, ab, 1e-3, 0.0, [0, step]))
    seconds = time.perf_counter() - started
    return STEPS * BATCH / seconds, waited / seconds


def _keras_rate(batches, policy):
    import keras
    import numpy as np

    from keras_port.losses import squared_loss
    from keras_port.network import UNITS, build_seven_layer
    from keras_port.training import to_units

    stream = batches.from_step(0)
    pairs = [to_units(UNITS["seven_layer"], *next(stream)) for _ in range(STEPS)]
    L, ab = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    model = build_seven_layer(dtype=policy)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=squared_loss(UNITS["seven_layer"]))
    model.fit(L[: WARM_STEPS * BATCH], ab[: WARM_STEPS * BATCH], batch_size=BATCH, verbose=0)
    seconds = []
    for _ in range(FITS):
        started = time.perf_counter()
        model.fit(L, ab, batch_size=BATCH, verbose=0)
        seconds.append(time.perf_counter() - started)
    return STEPS * BATCH / min(seconds)


if __name__ == "__main__":
    run(main)
