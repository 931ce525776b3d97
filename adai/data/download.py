"""Download a published file or archive: resumable, checked by its sum, and unpacked whole or not at all."""

import hashlib
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path

from tqdm import tqdm

from adai.data.base import DataError

CHUNK = 1 << 16
TIMEOUT = 60
"""Seconds without a byte after which a download fails; the same command goes on with it."""


def fetch(url: str, md5: str, path: Path) -> Path:
    """Download a file, or what is still missing of it, and return its path.

    An unfinished download stays beside `path`, with the suffix `.part`; a finished one appears only once its checksum
    is right.

    Args:
        url: where the file is published.
        md5: of the whole file, in hexadecimal digits.
        path: where to put it.

    Raises:
        DataError: the server cannot be reached, the connection broke, or the file is another one.
    """
    if path.exists() and _md5(path) == md5:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        _download(url, part)
    except (OSError, urllib.error.URLError) as error:
        raise DataError(f"{url} could not be fetched ({error}): the same command goes on where it stopped") from None
    if (found := _md5(part)) != md5:
        part.unlink()
        raise DataError(f"{url} has the MD5 sum {found}, expected {md5}: it is another file, or was damaged on its way")
    part.replace(path)
    return path


def fetch_directory(url: str, md5: str, target: Path) -> Path:
    """Download an archive, unpack the directory that it holds, remove the archive, and return the directory.

    Args:
        url, md5: as for `fetch`.
        target: where to put the directory; in the archive it has the same name.

    Raises:
        DataError: as for `fetch` and `unpack`.
    """
    archive = fetch(url, md5, target.parent / url.rsplit("/", 1)[-1])
    unpack(archive, target)
    archive.unlink()
    return target


def unpack(archive: Path, target: Path) -> None:
    """Unpack one directory of a tar or zip archive, whole or not at all.

    Args:
        archive: the file.
        target: where to put the directory, in place of what is there; in the archive it has the same name.

    Raises:
        DataError: the archive is damaged, or has no such directory, or a member would land outside of it.
    """
    directory, folder = target.name, target.parent
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as temporary:
        try:
            if zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as zipped:
                    zipped.extractall(temporary)  # leaves out what leads out of the folder, unlike tarfile
            else:
                with tarfile.open(archive) as tar:
                    _extract(tar, Path(temporary).resolve())
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
            raise DataError(f"{archive} cannot be unpacked ({error}): remove it, and fetch it again") from None
        if not (Path(temporary) / directory).is_dir():
            raise DataError(f"{archive} holds no directory {directory}: it is another archive; remove it")
        shutil.rmtree(target, ignore_errors=True)
        (Path(temporary) / directory).replace(target)


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Write a tar's files below a folder; refuse links and devices, which our data sets do not hold, and ways out.

    `tarfile`'s own filter came with Python 3.11.4, and Debian 12 has 3.11.2.
    """
    for member in tar:
        path = (folder / member.name).resolve()
        if not path.is_relative_to(folder) or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name} is no file or folder inside of it")
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        source = tar.extractfile(member)
        assert source is not None  # a file has content
        with source, path.open("wb") as file:
            shutil.copyfileobj(source, file)


def _download(url: str, part: Path) -> None:
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # there is nothing after what we have
            return
        raise
    with answer:
        if answer.status != 206:  # this server starts again from the beginning
            done = 0
        missing = answer.headers.get("Content-Length")
        total = done + int(missing) if missing else None
        with (
            part.open("ab" if done else "wb") as file,
            tqdm(
                total=total, initial=done, unit="B", unit_scale=True, desc=part.stem, leave=False, disable=None
            ) as bar,
        ):
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size < total:
        raise OSError(f"the connection broke after {part.stat().st_size} of {total} bytes")


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()
