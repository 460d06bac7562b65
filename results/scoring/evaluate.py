"""Scores of networks and baselines on a test split, as the rows of `evaluation.json`."""

import json
from collections import defaultdict
from itertools import chain, product

import numpy as np
from tqdm import tqdm

from preprocessing.ab_bins import nearest_bin
from preprocessing.batches import in_order
from preprocessing.files import UserError, json_object, write_atomically
from preprocessing.gray_file import lightness_of_gray_files
from preprocessing.lab import cie_ab, lab_to_bgr
from preprocessing.splits import photo_of
from results.prediction.predict import BATCH
from results.scoring.metrics import (
    auc_of_pixels,
    bootstrap_interval,
    colorfulness,
    inverse_prior,
    psnr,
    squared_error,
    ssim,
)

GRAY_FILES = {"gray_file": None, "gray_jpeg": 75}  # what else a network is shown, and the quality of its JPEG
CHUNK = BATCH  # photographs scored at a time: small, and what a network remembers (Colorizer.remembering)


def score(predict, test, bin_counts, name):
    """Every metric of one model or baseline on one split: `sum_up` of `measure`, which see."""
    return sum_up(measure({name: predict}, test, bin_counts, name)[name], test.id)


def measure(ways, test, bin_counts, title):
    """What the metrics of models, baselines, or ways to read one network's output are made of.

    Parameters
    ----------
    ways : dict of names to functions of L, (N, S, S, 1) uint8, to ab, (N, S, S, 2) in CIE ab units; called on the split in
        order, each on the same CHUNK photographs before the next are shown
    test : preprocessing.shards.Shard
    bin_counts : training pixels in each ab bin
    title : str, of the progress bar

    Returns
    -------
    measured : dict of the same names to dict of metrics to (N,) arrays, a number for each photograph
    """
    weight_of_bin = inverse_prior(bin_counts)
    gathered = {name: defaultdict(list) for name in ways}
    chunks = list(in_order(test.L, test.ab, CHUNK))
    for L, ab_code in tqdm(chunks, desc=title, leave=False, disable=None):
        ab_true, weights = cie_ab(ab_code), weight_of_bin[nearest_bin(ab_code)]
        image_true = lab_to_bgr(L, ab_true)
        for name, predict in ways.items():
            ab_pred, each = predict(L), gathered[name]
            image_pred, pixel_auc = lab_to_bgr(L, ab_pred), auc_of_pixels(ab_true, ab_pred)
            each["mse"].append(squared_error(ab_true, ab_pred))
            each["auc"].append(pixel_auc.mean(axis=(1, 2)))
            each["weighted"].append((pixel_auc * weights).sum(axis=(1, 2)))
            each["weight"].append(weights.sum(axis=(1, 2)))
            each["ssim"].append(ssim(image_true, image_pred))
            each["colour_true"].append(colorfulness(image_true))
            each["colour_pred"].append(colorfulness(image_pred))
            each["rgb"].append(np.square(image_true.astype(np.float64) - image_pred).mean(axis=(1, 2, 3)))
    return _concatenated(gathered)


def _concatenated(gathered):
    return {name: {key: np.concatenate(values) for key, values in each.items()} for name, each in gathered.items()}


def sum_up(measured, ids):
    """The metrics and intervals of DESIGN.md, a dictionary, of what was measured of the photographs `ids`."""
    each, photographs = measured, [photo_of(id) for id in ids]
    row = {
        "images": len(ids),
        "mse": each["mse"].mean(),
        "mse_ci": bootstrap_interval(each["mse"], photographs),
        "rmse": np.sqrt(each["mse"].mean()),
        "psnr": psnr(each["rgb"].mean()),
        "ssim": each["ssim"].mean(),
        "auc": each["auc"].mean(),
        "auc_ci": bootstrap_interval(each["auc"], photographs),
        "auc_rebalanced": each["weighted"].sum() / each["weight"].sum(),
        "colorfulness_ratio": each["colour_pred"].mean() / each["colour_true"].mean(),
        **{key: each[key].mean() for key in each if key.startswith(("mse_gray", "auc_gray"))},
    }
    return {key: _plain(value) for key, value in row.items()}


def measure_gray_files(ways, test):
    """Errors and AuC of the same photographs as gray files would give them: {"mse_gray_file", "auc_gray_file", "mse_gray_jpeg", ...}.

    By name as `measure` gives its numbers. A network's own test shows it L of Lab, made from the colours that it is to
    predict (preprocessing/gray_file.py).
    """
    gathered = {name: defaultdict(list) for name in ways}
    for (L, ab_code), (kind, quality) in product(in_order(test.L, test.ab, CHUNK), GRAY_FILES.items()):
        ab_true, gray = cie_ab(ab_code), lightness_of_gray_files(L, ab_code, quality)
        for name, predict in ways.items():
            ab_pred = predict(gray)
            gathered[name][f"mse_{kind}"].append(squared_error(ab_true, ab_pred))
            gathered[name][f"auc_{kind}"].append(auc_of_pixels(ab_true, ab_pred).mean(axis=(1, 2)))
    return _concatenated(gathered)


def paired(name, errors, ids, baselines=("mean", "source_mean")):
    """By how much a network's squared error differs from that of baselines on the same photographs.

    Parameters
    ----------
    errors : dict of model to (N,) array
    ids : sequence of N image ids

    Returns
    -------
    differences : dict of baseline to [mean difference, low, high], the 95% interval of the paired bootstrap
    """
    photographs = [photo_of(id) for id in ids]
    differences = {baseline: errors[name] - errors[baseline] for baseline in baselines if baseline in errors}
    return {
        baseline: [_plain(each.mean()), *map(_plain, bootstrap_interval(each, photographs))]
        for baseline, each in differences.items()
    }


def rows_of(name, measured, ids, parts, parameters):
    """The rows of one model: of all photographs, and of parts of them (results/scoring/parts.py).

    `measured` holds what `measure` gives by model, of the baselines too; only a network (`parameters` above 0) is compared.
    """
    rows = []
    for photographs, chosen in {"": range(len(ids)), **parts}.items():
        of_it = list(chosen)
        part_ids = [ids[index] for index in of_it]
        errors = {model: each["mse"][of_it] for model, each in measured.items()}
        scores = sum_up({key: values[of_it] for key, values in measured[name].items()}, part_ids)
        scores |= {"parameters": parameters, "mse_minus": paired(name, errors, part_ids) if parameters else {}}
        rows.append(({"photographs": photographs} if photographs else {}) | scores)
    return rows


def _plain(value):
    if isinstance(value, tuple):
        return [round(float(number), 5) for number in value]
    return value if isinstance(value, int) else round(float(value), 5)


def mean_squared_error(predict, test):
    """Only the MSE of `score`, over a split."""
    errors = [squared_error(cie_ab(ab_code), predict(L)) for L, ab_code in in_order(test.L, test.ab, CHUNK)]
    return round(float(np.concatenate(errors).mean()), 5)


def read_json(path, head):
    """The dictionary at `path` if it begins with the plain values of `head`, or else `head` for a new one.

    A file of other data or settings is left out whole: its numbers would stand under the wrong heading.
    """
    try:
        before = json_object(path)
    except FileNotFoundError:
        return dict(head)
    except ValueError:
        raise UserError(f"{path} is not JSON: delete it and run this again") from None
    return before if all(before.get(key) == value for key, value in head.items()) else dict(head)


def merge_rows(path, rows, data):
    """Put `rows` into the evaluation file at `path`, in place of all of the same model, data and resolution.

    `data` is a dictionary of source name to what is known of it; both keep what other runs wrote.
    """
    try:
        before = json_object(path)
    except FileNotFoundError:
        before = {"data": {}, "rows": []}
    except ValueError:
        raise UserError(f"{path} is not JSON: delete it, and evaluate every source again") from None
    kept = _grouped(before["rows"]) | _grouped(rows)
    ordered = sorted(chain(*kept.values()), key=lambda row: (row["data"], row["resolution"]))
    text = json.dumps({"data": before["data"] | data, "rows": ordered}, indent=1)
    write_atomically(path, (text + "\n").encode())
    return ordered


def _grouped(rows):
    """Rows by model, data and resolution: that of all the photographs, and those of parts of them."""
    groups = {}
    for row in rows:
        groups.setdefault((row["model"], row["data"], row["resolution"]), []).append(row)
    return groups
