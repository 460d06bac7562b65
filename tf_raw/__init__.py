"""The seven-layer network in low-level TensorFlow: variables, `tf.nn` ops and a training loop written out."""

import preprocessing  # noqa: F401 - before TensorFlow is imported
