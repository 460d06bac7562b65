"""`make tradeoff`: what colour costs, colourfulness against AuC over vibrance, temperature and the rebalancing undone, on `val` at 64 px.

In:  the shards of `--data`, and the weights of an L2 and a bins network (default: the shipped l2_64 and rebalanced_64).
Out: results/tradeoff.json and results/figures/tradeoff.png.
"""

import argparse
import json
import time
from pathlib import Path

from preprocessing.front_door import add_data_argument, run

SIDE = 64
PHOTOGRAPHS = 500  # of val, evenly spread
VALUES = {
    "temperature": (1.0, 0.8, 0.6, 0.5, 0.38, 0.3, 0.2, 0.1),
    "rebalancing_undone": (0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0),
    "vibrance": (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    parser.add_argument("--weights", nargs="+", default=["l2_64", "rebalanced_64"], metavar="WEIGHTS")
    arguments = parser.parse_args()

    from preprocessing.files import UserError, write_atomically
    from preprocessing.sources import EMBEDDED_TRAINING, source_name
    from results.prediction.predict import load_colorizers

    source = source_name(arguments.data) if arguments.data else EMBEDDED_TRAINING
    out = Path("results" if arguments.data else "results/local")
    colorizers = load_colorizers(arguments.weights)
    if any(colorizer.resolution != SIDE for colorizer in colorizers):
        raise UserError(f"--weights: the trade-off is measured at {SIDE} px, name networks of that size")
    started = time.monotonic()
    curves = {
        f"{c.name}, by {key}": curve_of(c, key, source)
        for c in colorizers
        for key in (("temperature", "rebalancing_undone") if c.predicts_bins else ("vibrance",))
    }
    table = {"data": source, "split": "val", "seconds": round(time.monotonic() - started), "curves": curves}
    write_atomically(out / "tradeoff.json", (json.dumps(table, indent=1) + "\n").encode())
    draw(table, out / "figures/tradeoff.png")
    print(f"table: {out / 'tradeoff.json'}\nfigure: {out / 'figures/tradeoff.png'}")


def curve_of(colorizer, key, source):
    """Colourfulness, AuC and rebalanced AuC of one network over one of VALUES, the others as in the paper."""
    import numpy as np

    from preprocessing.shards import Shard, read_manifest, read_split
    from results.prediction.decode import PAPER
    from results.scoring.evaluate import score

    val = read_split(source, SIDE, "val")
    rows = np.unique(np.linspace(0, len(val.L) - 1, PHOTOGRAPHS).astype(int))
    val = Shard(val.L[rows], val.ab[rows], [val.id[row] for row in rows])
    bin_counts = read_manifest(source)["resolutions"][str(SIDE)]["train"]["ab_bin_counts"]
    points = []
    for value in VALUES[key]:
        way = colorizer.decoded_by(**PAPER | {key: value})
        scores = score(lambda L, way=way: way.predict_ab(L, vibrance=way.vibrance), val, bin_counts, f"{key} {value}")
        points.append(
            {key: value, **{name: scores[name] for name in ("colorfulness_ratio", "auc", "auc_rebalanced", "mse")}}
        )
    return points


def draw(table, path):
    """AuC and rebalanced AuC against colourfulness, each point with its temperature or vibrance."""
    from matplotlib.figure import Figure

    from results.drawing.figure import write_figure

    figure = Figure(figsize=(8, 3.6), dpi=200, layout="constrained")
    for place, key, label in zip(
        figure.subplots(1, 2), ("auc", "auc_rebalanced"), ("AuC", "AuC, rebalanced"), strict=True
    ):
        for name, points in table["curves"].items():
            x, y = [point["colorfulness_ratio"] for point in points], [point[key] for point in points]
            varied = name.rpartition(" ")[-1]
            place.plot(x, y, ".-", label=name.replace("_undone", " undone"))
            for point, across, up in zip(points, x, y, strict=True):
                place.annotate(f"{point[varied]:g}", (across, up), (3, 3), textcoords="offset points", fontsize=6)
        place.axvline(1, color="#bbbbbb", lw=0.5)
        place.set(xlabel="colourfulness, prediction over truth", ylabel=label)
        place.spines[["top", "right"]].set_visible(False)
    place.legend(frameon=False, fontsize=7)
    write_figure(figure, path)


if __name__ == "__main__":
    run(main)
