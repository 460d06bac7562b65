"""What repeats in a prediction is measured by its period, apart from what is smooth and what repeats more often."""

import numpy as np
import pytest

from preprocessing.files import UserError
from results.studies import gridding


def waves(period, amplitude=2.0):
    across = amplitude * np.cos(2 * np.pi * np.arange(gridding.SIDE) / period)
    return np.broadcast_to(across[None, :, None], (gridding.SIDE, gridding.SIDE, 2)).astype(np.float32)


def test_each_period_is_told_from_the_others():
    for period in gridding.PERIODS:
        rms = {each: gridding.repeating(waves(period), each) for each in gridding.PERIODS}
        assert rms[period] == pytest.approx(2 / np.sqrt(2) if period > 2 else 2, rel=0.02)
        assert all(rms[each] < 0.05 for each in gridding.PERIODS if each != period)


def test_smooth_colours_are_no_grid():
    slope = np.linspace(-40, 40, gridding.SIDE, dtype=np.float32)
    ab = np.stack(np.meshgrid(slope, slope), axis=-1)
    assert all(gridding.repeating(ab, period) < 0.05 for period in gridding.PERIODS)


def test_a_demonstration_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["gridding.py", "--weights", "l2_128"])
    gridding.main()
    assert (tmp_path / "results/gridding.json").exists()
    assert (tmp_path / "results/figures/gridding.png").exists()
    monkeypatch.setattr("sys.argv", ["gridding.py", "--weights", "l2_64"])
    with pytest.raises(UserError, match="128 px"):
        gridding.main()
