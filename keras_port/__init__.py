"""The 128 px network in Keras 3, for any backend."""

import preprocessing  # noqa: F401 - before TensorFlow is imported
