"""Which files below a folder are photographs, and what is passed over."""

import os
from collections import Counter
from pathlib import Path

PHOTOGRAPHS = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif"}
PHOTOGRAPHS |= {".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".hif", ".avif"}
PHOTOGRAPHS |= {".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"}


def files_below(folder):
    """Every file below `folder` that is not hidden, in order, and what is said of each folder there that is not looked into.

    Links to folders are not followed: they could lead round in a circle, or to the same photographs twice.

    Returns
    -------
    files : list of Path
    refused : list of str
    """
    files, refused = [], []

    def refuse(error):
        refused.append(f"{error.filename}, which may not be entered")

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        refused += [f"{parent}/{name}, a link to a folder" for name in folders if os.path.islink(f"{parent}/{name}")]
        files += [Path(parent, name) for name in sorted(names) if not is_hidden(name)]
    return files, refused


def is_hidden(name):
    """Of a path with `/`: a file or folder that systems put beside the user's own, such as `.DS_Store` or `.Trash-1000`."""
    return "__MACOSX" in name or any(part.startswith(".") and part.strip(".") for part in name.split("/"))


def suffix_of(name):
    """The suffix in small letters: `.jpg` of `IMG_1.JPG`."""
    return os.path.splitext(name)[1].lower()


def passed_over(names, refused=()):
    """What is said of files that are not taken and of folders that are not looked into, as one line; "" if there are none."""
    counts = Counter(suffix_of(str(name)) or "without suffix" for name in names)
    parts = [f"{count} {suffix}" for suffix, count in counts.most_common()]
    return "passed over: " + ", ".join([*parts, *refused]) if parts or refused else ""
