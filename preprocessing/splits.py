"""Which split a photograph belongs to, and whether it nearly equals one of test."""

import hashlib

import cv2
import numpy as np
from scipy.spatial import KDTree

from preprocessing.files import UserError

VAL_SHARE = 0.05
TEST_SHARE = 0.05  # only of a source that brings no validation part of its own
THUMBNAIL_SIDE = 8  # px
NEAR_COPY_RMS = 4.0  # 8-bit levels; in photos.zip copies lie below 1 and the nearest others at 13


def photo_of(image_id):
    """The photograph an image was cut from: the id before `#`."""
    return image_id.partition("#")[0]


def hash_share(photo_id):
    """A photograph's place in [0, 1): the same on every machine, whatever else is in the source."""
    digest = hashlib.sha256(photo_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_photographs(photographs):
    """Cut photographs into train, val and test, each in the order of its hash (batch files one after another).

    A source's own validation part is test, and val is 5% of the rest; a source without one is cut 90/5/5. A split
    that would be empty gets the train photographs whose hashes are lowest.

    Parameters
    ----------
    photographs : sequence of preprocessing.sources.Photograph

    Returns
    -------
    splits : dict of str to list of Photograph, keys "train", "val", "test"
    """
    splits = {"train": [], "val": [], "test": []}
    test_share = 0.0 if any(photograph.part == "val" for photograph in photographs) else TEST_SHARE
    for photograph in sorted(photographs, key=_place):
        share = hash_share(photograph.id)
        if photograph.part == "val":
            splits["test"].append(photograph)
        elif share < VAL_SHARE:
            splits["val"].append(photograph)
        elif share < VAL_SHARE + test_share:
            splits["test"].append(photograph)
        else:
            splits["train"].append(photograph)
    if len(splits["test"]) < len(photographs):
        for name in ("val", "test"):
            if not splits[name] and splits["train"]:
                splits[name].append(splits["train"].pop(0))
        if not all(splits.values()):
            raise UserError(f"{len(photographs)} photograph(s) are too few to train, validate and test: name more")
    return splits


def _place(photograph):
    return photograph.container if photograph.kind == "batch" else "", hash_share(photograph.id), photograph.id


def thumbnail(image_bgr):
    """(H, W, 3) uint8 -> the centre square as (3 * 8 * 8,) float32."""
    height, width = image_bgr.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image_bgr[top : top + side, left : left + side]
    return cv2.resize(square, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()


class NearCopies:
    """Finds photographs whose thumbnails nearly equal one of test, as they are or mirrored."""

    def __init__(self, test_ids, test_thumbnails):
        thumbnails = np.asarray(test_thumbnails, np.float32).reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)
        self._test_ids = list(test_ids)
        self._thumbnails = np.concatenate([thumbnails, thumbnails[:, :, ::-1]]).reshape(2 * len(thumbnails), -1)
        self._tree = KDTree(_quarters(self._thumbnails)) if self._test_ids else None

    def find(self, thumbnails):
        """For each of (N, 192) thumbnails the id of the test photograph that it nearly equals, or None."""
        if self._tree is None or not len(thumbnails):
            return [None] * len(thumbnails)
        quarters = _quarters(thumbnails)
        # The RMS of means is at most the RMS itself: who is not near in the quarters is near nowhere.
        candidates = self._tree.query_ball_point(quarters, NEAR_COPY_RMS * np.sqrt(quarters.shape[1]))
        return [self._nearest(thumbnail, near) for thumbnail, near in zip(thumbnails, candidates, strict=True)]

    def _nearest(self, thumbnail, candidates):
        if not candidates:
            return None
        rms = np.sqrt(np.square(self._thumbnails[candidates] - thumbnail).mean(axis=1))
        nearest = candidates[int(rms.argmin())]
        return self._test_ids[nearest % len(self._test_ids)] if rms.min() < NEAR_COPY_RMS else None


def _quarters(thumbnails):
    """(N, 192) -> (N, 12): the mean colour of each quarter of the picture."""
    half = THUMBNAIL_SIDE // 2
    return np.asarray(thumbnails).reshape(-1, 2, half, 2, half, 3).mean(axis=(2, 4)).reshape(-1, 12)
