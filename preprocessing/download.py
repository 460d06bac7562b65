"""Downloads a published archive, with a progress bar, where there is a network; a stopped download goes on."""

import hashlib
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from preprocessing.files import UserError, held

BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Archive:
    name: str
    url: str
    size: int  # bytes
    md5: str


TINY_IMAGENET = Archive(
    "tiny-imagenet-200.zip",
    "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    248_100_043,
    "90528d7ca1a48142e341f4ef8d21d0de",
)


def download(archive, folder):
    """Fetch `archive` into `folder` unless it is there, check its MD5, and return its path.

    Raises
    ------
    UserError
        There is no network, the disk is full, or the file that came is another one.
    """
    path = Path(folder) / archive.name
    with held(folder):
        if path.exists():
            return path
        partial = path.with_name(path.name + ".part")
        try:
            _fetch(archive, partial)
        except urllib.error.URLError as error:
            raise UserError(
                f"{archive.url} cannot be reached ({error.reason}): use --data with your own photographs"
            ) from None
        except OSError as error:
            raise UserError(f"the download to {partial} broke off ({error}): run it again to go on") from None
        with open(partial, "rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        if md5 != archive.md5:
            partial.unlink()
            raise UserError(f"{archive.url} gave another file than expected (MD5 {md5}): try again later")
        return partial.rename(path)


def _fetch(archive, partial):
    have = partial.stat().st_size if partial.exists() else 0
    if have == archive.size:
        return
    request = urllib.request.Request(archive.url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=30) as response:
        continues = response.status == 206  # a server that knows no ranges sends all of it again
        with (
            open(partial, "ab" if continues else "wb") as file,
            tqdm(
                total=archive.size, initial=have * continues, unit="B", unit_scale=True, desc=archive.name, disable=None
            ) as bar,
        ):
            while block := response.read(BLOCK):
                file.write(block)
                bar.update(len(block))
    if partial.stat().st_size < archive.size:  # a server that hangs up is the end of the file to `read`
        raise ConnectionError("the server hung up")
