"""The figures and the trade-off of the bins networks, on networks that were never trained."""

import importlib
import json

import cv2
import numpy as np
import pytest
from conftest import run_script

from preprocessing.ab_bins import bin_centres
from preprocessing.build import build_shards
from preprocessing.sources import EMBEDDED_TRAINING, open_embedded
from results.prediction.predict import colorizer_from
from results.prediction.weights import Weights, save_weights
from tf_raw.build import build_network

figures = importlib.import_module("results.08_make_figures")


@pytest.fixture(scope="module")
def bins_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "rebalanced_64.h5"
    arguments = {"bins_at": 4}
    attributes = {
        "framework": "tf_raw",
        "network": "bins",
        "objective": "rebalanced",
        "arguments": arguments,
        "config": {},
        "resolution": 64,
        "temperature": 0.5,
        "vibrance": 1.5,
        "ab_bin_counts": [1] * len(bin_centres()),
    }
    save_weights(path, Weights(build_network("bins", arguments).to_arrays(), attributes))
    return path


def test_vivid_and_possible_grids_have_their_columns(tmp_path, bins_file, monkeypatch):
    from results.prediction.predict import load_colorizer

    drawn = {}
    monkeypatch.setattr("results.drawing.grid.draw_grid", lambda columns, path: drawn.setdefault(path.name, columns))
    random = np.random.default_rng(0)
    test = type("Test", (), {})()
    test.L = random.integers(0, 256, (2, 64, 64, 1), np.uint8)
    test.ab = random.integers(100, 156, (2, 64, 64, 2), np.uint8)
    bins = load_colorizer(bins_file)
    assert bins.temperature == 0.5
    figures.draw_vivid(test, load_colorizer("l2_64").predict_ab(test.L), bins, tmp_path / "vivid64.png")
    figures.draw_possible(test, bins, tmp_path / "possible64.png")
    assert list(drawn["vivid64.png"]) == ["Gray", "Ground truth", "L2", "Rebalanced"]
    assert list(drawn["possible64.png"]) == ["Ground truth", "Mean", "Sample 1", "Sample 2", "Sample 3", "Entropy"]
    assert all(images.shape == (2, 64, 64, 3) for columns in drawn.values() for images in columns.values())
    samples = [drawn["possible64.png"][f"Sample {seed}"].astype(int) for seed in (1, 2, 3)]
    assert np.abs(samples[0] - samples[1]).mean() > 0.5


def test_a_bins_network_is_scored_as_its_paper_reads_it_and_as_chosen(bins_file):
    from results.prediction.predict import load_colorizer

    bins = load_colorizer(bins_file).decoded_by(temperature=0.1, rebalancing_undone=0.5)
    L = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 1), np.uint8)
    ways = importlib.import_module("results.07_evaluate").ways_to_predict(bins)
    assert list(ways) == ["rebalanced_64", "rebalanced_64+chosen"]
    paper = bins.decoded_by(rebalancing_undone=0.0).predict_ab(L, temperature=0.38)
    np.testing.assert_array_equal(ways["rebalanced_64"](L), paper)
    np.testing.assert_array_equal(ways["rebalanced_64+chosen"](L), bins.predict_ab(L, 0.1, bins.vibrance))


def test_the_trade_off_goes_from_faded_to_vivid(tmp_path, bins_file):
    build_shards(open_embedded(EMBEDDED_TRAINING), [64], crops=2, root=tmp_path / "shards")
    process = run_script("results/studies/tradeoff.py", "--weights", "l2_64", bins_file, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    curves = json.loads((tmp_path / "results/local/tradeoff.json").read_text())["curves"]
    assert list(curves) == [
        "l2_64, by vibrance",
        "rebalanced_64, by temperature",
        "rebalanced_64, by rebalancing_undone",
    ]
    for points in curves.values():
        ratios = [point["colorfulness_ratio"] for point in points]
        assert ratios[-1] > ratios[0]
    assert cv2.imread(str(tmp_path / "results/local/figures/tradeoff.png")) is not None


def test_a_network_of_another_size_is_refused(tmp_path):
    process = run_script("results/studies/tradeoff.py", "--weights", "l2_32", cwd=tmp_path)
    assert process.returncode == 2
    assert "64 px" in process.stderr.splitlines()[-1]


def test_a_bins_network_that_was_saved_predicts_as_before(bins_file):
    from results.prediction.weights import load_weights

    weights = load_weights(bins_file)
    L = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 1), np.uint8)
    first, second = (colorizer_from(weights, bins_file).predict_ab(L) for _ in range(2))
    assert (first == second).all()
