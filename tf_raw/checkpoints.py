"""One checkpoint is the whole of a run: weights, moments, best weights, and where it stands."""

import contextlib
import json
import shutil
from pathlib import Path

import tensorflow as tf

from preprocessing.files import UserError


class RunState:
    """The state of a training run, saved and restored by `tf.train.Checkpoint`.

    Attributes
    ----------
    progress : dict, plain values: step, sums of the epoch so far, history, best score, seconds, finished
    best : dict of name to tf.Variable, the weights of the best validation error so far
    """

    def __init__(self, network, average, optimizer, folder):
        self._network, self._average, self.optimizer = network, average, optimizer
        self.best = {name: tf.Variable(variable, trainable=False) for name, variable in network.variables.items()}
        self.progress = {
            "step": 0,
            "epoch_sum": 0.0,  # over the epoch's images so far, of their loss as it is reported
            "epoch_images": 0,
            "wait_seconds": 0.0,
            "best_epoch": 0,
            "best_val": float("inf"),
            "history": [],
            "seconds": 0.0,
            "finished": False,
        }
        self._progress = tf.Variable("", dtype=tf.string, trainable=False)
        checkpoint = tf.train.Checkpoint(
            network=list(network.variables.values()),
            average=list(average.variables.values()),
            m=optimizer.m,
            v=optimizer.v,
            t=optimizer.t,
            best=list(self.best.values()),
            progress=self._progress,
        )
        self._checkpoint = checkpoint
        _drop_damaged_index(Path(folder) / "checkpoints")
        self._manager = tf.train.CheckpointManager(checkpoint, str(Path(folder) / "checkpoints"), max_to_keep=2)

    def keep_best(self):
        """Copy the averaged weights to `best`."""
        for name, variable in self._average.variables.items():
            self.best[name].assign(variable)

    def save(self):
        """Write a checkpoint; the one before it stays. Raises UserError for a full disk or weights that are not finite."""
        for name, variable in self._network.variables.items():
            if not tf.reduce_all(tf.math.is_finite(variable)):
                raise UserError(f"{name} is no longer finite: start a new --run with a lower --learning-rate")
        self._progress.assign(json.dumps(self.progress))
        try:
            self._manager.save()
        except (tf.errors.OpError, OSError) as error:
            self._remove_temporary()
            reason = str(getattr(error, "message", error)).rpartition(";")[2].partition("[Op")[0].strip()
            raise UserError(f"cannot write a checkpoint ({reason}): make room and run the same command again") from None

    def restore(self):
        """Take up the newest checkpoint that is whole; False, after a line if parts of one are there, if there is none."""
        self._remove_temporary()
        folder = Path(self._manager.directory)
        saved = _saved(folder)
        for path in saved:
            with contextlib.suppress(
                tf.errors.OpError, IndexError, ValueError, AssertionError
            ):  # as TensorFlow finds it cut
                self._checkpoint.restore(path).assert_existing_objects_matched()
                self.progress = json.loads(self._progress.numpy())
                return True
        if saved:
            raise UserError(f"no checkpoint in {folder} can be read: delete the folder to start again")
        if any(folder.glob("ckpt-*")):
            print(f"{folder} holds parts of checkpoints and none that is whole: the run begins anew")
        return False

    def _remove_temporary(self):
        """Remove what a full disk or a kill left of a checkpoint that was being written."""
        for path in Path(self._manager.directory).glob("*_temp"):
            shutil.rmtree(path, ignore_errors=True)


def _saved(folder):
    """The checkpoints that lie in a folder, newest first, whether TensorFlow's index of them is there or not."""
    paths = [path.with_suffix("") for path in folder.glob("ckpt-*.index")]
    return [str(path) for path in sorted(paths, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)]


def _drop_damaged_index(folder):
    """Remove the index of checkpoints that a crash has emptied: its manager would end in a traceback."""
    try:
        readable = tf.train.get_checkpoint_state(str(folder))
    except (tf.errors.OpError, ValueError, TypeError):
        readable = None
    if readable is None or not readable.model_checkpoint_path:
        (folder / "checkpoint").unlink(missing_ok=True)
