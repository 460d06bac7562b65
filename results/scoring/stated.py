"""Numbers that the README states in its text, each from a results file: `python results/scoring/tables.py` writes them."""

import re

from preprocessing.files import UserError

NUMBER = r"\b\d[\d,.]*(?<![,.])"  # not of names, such as MP4
MIX = "everyday+photos+scenes-and-objects"


def minutes(seconds):
    return seconds / 60


def seconds_of(runs):
    return sum(run["seconds"] or 0 for run in runs)


def fastest(package):
    """Of a step's rates, the highest of one package's types."""
    return lambda step: max(rate for name, rate in step.items() if name.startswith(f"{package}_"))


def _took(script):
    return "bench.json", ("sequence_seconds", script)


# Text with {} where the number stands, in one place of the README; the file, its keys (a dict picks the row that holds it,
# a function is applied), and how the number is written.
STATED = (
    ("scored on the same {} photographs", "evaluation.json", ("data", MIX, "photographs", "test"), ",d"),
    (
        "`everyday` ({}, most of them of people)",
        "evaluation.json",
        ("rows", {"model": "gray", "resolution": 128, "photographs": "everyday"}, "images"),
        ",d",
    ),
    (
        "`photos` ({}).",
        "evaluation.json",
        ("rows", {"model": "gray", "resolution": 128, "photographs": "photos"}, "images"),
        ",d",
    ),
    ("downloads Tiny ImageNet (`--download`) | {} seconds", *_took("preprocessing/01_get_photos.py"), ".1f"),
    ("divided into train, val and test | {} seconds", *_took("preprocessing/02_build_shards.py"), ".0f"),
    ("{} Tiny ImageNet photographs a second", "bench.json", ("shards", "ours_per_second"), ",.0f"),
    ("seven-layer network at 32 px | {} minutes", "weights/l2_32.h5", ("began_from", 0, "seconds", minutes), ".0f"),
    ("minutes for {} images |\n| `tf_raw/04", "weights/l2_32.h5", ("began_from", 0, "images_seen"), ",d"),
    ("other weights with `--init` | {} minutes", "weights/l2_64.h5", ("seconds", minutes), ".0f"),
    ("minutes for {} images |\n| `keras_port/05", "weights/l2_64.h5", ("images_seen",), ",d"),
    ("'.[tune]'`) | {} minutes", "tuning.json", ("seconds", minutes), ".0f"),
    ("minutes for {} trials", "tuning.json", ("trials", len), "d"),
    ("'.[pretrained]'`) | {} minutes", "weights/l2_128.h5", ("seconds", minutes), ".0f"),
    ("minutes for {} images |\n| `results/07", "weights/l2_128.h5", ("images_seen",), ",d"),
    ("every network on the test photographs | {} seconds", *_took("results/07_evaluate.py"), ".0f"),
    ("exchanged as in the original's | {} seconds", *_took("results/08_make_figures.py"), ".0f"),
    ("three seeds each | {} minutes", "table1.json", ("runs", seconds_of, minutes), ".0f"),
    ("code and report | {} minutes", "errata.json", ("entries", seconds_of, minutes), ".0f"),
    ("more colour costs in AuC | {} minutes", "tradeoff.json", ("seconds", minutes), ".0f"),
    ("best shown to a network | {} minutes", "ways.json", ("seconds", minutes), ".1f"),
    ("has learnt from JPEG | {} minutes", "jpeg.json", ("seconds", minutes), ".0f"),
    ("more images than memory holds | {} minutes", "scale.json", ("seconds", minutes), ".0f"),
    ("step of 04 trains {} images a second", "bench.json", ("step", fastest("tf_raw")), ".0f"),
    ("the same in PyTorch {}, each", "bench.json", ("step", fastest("torch")), ".0f"),
    ("commonest size, it writes {} a second", "bench.json", ("photographs", "fast_ours_per_second"), ",.0f"),
    ("at 64 px instead of {}:", "bench.json", ("photographs", "whole_ours_per_second"), ",.0f"),
    (": {} hours instead of", "bench.json", ("photographs", "fast_imagenet_hours"), ".2f"),
    ("hours instead of {} for", "bench.json", ("photographs", "whole_imagenet_hours"), ".2f"),
    ("L then differs by {} and", "bench.json", ("photographs", "L_difference_64"), ".2f"),
    ("and ab by {} in the mean", "bench.json", ("photographs", "ab_difference_64"), ".2f"),
    ("from frame to frame | {} minutes", "flicker.json", ("seconds", minutes), ".1f"),
)


def stated(text, read):
    """The text with each number of STATED as its results file has it.

    Parameters
    ----------
    text : str, the README
    read : function of a results file's name to its content

    Raises
    ------
    UserError
        The README has lost a sentence of STATED, or has it twice.
    """
    for template, name, path, written in STATED:
        number = format(value_at(read(name), path), written)
        text, count = re.subn(_pattern(template), lambda found, number=number: found[1] + number + found[2], text)
        if count != 1:
            raise UserError(f"README.md has `{template}` {count} times: mend it there or in results/scoring/stated.py")
    return text


def value_at(here, path):
    """What stands in a results file at a path of keys, rows and functions."""
    for step in path:
        if callable(step):
            here = step(here)
        elif isinstance(step, dict):
            here = next(row for row in here if step.items() <= row.items())
        else:
            here = here[step]
    return here


def without_stated(text):
    """The text without the numbers that STATED writes."""
    for template, *_ in STATED:
        text = re.sub(_pattern(template), r"\1\2", text)
    return text


def _pattern(template):
    before, after = map(re.escape, template.split("{}"))
    return f"({before}){NUMBER}({after})"
