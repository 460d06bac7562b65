"""The tables of the README, of `results/scores.md` and of the weights' card, and the numbers in the README's text.

`python results/scoring/tables.py` writes them, from the results files and the shipped weights.
"""

import json
from pathlib import Path

from preprocessing.files import UserError, write_atomically
from preprocessing.front_door import run
from results.prediction.weights import find_weights, load_weights, shipped_names
from results.scoring.stated import MIX, stated

END = "<!-- end of table -->"
SCORES = {
    "MSE": lambda row: f"{row['mse']:.1f} ({row['mse_ci'][0]:.1f} to {row['mse_ci'][1]:.1f})",
    "MSE of gray files": lambda row: f"{row['mse_gray_file']:.1f}" if "mse_gray_file" in row else "",
    "of gray JPEGs": lambda row: f"{row['mse_gray_jpeg']:.1f}" if "mse_gray_jpeg" in row else "",
    "PSNR, dB": lambda row: f"{row['psnr']:.2f}",
    "SSIM": lambda row: f"{row['ssim']:.3f}",
    "AuC": lambda row: f"{row['auc']:.4f}",
    "AuC rebalanced": lambda row: f"{row['auc_rebalanced']:.4f}",
    "Colourfulness": lambda row: f"{row['colorfulness_ratio']:.2f}",
}
# The README's rows: of the 1,520 test photographs of these collections, by the shards on which networks of that size learn.
POOLED = "everyday+photos"
MIXES = {32: f"{MIX}+tiny-imagenet-200-subset", 64: f"{MIX}+tiny-imagenet-200-subset", 128: MIX}
ROWS = {
    "gray": "gray",
    "mean": "mean colour",
    "report_{}": "the original's network",
    "l2_{}": "ours, L2",
    "rebalanced_{}+chosen": "ours, vivid",
    "unet_{}": "U-Net, L2",
    "unet_{}+vibrance": "U-Net, L2 with vibrance",
    "unet_rebalanced_{}+chosen": "U-Net, vivid",
}
README_SCORES = ("MSE", "MSE of gray files", "AuC", "Colourfulness")


def pooled(rows):
    """Those rows that are of the pooled photographs: {(resolution, model): row}."""
    return {
        (row["resolution"], row["model"]): row
        for row in rows
        if row["data"] == MIXES.get(row["resolution"]) and row.get("photographs", row["data"]) in (MIX, POOLED)
    }


def readme_table(rows):
    """The README's: for each size what needs no network, the report's own network and ours, as a Markdown table."""
    lines = ["| px | model | " + " | ".join(README_SCORES) + " |", "|---|---|" + "---|" * len(README_SCORES)]
    row_of = pooled(rows)
    for side in MIXES:
        for model, name in ROWS.items():
            if row := row_of.get((side, model := model.format(side))):
                cells = [str(side), name if model in ("gray", "mean") else f"{name} (`{model}`)"]
                lines.append("| " + " | ".join(cells + [SCORES[score](row) for score in README_SCORES]) + " |")
    return "\n".join(lines)


def scores_table(rows):
    """Every row of an evaluation, those of parts of the photographs too, as a Markdown table."""
    lines = ["| data | px | model | " + " | ".join(SCORES) + " |", "|---|---|---|" + "---|" * len(SCORES)]
    for row in rows:
        of = f", of these `{row['photographs']}`" if "photographs" in row else ""
        cells = [f"{row['data']}{of} ({row['images']:,})", str(row["resolution"]), f"`{row['model']}`"]
        lines.append("| " + " | ".join(cells + [text(row) for text in SCORES.values()]) + " |")
    return "\n".join(lines)


def training_table(attributes_of):
    """How each of the shipped weights was trained, and what it began from: {name: attributes} as a Markdown table."""
    lines = ["| weights | command | host | minutes | images seen | validation |", "|---|---|---|---|---|---|"]
    for name, attributes in attributes_of.items():
        loss = attributes.get("loss", "mse")
        command = " ".join(_short(word) for word in attributes["command"].split())
        validation = (
            f"{loss} {attributes[f'val_{loss}']:.4g}, epoch {attributes['best_epoch']} of {attributes['epochs']}"
        )
        legs = [*attributes.get("began_from", []), attributes]
        minutes = " + ".join(f"{leg['seconds'] / 60:.0f}" for leg in legs)
        images = " + ".join(f"{leg['images_seen']:,}" for leg in legs)
        cells = [f"`{name}`", f"`{command}`", attributes["host"], minutes, images, validation]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _short(word):
    """A path as a reader would type it: data by its name, scripts from the repository's root."""
    parts = Path(word).parts
    if len(parts) > 2 and parts[-2] in ("tf_raw", "keras_port"):
        return "/".join(parts[-2:])
    return parts[-1] if word.startswith(("/", "..")) else word


def walk_table(walk):
    """Seconds of each step of a newcomer's walk, a column for each set of instructions, as a Markdown table."""
    columns = walk["seconds"]
    heads = ["seconds" if name == "as it is" else f"with oneDNN held to {name}" for name in columns]
    lines = [f"| step | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for step in next(iter(columns.values())):
        taken = [seconds.get(step) for seconds in columns.values()]
        cells = ["" if each is None else f"{each:.1f}" if each < 10 else f"{each:,.0f}" for each in taken]
        lines.append("| " + " | ".join([step, *cells]) + " |")
    return "\n".join(lines)


def read_results(name):
    """A results file's content, or what shipped weights say of themselves (`weights/l2_64.h5`); None where it is not there."""
    if name.startswith("weights/"):
        return load_weights(find_weights(Path(name).stem)).attributes
    path = Path("results") / name
    return json.loads(path.read_text()) if path.exists() else None


def tables():
    """Each table by its file and by the comment that opens it there."""
    rows = read_results("evaluation.json")["rows"]
    walk = read_results("walk.json")
    attributes_of = {name: load_weights(find_weights(name)).attributes for name in shipped_names()}
    return {
        ("README.md", "<!-- table of results/evaluation.json -->"): readme_table(rows),
        ("results/scores.md", "<!-- table of results/evaluation.json -->"): scores_table(rows),
        ("results/weights/README.md", "<!-- table of results/weights -->"): training_table(attributes_of),
    } | ({("README.md", "<!-- table of results/walk.json -->"): walk_table(walk)} if walk else {})


def main():
    for (name, begin), table in tables().items():
        text = Path(name).read_text()
        if begin not in text or END not in text.partition(begin)[2]:
            raise UserError(f"{name} has no `{begin}` ... `{END}`: put them where the table belongs")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table}\n{END}{rest.partition(END)[2]}"
        write_atomically(Path(name), text.encode())
    readme = Path("README.md")
    write_atomically(readme, stated(readme.read_text(), read_results).encode())


if __name__ == "__main__":
    run(main)
