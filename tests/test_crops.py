import cv2
import numpy as np

from preprocessing.crops import centre_square, random_crops


def test_centre_square_is_the_short_side_resized_and_its_centre():
    image = np.random.default_rng(0).integers(0, 256, (100, 160, 3), np.uint8)
    resized = cv2.resize(image, (102, 64), interpolation=cv2.INTER_AREA)
    assert (centre_square(image, 64) == resized[:, 19:83]).all()
    assert centre_square(image, 101) is None
    assert centre_square(image, 100).shape == (100, 100, 3)


def test_what_the_square_leaves_out_has_no_part_in_it_at_any_size():
    random = np.random.default_rng(0)
    for height, width in random.integers(33, 400, (100, 2)):
        image = random.integers(0, 256, (height, width, 3), np.uint8)
        size = (max(32, round(width * 32 / min(height, width))), max(32, round(height * 32 / min(height, width))))
        resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        top, left = (size[1] - 32) // 2, (size[0] - 32) // 2
        assert (centre_square(image, 32) == resized[top : top + 32, left : left + 32]).all(), image.shape


def test_crops_lie_where_their_names_say_and_come_out_the_same_each_time():
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    crops = random_crops(image, 32, 20, "a.png")
    for (name, crop), (again, same) in zip(crops, random_crops(image, 32, 20, "a.png"), strict=True):
        x, y, width = map(int, name.partition("#")[2].split(","))
        assert name == again
        assert (crop == same).all()
        assert 32 <= width <= 90
        square = image[y : y + width, x : x + width]
        assert square.shape == (width, width, 3)
        assert (crop == cv2.resize(square, (32, 32), interpolation=cv2.INTER_AREA)).all()
    assert len({name for name, _ in crops}) > 15
