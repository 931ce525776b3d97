"""Fetching a published archive: with progress, from where it stopped, checked, and unpacked whole or not at all."""

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

from adai.data import DataError

CHUNK = 1 << 16
TIMEOUT = 60
"""Seconds without a byte after which a download is given up; the same command goes on with it."""


def fetch(url: str, md5: str, path: Path) -> Path:
    """Download a file, or what is still missing of it.

    An unfinished download stays beside `path`, with the suffix `.part`; a finished one appears only once its checksum
    is right.

    Args:
        url: where the file is published.
        md5: of the whole file, in hexadecimal digits.
        path: where it shall lie.

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


def unpack(archive: Path, directory: str, folder: Path) -> Path:
    """Unpack one directory of a tar or zip archive into a folder, whole or not at all.

    Raises:
        DataError: the archive is damaged, or has no such directory, or a member would land outside of it.
    """
    target = folder / directory
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
    return target


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Write a tar's files below a folder; our data sets hold no links and no devices, and none may lead outside.

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
        with tar.extractfile(member) as source, path.open("wb") as file:
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
