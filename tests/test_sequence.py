"""The numbered scripts in sequence, as a newcomer runs them, in an empty folder."""

import json
import subprocess
import sys

import cv2
import pytest
from conftest import REPOSITORY, run_process, run_script, traced_into_no_graph

from preprocessing.embedded import embedded_files

EVIDENCE = ["results/*.json", "results/figures/*", "results/weights/*", "results/curves/*"]
TRAINED_32 = "results/local/weights/demonstration_l2_32.h5"
SCRIPTS = {  # with what a newcomer may add to two of them
    "preprocessing/01_get_photos.py": [],
    "preprocessing/02_build_shards.py": [],
    "tf_raw/03_train_32.py": [],
    "tf_raw/04_train_64.py": ["--init", TRAINED_32],
    "keras_port/06_train_128.py": [],
    "results/07_evaluate.py": ["--weights", TRAINED_32],
    "results/08_make_figures.py": ["--as-published"],
}


def evidence():
    paths = [path for pattern in EVIDENCE for path in REPOSITORY.glob(pattern)]
    return {path: path.read_bytes() for path in paths if path.is_file()}


@pytest.fixture(scope="module")
def sequence(tmp_path_factory):
    """The folder in which the sequence ran, its outputs, and the evidence before it."""
    folder, before = tmp_path_factory.mktemp("sequence"), evidence()
    outputs = {}
    for script, arguments in SCRIPTS.items():
        run = run_script if "train" in script else run_process  # the others start at once, without TensorFlow
        with traced_into_no_graph():
            process = run(script, *arguments, cwd=folder)
        assert process.returncode == 0, f"{script}\n{process.stdout}\n{process.stderr}"
        outputs[script] = process.stdout
    return folder, outputs, before


def test_the_sequence_ends_with_figures_scores_and_demonstration_weights(sequence):
    folder, outputs, _ = sequence
    for side in (32, 64, 128):
        assert (folder / f"results/figures/result{side}.png").stat().st_size > 20_000
        assert (folder / f"results/local/weights/demonstration_l2_{side}.h5").exists()
        assert (folder / f"results/local/demonstration_l2_{side}-test.png").exists()
    rows = json.loads((folder / "results/local/evaluation.json").read_text())["rows"]
    assert {(row["model"], row["resolution"]) for row in rows} >= {
        (model, side) for side in (32, 64, 128) for model in ("gray", "mean", "random", f"l2_{side}")
    }
    assert {row["images"] for row in rows if not row.get("photographs")} == {len(embedded_files())}
    assert "no --data" in outputs["tf_raw/03_train_32.py"]


def test_the_sequence_leaves_the_committed_evidence_untouched(sequence):
    folder, _, before = sequence
    assert evidence() == before
    assert not list(folder.glob("results/*.json"))


def test_demonstration_weights_are_evaluated_and_started_from(sequence):
    folder, outputs, _ = sequence
    assert "demonstration_l2_32" in outputs["results/07_evaluate.py"]
    assert json.loads((folder / "runs/demonstration_l2_64/config.json").read_text())["began_from"]


def test_as_published_draws_a_second_figure(sequence):
    folder, _, _ = sequence
    figures = folder / "results/figures/result64.png", folder / "results/local/figures/result64-as-published.png"
    ours, published = (cv2.imread(str(path)) for path in figures)
    assert (ours != published).any()


def test_without_shards_every_script_says_what_to_run(tmp_path):
    for script in list(SCRIPTS)[2:]:
        process = run_script(script, cwd=tmp_path)
        assert process.returncode == 2
        assert "02_build_shards.py" in process.stderr
        assert "Traceback" not in process.stderr


def test_a_missing_libgl_is_one_line(tmp_path):
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import runpy; sys.argv = ['02_build_shards.py']; "
        + (f"runpy.run_path({str(REPOSITORY / 'preprocessing/02_build_shards.py')!r}, run_name='__main__')")
    )
    process = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert "libgl1" in line
