"""What hooks and other functions hold on to: written to as a copy, or not copied at all."""

import functools
import gc
import inspect
import threading
import types
from collections import deque
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lib.audit import audit
from lib.tests.test_audit_functions import small


def hooked(hook):
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1))
    net[0].register_forward_hook(hook)
    return net


class Counts:
    """How often it is copied."""

    copies = 0

    def __deepcopy__(self, memo):
        Counts.copies += 1
        return self


class Images(Counts, TensorDataset):
    pass


class Batches(Counts, DataLoader):
    pass


class Mapped(Counts, np.memmap):
    pass


class Large(Counts, np.ndarray):
    pass


class Folder:
    ended = 0

    def __init__(self):
        self.path = "folder"

    def __del__(self):
        Folder.ended += 1


def test_data_that_a_function_reads_is_not_copied(tmp_path, monkeypatch):
    """A data set of a million files took half a minute, a file in memory all of its gigabytes."""
    monkeypatch.setattr("lib.audit.seal.KNOWN_TENSOR", 100)
    images = Images(torch.zeros(4, 3))
    mapped = Mapped(tmp_path / "images", dtype=np.uint8, mode="w+", shape=16)
    for held in images, Batches(images), mapped, np.zeros(101).view(Large):
        def hook(module, args, out, held=held):
            assert len(held)

        assert audit(hooked(hook), 8).output[0].size == 5
    assert Counts.copies == 0


def test_what_ends_something_when_it_goes_is_not_copied():
    folder = Folder()
    audit(hooked(lambda module, args, out: folder.path and None), 8)
    gc.collect()
    assert Folder.ended == 0 and folder.path


@pytest.mark.parametrize("kept", [types.SimpleNamespace(), type("Store", (), {"seen": None})()],
                         ids=["namespace", "class"])
def test_an_object_with_nothing_in_it_yet_is_left_so(kept):
    audit(hooked(lambda module, args, out: setattr(kept, "seen", out)), 8)
    assert not vars(kept)


def test_a_container_of_something_that_cannot_be_copied_is_left_as_it_is():
    kept = {"lock": threading.Lock(), "seen": [], "last": None}

    def hook(module, args, out):
        with kept["lock"]:
            kept["last"] = out
            kept["seen"].append(out)

    assert audit(hooked(hook), 8).output[0].size == 5
    assert kept["seen"] == [] and kept["last"] is None


@pytest.mark.parametrize("made, drawn, state", [
    (torch.Generator, lambda g: torch.rand(2, generator=g), lambda g: g.get_state().tolist()),
    (np.random.default_rng, lambda g: g.random(2), lambda g: g.bit_generator.state)],
    ids=["torch", "numpy"])
def test_numbers_that_a_hook_draws_are_drawn_again(made, drawn, state):
    generator = made()
    before = state(generator)
    audit(hooked(lambda module, args, out: drawn(generator) is None or None), 8)
    assert state(generator) == before


def test_a_function_keeps_its_attributes():
    """Hooks count in one of their own; wrappers ask for the signature of what they wrap."""
    kept = []

    def hook(module, args, out):
        hook.runs += 1
        kept.append(out)

    hook.runs = 0
    net = hooked(hook)
    old = net.forward

    @functools.wraps(old)
    def around(*args, **kwargs):
        assert [*inspect.signature(net.forward).parameters] == ["input"]
        return old(*args, **kwargs)

    net.forward = around
    assert audit(net, 8).output[0].size == 5
    assert hook.runs == 0 and not kept


class Notes:
    def __init__(self, held):
        self.held = held

    def add(self, out):
        self.held.append(out)


@dataclass(slots=True)
class Record:
    held: list

    def add(self, out):
        self.held.append(out)


@pytest.mark.parametrize("add", [lambda kept, out: kept.add(out), lambda kept, out: kept.add(out),
                                 lambda kept, out: kept.add_(1),
                                 lambda kept, out: kept.append(out)],
                         ids=["object", "slots", "tensor", "queue"])
def test_what_hooks_write_to_is_left_as_it_is(add, request):
    """Feature maps are kept in objects, counters in tensors; queues keep the last few."""
    first = torch.rand(1, requires_grad=True) * 2               # kept in an earlier run
    kept = {"object": Notes([first]), "slots": Record([first]), "tensor": torch.zeros(1),
            "queue": deque([first], maxlen=3)}[request.node.callspec.id]
    net = small()
    net[0].register_forward_hook(lambda module, args, out: add(kept, out) and None)
    assert [layer.shape[-1] for layer in audit(net, 16).layers] == [16, 8, 8]
    assert [*getattr(kept, "held", kept)] == ([0] if torch.is_tensor(kept) else [first])


def test_what_cannot_be_copied_is_no_hindrance():
    held = types.SimpleNamespace(lock=threading.Lock(), times=[])
    net = small()
    net[0].register_forward_hook(lambda module, args, out: held.lock.locked() or None)
    net[3].register_forward_hook(lambda module, args, out: held.lock.locked() or None)
    assert audit(net, 16).output[0].size == 8
