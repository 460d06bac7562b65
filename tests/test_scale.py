import itertools

import pytest

from preprocessing.batches import TrainingBatches
from results.studies import scale

MEASURED = {"step_seconds": 1.0, "all_reduce_bytes": 125_000_000, "message_seconds": 0.01}  # 1 s at 1 Gb/s


def test_the_model_is_that_of_a_ring(tmp_path):
    rows = {(row["machines"], row["gigabits"]): row for row in scale.model(MEASURED)}
    assert rows[1, 1]["step_seconds"] == 1
    assert rows[2, 1]["step_seconds"] == pytest.approx(1 + 2 * 0.01 + 1)
    assert rows[8, 10]["step_seconds"] == pytest.approx(1 + 14 * 0.01 + 2 * 7 / 8 * 0.1)
    assert rows[8, 10]["efficiency"] == pytest.approx(1 / 1.315, abs=1e-3)
    assert rows[2, 1]["images_per_second"] == pytest.approx(2 * scale.BATCH / 2.02, abs=0.1)
    scale.draw(list(rows.values()), tmp_path / "scale.png")
    assert (tmp_path / "scale.png").exists()


def test_what_is_trained_on_out_of_memory_is_as_many_images(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "SIDE", 8)
    scale.write_noise(tmp_path / "1500", 1500)
    batches = TrainingBatches("1500", 8, 100, 0, tmp_path)
    assert (batches.images, batches.gray, batches.steps_per_epoch) == (1500, 0, 15)
    assert sum(len(L) for L, _ in itertools.islice(batches.from_step(0), 15)) == 1500
