"""`make bench`, its part on a step of 04_train_64.py: what its time goes to, PyTorch's step, and the ceiling of matrix products."""

import contextlib
import importlib.util
import re
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from unittest.mock import patch

BATCH, ROUNDS, STEPS = 64, 5, 5
DROPOUT, DILATION, WEIGHT_DECAY, AVERAGE_DECAY = 0.1, 2, 0.01, 0.999  # 04_train_64.py's own
MATRIX, TIMES = (4096, 2048, 2048), 10
TYPES = ("float32", "bfloat16")
PARTS = {"dropout": "dropout", "batch_norm": "batch_norm", "apply": "adam", "move_towards": "average"}  # by function


def bench_step(side):
    """Print and give images/s of our step and of PyTorch's, taken in turn, the shares of ours, and that of the ceiling."""
    import numpy as np

    random = np.random.default_rng(0)
    L, ab = (random.integers(0, 256, (BATCH, side, side, channels), np.uint8) for channels in (1, 2))
    steps = {f"tf_raw_{name}": _our_step(name) for name in TYPES}
    if importlib.util.find_spec("torch"):
        from results.studies.bench_torch import build, step_of

        for name in TYPES:
            steps[f"torch_{name}"] = step_of(build(DROPOUT, DILATION), name, WEIGHT_DECAY, AVERAGE_DECAY)
    measured = rates(steps, L, ab)
    for name, rate in measured.items():
        print(f"a step of 04, {name}: {rate:.1f} images/s")
    ours, theirs = (
        {name: rate for name, rate in measured.items() if name.startswith(package)} for package in ("tf_raw", "torch")
    )
    if theirs:
        measured["ratio_to_torch"] = max(ours.values()) / max(theirs.values())
        print(f"a step of 04: {measured['ratio_to_torch']:.2f} of PyTorch's rate")
    faster = max(ours, key=ours.get).removeprefix("tf_raw_")
    measured["ceiling_gflops"] = ceiling(faster)
    measured["share_of_ceiling"] = max(ours.values()) * operations(side) / 1e9 / measured["ceiling_gflops"]
    print(
        f"a step of 04 in {faster}: {measured['share_of_ceiling']:.0%} of {measured['ceiling_gflops']:.0f} GFLOP/s, "
        f"the rate of a product of matrices, at {operations(side) / 1e9:.2f} GFLOP an image"
    )
    shares = shares_of_step(faster, L, ab)
    print("of which " + ", ".join(f"{part} {share:.1%}" for part, share in shares.items()))
    return measured | {f"share_{part}": share for part, share in shares.items()}


def _our_step(compute):
    from tf_raw.adam import Adam
    from tf_raw.config import SevenLayerArguments
    from tf_raw.losses import squared_loss
    from tf_raw.network import SevenLayerNetwork
    from tf_raw.training import COMPUTE_TYPES, compiled_step

    arguments = SevenLayerArguments(dropout=DROPOUT, dilation=DILATION)
    network, average = SevenLayerNetwork(arguments), SevenLayerNetwork(arguments)
    optimizer = Adam(network.trainable_variables, WEIGHT_DECAY)
    step = compiled_step(network, average, optimizer, squared_loss(network.units), COMPUTE_TYPES[compute])
    seen = iter(range(1 << 30))
    return lambda L, ab: float(step(L, ab, 1e-3, AVERAGE_DECAY, [0, next(seen)]))


def rates(steps, L, ab):
    """Images/s of each step, the median of rounds in which they take turns."""
    for step in steps.values():
        step(L, ab)  # builds the graph
    seconds = defaultdict(list)
    for _ in range(ROUNDS):
        for name, step in steps.items():
            step(L, ab)
            started = time.perf_counter()
            for _ in range(STEPS):
                step(L, ab)
            seconds[name].append(time.perf_counter() - started)
    return {name: STEPS * len(L) / median(each) for name, each in seconds.items()}


def operations(side):
    """Floating-point operations of the convolutions for an image of a step: forward and both gradients, an addition apart from its
    product, padding included, without the gradient with respect to L.
    """
    from tf_raw.network import LAYERS, SevenLayerNetwork

    variables, total, at = SevenLayerNetwork().variables, 0, side
    for name, _, stride, operation in (*LAYERS, ("output", 2, 2, "deconv")):
        at = at // stride if operation == "conv" else at
        products = int(variables[f"{name}/kernel"].shape.num_elements()) * at**2
        total += 2 * products * (2 if name == "conv1" else 3)
        at = at * stride if operation == "deconv" else at
    return total


def ceiling(compute):
    """GFLOP/s of TensorFlow's product of two large matrices in a type, the fastest of some."""
    import tensorflow as tf

    rows, inner, columns = MATRIX
    one, other = (tf.cast(tf.random.normal(shape), compute) for shape in ((rows, inner), (inner, columns)))
    seconds = []
    for _ in range(TIMES):
        started = time.perf_counter()
        tf.matmul(one, other).numpy()
        seconds.append(time.perf_counter() - started)
    return 2 * rows * inner * columns / min(seconds[1:]) / 1e9


def shares_of_step(compute, L, ab):
    """Of the time of all TensorFlow's operations in some steps, by its profiler: a dictionary of part to share."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    from tf_raw import network
    from tf_raw.adam import Adam

    owners = {"dropout": network, "batch_norm": network, "apply": Adam, "move_towards": network.Network}
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for name, part in PARTS.items():
            stack.enter_context(patch.object(owners[name], name, _scoped(part, getattr(owners[name], name))))
        step = _our_step(compute)
        step(L, ab)
        tf.profiler.experimental.start(folder)
        for _ in range(STEPS):
            step(L, ab)
        tf.profiler.experimental.stop()
        (path,) = Path(folder).glob("**/*.xplane.pb")
        space = XSpace.FromString(path.read_bytes())
    seconds = defaultdict(float)
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            if found := re.fullmatch(r"([\w/.-]+):(\w+)", plane.event_metadata[event.metadata_id].name):
                seconds[_part(*found.groups())] += event.duration_ps
    total = sum(seconds.values())
    return {part: each / total for part, each in sorted(seconds.items(), key=lambda pair: -pair[1])}


def _scoped(part, function):
    import tensorflow as tf

    def call(*arguments):
        with tf.name_scope(f"part_{part}"):
            return function(*arguments)

    return call


def _part(name, kind):
    """The part of the step that an operation, "gradient_tape/part_dropout/mul" of kind "Mul", belongs to."""
    if found := re.search(r"part_(dropout|batch_norm|adam|average)", name):
        return found[1]
    if "Conv2D" in kind:
        return "gradients_of_kernels" if "Filter" in kind else "other_convolutions"
    return {"Cast": "casts", "Relu": "relu", "ReluGrad": "relu"}.get(kind, "rest")
