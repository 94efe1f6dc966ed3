"""CIFAR-10 from folder, cache and network."""

import builtins
import errno
import functools
import hashlib
import http.server
import io
import re
import tarfile
import threading

import numpy as np
import pytest

from lib.experiments import datasets, download
from lib.experiments.datasets import DatasetError, cifar10, from_folder, read_records
from lib.experiments.download import Archive, DownloadError, extract, fetch

PER_FILE = 20  # the tests use small files


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(datasets, "read_records",
                        functools.partial(read_records, expected=PER_FILE))


def raw_records(seed=0):
    generator = np.random.default_rng(seed)
    records = generator.integers(0, 256, (PER_FILE, datasets.RECORD), dtype=np.uint8)
    records[:, 0] = np.arange(PER_FILE) % 10
    return records


@pytest.fixture
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("local") / datasets.FOLDER
    target.mkdir(parents=True)
    for number, name in enumerate(datasets.TRAIN_FILES + datasets.TEST_FILES):
        raw_records(number).tofile(target / name)
    return target


@pytest.fixture
def archive_bytes(folder):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(folder, arcname=datasets.FOLDER)
    return buffer.getvalue()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one file, with byte ranges; can break off, ignore ranges or fail."""

    payload, break_after, ranges, status = b"", None, True, None
    requests = []

    def do_GET(self):
        kind = type(self)
        kind.requests.append(self.headers.get("Range"))
        if kind.status:
            self.send_error(kind.status)
            return
        start, wanted = 0, re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and kind.ranges:
            start = int(wanted[1])
            if start >= len(kind.payload):
                self.send_error(416)
                return
        body = kind.payload[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if kind.break_after is None else body[:kind.break_after])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(archive_bytes):
    handler = type("OneServer", (Server,), {"payload": archive_bytes, "requests": []})
    instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=instance.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    handler.archive = Archive(
        f"http://127.0.0.1:{instance.server_port}/cifar.tar.gz", "md5",
        hashlib.md5(archive_bytes).hexdigest(),
    )
    yield handler
    instance.shutdown()
    instance.server_close()


@pytest.fixture
def official(server, monkeypatch):
    monkeypatch.setattr(download, "CIFAR10", server.archive)
    return server


def test_reads_the_layout_byte_by_byte(folder):
    data = from_folder(folder)
    assert data.images.shape == (5 * PER_FILE, 3, 32, 32)
    raw = raw_records(1)  # data_batch_2
    assert int(data.labels[PER_FILE + 3]) == raw[3, 0]
    # green plane, row 5, column 7
    assert int(data.images[PER_FILE + 3, 1, 5, 7]) == raw[3, 1 + 1024 + 5 * 32 + 7]
    assert data.provenance["official"] is False
    digest = hashlib.sha256((folder / "data_batch_2.bin").read_bytes()).hexdigest()
    assert data.provenance["sha256"]["data_batch_2.bin"] == digest
    assert len(from_folder(folder.parent, "test")) == PER_FILE  # the folder around it, too


def test_a_note_in_the_folder_enters_the_provenance(folder):
    (folder / "provenance.txt").write_text("re-encoded\n")
    assert from_folder(folder).provenance["note"] == "re-encoded"


def test_damaged_files_are_refused(folder):
    path = folder / "data_batch_3.bin"
    good = path.read_bytes()
    path.write_bytes(good[:-100])
    with pytest.raises(DatasetError, match="data_batch_3.bin has .* truncated"):
        from_folder(folder)
    path.write_bytes(good[:datasets.RECORD] * (PER_FILE - 1))  # whole records, too few
    with pytest.raises(DatasetError, match=f"must have {PER_FILE * datasets.RECORD} bytes"):
        from_folder(folder)
    path.write_bytes(good[:2 * datasets.RECORD] + b"\x0a" + good[2 * datasets.RECORD + 1:])
    with pytest.raises(DatasetError, match="record 2: label byte 10, must be 0..9"):
        from_folder(folder)
    path.unlink()
    with pytest.raises(DatasetError, match="lacks data_batch_3.bin"):
        from_folder(folder)
    with pytest.raises(ValueError, match="split='dev'"):
        from_folder(folder, "dev")


def test_download_then_cache(official, tmp_path, monkeypatch):
    monkeypatch.setenv(datasets.CACHE_VARIABLE, str(tmp_path / "cache"))
    first = cifar10(progress=False)
    assert first.provenance["official"] is True and len(official.requests) == 1
    again = cifar10(progress=False)
    assert len(official.requests) == 1 and again.fingerprint == first.fingerprint
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == [datasets.FOLDER]
    cifar10(cache=tmp_path / "other", progress=False)  # the argument wins over the variable
    assert len(official.requests) == 2


def test_cache_places(monkeypatch):
    monkeypatch.delenv(datasets.CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert str(datasets.cache_folder()) == "/x/overlaps"
    monkeypatch.setenv(datasets.CACHE_VARIABLE, "/y")
    assert str(datasets.cache_folder()) == "/y" and str(datasets.cache_folder("/z")) == "/z"


def test_an_interrupted_download_continues(server, tmp_path):
    server.break_after = 1000
    with pytest.raises(DownloadError, match="continues where it stopped"):
        fetch(server.archive, tmp_path, progress=False)
    part = tmp_path / "cifar.tar.gz.part"
    assert part.stat().st_size == 1000 and not (tmp_path / "cifar.tar.gz").exists()
    server.break_after = None
    path = fetch(server.archive, tmp_path, progress=False)
    assert server.requests == [None, "bytes=1000-"] and path.read_bytes() == server.payload
    assert not part.exists()


def test_a_server_without_ranges_starts_again(server, tmp_path):
    (tmp_path / "cifar.tar.gz.part").write_bytes(b"x" * 500)
    server.ranges = False
    assert fetch(server.archive, tmp_path, progress=False).read_bytes() == server.payload


def test_a_part_longer_than_the_file_starts_again(server, tmp_path):
    (tmp_path / "cifar.tar.gz.part").write_bytes(b"x" * (len(server.payload) + 5))
    assert fetch(server.archive, tmp_path, progress=False).read_bytes() == server.payload


def test_a_complete_part_needs_no_network(server, tmp_path):
    (tmp_path / "cifar.tar.gz.part").write_bytes(server.payload)
    fetch(server.archive, tmp_path, progress=False)
    assert server.requests == []


def test_wrong_hash_leaves_nothing(official, tmp_path):
    official.payload = official.payload[:-1] + bytes([official.payload[-1] ^ 1])
    with pytest.raises(DatasetError, match="md5 of the .* must be"):
        cifar10(cache=tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_no_network_and_server_errors(official, tmp_path, monkeypatch):
    official.status = 503
    with pytest.raises(DatasetError, match="answered 503"):
        cifar10(cache=tmp_path, progress=False)
    gone = Archive("http://127.0.0.1:9/x.tar.gz", "md5", "0")
    with pytest.raises(DownloadError, match="check the network connection.*local folder"):
        fetch(gone, tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def full_disk(limit):
    """An `open` whose files accept only so many bytes."""
    def opener(path, mode="r", *arguments, **options):
        file = builtins.open(path, mode, *arguments, **options)
        if "r" in mode:
            return file

        class Full:
            written = 0

            def __enter__(self):
                return self

            def __exit__(self, *details):
                file.close()

            def write(self, piece):
                if self.written + len(piece) > limit:
                    raise OSError(errno.ENOSPC, "No space left on device")
                self.written += len(piece)
                return file.write(piece)

            def close(self):
                file.close()
        return Full()
    return opener


def test_full_disk_while_downloading(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "open", full_disk(100_000), raising=False)
    with pytest.raises(DownloadError, match="disk .* is full.*OVERLAPS_DATA"):
        fetch(server.archive, tmp_path, progress=False)
    assert not (tmp_path / "cifar.tar.gz").exists()
    monkeypatch.undo()
    assert fetch(server.archive, tmp_path, progress=False).read_bytes() == server.payload


def test_full_disk_while_extracting_leaves_no_half_folder(official, tmp_path, monkeypatch):
    path = fetch(official.archive, tmp_path, progress=False)
    monkeypatch.setattr(download, "open", full_disk(30_000), raising=False)
    with pytest.raises(DownloadError, match="cannot extract"):
        extract(path, tmp_path, datasets.FOLDER)
    assert [entry.name for entry in tmp_path.iterdir()] == ["cifar.tar.gz"]


def test_unwritable_cache(official, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="fetch: cannot"):
        cifar10(cache=tmp_path / "file" / "cache", progress=False)


@pytest.mark.parametrize("name", ["../outside.bin", "/absolute.bin", "cifar-10-batches-bin/../x",
                                  "cifar-10-batches-bin/a/b", "other/data.bin"])
def test_unsafe_archives_are_refused(tmp_path, name):
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(DownloadError, match="only plain files"):
        extract(path, tmp_path / "into", datasets.FOLDER)
    assert list((tmp_path / "into").iterdir()) == []


def test_links_and_broken_archives_are_refused(tmp_path):
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo(f"{datasets.FOLDER}/data_batch_1.bin")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(DownloadError, match="only plain files"):
        extract(path, tmp_path / "into", datasets.FOLDER)
    path.write_bytes(b"no archive at all")
    with pytest.raises(DownloadError, match="cannot extract"):
        extract(path, tmp_path / "into", datasets.FOLDER)


def test_the_official_archive_is_the_published_one():
    assert download.CIFAR10.url.endswith("/cifar-10-binary.tar.gz")
    assert download.CIFAR10.algorithm == "md5" and len(download.CIFAR10.digest) == 32
