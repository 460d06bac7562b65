"""Step 2: cut photographs into train, val and test, and write HDF5 shards of L and ab at 32, 64 and 128 px.

In:  the photographs of step 1 (`--data`, or the embedded ones).
Out: shards/<source>/<resolution>/<split>-00000-of-00016.h5 and shards/<source>/manifest.json, which counts what was
     read and skipped and holds the ab prior. 65,000 Tiny ImageNet photographs take 10 seconds on two cores.
"""

import argparse
import functools

from preprocessing.front_door import add_data_argument, run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    parser.add_argument("--resolutions", nargs="+", type=int, default=[32, 64, 128], metavar="PX")
    parser.add_argument(
        "--crops", type=int, default=0, help="random crops of each training photograph (default: its centre)"
    )
    parser.add_argument(
        "--fast-decode",
        action="store_true",
        help="decode JPEGs of train at 1/2, 1/4 or 1/8, no smaller than the shards",
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster (default: this machine's cores)")
    arguments = parser.parse_args()
    if any(side % 16 or side <= 0 for side in arguments.resolutions):
        parser.error("--resolutions takes multiples of 16")
    if not 0 <= arguments.crops <= 1024:
        parser.error("--crops takes 0 to 1024")
    if arguments.fast_decode and (arguments.crops or not arguments.data):
        parser.error("--fast-decode is for the centre squares of --data: crops show what it leaves out")

    from preprocessing.build import build_shards, resolutions_of
    from preprocessing.pool import local_pool, start_workers_early
    from preprocessing.sources import EMBEDDED, EMBEDDED_TRAINING, open_embedded, open_source

    engine = local_pool
    if arguments.scheduler is not None:
        from preprocessing.cluster import cluster

        engine = functools.partial(cluster, arguments.scheduler)
    else:
        start_workers_early()
    if arguments.data:
        sources = [(open_source(arguments.data), arguments.crops)]
    else:
        sources = [(open_embedded(EMBEDDED), 0), (open_embedded(EMBEDDED_TRAINING), arguments.crops or 64)]
    for source, crops in sources:
        print(*source.left_out, sep="\n", end="\n" * bool(source.left_out), flush=True)
        manifest = build_shards(
            source,
            resolutions_of(source, sorted(set(arguments.resolutions))),
            crops,
            engine=engine,
            fast_decode=arguments.fast_decode,
        )
        report(manifest)


def report(manifest):
    for reason, ids in (
        ("unreadable", manifest["skipped"]),
        ("near-copies of test photographs", manifest["near_copies"]),
    ):
        if ids:
            print(f"left out, {reason}: {len(ids)} ({', '.join(list(ids)[:5])}{', ...' * (len(ids) > 5)})")
    sides = {}
    for side, splits in manifest["resolutions"].items():
        counts = ", ".join(f"{entry['images']} {split}" for split, entry in splits.items())
        small = sum(entry["too_small"] for entry in splits.values())
        sides.setdefault(counts + f"; {small} photographs are smaller" * bool(small), []).append(side)
    for counts, alike in sides.items():
        print(f"shards/{manifest['source']} at {', '.join(alike)} px: {counts}")


if __name__ == "__main__":
    run(main)
