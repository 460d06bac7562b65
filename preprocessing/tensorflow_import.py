"""How TensorFlow comes in: with oneDNN, without its own lines between ours, and what its kernels then lack.

Imported by this package, which every other imports before TensorFlow; no framework is imported here.
"""

import contextlib
import functools
import os
import subprocess
import sys
from importlib.machinery import PathFinder

# On a CPU without AVX-512 TensorFlow leaves oneDNN off, and is three times slower.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what matters is raised; the rest hides our own lines

IMPORTED = b"\0imported"
# A process of its own, since an import on a CPU without AVX says why and aborts the process that it is in.
SHOW_UNLESS_IMPORTED = f"""
import sys
text = sys.stdin.buffer.read()
if not text.endswith({IMPORTED!r}):
    sys.stderr.buffer.write(text)
"""


@contextlib.contextmanager
def said_only_if_it_fails():
    """Keep what is written to the standard error, by libraries in C too, and show it only where the block fails."""
    read, write = os.pipe()
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", SHOW_UNLESS_IMPORTED], stdin=read, start_new_session=True
    )
    os.close(read)
    sys.stderr.flush()
    before = os.dup(2)
    os.dup2(write, 2)
    try:
        yield
        os.write(write, IMPORTED)
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(write)
        watcher.wait()


class QuietTensorFlow:
    """Finds TensorFlow as Python does, whoever imports it, and has it loaded quietly."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Like every finder on `sys.meta_path`."""
        quiet = os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3" and sys.stderr is not None  # else a user wants to read it
        spec = PathFinder.find_spec(name, path) if name == "tensorflow" and quiet else None
        if spec and spec.loader:
            spec.loader.exec_module = said_only_if_it_fails()(spec.loader.exec_module)
        return spec


sys.meta_path.insert(0, QuietTensorFlow)


@functools.cache
def has_dilated_gradient():
    """Whether a dilated convolution can be trained here: oneDNN and GPUs have its gradient, TensorFlow's CPU kernels not."""
    import tensorflow as tf

    with tf.init_scope():  # at once, also while a graph is built
        x = tf.zeros((1, 4, 4, 1))
        try:
            tf.raw_ops.Conv2DBackpropFilter(
                input=x,
                filter_sizes=[3, 3, 1, 1],
                out_backprop=x,
                strides=[1, 1, 1, 1],
                padding="SAME",
                dilations=[1, 2, 2, 1],
            )
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
    return True
