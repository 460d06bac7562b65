"""The README's table, printed from `evaluation.json`: `python results/tables.py` writes it into the README."""

import json
from pathlib import Path

from preprocessing.files import UserError, write_atomically
from preprocessing.front_door import run

BEGIN, END = "<!-- table of results/evaluation.json -->", "<!-- end of table -->"
COLUMNS = {
    "MSE": lambda row: f"{row['mse']:.1f} ({row['mse_ci'][0]:.1f} to {row['mse_ci'][1]:.1f})",
    "PSNR, dB": lambda row: f"{row['psnr']:.2f}",
    "SSIM": lambda row: f"{row['ssim']:.3f}",
    "AuC": lambda row: f"{row['auc']:.4f}",
    "AuC rebalanced": lambda row: f"{row['auc_rebalanced']:.4f}",
    "Colourfulness": lambda row: f"{row['colorfulness_ratio']:.2f}",
}


def markdown_table(rows):
    """The rows of an evaluation as a Markdown table, one line each."""
    lines = ["| data | px | model | " + " | ".join(COLUMNS) + " |", "|---|---|---|" + "---|" * len(COLUMNS)]
    for row in rows:
        cells = [f"{row['data']} ({row['images']:,})", str(row["resolution"]), f"`{row['model']}`"]
        lines.append("| " + " | ".join(cells + [text(row) for text in COLUMNS.values()]) + " |")
    return "\n".join(lines)


def main():
    readme = Path("README.md")
    text = readme.read_text()
    if BEGIN not in text or END not in text:
        raise UserError(f"{readme} has no `{BEGIN}` ... `{END}`: put them where the table belongs")
    rows = json.loads(Path("results/evaluation.json").read_text())["rows"]
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    write_atomically(readme, f"{before}{BEGIN}\n{markdown_table(rows)}\n{END}{after}".encode())


if __name__ == "__main__":
    run(main)
