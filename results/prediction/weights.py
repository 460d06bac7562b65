"""The weights file: one HDF5 dataset a variable, in order, and attributes that say what they are and where from."""

import io
import json
import platform
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from preprocessing.files import UserError, write_atomically
from preprocessing.hdf5 import reading

SHIPPED = Path(__file__).parent.parent / "weights"
LOCAL = Path("results/local/weights")  # where training writes unless told otherwise

MOST_BYTES = 10_000_000  # of a file in the repository: kernels of larger networks are stored in half precision

NEEDED = {"framework", "network", "arguments", "config", "resolution"}  # of the attributes, to colour with them
LEG = ("command", "host", "data", "resolution", "images_seen", "seconds", "epochs", "best_epoch", "val_mse")


@dataclass(frozen=True)
class Weights:
    """Arrays by name, in order, and a dictionary of plain values."""

    arrays: dict
    attributes: dict


def in_half(arrays):
    """Kernels in half precision where float32 would pass MOST_BYTES: arrays by name, as a file holds them."""
    if sum(array.nbytes for array in arrays.values()) <= MOST_BYTES:
        return arrays
    return {name: array.astype(np.float16) if array.ndim > 1 else array for name, array in arrays.items()}


def in_single(arrays):
    """Arrays as networks take them: float32 of what a file holds in half precision."""
    return {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in arrays.items()}


def save_weights(path, weights):
    """Write a weights file whole; raises UserError where it cannot."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in in_half(weights.arrays).items():
            file.create_dataset(name, data=array, fletcher32=array.ndim > 0)
        file.attrs["order"] = json.dumps(list(weights.arrays))
        file.attrs["description"] = json.dumps(weights.attributes)
    write_atomically(path, buffer.getbuffer())


def load_weights(path):
    """Read a weights file; raises UserError if it is missing, damaged or another kind of file."""
    if not Path(path).exists():
        raise UserError(f"no weights file {path}: train first, or name one of {', '.join(shipped_names())}")
    with reading(path, "weights file of ours", "get it again, or train again") as file:
        arrays = {name: np.asarray(file[name][()]) for name in json.loads(file.attrs["order"])}
        attributes = json.loads(file.attrs["description"])
        if lacking := NEEDED - set(attributes):
            raise ValueError(f"it does not say its {', '.join(sorted(lacking))}")
        return Weights(in_single(arrays), attributes)


def check_fit(arrays, expected, path):
    """Compare names, shapes and dtypes with those of a network's own arrays; UserError says what differs."""
    for name in [*expected, *arrays]:
        ours, theirs = expected.get(name), arrays.get(name)
        if ours is None or theirs is None:
            raise UserError(f"{path} holds another network: {name} is {'missing' if theirs is None else 'unknown'}")
        if ours.shape != theirs.shape or np.dtype(ours.dtype) != theirs.dtype:
            raise UserError(
                f"{path} holds another network: {name} is {theirs.dtype} {theirs.shape}, not {ours.dtype} {ours.shape}"
            )


def load_init(name_or_path, expected, objective="l2"):
    """What to start training from, checked against a network's own arrays; UserError says what differs.

    For another objective than that of the weights it is their body only, with the output that is in `expected`.

    Returns
    -------
    arrays : dict of arrays
    legs : list of dict, how the weights came about: one for each training, the first one first
    """
    path = find_weights(name_or_path)
    weights = load_weights(path)
    arrays = weights.arrays
    if weights.attributes.get("objective", "l2") == "l2" and objective != "l2":
        body = {name: array for name, array in arrays.items() if name in expected and not name.startswith("output/")}
        output = {name: array for name, array in expected.items() if name.startswith("output/")}
        arrays = body | output
    check_fit(arrays, expected, path)
    leg = {key: weights.attributes[key] for key in LEG if key in weights.attributes}
    return arrays, [*weights.attributes.get("began_from", []), leg]


def shipped_names():
    """The names of the weights that come with the repository, such as `l2_64`."""
    return sorted(path.stem for path in SHIPPED.glob("*.h5"))


def shipped_networks():
    """What the files of `shipped_names` say of themselves, by name: a dictionary of their attributes each."""
    attributes = {}
    for name in shipped_names():
        with h5py.File(SHIPPED / f"{name}.h5") as file:
            attributes[name] = json.loads(file.attrs["description"])
    return attributes


def find_weights(name_or_path):
    """The path of shipped weights by their name, or the path itself."""
    shipped = SHIPPED / f"{name_or_path}.h5"
    return shipped if shipped.exists() else Path(name_or_path)


def describe(framework, arguments, config, manifest, summary):
    """The attributes of a weights file: what it is, how and on what it was trained, and what it scored on val."""
    side = manifest["resolutions"][str(config.resolution)]["train"]
    return {
        "network": config.network,
        "framework": framework,
        "arguments": arguments,
        "objective": config.objective,
        "resolution": config.resolution,
        "config": config.to_dict(),
        "data": manifest["source"],
        "fingerprint": manifest["fingerprint"],
        "mean_ab": side["mean_ab"],
        "ab_bin_counts": side["ab_bin_counts"],
        "command": shlex.join(["python", *sys.argv]),
        "host": this_machine(),
        **summary,
    }


def this_machine():
    """The processor and the system, as text."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return f"{processor}, {platform.system()}"
