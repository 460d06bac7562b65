"""Shards out of arrays: what an experiment makes of a split, for the training loops to read like any source."""

import hashlib
import json
from pathlib import Path

from preprocessing.files import write_atomically
from preprocessing.shards import SCHEMA, SHARD_IMAGES, Shard, shard_path, write_shard


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
