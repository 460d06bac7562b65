"""Shards and photographs that tests share, made from the embedded photographs or from noise with a seed."""

import contextlib
import ctypes
import gc
import io
import os
import runpy
import shutil
import signal
import subprocess
import sys
import traceback
import warnings

import cv2
import numpy as np
import pytest
from forked import REPOSITORY, close_host

from preprocessing.build import build_shards
from preprocessing.sources import EMBEDDED_TRAINING, open_embedded

# A shell's background job ignores Ctrl-C, and so would the scripts that tests start from it.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # for tests that use ONNX Runtime itself
os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] = "1"  # oneDNN's own keeps the most that any test took


def pytest_collection_finish():
    """Spare each later collection of garbage a walk through all that the imports made."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish():
    close_host()


@pytest.fixture(autouse=True, scope="module")
def memory_given_back():
    """What a file's networks took is not still held, beside those of all files before, by the last."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):  # where the C library is not glibc
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(autouse=True)
def no_data_variable(monkeypatch):
    """The machine's own data must not reach a test."""
    monkeypatch.delenv("COLORIZE_DATA", raising=False)


@contextlib.contextmanager
def narrowed():
    """The seven-layer network of tf_raw with an eighth of its filters, for what its width has no part in."""
    from tf_raw import network

    layers = [(name, filters // 8, stride, operation) for name, filters, stride, operation in network.LAYERS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "LAYERS", layers)
        yield


@pytest.fixture
def narrow():
    with narrowed():
        yield


@contextlib.contextmanager
def traced_into_no_graph():
    """A few steps cost less than to trace them; processes of their own trace what they train."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Even though .* does not apply to tf.data")
            yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def shard_root(tmp_path_factory):
    """Shards of the embedded photographs at 32, 64 and 128 px, four crops of each."""
    root = tmp_path_factory.mktemp("shards")
    build_shards(open_embedded(EMBEDDED_TRAINING), [32, 64, 128], crops=4, root=root)
    return root


@pytest.fixture(scope="module")
def browser():
    """Chromium."""
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


def photograph_file(path, seed, height=80, width=96):
    """Write a picture of coloured blobs that no other seed gives."""
    random = np.random.default_rng(seed)
    image = cv2.resize(random.integers(0, 256, (5, 6, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return image


def run_script(script, *arguments, cwd):
    """Run a script as `python script` does, but in this process: importing TensorFlow anew takes seconds.

    Returns
    -------
    subprocess.CompletedProcess with text output
    """
    code, out, err = 0, io.StringIO(), io.StringIO()
    words = [str(REPOSITORY / script), *map(str, arguments)]
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", words)
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as stopped:
            code = stopped.code or 0
        except Exception:
            traceback.print_exc()
            code = 1
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def run_process(script, *arguments, cwd, **options):
    """Run a script in a process of its own, where its environment or its imports matter; the same is returned."""
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
