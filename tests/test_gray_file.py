"""What a gray file shows of a photograph, against OpenCV's own gray reading of a file."""

import cv2
import numpy as np
import skimage.data

from preprocessing.gray_file import (
    GRAY_OF_LIGHTNESS,
    LIGHTNESS_OF_GRAY,
    lightness_of_gray_files,
    luma,
    through_jpeg,
)
from preprocessing.lab import bgr_to_lab


def astronaut():
    image_bgr = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
    return cv2.resize(image_bgr, (128, 128), interpolation=cv2.INTER_AREA)


def test_a_gray_file_and_its_lightness_agree():
    image_bgr = astronaut()
    file = cv2.imencode(".png", cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY))[1]
    of_file = bgr_to_lab(cv2.imdecode(file, cv2.IMREAD_COLOR))[0]
    L, ab = bgr_to_lab(image_bgr)
    ours = lightness_of_gray_files(L[None], ab[None])[0]
    assert np.abs(ours.astype(int) - of_file).mean() < 1  # the rest is what 8-bit Lab has rounded
    strong = (np.abs(ab.astype(int) - 128) > 40).any(axis=-1)
    assert np.abs(L.astype(int) - of_file)[strong].mean() > 4  # where L of Lab is another picture


def test_gray_values_and_lightness_are_each_others_inverse():
    assert (GRAY_OF_LIGHTNESS[LIGHTNESS_OF_GRAY[32:]] == np.arange(32, 256)).mean() > 0.9
    assert (np.diff(LIGHTNESS_OF_GRAY.astype(int)) >= 0).all()


def test_a_gray_picture_is_its_own_gray_file():
    image_bgr = cv2.cvtColor(cv2.cvtColor(astronaut(), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    L, ab = bgr_to_lab(image_bgr)
    assert np.abs(lightness_of_gray_files(L[None], ab[None])[0].astype(int) - L).max() <= 2


def test_jpeg_puts_its_blocks_where_the_offset_says():
    gray = luma(*bgr_to_lab(astronaut()))
    for offset in ((0, 0), (3, 5)):
        steps = np.abs(np.diff(through_jpeg(gray, 5, offset).astype(int), axis=1)).mean(axis=0)
        first = (7 - offset[1]) % 8  # the step from one block to the next
        assert steps[first::8].mean() > 2 * np.delete(steps, np.s_[first::8]).mean()
        assert through_jpeg(gray, 5, offset).shape == gray.shape
