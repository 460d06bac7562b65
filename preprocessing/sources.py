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
from preprocessing.photograph import UnreadableFile, check_size, decode, read_file

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm"}
EMBEDDED = "embedded"  # every embedded photograph is test: what shipped weights are shown on
EMBEDDED_TRAINING = "embedded-training"  # the same, cut into splits for a demonstration of training


class Photograph(NamedTuple):  # of which a source may have a million: made and pickled faster than a dataclass
    """One photograph: `id` is its path in its source, `part` the source's own part ("train", "val" or "")."""

    id: str
    part: str
    kind: str  # "file", "zip" or "batch"
    container: str  # the file, the zip, or the batch file
    member: str | int = ""  # the name in the zip, or the row in the batch


@dataclass(frozen=True)
class Source:
    """A named list of photographs; `fingerprint` changes when what is listed does."""

    name: str
    photographs: tuple[Photograph, ...]
    fingerprint: str


def source_name(paths):
    """The name under which shards of `paths` are kept: the stems, sorted and joined by `+`."""
    return "+".join(sorted(_stem(path) for path in paths))


def _stem(path):
    path = Path(os.path.abspath(path))
    return path.name if path.is_dir() else path.name.removesuffix(".zip").removesuffix(".npz")


def open_source(paths):
    """List the photographs of one or several paths.

    Raises
    ------
    UserError
        A path is missing, is not a folder, zip or batch file, or holds no photograph.
    """
    _archive.cache_clear()  # a zip may have changed since it was opened
    listed = [(_stem(path), *_list_path(Path(path))) for path in sorted(paths, key=_stem)]
    if len({name for name, _, _ in listed}) < len(listed):
        raise UserError("--data names two sources alike: rename one of them")
    return _source(source_name(paths), listed)


def open_embedded(name):
    """The embedded photographs, as EMBEDDED or as EMBEDDED_TRAINING."""
    part = "val" if name == EMBEDDED else ""
    files = [(Photograph(id, part, "file", str(path)), path.stat().st_size) for id, path in embedded_files()]
    return _source(name, [(name, *zip(*files, strict=True))])


def _source(name, listed):
    digest = hashlib.sha256()
    for stem, photographs, sizes in listed:
        digest.update(stem.encode())
        for photograph, size in zip(photographs, sizes, strict=True):
            digest.update(f"{photograph.id}\0{photograph.part}\0{size}\n".encode())
    photographs = tuple(photograph for _, found, _ in listed for photograph in found)
    return Source(name, photographs, digest.hexdigest()[:16])


def _list_path(path):
    """`(photographs, sizes)` of one path; a size is what tells that a file has changed (bytes, or a zip's CRC)."""
    if not path.exists():
        raise UserError(f"no such file or folder: {path}")
    if path.is_dir():
        batches = downsampled_imagenet.batch_files(path)
        listed = _list_batches(batches) if batches else _list_folder(path)
    elif downsampled_imagenet.is_batch_file(path):
        listed = _list_batches([path])
    elif zipfile.is_zipfile(path):
        listed = _list_zip(path)
    else:
        raise UserError(f"{path} is not a folder, a zip or a downsampled ImageNet batch file")
    if not listed:
        raise UserError(f"{path} holds no photograph ({', '.join(sorted(SUFFIXES))})")
    return tuple(zip(*listed, strict=True))


def _list_folder(folder):
    found = []
    for parent, folders, files in os.walk(folder):
        folders.sort()
        names = (Path(parent, name) for name in sorted(files))
        found += [(path.relative_to(folder).as_posix(), path) for path in names if _is_photograph(path.name)]
    parts = _parts([name for name, _ in found])
    return [
        (Photograph(_printable(parts[name][1]), parts[name][0], "file", str(path)), _size(path))
        for name, path in found
        if name in parts
    ]


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
        members = [info for info in _archive(str(path), os.getpid()).infolist() if _is_photograph(info.filename)]
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path} cannot be read as a zip ({error}): get it again") from None
    parts = _parts([info.filename for info in members])
    return [
        (Photograph(parts[info.filename][1], parts[info.filename][0], "zip", str(path), info.filename), info.CRC)
        for info in members
        if info.filename in parts
    ]


def _list_batches(paths):
    listed = []
    for path in paths:
        part = "val" if path.name.startswith("val_data") else "train"
        rows = len(downsampled_imagenet.load_batch(path))
        stem = path.name.removesuffix(".npz")
        size = path.stat().st_size
        listed += [(Photograph(f"{stem}/{row:06}", part, "batch", str(path), row), size) for row in range(rows)]
    return listed


def _is_photograph(name):
    suffix = os.path.splitext(name)[1].lower()
    return suffix in SUFFIXES and not name.rpartition("/")[2].startswith(".") and "__MACOSX" not in name


def _parts(names):
    """Map each name to `(part, id)`, or leave it out where it lies outside a source's own `train/` and `val/`.

    `id` is the path below the folder that holds `train/`, so a zip and its unpacked folder give the same ids.
    """
    roots = {found[1] for name in names if (found := re.match("((?:[^/]+/)??)train/", name))}
    if len(roots) != 1:
        return {name: ("", name) for name in names}
    (root,) = roots
    ids = {name: name.removeprefix(root) for name in names if name.startswith(root)}
    return {name: (id.partition("/")[0], id) for name, id in ids.items() if id.partition("/")[0] in ("train", "val")}


def read_image(photograph):
    """Read one photograph as it is meant to be seen, without its alpha.

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
    return decode(data)[0]


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
