"""The original's faults in its data and its figures (ORIGINAL.md, section 5), each measured."""

import pickle
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from skimage.color import rgb2lab, rgb2xyz

from preprocessing.derived import first_photographs, write_source
from preprocessing.downsampled_imagenet import load_batch
from preprocessing.embedded import embedded_files
from preprocessing.files import UserError
from preprocessing.lab import bgr_to_lab, cie_ab, lab_to_bgr
from preprocessing.shards import Shard, read_split
from preprocessing.sources import EMBEDDED
from results.drawing.grid import draw_grid
from results.prediction.predict import colorizer_of
from results.scoring.evaluate import mean_squared_error
from results.scoring.metrics import squared_error
from tf_raw.config import TrainingConfig
from tf_raw.training import train

SIDE = 32  # px, of the networks trained here
LEAKY_SHARE = 0.1  # the original's test: the end of the photographs and their mirror images, one after the other
WHITE_D65 = np.array([0.95047, 1.0, 1.08883])  # XYZ, as scikit-image's rgb2xyz


def _joined(*shards):
    return Shard(
        np.concatenate([shard.L for shard in shards]),
        np.concatenate([shard.ab for shard in shards]),
        [id for shard in shards for id in shard.id],
    )


def _mirrored(shard):
    return Shard(shard.L[:, :, ::-1], shard.ab[:, :, ::-1], [f"{id} mirrored" for id in shard.id])


def _channels_swapped(shard):
    """The same pictures with red and blue exchanged, in Lab again."""
    pictures = lab_to_bgr(shard.L, cie_ab(shard.ab))[..., ::-1]
    L, ab = zip(*(bgr_to_lab(np.ascontiguousarray(picture)) for picture in pictures), strict=True)
    return Shard(np.array(L), np.array(ab), shard.id)


def _train(study, name, splits):
    """Train our network on arrays, for the same steps whatever they are; a function from L to ab."""
    root = study.folder / "shards"
    write_source(root, name, SIDE, splits)
    config = TrainingConfig(
        SIDE,
        epochs=study.epochs,
        images_per_epoch=study.photographs,
        patience=study.epochs,
        mirrored=False,
        mirror_average=False,
    )
    if study.small:
        config = replace(config, batch_size=8, warmup_steps=2, compute="float32")
    trained = train(config, name, study.folder / name, root=root)
    return colorizer_of(trained, config, "tf_raw", name).predict_ab


def _original_split(study):
    """Photographs in three parts: (head, tail, others).

    The original's test are the mirror images of the tail, the last fifth of its photographs; the others are as many more,
    of which it has none.
    """
    tested = round(2 * LEAKY_SHARE * study.photographs)
    photographs = first_photographs(study.source, SIDE, "train", study.photographs + tested)
    ends = len(photographs.id) - 2 * tested, len(photographs.id) - tested
    return tuple(
        Shard(photographs.L[rows], photographs.ab[rows], photographs.id[rows])
        for rows in (slice(None, ends[0]), slice(*ends), slice(ends[1], None))
    )


def _leaky_splits(study):
    head, tail, _ = _original_split(study)
    return {"train": _joined(head, tail, _mirrored(head)), "val": _mirrored(tail)}


def _clean_splits(study):
    """As many photographs and mirror images as the leaky split has, without those of its test."""
    head, tail, others = _original_split(study)
    return {"train": _joined(head, others, _mirrored(head)), "val": _mirrored(tail)}


def mirror_leak(study):
    """Train with the original's split and with one that has no mirror image of test, the same number of steps.

    Both keep the epoch that is best on the leaky test, as one does who has no other.
    """
    splits = _leaky_splits(study)
    leaky_test = splits["val"]
    leaky = _train(study, "leaky", splits)
    clean = _train(study, "clean", _clean_splits(study))
    unseen = read_split(study.source, SIDE, "test")
    return {
        "photographs": study.photographs,
        "test_of_mirror_images_mse": {
            "trained_with_the_leak": mean_squared_error(leaky, leaky_test),
            "trained_without": mean_squared_error(clean, leaky_test),
        },
        "unseen_test_mse": {
            "trained_with_the_leak": mean_squared_error(leaky, unseen),
            "trained_without": mean_squared_error(clean, unseen),
        },
    }


def swapped_channels(study):
    """Train on the same photographs with red and blue exchanged before Lab, and compare with the true colours."""
    splits = _clean_splits(study)
    right = _train(study, "clean", splits)
    swapped = _train(study, "swapped", {split: _channels_swapped(shard) for split, shard in splits.items()})
    test = read_split(study.source, SIDE, "test")
    test_swapped = _channels_swapped(test)
    shown = read_split(EMBEDDED, SIDE, "test")
    columns = {
        "Ground truth": lab_to_bgr(shown.L, cie_ab(shown.ab)),
        "Truth, swapped": lab_to_bgr(shown.L, cie_ab(_channels_swapped(shown).ab)),
        "Learnt right": lab_to_bgr(shown.L, right(shown.L)),
        "Learnt swapped": lab_to_bgr(shown.L, swapped(shown.L)),
    }
    draw_grid(columns, study.figures / "errata-swapped.png")
    return {
        "swapped_truth_against_truth_mse": round(
            float(squared_error(cie_ab(test.ab), cie_ab(test_swapped.ab)).mean()), 5
        ),
        "learnt_right_against_truth_mse": mean_squared_error(right, test),
        "learnt_swapped_against_truth_mse": mean_squared_error(swapped, test),
        "learnt_swapped_against_swapped_truth_mse": mean_squared_error(swapped, test_swapped),
        "figure": "errata-swapped.png",
    }


def framed_pictures(figure_bgr):
    """The pictures of the original's figure 32, row by row: lists of (H, W, 3) arrays, cut out of their black frames."""
    dark = (figure_bgr.max(axis=-1) < 160).astype(np.uint8)
    contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = [cv2.boundingRect(contour) for contour in contours]
    boxes = [box for box in boxes if min(box[2:]) > 80 and abs(box[2] - box[3]) < 0.2 * box[2]]
    rows = []
    for box in sorted(boxes, key=lambda box: box[1]):
        if rows and box[1] - rows[-1][0][1] < box[3] / 2:
            rows[-1].append(box)
        else:
            rows.append([box])
    inset = 6  # px, the frame
    return [
        [figure_bgr[y + inset : y + h - inset, x + inset : x + w - inset] for x, y, w, h in sorted(row)] for row in rows
    ]


def inverted_gray(study):
    """Correlate each gray picture of the published figure 32 with the lightness of the truth beside it."""
    if study.published is None:
        raise UserError("the inverted gray is measured on the published figure: name it by --published result32.png")
    figure_bgr = cv2.imread(str(study.published))
    if figure_bgr is None:
        raise UserError(f"{study.published} is not an image: name the original's result32.png by --published")
    rows = framed_pictures(figure_bgr)
    if not rows or any(len(row) != 3 for row in rows):
        raise UserError(f"{study.published} has no rows of three framed pictures: name the original's result32.png")
    correlations = []
    for gray, truth, _ in rows:
        lightness = bgr_to_lab(truth)[0]
        shown = cv2.resize(bgr_to_lab(gray)[0], lightness.shape[1::-1], interpolation=cv2.INTER_AREA)
        correlations.append(round(float(np.corrcoef(shown.ravel(), lightness.ravel())[0, 1]), 3))
    return {"rows": len(correlations), "inverted": sum(r < 0 for r in correlations), "correlations": correlations}


def hunter_lab(image_rgb):
    """Hunter's L, a, b (1948) of an sRGB picture, D65: (H, W, 3) uint8 -> (H, W, 3) float64.

    Ka = 175 / 198.04 (Xn + Yn), Kb = 70 / 218.11 (Yn + Zn), with the white scaled to Yn = 100.
    """
    x, y, z = np.moveaxis(rgb2xyz(image_rgb) / WHITE_D65, -1, 0)
    white = 100 * WHITE_D65
    ka, kb = 175 / 198.04 * (white[0] + white[1]), 70 / 218.11 * (white[1] + white[2])
    root = np.sqrt(np.maximum(y, 1e-9))
    return np.stack([100 * root, ka * (x - y) / root, kb * (y - z) / root], axis=-1)


def hunter_against_cie(study):
    """The difference in a and b between the space that the report names and the one that it uses."""
    differences, cie = [], []
    for _, path in embedded_files():
        image_rgb = cv2.imread(str(path))[..., ::-1]
        lab = rgb2lab(image_rgb)
        differences.append(np.abs(hunter_lab(image_rgb) - lab)[..., 1:].reshape(-1, 2))
        cie.append(np.abs(lab[..., 1:]).reshape(-1, 2))
    differences, cie = np.concatenate(differences), np.concatenate(cie)
    a, b = differences.mean(axis=0)
    return {
        "photographs": len(embedded_files()),
        "mean_difference_a": round(float(a), 3),
        "mean_difference_b": round(float(b), 3),
        "largest_difference": round(float(differences.max()), 3),
        "mean_of_cie_a_and_b": [round(float(value), 3) for value in cie.mean(axis=0)],
    }


class _Hostile:
    """Unpickled, it writes a file: what a batch file from a stranger could do."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (exec, (f"open({self.marker!r}, 'w').close()",))


def pickle_runs_code(study):
    """Load a hostile batch file as the original does, in a process of its own, and as step 1 does."""
    with tempfile.TemporaryDirectory() as folder:
        marker, batch = Path(folder) / "marker", Path(folder) / "train_data_batch_1"
        batch.write_bytes(pickle.dumps({"data": _Hostile(str(marker))}))
        subprocess.run([sys.executable, "-c", f"import pickle; pickle.load(open({str(batch)!r}, 'rb'))"], check=True)
        ran = marker.exists()
        marker.unlink(missing_ok=True)
        try:
            load_batch(batch)
            refused = False
        except UserError:
            refused = True
        return {"pickle_load_ran_its_code": ran, "ours_refused_it": refused, "ours_ran_its_code": marker.exists()}
