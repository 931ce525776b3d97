"""Downloads over a real connection to a local server: resumed, checked, and never half there."""

import hashlib
import io
import tarfile
import zipfile

import pytest

from adai.__main__ import main
from adai.data import DataError, cifar, download, tiny_imagenet


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    server.breaks_after = 100_000
    with pytest.raises(DataError, match="goes on where it stopped"):
        download.fetch(server.url, md5(server.content), tmp_path / "file.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin.part"]
    assert download.fetch(server.url, md5(server.content), tmp_path / "file.bin").read_bytes() == server.content
    assert server.asked == [None, "bytes=100000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]


def test_a_server_that_cannot_resume_starts_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "file.bin.part").write_bytes(server.content[:70_000])
    assert download.fetch(server.url, md5(server.content), tmp_path / "file.bin").read_bytes() == server.content


def test_a_finished_part_is_taken(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(server.content)
    assert download.fetch(server.url, md5(server.content), tmp_path / "file.bin").read_bytes() == server.content


def test_another_file_is_refused_and_not_kept(server, tmp_path):
    with pytest.raises(DataError, match="another file, or was damaged"):
        download.fetch(server.url, "0" * 32, tmp_path / "file.bin")
    assert list(tmp_path.iterdir()) == []


def test_another_file_in_its_place_is_replaced(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"another")
    assert download.fetch(server.url, md5(server.content), tmp_path / "file.bin").read_bytes() == server.content


def test_an_unpacked_directory_takes_the_place_of_an_older_one(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").touch()
    (tmp_path / "set.zip").write_bytes(zipped(**{"set/new": b"x"}))
    download.unpack(tmp_path / "set.zip", tmp_path / "set")
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["new"]


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(server.content)
    download.fetch(server.url, md5(server.content), tmp_path / "file.bin")
    assert server.asked == []


def test_a_server_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/x could not be fetched"):
        download.fetch("http://127.0.0.1:9/x", "0" * 32, tmp_path / "x")


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes, target: str = "") -> bytes:
    """A tar with a good file and one member of another kind."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("set/good"))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        tar.addfile(info)
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"no archive", "cannot be unpacked"),
        (archive(**{"set/a": b"x" * 100_000})[:-40], "cannot be unpacked"),
        (archive(**{"../outside": b"x"}), "cannot be unpacked"),
        (archive(**{"/tmp/outside": b"x"}), "/tmp/outside is no file or folder inside of it"),
        (member("set/../../outside", tarfile.DIRTYPE), "is no file or folder inside"),
        (member("set/link", tarfile.SYMTYPE, "../../outside"), "set/link is no file or folder inside of it"),
        (member("set/link", tarfile.LNKTYPE, "/etc/passwd"), "set/link is no file or folder inside of it"),
        (member("set/device", tarfile.CHRTYPE), "set/device is no file or folder inside of it"),
        (archive(**{"other/a": b"x"}), "no directory set"),
        (zipped(**{"set/a": bytes(range(256)) * 100})[:-40], "cannot be unpacked"),
        (zipped(**{"../outside": b"x"}), "no directory set"),
    ],
    # Archives hold the time they were made at, and every test worker must give a test the same name.
    ids=[
        *("no archive", "cut tar", "tar outside", "absolute", "folder outside", "link", "hard link", "device"),
        *("tar of another", "cut zip", "zip outside"),
    ],
)
def test_a_bad_archive_leaves_nothing(tmp_path, content, complaint):
    home = tmp_path / "home"
    home.mkdir()
    (home / "set.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        download.unpack(home / "set.tar.gz", home / "set")
    assert [path.name for path in home.iterdir()] == ["set.tar.gz"]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.fixture
def published(server, tmp_path, monkeypatch, write_sets):
    """A small CIFAR-10 in the published layout, on the server; `ADAI_DATA` names an empty folder."""
    write_sets(tmp_path / "there")
    layout = cifar.LAYOUTS["cifar10"]
    files = {f: (tmp_path / "there" / layout.directory / f).read_bytes() for f in (*layout.train, layout.test)}
    server.content = archive(**{f"{layout.directory}/{file}": content for file, content in files.items()})
    sums = {file: md5(content) for file, content in files.items()}
    monkeypatch.setitem(cifar.LAYOUTS, "cifar10", layout._replace(md5=sums, archive_md5=md5(server.content)))
    monkeypatch.setattr(cifar, "HOME", server.url)
    monkeypatch.setenv("ADAI_DATA", str(tmp_path / "here"))
    return tmp_path / "here"


def test_the_command_fetches_unpacks_and_leaves_nothing_else(published, server, capsys):
    assert main(["data", "cifar10"]) == 0
    assert [path.name for path in published.iterdir()] == ["cifar-10-batches-py"]
    assert len(cifar.load("cifar10").train_targets) == 100
    assert main(["data", "cifar10"]) == 0
    assert len(server.asked) == 1 and str(published) in capsys.readouterr().out


def test_other_files_in_the_way_are_not_overwritten(published, write_sets, capsys):
    assert main(["data", "cifar10"]) == 0
    write_sets(published, seed=5)
    assert main(["data", "cifar10"]) == 2
    assert "is not the published one: move" in capsys.readouterr().err


def test_tiny_imagenet_comes_as_a_zip(server, tmp_path, monkeypatch, capsys):
    server.content = zipped(**{"tiny-imagenet-200/wnids.txt": b"n01\n", "tiny-imagenet-200/train/n01/a.JPEG": b"x"})
    monkeypatch.setattr(tiny_imagenet, "ARCHIVE", server.url)
    monkeypatch.setattr(tiny_imagenet, "ARCHIVE_MD5", md5(server.content))
    monkeypatch.setenv("ADAI_DATA", str(tmp_path))
    assert main(["data", "tiny_imagenet"]) == 0 == main(["data", "tiny_imagenet"])
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-imagenet-200"] and len(server.asked) == 1
    assert (tmp_path / "tiny-imagenet-200" / "wnids.txt").read_text() == "n01\n"
    assert str(tmp_path) in capsys.readouterr().out
