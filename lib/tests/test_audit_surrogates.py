"""Which layers a chain passes: one small network for every condition of the surrogate's graph."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import audit
from lib.tests.test_audit_branches import Joined, Picked, Scaled, conv
from lib.tests.test_audit_operations import Run


def plain(function, *modules):
    """A function of the map as it comes."""
    made = Run(function, *modules)
    made.first = nn.Identity()
    return made


class Block(nn.Module):
    """A convolution, a sum of two branches, and a convolution."""

    def __init__(self, branch, shortcut=None):
        super().__init__()
        self.first, self.after = conv(3), conv(8)
        self.branch, self.shortcut = nn.Sequential(*branch), shortcut or nn.Identity()

    def forward(self, x):
        x = self.first(x)
        return self.after(self.branch(x) + self.shortcut(x))


def scaled_norm(x):
    """Two functions of the map, multiplied with each other."""
    return F.batch_norm(x, None, None, x.mean((0, 2, 3)), None, True)


WIDE, REPEATED = nn.Conv2d(3, 1, 3, padding=1), torch.ones(8, 1, 1)
FLIP = plain(lambda x: x.flip(1))
PASSED = {                                          # modules, and where layer K may be
    "an input repeated as channels is not followed": ([
        plain(lambda x: x[:, :1] * torch.ones(4, 1, 1)), conv(4)], None, "0.mul"),
    "a channel repeated as eight is still one": ([WIDE, Scaled(REPEATED), conv(8)], "2^32", "0 2"),
    "not where padding came before": ([WIDE, nn.ZeroPad2d(1), Scaled(REPEATED), conv(8)], None,
                                      "2.mul"),
    "nor may units move behind padding": ([conv(3), nn.ZeroPad2d(1), FLIP, conv(8)], None,
                                          "2.flip"),
    "channels may be turned around": ([conv(3), FLIP, conv(8)], "9^32", "0 2"),
    "cells may not": ([conv(3), plain(lambda x: x.flip(3)), conv(8)], None, "2"),
    "not even before a window of one": ([conv(3), plain(lambda x: x.flip(3)), conv(8, 1, 1, 0)],
                                        None, "2"),
    "rows of another length are no map for windows": ([
        conv(3), plain(lambda x: x.reshape(1, 8, 4, 16)), conv(8)], None, "2"),
    "but for single cells": ([
        conv(3), plain(lambda x: x.reshape(1, 8, 4, 16)), conv(8, 1, 1, 0)], "9^16", "0 2"),
    "windows of two cells over other axes than before read no map": ([
        plain(lambda x: x.unsqueeze(-1)), nn.Conv3d(3, 8, (3, 3, 1), padding=(1, 1, 0)),
        nn.LayerNorm((8, 8, 1)), nn.Conv3d(8, 8, (8, 2, 2), (1, 2, 2), (0, 0, 1))], None, "3"),
    "a part of the input is not enough": ([plain(lambda x: x[..., :5]), conv(3)], None, "1"),
    "nor every other pixel": ([plain(lambda x: x[..., ::2]), conv(3)], None, "1"),
    "nor two of its channels": ([plain(lambda x: x[:, :2]), conv(2)], None, "1"),
    "all of them in another order are": ([plain(lambda x: x[:, [2, 0, 1]]), conv(3)], "9^16", "1"),
    "and more than once": ([plain(lambda x: x[:, [2, 0, 1, 1]]), conv(4)], "9^16", "1"),
    "a shortcut is cancelled in the branch": ([Block([conv(8), nn.ReLU(), conv(8)])], "9^32",
                                              "0.first 0.branch.0 0.branch.2 0.after"),
    "not if it turns channels around": ([Block([conv(8), conv(8)], FLIP)], "9^32",
                                        "0.first 0.after"),
    "nor if the branch does so at its end": ([Block([conv(8), conv(8), FLIP])], "9^32",
                                             "0.first 0.after"),
    "it may at its beginning": ([Block([FLIP, conv(8), conv(8)])], "9^32",
                                "0.first 0.branch.1 0.branch.2 0.after"),
    "an empty part beside a map is nothing": ([
        conv(3), plain(lambda x: torch.cat([x[..., :0], x[..., 0:]], -1)), conv(8)], "9^32", "0 2"),
    "nor one of its channels": ([
        conv(3), plain(lambda x: torch.cat([x[:, :0], x], 1)), conv(8)], "9^32", "0 2"),
    "padding before that is not followed": ([
        Block([nn.ZeroPad2d(1), FLIP, conv(8, padding=0), conv(8)])], "9^32", "0.first 0.after"),
    "the branch must read all that is added": ([
        Block([Picked([0, 1, 2, 3, 4, 5, 6, 6]), conv(8), conv(8)])], "9^32", "0.first 0.after"),
    "in one group": ([Block([conv(8, groups=2), conv(8)])], "9^32", "0.first 0.after"),
    "its last layer has one group": ([Block([conv(8), conv(8, groups=2)])], "9^32",
                                     "0.first 0.after"),
    "between them there may be more": ([Block([conv(8), conv(8, groups=2), conv(8)])], "9^32",
                                       "0.first 0.branch.0 0.branch.1 0.branch.2 0.after"),
    "one layer has no room for the copy": ([Block([conv(8)])], "9^32", "0.first 0.after"),
    "its last layer has no stride": ([Block([conv(8), conv(8, 3, 2)], nn.MaxPool2d(1, 2))], "9^8",
                                     "0.shortcut 0.after"),
    "a shortcut with weights is silenced": ([Block([conv(8), conv(8)], conv(8))], "9^32",
                                            "0.first 0.branch.0 0.branch.1 0.shortcut 0.after"),
    "a shortcut that pads and crops is neither": ([Block([conv(8), conv(8)], nn.Sequential(
        nn.ZeroPad2d(1), plain(lambda x: x[..., 1:-1, 1:-1])))], None,
        "0.shortcut.1.slice, 0.add, where no operand can be silenced or cancelled"),
    "a softmax of channels is dropped": ([conv(3), nn.Softmax2d(), conv(8)], "9^32", "0 2"),
    "also from the end": ([conv(3), nn.Softmax(-3), conv(8)], "9^32", "0 2"),
    "one of columns is not": ([conv(3), nn.Softmax(3), conv(8)], None, "1._softmax"),
    "nor one of the batch": ([conv(3), nn.LogSoftmax(0), conv(8)], None, "1._log_softmax"),
    "nor a norm whose scale is made of the map": ([conv(3), plain(scaled_norm), conv(8)], None,
                                                  "1.native_batch_norm"),
    "padding that crops is not followed": ([conv(3), nn.ZeroPad2d(-1), conv(8)], None, "1.pad"),
    "padding of channels is": ([conv(3), plain(lambda x: F.pad(x, (0, 0, 0, 0, 0, 2))), conv(10)],
                               "9^32", "0 2"),
    "reflections are": ([conv(3), nn.ReflectionPad2d(1), conv(8)], "9^32", "0 2"),
    "global pooling is a layer": ([conv(3), nn.AdaptiveAvgPool2d(1), conv(8, 1, 1, 0)], "9^16",
                                  "0 1"),
    "axis by axis too": ([conv(3), plain(lambda x: x.mean(3, True).mean(2, True)),
                          conv(8, 1, 1, 0)], "9^16", "0 1.mean #2"),
    "if nothing else uses the first mean": ([conv(3), plain(lambda x: (
        lambda y: y.mean(2, True) + y.amax(2, True))(x.mean(3, True))), conv(8, 1, 1, 0)], None,
        "1.mean"),
    "one axis alone is not": ([conv(3), plain(lambda x: x.mean(3, True)), conv(8, 1, 1, 0)], None,
                              "1.mean"),
    "a mean of channels is not": ([conv(3), plain(lambda x: x.mean(1, True)), conv(1)], None,
                                  "1.mean"),
    "one of everything is": ([conv(3), plain(lambda x: x.mean((1, 2, 3), True)),
                              conv(1, 1, 1, 0)], "9^16", "0 1.mean"),
    "a factor with weights is set to one": ([plain(lambda x, a, b: a(x) * b(x), conv(3), conv(3)),
                                             conv(8)], "9^32", "0.rest.0 0.rest.1 1"),
    "one and the same is not": ([plain(lambda x, a: (lambda y: y * y)(a(x)), conv(3)), conv(8)],
                                None, "0.mul"),
    "a difference is a sum": ([plain(lambda x, a, b: a(x) - b(x), conv(3), conv(3)), conv(8)],
                              "9^32", "0.rest.0 0.rest.1 1"),
    "a sum may have a factor": ([plain(lambda x, a, b: torch.add(a(x), b(x), alpha=2), conv(3),
                                       conv(3)), conv(8)], "9^32", "0.rest.0 0.rest.1 1"),
    "but not zero": ([plain(lambda x, a, b: torch.add(a(x), b(x), alpha=0), conv(3), conv(3)),
                      conv(8)], None, "0.add"),
    "a maximum is no sum": ([plain(lambda x, a, b: torch.maximum(a(x), b(x)), conv(3), conv(3)),
                             conv(8)], None, "0.maximum"),
    "two branches with weights": ([Joined(conv(3), conv(3)), conv(8)], "9^32", "0.one 0.other 1"),
    "weights that are computed are weights": ([
        conv(3), plain(lambda x, m: F.conv2d(x, m.weight - m.weight.mean(), padding=1), conv(8)),
        conv(8)], "9^32", "0 1.rest.0 2"),
    "weights that are used twice": ([plain(lambda x, a, b: b(b(a(x))), conv(3), conv(8)), conv(8)],
                                    None, "0.rest.1"),
    "branches side by side": ([plain(lambda x, a, b: torch.cat([a(x), b(x)], 1), conv(3), conv(3)),
                               conv(16)], "9^32", "0.rest.0 0.rest.1 1"),
    "one below the other": ([plain(lambda x, a, b: torch.cat([a(x), b(x)], 2), conv(3), conv(3)),
                             conv(8)], None, "1"),
    "a dense layer on columns is none": ([conv(3), nn.Linear(8, 8), conv(8)], None, "1"),
    "one on channels is": ([conv(3), plain(
        lambda x, m: m(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), nn.Linear(8, 6)), conv(6)],
        "7^32", "0 1.rest.0 2"),
    "one on everything closes the map": ([conv(3), nn.Flatten(), nn.Linear(512, 5)], "9^16", "0"),
    "in any order": ([conv(3), plain(lambda x: x.flip(2)), nn.Flatten(), nn.Linear(512, 5)],
                     "9^16", "0"),
    "half of the map does not": ([conv(3), plain(lambda x: x[..., :4]), nn.Flatten(),
                                  nn.Linear(256, 5)], None, "3"),
    "a window over everything does": ([conv(3), nn.Conv2d(8, 5, 8)], "9^16", "0"),
    "also when rows are turned around": ([conv(3), plain(lambda x: x.flip(2)), nn.Conv2d(8, 5, 8)],
                                         "9^16", "0"),
    "a larger one with padding does not": ([conv(3), nn.Conv2d(8, 5, 9, padding=1)], "6^32",
                                           "0 1"),
    "nor one with holes": ([conv(3), nn.Conv2d(8, 5, 4, dilation=2)], "6^32", "0 1"),
}


@pytest.mark.parametrize("name", PASSED)
def test_what_a_chain_passes(name):
    modules, best, layers = PASSED[name]
    found = audit(nn.Sequential(*modules), 8, 3).bounds()
    assert (found.best and str(found.best)) == best
    if best is None:
        assert found.reason == f"no chain of convolutions and poolings leads past {layers}"
        assert found.crossing_by_layer == {}
    else:
        assert " ".join(found.crossing_by_layer) == layers and found.reason == ""


def test_a_first_reader_may_be_too_narrow():
    """It reads two channels of K; the second reads all eight."""
    both = plain(lambda x, a, b: torch.cat([a(x[:, :2]), b(x.flip(1))], 1), conv(2), conv(8))
    found = audit(nn.Sequential(conv(3), both, conv(16)), 8, 3).bounds()
    assert str(found.crossing_by_layer["0"]) == "9^16"
    assert [step.name for step in found.crossing_by_layer["0"].chain][:2] == ["0", "1.rest.1"]


def test_options_of_bounds():
    net = audit(nn.Sequential(conv(3), nn.MaxPool2d(2), conv(8), conv(8)), 8, 3)
    assert net.bounds(avoid=("2",)).reason.endswith("leads past 2")
    assert net.bounds(avoid=("2", "1")).reason.endswith("leads past 1")
    both = net.bounds(collapse=("1", "2"))
    assert [(step.name, step.window, step.stride, step.channels) for step in both.best.chain] == [
        ("0", (3, 3), (1, 1), 8), ("1", (2, 2), (2, 2), 8), ("2", (3, 3), (1, 1), 8),
        ("3", (3, 3), (1, 1), 8), ("(added output)", (4, 4), (4, 4), 1)]
    assert net.bounds() is net.bounds("left-right", None, [], (), "mixing")


def test_a_residual_branch_may_begin_with_a_norm_whose_scale_is_made_of_the_map():
    def norm(x):
        return F.layer_norm(x, (8, 8), x.mean((0, 1)), None)
    found = audit(nn.Sequential(Block([plain(norm), conv(8), conv(8)])), 8, 3).bounds()
    assert found.overlap is not None                # of the other layers


BESIDE = {
    "dense layers": lambda y, a, b: b(a(y).relu()),
    "a recurrent layer": lambda y, a, b: b(a(y.transpose(1, 2))[0].transpose(1, 2)),
}
HEADS = {
    "a mean of channels": (lambda x, head: head(x.mean(1)), nn.Linear(8, 2)),
    "a window along channels": (lambda x, one, head: head(one(x.transpose(1, 2))),
                                nn.Linear(4, 4), nn.Conv1d(8, 2, 4)),
    "tokens of which channels are left": (lambda x, one, head: head(
        one(x.transpose(1, 2)).mean(2)), nn.Linear(4, 4), nn.Linear(8, 2)),
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("beside", BESIDE)
def test_what_leaves_places_closes_no_map_also_where_everything_is_seen(beside, head):
    """Places cannot be told from channels there, but it is known where the channels lie."""
    made = {"dense layers": (nn.Linear(8, 8), nn.Conv1d(4, 4, 1)),
            "a recurrent layer": (nn.LSTM(4, 4, bidirectional=True, num_layers=2,
                                          batch_first=True), nn.Conv1d(8, 4, 1))}[beside]
    summed = plain(lambda x, *modules: x + BESIDE[beside](x, *modules), *made)
    net = [nn.Conv1d(3, 4, 3, padding=1), summed]
    assert str(audit(nn.Sequential(*net, nn.AdaptiveAvgPool1d(1)), (8,)).bounds().best) == "5^2"
    assert audit(nn.Sequential(*net, plain(*HEADS[head])), (8,)).bounds().best is None


@pytest.mark.parametrize("pooled", [
    lambda x: x.mean(2).mean(1), lambda x: x.mean(2, keepdim=True).mean(1).flatten(1)])
def test_a_global_pooling_axis_by_axis_where_channels_lie_last(pooled):
    net = plain(lambda x, one, head: head(pooled(one(x.permute(0, 2, 3, 1)))),
                nn.Linear(8, 8), nn.Linear(8, 2))
    assert str(audit(nn.Sequential(conv(3), net), 8, 3).bounds().best) == "9^16"


@pytest.mark.parametrize("left", [
    lambda x: x[..., -1], lambda x: x[..., 4:].mean(2), lambda x: x.unbind(2)[0],
    lambda x: x[:, :, :4].flatten(1)])
def test_a_head_that_leaves_places_out_is_not_read_as_a_window_over_the_map(left):
    head = plain(lambda x, layer: layer(left(x)), nn.LazyLinear(2))
    net = nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), head)
    assert audit(net, (8,)).bounds().best is None
    with pytest.raises(ValueError, match="collapse: module '1' leads from a grid over the image"):
        audit(net, (8,)).bounds(collapse=("1",))


@pytest.mark.parametrize(("body", "left"), [
    (conv(8), lambda x, c: c(x[..., 4:])), (conv(8), lambda x, c: c(x)[:, :, :6]),
    (nn.Conv2d(4, 8, 3, padding=1), lambda x, c: c(x[:, :4])),
    (conv(8), lambda x, c: c(F.pad(x, (-1, -1))))])
def test_a_module_that_leaves_a_part_of_its_map_out_is_not_read_as_one_layer(body, left):
    net = nn.Sequential(conv(3), plain(left, body), nn.Flatten(), nn.LazyLinear(2))
    with pytest.raises(ValueError, match="module '1' leaves out a part of the map that it is giv"):
        audit(net, 8, 3).bounds(collapse=("1",))


@pytest.mark.parametrize("taken", [
    lambda x, c: c(x)[..., ::2, ::2], lambda x, c: c(x) + x[:, :, 1:].sum()])
def test_a_module_may_subsample_or_look_at_a_part_beside_the_whole(taken):
    net = nn.Sequential(conv(3), plain(taken, conv(8)), nn.Flatten(), nn.LazyLinear(2))
    found = audit(net, 8, 3, ignore=("gates",))
    assert found.bounds(collapse=("1",)).best.chain[1].window == (3, 3)


@pytest.mark.parametrize("whole", [
    lambda x: torch.cat(x.chunk(2, 2)[::-1], 2).mean(2), lambda x: F.avg_pool1d(x, 3).flatten(1),
    lambda x: x.cumsum(2)[..., -1]])
def test_a_head_that_reads_the_whole_map_is_a_window_over_it(whole):
    net = nn.Sequential(nn.Conv1d(3, 4, 3, padding=1),
                        plain(lambda x, layer: layer(whole(x)), nn.LazyLinear(2)))
    assert audit(net, (8,)).bounds(collapse=("1",)).best.chain[-1].window == (8,)
