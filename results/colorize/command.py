"""Colour photographs: `colorize photo.jpg` writes photo-colorized.png beside it, at its full size.

Takes files, folders (searched through, and mirrored under --out), patterns such as '*.jpg', - for standard input to
standard output, and films. Colours that a photograph has are set aside first. A file that is there is not written again.
`colorize serve` opens a page for the browser; `colorize export` writes a network for other programs. From Python: `from results.colorize import colorize`.
"""

import argparse
import functools
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from pathlib import Path

from preprocessing.files import DiskFull, UserError, printable
from preprocessing.front_door import run
from preprocessing.options import natural, positive
from results.colorize.jobs import STDIO, left_to_do, list_jobs

LARGE_PIXELS = 25_000_000  # a picture above is coloured while no other such is: 100 megapixels take about 2 GB
MODELS = (
    "unet",
    "32",
    "64",
    "128",
)  # that ship: ours with a pretrained encoder, and the seven layers by their side in px
_one_large = threading.Lock()


def colorize(image_bgr, model="unet_128", vibrance=None, temperature=None):
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

    from preprocessing.photograph import from_bgr

    if image_bgr.ndim == 2:
        image_bgr = cv2.cvtColor(image_bgr, cv2.COLOR_GRAY2BGR)
    return _coloured(from_bgr(image_bgr).L, _colorizer(model), vibrance, temperature)


def main():
    """The console command."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # or half a film would stay
    run({"serve": _serve, "export": _export}.get("".join(sys.argv[1:2]), _main))


def _serve():
    from results.colorize.serve import main as serve

    serve(sys.argv[2:])


def _export():
    from results.colorize.export import main as export

    export(sys.argv[2:])


def _main():
    arguments = parse_arguments()
    if not arguments.photographs:
        raise UserError("name photographs, films, folders, patterns, or - for standard input")
    jobs, lines = list_jobs(arguments.photographs, arguments.out, what_is_shown(arguments))
    print(*map(printable, lines), sep="\n", end="\n" * bool(lines), file=sys.stderr)
    if any(job.is_film for job in jobs):
        if arguments.samples or arguments.uncertainty:
            raise UserError("--samples and --uncertainty are for photographs: colour films apart")
        import results.colorize.film  # noqa: F401 - which says, before any work, that PyAV is missing
    if not arguments.force:
        every, jobs = jobs, left_to_do(jobs)
        if len(jobs) < len(every):
            print(
                f"{len(every) - len(jobs)} of {len(every)} are there already and stay: --force does them again",
                file=sys.stderr,
            )
    colorizer = _colorizer(weights_of(arguments))
    if not colorizer.predicts_bins and (arguments.samples or arguments.uncertainty or arguments.temperature):
        raise UserError("--samples, --uncertainty and --temperature need a distribution: add --objective rebalanced")
    failed = colour_photographs(jobs, colorizer, arguments) + colour_films(jobs, colorizer, arguments)
    if failed and len(jobs) > 1:
        print(f"{failed} of {len(jobs)} could not be coloured, or not whole", file=sys.stderr)
    if failed:
        sys.exit(1)


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(
        prog="colorize", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", nargs="*", metavar="PHOTO")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where pictures go (default: beside each photograph)"
    )
    parser.add_argument(
        "--model",
        metavar="unet|32|64|128|FILE",
        help="the U-Net (default where it has the objective), the seven-layer network of that size in px, or your weights",
    )
    parser.add_argument(
        "--objective",
        choices=("l2", "rebalanced"),
        help="of the network: l2 is cautious (default), rebalanced colourful",
    )
    parser.add_argument(
        "--vibrance", type=positive(float), help="factor of colourfulness (default: as chosen for these weights)"
    )
    parser.add_argument(
        "--temperature",
        type=positive(float),
        help="with rebalanced: below 1 the likeliest colours win (default: as chosen for these weights)",
    )
    parser.add_argument("--compare", action="store_true", help="write gray | truth | predicted in one picture as well")
    parser.add_argument(
        "--samples", type=natural, default=0, metavar="N", help="with rebalanced: N other plausible colourings as well"
    )
    parser.add_argument(
        "--uncertainty", action="store_true", help="with rebalanced: a map of how uncertain colours are as well"
    )
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    return parser.parse_args(words)


def shipped_name(model, objective="l2"):
    """The name of the weights that one of MODELS and an objective mean."""
    if model == "unet":
        return "unet_128" if objective == "l2" else f"unet_{objective}_128"
    return f"{objective}_{model}"


def weights_of(arguments):
    """The shipped weights, or the file, that --model and --objective mean."""
    from results.prediction.weights import shipped_names

    objective = arguments.objective or "l2"
    if arguments.model is None:
        return next(name for model in ("unet", "128") if (name := shipped_name(model, objective)) in shipped_names())
    if arguments.model in MODELS:
        return shipped_name(arguments.model, objective)
    if not Path(arguments.model).is_file():
        raise UserError(f"--model {arguments.model}: no such weights file; or one of {', '.join(MODELS)}")
    if arguments.objective:
        raise UserError(f"--objective is that of {arguments.model}: leave it out")
    return arguments.model


def what_is_shown(arguments):
    """The names of the pictures that are written of each photograph."""
    names = ["colorized"] + ["compare"] * arguments.compare + ["uncertainty"] * arguments.uncertainty
    return names + [f"sample{number}" for number in range(1, arguments.samples + 1)]


def colour_photographs(jobs, colorizer, arguments):
    """Colour the photographs among jobs on all cores; how many could not be read or written, each named when it fails."""
    from tqdm import tqdm

    from preprocessing.photograph import UnreadableFile, libraries_silenced

    failed = 0
    pool = ThreadPoolExecutor(os.cpu_count())
    with libraries_silenced() as stderr:
        try:
            photographs = [job for job in jobs if not job.is_film]
            started = {pool.submit(colour_photograph, job, colorizer, arguments): job for job in photographs}
            done, count = as_completed(started), len(photographs)
            for future in tqdm(done, total=count, unit="photo", disable=count < 2, file=stderr):
                try:
                    future.result()
                except (UnreadableFile, UserError) as error:
                    _raise_what_ends_the_run(error, jobs)
                    tqdm.write(printable(f"colorize: {started[future].source} skipped: {error}"), file=stderr)
                    failed += 1
        finally:
            pool.shutdown(cancel_futures=True)
    return failed


def _raise_what_ends_the_run(error, jobs):
    """A full disk, or what is to be said of the only file."""
    if isinstance(error, DiskFull) or (isinstance(error, UserError) and len(jobs) == 1):
        raise error


def colour_photograph(job, colorizer, arguments):
    """Read, colour and write one photograph."""
    from preprocessing.photograph import MOST_BYTES, pixels_of, read_file

    data = sys.stdin.buffer.read(MOST_BYTES + 1) if job.source == STDIO else read_file(job.source)
    with _one_large if pixels_of(data) > LARGE_PIXELS else nullcontext():
        _colour_and_write(data, job, colorizer, arguments)


def _colour_and_write(data, job, colorizer, arguments):
    from preprocessing.files import write_atomically
    from preprocessing.photograph import png, read_photograph

    photograph = read_photograph(data)
    pictures = pictures_of(photograph, colorizer, arguments)
    for name, path in job.outputs.items():
        picture = pictures[name]
        encoded = png(picture, photograph.alpha if picture.shape == photograph.image_bgr.shape else None)
        if path is not None:
            write_atomically(path, encoded)
        elif name == "colorized":
            sys.stdout.buffer.write(encoded)


def colour_films(jobs, colorizer, arguments):
    """Colour the films among jobs, one after the other; how many could not be read whole or written, each named."""
    from tqdm import tqdm

    films = [job for job in jobs if job.is_film]
    if not films:
        return 0
    from preprocessing.photograph import UnreadableFile
    from results.colorize.film import colour_film

    failed = 0
    for job in films:
        bar = functools.partial(tqdm, unit="frame", desc=printable(job.source.name))
        try:
            remark = colour_film(job.source, job.outputs, colorizer, arguments.vibrance, arguments.temperature, bar)
        except (UnreadableFile, UserError) as error:
            _raise_what_ends_the_run(error, jobs)
            print(printable(f"colorize: {job.source}: {error}"), file=sys.stderr)
            failed += 1
        else:
            if remark:
                print(printable(f"{job.source}: coloured, {remark}"), file=sys.stderr)
    return failed


def pictures_of(photograph, colorizer, arguments):
    """What is to be drawn of a photograph, by name: (H, W, 3) uint8 BGR each."""
    import numpy as np

    from results.colorize.full_size import gray_picture

    L = photograph.L
    pictures = {"colorized": _coloured(L, colorizer, arguments.vibrance, arguments.temperature)}
    if arguments.compare:
        pictures["compare"] = np.hstack([gray_picture(L), photograph.image_bgr, pictures["colorized"]])
    if arguments.samples or arguments.uncertainty:
        pictures |= _distribution_pictures(L, colorizer, arguments)
    return pictures


def _distribution_pictures(L, colorizer, arguments):
    import cv2
    import numpy as np

    from results.colorize.full_size import join, network_size
    from results.prediction.decode import entropy, samples

    height, width = network_size(*L.shape[:2], colorizer.resolution)
    seen = cv2.resize(L, (width, height), interpolation=cv2.INTER_AREA)[..., None]
    (distribution,) = colorizer.predict_distributions(seen[None])
    temperature = arguments.temperature or colorizer.temperature
    pictures = {}
    numbers = range(1, arguments.samples + 1)
    for number, drawn in zip(numbers, samples(distribution, temperature, numbers), strict=True):
        pictures[f"sample{number}"] = join(L, drawn, arguments.vibrance or colorizer.vibrance)
    if arguments.uncertainty:
        share = np.clip(entropy(distribution) / np.log(distribution.shape[-1]), 0, 1).astype(np.float32)
        full = cv2.resize(share, L.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        pictures["uncertainty"] = cv2.applyColorMap(np.rint(full * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    return pictures


@functools.cache
def _colorizer(name):
    from results.prediction.predict import load_colorizer

    return load_colorizer(name)


def _coloured(L, colorizer, vibrance, temperature):
    from results.colorize.full_size import join, predict_small

    small = predict_small(L[None], lambda seen: colorizer.predict_ab(seen, temperature), colorizer.resolution)
    return join(L, small[0], colorizer.vibrance if vibrance is None else vibrance)


if __name__ == "__main__":
    main()
