"""`make gridding`: the grid that dilated layers leave in smooth areas at 128 px, in one network beside another.

In:  two or more weights of seven-layer networks (`--weights`: before the mend and after), a ramp, and an embedded photograph.
Out: results/gridding.json, what repeats in their predictions, and results/figures/gridding.png.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from preprocessing.crops import centre_square
from preprocessing.files import UserError, write_atomically
from preprocessing.front_door import run
from preprocessing.lab import bgr_to_lab, cie_ab, lab_to_bgr
from preprocessing.sources import EMBEDDED, open_embedded, read_image

SIDE = 128
SHOWN = "skimage/retina.jpg"  # whose smooth areas are wide
PERIODS = (2, 4, 16)  # px: of the two deconvolutions, and of a dilation of 4 at a stride of 4
SMOOTH_PX = 8  # standard deviation of the blur that is taken away: larger than half of any period
CUT_PX = 16  # of each border, where padding shows
CONTRAST = 4  # of the figure's lower row, by which what repeats is enlarged


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", nargs="+", required=True, metavar="WEIGHTS")
    arguments = parser.parse_args()

    from results.prediction.predict import load_colorizers

    colorizers = load_colorizers(arguments.weights)
    if any(colorizer.resolution != SIDE or colorizer.predicts_bins for colorizer in colorizers):
        raise UserError(f"--weights: grids are measured in networks with the squared loss at {SIDE} px, name such")
    L, ab_true = shown()
    ab_pred = {colorizer.name: colorizer.predict_ab(L) for colorizer in colorizers}
    table = {
        name: {
            title: {str(period): round(repeating(ab[row], period), 3) for period in PERIODS}
            for row, title in enumerate(("ramp", "photograph"))
        }
        for name, ab in ab_pred.items()
    }
    write_atomically(Path("results/gridding.json"), (json.dumps(table, indent=1) + "\n").encode())
    for name, by_picture in table.items():
        for title, by_period in by_picture.items():
            print(f"{name:16} {title:10}", *(f"{period} px {rms}" for period, rms in by_period.items()))
    draw(L, ab_true, ab_pred, "results/figures/gridding.png")
    print("table: results/gridding.json\nfigure: results/figures/gridding.png")


def shown():
    """A ramp of L and the photograph: (2, S, S, 1) uint8, and their ab (2, S, S, 2) float32, that of the ramp 0."""
    photograph = next(each for each in open_embedded(EMBEDDED).photographs if each.id == SHOWN)
    L, ab = bgr_to_lab(centre_square(read_image(photograph), SIDE))
    ramp = np.broadcast_to(np.linspace(40, 215, SIDE).round().astype(np.uint8)[:, None], (SIDE, SIDE, 1))
    return np.stack([ramp, L]), np.stack([0 * cie_ab(ab), cie_ab(ab)])


def without_smooth(ab):
    """ab less its blurred self: (S, S, 2) float32, CIE units."""
    return ab - cv2.GaussianBlur(ab, (0, 0), SMOOTH_PX, borderType=cv2.BORDER_REFLECT)


def repeating(ab, period):
    """RMS in CIE units of what repeats every `period` px but not every half of it, smooth changes taken away.

    Parameters
    ----------
    ab : ndarray of float32, shape (S, S, 2), CIE ab units
    period : int, px, even
    """
    inner = without_smooth(ab)[CUT_PX:-CUT_PX, CUT_PX:-CUT_PX]
    count = len(inner) // period
    tiles = inner[: count * period, : count * period].reshape(count, period, count, period, 2)
    tile = tiles.mean(axis=(0, 2))
    half = period // 2
    halves = tile.reshape(2, half, 2, half, 2).mean(axis=(0, 2))
    return float(np.sqrt(np.square(tile - np.tile(halves, (2, 2, 1))).mean()))


def draw(L, ab_true, ab_pred, path):
    """The photograph as each network colours it, and what repeats in it, enlarged."""
    from results.drawing.grid import draw_grid

    picture, middle = L[1:], np.full_like(L[1:], 150)
    columns = {}
    for name, ab in ({"Truth": ab_true} | ab_pred).items():
        columns[name] = lab_to_bgr(
            np.concatenate([picture, middle]), np.stack([ab[1], CONTRAST * without_smooth(ab[1])])
        )
    draw_grid(columns, path, row_titles=("photograph", f"fine part, {CONTRAST} times"))


if __name__ == "__main__":
    run(main)
