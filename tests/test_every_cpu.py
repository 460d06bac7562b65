"""A CPU with AVX2 only, where TensorFlow leaves oneDNN off, and what a user sees of TensorFlow's import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

# What each script is asked for: the three objectives, dilated where that is its default; `auto` once, since it is timed.
TRAININGS = (
    ("tf_raw", 32, "classification", "auto"),
    ("tf_raw", 64, "rebalanced", "float32"),
    ("keras_port", 128, "l2", "float32"),
)


def train_each(root, folder):
    """Two steps with each script's defaults; for a process of its own."""
    import importlib

    for package, side, objective, compute in TRAININGS:
        config, training = (importlib.import_module(f"{package}.{name}") for name in ("config", "training"))
        sys.argv = [f"{side}", "--objective", objective, "--batch-size", "2", "--images-per-epoch", "4"]
        sys.argv += ["--epochs", "1", "--compute", compute]
        options = config.parse_options("", *[side] * (package == "tf_raw"))
        trained = training.train(options.config, options.source, Path(folder) / f"{side}", root=Path(root))
        assert trained.summary["images_seen"] == 4
        assert trained.summary["compute"] == "float32"  # bfloat16 is slow there, or not at all


@pytest.mark.parametrize("variable", ["TF_ENABLE_ONEDNN_OPTS=0", "ONEDNN_MAX_CPU_ISA=AVX2"])
def test_layers_are_right_and_every_script_trains(tmp_path, shard_root, variable):
    program = (
        "import sys, pytest; failed = pytest.main(['-p', 'no:cacheprovider', 'tests/test_layers.py']); "
        f"sys.path.insert(0, 'tests'); from test_every_cpu import train_each; failed or "
        f"train_each({str(shard_root)!r}, {str(tmp_path)!r}); sys.exit(failed)"
    )
    name, _, value = variable.partition("=")
    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize(
    "statement", ["from results.predict import load_colorizer", "from results.colorize import colorize"]
)
@pytest.mark.parametrize("own", [None, "0"])
def test_onednn_is_on_unless_a_user_turned_it_off(statement, own):
    program = f"{statement}; import os, sys; print(os.environ['TF_ENABLE_ONEDNN_OPTS'], 'tensorflow' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {"TF_ENABLE_ONEDNN_OPTS": own} if own else {}
    output = subprocess.check_output([sys.executable, "-c", program], cwd=REPOSITORY, env=environment, text=True)
    assert output.split() == [own or "1", "False"]


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        ("os.write(2, b'cudart'); sys.stderr.write('absl')", ""),
        ("os.write(2, b'no libcuda'); raise ImportError('broken')", "no libcuda"),
        ("os.write(2, b'no AVX'); os.abort()", "no AVX"),
    ],
)
def test_tensorflow_is_heard_only_where_its_import_fails(tmp_path, body, heard):
    (tmp_path / "tensorflow.py").write_text(f"import os, sys; {body}")
    program = f"import preprocessing, sys; sys.path.insert(0, {str(tmp_path)!r}); import tensorflow; print('imported')"
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}  # a user's own
    command = [sys.executable, "-c", program]
    process = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, env=environment)
    assert process.stdout == ("" if heard else "imported\n")
    assert heard in process.stderr if heard else process.stderr == ""


def test_keras_comes_without_packages_that_nothing_here_uses_and_they_can_be_imported_later(tmp_path):
    (tmp_path / "keras.py").write_text("try:\n    import pandas\nexcept ImportError:\n    print('keras without')")
    (tmp_path / "pandas.py").write_text("print('pandas')")
    program = f"import preprocessing, sys; sys.path.insert(0, {str(tmp_path)!r}); import keras, pandas"
    output = subprocess.check_output([sys.executable, "-c", program], cwd=REPOSITORY, text=True)
    assert output.split("\n") == ["keras without", "pandas", ""]
