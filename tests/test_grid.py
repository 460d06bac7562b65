import cv2
import numpy as np
import pytest

from results.drawing.grid import CELL_PX, draw_grid, pairs, swap_channels, triples

RED_LAB = (np.uint8(136), (80.1, 67.2))  # of pure sRGB red


def photographs(count, side):
    L = np.random.default_rng(0).integers(0, 256, (count, side, side, 1), np.uint8)
    ab = np.random.default_rng(1).uniform(-60, 60, (count, side, side, 2)).astype(np.float32)
    return L, ab


@pytest.mark.parametrize("side", [32, 64, 128])
def test_every_pixel_of_a_picture_is_a_crisp_square(tmp_path, side):
    L, ab = photographs(2, side)
    columns = triples(L, ab, ab)
    draw_grid(columns, tmp_path / "grid.png")
    drawn = cv2.imread(str(tmp_path / "grid.png"))
    factor = CELL_PX // side
    for images in columns.values():
        for image in images:
            enlarged = np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)
            assert cv2.matchTemplate(drawn, enlarged, cv2.TM_SQDIFF).min() < 1e3


def test_columns_are_those_of_the_original_and_in_right_colours():
    L = np.full((1, 8, 8, 1), RED_LAB[0])
    ab = np.broadcast_to(np.float32(RED_LAB[1]), (1, 8, 8, 2))
    columns = triples(L, ab, ab / 2)
    assert list(columns) == ["Gray", "Ground truth", "Predicted"]
    assert columns["Ground truth"][0, 0, 0].tolist() == pytest.approx([0, 0, 255], abs=4)
    assert np.ptp(columns["Gray"][0, 0, 0].astype(int)) <= 1
    assert list(pairs(L, ab, ab)) == ["Predicted", "Ground truth"]
    swapped = swap_channels(pairs(L, ab, ab))
    assert swapped["Ground truth"][0, 0, 0].tolist() == pytest.approx([255, 0, 0], abs=4)


def test_gray_is_not_inverted():
    L = np.zeros((1, 8, 8, 1), np.uint8)
    L[:, :4] = 255
    image = triples(L, np.zeros((1, 8, 8, 2), np.float32), np.zeros((1, 8, 8, 2), np.float32))["Gray"][0]
    assert image[0, 0].min() > 250
    assert image[7, 7].max() < 5


def test_pairs_stand_side_by_side_and_none_is_lost(tmp_path):
    L, ab = photographs(5, 64)
    draw_grid(pairs(L, ab, ab), tmp_path / "grid.png", blocks=2)
    height, width = cv2.imread(str(tmp_path / "grid.png")).shape[:2]
    assert height > 3 * CELL_PX
    assert width > 4 * CELL_PX


def test_the_same_pictures_give_the_same_bytes(tmp_path):
    L, ab = photographs(1, 32)
    for name in ("a.png", "b.png"):
        draw_grid(triples(L, ab, ab), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(("levels", "drawn"), [(2, False), (5, True)])
def test_a_figure_is_drawn_again_only_where_a_photograph_has_changed(tmp_path, levels, drawn):
    images = np.full((2, 32, 32, 3), 100, np.uint8)
    assert draw_grid({"One": images}, tmp_path / "grid.png")
    before = (tmp_path / "grid.png").read_bytes()
    images[1, 3, 4] += levels
    assert draw_grid({"Another title": images}, tmp_path / "grid.png") == drawn
    assert ((tmp_path / "grid.png").read_bytes() != before) == drawn
