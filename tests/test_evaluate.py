import json

import numpy as np
import pytest

from preprocessing.ab_bins import bin_counts, code_counts
from preprocessing.files import UserError
from preprocessing.lab import cie_ab
from preprocessing.shards import Shard
from results.scoring.baselines import collection_of, constant, gray, random_colours
from results.scoring.evaluate import measure, merge_rows, paired, rows_of, score
from results.scoring.parts import parts_of


@pytest.fixture
def test_split():
    random = np.random.default_rng(0)
    L = random.integers(0, 256, (230, 32, 32, 1), np.uint8)
    ab = random.integers(98, 158, (230, 1, 1, 2), np.uint8) + random.integers(0, 5, (230, 32, 32, 2), np.uint8)
    return Shard(L, ab, [f"{index}.jpg" for index in range(230)])


def test_every_photograph_is_scored_and_the_truth_is_perfect(test_split):
    position = 0

    def truth(L):
        nonlocal position
        position += len(L)
        return cie_ab(test_split.ab[position - len(L) : position])

    row = score(truth, test_split, bin_counts(code_counts(test_split.ab)), "truth")
    assert row["images"] == 230
    assert (row["mse"], row["auc"], row["auc_rebalanced"], row["colorfulness_ratio"], row["ssim"]) == (0, 1, 1, 1, 1)


def test_gray_and_mean_score_what_their_formulas_say(test_split):
    ab = cie_ab(test_split.ab)
    counts = bin_counts(code_counts(test_split.ab))
    row = score(gray, test_split, counts, "gray")
    assert row["mse"] == pytest.approx(np.square(ab).mean(), rel=1e-4)
    assert row["colorfulness_ratio"] < 0.05
    mean = ab.mean(axis=(0, 1, 2))
    row = score(constant(mean), test_split, counts, "mean")
    assert row["mse"] == pytest.approx(ab.var(axis=(0, 1, 2)).mean(), rel=1e-3)
    assert row["mse_ci"][0] < row["mse"] < row["mse_ci"][1]


def test_random_colours_are_all_anothers_own(test_split):
    predict = random_colours(test_split.ab)
    drawn = np.concatenate([predict(test_split.L[start : start + 100]) for start in range(0, 230, 100)])
    truth = cie_ab(test_split.ab)
    assert not (drawn == truth).all(axis=(1, 2, 3)).any()
    assert sorted(drawn.sum(axis=(1, 2, 3))) == pytest.approx(sorted(truth.sum(axis=(1, 2, 3))))


def test_rows_replace_their_like_and_keep_the_rest(tmp_path):
    def row(model, data, mse):
        return {"model": model, "data": data, "resolution": 32, "mse": mse}

    path = tmp_path / "evaluation.json"
    merge_rows(path, [row("gray", "a", 1), row("gray", "b", 2)], {"a": 1, "b": 1})
    merge_rows(path, [row("gray", "a", 3), row("net", "a", 4)], {"a": 2})
    written = json.loads(path.read_text())
    assert [(r["model"], r["data"], r["mse"]) for r in written["rows"]] == [
        ("gray", "a", 3),
        ("net", "a", 4),
        ("gray", "b", 2),
    ]
    assert written["data"] == {"a": 2, "b": 1}
    merge_rows(path, [row("net", "a", 5), row("net", "a", 6) | {"photographs": "everyday"}], {})
    ordered = merge_rows(path, [row("net", "a", 7) | {"photographs": "photos"}, row("net", "a", 8)], {})
    assert [r["mse"] for r in ordered] == [3, 7, 8, 2]  # the part that was not scored again is of other weights
    path.write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        merge_rows(path, [], {})


@pytest.mark.parametrize(
    ("image_id", "collection"),
    [
        ("train/sunrise12.jpg#1,2,64", "sunrise"),
        ("train/n02123597_Siamese_cat.jpg", "n"),
        ("train/scenes-sea-12.jpg", "scenes-sea-"),
        ("train/279005.jpg", ""),
        ("train/76f8420a-bcea-4bb8-a049-befa05315470.jpg", "uuid"),
    ],
)
def test_a_collection_is_told_by_the_file_names(image_id, collection):
    assert collection_of(image_id) == collection


def test_paired_intervals_are_of_the_difference_on_the_same_photographs():
    """Two models whose errors vary far more than their difference: the paired interval is narrow, and has its sign."""
    random = np.random.default_rng(0)
    hard = random.uniform(0, 1000, 200)
    errors = {"mean": hard, "l2_64": hard - 5 + random.normal(0, 1, 200)}
    ids = [f"val/{number}.jpg" for number in range(200)]
    (difference, low, high) = paired("l2_64", errors, ids)["mean"]
    assert low < difference < high < 0
    assert high - low < 1
    assert "source_mean" not in paired("l2_64", errors, ids)


def test_a_part_scores_what_its_photographs_score_alone(test_split):
    counts = bin_counts(code_counts(test_split.ab))
    rows = np.arange(0, 230, 3)
    alone = Shard(test_split.L[rows], test_split.ab[rows], [test_split.id[row] for row in rows])
    measured = measure({"mean": constant([5, 5]), "net": gray}, test_split, counts, "both")
    whole, part = rows_of("net", measured, test_split.id, {"everyday": rows}, parameters=1)
    assert score(gray, test_split, counts, "net").items() <= whole.items()
    assert (score(gray, alone, counts, "net") | {"photographs": "everyday"}).items() <= part.items()
    difference = (measured["net"]["mse"] - measured["mean"]["mse"])[rows].mean()
    assert part["mse_minus"]["mean"][0] == pytest.approx(difference, abs=1e-5)


def parts_by_name(pictures):
    names, ids = zip(*pictures, strict=True)
    return {name: rows.tolist() for name, rows in parts_of(Shard(None, None, list(ids), list(names))).items()}


def test_parts_are_each_source_those_larger_than_tiny_imagenet_and_those_not_of_imagenet():
    tiny, everyday, photos = (
        ("tiny-imagenet-200", "val/val_0.JPEG"),
        ("everyday", "val/pets-1.webp"),
        ("photos", "val/1.jpg"),
    )
    imagenette, cat = ("everyday", "val/imagenette-1.webp"), ("photos", "val/n02123597_Siamese_cat.jpg")
    assert parts_by_name([tiny, everyday, photos, imagenette, cat, everyday]) == {
        "tiny-imagenet-200": [0],
        "everyday": [1, 3, 5],
        "photos": [2, 4],
        "everyday+photos": [1, 2, 3, 4, 5],
        "everyday, not ImageNet": [1, 5],
        "photos, not ImageNet": [2],
        "everyday+photos, not ImageNet": [1, 2, 5],
    }
    assert parts_by_name([photos, cat]) == {"photos, not ImageNet": [0]}
    assert parts_by_name([tiny, tiny]) == {}
    assert parts_of(Shard(None, None, ["a"])) == {}
