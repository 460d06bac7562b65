"""Downsampled ImageNet (Chrabaszcz et al. 2017): `.npz` batches, and the original pickles read without running code."""

import functools
import math
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np

from preprocessing.files import UserError

SIDES = (32, 64)  # px


def is_batch_file(path):
    """Whether a file is named like a batch: `train_data_batch_7`, `val_data.npz`."""
    return re.fullmatch(r"(train_data_batch_\d+|val_data)(\.npz)?", Path(path).name) is not None


def batch_files(folder):
    """The batch files of a folder in the order of their numbers; an `.npz` hides the pickle of the same name."""
    found = {path.name.removesuffix(".npz"): path for path in sorted(Path(folder).iterdir()) if is_batch_file(path)}
    return [found[name] for name in sorted(found, key=lambda name: (len(name), name))]


@functools.lru_cache(maxsize=1)
def load_batch(path):
    """The images of a batch file.

    Returns
    -------
    rows : ndarray of uint8, shape (N, 3 * S * S); each row an R plane, then G, then B

    Raises
    ------
    UserError
        The file is damaged, holds no such array, or is a pickle of more than arrays, lists, dicts, ints and strings.
    """
    path = Path(path)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                rows = archive["data"]
        else:
            with open(path, "rb") as file:
                rows = _ArrayUnpickler(file, encoding="latin1").load()["data"]
                rows = rows.array if isinstance(rows, _Array) else None
    except _Refused as refusal:
        raise UserError(f"{path} is refused: the pickle calls for {refusal}, and could run code") from None
    except (
        OSError,
        EOFError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
        pickle.PickleError,
    ):
        raise UserError(f"{path} is not a readable downsampled ImageNet batch (an array named `data`)") from None
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2 or _side(rows) not in SIDES:
        raise UserError(f"{path}: `data` is not N rows of 3 x 32 x 32 or 3 x 64 x 64 bytes")
    return rows


def _side(rows):
    return math.isqrt(rows.shape[1] // 3) if rows.shape[1] == 3 * math.isqrt(rows.shape[1] // 3) ** 2 else None


def row_to_bgr(row):
    """(3 * S * S,) uint8, planes R, G, B -> (S, S, 3) uint8 BGR."""
    side = math.isqrt(len(row) // 3)
    return np.ascontiguousarray(row.reshape(3, side, side).transpose(1, 2, 0)[..., ::-1])


class _Refused(Exception):
    """A pickle asks for something that is not an array of numbers."""


class _Dtype:
    """Stands in for numpy.dtype while unpickling: a plain number type, as text."""

    def __init__(self, code, *_):
        if not re.fullmatch(r"[<>|=]?[biuf][1248]", str(code)):
            raise _Refused(f"the array type {code!r}")
        self.code = code

    def __setstate__(self, state):
        if state[1] in ("<", ">", "|", "="):
            self.code = state[1] + self.code.lstrip("<>|=")


class _Array:
    """Stands in for numpy.ndarray while unpickling: only bytes and a plain type become an array."""

    array = None

    def __setstate__(self, state):
        _version, shape, dtype, fortran, data = state
        self._fill(data, dtype, shape, "F" if fortran else "C")

    def _fill(self, data, dtype, shape, order):
        if not isinstance(dtype, _Dtype) or isinstance(data, list):
            raise _Refused("an array of objects")
        data = data.encode("latin1") if isinstance(data, str) else data  # as Python 2 pickled it
        self.array = np.frombuffer(data, dtype.code).reshape(shape, order=order)


def _new_array(*_):
    return _Array()


def _array_from_buffer(data, dtype, shape, order):
    array = _Array()
    array._fill(data, dtype, shape, order)
    return array


def _latin1_bytes(text, encoding):
    if encoding != "latin1":
        raise _Refused(f"the codec {encoding!r}")
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    """Admits numpy arrays, lists, dicts, ints and strings; each name a pickle calls is one of ours or refused."""

    ADMITTED = {
        "numpy.ndarray": _Array,
        "numpy.dtype": _Dtype,
        "numpy.core.multiarray._reconstruct": _new_array,
        "numpy._core.multiarray._reconstruct": _new_array,
        "numpy.core.numeric._frombuffer": _array_from_buffer,
        "numpy._core.numeric._frombuffer": _array_from_buffer,
        "_codecs.encode": _latin1_bytes,
    }

    def find_class(self, module, name):
        try:
            return self.ADMITTED[f"{module}.{name}"]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None
