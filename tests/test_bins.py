"""Soft encoding, prior, cross entropy and annealed mean of Zhang et al. 2016, against direct computation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_port import losses as keras_losses
from keras_port.network import assign, build_network, to_arrays
from preprocessing.ab_bins import (
    LAMBDA,
    NEIGHBOURS,
    SIGMA,
    bin_centres,
    nearest_bin,
    rebalancing_weights,
    smoothed_prior,
    soft_encoding,
    weighted_targets,
)
from preprocessing.lab import bgr_to_lab, cie_ab
from results.prediction.decode import adjustment, anneal, entropy, mean_colour, samples, softmax, upsample
from tf_raw.config import SevenLayerArguments
from tf_raw.losses import bins_loss
from tf_raw.network import BinsNetwork

RANDOM = np.random.default_rng(0)
BINS = len(bin_centres())
COUNTS = RANDOM.integers(1, 10_000, BINS)


def codes(count):
    return bgr_to_lab(RANDOM.integers(0, 256, (count, count, 3), np.uint8))[1]


def test_the_soft_encoding_is_five_gaussian_weights_of_the_nearest_bins():
    encoding = soft_encoding()
    np.testing.assert_allclose(encoding.sum(axis=1), 1, rtol=1e-5)
    assert ((encoding > 0).sum(axis=1) <= NEIGHBOURS).all()
    a, b = 142, 105  # no two bins are as near
    squares = np.square(bin_centres() - (a - 128, b - 128)).sum(axis=1)
    nearest = np.argsort(squares)[:NEIGHBOURS]
    weights = np.exp(-squares[nearest] / (2 * SIGMA**2))
    np.testing.assert_allclose(encoding[a * 256 + b][nearest], weights / weights.sum(), rtol=1e-4)


def test_quantise_encode_and_decode_give_the_colour_back():
    ab_code = codes(100)
    encoded = soft_encoding()[ab_code[..., 0].astype(int) * 256 + ab_code[..., 1]]
    of_nearest = np.take_along_axis(encoded, nearest_bin(ab_code)[..., None].astype(int), axis=-1)[..., 0]
    np.testing.assert_allclose(of_nearest, encoded.max(axis=-1), rtol=1e-5)
    error = np.abs(mean_colour(encoded) - cie_ab(ab_code))
    assert error.mean() < 1.5
    assert np.percentile(error, 99) < 6  # at the gamut's edge all bins lie to one side


def test_the_prior_sums_to_1_and_smoothing_spreads_it():
    one = np.zeros(BINS)
    middle = int(np.flatnonzero((bin_centres() == 0).all(axis=1))[0])
    one[middle] = 10
    prior = smoothed_prior(one)
    assert prior.sum() == pytest.approx(1)
    beside = int(np.flatnonzero((bin_centres() == (10, 0)).all(axis=1))[0])
    assert prior[beside] / prior[middle] == pytest.approx(np.exp(-(10**2) / (2 * SIGMA**2)))


def test_weights_have_mean_1_over_the_prior_and_rare_colours_weigh_more():
    weights, prior = rebalancing_weights(COUNTS), smoothed_prior(COUNTS)
    assert prior @ weights == pytest.approx(1)
    ratio = ((1 - LAMBDA) * prior[3] + LAMBDA / BINS) / ((1 - LAMBDA) * prior[7] + LAMBDA / BINS)
    assert weights[7] / weights[3] == pytest.approx(ratio)
    assert weights[prior.argmin()] == weights.max()


@pytest.mark.parametrize("rebalanced", [False, True])
def test_the_loss_and_its_gradient_are_numpys(rebalanced):
    ab_code = codes(16).reshape(1, 16, 16, 2)
    logits = RANDOM.standard_normal((1, 4, 4, BINS)).astype(np.float32)
    loss, variable = bins_loss(COUNTS, rebalanced), tf.Variable(logits)
    with tf.GradientTape() as tape:
        value = loss.of(tf.constant(ab_code), variable)
    gradient = tape.gradient(value, variable).numpy()

    seen = ab_code[:, 2::4, 2::4].astype(int)
    truth = soft_encoding()[seen[..., 0] * 256 + seen[..., 1]].astype(np.float64)
    weight = rebalancing_weights(COUNTS)[nearest_bin(seen.astype(np.uint8))] if rebalanced else np.ones((1, 4, 4))
    predicted = softmax(logits.astype(np.float64))
    expected = -(weight * (truth * np.log(predicted)).sum(axis=-1)).mean()
    assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, weight[..., None] * (predicted - truth) / 16, atol=1e-6)

    per_image = keras_losses.bins_loss(COUNTS, rebalanced)(keras.ops.convert_to_tensor(ab_code), logits)
    assert float(per_image[0]) == pytest.approx(expected, rel=1e-5)


def test_targets_without_rebalancing_are_the_encoding():
    assert (weighted_targets(COUNTS, False) == soft_encoding()).all()


def test_the_annealed_mean_at_1_is_the_mean_and_towards_0_the_mode():
    distribution = softmax(RANDOM.standard_normal((5, 5, BINS)).astype(np.float32) * 2)
    np.testing.assert_allclose(anneal(distribution, 1.0), distribution, rtol=1e-3, atol=1e-7)
    mode = bin_centres()[distribution.argmax(axis=-1)]
    np.testing.assert_allclose(mean_colour(anneal(distribution, 1e-3)), mode, atol=1e-2)
    between = np.hypot(*np.moveaxis(mean_colour(anneal(distribution, 0.38)), -1, 0)).mean()
    assert np.hypot(*np.moveaxis(mean_colour(distribution), -1, 0)).mean() < between
    assert entropy(distribution).mean() > entropy(anneal(distribution, 0.38)).mean() > 0


def test_undoing_the_rebalancing_gives_the_unweighted_distribution_back():
    weights, distribution = rebalancing_weights(COUNTS), softmax(RANDOM.standard_normal((5, BINS)))
    learnt = np.log(distribution * weights)  # what weighted cross entropy leads to
    np.testing.assert_allclose(softmax(learnt - adjustment(COUNTS, 1.0)), distribution, rtol=1e-5)
    np.testing.assert_array_equal(adjustment(COUNTS, 0.0), 0)


def test_upsampling_keeps_distributions():
    up = upsample(softmax(RANDOM.standard_normal((4, 4, BINS)).astype(np.float32)), 16, 24)
    assert up.shape == (16, 24, BINS)
    np.testing.assert_allclose(up.sum(axis=-1), 1, rtol=1e-4)


def test_samples_differ_from_each_other_but_are_smooth():
    distribution = upsample(softmax(3 * RANDOM.standard_normal((4, 4, BINS)).astype(np.float32)), 32, 32)
    first, second = samples(distribution, 0.8, (1, 2))
    assert first.shape == (32, 32, 2)
    between = np.abs(first - second).mean()
    beside = np.abs(np.diff(first, axis=0)).mean()
    assert between > 3 * beside
    assert (second == next(samples(distribution, 0.8, (2,)))).all()


@pytest.mark.parametrize("bins_at", [4, 2])
def test_both_frameworks_give_the_same_logits_from_the_same_weights(bins_at):
    network = BinsNetwork(SevenLayerArguments(), bins_at, seed=3)
    model = build_network("bins", {"bins_at": bins_at})
    assert list(to_arrays(model)) == list(network.to_arrays())
    assign(model, network.to_arrays())
    L = RANDOM.uniform(-1, 1, (2, 32, 32, 1)).astype(np.float32)
    logits = network(L).numpy()
    assert logits.shape == (2, 32 // bins_at, 32 // bins_at, BINS)
    np.testing.assert_allclose(model.predict_on_batch(L), logits, atol=1e-4)
