"""The thirteen faults: the measurements on cases that are known, and all of them small on the embedded photographs."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import REPOSITORY, run_script, traced_into_no_graph

from preprocessing.lab import cie_ab, lab_to_bgr
from preprocessing.shards import Shard, read_split
from results.prediction.predict import colorizer_from, load_colorizer
from results.prediction.weights import Weights, find_weights, load_weights
from results.scoring.evaluate import mean_squared_error
from results.studies import faults_of_networks
from results.studies.errata import demonstration
from results.studies.faults_of_data import _channels_swapped, _clean_splits, _leaky_splits, framed_pictures, hunter_lab
from results.studies.faults_of_networks import nearest_on_simplex
from results.studies.table1 import CHOSEN, CONFIGURATIONS, REPORT, configuration

PUBLISHED = REPOSITORY.parent / "shared/reference/result32.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where shards of the embedded photographs are, and table 1 and the errata were made by their commands."""
    folder = tmp_path_factory.mktemp("errata")
    for script in ("preprocessing/02_build_shards.py", "results/studies/table1.py", "results/studies/errata.py"):
        with traced_into_no_graph():
            process = run_script(script, cwd=folder)
        assert process.returncode == (2 if "errata" in script else 0), process.stderr
    assert process.stderr.splitlines()[-1].startswith("errata.py: error: not measured: 9 (the inverted gray")
    return folder


def entries_of(folder):
    return {
        entry["number"]: entry for entry in json.loads((folder / "results/local/errata.json").read_text())["entries"]
    }


def test_every_fault_but_the_published_figures_is_measured(folder):
    entries = entries_of(folder)
    assert sorted(entries) == [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13]
    for entry in entries.values():
        file, _, name = entry["shown_by"].partition(":")
        assert f"def {name}(" in (REPOSITORY / file).read_text()


def test_what_depends_on_training_holds_together(folder, monkeypatch):
    """After a few steps nothing is learnt, but each number is of what it is said to be of."""
    measured = {number: entry["measured"] for number, entry in entries_of(folder).items()}
    monkeypatch.chdir(folder)
    study = demonstration("embedded-training")
    test = read_split(study.source, 64, "test")
    assert measured[6]["l2_64"]["mse"] == mean_squared_error(load_colorizer("l2_64").predict_ab, test)
    assert measured[6]["gray"]["accuracy"] == pytest.approx((cie_ab(test.ab) == 0).mean(), abs=1e-5)
    weights = load_weights(find_weights("l2_64"))  # erratum 7 is without the mean over mirror images
    plain = colorizer_from(Weights(weights.arrays, weights.attributes | {"config": {}}), Path("plain"))
    assert measured[7]["l2_64"]["moving_statistics"] == pytest.approx(
        mean_squared_error(plain.predict_ab, test), rel=1e-4
    )
    assert measured[7]["images"] == len(test.L) == 1  # where a batch of 10 is one of 1
    assert measured[7]["l2_64"]["batch_of_10"] == measured[7]["l2_64"]["batch_of_1"]
    assert measured[8]["unseen_mse"] == pytest.approx(measured[11]["mse"], rel=1e-5)
    assert measured[8]["val_mse"]["best"] <= measured[8]["val_mse"]["last"]
    trained, unseen = measured[1]["test_of_mirror_images_mse"], measured[1]["unseen_test_mse"]
    assert measured[2]["learnt_right_against_truth_mse"] == unseen["trained_without"]
    assert trained["trained_with_the_leak"] != trained["trained_without"]


def test_wrapped_values_are_counted(monkeypatch):
    """A prediction of codes 300 and 255 where the truth is 44 and 255: half the values wrap, and then equal the truth."""
    test = Shard(np.zeros((2, 4, 4, 1), np.uint8), np.full((2, 4, 4, 2), [44, 255], np.uint8), ["a", "b"])
    monkeypatch.setattr(faults_of_networks, "read_split", lambda *_: test)
    predictor = SimpleNamespace(predict_ab=lambda L: cie_ab(np.full((len(L), 4, 4, 2), [300, 255], np.float32)))
    monkeypatch.setattr(faults_of_networks, "_overfit_notebook", lambda _: (predictor, None))
    measured = faults_of_networks.wrap_around(demonstration("embedded-training"))
    assert (measured["share_wrapped"], measured["photographs_with_one"], measured["photographs"]) == (0.5, 2, 2)
    assert measured["mse_after_the_cast"] == 0
    assert measured["mse"] == 256**2 / 2


def test_what_does_not_depend_on_training_comes_out_as_the_original_is(folder):
    measured = {number: entry["measured"] for number, entry in entries_of(folder).items()}
    assert {name: each["deconvolutions"] for name, each in measured[3].items()} == {
        "report": 2,
        "colorize_cnn.py": 0,
        "new_process.ipynb": 0,
        "colorization.ipynb": 0,
    }
    assert measured[4] == {
        "colorize_cnn.py": ["pool2", "pool4", "pool5"],
        "new_process.ipynb": ["conv1", "pool1", "conv2", "pool2", "conv3", "pool3"],
        "the report's, ours": [],
    }
    assert measured[5]["least_mse_of_any_softmax"] < measured[5]["trained_as_coded_mse"]
    assert measured[12] == {"pickle_load_ran_its_code": True, "ours_refused_it": True, "ours_ran_its_code": False}
    assert measured[13]["published_spread_of_one_network"] == 20.14
    assert (folder / "results/local/figures/errata-swapped.png").exists()


def test_what_is_measured_is_not_measured_again(folder):
    before = {name: (folder / f"results/local/{name}.json").read_bytes() for name in ("table1", "errata")}
    for script in ("results/studies/table1.py", "results/studies/errata.py"):
        process = run_script(script, cwd=folder)
        assert "images to train on" not in process.stdout
    assert {name: (folder / f"results/local/{name}.json").read_bytes() for name in before} == before


def test_a_table_that_was_stopped_goes_on(folder, tmp_path):
    table = json.loads((folder / "results/local/table1.json").read_text())
    lost = table["runs"].pop()
    errata = json.loads((folder / "results/local/errata.json").read_text())
    errata["entries"].pop()
    (tmp_path / "shards").symlink_to(folder / "shards")
    (tmp_path / "results/local").mkdir(parents=True)
    (tmp_path / "results/local/table1.json").write_text(json.dumps(table))
    (tmp_path / "results/local/errata.json").write_text(json.dumps(errata))
    process = run_script("results/studies/errata.py", cwd=tmp_path)
    assert "13 (results/local/table1.json is not finished" in process.stderr
    with traced_into_no_graph():
        process = run_script("results/studies/table1.py", cwd=tmp_path)
    assert process.stdout.count("seed") == 1
    again = json.loads((tmp_path / "results/local/table1.json").read_text())
    assert [(run["configuration"], run["seed"]) for run in again["runs"]] == [
        *[(run["configuration"], run["seed"]) for run in table["runs"]],
        (lost["configuration"], lost["seed"]),
    ]


def test_the_table_has_five_configurations_of_one_difference_each():
    from results.studies.table1 import Size

    configs = {name: configuration(name, 1, Size()).to_dict() for name in CONFIGURATIONS}
    chosen = configs[CHOSEN]
    assert (chosen["batch_size"], chosen["dropout"], chosen["kernel"], chosen["dilation"]) == (10, 0.4, 3, 1)
    differing = {name: {key for key in chosen if config[key] != chosen[key]} for name, config in configs.items()}
    assert differing == {
        CHOSEN: set(),
        "batch 20": {"batch_size"},
        "dropout 0.6": {"dropout"},
        "kernel 5x5": {"kernel", "deconv_kernel"},
        "dilation 2": {"dilation"},
    }
    assert sum(name == CHOSEN for _, _, name in REPORT) == 4


def test_the_leaky_split_alone_holds_the_photographs_whose_mirror_images_are_its_test(folder, monkeypatch):
    monkeypatch.chdir(folder)
    study = demonstration("embedded-training")
    leaky, clean = _leaky_splits(study), _clean_splits(study)
    tested = [L.tobytes() for L in leaky["val"].L[:, :, ::-1]]
    assert [L.tobytes() for L in clean["val"].L[:, :, ::-1]] == tested
    assert len(tested) == round(0.2 * study.photographs)
    trained = {name: {L.tobytes() for L in splits["train"].L} for name, splits in (("leaky", leaky), ("clean", clean))}
    assert set(tested) <= trained["leaky"]
    assert not set(tested) & trained["clean"]
    assert len(trained["leaky"]) == len(trained["clean"]) == len(leaky["train"].id)


def test_swapping_twice_gives_the_colours_back(folder, monkeypatch):
    monkeypatch.chdir(folder)
    head = _clean_splits(demonstration("embedded-training"))["train"]
    swapped = _channels_swapped(head)
    pictures = [lab_to_bgr(shard.L, cie_ab(shard.ab)).astype(int) for shard in (head, swapped)]
    assert np.abs(pictures[0] - pictures[1][..., ::-1]).mean() < 1.5
    assert np.abs(pictures[0] - pictures[1]).mean() > 5


def test_the_projection_is_the_nearest_that_a_softmax_can_give():
    random = np.random.default_rng(0)
    rows = random.normal(0, 3, (20, 8))
    nearest = nearest_on_simplex(rows)
    np.testing.assert_allclose(nearest.sum(axis=1), 1)
    assert (nearest >= 0).all()
    others = random.dirichlet(np.full(8, 0.3), 5000)
    for row, near in zip(rows, nearest, strict=True):
        assert np.square(row - near).sum() <= np.square(row - others).sum(axis=1).min() + 1e-9
    np.testing.assert_allclose(nearest_on_simplex(others[:5]), others[:5], atol=1e-12)


def test_hunter_lab_of_white_gray_and_red():
    """Gray has no a and b; of red, X, Y, Z = 41.24, 21.26, 1.93 by hand: a = Ka (0.4339 - 0.2126) / 0.4611, b likewise."""
    white, gray, red = hunter_lab(np.uint8([[[255, 255, 255], [119, 119, 119], [255, 0, 0]]]))[0]
    np.testing.assert_allclose(white, [100, 0, 0], atol=0.05)
    np.testing.assert_allclose(gray[1:], 0, atol=0.05)
    np.testing.assert_allclose(red, [46.11, 82.70, 28.35], atol=0.1)


def test_framed_pictures_are_found_row_by_row():
    figure = np.full((400, 600, 3), 255, np.uint8)
    for row in range(2):
        for column in range(3):
            top, left = 20 + 180 * row, 30 + 180 * column
            figure[top : top + 140, left : left + 140] = 0
            figure[top + 2 : top + 138, left + 2 : left + 138] = 40 * (3 * row + column) + 20
    rows = framed_pictures(figure)
    assert [[int(picture.mean()) for picture in row] for row in rows] == [[20, 60, 100], [140, 180, 220]]


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the original's figures are not on this machine")
def test_the_published_gray_is_inverted():
    from results.studies.errata import Study
    from results.studies.faults_of_data import inverted_gray

    measured = inverted_gray(Study("", "", PUBLISHED))
    assert measured["rows"] == 7
    assert measured["inverted"] == 7
