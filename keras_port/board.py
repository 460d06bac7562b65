"""Keras' TensorBoard, without which a run goes on where its files cannot be written."""

import functools
import sys

import keras


def _dispensable(method):
    """`method`; once one has failed it is said, and none does anything."""

    @functools.wraps(method)
    def call(self, *arguments, **named):
        if self.failed:
            return
        try:
            method(self, *arguments, **named)
        except Exception as error:  # noqa: BLE001 - TensorFlow's own, which need not be installed
            self.failed = True
            reason = str(error).partition("\n")[0].rpartition("; ")[2]
            print(f"\ncannot write {self.log_dir} ({reason}): no TensorBoard of this run from here on", file=sys.stderr)

    return call


class Board(keras.callbacks.TensorBoard):
    """See Keras' own."""

    failed = False
    set_model = _dispensable(keras.callbacks.TensorBoard.set_model)
    on_train_begin = _dispensable(keras.callbacks.TensorBoard.on_train_begin)
    on_train_batch_end = _dispensable(keras.callbacks.TensorBoard.on_train_batch_end)
    on_test_begin = _dispensable(keras.callbacks.TensorBoard.on_test_begin)
    on_test_end = _dispensable(keras.callbacks.TensorBoard.on_test_end)
    on_epoch_end = _dispensable(keras.callbacks.TensorBoard.on_epoch_end)
    on_train_end = _dispensable(keras.callbacks.TensorBoard.on_train_end)
