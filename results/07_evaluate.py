"""Step 7: score every network and baseline on the test shards.

In:  the shards of step 2 for the same `--data`, and the shipped weights (and others by `--weights`).
Out: with data, rows in results/evaluation.json: of all test photographs, of each source's own, and of those that are not
     ImageNet's; without, the embedded photographs are scored (every one of them is test for the shipped weights) into
     results/local/evaluation.json. Printed are gray and each network as `colorize` reads it; the file holds every row.
"""

import argparse
from functools import partial
from pathlib import Path

from preprocessing.front_door import add_data_argument, run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="FILE", help="weights files besides the shipped ones"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: results/evaluation.json)")
    arguments = parser.parse_args()

    from preprocessing.files import UserError
    from preprocessing.sources import EMBEDDED, source_name
    from results.prediction.predict import load_colorizers
    from results.prediction.weights import shipped_names
    from results.scoring.evaluate import merge_rows

    source = source_name(arguments.data) if arguments.data else EMBEDDED
    out = arguments.out or Path("results/evaluation.json" if arguments.data else "results/local/evaluation.json")
    colorizers = load_colorizers([*shipped_names(), *arguments.weights])
    if not colorizers:
        raise UserError("no weights: train first and name them by --weights")
    rows, data = evaluate_source(source, colorizers)
    merge_rows(out, rows, data)
    print(f"scores: {out}")


def evaluate_source(source, colorizers):
    """Rows for every resolution that both the source and some network have."""
    from preprocessing.shards import read_manifest, read_split
    from results.scoring.baselines import constant, gray, random_colours, source_mean
    from results.scoring.evaluate import measure, measure_gray_files, rows_of
    from results.scoring.parts import parts_of

    manifest = read_manifest(source)
    rows, described = [], {key: manifest[key] for key in ("fingerprint", "photographs", "crops")}
    for side in map(int, manifest["resolutions"]):
        chosen = [colorizer for colorizer in colorizers if colorizer.resolution == side]
        test = read_split(source, side, "test") if chosen else None
        if not chosen or not len(test.L):
            continue
        # The mean colour and the prior of this source's training split; the embedded photographs have none: that of
        # the photographs on which the network was trained.
        train = manifest["resolutions"][str(side)]["train"]
        has_train = train["images"] > 0
        train = train if has_train else chosen[0].attributes
        baselines = {
            "gray": gray,
            "mean": constant(train["mean_ab"]),
            "source_mean": source_mean(source, side, test.id) if has_train else None,
            "random": random_colours(test.ab),
        }
        bin_counts, parameters, shown = train["ab_bin_counts"], {}, {"gray"}
        measured = measure(
            {name: way for name, way in baselines.items() if way}, test, bin_counts, f"baselines at {side}"
        )
        for colorizer in chosen:
            ways = ways_to_predict(colorizer.remembering())
            of_network, of_gray = measure(ways, test, bin_counts, colorizer.name), measure_gray_files(ways, test)
            measured |= {name: of_network[name] | of_gray[name] for name in ways}
            parameters |= dict.fromkeys(ways, colorizer.parameters)
            shown.add(list(ways)[-1])
        parts = parts_of(test)
        if not test.origin:
            print(f"{source} {side:3} no rows of each source: these shards do not tell (delete them, run step 2 again)")
        for name in measured:
            head = {"model": name, "data": source, "resolution": side, "split": "test"}
            scored = [head | row for row in rows_of(name, measured, test.id, parts, parameters.get(name, 0))]
            rows += scored
            scores = scored[0]
            if name in shown:
                print(
                    f"{source} {side:3} {name:24} MSE {scores['mse']:6.2f}  AuC {scores['auc']:.4f}  "
                    f"rebalanced {scores['auc_rebalanced']:.4f}  colourfulness {scores['colorfulness_ratio']:.2f}"
                )
    return rows, {source: described}


def ways_to_predict(colorizer):
    """Functions of L to ab by the name of their row: the original's way or the paper's, and that chosen on val."""
    from results.prediction.decode import PAPER

    chosen = partial(colorizer.predict_ab, vibrance=colorizer.vibrance)
    if colorizer.predicts_bins:
        paper = colorizer.decoded_by(**PAPER)
        return {colorizer.name: paper.predict_ab, f"{colorizer.name}+chosen": chosen}
    vivid = {f"{colorizer.name}+vibrance": chosen} if "vibrance" in colorizer.attributes else {}
    return {colorizer.name: colorizer.predict_ab} | vivid


if __name__ == "__main__":
    run(main)
