"""`make bench`, its part on step 2: shards next to the bare reading, decoding, resizing and Lab of the same zip on all cores."""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path


def bench_build(path, side, *flags):
    """Print the rate of 02_build_shards.py, the bare rate, their ratio and the memory of all processes.

    `path` is a zip of photographs, `side` that of the shards in px, `flags` go to step 2.
    """
    names = [name for name in photographs_in(path) if "/train/" in name or "/val/" in name]
    cores = os.cpu_count()
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        pool.map(_bare, [(path, names[:cores], side)] * cores)  # imports are not timed
        started = time.perf_counter()
        pool.map(_bare, [(path, names[core::cores], side) for core in range(cores)])
        bare = len(names) / (time.perf_counter() - started)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(__file__).resolve().parents[2] / "preprocessing/02_build_shards.py"
        command = [sys.executable, str(script), "--data", str(Path(path).resolve()), "--resolutions", str(side), *flags]
        started, peak_mb = time.perf_counter(), 0.0
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            peak_mb = max(peak_mb, _tree_mb(process.pid))
            time.sleep(0.5)  # to look takes time from what is measured
        ours = len(names) / (time.perf_counter() - started)
        (manifest,) = Path(folder).glob("shards/*/manifest.json")
        started_up = len(names) / json.loads(manifest.read_text())["seconds"]
    print(
        f"shards at {side} px {' '.join(flags)}: {ours:.0f} photographs/s, bare {bare:.0f}: {ours / bare:.2f} of it, "
        f"{started_up / bare:.2f} without imports and the listing of the zip; {peak_mb:.0f} MB at the most"
    )
    return {
        "ours_per_second": ours,
        "bare_per_second": bare,
        "share": ours / bare,
        "share_without_start": started_up / bare,
        "peak_mb": peak_mb,
    }


def photographs_in(path):
    """The names of the photographs in a zip."""
    with zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg", ".png"))]


def _bare(task):
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    path, names, side = task
    with zipfile.ZipFile(path) as archive:
        for name in names:
            image_bgr = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR)
            height, width = image_bgr.shape[:2]
            short = min(height, width)
            size = (round(width * side / short), round(height * side / short))
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
