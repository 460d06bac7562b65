"""Which files below a folder are photographs, and what is passed over."""

import os
from collections import Counter
from pathlib import Path

PHOTOGRAPHS = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif"}
PHOTOGRAPHS |= {".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".hif", ".avif"}
PHOTOGRAPHS |= {".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"}


def files_below(folder):
    """Every file below `folder` that is not hidden, in order, and every folder there that may not be listed.

    Returns
    -------
    files, refused : lists of Path
    """
    files, refused = [], []
    for parent, folders, names in os.walk(folder, onerror=lambda error: refused.append(Path(error.filename))):
        folders.sort()
        files += [Path(parent, name) for name in sorted(names) if not is_hidden(name)]
    return files, refused


def is_hidden(name):
    """Of a path with `/`: a file that systems put beside the user's own, such as `.DS_Store`."""
    return name.rpartition("/")[2].startswith(".") or "__MACOSX" in name


def suffix_of(name):
    """The suffix in small letters: `.jpg` of `IMG_1.JPG`."""
    return os.path.splitext(name)[1].lower()


def passed_over(names, refused=()):
    """What is said of files that are not taken and of folders that may not be listed, as one line; "" if there are none."""
    counts = Counter(suffix_of(str(name)) or "without suffix" for name in names)
    parts = [f"{count} {suffix}" for suffix, count in counts.most_common()]
    parts += [f"{folder}, which may not be entered" for folder in refused]
    return "passed over: " + ", ".join(parts) if parts else ""
