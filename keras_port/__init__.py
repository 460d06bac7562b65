"""The 128 px network in Keras 3, for any backend."""
