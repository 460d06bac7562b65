"""Workers of a Dask cluster, which see the photographs and the shard folder under the same paths (a shared file system).

Dask gives a block anew whose worker died. A shard is written whole under a name of its writer and then renamed, so a
worker that was taken for dead does no harm.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import hashlib
import logging
import os
import secrets
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import PIL
import pillow_heif
import scipy

from preprocessing.block import Work, Workers, build_block
from preprocessing.files import UserError, write_atomically
from preprocessing.pool import keep_freed_memory

try:
    from distributed import Client, KilledWorker, Security, get_worker
    from distributed.comm import CommClosedError, connect
except ImportError as error:
    raise UserError(f"--scheduler needs Dask: pip install -e '.[cluster]' ({error})") from None

CONNECT = 10  # seconds to find the scheduler, and then a worker
PATIENCE = 120  # seconds without a worker, after which a build is given up
LEAVE = 60  # seconds for tasks that were cancelled to end
REPORT = 0.5  # seconds between two reports of a worker
ANOTHER = "has another version of this repository, or none: install this one there, and restart it"
SAMPLE = 100  # photographs, evenly spread, that each worker is asked to find


def _versions():
    """What decides a shard's bytes, name and version: our sources and the libraries that decode, resize and write."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    libraries = {"OpenCV": cv2, "NumPy": np, "Pillow": PIL, "pillow-heif": pillow_heif, "h5py": h5py, "SciPy": scipy}
    return (
        ("preprocessing", digest.hexdigest()[:12]),
        *((name, module.__version__) for name, module in libraries.items()),
    )


VERSIONS = _versions()  # as this process has loaded them: the files may be replaced later


@dataclass(frozen=True)
class _Job:
    """What a worker must know of a build, and have, before it begins."""

    topic: str  # under which it reports, and with which its tasks' names begin
    token: str  # a file of this build in the shard folder
    photographs: tuple  # (path, bytes) of some
    versions: tuple = VERSIONS


@contextlib.contextmanager
def cluster(address, folder, photographs):
    """The workers of a Dask scheduler, as preprocessing.block.Workers; an exception stops them amid their blocks.

    Raises
    ------
    UserError
        No scheduler or worker can be reached, one has another version of our code or libraries, or does not see the
        folder or the photographs; or they are lost during the build.
    """
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is said by us, in one line
    warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
    with _connected(address) as client:
        topic = f"shards-{client.id}"
        token = Path(os.path.abspath(folder), f".{topic}.tmp")
        write_atomically(token, b"")
        executor = client.get_executor(pure=False)
        job = _Job(topic, str(token), _sample(photographs))
        try:
            _check(client, job)
            yield _workers(client, executor, job)
        except KilledWorker as error:
            block = str(error.task).removeprefix(f"{topic}-")
            raise UserError(
                f"every worker that took {block} died (out of memory?): run the same command again"
            ) from None
        except ImportError:
            raise UserError(f"a worker that has come {ANOTHER}") from None
        except (CommClosedError, concurrent.futures.CancelledError):
            raise UserError(f"the scheduler {address} was lost: start it and run the same command again") from None
        finally:
            executor.shutdown(wait=False)  # which cancels
            with contextlib.suppress(OSError):  # of a scheduler that is gone
                _wait_until_left(client, topic)
            token.unlink(missing_ok=True)


def _connected(address):
    """A Client, whose scheduler has a worker."""
    try:
        asyncio.run(_knock(address))  # a Client that finds none takes 20 seconds to close
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"no Dask scheduler answers at {address!r} ({reason}): start one with `dask scheduler`"
        ) from None
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError:
        client.close()
        raise UserError(f"{address} has no workers: start some with `dask worker {address}`") from None
    return client


async def _knock(address):
    async with asyncio.timeout(CONNECT + 1):  # another server may say nothing at all
        comm = await connect(address, timeout=CONNECT, **Security().get_connection_args("client"))
    comm.abort()


def _sample(photographs):
    paths = {os.path.abspath(each.container): None for each in photographs[:: max(1, len(photographs) // SAMPLE)]}
    if photographs[0].kind == "batch":  # whose rows are sent
        return ()
    return tuple((path, os.path.getsize(path)) for path in paths if os.access(path, os.R_OK))


def _check(client, job):
    """Raise UserError where the scheduler or a worker could not do the job as this machine would."""
    try:
        client.run_on_scheduler(_has_scheduler_tasks, job.topic)  # it unpacks what it passes on
    except Exception as error:  # noqa: BLE001 - whatever one raises that has no such function
        answers = {"the scheduler": error}
    else:
        answers = {f"worker {name}": answer for name, answer in client.run(_complaint, job, on_error="return").items()}
    for where, answer in answers.items():
        if isinstance(answer, (ImportError, AttributeError, TypeError)):  # as it looks for what it should call
            raise UserError(f"{where} {ANOTHER}")
        if isinstance(answer, Exception):
            raise UserError(f"{where} cannot be asked ({type(answer).__name__}: {answer}): restart it")
        if answer:
            raise UserError(f"{where} {answer}")


def _other_version(versions):
    for (name, here), (_, there) in zip(versions, VERSIONS, strict=True):
        if here != there:
            return f"has another version of {name} ({there}, not {here}): install the same there, and restart it"
    return None


@functools.lru_cache(maxsize=1)
def _complaint(job):
    """What keeps this worker from doing a job, or None. Asked of all at the beginning, and of each that comes later."""
    if complaint := _other_version(job.versions):
        return complaint
    if not os.path.exists(job.token):
        return f"does not see {os.path.dirname(job.token)}: mount it there under the same path"
    try:
        probe = Path(f"{job.token}-{secrets.token_hex(8)}.tmp")
        write_atomically(probe, b"")
        probe.unlink()
    except UserError:
        return f"cannot write in {os.path.dirname(job.token)}: let its user write there"
    for path, size in job.photographs:
        if not os.access(path, os.R_OK) or os.path.getsize(path) != size:
            return f"does not see {path} as it is here: mount the photographs there under the same path"
    cv2.setNumThreads(1)  # the workers are the parallelism
    keep_freed_memory()
    return None


def _workers(client, executor, job):
    done = {}  # photographs, of each block: one that is begun again counts anew

    def hear(event):
        name, count = event[1]
        done[name] = count

    @functools.cache
    def shared(near_copies):
        """A task whose result goes to each worker once, and which Dask can run again where it is lost."""
        return client.submit(_itself, near_copies, key=f"near-copies-{client.id}")

    def submit(work, block, near_copies):
        work = replace(work, folder=Path(os.path.abspath(work.folder)))
        photographs = [each._replace(container=os.path.abspath(each.container)) for each in block.photographs]
        block = replace(block, photographs=photographs)
        copies = shared(near_copies) if near_copies else None
        return executor.submit(_build, job, work, block, copies, key=f"{job.topic}-{block.split}-{block.index}")

    last_seen = time.monotonic()

    def count():
        nonlocal last_seen
        threads = sum(client.nthreads().values())
        if threads:
            last_seen = time.monotonic()
        elif time.monotonic() - last_seen > PATIENCE:
            raise UserError(f"no worker is left since {PATIENCE} seconds: start some and run the same command again")
        return max(1, threads)

    client.subscribe_topic(job.topic, hear)
    return Workers(submit, count, lambda: sum(done.values()))


def _itself(value):
    return value


class _Unwanted(Exception):
    """The task was cancelled, or who asked for it is gone."""


def _build(job, work: Work, block, near_copies):
    worker = get_worker()
    if complaint := _complaint(job):
        raise UserError(f"worker {worker.address} {complaint}")
    key, name = worker.get_current_task(), f"{block.split}-{block.index}"
    reported = time.monotonic()

    def step(done):
        nonlocal reported
        task = worker.state.tasks.get(key)
        if task is None or task.state != "executing":
            raise _Unwanted
        if time.monotonic() - reported > REPORT or done == len(block.photographs):
            worker.log_event(job.topic, (name, done))
            reported = time.monotonic()

    return build_block(work, block, near_copies, step)


def _wait_until_left(client, topic):
    """Wait until no task of a topic is anywhere: only then may another build begin in the folder."""
    end = time.monotonic() + LEAVE
    while time.monotonic() < end and client.status == "running":
        scheduled = client.run_on_scheduler(_has_scheduler_tasks, topic)
        if not scheduled and not any(client.run(_has_worker_tasks, topic, on_error="ignore").values()):
            return
        time.sleep(0.1)


def _has_scheduler_tasks(topic, dask_scheduler):
    return any(str(key).startswith(topic) for key in dask_scheduler.tasks)


def _has_worker_tasks(topic, dask_worker):
    return any(str(key).startswith(topic) for key in dask_worker.state.tasks)
