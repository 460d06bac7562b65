"""Photographs into HDF5 shards of L and ab at 32, 64 and 128 px, and batches out of them."""

from preprocessing import tensorflow_import  # noqa: F401 - before TensorFlow, whoever imports it
