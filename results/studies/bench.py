"""`make bench`: how fast this machine trains, builds shards and colours photographs, as ratios within one run.

Training at 64 px, batch 64: our loop on real shards against Keras `fit` on the same images in memory, each with its own
faster type; and what the rebalanced loss costs, against a mean of the logits. Shards at 64 px: step 2 against the bare
reading, decoding, resizing and Lab of the same zip on all cores.
`colorize`: one photograph of 12 megapixels, and a folder of 200, against decoding, Lab, resizing and encoding alone; from
the command's start to the file against importing TensorFlow; the network in ONNX Runtime against TensorFlow; a film; the page.
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
from pathlib import Path

from preprocessing.front_door import add_data_argument, run

SEQUENCE = (
    "preprocessing/01_get_photos.py",
    "preprocessing/02_build_shards.py",
    "results/07_evaluate.py",
    "results/08_make_figures.py",
)
SIDE = 64  # px


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    arguments = parser.parse_args()

    from preprocessing.files import UserError, write_atomically
    from preprocessing.sources import source_name
    from results.prediction.weights import this_machine
    from results.studies.bench_colorize import bench_colorize
    from results.studies.bench_product import bench_product
    from results.studies.bench_training import bench_training

    if len(arguments.data) != 1 or not zipfile.is_zipfile(arguments.data[0]):
        raise UserError("the benchmark wants one zip of photographs: --data FILE.zip, with its shards built")
    (path,) = arguments.data
    table = {
        "data": source_name(arguments.data),
        "host": this_machine(),
        "sequence_seconds": bench_sequence(),
        "shards": bench_build(path),
        "colorize": _rounded(**bench_colorize(path, _photographs(path)), **bench_product(_first_photograph(path))),
        "training": _rounded(**bench_training(source_name(arguments.data), SIDE)),
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


def _first_photograph(path):
    import cv2
    import numpy as np

    with zipfile.ZipFile(path) as archive:
        return cv2.imdecode(np.frombuffer(archive.read(_photographs(path)[0]), np.uint8), cv2.IMREAD_COLOR)


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


if __name__ == "__main__":
    run(main)
