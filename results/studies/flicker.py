"""`make flicker FILMS=...`: how much a film's colours change from frame to frame, and what steadying them costs.

In:  colour films (first 60 frames of each), and the shipped unet_128.
Out: results/flicker.json; for each film, of its own colours and of ours with and without `results/colorize/film.py:steady`, the mean
     change of chroma along the motion, and the mean squared error in ab against the film.
"""

import argparse
import json
import time
from itertools import islice, pairwise
from pathlib import Path

from preprocessing.front_door import run

OUT = Path("results/flicker.json")
WEIGHTS = "unet_128"  # which `colorize` uses
FRAMES = 60
SIDE = 128  # px, the short side at which colours are compared


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", nargs="+", type=Path, metavar="FILM")
    arguments = parser.parse_args()

    from preprocessing.files import UserError, write_atomically
    from results.prediction.predict import load_colorizer

    colorizer = load_colorizer(WEIGHTS)
    started = time.monotonic()
    measured = []
    for path in arguments.films:
        frames = first_frames(path)
        if len(frames) < 2:
            raise UserError(f"{path} is no film that FFmpeg can read: name one of at least two frames")
        measured.append({"film": path.name, "frames": len(frames), **measure(frames, colorizer)})
        print(json.dumps(measured[-1]))
    table = {"weights": WEIGHTS, "seconds": round(time.monotonic() - started), "films": measured}
    write_atomically(OUT, (json.dumps(table, indent=1) + "\n").encode())
    print(f"table: {OUT}")


def first_frames(path):
    """The first frames of a film, (H, W, 3) uint8 BGR each; none of what FFmpeg cannot read."""
    from preprocessing.photograph import UnreadableFile
    from results.colorize.film_reader import open_film

    try:
        with open_film(path) as film:
            return list(islice(film.frames(), FRAMES))
    except UnreadableFile:
        return []


def measure(frames, colorizer):
    """The numbers of one film, by name."""
    import numpy as np

    from results.colorize.film import coloured

    L, truth = _lab(frames)
    numbers = {"own_change": change_of_chroma(L, truth)}
    for name, steadied in (("unsteadied", False), ("steadied", True)):
        _, ab = _lab([picture for _, picture in coloured(frames, colorizer, steadied=steadied)])
        numbers[f"{name}_change"] = change_of_chroma(L, ab)
        numbers[f"{name}_mse"] = float(np.square(ab - truth).mean())
    return {name: round(number, 3) for name, number in numbers.items()}


def _lab(frames):
    """Frames at SIDE px as L, (N, h, w) uint8, and ab, (N, h, w, 2) float32 in CIE ab units."""
    import cv2
    import numpy as np

    from preprocessing.lab import bgr_to_lab, cie_ab
    from results.colorize.full_size import network_size

    height, width = network_size(*frames[0].shape[:2], SIDE)
    small = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
    L, ab = zip(*(bgr_to_lab(frame) for frame in small), strict=True)
    return np.stack(L)[..., 0], cie_ab(np.stack(ab))


def change_of_chroma(L, ab):
    """The mean change of chroma, in CIE units, from each frame to the next, along the motion.

    Parameters
    ----------
    L : (N, h, w) uint8
    ab : (N, h, w, 2) float32, CIE ab units
    """
    import numpy as np

    from results.colorize.film import carried

    changes = []
    for (L_before, ab_before), (L_now, ab_now) in pairwise(zip(L, ab, strict=True)):
        _, ab_carried = carried(L_before, ab_before, L_now)
        changes.append(np.abs(np.linalg.norm(ab_now, axis=-1) - np.linalg.norm(ab_carried, axis=-1)).mean())
    return float(np.mean(changes))


if __name__ == "__main__":
    run(main)
