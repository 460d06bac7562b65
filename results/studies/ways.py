"""`make ways`: how a network should be shown a photograph of any size, and its ab brought back to that size.

In:  photographs at their full size that the network was not trained on (`--data`), and weights (default: unet_128, which `colorize` uses).
Out: results/ways.json, the mean squared error in ab at full size of each way; `results/colorize/full_size.py` takes the best.
"""

import argparse
import json
import time
from pathlib import Path

from preprocessing.front_door import add_data_argument, run

SHARES = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)  # of S, for the short side
MEANS = ((0.5, 0.75, 1.0), (0.75, 1.0, 1.5), (1.0, 1.5, 2.0))  # of predictions at these


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    parser.add_argument("--weights", default="unet_128", metavar="WEIGHTS")
    arguments = parser.parse_args()

    from tqdm import tqdm

    from preprocessing.files import write_atomically
    from preprocessing.sources import EMBEDDED, open_embedded, open_source, read_image
    from results.prediction.predict import load_colorizer

    source = open_source(arguments.data) if arguments.data else open_embedded(EMBEDDED)
    out = Path("results" if arguments.data else "results/local") / "ways.json"
    colorizer = load_colorizer(arguments.weights)
    started = time.monotonic()
    errors = [
        errors_of(read_image(photograph), colorizer)
        for photograph in tqdm(source.photographs, unit="photo", disable=None)
    ]
    table = {
        "data": source.name,
        "photographs": len(errors),
        "weights": arguments.weights,
        "seconds": round(time.monotonic() - started),
        "mse": {way: round(sum(each[way] for each in errors) / len(errors), 1) for way in errors[0]},
    }
    write_atomically(out, (json.dumps(table, indent=1) + "\n").encode())
    for way, mse in table["mse"].items():
        print(f"{way:32} {mse}")
    print(f"table: {out}")


def errors_of(image_bgr, colorizer):
    """The squared error in CIE ab of each way, at the photograph's full size, brought there bilinearly or guided."""
    import numpy as np

    from preprocessing.lab import bgr_to_lab, cie_ab
    from results.colorize.full_size import ab_at_full_size

    L, ab_code = bgr_to_lab(image_bgr)
    truth = cie_ab(ab_code)
    errors = {}
    for way, ab_small in ways(L, colorizer):
        for guided in (False, True):
            difference = ab_at_full_size(L, ab_small, guided) - truth
            errors[f"{way}, guided" if guided else way] = float(np.square(difference).mean())
    return errors


def ways(L, colorizer):
    """Yield (way, ab as (h, w, 2) float32) for each way to show (H, W, 1) uint8 L to a network of side S."""
    import cv2

    from results.colorize.full_size import merged, network_size

    side = colorizer.resolution

    def seen(height, width):
        return cv2.resize(L, (width, height), interpolation=cv2.INTER_AREA)

    def predict(small):
        return colorizer.predict_ab(small.reshape(1, *small.shape[:2], 1))[0]

    yield "squeezed to a square", predict(seen(side, side))

    scale = side / max(L.shape)
    height, width = (max(1, round(length * scale)) for length in L.shape[:2])
    edges = (0, side - height, 0, side - width)
    yield (
        "padded to a square",
        predict(cv2.copyMakeBorder(seen(height, width), *edges, cv2.BORDER_REFLECT))[:height, :width],
    )

    yield "tiled, short side 2 S", _tiled(seen(*network_size(*L.shape[:2], 2 * side)), predict, side)

    alone = {share: predict(seen(*network_size(*L.shape[:2], share * side))) for share in SHARES}
    for share, ab in alone.items():
        yield f"short side {share:g} S", ab
    for shares in MEANS:
        names = ", ".join(f"{each:g}" for each in shares)
        yield f"mean of short sides {names} S", merged([alone[each][None] for each in shares])[0]


def _tiled(L, predict, side):
    """Squares of the network's own size that overlap by half, mixed with weights that fall to their edges."""
    import numpy as np

    ramp = np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)).astype(np.float32)
    weight = (ramp[:, None] * ramp)[..., None]
    total, weights = np.zeros((*L.shape[:2], 2), np.float32), np.zeros((*L.shape[:2], 1), np.float32)
    for top in sorted({*range(0, L.shape[0] - side, side // 2), L.shape[0] - side}):
        for left in sorted({*range(0, L.shape[1] - side, side // 2), L.shape[1] - side}):
            part = np.s_[top : top + side, left : left + side]
            total[part] += weight * predict(L[part])
            weights[part] += weight
    return total / weights


if __name__ == "__main__":
    run(main)
