"""`make bench`, its part on training: our loop on real shards against Keras `fit` on the same images in memory."""

import time

BATCH, STEPS, WARM_STEPS = 64, 25, 3
FITS = 3  # of Keras, the fastest counts: in some processes the first is half as fast


def bench_training(source, side):
    """Print images/s of our loop and of Keras `fit`, for each type, the ratio of the best, the wait for data, the loss' cost."""
    import tensorflow as tf

    from preprocessing.batches import TrainingBatches
    from preprocessing.shards import read_manifest
    from tf_raw.losses import Loss, bins_loss, squared_loss
    from tf_raw.network import BinsNetwork, SevenLayerNetwork

    batches = TrainingBatches(source, side, BATCH, seed=0)
    squared = squared_loss(SevenLayerNetwork.units)
    ours = {name: _our_rate(batches, name, SevenLayerNetwork, squared) for name in ("float32", "bfloat16")}
    for name, (rate, wait) in ours.items():
        print(f"tf_raw {name}: {rate:.1f} images/s, waits for data {wait:.2%} of the time")
    theirs = {name: _keras_rate(batches, name) for name in ("float32", "mixed_bfloat16")}
    for name, rate in theirs.items():
        print(f"Keras fit {name}: {rate:.1f} images/s")
    ratio = max(rate for rate, _ in ours.values()) / max(theirs.values())
    print(f"training: {ratio:.2f} of Keras fit's rate")
    counts = read_manifest(source)["resolutions"][str(side)]["train"]["ab_bin_counts"]
    faster = max(ours, key=lambda name: ours[name][0])
    augmented, augmented_wait = _our_rate(
        TrainingBatches(source, side, BATCH, seed=0, augmented=True), faster, SevenLayerNetwork, squared
    )
    print(f"--augment, {faster}: {augmented:.1f} images/s, waits for data {augmented_wait:.2%} of the time")
    with_loss, without = (
        _our_rate(batches, faster, BinsNetwork, loss)[0]
        for loss in (bins_loss(counts, True), Loss("none", lambda _, logits: tf.reduce_mean(logits)))
    )
    loss_share = 1 - with_loss / without
    print(
        f"rebalanced, {faster}: {with_loss:.1f} images/s, of which encoding and loss take {loss_share:.2%} of the time"
    )
    rates = {f"tf_raw_{name}": rate for name, (rate, _) in ours.items()} | {
        f"fit_{name}": r for name, r in theirs.items()
    }
    waits = {"wait_share": max(wait for _, wait in ours.values()), "augmented_wait_share": augmented_wait}
    return dict(
        **rates, ratio=ratio, augmented=augmented, **waits, rebalanced=with_loss, rebalanced_loss_share=loss_share
    )


def _our_rate(batches, compute, build, loss):
    from tf_raw.adam import Adam
    from tf_raw.training import COMPUTE_TYPES, compiled_step

    network, average = build(), build()
    step_function = compiled_step(network, average, Adam(network.trainable_variables), loss, COMPUTE_TYPES[compute])
    stream = batches.from_step(0)
    waited = 0.0
    for step in range(WARM_STEPS + STEPS):
        if step == WARM_STEPS:
            started, waited = time.perf_counter(), 0.0
        waiting = time.perf_counter()
        L, ab = next(stream)
        waited += time.perf_counter() - waiting
        float(step_function(L, ab, 1e-3, 0.0, [0, step]))
    seconds = time.perf_counter() - started
    return STEPS * BATCH / seconds, waited / seconds


def _keras_rate(batches, policy):
    import keras
    import numpy as np

    from keras_port.losses import squared_loss
    from keras_port.network import UNITS, build_seven_layer
    from keras_port.training import to_units

    stream = batches.from_step(0)
    pairs = [to_units(UNITS["seven_layer"], *next(stream)) for _ in range(STEPS)]
    L, ab = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    model = build_seven_layer(dtype=policy)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=squared_loss(UNITS["seven_layer"]))
    model.fit(L[: WARM_STEPS * BATCH], ab[: WARM_STEPS * BATCH], batch_size=BATCH, verbose=0)
    seconds = []
    for _ in range(FITS):
        started = time.perf_counter()
        model.fit(L, ab, batch_size=BATCH, verbose=0)
        seconds.append(time.perf_counter() - started)
    return STEPS * BATCH / min(seconds)
