"""Results depend on the arguments alone: not on the caller's modes, threads or integer types."""

import errno
import random
import sys
import threading
from contextlib import contextmanager
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import torch
from torch import nn

from lib import Bound, exact_rank, missing_pixels, proposition_2_bound, singular_values
from lib.audit import __main__ as audit_command
from lib.audit import audit, effective_field
from lib.experiments import __main__ as sweep_command
from lib.experiments.records import as_network
from lib.results import Results, ResultsError, read
from lib.tests.test_refusals import CALLS
from lib.trees.mixtures import DilatedNetwork, dilated_tree, lags

NET = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 4, 3))


def described(value):
    """A result in plain types, so that a numpy integer differs from a Python one."""
    if isinstance(value, nn.Module):
        return described(value.state_dict())
    if isinstance(value, torch.Tensor):
        return value.dtype, value.tolist()
    if isinstance(value, dict):
        return [(described(key), described(entry)) for key, entry in value.items()]
    if isinstance(value, (list, tuple)):
        return [described(entry) for entry in value]
    if is_dataclass(value) and type(value).__name__ != "Audit":
        return [described(getattr(value, field.name)) for field in fields(value)]
    return type(value), "" if callable(value) else str(value)


def swapped(value):
    """The same integers in a type of NumPy that overflows soon."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(swapped, value))
    fits = type(value) is int and 0 <= value < 256
    return np.uint8(value) if fits else value


@pytest.mark.parametrize("name, function, good", [
    (call[0], call[1], call[2]) for call in CALLS
    if repr(swapped(call[2])) != repr(call[2])],
    ids=lambda value: value if isinstance(value, str) else "")
def test_integers_of_numpy_are_integers(name, function, good):
    def outcome(arguments):                             # each call with a generator not yet used
        return described(function(*(argument.clone_state() if isinstance(argument, torch.Generator)
                                    else argument for argument in arguments)))

    expected = outcome(good)
    for place, value in enumerate(good):
        changed = [*good[:place], swapped(value), *good[place + 1:]]
        assert outcome(changed) == expected, (name, place)


def test_no_bound_overflows():
    assert Bound(np.int64(4), np.int64(100)).value == 4**100
    assert Bound.product([(np.int64(7), np.int64(30))]).value == 7**30
    assert proposition_2_bound(3, 64, np.int64(7)).value == proposition_2_bound(3, 64, 7).value


def test_what_can_be_read_once_is_read_once():
    assert lags(iter((1, 2))) == lags((1, 2)) == lags(torch.tensor([1, 2]))
    assert dilated_tree(iter((1, 2)), 2, 2) == dilated_tree((1, 2), 2, 2)
    orders = ((1, 2, 4), (2, 1, 4))
    assert DilatedNetwork(orders, 2, 2, iter((2,))).exchange == (2,)


@pytest.mark.parametrize("values, word", [
    (torch.eye(2).to_sparse(), "sparse"), (torch.empty(2, 2, device="meta"), "meta"),
    (torch.nested.nested_tensor([torch.ones(2)], layout=torch.jagged), "nested"),
    (np.ma.array(np.eye(2), mask=np.eye(2)), "masked"), (np.eye(2, dtype=np.longdouble), "float")])
@pytest.mark.parametrize("function", [exact_rank, singular_values])
def test_numbers_that_are_not_there_are_not_made_up(function, values, word):
    with pytest.raises(TypeError, match=word):
        function(values)


def test_numbers_of_every_type_are_read():
    for kind in (torch.float8_e4m3fn, torch.bfloat16, torch.half, torch.uint16):
        assert exact_rank(torch.tensor([[1, 2], [2, 4]]).to(kind)).rank == 1
    with pytest.raises(ValueError, match="float8_e4m3fn must be whole numbers below 16"):
        exact_rank(torch.tensor([[16.0]]).to(torch.float8_e4m3fn))
    for kind in (">i8", ">f4"):
        assert exact_rank(np.array([[1, 2], [2, 4]], kind)).rank == 1
        assert len(singular_values(np.eye(2, dtype=kind))) == 2


@contextmanager
def default_type(kind):
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


MODES = [torch.inference_mode, torch.no_grad, lambda: torch.autocast("cpu", torch.bfloat16),
         lambda: default_type(torch.float64), lambda: torch.device("meta")]


def test_audits_are_the_same_in_every_mode():
    def found():
        report = audit(NET, 16)
        return str(report), report.table("html"), report.box("3"), report.to_dict()

    expected = found()
    influence = effective_field(NET, 16, samples=1)
    for mode in MODES:
        with mode():
            assert found() == expected
            measured = effective_field(NET, 16, samples=1)
            assert measured.effective == influence.effective
        assert torch.equal(measured.influence, influence.influence)
    with torch.inference_mode():
        made = nn.Conv2d(3, 4, 3)
        assert effective_field(made, 8, samples=1).effective == (3, 3)


def test_seeds_mean_the_same_under_every_default_type():
    expected = missing_pixels(2, (5, 5), 0.5, torch.Generator().manual_seed(0))
    with default_type(torch.float64):
        assert torch.equal(
            expected, missing_pixels(2, (5, 5), 0.5, torch.Generator().manual_seed(0)))


class Draws(nn.Module):
    """Uses every generator there is, as networks with random depth do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        share = random.random() + np.random.rand() + float(torch.rand(()))
        return self.conv(x) * share


def test_an_audit_leaves_all_generators_as_they_were():
    def states():
        return (random.getstate(), np.random.get_state()[1].tolist(),
                torch.get_rng_state().tolist())

    model = Draws()
    before = states()
    audit(model, 8)
    assert states() == before


def test_audits_in_threads_do_not_meet():
    other = nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(9)])
    expected, found, stop = str(audit(NET, 16)), [], threading.Event()

    def trains():
        while not stop.is_set():
            other(torch.ones(1, 3, 4, 4))

    def audits():
        for _ in range(2):
            try:
                found.append(str(audit(NET, 16)))
            except Exception as error:                  # a thread's exception is not the test's
                found.append(error)

    pause = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        threads = [threading.Thread(target=target) for target in (trains, audits, audits)]
        for thread in threads:
            thread.start()
        for thread in threads[1:]:
            thread.join()
    finally:
        stop.set()
        threads[0].join()
        sys.setswitchinterval(pause)
    assert found == [expected] * 4
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize("change", [
    {"curve": {"accuracy": 5}}, {"curve": {"loss": None}}, {"curve": {"loss": ["a"]}},
    {"curve": {"loss": [None]}}, {"curve": {"accuracy": {"0.5": 1}}}, {"accuracy": 10**400}])
def test_impossible_records_are_refused_in_words(change):
    record = {"name": "a", "block": "B1", "channels": 2, "augmentation": "color", "seed": 0,
              "accuracy": 0.5}
    assert as_network({**record, "curve": {"loss": [1, 0.5], "accuracy": [0.5]}})
    with pytest.raises(ValueError, match="is not the record of a network"):
        as_network({**record, **change})


@pytest.mark.parametrize("entry", [{"check": "x"}, {"set": {1, 2}}, {1: 2, "1": 3}])
def test_what_cannot_be_read_back_is_not_written(tmp_path, entry):
    results = Results(tmp_path / "a.jsonl", {})
    with pytest.raises(ResultsError, match="append: 'one'"):
        results.append({"name": "one", **entry})
    results.append({"name": "two"})
    assert [record["name"] for record in read(tmp_path / "a.jsonl").records] == ["two"]


def test_an_audit_without_a_place_to_print_to_ends_in_one_line(tmp_path, monkeypatch, capsys):
    arguments = ["torch.nn:Conv2d", "--args", "3,8,3", "--size", "8"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert audit_command.main(arguments) == 1
    with open(tmp_path / "full", "w") as full, monkeypatch.context() as patch:
        def fails():
            raise OSError(errno.ENOSPC, "No space left on device")

        full.flush, closes = fails, full.flush
        patch.setattr(sys, "stdout", full)
        assert audit_command.main(arguments) == 1
        full.flush = closes
    assert capsys.readouterr().err.count("\n") == 1


def test_a_second_interruption_ends_the_sweep_quietly(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep_command.sweep, "run_sweep", interrupted)
    monkeypatch.setattr(sweep_command, "report", interrupted)
    assert sweep_command.main(["--output", str(tmp_path / "a.jsonl"), "--quiet"]) == 130


def test_every_power_of_a_product_is_an_integer_of_python():
    pairs = [(np.int64(3), np.int64(50)), (np.int64(65), np.int64(60))]
    for several in (Bound.product(pairs), Bound(*pairs[0], powers=tuple(pairs))):
        assert several.value == 3**50 * 65**60
        assert all(type(number) is int for power in several.powers for number in power)
