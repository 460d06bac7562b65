"""Adam (Kingma & Ba 2015, algorithm 1, in the order of operations of the end of its section 2), and AdamW's decay."""

import tensorflow as tf

BETA_1 = 0.9
BETA_2 = 0.999
EPSILON = 1e-7  # as TensorFlow and Keras; the paper's is 1e-8


class Adam:
    """First and second moments of each variable's gradient, and the count of steps."""

    def __init__(self, variables, weight_decay=0.0):
        self.variables, self._weight_decay = list(variables), weight_decay
        self.m = [tf.Variable(tf.zeros_like(variable), trainable=False) for variable in self.variables]
        self.v = [tf.Variable(tf.zeros_like(variable), trainable=False) for variable in self.variables]
        self.t = tf.Variable(0, dtype=tf.int64, trainable=False)

    def apply(self, gradients, learning_rate):
        """Take one step along `gradients`, a list in the order of the variables; None for what has no part in the loss."""
        t = tf.cast(self.t.assign_add(1), tf.float32)
        alpha = learning_rate * tf.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
        for theta, m, v, g in zip(self.variables, self.m, self.v, gradients, strict=True):
            if g is None:  # of a dead layer
                continue
            m.assign(BETA_1 * m + (1 - BETA_1) * g)
            v.assign(BETA_2 * v + (1 - BETA_2) * tf.square(g))
            if self._weight_decay and theta.shape.rank > 1:  # kernels only (Loshchilov & Hutter 2019, algorithm 2)
                theta.assign_sub(learning_rate * self._weight_decay * theta)
            theta.assign_sub(alpha * m / (tf.sqrt(v) + EPSILON))
