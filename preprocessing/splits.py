"""Which split a photograph belongs to, and whether it nearly equals one of test."""

import hashlib

import cv2
import numpy as np
from scipy.spatial import KDTree

from preprocessing.files import UserError

VAL_SHARE = 0.05
TEST_SHARE = 0.05  # only of a source that brings no validation part of its own
THUMBNAIL_SIDE = 8  # px
LARGE = 256  # px, from which halving before changes a thumbnail by less than one 8-bit level
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
    placed = sorted((_batch_of(photograph), hash_share(photograph.id), photograph) for photograph in photographs)
    for _, share, photograph in placed:
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


def _batch_of(photograph):
    return photograph.container if photograph.kind == "batch" else ""


def thumbnail(image_bgr):
    """(H, W, 3) uint8 -> its centre square as (8, 8, 3) uint8."""
    height, width = image_bgr.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image_bgr[top : top + side, left : left + side]
    if side > LARGE and side % THUMBNAIL_SIDE:  # INTER_AREA is several times as fast by a whole factor
        half = side // (2 * THUMBNAIL_SIDE) * THUMBNAIL_SIDE
        square = cv2.resize(square, (half, half), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(square, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)


class NearCopies:
    """Finds photographs whose thumbnails nearly equal one of test, as they are or mirrored.

    Parameters
    ----------
    test : sequence of (id, thumbnail)
    """

    def __init__(self, test):
        self._ids = [photo_id for photo_id, _ in test]
        self._thumbnails = np.array([each for _, each in test])
        self._tree = KDTree(_bands(self._thumbnails))

    def find(self, photographs):
        """Of `(id, thumbnail)` pairs those that are near-copies: a dictionary of id to the id of test."""
        if not photographs:
            return {}
        thumbnails = np.array([each for _, each in photographs])
        bands = _bands(thumbnails)
        # The RMS of means is at most the RMS itself: who is not near in the bands is near nowhere.
        candidates = self._tree.query_ball_point(bands, NEAR_COPY_RMS * np.sqrt(bands.shape[1]))
        copies = {}
        for (photo_id, _), each, near in zip(photographs, thumbnails, candidates, strict=True):
            rms = [self._rms(each, index) for index in near]
            if rms and min(rms) < NEAR_COPY_RMS:
                copies[photo_id] = self._ids[near[int(np.argmin(rms))]]
        return copies

    def _rms(self, one, index):
        one, other = np.float32(one), np.float32(self._thumbnails[index])
        return np.sqrt(min(np.square(one - other).mean(), np.square(one - other[:, ::-1]).mean()))


def _bands(thumbnails):
    """(N, 8, 8, 3) -> (N, 12): the mean colour of four bands, from top to bottom; a mirror image has the same."""
    return thumbnails.reshape(-1, 4, THUMBNAIL_SIDE**2 // 4, 3).mean(axis=2).reshape(-1, 12)
