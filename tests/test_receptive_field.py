"""What the report says that a pixel sees, against what the networks see."""

from dataclasses import replace

import numpy as np
import pytest

from report.build import receptive_fields
from results.prediction.predict import load_colorizer


@pytest.mark.parametrize(
    ("name", "key", "side"), [("l2_32", "1", 64), ("l2_64", "2", 96), ("l2_128", "(5, 3, 1)", 160)]
)
def test_a_pixel_depends_on_the_columns_that_the_layers_tell(name, key, side):
    colorizer = replace(load_colorizer(name), mirror_average=False)
    L = np.random.default_rng(0).integers(0, 256, (1, 8, side, 1), np.uint8)
    changed = np.repeat(L, side, axis=0)
    for column in range(side):  # each picture has another column changed
        changed[column, :, column] ^= 128
    moved = np.abs(colorizer.predict_ab(changed) - colorizer.predict_ab(L)).max(axis=(1, 3)) > 0
    seen = moved[:, side // 4 : 3 * side // 4].sum(axis=0)
    assert seen.max() == receptive_fields()[key]


def test_the_unet_sees_a_whole_picture_of_its_size():
    assert receptive_fields()["unet"] > 2 * 128  # from each corner to the farthest
