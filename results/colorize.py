"""Colour photographs: `colorize photo.jpg` writes photo-colorized.png beside it, at its full size.

Takes files, folders (searched through, and mirrored under --out), patterns such as '*.jpg', and - for standard input to
standard output. Colours that a photograph has are set aside first. From Python: `colorize(image_bgr)`.
"""

import argparse
import glob
import sys
from dataclasses import dataclass
from pathlib import Path

from preprocessing.files import UserError
from preprocessing.front_door import run
from preprocessing.options import natural, positive

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
STDIO = "-"


@dataclass(frozen=True)
class Job:
    """One photograph and the stem of what is written of it."""

    source: Path | str
    stem: Path


def colorize(image_bgr, model="l2_128", vibrance=None, temperature=None):
    """Colour a picture, whose own colours are not looked at.

    Parameters
    ----------
    image_bgr : ndarray of uint8, shape (H, W, 3) or (H, W); any size
    model : str, the name of shipped weights or a weights file
    vibrance : float, factor of chroma; by default that of the weights, chosen on validation photographs
    temperature : float, of a bins network's annealed mean

    Returns
    -------
    image_bgr : ndarray of uint8, shape (H, W, 3)
    """
    import cv2

    from results.photograph import from_bgr

    if image_bgr.ndim == 2:
        image_bgr = cv2.cvtColor(image_bgr, cv2.COLOR_GRAY2BGR)
    return _coloured(from_bgr(image_bgr).L, _colorizer(model), vibrance, temperature)


def main():
    """The console command."""
    run(_main)


def _main():
    arguments = parse_arguments()
    if not arguments.photographs:
        raise UserError("name photographs, folders, patterns, or - for standard input")
    jobs = list_jobs(arguments.photographs, arguments.out)
    refuse_to_overwrite(jobs, arguments)
    colorizer = _colorizer(f"{arguments.objective}_{arguments.model}")
    if not colorizer.predicts_bins and (arguments.samples or arguments.uncertainty or arguments.temperature):
        raise UserError("--samples, --uncertainty and --temperature need a distribution: add --objective rebalanced")
    failed = colour_all(jobs, colorizer, arguments)
    if failed:
        print(f"{len(failed)} of {len(jobs)} could not be coloured", file=sys.stderr)
        sys.exit(1)


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="colorize", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", nargs="*", metavar="PHOTO")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where pictures go (default: beside each photograph)"
    )
    parser.add_argument("--model", choices=("32", "64", "128"), default="128", help="the network's size in px")
    parser.add_argument("--objective", choices=("l2", "rebalanced"), default="l2", help="what the network learnt")
    parser.add_argument("--vibrance", type=positive(float), help="factor of chroma (default: the weights')")
    parser.add_argument("--temperature", type=positive(float), help="of the rebalanced network (default: the weights')")
    parser.add_argument("--compare", action="store_true", help="write gray | truth | predicted in one picture as well")
    parser.add_argument("--samples", type=natural, default=0, metavar="N", help="N more plausible colourings")
    parser.add_argument("--uncertainty", action="store_true", help="the map of the distribution's entropy as well")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    return parser.parse_args()


def list_jobs(names, out):
    """Every photograph that `names` mean, each once.

    Raises
    ------
    UserError
        A name is no file, folder or matching pattern, a folder holds no photograph, or two would be written as one.
    """
    jobs = {}
    for name in names:
        if name == STDIO:
            jobs[STDIO] = Job(STDIO, Path(STDIO))
            continue
        path = Path(name)
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and not _is_ours(p))
            if not found:
                raise UserError(f"{name} holds no photograph ({', '.join(sorted(SUFFIXES))})")
            pairs = [(p, p.relative_to(path)) for p in found]
        else:
            paths = [path] if path.exists() else [Path(p) for p in sorted(glob.glob(name, recursive=True))]
            pairs = [(p, Path(p.name)) for p in paths if p.is_file()]
            if not pairs:
                raise UserError(f"no such file, folder or matching pattern: {name}")
        for source, relative in pairs:
            target = out / relative if out else source
            jobs.setdefault(source.resolve(), Job(source, target.with_name(target.stem)))
    stems = {}
    for job in jobs.values():
        other = stems.setdefault(job.stem, job)
        if other is not job:
            raise UserError(
                f"{other.source} and {job.source} would both be {job.stem}-colorized.png: colour them apart"
            )
    return list(jobs.values())


def _is_ours(path):
    return path.stem.endswith(("-colorized", "-compare", "-uncertainty")) or "-sample" in path.stem


def outputs_of(job, arguments):
    """The files that a job writes, by what they show."""
    names = ["colorized"] + ["compare"] * arguments.compare + ["uncertainty"] * arguments.uncertainty
    names += [f"sample{number}" for number in range(1, arguments.samples + 1)]
    return {name: job.stem.with_name(f"{job.stem.name}-{name}.png") for name in names}


def refuse_to_overwrite(jobs, arguments):
    """UserError for the first file that is there already, unless --force is given."""
    if arguments.force:
        return
    for job in jobs:
        for path in outputs_of(job, arguments).values():
            if job.source != STDIO and path.exists():
                raise UserError(f"{path} exists: --force overwrites it, --out FOLDER writes elsewhere")


def colour_all(jobs, colorizer, arguments):
    """Colour every job; the sources that could not be read, each named when it fails."""
    from tqdm import tqdm

    from results.photograph import UnreadablePhotograph

    failed = []
    quiet = len(jobs) == 1
    for job in tqdm(jobs, unit="photo", disable=quiet):
        try:
            colour_one(job, colorizer, arguments)
        except UnreadablePhotograph as error:
            tqdm.write(f"colorize: {job.source} skipped: {error}", file=sys.stderr)
            failed.append(job.source)
    return failed


def colour_one(job, colorizer, arguments):
    """Read, colour and write one photograph."""
    from preprocessing.files import write_atomically
    from results.photograph import UnreadablePhotograph, png, read_photograph

    try:
        data = sys.stdin.buffer.read() if job.source == STDIO else job.source.read_bytes()
    except OSError as error:
        raise UnreadablePhotograph(error.strerror) from None
    photograph = read_photograph(data)
    pictures = pictures_of(photograph, colorizer, arguments)
    for name, path in outputs_of(job, arguments).items():
        picture = pictures[name]
        encoded = png(picture, photograph.alpha if picture.shape == photograph.image_bgr.shape else None)
        if job.source != STDIO:
            write_atomically(path, encoded)
        elif name == "colorized":
            sys.stdout.buffer.write(encoded)


def pictures_of(photograph, colorizer, arguments):
    """What is to be drawn of a photograph, by name: (H, W, 3) uint8 BGR each."""
    import numpy as np

    from results.full_size import join

    L = photograph.L
    pictures = {"colorized": _coloured(L, colorizer, arguments.vibrance, arguments.temperature)}
    if arguments.compare:
        gray = join(L, np.zeros((4, 4, 2), np.float32))
        pictures["compare"] = np.hstack([gray, photograph.image_bgr, pictures["colorized"]])
    if arguments.samples or arguments.uncertainty:
        pictures |= _distribution_pictures(L, colorizer, arguments)
    return pictures


def _distribution_pictures(L, colorizer, arguments):
    import cv2
    import numpy as np

    from results.decode import entropy, sample
    from results.full_size import join, network_size

    height, width = network_size(*L.shape[:2], colorizer.resolution)
    seen = cv2.resize(L, (width, height), interpolation=cv2.INTER_AREA)[..., None]
    (distribution,) = colorizer.predict_distributions(seen[None])
    temperature = arguments.temperature or colorizer.temperature
    pictures = {}
    for number in range(1, arguments.samples + 1):
        drawn = sample(distribution, temperature, np.random.default_rng(number))
        pictures[f"sample{number}"] = join(L, drawn, arguments.vibrance or colorizer.vibrance)
    if arguments.uncertainty:
        share = np.clip(entropy(distribution) / np.log(distribution.shape[-1]), 0, 1).astype(np.float32)
        full = cv2.resize(share, L.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        pictures["uncertainty"] = cv2.applyColorMap(np.rint(full * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    return pictures


def _colorizer(name):
    from results.predict import load_colorizer
    from results.weights import SHIPPED

    if name.startswith("rebalanced_") and not (SHIPPED / f"{name}.h5").exists() and not Path(name).exists():
        raise UserError(f"{name} is not shipped yet: train it with --objective rebalanced, or use --objective l2")
    return load_colorizer(name)


def _coloured(L, colorizer, vibrance, temperature):
    from results.full_size import join, predict_small

    small = predict_small(L, lambda seen: colorizer.predict_ab(seen[None], temperature)[0], colorizer.resolution)
    return join(L, small, vibrance or colorizer.vibrance)


if __name__ == "__main__":
    main()
