"""What the report prints of `results/*.json` and the shipped weights, as text, and what has not been measured yet."""

import json
from pathlib import Path

import h5py

from results.scoring.tables import pooled

COMMANDS = {  # a results file -> what measures it, with the data that its README line names
    "evaluation.json": "results/07_evaluate.py",
    "table1.json": "make table1",
    "errata.json": "make errata",
    "tuning.json": "keras_port/05_tune_128.py",
    "tradeoff.json": "make tradeoff",
    "ways.json": "make ways",
    "jpeg.json": "make jpeg",
    "flicker.json": "make flicker",
    "gridding.json": "make gridding",
    "scale.json": "make scale",
    "bench.json": "make bench",
}
OPTIONAL = ("encoder.json",)  # the report has no place for these where they are not there
DIGITS = {"mse": 1, "auc": 4, "auc_rebalanced": 4, "colorfulness_ratio": 2, "psnr": 2, "ssim": 3}
DIGITS_OF_GRAY_FILES = {"mse_gray_file": 1, "mse_gray_jpeg": 1}  # which baselines have not  # as in the README
DATA = {
    "tiny": "tiny-imagenet-200-subset",
    "photos": "photos+scenes-and-objects",
    "mix": "everyday+photos+scenes-and-objects",
}


def gather(results):
    """Everything the report may print, as plain values: {file: content or None}, weights and figures that are there."""
    results = Path(results)
    files = {name: _read(results / name) for name in (*COMMANDS, *OPTIONAL)}
    weights = {path.stem: _attributes(path) for path in sorted((results / "weights").glob("*.h5"))}
    recipes = _recipes(files, weights)
    if files["errata.json"]:  # by number, for the text to name
        files["errata.json"]["entries"] = {str(each["number"]): each for each in files["errata.json"]["entries"]}
    return {
        "files": files,
        "commands": COMMANDS,
        "scores": _scores(files["evaluation.json"]),
        "weights": weights,
        "recipes": recipes,
        "rates": _rates(weights),
        "pictures": sorted(
            path.relative_to(results).as_posix()
            for kind in ("figures", "curves")
            for path in (results / kind).glob("*.png")
        ),
    }


def _read(path):
    return json.loads(path.read_text()) if path.exists() else None


def _attributes(path):
    """What a weights file says of itself; `legs` are the trainings behind it, its own the last."""
    with h5py.File(path, "r", locking=False) as file:
        attributes = json.loads(file.attrs["description"])
    legs = [*attributes.get("began_from", []), attributes]
    totals = {key: sum(leg[key] for leg in legs) for key in ("seconds", "images_seen")}
    return {key: value for key, value in attributes.items() if key != "ab_bin_counts"} | {"legs": legs, "total": totals}


def _scores(evaluation):
    """Rows of the evaluation: {"l2_64@tiny@64": row}, "unet_128@mix@128@everyday" of a part of the photographs,
    "unet_128@pooled@128" of those that the README's table has.
    """
    short = {name: key for key, name in DATA.items()}
    rows = evaluation["rows"] if evaluation else []
    scores = {}
    for row in rows:  # rounded here and in the README by the same rule
        shown = {metric: n for metric, n in (DIGITS | DIGITS_OF_GRAY_FILES).items() if metric in row}
        row["text"] = {metric: f"{row[metric]:.{digits}f}" for metric, digits in shown.items()}
        if row["data"] in short:
            part = f"@{row['photographs']}" if "photographs" in row else ""
            scores[f"{row['model']}@{short[row['data']]}@{row['resolution']}{part}"] = row
    return scores | {f"{model}@pooled@{side}": row for (side, model), row in pooled(rows).items()}


def _recipes(files, weights):
    """(what, its script, minutes or None, the command that would measure them) of everything that the report shows."""
    sequence = (files["bench.json"] or {}).get("sequence_seconds", {})
    rows = [
        (what, script, sequence.get(script), COMMANDS["bench.json"])
        for what, script in (
            ("shards of the embedded photographs", "preprocessing/02_build_shards.py"),
            ("their scores", "results/07_evaluate.py"),
            ("result, ranked and vivid figures", "results/08_make_figures.py"),
        )
    ]
    rows += [
        (f"weights {name}, from nothing", _scripts_of(each), each["total"]["seconds"], "")
        for name, each in weights.items()
    ]
    rows += [
        (what, script, _sum(files[name], *keys), COMMANDS[name])
        for what, script, name, *keys in (
            ("table 1", "results/studies/table1.py", "table1.json", "runs"),
            ("errata", "results/studies/errata.py", "errata.json", "entries"),
        )
    ]
    rows.append(("the search", "keras_port/05_tune_128.py", _seconds_of(files["tuning.json"]), COMMANDS["tuning.json"]))
    rows += [
        (what, script, (files[name] or {}).get("seconds"), COMMANDS[name])
        for what, script, name in (
            ("trade-off", "results/studies/tradeoff.py", "tradeoff.json"),
            ("ways to show a photograph", "results/studies/ways.py", "ways.json"),
            ("what JPEG teaches", "results/studies/jpeg.py", "jpeg.json"),
            ("films", "results/studies/flicker.py", "flicker.json"),
            ("more machines", "results/studies/scale.py", "scale.json"),
        )
    ]
    return [(what, script, seconds and seconds / 60, command) for what, script, seconds, command in rows]


def _rates(weights):
    """(weights, px, host, type, images a second) of each shipped network's own training, its validation included."""
    return [
        (name, each["resolution"], each["host"], each["compute"], each["images_seen"] / each["seconds"])
        for name, each in weights.items()
    ]


def _scripts_of(attributes):
    """The scripts of all legs, each once, in their order."""
    scripts = {32: "tf_raw/03_train_32.py", 64: "tf_raw/04_train_64.py", 128: "keras_port/06_train_128.py"}
    return ", ".join(dict.fromkeys(scripts[leg["resolution"]] for leg in attributes["legs"]))


def _seconds_of(search):
    """A search's trials, which may have run side by side, and what came after them one by one."""
    return search and search["seconds"] + _sum(search, "long", "overfitting")


def _sum(table, *keys):
    """The seconds of all entries of a table's lists (or dictionaries)."""
    if not table:
        return None
    parts = [table.get(key, []) for key in keys]
    return sum(each["seconds"] or 0 for part in parts for each in (part.values() if isinstance(part, dict) else part))
