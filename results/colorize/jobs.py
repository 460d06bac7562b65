"""What is to be coloured, and where it is written."""

import functools
import glob
import hashlib
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from preprocessing.files import UserError
from preprocessing.listing import PHOTOGRAPHS, files_below, passed_over, suffix_of

FILMS = {".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".avi", ".divx", ".mkv", ".webm", ".ogv", ".flv", ".f4v"}
FILMS |= {".wmv", ".asf", ".mpg", ".mpeg", ".m1v", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".dv", ".mxf"}
FILMS |= {".m2t", ".mod", ".tod", ".mpe", ".ogm", ".rm", ".rmvb", ".y4m"}
ANIMATIONS = {".gif", ".png", ".apng", ".webp", ".avif"}  # which may hold several pages
STDIO = "-"
Image.MAX_IMAGE_PIXELS = None  # only headers are read here, and what reads on has limits of its own
LONGEST_NAME = 255  # bytes, of most file systems
OURS = re.compile(r"-(colorized|compare|uncertainty|sample\d+)$")


@dataclass(frozen=True)
class Job:
    """One photograph or film, and the files that are to be written of it, by what they show."""

    source: Path | str
    outputs: dict

    @property
    def is_film(self):
        return _is_film(self.source)


def list_jobs(names, out, shown):
    """Every photograph and film that `names` mean, each once.

    Parameters
    ----------
    names : files, folders, patterns, or STDIO
    out : folder for what is written, or None: beside each photograph
    shown : what is written of each, such as ["colorized", "compare"]

    Returns
    -------
    jobs : list of Job
    passed_over : list of str, a line for each folder in which something is not taken

    Raises
    ------
    UserError
        A name is no file, folder or matching pattern, a folder holds nothing to colour, two would be written as one,
        `out` is a file, or standard output would have to hold several pictures.
    """
    if out:
        check_folder(out)
    jobs, targets, lines = {}, {}, []
    for name in names:
        if name == STDIO:
            if out or len(shown) > 1:
                raise UserError(
                    "- writes one picture to standard output: leave --out and what is written beside it out"
                )
            if sys.stdin is None:
                raise UserError("- is standard input, which is closed: name a photograph")
            jobs[STDIO] = Job(STDIO, dict.fromkeys(shown))
            continue
        found, line = _found(name)
        lines += [f"{name}: {line}"] * bool(line)
        for source, relative in found:
            targets.setdefault(os.path.realpath(source), (source, out / relative if out else source))
    alike = Counter(target.with_suffix(_suffix_written(source)) for source, target in targets.values())
    for real, (source, target) in targets.items():
        suffix = _suffix_written(source)
        stem = target.stem if alike[target.with_suffix(suffix)] == 1 else target.name
        jobs[real] = Job(source, {each: target.with_name(fitting(stem, f"-{each}{suffix}")) for each in shown})
    written = {os.path.realpath(path) for job in jobs.values() for path in job.outputs.values() if path}
    jobs = {real: job for real, job in jobs.items() if real not in written}  # `*.png` the second time
    writers = {}
    for job in jobs.values():
        other = writers.setdefault(job.outputs["colorized"] or STDIO, job)
        if other is not job:
            written = job.outputs["colorized"]
            raise UserError(f"{other.source} and {job.source} would both be {written}: colour them apart")
    return list(jobs.values()), lines


def check_folder(out):
    """Raise UserError where `out` is no folder that may be written in, or can be made."""
    place = next(place for place in (out, *out.absolute().parents) if os.path.lexists(place))
    if not os.path.isdir(place):
        raise UserError(f"--out {out}: {place} is no folder: name another")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"--out {out} may not be written: name another folder")


def _suffix_written(source):
    return ".mp4" if _is_film(source) else ".png"


def fitting(stem, end):
    """`stem` + `end` as a file's name; where that is too long the stem is cut, and a digest keeps it apart from others."""
    whole = os.fsencode(stem)
    if len(whole + os.fsencode(end)) <= LONGEST_NAME:
        return stem + end
    end = f"-{hashlib.sha256(whole).hexdigest()[:8]}{end}"
    return whole[: LONGEST_NAME - len(os.fsencode(end))].decode(errors="ignore") + end


def _found(name):
    """`([(file, its path below the folder that was named), ...], what is passed over)` of the files that `name` means."""
    if not name:
        raise UserError("a name is empty: name photographs, films, folders or patterns")
    path = Path(name)
    if os.path.isdir(path):
        files, refused = files_below(path)
        taken = [file for file in files if suffix_of(file.name) in PHOTOGRAPHS | FILMS | ANIMATIONS]
        line = passed_over(set(files) - set(taken), refused)
        found = [file for file in taken if not _is_ours(file)]
        if not found:
            raise UserError(f"{name} holds no photograph or film that we read" + f"; {line}" * bool(line))
        return [(file, file.relative_to(path)) for file in found], line
    if os.path.exists(path):  # its reader says of a pipe that it is no file
        return [(path, Path(path.name))], ""
    paths = [Path(p) for p in sorted(glob.glob(name, recursive=True))]
    found = [(p, Path(p.name)) for p in paths if os.path.isfile(p) and not _is_ours(p)]
    if not found:
        raise UserError(f"no such file, folder or matching pattern: {name}")
    return found, ""


def _is_film(source):
    suffix = Path(source).suffix.lower()
    return suffix in FILMS or (suffix in ANIMATIONS and is_animation(source))


@functools.cache
def is_animation(path):
    """Whether an image file holds several pages that are shown in turn."""
    if not os.path.isfile(path):  # a pipe, which would be waited for
        return False
    try:
        with Image.open(path) as image:
            return getattr(image, "is_animated", False)
    except Exception:  # noqa: BLE001 - decoders raise whatever a damaged file leads them to; its reader says so
        return False


def _is_ours(path):
    return OURS.search(path.stem) is not None


def left_to_do(jobs):
    """The jobs without what is there already, which is not written again: a run that was stopped goes on.

    Raises
    ------
    UserError
        Everything is there.
    """
    left = []
    for job in jobs:
        missing = {each: path for each, path in job.outputs.items() if path is None or not os.path.exists(path)}
        if missing:
            left.append(Job(job.source, missing))
    if not left:
        raise UserError(
            f"{next(iter(jobs[0].outputs.values()))} exists: --force overwrites it, --out FOLDER writes elsewhere"
        )
    return left
