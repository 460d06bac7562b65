"""`make errata`: each of the original's thirteen faults (ORIGINAL.md, section 5), measured.

In:  shards at 32 and 64 of `--data` and at 128 of `--data-128`; the published figure 32 (`--published`); table1.json.
Out: results/errata.json, an entry for each fault, and results/figures/errata-swapped.png. About 40 minutes
     on two cores; an entry that is done is not measured again, and a training that was stopped goes on. Without --data: a
     small version on the embedded photographs, under results/local/.
"""

import argparse
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from preprocessing.files import UserError, write_atomically
from preprocessing.front_door import add_data_argument, run

NOISE = 13  # the erratum that only reads table1.json: it is taken from there each time


@dataclass(frozen=True)
class Study:
    """On what, and how long, the faults are measured."""

    source: str  # its shards at 32 and 64
    source_128: str
    published: Path | None  # the original's result32.png
    small: bool = False
    photographs: int = 10_000  # of the trainings at 32, and images between two of their validations
    epochs: int = 12
    batch_norm_images: int = 1000
    notebook_images: int = 500
    notebook_epochs: int = 300  # the recorded run had 100, after which ours is still on its way
    runs: Path = Path("runs")
    out: Path = Path("results/errata.json")
    figures: Path = Path("results/figures")
    table1: Path = Path("results/table1.json")

    @property
    def size(self):
        """What decides how long it takes, by name."""
        names = ("photographs", "epochs", "batch_norm_images", "notebook_images", "notebook_epochs")
        return {name: getattr(self, name) for name in names}

    @property
    def folder(self):
        """Where the trainings keep their shards and checkpoints."""
        return self.runs / "errata"


def demonstration(source, published=None):
    """The small version, of a few steps each."""
    local = Path("results/local")
    return Study(
        source,
        source,
        published,
        small=True,
        photographs=4,
        epochs=2,
        batch_norm_images=4,
        notebook_images=20,
        notebook_epochs=2,
        runs=Path("runs/demonstration"),
        out=local / "errata.json",
        figures=local / "figures",
        table1=local / "table1.json",
    )


def faults():
    """(what is wrong, what was claimed, the function that measures it), in the order of ORIGINAL.md."""
    from results.studies import faults_of_data as data
    from results.studies import faults_of_networks as networks

    return (
        ("Train and test leak", "10% of the images were held out for the test", data.mirror_leak),
        ("Channels swapped", "the figures show the colours of the photographs", data.swapped_channels),
        (
            "The schematic is not the code",
            "the repository holds the network of figure 1",
            networks.schematic_is_not_the_code,
        ),
        ("Dead layers", "every layer takes part in the prediction", networks.dead_layers),
        ("Softmax over an image", "a softmax can be fitted to ab in Lab units", networks.softmax_floor),
        ("Accuracy", "the share of exactly equal values says how good a prediction is", networks.exact_equality),
        ("Batch norm in training mode", "a prediction depends on its own picture", networks.batch_norm_at_test),
        ("The bottleneck is 1 x 1 x 64", "a training error of 146.7 shows that the model works", networks.bottleneck),
        ("Inverted gray", "the left column of figure 32 is the gray input", data.inverted_gray),
        ("Hunter Lab", "the space is Hunter Lab", data.hunter_against_cie),
        ("uint8 wraps around", "predictions can be cast to uint8", networks.wrap_around),
        ("Pickle", "a batch file can be loaded with pickle", data.pickle_runs_code),
        ("Table 1 measures noise", "its columns differ by their hyperparameters", table1_noise),
    )


def table1_noise(study):
    """The spread of one and the same network in the report's table, in ours, and what the hyperparameters change."""
    from preprocessing.shards import read_manifest
    from results.studies.table1 import CHOSEN, CONFIGURATIONS, REPORT, scores_of

    try:
        table = json.loads(study.table1.read_text())
    except FileNotFoundError:
        raise UserError(f"no {study.table1}: run `make table1` first") from None
    if table["fingerprint"] != read_manifest(study.source)["fingerprint"]:
        raise UserError(f"{study.table1} is of other photographs: run `make table1` with the same DATA")
    scores = {name: scores_of(table, name) for name in CONFIGURATIONS}
    if any(len(each) < len(table["seeds"]) for each in scores.values()):
        raise UserError(f"{study.table1} is not finished: run `make table1` again")
    published = [mse for _, mse, name in REPORT if name == CHOSEN]
    means = {name: sum(each) / len(each) for name, each in scores.items()}
    return {
        "published_spread_of_one_network": round(max(published) - min(published), 2),
        "published_range_of_all_columns": round(max(m for _, m, _ in REPORT) - min(m for _, m, _ in REPORT), 2),
        "our_spread_of_one_network": round(max(scores[CHOSEN]) - min(scores[CHOSEN]), 2),
        "our_means": {name: round(mean, 2) for name, mean in means.items()},
        "our_differences_to_the_chosen": {
            name: round(mean - means[CHOSEN], 2) for name, mean in means.items() if name != CHOSEN
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    parser.add_argument("--data-128", nargs="+", metavar="PATH", help="the photographs of the 128 px shards")
    parser.add_argument("--published", type=Path, metavar="FILE", help="the original's result32.png")
    arguments = parser.parse_args()

    from preprocessing.sources import EMBEDDED_TRAINING, source_name

    if arguments.data:
        names = source_name(arguments.data), source_name(arguments.data_128 or arguments.data)
        study = Study(*names, arguments.published)
    else:
        print("no --data: a few steps on the embedded photographs, to show that it works")
        study = demonstration(EMBEDDED_TRAINING, arguments.published)
    missing = measure_all(study)
    print(f"errata: {study.out}")
    if missing:
        raise UserError(f"not measured: {'; '.join(missing)}")


def measure_all(study):
    """Measure what the file at `study.out` lacks, write it after each entry, and return why some could not be."""
    from preprocessing.shards import read_manifest
    from results.prediction.weights import find_weights, this_machine
    from results.scoring.evaluate import read_json

    sources = dict.fromkeys((study.source, study.source_128))
    head = {
        "data": {name: read_manifest(name)["fingerprint"] for name in sources},
        "size": study.size,
        "l2_64": hashlib.sha256(find_weights("l2_64").read_bytes()).hexdigest()[:16],
    }
    errata = read_json(study.out, head)
    entries = {entry["number"]: entry for entry in errata.get("entries", []) if entry["number"] != NOISE}
    missing = []
    for number, (fault, claimed, measure) in enumerate(faults(), start=1):
        if number in entries:
            continue
        print(f"{number}. {fault}")
        started = time.monotonic()
        try:
            measured = measure(study)
        except UserError as error:
            missing.append(f"{number} ({error})")
            continue
        entries[number] = {
            "number": number,
            "fault": fault,
            "claimed": claimed,
            "measured": measured,
            "shown_by": f"results/studies/{Path(measure.__code__.co_filename).name}:{measure.__name__}",
            "seconds": round(time.monotonic() - started),
            "host": this_machine(),
        }
        errata["entries"] = [entries[key] for key in sorted(entries)]
        write_atomically(study.out, (json.dumps(errata, indent=1) + "\n").encode())
    return missing


if __name__ == "__main__":
    run(main)
