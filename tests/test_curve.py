import cv2

from results.drawing.curve import write_curve


def test_a_curve_is_written_as_numbers_and_as_a_picture(tmp_path):
    history = [
        {"epoch": 1, "images": 1000, "train_mse": 250.0, "val_mse": 240.0, "seconds": 3},
        {"epoch": 2, "images": 2000, "train_mse": 230.0, "val_mse": 220.5, "seconds": 6},
    ]
    write_curve(history, "mse", tmp_path / "l2_32")
    lines = (tmp_path / "l2_32.csv").read_text().splitlines()
    assert lines == ["epoch,images,train_mse,val_mse", "1,1000,250.0,240.0", "2,2000,230.0,220.5"]
    assert cv2.imread(str(tmp_path / "l2_32.png")).shape == (640, 1000, 3)
