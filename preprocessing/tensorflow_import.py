"""How TensorFlow comes in: with oneDNN, in less time, without its own lines between ours; and what its kernels then lack.

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

# Keras imports these where they are installed, in more than a third of its time, for what nothing here uses.
UNUSED = ("sklearn", "pandas", "matplotlib")

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


@contextlib.contextmanager
def hidden(names):
    """Packages that nobody has imported yet are, to the block, not installed."""
    names = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(names))
    try:
        yield
    finally:
        for name in names:
            if sys.modules.get(name, name) is None:
                del sys.modules[name]


class QuickAndQuiet:
    """Finds TensorFlow and Keras as Python does, whoever imports them, and has them loaded without what we do not want."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Like every finder on `sys.meta_path`."""
        spec = PathFinder.find_spec(name, path) if name in ("tensorflow", "keras") else None
        if spec and spec.loader:
            load = hidden(UNUSED)(spec.loader.exec_module)
            quiet = os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3" and sys.stderr is not None  # else a user wants to read it
            if name == "tensorflow" and quiet:
                load = said_only_if_it_fails()(load)
            spec.loader.exec_module = load
        return spec


sys.meta_path.insert(0, QuickAndQuiet)


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
