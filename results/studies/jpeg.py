"""`make jpeg`: what a network at 64 px has learnt from JPEG, its blocks and its subsampled chroma.

In:  test photographs of one or several sources (`--data`), each of them by itself: those that are JPEGs of 64 px (Tiny ImageNet) as
     they are, and enlarged and brought back; larger ones scaled down, and then saved as such JPEGs. Weights (default: all that
     ship at 64 px).
Out: results/jpeg.json, squared errors in CIE ab units, and results/figures/jpeg.png, of one embedded photograph.
"""

import argparse
import contextlib
import json
import time
from pathlib import Path

import cv2
import numpy as np

from preprocessing.crops import centre_square
from preprocessing.files import UserError, write_atomically
from preprocessing.front_door import add_data_argument, run
from preprocessing.lab import bgr_to_lab, cie_ab, lab_to_bgr
from preprocessing.photograph import UnreadableFile
from preprocessing.shards import Shard
from preprocessing.sources import EMBEDDED, open_embedded, open_source, read_image
from preprocessing.splits import split_photographs

SIDE = 64
PHOTOGRAPHS = 500  # of a source's test split, at most
QUALITY = 75  # the quantisation tables of Tiny ImageNet's files, whose chroma is subsampled 4:2:0
ENLARGED = 1.37
SHOWN = "matplotlib/grace_hopper.jpg"  # whose colours change most, but for the retina


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    parser.add_argument("--weights", nargs="+", metavar="WEIGHTS")
    arguments = parser.parse_args()

    from results.prediction.predict import load_colorizers
    from results.prediction.weights import shipped_names

    names = arguments.weights or [name for name in shipped_names() if name.endswith(f"_{SIDE}")]
    colorizers = load_colorizers(names)
    if any(colorizer.resolution != SIDE for colorizer in colorizers):
        raise UserError(f"--weights: what JPEG teaches is measured at {SIDE} px, name networks of that size")
    started = time.monotonic()
    sources = [open_source([path]) for path in arguments.data] or [open_embedded(EMBEDDED)]
    pictures = {source.name: small_pictures(source) for source in sources}
    table = {
        "photographs": {name: len(each) for name, (each, _) in pictures.items()},
        "mse": {
            colorizer.name: {
                name: {way: errors_of(colorizer.predict_ab, shown) for way, shown in ways(*each).items()}
                for name, each in pictures.items()
            }
            for colorizer in colorizers
        },
        "seconds": round(time.monotonic() - started),
    }
    out = Path("results" if arguments.data else "results/local")
    write_atomically(out / "jpeg.json", (json.dumps(table, indent=1) + "\n").encode())
    for weights, by_source in table["mse"].items():
        for name, by_way in by_source.items():
            for way, errors in by_way.items():
                print(f"{weights:15} {name:26} {way:30}", *(f"{key} {mse}" for key, mse in errors.items()))
    draw(colorizers, out / "figures/jpeg.png")
    print(f"table: {out / 'jpeg.json'}\nfigure: {out / 'figures/jpeg.png'}")


def small_pictures(source):
    """Test photographs of a source at SIDE px, (N, S, S, 3) uint8 BGR, and whether their files have that size."""
    pictures, sizes = [], set()
    for photograph in split_photographs(source.photographs)["test"][:PHOTOGRAPHS]:
        with contextlib.suppress(UnreadableFile):
            image_bgr = read_image(photograph)
            square = centre_square(image_bgr, SIDE)
            if square is not None:
                sizes.add(image_bgr.shape[:2])
                pictures.append(square)
    if not pictures:
        raise UserError(f"{source.name}: none of its test photographs has {SIDE} px, and nothing is scaled up")
    return np.array(pictures), sizes == {(SIDE, SIDE)}


def ways(pictures, at_their_size):
    """What a network is shown: {way: (N, S, S, 3) uint8 BGR}."""
    if at_their_size:
        return {"as they are": pictures, f"enlarged {ENLARGED} times and back": enlarged_and_back(pictures)}
    return {
        "clean": pictures,
        "as JPEG 4:4:4": through_colour_jpeg(pictures, subsampled=False),
        "as JPEG 4:2:0": through_colour_jpeg(pictures, subsampled=True),
    }


def enlarged_and_back(pictures):
    """Blurred a little, so that the blocks' edges are: (N, S, S, 3) uint8 -> the same."""
    side, larger = pictures.shape[1], round(ENLARGED * pictures.shape[1])
    enlarged = (cv2.resize(each, (larger, larger), interpolation=cv2.INTER_CUBIC) for each in pictures)
    return np.array([cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA) for each in enlarged])


def through_colour_jpeg(pictures, subsampled):
    """Saved as Tiny ImageNet's files are, or without subsampling chroma, and read: (N, S, S, 3) uint8 BGR -> the same."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if subsampled else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    return np.array([cv2.imdecode(cv2.imencode(".jpg", each, options)[1], cv2.IMREAD_COLOR) for each in pictures])


def in_lab(pictures):
    """(N, S, S, 3) uint8 BGR as a Shard without names."""
    L, ab = map(np.array, zip(*map(bgr_to_lab, pictures), strict=True))
    return Shard(L, ab, [""] * len(L))


def errors_of(predict, pictures):
    """Squared errors in CIE ab: of the pictures' own mean colour, and of `predict` from L of Lab, of gray files and gray JPEGs.

    Parameters
    ----------
    predict : function of L, (N, S, S, 1) uint8, to ab, (N, S, S, 2) in CIE ab units
    pictures : ndarray of uint8, shape (N, S, S, 3), BGR

    Returns
    -------
    errors : dict of "mean_colour", "lab", "gray_file" and "gray_jpeg" to float
    """
    from results.scoring.evaluate import mean_squared_error, measure_gray_files

    test = in_lab(pictures)
    gray = measure_gray_files({"": predict}, test)[""]
    errors = {
        "mean_colour": cie_ab(test.ab).var(axis=(0, 1, 2), dtype=np.float64).mean(),
        "lab": mean_squared_error(predict, test),
        "gray_file": gray["mse_gray_file"].mean(),
        "gray_jpeg": gray["mse_gray_jpeg"].mean(),
    }
    return {key: round(float(error), 1) for key, error in errors.items()}


def draw(colorizers, path):
    """One embedded photograph clean and as JPEG, a row each, and what each network makes of it."""
    from results.drawing.grid import draw_grid

    photograph = next(each for each in open_embedded(EMBEDDED).photographs if each.id == SHOWN)
    shown = ways(centre_square(read_image(photograph), SIDE)[None], at_their_size=False)
    test = in_lab(np.concatenate(list(shown.values())))
    columns = {"Gray": lab_to_bgr(test.L, 0 * cie_ab(test.ab)), "Truth": lab_to_bgr(test.L, cie_ab(test.ab))}
    columns |= {colorizer.name: lab_to_bgr(test.L, colorizer.predict_ab(test.L)) for colorizer in colorizers}
    draw_grid(columns, path, row_titles=list(shown))


if __name__ == "__main__":
    run(main)
