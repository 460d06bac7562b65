"""The README's tables, from `evaluation.json` and the shipped weights: `python results/scoring/tables.py` writes them there."""

import json
from pathlib import Path

from preprocessing.files import UserError, write_atomically
from preprocessing.front_door import run
from results.prediction.weights import find_weights, load_weights, shipped_names

END = "<!-- end of table -->"
COLUMNS = {
    "MSE": lambda row: f"{row['mse']:.1f} ({row['mse_ci'][0]:.1f} to {row['mse_ci'][1]:.1f})",
    "MSE of gray files": lambda row: f"{row['mse_gray_file']:.1f}" if "mse_gray_file" in row else "",
    "of gray JPEGs": lambda row: f"{row['mse_gray_jpeg']:.1f}" if "mse_gray_jpeg" in row else "",
    "PSNR, dB": lambda row: f"{row['psnr']:.2f}",
    "SSIM": lambda row: f"{row['ssim']:.3f}",
    "AuC": lambda row: f"{row['auc']:.4f}",
    "AuC rebalanced": lambda row: f"{row['auc_rebalanced']:.4f}",
    "Colourfulness": lambda row: f"{row['colorfulness_ratio']:.2f}",
}


def markdown_table(rows):
    """The rows of an evaluation as a Markdown table, one line each; without those of parts of the photographs."""
    lines = ["| data | px | model | " + " | ".join(COLUMNS) + " |", "|---|---|---|" + "---|" * len(COLUMNS)]
    for row in (row for row in rows if "photographs" not in row):
        cells = [f"{row['data']} ({row['images']:,})", str(row["resolution"]), f"`{row['model']}`"]
        lines.append("| " + " | ".join(cells + [text(row) for text in COLUMNS.values()]) + " |")
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


def tables():
    """Each table of the README by the comment that opens it."""
    rows = json.loads(Path("results/evaluation.json").read_text())["rows"]
    attributes_of = {name: load_weights(find_weights(name)).attributes for name in shipped_names()}
    return {
        "<!-- table of results/evaluation.json -->": markdown_table(rows),
        "<!-- table of results/weights -->": training_table(attributes_of),
    }


def main():
    readme = Path("README.md")
    text = readme.read_text()
    for begin, table in tables().items():
        if begin not in text or END not in text.partition(begin)[2]:
            raise UserError(f"{readme} has no `{begin}` ... `{END}`: put them where the table belongs")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table}\n{END}{rest.partition(END)[2]}"
    write_atomically(readme, text.encode())


if __name__ == "__main__":
    run(main)
