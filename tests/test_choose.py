import numpy as np
import pytest

from preprocessing.ab_bins import bin_centres
from preprocessing.lab import bgr_to_lab, cie_ab
from preprocessing.shards import Shard
from results.choose import TEMPERATURES, UNDONE, WANTED, choose_on_val, match_colorfulness, ratio
from results.decode import PAPER
from results.metrics import auc_of_pixels
from results.predict import colorizer_from
from results.vibrance import with_vibrance
from results.weights import Weights
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
        "ab_bin_counts": [1] * len(bin_centres()),
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
    ab = colorizer.decoded_by(**chosen).predict_ab(L)
    assert ratio(L, ab_true, with_vibrance(L, ab, chosen["vibrance"])) >= WANTED - 0.02
    ways = {}
    for share in UNDONE:
        for temperature in TEMPERATURES:
            ab = colorizer.decoded_by(rebalancing_undone=share).predict_ab(L, temperature)
            ab = with_vibrance(L, ab, match_colorfulness(L, ab_true, ab, WANTED))
            ways[share, temperature] = auc_of_pixels(ab_true, ab).mean()
    gray = auc_of_pixels(ab_true, 0 * ab_true).mean()
    kept = ways[chosen["rebalancing_undone"], chosen["temperature"]]
    assert kept >= gray or kept == max(ways.values())
    by_hand = colorizer.predict_ab(L[:1], temperature=0.5)
    assert by_hand.shape == (1, 32, 32, 2)
    (distribution,) = colorizer.predict_distributions(L[:1])
    np.testing.assert_allclose(distribution.sum(axis=-1), 1, rtol=1e-3)
