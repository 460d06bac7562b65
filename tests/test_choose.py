from types import SimpleNamespace

import numpy as np
import pytest

from preprocessing.ab_bins import bin_centres, nearest_bin
from preprocessing.lab import bgr_to_lab, cie_ab
from preprocessing.shards import Shard
from results.prediction.decode import PAPER
from results.prediction.predict import colorizer_from
from results.prediction.vibrance import with_vibrance
from results.prediction.weights import Weights
from results.scoring import choose
from results.scoring.choose import NEAR_BEST, TEMPERATURES, UNDONE, WANTED, choose_on_val, match_colorfulness, ratio
from results.scoring.metrics import auc_of_pixels, inverse_prior
from tf_raw.build import build_network

RANDOM = np.random.default_rng(0)


def photographs():
    pictures = RANDOM.integers(60, 200, (6, 4, 4, 3)).repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8)
    L, ab = zip(*map(bgr_to_lab, pictures), strict=True)
    return np.array(L), np.array(ab)


def test_the_vibrance_matches_the_colourfulness_of_the_truth():
    L, ab = photographs()
    faded = cie_ab(ab) / 2
    factor = match_colorfulness(L, cie_ab(ab), faded)
    assert factor == pytest.approx(2, abs=0.1)
    assert ratio(L, cie_ab(ab), with_vibrance(L, faded, factor)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("objective", ["l2", "rebalanced"])
def test_weights_get_what_was_chosen(tmp_path, objective):
    name, arguments = ("seven_layer", {}) if objective == "l2" else ("bins", {"bins_at": 4})
    attributes = {
        "framework": "tf_raw",
        "network": name,
        "objective": objective,
        "arguments": arguments,
        "config": {},
        "resolution": 32,
        "ab_bin_counts": RANDOM.integers(1, 10_000, len(bin_centres())).tolist(),
    }
    colorizer = colorizer_from(Weights(build_network(name, arguments).to_arrays(), attributes), tmp_path / "w.h5")
    L, ab = photographs()
    ab_true = cie_ab(ab)
    chosen = choose_on_val(colorizer, Shard(L, ab, ["x"] * len(L)))
    if objective == "l2":
        assert chosen["vibrance"] > 1
        return
    assert colorizer.predicts_bins
    assert set(chosen) == set(PAPER)
    pred = colorizer.decoded_by(**chosen).predict_ab(L)
    wanted = WANTED[-1]  # an untrained network's AuC is below gray's in every way
    assert ratio(L, ab_true, with_vibrance(L, pred, chosen["vibrance"])) >= wanted - 0.02
    rarity = inverse_prior(attributes["ab_bin_counts"])[nearest_bin(ab)]
    ways = {}
    for share in UNDONE:
        for temperature in TEMPERATURES:
            pred = colorizer.decoded_by(rebalancing_undone=share).predict_ab(L, temperature)
            pred = with_vibrance(L, pred, match_colorfulness(L, ab_true, pred, wanted))
            auc = auc_of_pixels(ab_true, pred)
            ways[share, temperature] = auc.mean(), (auc * rarity).sum()
    assert max(ways.values())[0] < auc_of_pixels(ab_true, 0 * ab_true).mean()
    near_best = [way for way in ways if ways[way][0] >= max(ways.values())[0] - NEAR_BEST]
    expected = max(near_best, key=lambda way: ways[way][1])
    assert (chosen["rebalancing_undone"], chosen["temperature"]) == expected
    assert len({auc for auc, _ in ways.values()}) > len(TEMPERATURES)  # undoing changes what is seen
    by_hand = colorizer.predict_ab(L[:1], temperature=0.5)
    assert by_hand.shape == (1, 32, 32, 2)
    (distribution,) = colorizer.predict_distributions(L[:1])
    np.testing.assert_allclose(distribution.sum(axis=-1), 1, rtol=1e-3)


def test_colour_is_given_up_where_it_would_put_auc_below_that_of_gray(monkeypatch):
    """Predictions are the truth; three times as colourful they are farther from it than gray is."""
    L, ab = photographs()
    right = SimpleNamespace(
        predicts_bins=True,
        resolution=32,
        attributes={"objective": "classification", "ab_bin_counts": [1] * len(bin_centres())},
        predict_ab=lambda L, temperature: cie_ab(ab),
        remembering=lambda batches: right,
        decoded_by=lambda **_: right,
    )
    vibrance = {}
    for wanted in ((3.0,), (3.0, 1.0)):
        monkeypatch.setattr(choose, "WANTED", wanted)
        vibrance[wanted] = choose_on_val(right, Shard(L, ab, ["x"] * len(L)))["vibrance"]
    assert vibrance[3.0,] > 2
    assert vibrance[3.0, 1.0] == pytest.approx(1, abs=0.02)
