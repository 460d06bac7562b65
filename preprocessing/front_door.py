"""What every numbered script does around its work: catch errors once, and name the data."""

import errno
import os
import signal
import sys
from pathlib import Path

from preprocessing.files import FULL, UserError, printable

DATA_VARIABLE = "COLORIZE_DATA"


def run(main):
    """Run a script's `main`; exit 2 with one line for an error a user can mend, 130 for Ctrl-C."""
    script = Path(sys.argv[0]).name
    _open_closed_outputs()
    try:
        main()
    except UserError as error:
        _stop(script, error, 2)
    except KeyboardInterrupt:
        _stop(script, "stopped; the same command goes on, or begins again", 130)
    except ImportError as error:
        if error.name in ("tensorflow", "keras", "tensorboard"):
            _stop(script, f"this needs {error.name}, which is not installed: pip install -e '.[train]'", 2)
        if "libGL" not in str(error):
            raise
        _stop(
            script, "OpenCV needs the system's libGL: install it (Debian: apt-get install libgl1), or `make results`", 2
        )
    except BrokenPipeError:  # who reads our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno == errno.ENOENT and not _is_there():
            _stop(script, "the folder that you are in was deleted: go to another", 2)
        if error.errno not in (*FULL, errno.EACCES, errno.EROFS, errno.ENAMETOOLONG):
            raise
        verb = "read or write" if error.errno == errno.EACCES else "write"
        mend = "; make room and run it again" * (error.errno in FULL)
        _stop(script, f"cannot {verb} {error.filename or 'to the disk'}: {error.strerror}{mend}", 2)


def _open_closed_outputs():
    """Where standard output or error is closed what is said goes nowhere, rather than into the next file that is opened."""
    if sys.stdout and sys.stderr:
        return
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))


def _is_there():
    """Whether the current folder is still there."""
    try:
        return bool(os.getcwd())
    except FileNotFoundError:
        return False


def _stop(script, message, code):
    said = printable(message)
    print(f"\n{script}: {said}" if code == 130 else f"{script}: error: {said}", file=sys.stderr)
    sys.exit(code)


def add_data_argument(parser):
    """Add `--data PATH [PATH ...]`, by default what COLORIZE_DATA names (separated by `:`)."""
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="PATH",
        default=[path for path in os.environ.get(DATA_VARIABLE, "").split(":") if path],
        help=f"folders, zips or batch files of photographs (default: ${DATA_VARIABLE}, else the embedded photographs)",
    )


class StopRequest:
    """Within it the first Ctrl-C (or SIGTERM) only sets `requested`, for a loop to stop where it can; the second stops."""

    def __init__(self):
        self.requested = False
        self._before = {}

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, *_):
        self.requested = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
