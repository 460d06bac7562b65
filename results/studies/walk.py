"""`make walk DATA=folder FILM=film.mp4`: a newcomer's walk through the README, on a clone of it, with a stopwatch.

In:  a folder of photographs to colour and train on, some dozens, and a film. Nothing is taken from pip's cache.
Out: results/walk.json, the seconds of each step, which the README prints. With ONEDNN_MAX_CPU_ISA=AVX2 set, as on a
     processor that has no more, they stand beside those of the walk before. It stops at the first step that fails.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from preprocessing.front_door import run

INSIDE = "cd walk && . .venv/bin/activate && "
PAGE = """{ colorize serve --port 7899 & }; page=$!
until python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:7899')" 2>/dev/null
do sleep 0.2; kill -0 $page || exit 1; done; kill $page"""
# With job control: without it, a shell's background jobs ignore Ctrl-C.
STOPPED = """set -m; {
python tf_raw/03_train_32.py --data $DATA
} &
until [ "$(wc -l < runs/l2_32/log.csv)" -ge 2 ]; do sleep 0.1; kill -0 %1 || exit 1; done 2>/dev/null
kill -INT %1; wait %1; [ $? = 130 ]"""
STEPS = (  # what the README says, and the shell's words for it; $DATA and $FILM are the user's
    ("`git clone`", "git clone --quiet $REPOSITORY walk"),
    ("`make results`", "cd walk && make results"),
    ("`make test`", "cd walk && make test"),
    ("photographs of your own, `--compare`", INSIDE + "colorize $DATA --out coloured --compare"),
    ("a film", INSIDE + "colorize $FILM --out film.mp4"),
    ("the page, until it answers", INSIDE + PAGE),
    ("02: shards of your own photographs", INSIDE + "python preprocessing/02_build_shards.py --data $DATA --crops 4"),
    ("03, stopped by Ctrl-C after an epoch", INSIDE + STOPPED),
    ("03, gone on with", INSIDE + "python tf_raw/03_train_32.py --data $DATA"),
    (
        "04",
        INSIDE + "python tf_raw/04_train_64.py --data $DATA --init results/local/weights/l2_32.h5 "
        "--learning-rate 0.001 --epochs 6",
    ),
    ("06", INSIDE + "python keras_port/06_train_128.py --data $DATA --init results/local/weights/l2_64.h5"),
    (
        "07: your network's score",
        INSIDE + "python results/07_evaluate.py --data $DATA --weights results/local/weights/l2_64.h5 "
        "--out results/local/mine.json",
    ),
    ("09: the report", INSIDE + "python report/09_build_report.py"),
    ("`colorize export`", INSIDE + "colorize export unet_128 --to onnx"),
    (
        "`colorize` without TensorFlow, installed anew",
        "cd walk && python3 -m venv plain && plain/bin/pip install --quiet --editable . && "
        "plain/bin/colorize $DATA --out again && ! plain/bin/python -c 'import tensorflow' 2>/dev/null",
    ),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--film", type=Path, required=True, metavar="FILM")
    arguments = parser.parse_args()

    from preprocessing.files import UserError, write_atomically
    from results.prediction.weights import this_machine

    for path in (arguments.data, arguments.film):
        if not path.exists():
            raise UserError(f"{path} is not there: name photographs with --data and a film with --film")
    with tempfile.TemporaryDirectory() as folder:
        walked = walk(STEPS, Path(folder), DATA=str(arguments.data.resolve()), FILM=str(arguments.film.resolve()))
    out = Path("results/walk.json")
    table = json.loads(out.read_text()) if out.exists() else {"host": this_machine(), "seconds": {}}
    table["seconds"][os.environ.get("ONEDNN_MAX_CPU_ISA", "as it is")] = walked
    write_atomically(out, (json.dumps(table, indent=1) + "\n").encode())
    print(f"table: {out}")


def walk(steps, folder, **named):
    """Take each step in a shell, beginning in `folder`, and give its seconds, {step: seconds}.

    Raises
    ------
    UserError
        A step failed, after the last lines that it wrote.
    """
    from preprocessing.files import UserError

    repository = Path(__file__).resolve().parents[2]
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment |= {"PIP_NO_CACHE_DIR": "1", "REPOSITORY": str(repository), **named}
    seconds = {}
    for name, command in steps:
        started = time.perf_counter()
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        seconds[name] = round(time.perf_counter() - started, 1)
        print(f"{name}: {seconds[name]} s", flush=True)
        if done.returncode:
            print(*done.stdout.decode(errors="replace").splitlines()[-12:], sep="\n")
            raise UserError(f"the walk stopped at: {name} ({command})")
    return seconds


if __name__ == "__main__":
    run(main)
