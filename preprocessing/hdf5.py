"""HDF5 files of ours, opened to read."""

import contextlib
import os

import h5py

from preprocessing.files import UserError


@contextlib.contextmanager
def reading(path, what, mend):
    """Open `path` for a `with` block that reads it.

    Without HDF5's lock, which some file systems refuse: a file of ours is renamed when whole and never written again.

    Parameters
    ----------
    what, mend : str, what the file should be and what to do if it is not, for the message

    Raises
    ------
    FileNotFoundError
    UserError
        The system does not let it be read, it is damaged or another kind of file.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        number = getattr(error, "errno", None)
        if number:
            raise UserError(f"cannot read {path}: {os.strerror(number)}") from None
        reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
        raise UserError(f"{path} is damaged or no {what} ({reason}): {mend}") from None
