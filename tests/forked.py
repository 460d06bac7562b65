"""Scripts in processes forked from one that holds TensorFlow, whose import takes each three seconds of CPU.

Run, this file is that process: it reads a request a line, and answers each with a line.
"""

import contextlib
import functools
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


@functools.cache
def host():
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def close_host():
    """Wait for its end: its CPU is ours."""
    if host.cache_info().currsize:
        host().communicate()


def asked(**request):
    print(json.dumps(request), file=host().stdin, flush=True)
    return json.loads(host().stdout.readline())


class Forked:
    """A script in the background, its output joined and unbuffered; as of a subprocess.Popen what is asked of it here."""

    def __init__(self, script, *arguments, cwd, environment=None, traced=True):
        self._output = tempfile.NamedTemporaryFile()  # gone with us
        words, environment = [str(word) for word in (REPOSITORY / script, *arguments)], environment or {}
        self.pid = asked(words=words, cwd=str(cwd), output=self._output.name, environment=environment, traced=traced)
        self.returncode = None

    def poll(self):
        if self.returncode is None:
            self.returncode = asked(pid=self.pid)
        return self.returncode

    def said(self):
        return Path(self._output.name).read_text()

    def communicate(self, timeout):
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise TimeoutError(self.said())
            time.sleep(0.05)
        return self.said(), None

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def serve():
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        request = json.loads(line)
        answer = exit_code_of(**request) if "pid" in request else fork(**request)
        print(json.dumps(answer), flush=True)


def exit_code_of(pid):
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def fork(words, cwd, output, environment, traced):
    """As `python words` in the background, whose pid is returned."""
    import tensorflow as tf

    pid = os.fork()
    if pid:
        return pid
    code = 1
    with contextlib.suppress(BaseException):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for stream, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY | os.O_APPEND), (2, os.O_WRONLY | os.O_APPEND)):
            os.dup2(os.open(output if stream else os.devnull, flags), stream)
        sys.stdout.reconfigure(line_buffering=True)
        os.chdir(cwd)
        os.environ.update(environment)
        tf.config.run_functions_eagerly(not traced)
        sys.argv = words
        try:
            runpy.run_path(words[0], run_name="__main__")
            code = 0
        except SystemExit as stopped:
            code = stopped.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    import preprocessing  # noqa: F401 - before TensorFlow

    serve()
