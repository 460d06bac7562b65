"""Shards and photographs that tests share, made from the embedded photographs or from noise with a seed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from preprocessing.build import build_shards
from preprocessing.sources import EMBEDDED_TRAINING, open_embedded

REPOSITORY = Path(__file__).resolve().parent.parent
# A shell's background job ignores Ctrl-C, and so would the scripts that tests start from it.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # for tests that use ONNX Runtime itself


@pytest.fixture(autouse=True)
def no_data_variable(monkeypatch):
    """The machine's own data must not reach a test."""
    monkeypatch.delenv("COLORIZE_DATA", raising=False)


@pytest.fixture(scope="session")
def shard_root(tmp_path_factory):
    """Shards of the embedded photographs at 32, 64 and 128 px, four crops of each."""
    root = tmp_path_factory.mktemp("shards")
    build_shards(open_embedded(EMBEDDED_TRAINING), [32, 64, 128], crops=4, root=root)
    return root


def photograph_file(path, seed, height=80, width=96):
    """Write a picture of coloured blobs that no other seed gives."""
    random = np.random.default_rng(seed)
    image = cv2.resize(random.integers(0, 256, (5, 6, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return image


def run_script(script, *arguments, cwd, **options):
    """Run a numbered script as a user does; returns the finished process with text output."""
    return subprocess.run(
        [sys.executable, str(REPOSITORY / script), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


def start_script(script, *arguments, cwd):
    """Start a numbered script in the background, its output joined and unbuffered."""
    return subprocess.Popen(
        [sys.executable, "-u", str(REPOSITORY / script), *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"},  # a user's shell
        start_new_session=True,
    )
