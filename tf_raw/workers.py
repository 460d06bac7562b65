"""Machines that train one network together, told of each other by TF_CONFIG, TensorFlow's own convention.

Each holds the whole network and sees its share of every batch; all take the same step, along the mean of their gradients.
The first, the chief, writes what is written. Where one ends, TensorFlow breaks off what the others wait for.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import signal
from dataclasses import dataclass

import tensorflow as tf

from preprocessing.files import UserError

EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
STOP_STEPS = 10  # between two questions whether one was told to stop: each takes as long as a message there and back
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


@dataclass(frozen=True)
class Workers:
    """Who trains: `strategy` of `count` workers, of which this process is number `rank`."""

    strategy: tf.distribute.Strategy
    rank: int = 0
    count: int = 1

    @property
    def chief(self):
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, length):
        """The slice of `length` things that is this worker's."""
        return slice(length * self.rank // self.count, length * (self.rank + 1) // self.count)

    def total(self, value):
        """The sum of a number over the workers; each waits here for all."""
        return value if self.count == 1 else float(_total(self.strategy, tf.constant(float(value), tf.float64)))

    def check_same(self, value, message):
        """Raise UserError(message) where `value`, plain as JSON has it, is not the first worker's; each waits for all."""
        if self.count > 1:
            number = int(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12], 16)
            if number != self.total(number * self.chief):
                raise UserError(message)

    def stopping(self, requested, step):
        """Whether to stop after this step, because one of the workers was told to: all get the same answer."""
        if self.count == 1:
            return requested
        return step % STOP_STEPS == 0 and self.total(requested) > 0

    @contextlib.contextmanager
    def together(self):
        """Turn the loss of another worker into a UserError."""
        try:
            yield
        except LOST:
            if self.count == 1:
                raise
            raise UserError(
                "another worker has ended: see what it said, and run the same command on each again; it goes on"
            ) from None


ALONE = Workers(tf.distribute.get_strategy())  # TensorFlow's default, which calls what it is given


def averaged(network, loss, gradients):
    """Within `strategy.run`: the means over the workers of a step's loss and gradients (None for what has no part in it).

    The network's moving statistics become their means too: a step towards the mean of the batches' statistics.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return loss, gradients
    statistics = [variable for variable in network.variables.values() if not variable.trainable]
    present = [gradient for gradient in gradients if gradient is not None]
    values = [loss, present, [tf.identity(each) for each in statistics]]
    loss, present, means = context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
    for variable, mean in zip(statistics, means, strict=True):
        variable.assign(mean)
    present = iter(present)
    return loss, [None if gradient is None else next(present) for gradient in gradients]


@tf.function
def _total(strategy, value):
    def summed():
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

    return strategy.run(summed)


def join(batch_size):
    """The workers that TF_CONFIG names, when all are there; `ALONE` without it. Comes before all else of TensorFlow.

    Raises
    ------
    UserError
        TF_CONFIG is not what TensorFlow wants, the workers do not divide the batch, or cannot be joined.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return ALONE
    addresses, rank = _read(text)
    if batch_size % len(addresses):
        raise UserError(
            f"{len(addresses)} workers cannot share a batch of {batch_size}: choose a --batch-size that they divide"
        )
    return Workers(_strategy(addresses[rank], rank, len(addresses)), rank, len(addresses))


@functools.cache  # TensorFlow joins once a process
def _strategy(address, rank, count):
    print(f"worker {rank} of {count}, {address}: waiting for the others")
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # which Python would not see before all are there
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"cannot join the workers of TF_CONFIG as {address} ({reason})") from None
    finally:
        signal.signal(signal.SIGINT, before)
    if strategy.num_replicas_in_sync != count:
        raise UserError("a worker takes one GPU: name it in CUDA_VISIBLE_DEVICES")
    return strategy


def _read(text):
    """The addresses of all workers, the chief's first, and this one's place among them, of TF_CONFIG."""
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        names = [(job, place) for job in ("chief", "worker") for place in range(len(cluster.get(job, ())))]
        addresses = [cluster[job][place] for job, place in names]
        if set(cluster) - {"chief", "worker"} or len(set(addresses)) < len(addresses):
            raise ValueError
        if not all(re.fullmatch(r"\S+:\d+", address) for address in addresses):
            raise ValueError
        return addresses, names.index((task["type"], int(task["index"])))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"TF_CONFIG is {text}, and should be like {EXAMPLE}") from None
