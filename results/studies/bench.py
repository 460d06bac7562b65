"""`make bench`: how fast this machine trains, builds shards and colours photographs, as ratios within one run.

Training at 64 px, batch 64: our loop on real shards against Keras `fit` on the same images in memory, each with its own
faster type; and what the rebalanced loss costs, against a mean of the logits. Shards at 64 px: step 2 against the bare
reading, decoding, resizing and Lab of the same zip on all cores; the same for photographs of 500 x 375, decoded whole and
scaled, and what equal trainings on either are worth. A step of 04_train_64.py: its parts, PyTorch, and the matrix ceiling.
`colorize`: one photograph of 12 megapixels, and a folder of 200, against decoding, Lab, resizing and encoding alone; from
the command's start to the file against importing TensorFlow; the network in ONNX Runtime against TensorFlow; a film; the page.
Run it on an idle machine, with --data naming a zip of at least 64 px; only the ratios mean anything elsewhere. The
numbers go to results/bench.json.
"""

import argparse
import json
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
    from results.studies.bench_decode import bench_decode
    from results.studies.bench_product import bench_product
    from results.studies.bench_shards import bench_build, photographs_in
    from results.studies.bench_step import bench_step
    from results.studies.bench_training import bench_training

    if len(arguments.data) != 1 or not zipfile.is_zipfile(arguments.data[0]):
        raise UserError("the benchmark wants one zip of photographs: --data FILE.zip, with its shards built")
    (path,) = arguments.data
    table = {
        "data": source_name(arguments.data),
        "host": this_machine(),
        "sequence_seconds": bench_sequence(),
        "shards": _rounded(**bench_build(path, SIDE)),
        "photographs": _rounded(**bench_decode(path)),
        "colorize": _rounded(**bench_colorize(path, photographs_in(path)), **bench_product(_first_photograph(path))),
        "training": _rounded(**bench_training(source_name(arguments.data), SIDE)),
        "step": _rounded(**bench_step(SIDE)),
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


def _rounded(**values):
    return {name: round(float(value), 3) for name, value in values.items()}


def _first_photograph(path):
    import cv2
    import numpy as np

    from results.studies.bench_shards import photographs_in

    with zipfile.ZipFile(path) as archive:
        return cv2.imdecode(np.frombuffer(archive.read(photographs_in(path)[0]), np.uint8), cv2.IMREAD_COLOR)


if __name__ == "__main__":
    run(main)
