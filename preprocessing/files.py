"""Files that are whole or absent, and the one error class for what a user can mend."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import sys
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
    """A mistake or a condition that the user can mend; its text is one line that says how."""


class DiskFull(UserError):
    """Nothing more can be written, of this file or of others."""


def cannot_write(path, error, mend="choose another folder"):
    """The UserError of an OSError (or its like, with errno and strerror) that came of writing `path`."""
    kind = DiskFull if error.errno in FULL else UserError
    return kind(f"cannot write {path}: {error.strerror}; make room or {mend}")


def printable(text):
    """A message as one line: what a file's name may hold besides letters (line ends, escape codes, bytes that are none)."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in str(text))


def json_object(path):
    """The object, a dict, in a JSON file; ValueError for text that is none, and OSError."""
    found = json.loads(Path(path).read_text())
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no JSON object")
    return found


def write_atomically(path, data, shared=False):
    """Write `data` (bytes) under a temporary name and rename it when whole.

    HDF5 files are built in memory and written by this function too: the HDF5 library crashes at exit
    when the disk fills under a file that it holds open.

    Parameters
    ----------
    shared : bool, whether two processes may write this file at once: then each has a temporary name of its own, and who
        holds the folder removes what a killed one has left (`.*.tmp`)

    Raises
    ------
    UserError
        The disk is full or the folder cannot be written; nothing is left behind.
    """
    path = Path(path)
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]  # the name itself may be as long as names can be
    temporary = path.with_name(f".{digest}{secrets.token_hex(8) if shared else ''}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        raise cannot_write(path, error) from None


@contextlib.contextmanager
def held(folder, wait=False):
    """Hold `folder` for this process: a second one that wants to write there waits, or gets a UserError.

    Where the file system has no locks it is said, and nothing is held.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")
    except OSError as error:
        raise UserError(f"cannot write in {folder}: {error.strerror}; choose another folder") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise UserError(f"another process is writing in {folder}: wait for it to end") from None
        except OSError:  # a file system without locks, such as some NFS
            print(f"{folder} cannot be locked: start no second process that writes there", file=sys.stderr)
        yield
