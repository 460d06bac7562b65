"""What every network here is: named variables, and a forward pass over them."""

import numpy as np
import tensorflow as tf


class Network:
    """Variables by name, in the order in which x meets them; a subclass gives `units` and `__call__`.

    `__call__(L, training, seed, compute_dtype)` maps L, (N, S, S, 1), to ab, (N, S, S, 2), both float32 in `units`.
    `seed` (two integers) draws the dropout, `compute_dtype` is that of the activations.
    """

    def __init__(self):
        self.variables = {}

    def add(self, name, values, trainable=True):
        """Create a float32 variable."""
        self.variables[name] = tf.Variable(values.astype(np.float32), trainable=trainable, name=name)

    @property
    def trainable_variables(self):
        """The variables that gradients change, in order; moving statistics are not among them."""
        return [variable for variable in self.variables.values() if variable.trainable]

    def assign(self, arrays):
        """Set every variable from a dictionary of arrays with the same names and shapes."""
        for name, variable in self.variables.items():
            variable.assign(arrays[name])

    def move_towards(self, other, share):
        """Move every variable by `share` of the way to that of `other`, a network like this one."""
        for mine, theirs in zip(self.variables.values(), other.variables.values(), strict=True):
            mine.assign_add(share * (theirs - mine))

    def to_arrays(self):
        """Every variable as a NumPy array, by name, in order."""
        return {name: variable.numpy() for name, variable in self.variables.items()}
