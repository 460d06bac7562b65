"""Step 8: draw the figures of the original's README again, and one at 128 px.

In:  the embedded photographs' shards and the shipped weights (`--data`: more photographs, into ignored files).
Out: results/figures/result32.png (gray | truth | predicted), result64.png (predicted | truth), result128.png, and
     ranked32.png, ranked64.png, ranked128.png: the best, median and worst test photographs. Where the rebalanced
     networks are there, vivid32.png, vivid64.png, vivid128.png (gray | truth | L2 | rebalanced), and possible64.png and
     the like (three samples of the distribution and its entropy). colorize.png: whole photographs as `colorize` gives
     them; failures.png: those where it fails.
     Half a minute. `--as-published` draws the 64 figure with red and blue exchanged, as the original did.
"""

import argparse
from pathlib import Path

from preprocessing.front_door import add_data_argument, run

PHOTOGRAPHS = 24  # of a source named by --data
POSSIBLE, SEEDS = 8, (1, 2, 3)  # photographs, and of each as many samples
AT_THE_TOP = ("skimage/astronaut.png", "sklearn/china.jpg", "sklearn/flower.jpg")  # of the README
TOP_SIDE = 320  # px, at which those are shown
FAILURES = {  # of the weights' card
    "skimage/coffee.png": "red, which\nnothing tells,\ncomes out gray",
    "matplotlib/grace_hopper.jpg": "a gray flag,\nand a wall of\ntwo colours",
    "skimage/ihc.png": "stained tissue,\nlike nothing that\nit was trained on",
    "skimage/hubble_deep_field.jpg": "farther from the\ntruth than gray",
}
FAILURES_SIDE = 256
RANKED = 4  # best, median and worst each; two of the ten embedded ones


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    parser.add_argument("--as-published", action="store_true", help="the 64 figure with red and blue exchanged")
    arguments = parser.parse_args()

    from preprocessing.sources import EMBEDDED, source_name

    draw_source(EMBEDDED, Path("results/figures"), arguments.as_published)
    draw_colorize(Path("results/figures/colorize.png"), AT_THE_TOP, TOP_SIDE)
    draw_colorize(Path("results/figures/failures.png"), FAILURES, FAILURES_SIDE, row_titles=list(FAILURES.values()))
    if arguments.data:
        draw_source(source_name(arguments.data), Path("results/local/figures"), arguments.as_published)
    print("figures that are not named show the photographs that they showed: left alone")


def draw_source(source, folder, as_published):
    """Draw the figure of each resolution that the source and the shipped weights have."""
    from preprocessing.lab import cie_ab
    from preprocessing.shards import read_manifest, read_split
    from preprocessing.sources import EMBEDDED
    from results.drawing.grid import pairs, swap_channels, triples
    from results.prediction.predict import load_colorizer
    from results.prediction.weights import shipped_names

    suffix = f"-{source}" * (source != EMBEDDED)
    for side in map(int, read_manifest(source)["resolutions"]):
        if f"l2_{side}" not in shipped_names():
            continue
        test = read_split(source, side, "test")
        if not len(test.L):
            continue
        ab_pred = load_colorizer(f"l2_{side}").predict_ab(test.L)
        draw_ranked(test, ab_pred, folder / f"ranked{side}{suffix}.png")
        if f"rebalanced_{side}" in shipped_names():
            rebalanced = load_colorizer(f"rebalanced_{side}")
            draw_vivid(test, ab_pred, rebalanced, folder / f"vivid{side}{suffix}.png")
            draw_possible(test, rebalanced, folder / f"possible{side}{suffix}.png")
        first = test.L[:PHOTOGRAPHS], cie_ab(test.ab[:PHOTOGRAPHS]), ab_pred[:PHOTOGRAPHS]
        name = f"result{side}{suffix}"
        if side == 64:
            columns = pairs(*first)
            draw(columns, folder / f"{name}.png", blocks=2)
            if as_published:
                name += "-as-published"
                draw(swap_channels(columns), Path("results/local/figures") / f"{name}.png", blocks=2)
        else:
            draw(triples(*first), folder / f"{name}.png")


def draw(columns, path, **options):
    """Draw a grid, and say so where the file had to be written again."""
    from results.drawing.grid import draw_grid

    if draw_grid(columns, path, **options):
        print(f"figure: {path}")


def draw_colorize(path, names, side, **options):
    """Draw gray | truth | what `colorize` makes of whole embedded photographs, the squares in their middle."""
    import cv2
    import numpy as np

    from preprocessing.crops import centre_square
    from preprocessing.sources import EMBEDDED, open_embedded, read_image
    from results.colorize import colorize

    columns = {"Gray": [], "Ground truth": [], "Predicted": []}
    photographs = {photograph.id: photograph for photograph in open_embedded(EMBEDDED).photographs}
    for name in names:
        if name in photographs:
            truth = read_image(photographs[name])
            gray = cv2.cvtColor(truth, cv2.COLOR_BGR2GRAY)
            pictures = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), truth, colorize(gray)
            for column, image_bgr in zip(columns.values(), pictures, strict=True):
                column.append(centre_square(image_bgr, side))
    columns = {title: np.stack(pictures) for title, pictures in columns.items()}
    draw(columns, path, cell_px=side, **options)


def draw_ranked(test, ab_pred, path):
    """Draw the best, median and worst photographs of a test split."""
    from preprocessing.lab import cie_ab
    from results.drawing.grid import triples
    from results.scoring.ranking import best_median_worst

    count = min(RANKED, len(test.L) // 4)
    if not count:
        return
    ab_true = cie_ab(test.ab)
    rows, titles = best_median_worst(ab_true, ab_pred, count)
    draw(triples(test.L[rows], ab_true[rows], ab_pred[rows]), path, row_titles=titles)


def draw_vivid(test, ab_l2, rebalanced, path):
    """Draw gray | truth | L2 | rebalanced."""
    from preprocessing.lab import cie_ab, lab_to_bgr
    from results.drawing.grid import triples

    L = test.L[:PHOTOGRAPHS]
    columns = triples(L, cie_ab(test.ab[:PHOTOGRAPHS]), ab_l2[:PHOTOGRAPHS])
    columns["L2"] = columns.pop("Predicted")
    columns["Rebalanced"] = lab_to_bgr(L, rebalanced.predict_ab(L, vibrance=rebalanced.vibrance))
    draw(columns, path)


def draw_possible(test, colorizer, path):
    """Draw truth | mean | three samples of the distribution | its entropy, black for certain."""
    import numpy as np

    from preprocessing.lab import cie_ab, lab_to_bgr
    from results.prediction.decode import entropy, samples
    from results.prediction.vibrance import with_vibrance

    def shown(ab):
        return lab_to_bgr(L, with_vibrance(L, np.array(ab), colorizer.vibrance))

    L = test.L[:POSSIBLE]
    each = list(colorizer.predict_distributions(L))
    temperature = colorizer.temperature
    columns = {"Ground truth": lab_to_bgr(L, cie_ab(test.ab[:POSSIBLE])), "Mean": shown(colorizer.decode(each))}
    drawn = [list(samples(distribution, temperature, SEEDS)) for distribution in each]
    for seed, of_each in zip(SEEDS, zip(*drawn, strict=True), strict=True):
        columns[f"Sample {seed}"] = shown(of_each)
    certain_to_not = np.array([entropy(distribution) for distribution in each]) / np.log(each[0].shape[-1])
    columns["Entropy"] = np.rint(255 * np.clip(certain_to_not, 0, 1)).astype(np.uint8)[..., None].repeat(3, axis=-1)
    draw(columns, path)


if __name__ == "__main__":
    run(main)
