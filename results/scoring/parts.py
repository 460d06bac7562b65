"""Which of a mix's test photographs are from which source, and which are from ImageNet."""

import re
from pathlib import PurePosixPath

import numpy as np

from preprocessing.splits import photo_of

# How photographs of ImageNet are named in photos.zip, in everyday.zip, and by downsampled ImageNet. What may have come from
# it by way of another collection cannot be told.
IMAGENET_FILE = re.compile(r"n\d{8}_|imagenette-")
IMAGENET_BATCH = re.compile(r"(train_data_batch_\d+|val_data)/\d{6}$")
TINY_IMAGENET = "tiny-imagenet"


def parts_of(test):
    """The rows of each source's own photographs in a test split, of those of all but Tiny ImageNet, and of both without ImageNet's.

    Returns
    -------
    parts : dict of names such as "everyday", "everyday+photos" and "photos, not ImageNet" to arrays of int. Empty parts, and
        one that is the whole, are left out; where shards do not tell sources apart, all are.
    """
    if len(test.origin) < len(test.id):
        return {}
    origin = np.array(test.origin)
    names = sorted(set(test.origin))
    larger = [name for name in names if not name.startswith(TINY_IMAGENET)]
    rows = {name: np.flatnonzero(origin == name) for name in names}
    rows |= {"+".join(larger): np.flatnonzero(np.isin(origin, larger))}
    imagenet = np.array([_is_of_imagenet(*each) for each in zip(test.origin, test.id, strict=True)], bool)
    rows |= {f"{name}, not ImageNet": of_it[~imagenet[of_it]] for name, of_it in rows.items() if imagenet[of_it].any()}
    return {name: of_it for name, of_it in rows.items() if 0 < len(of_it) < len(test.id)}


def _is_of_imagenet(origin, image_id):
    name = PurePosixPath(photo_of(image_id)).name
    return origin.startswith(TINY_IMAGENET) or bool(IMAGENET_FILE.match(name) or IMAGENET_BATCH.match(image_id))
