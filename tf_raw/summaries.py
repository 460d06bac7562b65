"""What TensorBoard shows of a run."""

import sys

import tensorflow as tf


class Summaries:
    """Scalars for TensorBoard, in `folder`; where they cannot be written it is said once, and training goes on without."""

    def __init__(self, folder):
        self._folder, self._writer, self._failed = folder, None, False

    def write(self, epoch, scalars):
        """Add the scalars, {name: value}, of an epoch."""
        if self._failed:
            return
        try:
            self._writer = self._writer or tf.summary.create_file_writer(str(self._folder))
            with self._writer.as_default(step=epoch):
                for name, value in scalars.items():
                    tf.summary.scalar(name, value)
            self._writer.flush()
        except (tf.errors.OpError, OSError) as error:
            self._failed = True
            reason = str(error).partition("\n")[0].rpartition("; ")[2]
            print(f"cannot write {self._folder} ({reason}): no TensorBoard of this run from here on", file=sys.stderr)
