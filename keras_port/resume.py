"""Resuming `fit` rightly.

Keras' EarlyStopping forgets its best score and patience on a restart, ModelCheckpoint its best score, and
BackupAndRestore writes several files that a kill can come between. Here one file, written whole at the end of every
epoch, holds all of it: weights, optimizer, dropout's random state, best weights, best score, patience, log.
"""

import io
import json
import time
from pathlib import Path

import h5py
import keras
import numpy as np

from preprocessing.files import write_atomically
from preprocessing.hdf5 import reading
from preprocessing.options import check_finite, check_same_run

STATE = "state.h5"


class ResumableState(keras.callbacks.Callback):
    """Saves the state of a run at the end of each epoch, and puts it back before the first.

    Parameters
    ----------
    folder : path of the run
    state : dict, as `load_state` gives it, or with only "compute" for a new run
    settings : dict, the settings that a resumed run must share
    early_stopping : keras.callbacks.EarlyStopping with restore_best_weights
    averaging : list, empty or of one keras.callbacks.SwapEMAWeights, which has put the average into the model at an epoch's end
    epochs : int, after which the run is finished
    stop : preprocessing.front_door.StopRequest, answered between batches: an interrupt inside the backend prints its own
    """

    def __init__(self, folder, state, settings, early_stopping, averaging, epochs, stop):
        super().__init__()
        self._folder, self._settings, self._early_stopping = Path(folder), settings, early_stopping
        self._averaging, self._epochs, self._stop = averaging, epochs, stop
        self.state = dict(state)

    def restore(self, model):
        """Put weights, optimizer, random state and log back."""
        log = self._folder / "log.csv"
        if "weights" not in self.state:
            log.unlink(missing_ok=True)  # of an epoch whose state could not be saved
            return
        model.set_weights(self.state["weights"])
        for variable, value in zip(model.optimizer.variables, self.state["optimizer"], strict=True):
            variable.assign(value)
        for variable, value in zip(_random_states(model), self.state["random"], strict=True):
            variable.assign(value)
        write_atomically(log, self.state["log"].encode())

    def on_train_begin(self, logs=None):
        self._started = time.monotonic() - self.state.get("seconds", 0.0)
        if "weights" in self.state:
            self._early_stopping.best = self.state["best"]
            self._early_stopping.best_epoch = self.state["best_epoch"]
            self._early_stopping.wait = self.state["wait"]
            self._early_stopping.best_weights = self.state["best_weights"]

    def on_test_batch_end(self, batch, logs=None):
        if self._stop.requested:
            raise KeyboardInterrupt

    def on_train_batch_end(self, batch, logs=None):
        if self._stop.requested:
            raise KeyboardInterrupt
        check_finite(logs["loss"], f"batch {batch}")

    def on_epoch_end(self, epoch, logs=None):
        stopping = self._early_stopping
        for swap in self._averaging:
            swap.on_epoch_begin(epoch)  # the weights that go on being trained
        self.state.update(
            epoch=epoch + 1,
            best=float(stopping.best),
            best_epoch=int(stopping.best_epoch),
            wait=int(stopping.wait),
            seconds=time.monotonic() - self._started,
            log=(self._folder / "log.csv").read_text(),
            finished=bool(self.model.stop_training) or epoch + 1 >= self._epochs,
            weights=self.model.get_weights(),
            best_weights=[np.asarray(array) for array in stopping.best_weights],
            optimizer=[keras.ops.convert_to_numpy(variable) for variable in self.model.optimizer.variables],
            random=[keras.ops.convert_to_numpy(variable) for variable in _random_states(self.model)],
        )
        save_state(self._folder, self.state, self._settings)


def _random_states(model):
    """What `get_weights` leaves out: from where each dropout draws."""
    return [layer.seed_generator.state for layer in model.layers if isinstance(layer, keras.layers.Dropout)]


ARRAYS = ("weights", "best_weights", "optimizer", "random")


def save_state(folder, state, settings):
    """Write the state of a run as one file."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name in ARRAYS:
            file.create_group(name)  # of a network without dropout, "random" is empty
            for index, array in enumerate(state[name]):
                file[f"{name}/{index:04}"] = array
        file["log"] = state["log"]  # no attribute: those hold 64 kB
        plain = {key: value for key, value in state.items() if key not in (*ARRAYS, "log")}
        file.attrs["state"] = json.dumps({"plain": plain, "settings": settings})
    write_atomically(Path(folder) / STATE, buffer.getbuffer())


def load_state(folder, settings):
    """The state in `folder`, or None for a new run.

    Raises
    ------
    UserError
        The state is damaged, or of a run with other settings.
    """
    path = Path(folder) / STATE
    if not path.exists():
        return None
    with reading(path, "state of a run", f"delete {folder} to start again") as file:
        saved = json.loads(file.attrs["state"])
        arrays = {name: [file[name][key][()] for key in sorted(file[name])] for name in ARRAYS}
        log = file["log"].asstr()[()] if "log" in file else path.with_name("log.csv").read_text()  # of an older state
    check_same_run(folder, saved["settings"], settings)
    return {**saved["plain"], **arrays, "log": log}
