"""`manifest.json` of a build: what is being built, and when it is whole, what was read, skipped and why."""

import json
import shutil

import numpy as np

from preprocessing.ab_bins import bin_centres
from preprocessing.files import UserError, json_object, write_atomically
from preprocessing.lab import AB_ZERO
from preprocessing.shards import SCHEMA, SHARD_IMAGES, read_build_log


def _manifest_head(source, crops, fast_side):
    """What shards must have in common to go on with a build."""
    return {
        "schema": SCHEMA,
        "source": source.name,
        "fingerprint": source.fingerprint + f"-fast-{fast_side}" * bool(fast_side),
        "crops": crops,
        "shard_images": SHARD_IMAGES,
    }


def begin_manifest(folder, source, resolutions, crops, fast_decode):
    """Note what is being built; return its resolutions, those built before among them, and the `fast_side` of its Work.

    Shards of another list of photographs, other crops or another decoding are removed first.
    """
    path = folder / "manifest.json"
    try:
        before = json_object(path)
    except (OSError, ValueError):
        before = {}
    built = before.get("resolutions", {})

    def begun(built):
        sides = sorted({*resolutions, *map(int, built)})
        # That of the largest shard, whichever is missing: a stopped build goes on with the same pixels.
        fast_side = sides[-1] if fast_decode else 0
        return sides, fast_side, _manifest_head(source, crops, fast_side)

    sides, fast_side, head = begun(built)
    if any(before.get(key) != value for key, value in head.items()):
        stale = [entry for entry in folder.iterdir() if entry.is_dir() and entry.name.isdigit()]
        if stale:
            print(f"{folder} was built from other photographs or crops, or decoded otherwise: building it again")
        for entry in stale:
            shutil.rmtree(entry)
        built = {}
        sides, fast_side, head = begun(built)
    write_atomically(path, json.dumps(head | {"complete": False, "resolutions": built}).encode())
    return sides, fast_side


def finish_manifest(folder, source, crops, fast_side, splits, resolutions, seconds):
    """Sum up the logs of all shards; write the manifest and return it."""
    logs = {
        (split, side): [read_build_log(block.path(folder, side)) for block in blocks]
        for split, blocks in splits.items()
        for side in resolutions
    }
    seen = [log for (_, side), each in logs.items() if side == resolutions[0] for log in each]
    manifest = {
        **_manifest_head(source, crops, fast_side),
        "complete": True,
        "photographs": {split: sum(len(block.photographs) for block in blocks) for split, blocks in splits.items()},
        "left_out": source.left_out,
        "skipped": {id: reason for log in seen for id, reason in log["skipped"]},
        "near_copies": {id: copy for log in seen for id, copy in log["near_copies"]},
        "seconds": round(seconds, 1),
        "ab_bin_centres": bin_centres().astype(int).tolist(),
        "resolutions": {},
    }
    for (split, side), each in logs.items():
        images = sum(log["images"] for log in each)
        entry = {"images": images, "shards": len(each), "too_small": sum(log["too_small"] for log in each)}
        if split == "train" and images:
            entry["ab_bin_counts"] = np.sum([log["ab_bin_counts"] for log in each], axis=0).tolist()
            ab_sum = np.sum([log["ab_sum"] for log in each], axis=0)
            entry["mean_ab"] = (ab_sum / (images * side**2) - AB_ZERO).tolist()
        manifest["resolutions"].setdefault(str(side), {})[split] = entry
    write_atomically(folder / "manifest.json", json.dumps(manifest, indent=1).encode())
    if len(manifest["skipped"]) == len(source.photographs):
        raise UserError(f"{source.name}: not one of {len(source.photographs)} photographs can be read")
    return manifest
