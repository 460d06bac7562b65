"""Workers on this machine: a process for each core."""

import contextlib
import ctypes
import functools
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver

import cv2

from preprocessing.block import Workers, build_block
from preprocessing.files import UserError
from preprocessing.photograph import libraries_silenced

PROGRESS_STEP = 8  # photographs
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def start_workers_early():
    """Let the server from which workers are forked import what they need while this process lists photographs."""
    multiprocessing.set_forkserver_preload([__name__])
    forkserver.ensure_running()


@contextlib.contextmanager
def local_pool(_folder, _photographs):
    """Processes on all cores, as preprocessing.block.Workers; an exception stops them amid their blocks."""
    start_workers_early()
    context = multiprocessing.get_context("forkserver")  # a fork of this process would inherit OpenCV's locked threads
    progress, stop = context.Value("q", 0), context.Event()
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, context, _start_worker, (progress, stop)) as pool:
        try:
            yield Workers(functools.partial(pool.submit, _build), lambda: cores, lambda: progress.value)
        except BrokenProcessPool:
            raise UserError("a worker process was killed (out of memory?): run the same command again") from None
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker(*shared):
    global _progress, _stop
    _progress, _stop = shared
    keep_freed_memory()
    cv2.setNumThreads(1)  # the processes are the parallelism
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer

    def leave_with_parent():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def keep_freed_memory():
    """Let malloc keep what a block has freed for the next: to fault in fresh pages costs a seventh of the time."""
    with contextlib.suppress(AttributeError, OSError):  # where the C library is not glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, 1 << 30)
        mallopt(M_MMAP_THRESHOLD, 1 << 25)  # the most it takes


class _Stopped(Exception):
    """The build was given up."""


@libraries_silenced()
def _build(work, block, near_copies):
    count = len(block.photographs)

    def step(done):
        if _stop.is_set():
            raise _Stopped
        if done % PROGRESS_STEP == 0 or done == count:
            with _progress.get_lock():
                _progress.value += (done - 1) % PROGRESS_STEP + 1

    return build_block(work, block, near_copies, step)
