"""Image sets: CIFAR-10 from folder, cache and network, and those made on the spot."""

import contextlib
import functools
import hashlib
import http.server
import io
import shutil
import socket
import tarfile
import threading

import numpy as np
import pytest
import torch

from lib.experiments import cifar, sweep
from lib.experiments.cifar import DatasetError, cifar10, from_folder, load_data, load_test_data
from lib.experiments.images import ImageSet, dead_leaves, photograph_patches
from lib.experiments.settings import PRESETS

PER_FILE = 20  # the tests use small files
ALL_FILES = cifar.FILES["train"] + cifar.FILES["test"]


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(cifar, "RECORDS_PER_FILE", PER_FILE)
    monkeypatch.setattr(cifar, "TEST_IMAGES", 5)
    yield
    load_data.cache_clear()
    load_test_data.cache_clear()


def raw_records(seed=0):
    generator = np.random.default_rng(seed)
    records = generator.integers(0, 256, (PER_FILE, cifar.RECORD), dtype=np.uint8)
    records[:, 0] = np.arange(PER_FILE) % 10
    return records


@pytest.fixture
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("local") / cifar.FOLDER
    target.mkdir(parents=True)
    for number, name in enumerate(ALL_FILES):
        raw_records(number).tofile(target / name)
    return target


@pytest.fixture
def official(folder, monkeypatch):
    """A server with an archive of the small files, in place of the published one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(folder, arcname=cifar.FOLDER)

    class Server(http.server.BaseHTTPRequestHandler):
        payload, status, requests = buffer.getvalue(), 200, []

        def do_GET(self):
            kind = type(self)
            kind.requests.append(self.path)
            if kind.status != 200:
                self.send_error(kind.status)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(kind.payload)))
            self.end_headers()
            self.wfile.write(kind.payload)

        def log_message(self, *arguments):
            pass

    instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=functools.partial(instance.serve_forever, 0.02), daemon=True).start()
    monkeypatch.setattr(cifar, "URL", f"http://127.0.0.1:{instance.server_port}/cifar.tar.gz")
    monkeypatch.setattr(cifar, "MD5", hashlib.md5(Server.payload).hexdigest())
    yield Server
    instance.shutdown()
    instance.server_close()


def test_reads_the_layout_byte_by_byte(folder):
    data = from_folder(folder)
    assert data.images.shape == (5 * PER_FILE, 3, 32, 32)
    raw = raw_records(1)  # data_batch_2
    assert int(data.labels[PER_FILE + 3]) == raw[3, 0]
    # green plane, row 5, column 7
    assert int(data.images[PER_FILE + 3, 1, 5, 7]) == raw[3, 1 + 1024 + 5 * 32 + 7]
    assert data.provenance["official"] is False and data.provenance["name"] == "cifar-10"
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
    path.write_bytes(good[:cifar.RECORD] * (PER_FILE - 1))  # whole records, too few
    with pytest.raises(DatasetError, match=f"must have {PER_FILE * cifar.RECORD} "):
        from_folder(folder)
    path.write_bytes(good[:2 * cifar.RECORD] + b"\x0a" + good[2 * cifar.RECORD + 1:])
    with pytest.raises(DatasetError, match="record 2: label byte 10, must be 0..9"):
        from_folder(folder)
    path.unlink()
    with pytest.raises(DatasetError, match="lacks data_batch_3.bin"):
        from_folder(folder)
    with pytest.raises(ValueError, match="split='dev'"):
        from_folder(folder, "dev")


def test_download_then_cache(official, folder, tmp_path, monkeypatch):
    monkeypatch.setenv(cifar.CACHE_VARIABLE, str(tmp_path / "cache"))
    first = cifar10(progress=False)
    assert first.provenance["official"] is True and len(official.requests) == 1
    assert first.fingerprint == from_folder(folder).fingerprint
    assert len(cifar10("test", progress=False)) == PER_FILE
    assert len(official.requests) == 1
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [
        "cifar.tar.gz", "cifar.tar.gz.lock"]
    cifar10(cache=tmp_path / "other", progress=False)  # the argument wins over the variable
    assert len(official.requests) == 2


def test_cache_places(monkeypatch):
    monkeypatch.delenv(cifar.CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert str(cifar.cache_folder()) == "/x/overlaps"
    monkeypatch.setenv(cifar.CACHE_VARIABLE, "/y")
    assert str(cifar.cache_folder()) == "/y" and str(cifar.cache_folder("/z")) == "/z"
    with pytest.raises(DatasetError, match="~no-such-user"):
        cifar.cache_folder("~no-such-user/x")


def test_a_damaged_archive_is_fetched_again(official, tmp_path):
    cifar10(cache=tmp_path, progress=False)
    (tmp_path / "cifar.tar.gz").write_bytes(b"\0" * len(official.payload))
    cifar10(cache=tmp_path, progress=False)
    assert len(official.requests) == 2


def test_a_damaged_archive_is_not_called_fetched_and_is_named(official, tmp_path, monkeypatch):
    """A copy that was cut off: a plan says that 170 MB come, and why it is not enough offline."""
    archive = tmp_path / "cifar.tar.gz"
    archive.write_bytes(official.payload[:-1])
    settings = PRESETS["laptop"][0]
    assert not cifar.is_fetched(tmp_path) and sweep.must_download(settings, (None, tmp_path))
    archive.write_bytes(official.payload)
    assert cifar.is_fetched(tmp_path) and not sweep.must_download(settings, (None, tmp_path))
    archive.write_bytes(b"")
    official.status = 503
    with pytest.raises(DatasetError) as refused:
        cifar10(cache=tmp_path, progress=False)
    assert f"{archive} is damaged, its hash must be {cifar.MD5}, and another could not" in str(
        refused.value)
    archive.unlink()
    archive.mkdir()
    assert cifar.is_fetched(tmp_path)  # the run says what is wrong
    with pytest.raises(DatasetError, match="Is a directory|Permission denied"):
        cifar10(cache=tmp_path, progress=False)


def test_wrong_hash_leaves_nothing(official, tmp_path):
    official.payload = official.payload[:-1] + bytes([official.payload[-1] ^ 1])
    with pytest.raises(DatasetError, match="hash"):
        cifar10(cache=tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["cifar.tar.gz.lock"]


def test_no_network_and_server_errors(official, tmp_path, monkeypatch):
    official.status = 503
    with pytest.raises(DatasetError, match="503"):
        cifar10(cache=tmp_path, progress=False)
    monkeypatch.setattr(cifar, "URL", "http://127.0.0.1:9/x.tar.gz")
    with pytest.raises(DatasetError, match="cannot fetch .*local folder"):
        cifar10(cache=tmp_path, progress=False)
    assert {path.suffix for path in tmp_path.iterdir()} == {".lock"}


ANSWERS = {
    "no HTTP": b"hello\r\n",
    "closed at once": b"",
    "a torn header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "too short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
    "no length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc",
    "wrong chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    "wrong coding": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nabc",
    "to nowhere": b"HTTP/1.1 302 Found\r\nLocation: http://[bad\r\n\r\n",
    "to a file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "a wrong port": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999999/\r\n\r\n",
    "many lines": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\nabc",
    "status 999": b"HTTP/1.1 999 what\r\n\r\n",
}


def test_full_memory_is_no_fault_of_the_network(tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(cifar, "_archive", full)
    with pytest.raises(MemoryError):
        cifar10(cache=tmp_path, progress=False)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_every_wrong_answer_is_one_line(answer, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            with contextlib.suppress(OSError):  # the test may end first
                peer, _ = server.accept()
                with peer:
                    peer.recv(4096)
                    peer.sendall(answer)
        threading.Thread(target=serve, daemon=True).start()
        monkeypatch.setattr(cifar, "URL", f"http://127.0.0.1:{server.getsockname()[1]}/c.tar.gz")
        monkeypatch.setattr(cifar, "TIMEOUT_SECONDS", 2)
        with pytest.raises(DatasetError, match="cannot fetch .*local folder"):
            cifar10(cache=tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["c.tar.gz.lock"]


def test_an_endless_server_does_not_fill_the_disk(official, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "LIMIT", len(official.payload) - 1)
    with pytest.raises(DatasetError, match="the server sends more than"):
        cifar10(cache=tmp_path, progress=False)
    monkeypatch.setattr(cifar, "LIMIT", 10**9)
    monkeypatch.setattr(cifar, "DOWNLOAD_SECONDS", 0)
    with pytest.raises(DatasetError, match="it takes longer than 0 seconds"):
        cifar10(cache=tmp_path, progress=False)
    assert {path.suffix for path in tmp_path.iterdir()} == {".lock"}


def test_five_files_of_zeros_are_refused(folder):
    for name in ALL_FILES:
        (folder / name).write_bytes(bytes(PER_FILE * cifar.RECORD))
    with pytest.raises(DatasetError, match=r"images of the classes \[0\] only, must hold all 10"):
        from_folder(folder)


def test_a_folder_is_official_when_every_file_has_the_published_hash(folder, monkeypatch):
    hashes = {name: hashlib.sha1((folder / name).read_bytes()).hexdigest() for name in ALL_FILES}
    monkeypatch.setattr(cifar, "SHA1", hashes)
    assert from_folder(folder).provenance["official"] is True
    monkeypatch.setattr(cifar, "SHA1", {**hashes, "data_batch_4.bin": "0" * 40})
    assert from_folder(folder).provenance["official"] is False
    assert from_folder(folder, "test").provenance["official"] is True
    for other in ("0" * 40, "f" * 40):  # smaller or larger than any hash
        monkeypatch.setattr(cifar, "SHA1", dict.fromkeys(cifar.SHA1, other))
        assert from_folder(folder).provenance["official"] is False


def test_unwritable_cache(official, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="choose another cache folder"):
        cifar10(cache=tmp_path / "file" / "cache", progress=False)


def test_two_at_once_share_a_cache(official, tmp_path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(
        cifar10(cache=tmp_path, progress=False).fingerprint)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1 and len(official.requests) == 1


def test_the_official_archive_is_the_published_one():
    assert cifar.URL == "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    assert cifar.MD5 == "c32a1d4ab5d03f1284b67883e8d87530"


def test_images_of_a_sweep_and_those_it_is_tested_on(folder):
    data = load_data("cifar-10", 30, str(folder))
    assert len(data) == 30 and data.provenance["subset"].startswith("30 images")
    tested = load_test_data("cifar-10", str(folder))
    assert torch.equal(tested.images, from_folder(folder, "test").images[:5])
    (folder / "test_batch.bin").unlink()
    assert load_test_data("cifar-10", str(folder)) is None
    (folder / "test_batch.bin").write_bytes(b"damaged")
    with pytest.raises(DatasetError, match="test_batch.bin has 7 bytes"):
        load_test_data("cifar-10", str(folder))
    assert len(load_data("photograph-patches", 20)) == 20
    for source in (("~/cifar", None), (None, "~/cache")):  # other images than those of the folder
        with pytest.raises(ValueError, match="folder=.*; dead-leaves is made here, must be left o"):
            load_data("dead-leaves", 20, *source)
    with pytest.raises(ValueError, match="name='dead_leaves'; need one of 'dead-leaves', 'photo"):
        load_data("dead_leaves", 20)  # it fetched the archive of the third


def test_two_sets_of_images_under_one_folder_are_told_apart(folder, tmp_path):
    """The images beside a folder of the published name were left out without a word."""
    both = tmp_path / "both"
    shutil.copytree(folder, both)
    shutil.copytree(folder, both / cifar.FOLDER)
    for split in ("train", "test"):
        with pytest.raises(DatasetError, match="both holds .*, and a folder cifar-10-batches-bin"):
            from_folder(both, split)
    inner = from_folder(both / cifar.FOLDER)
    (both / "test_batch.bin").unlink()
    for number in range(1, 6):
        (both / f"data_batch_{number}.bin").unlink()
    assert from_folder(both).fingerprint == inner.fingerprint


def test_a_folder_that_was_written_again_is_loaded_again(folder, tmp_path, monkeypatch):
    """A sweep on the next version of a folder trained on the images of the one before."""
    first = load_data("cifar-10", None, str(folder))
    assert load_data("cifar-10", None, folder=str(folder)) is first  # every process loads them once
    raw_records(9).tofile(folder / "data_batch_1.bin")
    second = load_data("cifar-10", None, str(folder))
    assert second.fingerprint == from_folder(folder).fingerprint != first.fingerprint
    folder.rename(tmp_path / "elsewhere")
    assert load_data("cifar-10", None, str(folder)) is second  # as a sweep goes on without the disk
    monkeypatch.chdir(tmp_path)
    here = load_data("cifar-10", 20, "elsewhere")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(DatasetError, match="from_folder: elsewhere lacks data_batch_1.bin"):
        load_data("cifar-10", 20, "elsewhere")
    assert len(here) == 20


@pytest.mark.parametrize("make", [dead_leaves, photograph_patches])
def test_sets_made_on_the_spot(make):
    data = make(50, seed=1)
    assert data.images.shape == (50, 3, 32, 32) and data.images.dtype == torch.uint8
    assert data.labels.bincount().tolist() == [5] * 10
    assert make(50, seed=1).fingerprint == data.fingerprint != make(50, seed=2).fingerprint
    assert len({image.numpy().tobytes() for image in data.images}) == 50
    assert float(data.images.float().std()) > 20
    with pytest.raises(ValueError, match="count=3"):
        make(3)


def test_patches_are_patches_of_the_photograph():
    from matplotlib import cbook, image
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photograph = image.imread(file, format="jpg")
    patch = photograph_patches(10).images[0].permute(1, 2, 0).numpy()
    corner = np.argwhere((photograph[:-31, :-31] == patch[0, 0]).all(-1))
    assert any((photograph[y:y + 32, x:x + 32] == patch).all() for y, x in corner)


def test_dead_leaves_radii_follow_the_power_law():
    """Small disks cover little: neighboring pixels mostly agree, distant ones rarely do."""
    images = dead_leaves(100).images.float()
    near = (images[..., 1:] == images[..., :-1]).all(1).float().mean()
    far = (images[..., 16:] == images[..., :-16]).all(1).float().mean()
    assert near > 0.6 and far < 0.2


def test_subset_is_balanced_and_fixed():
    images = torch.arange(100)[:, None, None, None].expand(100, 3, 32, 32).to(torch.uint8)
    data = ImageSet(images, torch.arange(100) % 10, tuple("abcdefghij"), {"name": "test"})
    part = data.subset(33)
    assert part.labels.bincount().tolist() == [4, 4, 4] + [3] * 7
    assert torch.equal(part.images, data.subset(33).images)
    assert not torch.equal(part.images, data.subset(33, seed=1).images)
    assert "33 images" in part.provenance["subset"]
    with pytest.raises(ValueError, match="count=5"):
        data.subset(5)
    with pytest.raises(ValueError, match="labels from 0 to 10"):
        ImageSet(images[:2], torch.tensor([0, 10]), (), {})
