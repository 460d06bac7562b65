"""Shards out of arrays: what an experiment makes of a split, for the training loops to read like any source."""

import hashlib
import json
from pathlib import Path

import numpy as np

from preprocessing.files import write_atomically
from preprocessing.shards import SCHEMA, SHARD_IMAGES, Shard, list_shards, read_shard, shard_path, write_shard
from preprocessing.splits import photo_of


def first_photographs(source, resolution, split, count, root="shards"):
    """The first image of each of the first `count` photographs of a split, as one Shard."""
    L, ab, ids, seen = [], [], [], set()
    for path in list_shards(source, resolution, split, root):
        shard = read_shard(path)
        for row, image_id in enumerate(shard.id):
            if len(ids) < count and photo_of(image_id) not in seen:
                seen.add(photo_of(image_id))
                L.append(shard.L[row])
                ab.append(shard.ab[row])
                ids.append(image_id)
        if len(ids) == count:
            break
    return Shard(np.array(L), np.array(ab), ids)


def write_source(root, name, resolution, splits):
    """Write shards and a manifest under `<root>/<name>`, over what is there.

    Parameters
    ----------
    splits : dict of split to preprocessing.shards.Shard
    """
    digest = hashlib.sha256()
    entries = {}
    for split, whole in splits.items():
        digest.update(whole.L.tobytes() + whole.ab.tobytes())
        starts = range(0, len(whole.id), SHARD_IMAGES)
        for index, start in enumerate(starts):
            rows = slice(start, start + SHARD_IMAGES)
            write_shard(
                shard_path(Path(root) / name, resolution, split, index, len(starts)),
                Shard(whole.L[rows], whole.ab[rows], whole.id[rows]),
                resolution=resolution,
                split=split,
                source=name,
                build_log={},
            )
        entries[split] = {"images": len(whole.id), "shards": len(starts)}
    manifest = {
        "schema": SCHEMA,
        "source": name,
        "fingerprint": digest.hexdigest()[:16],
        "complete": True,
        "resolutions": {str(resolution): entries},
    }
    write_atomically(Path(root) / name / "manifest.json", json.dumps(manifest, indent=1).encode())
