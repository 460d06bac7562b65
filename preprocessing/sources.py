"""Where photographs come from: a folder or zip of them, downsampled ImageNet batches, or the embedded ones.

A source may hold parts of its own: `train/` and `val/` folders (Tiny ImageNet, `photos.zip`), or batch files named
`train_data_batch_*` and `val_data*` (downsampled ImageNet). Its `val` part is our test split.
"""

import functools
import hashlib
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from preprocessing import downsampled_imagenet
from preprocessing.embedded import embedded_files
from preprocessing.files import UserError
from preprocessing.listing import PHOTOGRAPHS, files_below, is_hidden, passed_over, suffix_of
from preprocessing.photograph import UnreadableFile, check_size, decode, decode_ordinary_jpeg, read_file

EMBEDDED = "embedded"  # every embedded photograph is test: what shipped weights are shown on
EMBEDDED_TRAINING = "embedded-training"  # the same, cut into splits for a demonstration of training


class Photograph(NamedTuple):  # of which a source may have a million: made and pickled faster than a dataclass
    """One photograph: `id` is its path in its source, `part` the source's own part ("train", "val" or "")."""

    id: str
    part: str
    kind: str  # "file", "zip" or "batch"
    container: str  # the file, the zip, or the batch file
    member: str | int = ""  # the name in the zip, or the row in the batch
    origin: str = ""  # the name of its source, of those listed together


@dataclass(frozen=True)
class Source:
    """A named list of photographs; `fingerprint` changes when what is listed does, `left_out` says what is not, and why."""

    name: str
    photographs: tuple[Photograph, ...]
    fingerprint: str
    left_out: tuple[str, ...] = ()


def source_name(paths):
    """The name under which shards of `paths` are kept: the stems, sorted and joined by `+`."""
    return "+".join(sorted(map(stem_of, paths)))


def stem_of(path):
    """The name of one source: that of its folder, or of its file without `.zip` or `.npz`."""
    path = Path(os.path.abspath(path))
    return path.name if os.path.isdir(path) else path.name.removesuffix(".zip").removesuffix(".npz")


def open_source(paths):
    """List the photographs of one or several paths.

    Raises
    ------
    UserError
        A path is missing, is not a folder, zip or batch file, or holds no photograph.
    """
    _archive.cache_clear()  # a zip may have changed since it was opened
    if not all(map(str, paths)):
        raise UserError("--data names an empty path: is a variable not set?")
    listed = [(stem_of(path), *_list_path(Path(path))) for path in sorted(paths, key=stem_of)]
    if len({name for name, *_ in listed}) < len(listed):
        raise UserError("--data names two sources alike: rename one of them")
    return _source(source_name(paths), listed)


def open_embedded(name):
    """The embedded photographs, as EMBEDDED or as EMBEDDED_TRAINING."""
    part = "val" if name == EMBEDDED else ""
    files = [(Photograph(id, part, "file", str(path)), path.stat().st_size) for id, path in embedded_files()]
    return _source(name, [(name, files, [])])


def _source(name, listed):
    digest = hashlib.sha256()
    for stem, found, _ in listed:
        digest.update(stem.encode())
        for photograph, size in found:
            digest.update(f"{photograph.id}\0{photograph.part}\0{size}\n".encode())
    photographs = tuple(photograph._replace(origin=stem) for stem, found, _ in listed for photograph, _ in found)
    left_out = tuple(f"{stem}: {line}" for stem, _, lines in listed for line in lines)
    return Source(name, photographs, digest.hexdigest()[:16], left_out)


def _list_path(path):
    """`([(photograph, size), ...], [what is left out, ...])`; a size tells that a file has changed (bytes, or a zip's CRC)."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        elif path.is_file():
            path.open("rb").close()
        else:
            path.stat()
    except FileNotFoundError:
        raise UserError(f"no such file or folder: {path}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; --data names what may be read") from None
    if path.is_dir():
        batches = downsampled_imagenet.batch_files(path)
        found, left_out = _list_batches(batches, files_below(path)[0]) if batches else _list_folder(path)
    elif downsampled_imagenet.is_batch_file(path):
        found, left_out = _list_batches([path])
    elif zipfile.is_zipfile(path):
        found, left_out = _list_zip(path)
    else:
        cut = path.suffix == ".zip" and path.open("rb").read(2) == b"PK"
        raise UserError(
            f"{path} is a zip that is cut short or damaged: get it again"
            if cut
            else f"{path} is not a folder, a zip or a downsampled ImageNet batch file"
        )
    left_out = [line for line in left_out if line]
    if not found:
        raise UserError("; ".join([f"{path} holds no photograph that we read", *left_out]))
    return found, left_out


def _list_folder(folder):
    files, refused = files_below(folder)
    names = {path.relative_to(folder).as_posix(): path for path in files}
    photographs = [name for name in names if suffix_of(name) in PHOTOGRAPHS]
    parts, beside = _divided(photographs)
    found = [
        (Photograph(_printable(id), part, "file", str(names[name])), _size(names[name]))
        for name, (part, id) in parts.items()
    ]
    return found, [beside, passed_over(names.keys() - photographs, refused)]


def _printable(name):
    """A file's name, of which Linux asks no encoding, as text that any file can hold."""
    return os.fsencode(name).decode(errors="replace")


def _size(path):
    """In bytes; -1 of a link that leads nowhere, which is an unreadable image and no error."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _list_zip(path):
    try:
        members = _archive(str(path), os.getpid()).infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path} cannot be read as a zip ({error}): get it again") from None
    checksums = {info.filename: info.CRC for info in members if not info.is_dir() and not is_hidden(info.filename)}
    photographs = [name for name in checksums if suffix_of(name) in PHOTOGRAPHS]
    parts, beside = _divided(photographs)
    found = [(Photograph(id, part, "zip", str(path), name), checksums[name]) for name, (part, id) in parts.items()]
    return found, [beside, passed_over(checksums.keys() - photographs)]


def _list_batches(paths, files=()):
    found = []
    for path in paths:
        part = "val" if path.name.startswith("val_data") else "train"
        rows = len(downsampled_imagenet.load_batch(path))
        stem = path.name.removesuffix(".npz")
        size = path.stat().st_size
        found += [(Photograph(f"{stem}/{row:06}", part, "batch", str(path), row), size) for row in range(rows)]
    return found, [passed_over(set(files) - set(paths))]


def _divided(names):
    """`({name: (part, id)}, what is left out)` of a source's photographs; "" where nothing is.

    With its own `train/` and `val/`, in one folder, a source is what these hold. With `train/` alone it is taken whole.
    `id` is the path below the folder that holds `train/`, so a zip and its unpacked folder give the same ids.
    """
    roots = {found[1] for name in names if (found := re.match("((?:[^/]+/)??)train/", name))}
    if len(roots) != 1:
        return {name: ("", name) for name in names}, ""
    (root,) = roots
    ids = {name: name.removeprefix(root) for name in names}
    parts = {}
    for name, id in ids.items():
        first = id.partition("/")[0] if name.startswith(root) else ""
        parts[name] = first if first in ("train", "val") else ""
    if "val" not in parts.values():
        return {name: (part, name if ids[name] in ids else ids[name]) for name, part in parts.items()}, ""
    beside = sorted({ids[name].partition("/")[0] for name, part in parts.items() if not part})
    count = list(parts.values()).count("")
    named = f"{', '.join(beside[:5])}{', ...' * (len(beside) > 5)}"
    left_out = f"left out, for they lie beside its train/ and val/: {count} photographs ({named})" if count else ""
    return {name: (part, ids[name]) for name, part in parts.items() if part}, left_out


def read_image(photograph, short_side=0):
    """Read one photograph as it is meant to be seen, without its alpha; `short_side` as `preprocessing.photograph.decode`.

    Returns
    -------
    image_bgr : ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    UnreadableFile
        The file is empty, truncated, encrypted, too large or no image.
    """
    if photograph.kind == "batch":
        return downsampled_imagenet.row_to_bgr(downsampled_imagenet.load_batch(photograph.container)[photograph.member])
    data = _from_zip(photograph) if photograph.kind == "zip" else read_file(photograph.container)
    image_bgr = decode_ordinary_jpeg(data, short_side)
    return decode(data, short_side=short_side)[0] if image_bgr is None else image_bgr


def _from_zip(photograph):
    try:
        archive = _archive(photograph.container, os.getpid())
        check_size(archive.getinfo(photograph.member).file_size)
        return archive.read(photograph.member)
    except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError, zipfile.zlib.error) as error:
        raise UnreadableFile(f"cannot be read ({error})") from None


@functools.lru_cache(maxsize=8)
def _archive(path, _process):
    """One open zip for each process: forked processes that share a file handle would share its position."""
    return zipfile.ZipFile(path)
