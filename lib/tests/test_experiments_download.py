"""CIFAR-10: files read byte by byte, the download piece by piece, what is said when it fails."""

import hashlib
import io
import sys
import tarfile
import types

import pytest
import torch

from lib.experiments import __main__ as command
from lib.experiments import cifar, sweep
from lib.tests.test_experiments_made import numbered


def test_the_sizes_of_the_published_files():
    assert (cifar.RECORD, cifar.RECORDS_PER_FILE, cifar.TEST_IMAGES) == (3073, 10_000, 2000)
    assert 170_498_071 < cifar.LIMIT < 300_000_000  # the archive fits
    assert (cifar.TIMEOUT_SECONDS, cifar.DOWNLOAD_SECONDS) == (30, 3600)
    assert list(cifar.SHA1) == [*cifar.FILES["train"], *cifar.FILES["test"]]
    assert cifar.FILES["train"] == tuple(f"data_batch_{n}.bin" for n in (1, 2, 3, 4, 5))


def records(labels):
    return b"".join(bytes([label, *(place % 251 for place in range(3072))]) for label in labels)


@pytest.fixture
def ten(tmp_path, monkeypatch):
    """A folder whose files have ten records each, and one record of every class."""
    monkeypatch.setattr(cifar, "RECORDS_PER_FILE", 10)
    folder = tmp_path / "ten"
    folder.mkdir()
    for name in cifar.SHA1:
        (folder / name).write_bytes(records(range(10)))
    yield folder
    cifar.load_data.cache_clear()
    cifar.load_test_data.cache_clear()


def said(call, *arguments, **options):
    with pytest.raises(cifar.DatasetError) as refused:
        call(*arguments, **options)
    return str(refused.value)


def test_what_is_wrong_with_files_is_said_in_one_sentence(ten, tmp_path):
    assert said(cifar.read_records, b"x", "a.bin") == (
        "read_records: a.bin has 1 bytes, must have 30730 (10 records): it is truncated or not in "
        "the binary layout")
    assert said(cifar.read_records, records([0] * 8 + [10, 11]), "a.bin") == (
        "read_records: a.bin, record 8: label byte 10, must be 0..9")
    for name in cifar.FILES["train"]:
        (ten / name).write_bytes(records([*range(9), 8]))
    files = ", ".join(cifar.FILES["train"])
    assert said(cifar.from_folder, ten) == (
        f"cifar10: {files} hold images of the classes [0, 1, 2, 3, 4, 5, 6, 7, 8] only, must hold "
        "all 10")
    for name in ("data_batch_2.bin", "data_batch_4.bin"):
        (ten / name).unlink()
    assert said(cifar.cifar10, folder=ten) == (
        f"from_folder: {ten} lacks data_batch_2.bin, data_batch_4.bin; must hold the binary "
        "version of CIFAR-10")
    assert said(cifar.cifar10, "test", folder=tmp_path) == (
        f"from_folder: {tmp_path} lacks test_batch.bin; must hold the binary version of CIFAR-10")
    assert said(cifar.cache_folder, "~no-such-user").startswith("cifar10: ~no-such-user: ")


def test_records_are_read_as_planes():
    labels = [3, 0, *range(8)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cifar, "RECORDS_PER_FILE", 10)
        images, found = cifar.read_records(records(labels), "a")
    assert found.tolist() == labels and found.dtype == torch.int64
    assert images.shape == (10, 3, 32, 32) and images.dtype == torch.uint8
    assert all(image.flatten().tolist() == [place % 251 for place in range(3072)]
               for image in images)
    images += 1  # a copy that may be changed


def test_a_folder_says_where_its_images_come_from(ten):
    hashes = {name: hashlib.sha256((ten / name).read_bytes()).hexdigest() for name in cifar.SHA1}
    data = cifar.from_folder(ten)
    assert len(data) == 50 and data.classes == cifar.NAMES
    train = {name: hashes[name] for name in cifar.FILES["train"]}
    assert data.provenance == {
        "name": "cifar-10", "official": False, "split": "train", "sha256": train,
        "origin": "a local folder in the binary layout, not the published files"}
    (ten / "provenance.txt").write_bytes(b"  " + b"\xff" + 600 * b"n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cifar, "SHA1", {name: hashlib.sha1((ten / name).read_bytes()).hexdigest()
                                      for name in cifar.SHA1})
        found = cifar.from_folder(str(ten), "test").provenance
    assert found == {
        "name": "cifar-10", "official": True, "split": "test",
        "sha256": {"test_batch.bin": hashes["test_batch.bin"]}, "note": "\ufffd" + 499 * "n",
        "origin": "a local folder in the binary layout, whose files are the published ones"}


class Answer:
    """A response that gives an archive in pieces, and a progress bar that looks on."""

    def __init__(self, payload):
        self.payload, self.given, self.bars, self.shown = payload, [], [], []

    def get(self, *given, **options):
        self.given.append((given, options))
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def raise_for_status(self):
        self.given.append("status")

    def iter_content(self, size):
        self.given.append(size)
        yield from (self.payload[at:at + 100] for at in range(0, len(self.payload), 100))

    def tqdm(self, **options):
        self.bars.append(options)
        return self

    def update(self, size):
        self.shown.append(size)


@pytest.fixture
def answer(ten, monkeypatch):
    """The archive of the small files, from a server that takes ten seconds per piece."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(ten, arcname=cifar.FOLDER)
    made, clock = Answer(buffer.getvalue()), [0.0]

    def monotonic():
        clock[0] += 10
        return clock[0]

    monkeypatch.setitem(sys.modules, "requests", made)
    monkeypatch.setattr(cifar, "tqdm", made.tqdm)
    monkeypatch.setattr(cifar, "time", types.SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr(cifar, "MD5", hashlib.md5(made.payload).hexdigest())
    made.pieces = -(-len(made.payload) // 100)
    monkeypatch.setattr(cifar, "DOWNLOAD_SECONDS", 10 * made.pieces)
    monkeypatch.setattr(cifar, "LIMIT", len(made.payload))
    return made


@pytest.mark.parametrize("progress", [True, False])
def test_a_download_is_asked_for_in_pieces_and_shown(answer, tmp_path, progress):
    """At the ends of what is allowed: as many bytes and as many seconds as there may be."""
    data = cifar.cifar10("test", cache=tmp_path / "c", progress=progress)
    options = {"stream": True, "timeout": 30, "headers": {"Accept-Encoding": "identity"}}
    assert answer.given == [((cifar.URL,), options), "status", 65536]
    assert answer.bars == [{"unit": "B", "unit_scale": True, "disable": not progress}]
    assert sum(answer.shown) == len(answer.payload) and len(answer.shown) == answer.pieces
    assert data.provenance["official"] is True and data.provenance["split"] == "test"
    assert data.provenance["origin"] == f"{cifar.URL} (md5 {cifar.MD5})"


def test_downloads_show_their_progress_unless_asked_not_to(answer, tmp_path):
    cifar.cifar10(cache=tmp_path)
    assert answer.bars[0]["disable"] is False


@pytest.mark.parametrize("more", [(), ("--quiet",)])
def test_a_quiet_sweep_is_quiet_while_it_downloads(answer, tmp_path, monkeypatch, more):
    monkeypatch.setattr(sweep, "missing_jobs", lambda *_: [])
    cifar.load_data.cache_clear()
    assert command.main(["--preset", "laptop", "--images", "20", "--cache", str(tmp_path / "c"),
                         "--output", str(tmp_path / "a.jsonl"), *more]) == 0
    assert [bar["disable"] for bar in answer.bars] == [bool(more)]


@pytest.mark.parametrize("name, reason", [
    ("LIMIT", "the server sends more than {} bytes"),
    ("DOWNLOAD_SECONDS", "it takes longer than {} seconds"),
    ("MD5", "the hash of the {size} bytes is {hash}, must be {}")])
def test_why_a_download_failed_and_what_to_do(answer, tmp_path, monkeypatch, name, reason):
    value = "0" * 32 if name == "MD5" else getattr(cifar, name) - 1
    monkeypatch.setattr(cifar, name, value)
    monkeypatch.setattr(cifar, "locked", lambda path, seconds: open(path, "wb"))
    reason = reason.format(value, size=len(answer.payload),
                           hash=hashlib.md5(answer.payload).hexdigest())
    monkeypatch.setenv(cifar.CACHE_VARIABLE, str(tmp_path))
    for cache, how in ((tmp_path, ""), (None, " (variable OVERLAPS_DATA)")):
        assert said(cifar.cifar10, cache=cache, progress=False) == (  # what changes the folder
            f"cifar10: cannot fetch {cifar.URL} into {tmp_path}: {reason}; try again, choose "
            f"another cache folder{how}, or pass a local folder in the binary layout")


def test_whoever_waits_for_a_download_waits_as_long_as_it_may_take(answer, tmp_path, monkeypatch):
    waited = []
    original = cifar.locked
    monkeypatch.setattr(cifar, "locked", lambda *given: waited.append(given) or original(given[0]))
    cifar.cifar10(cache=tmp_path / "a" / "b", progress=False)
    archive = cifar.archive_path(tmp_path / "a" / "b")
    assert waited == [(archive.with_name("cifar-10-binary.tar.gz.lock"), cifar.DOWNLOAD_SECONDS)]
    assert archive.read_bytes() == answer.payload


def test_a_sweep_gets_the_images_it_names(monkeypatch):
    given, whole = [], numbered(40)
    monkeypatch.setattr(cifar, "cifar10", lambda *values, **options: given.append(
        (values, options)) or whole)
    monkeypatch.setattr(cifar, "TEST_IMAGES", 15)
    monkeypatch.setattr(cifar, "dead_leaves", lambda *values: ("leaves", values))
    monkeypatch.setattr(cifar, "photograph_patches", lambda *values: ("patches", values))
    try:
        assert cifar.load_data("dead-leaves", 31) == ("leaves", (31,))
        assert cifar.load_data("photograph-patches", 32) == ("patches", (32,))
        data = cifar.load_data("cifar-10", 20, None, "c")
        assert data.fingerprint == whole.subset(20).fingerprint
        assert cifar.load_data("cifar-10", 20, None, "c") is data  # every process loads them once
        tested = cifar.load_test_data("cifar-10", None, "c")
        assert torch.equal(tested.images, whole.images[:15])
        assert torch.equal(tested.labels, whole.labels[:15])
        assert (tested.classes, tested.provenance) == (whole.classes, whole.provenance)
        assert cifar.load_test_data("cifar-10", None, "c") is tested
        for nothing in (("dead-leaves",), ("dead-leaves", "x"), ("cifar-10", "/nowhere")):
            assert cifar.load_test_data(*nothing) is None
        assert given == [(("train",), {"folder": None, "cache": "c"}),
                         (("test",), {"folder": None, "cache": "c"})]
    finally:
        cifar.load_data.cache_clear()
        cifar.load_test_data.cache_clear()


@pytest.mark.parametrize("inside", ["", cifar.FOLDER])
def test_test_images_are_found_in_both_layouts(tmp_path, monkeypatch, inside):
    (tmp_path / inside).mkdir(exist_ok=True)
    (tmp_path / inside / "test_batch.bin").touch()
    given, data = [], numbered(20)
    monkeypatch.setattr(cifar, "cifar10", lambda *values, **options: given.append(
        (values, options)) or data)
    try:
        found = cifar.load_test_data("cifar-10", str(tmp_path))
        assert found.fingerprint == data.fingerprint
        assert given == [(("test",), {"folder": str(tmp_path), "cache": None})]
    finally:
        cifar.load_test_data.cache_clear()
