"""Step 1: find photographs, or download them.

In:  nothing (the photographs embedded in scikit-image and matplotlib), `--data` (folders, zips, downsampled ImageNet
     batches), or `--download` (Tiny ImageNet, 237 MB).
Out: a line for each source: how many photographs it holds and how they are split. Seconds, or the download's time.
"""

import argparse

from preprocessing.front_door import add_data_argument, run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_argument(parser)
    parser.add_argument("--download", action="store_true", help="download Tiny ImageNet to photos/ and use it")
    arguments = parser.parse_args()

    from preprocessing.download import TINY_IMAGENET, download
    from preprocessing.sources import EMBEDDED, open_embedded, open_source
    from preprocessing.splits import split_photographs

    if arguments.download:
        arguments.data = [download(TINY_IMAGENET, "photos")]
    sources = [open_source([path]) for path in arguments.data] or [open_embedded(EMBEDDED)]
    for source in sources:
        splits = ", ".join(f"{len(part)} {name}" for name, part in split_photographs(source.photographs).items())
        print(f"{source.name}: {len(source.photographs)} photographs ({splits})")
        print(*source.left_out, sep="\n", end="\n" * bool(source.left_out))
    named = "".join(f" {path}" for path in arguments.data)
    print(f"next: python preprocessing/02_build_shards.py{' --data' * bool(named)}{named}")


if __name__ == "__main__":
    run(main)
