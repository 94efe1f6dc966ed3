"""Branches of the audit that few networks take, and both sides of its guards."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import UnsupportedOperation, audit, models
from lib.audit import __main__ as command
from lib.audit.fields import EMPTY, clip
from lib.audit.geometry import Box
from lib.audit.rules.registry import RULES
from lib.tests.test_audit_operations import Run


def conv(inputs, window=3, stride=1, padding=1, **options):
    return nn.Conv2d(inputs, 8, window, stride, padding, **options)


def bounds(*modules, size=16, **options):
    return audit(nn.Sequential(*modules), size).bounds(**options)


class Scaled(nn.Module):
    """A map times numbers, one per channel or per cell."""

    def __init__(self, numbers, parameter=False):
        super().__init__()
        if parameter:
            self.numbers = nn.Parameter(numbers)
        else:
            self.register_buffer("numbers", numbers)

    def forward(self, x):
        return x * self.numbers


class Picked(nn.Module):
    """Some channels of a map."""

    def __init__(self, kept):
        super().__init__()
        self.kept = list(kept)

    def forward(self, x):
        return x[:, self.kept]


class Joined(nn.Module):
    """The sum of two branches."""

    def __init__(self, one, other):
        super().__init__()
        self.one, self.other = one, other

    def forward(self, x):
        return self.one(x) + self.other(x)


def test_a_module_on_the_grid_is_read_as_one_layer():
    """Fields of 3, 5 and 6 pixels: the part in the middle adds 3 and steps by 2."""
    body = nn.Sequential(conv(8), nn.ReLU(), nn.MaxPool2d(2))
    found = bounds(conv(3), body, conv(8), collapse=("1",))
    assert [(part.name, part.window, part.stride) for part in found.best.chain][:2] == [
        ("0", (3, 3), (1, 1)), ("1", (4, 4), (2, 2))]
    oblong = nn.Sequential(conv(8, (1, 3), padding=(0, 1)), nn.MaxPool2d((3, 1), (3, 1)))
    found = bounds(conv(3), oblong, conv(8), size=(12, 8), collapse=("1",))
    assert [(part.name, part.window, part.stride) for part in found.best.chain][:2] == [
        ("0", (3, 3), (1, 1)), ("1", (3, 3), (3, 1))]


class ChannelsLast(nn.Conv2d):
    """A convolution whose result has its channels last."""

    def forward(self, x):
        return super().forward(x).permute(0, 2, 3, 1)


class Decoder(nn.Module):
    """What a U-Net does on its way up."""

    def __init__(self):
        super().__init__()
        self.up, self.conv = nn.ConvTranspose2d(8, 8, 2, 2), conv(16)

    def forward(self, x, skip):
        return self.conv(torch.cat([self.up(x), skip], 1))


class OneLevel(nn.Module):
    """A U-Net of one level, or one layer before and after a pooling."""

    def __init__(self, decoder):
        super().__init__()
        self.first, self.pool, self.decoder = conv(3), nn.MaxPool2d(2), decoder

    def forward(self, x):
        x = self.first(x)
        if isinstance(self.decoder, Decoder):
            return self.decoder(self.pool(x), x)
        return self.decoder(self.pool(self.decoder(x)))


def test_channels_of_a_module_read_as_one_layer_are_counted_where_they_lie():
    """Three channels last on a map of 16 × 16: it was read as 16 channels."""
    body = nn.Sequential(ChannelsLast(8, 3, 3, padding=1), nn.LayerNorm(3))
    for options in ({}, {"collapse": ("1",)}):
        found = bounds(conv(3, 1, padding=0), body, **options)
        assert str(found.crossing) == "4^32"
    assert found.crossing.chain[1].channels == 3


def test_modules_that_are_no_layer_are_not_read_as_one():
    """A decoder makes the map larger, and what lies between two runs of a module is not its own."""
    with pytest.raises(ValueError, match="module 'decoder' has the stride 1/2, and a layer's is a"):
        audit(OneLevel(Decoder()), 16).bounds(collapse=("decoder",))
    with pytest.raises(ValueError, match="module 'decoder' runs 2 times on the way to the output"):
        audit(OneLevel(conv(8)), 16).bounds(collapse=("decoder",))


class Halved(nn.Module):
    """A stage of an encoder: its map for a decoder, and the same pooled."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool = conv(8), nn.MaxPool2d(2)

    def forward(self, x):
        x = self.conv(x)
        return x, self.pool(x)


class TwoLevels(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.down, self.up = conv(3), Halved(), nn.Upsample(scale_factor=2)
        self.last = conv(16)

    def forward(self, x):
        skip, x = self.down(self.first(x))
        return self.last(torch.cat([self.up(x), skip], 1))


def test_a_module_with_two_outputs_is_not_read_as_one_layer():
    """The skip went on through the layers within, as if nobody had asked."""
    found = audit(TwoLevels(), 16)
    with pytest.raises(ValueError, match="module 'down' hands on more than its output, as maps"):
        found.bounds(collapse=("down",))
    assert found.bounds(collapse=("down.conv",)).best.chain == found.bounds().best.chain


def test_a_pooling_read_as_one_layer_is_still_a_pooling():
    """Channel by channel no pooling mixes channels; as a module it did, and the bound was 9^64."""
    net = nn.Sequential(conv(3), conv(8), nn.Sequential(nn.MaxPool2d(2)), conv(8),
                        nn.Sequential(nn.AdaptiveAvgPool2d(1)), conv(8, 1, padding=0))
    found = audit(net, 16)
    for pools, bound in (("channelwise", "9^32"), ("mixing", "9^64")):
        for collapse in ((), ("2",), ("4",), ("2", "4")):
            assert str(found.bounds(pools=pools, collapse=collapse).best) == bound


def test_what_no_chain_may_enter_is_not_entered_as_one_layer():
    found = audit(nn.Sequential(conv(3), nn.Sequential(conv(8), nn.ReLU()), conv(8)), 16)
    assert found.bounds(collapse=("1",)).best.chain[1].name == "1"
    assert found.bounds(collapse=("1",), avoid=("^1",)).best is None


def test_the_skip_of_a_unet_is_a_chain():
    """What is enlarged beside it is ignored; its size was taken for that of the map below."""
    found = audit(OneLevel(Decoder()), 16).bounds()
    assert str(found.crossing) == "9^64"
    assert [part.name for part in found.crossing.chain[:2]] == ["first", "decoder.conv"]


def test_collapse_asks_for_whole_names():
    """A part of a name was taken, and did nothing."""
    found = audit(nn.Sequential(nn.Sequential(conv(3), nn.Sequential(conv(8), conv(8)))), 16)
    for part, whole in (("1", "0.1"), (r"\.1", "0.1"), ("0.1.", "0.1.0")):
        said = f"computes anything; give its whole name, such as '{whole}'"
        with pytest.raises(ValueError, match=said):
            found.bounds(collapse=(part,))
    assert [len(found.bounds(collapse=(name,)).best.chain) for name in ("0.1", r"\d.1", "0")] == [
        3, 3, 2]


def test_numbers_that_are_not_known_may_be_zero():
    """A parameter is taken to be generic, whatever it holds; a buffer on meta holds nothing."""
    plain, start = str(bounds(conv(3), conv(8)).best), torch.arange(8.0).view(8, 1, 1)
    for middle in (Scaled(start, True), Scaled(start + 1)):
        found = bounds(conv(3), middle, conv(8))
        assert "2" in found.crossing_by_layer and str(found.best) == plain
    for middle in (Scaled(start), Scaled(0 * start), Scaled(start.to("meta"))):
        found = bounds(conv(3), middle, conv(8))
        assert found.best is None and found.reason.endswith("leads past 1.mul")


def test_maps_of_two_strides_that_padding_makes_equal_are_not_added():
    """Of four cells: one branch keeps them, the other leaves two and pads them to four."""
    for padding, passes in ((0, False), (1, True)):
        stride = 1 if passes else 2
        wide = nn.Sequential(conv(8, 3, stride), nn.ZeroPad2d(0 if passes else 1))
        found = bounds(conv(3), Joined(conv(8, 1, 1, 0), wide), conv(8), size=4)
        assert ("2" in found.crossing_by_layer) == passes, padding


class Shortened(nn.Module):
    """A branch that halves the map, beside a shortcut that leaves cells out."""

    def __init__(self, shortcut):
        super().__init__()
        self.first, self.shortcut, self.after = conv(3), shortcut, conv(8)
        self.branch = nn.Sequential(conv(8, 3, 2), nn.ReLU(), conv(8))

    def forward(self, x):
        x = self.first(x)
        return self.after(self.branch(x) + self.shortcut(x))


@pytest.mark.parametrize("shortcut, passes", [
    (nn.MaxPool2d(1, 2), True), (nn.Sequential(nn.ReLU(), nn.AvgPool2d(1, 2)), True),
    (nn.Sequential(nn.MaxPool2d(1, 2), nn.ReLU()), True), (nn.MaxPool2d(2), False)])
def test_a_shortcut_that_leaves_cells_out_is_cancelled(shortcut, passes):
    """The branch can carry a copy of cells that it sees too, but not of maxima over four."""
    found = audit(Shortened(shortcut), 16).bounds()
    assert ("branch.0" in found.crossing_by_layer) == passes


def test_boxes_are_cut_at_both_ends_of_the_image():
    boxes = torch.tensor([[-3, -1], [-2, 0], [-1, 9], [3, 5], [7, 8], [8, 9]])
    low, high = clip(torch.stack([boxes[:, 0], -boxes[:, 1]]), 8)
    inside = [(a, -b) if a < EMPTY // 2 else None for a, b in zip(low.tolist(), high.tolist())]
    assert inside == [None, (0, 0), (0, 7), (3, 5), (7, 7), None]
    assert (low >= EMPTY).tolist() == (high >= EMPTY).tolist()
    whole = audit(nn.Sequential(conv(3), nn.AdaptiveAvgPool2d(1)), 16).output
    assert [(axis.size, axis.start) for axis in whole] == [(16, 0)] * 2


def test_windows_over_two_rows_of_one_axis_are_no_layer():
    rows = Run(lambda x: x)
    rows.first = nn.Conv1d(3, 8, 3, padding=1)
    for copies, passes in ((1, True), (2, False)):
        rows.function = lambda x, copies=copies: x.unsqueeze(2).repeat(1, 1, copies, 1)
        found = audit(nn.Sequential(rows, nn.Conv2d(8, 8, (1, 3), padding=(0, 1))), (8,)).bounds()
        assert ("1" in found.crossing_by_layer) == passes


def test_a_layer_along_a_flattened_map_is_no_layer_of_two_axes():
    """Not even one that looks at single cells and leaves one channel."""
    found = bounds(conv(3), nn.Flatten(2), nn.Conv1d(8, 1, 1))
    assert found.best is None and found.reason.endswith("leads past 2")


@pytest.mark.parametrize("arrange, reason", [
    (lambda x: x.flatten(1), "or ends where it would be"),
    (lambda x: F.pixel_unshuffle(x, 2).flatten(1), "leads past head")])
def test_a_layer_over_the_whole_input_needs_its_pixels_as_cells(arrange, reason):
    """A dense layer reads pixels; after a space-to-depth its cells are blocks of them."""
    net = nn.Sequential(OrderedDict(moved=Run(arrange), head=nn.Linear(3 * 64, 5)))
    net.moved.first = nn.Identity()
    assert audit(net, 8, 3).bounds().reason.endswith(reason)


@pytest.mark.parametrize("width, kept, best", [
    (8, range(8), "9^32"), (8, [0, 1, 4, 5], None), (8, [0, 1, 2, 3, 4, 5, 6, 6], None),
    (300, range(300), "301^32")])
def test_a_grouped_layer_after_another_needs_all_of_its_channels(width, kept, best):
    net = nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1, groups=2),
        Picked(kept), nn.Conv2d(len(kept), 2 * len(kept), 3, padding=1, groups=2),
        conv(2 * len(kept)))
    found = audit(net, 8).bounds()
    assert (found.best and str(found.best)) == best
    assert found.best or found.reason.endswith("leads past 3")


def test_what_is_said_of_units_that_see_nothing():
    assert str(Box("a", (3,), None, ((-2, -1),))) == (
        "Unit 3 of a sees no pixel of the image.\nWithout the border it would see positions -2 to "
        "-1.")
    assert str(Box("a", (), ((0, 1),) * 3, ((0, 1),) * 3)) == (
        "Unit () of a sees planes 0 to 1, rows 0 to 1 and columns 0 to 1.")


def test_without_a_map_the_last_one_is_the_input():
    found = audit(nn.Sequential(nn.Flatten(), nn.Linear(48, 5)), 4)
    assert [(axis.size, axis.stride) for axis in found.last_map] == [(1, 1), (1, 1)]
    assert found.box().layer == "input"


@pytest.mark.parametrize("make, message", [
    (lambda: models.resnet(20), r"resnet\(20, 'first unit', None\): depth is one of \[18, 34"),
    (lambda: models.resnet(50, "middle"), "'middle'"),
    (lambda: models.resnet(50, at="5x5"), "'5x5'"),
    (lambda: models.mobilenet_v1("start"), "padding='start' of MobileNet-v1"),
])
def test_networks_that_nobody_described_are_refused(make, message):
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        make()


class Skips(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.idle = conv(3), conv(8)

    def forward(self, x):
        return self.used(x)


def test_the_audit_cannot_end_in_a_module_that_does_not_run():
    with pytest.raises(ValueError, match="upto='idle': this module does not run"):
        audit(Skips(), 8, upto="idle")
    assert audit(Skips(), 8, upto="used").output[0].size == 3


def test_a_rule_that_breaks_is_called_a_defect_of_the_audit(monkeypatch):
    def broken(call, arguments, shapes):
        raise KeyError("window")

    monkeypatch.setitem(RULES, "relu", broken)
    with pytest.raises(UnsupportedOperation, match=(
            "its rule does not cover these arguments, a defect of the audit .KeyError: 'window'")):
        audit(nn.Sequential(conv(3), nn.ReLU()), 8)


@pytest.mark.parametrize("error", [
    MemoryError(), torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")])
def test_too_little_memory_is_no_defect_of_the_audit(monkeypatch, error):
    def hungry(call, arguments, shapes):
        raise error
    monkeypatch.setitem(RULES, "relu", hungry)
    with pytest.raises(MemoryError, match="relu.*: too little memory .* 1 x .*; a smaller image"):
        audit(nn.Sequential(conv(3), nn.ReLU()), 8)


def held_functions():
    """A function that calls itself, and one whose variable is not set yet."""
    kept = [conv(3)]

    def turns(x, left):
        return turns(x, left - 1) if left else kept[0](x)

    def unset(x):
        return later(x) if x is None else x

    if kept is None:
        later = kept
    return turns, unset


def test_functions_that_hold_on_to_themselves_are_copied_with_what_they_hold():
    turns, unset = held_functions()

    class Holds(nn.Module):
        def __init__(self):
            super().__init__()
            self.turns, self.unset = turns, unset

        def forward(self, x):
            return self.unset(self.turns(x, 2))

    net = Holds()
    assert audit(net, 8, 3).output[0].size == 3
    assert net.turns is turns and net.unset is unset


def test_one_sequence_may_begin_with_a_state_of_the_image():
    """A batch of them may not; without a state of their own a batch is followed."""
    layer = nn.GRU(16, 3, batch_first=True)
    one = audit(Run(lambda x, m: m(x[:, 0], x[:, :1, 0, :3])[0], layer), 16)
    batch = audit(Run(lambda x, m: m(x[0])[0], layer), 16)
    assert one.output is not None and batch.output is not None
    seen = one.seen[one.trace.outputs[0]]
    assert (-int(seen.full(0)[1].max()), int(seen.full(0)[0].min())) == (1, 0)


NET = nn.Sequential(nn.Conv1d(1, 4, 3))
HERE = __file__


@pytest.mark.parametrize("arguments, code, said", [
    ([f"{HERE}:NET", "--size", "8x", "--channels", "1"], 0, "units see at most 3 pixels"),
    ([f"{HERE}:Skips", "--size", "8", "--channels", "3"], 0, "used"),
    ([f"{HERE}:Skips", "--size", "8", "--channels", "4"], 2, "expected input"),
    ([f"{HERE}:Skips", "--size", "8", "--box", "used", "--unit", "3,3", "--effective"], 0,
     "95 % of its gradient is in"),
])
def test_commands(arguments, code, said, capsys):
    assert command.main(arguments) == code
    written = capsys.readouterr()
    assert said in (written.err if code else written.out)


def test_a_pooling_of_channels_is_no_activation():
    maxout = conv(3), nn.Unflatten(1, (4, 2)), nn.MaxPool3d((2, 1, 1)), nn.Flatten(1, 2)
    found = audit(nn.Sequential(*maxout, nn.Conv2d(4, 8, 3, 2, 1)), 16)
    assert found.bounds().reason.endswith("leads past 2") and found.output[0].size == 5
    plain = bounds(conv(3), nn.Unflatten(1, (8, 1)), nn.MaxPool3d(1), nn.Flatten(1, 2), conv(8))
    assert str(plain.best) == str(bounds(conv(3), nn.Identity(), conv(8)).best)


def test_a_picture_needs_two_axes(tmp_path):
    with pytest.raises(ValueError, match="--picture draws images, not an input of 1 axes"):
        command._draw(Box("a", (0,), ((0, 1),), ((0, 1),)), (8,), str(tmp_path / "a.png"), None)


@pytest.mark.parametrize("error, code", [(KeyboardInterrupt, 130), (TypeError, 2),
                                         (UnsupportedOperation, 3)])
def test_how_a_command_ends(monkeypatch, capsys, error, code):
    def report(options):
        raise error("one\n  line")

    monkeypatch.setattr(command, "report", report)
    assert command.main([f"{HERE}:Skips"]) == code
    said = capsys.readouterr()
    assert said.out == "" and said.err.endswith("" if code == 130 else ": one line\n")


class Normed(nn.Module):
    """A convolution, a reshape, a norm and a gate, twice; without the last two as well."""

    def __init__(self, moved, aside):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)])
        self.norm, self.gate, self.moved, self.aside = nn.InstanceNorm2d(8), conv(8, 1, 1, 0), (
            moved), aside

    def forward(self, x):
        for layer in self.convs:
            x = self.moved(layer(x))
            if not self.aside:
                x = self.norm(x)
                x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        return x


@pytest.mark.parametrize("moved", [
    lambda x: x, lambda x: x.view(1, 2, 4, *x.shape[2:]).transpose(1, 2).reshape(x.shape),
    lambda x: x.flatten(2).view(x.shape), lambda x: x.view(8, 1, *x.shape[2:]).view(x.shape)])
def test_what_is_ignored_is_so_inside_the_image_too(moved):
    """Boxes that end at the border do not tell where a reshape has put the grid."""
    plain, net = audit(Normed(moved, True), (64, 48)), Normed(moved, False)
    for found in (audit(net, (64, 48)).local, audit(net, (64, 48), ignore=("gates", "norms"))):
        assert found.output == plain.output
        assert found.global_from is None            # the last layer is the gate, not the output
        for unit in ((0, 0), (3, 2), (15, 11)):
            boxes = [way.box("convs.1", unit) for way in (found, plain)]
            assert boxes[0].pixels == boxes[1].pixels != ((0, 63), (0, 47))
    assert audit(net, (64, 48)).global_from == "norm"


def test_a_shared_head_is_used_once_by_each_output():
    class Pyramid(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.down, self.head = nn.Conv2d(3, 8, 3, 1, 1), conv(8, 3, 2), conv(8)

        def forward(self, x):
            x = self.stem(x)
            return self.head(x), self.head(self.down(x))

    found = audit(Pyramid(), 16)
    for place in (0, 1):
        one = audit(Pyramid(), 16, outputs=place)
        assert str(one.bounds().best.bound) == ["9^64", "9^32"][place]
    assert found.bounds().best.bound == audit(Pyramid(), 16, outputs=0).bounds().best.bound
    assert not any("more than once" in note for note in found.bounds().notes)


@pytest.mark.parametrize("place", ["tokens", "flipped"])
def test_a_gate_of_units_without_a_grid_is_left_aside(place):
    class Tokens(nn.Module):
        def __init__(self, gated):
            super().__init__()
            self.stem, self.gate, self.after, self.gated = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 8), (
                conv(8)), gated

        def forward(self, x):
            x = self.stem(x)
            shape, dims, x = x.shape, [2, 3], x.flip(3)
            if place == "tokens":
                x, dims = x.flip(3).flatten(2).transpose(1, 2), [1]
            if self.gated:
                gate = torch.sigmoid(self.gate(x.mean(dims))).unsqueeze(dims[0])
                x = x * (gate if place == "tokens" else gate.unsqueeze(3))
            return self.after(x.transpose(1, 2).reshape(shape) if place == "tokens" else x)

    plain = audit(Tokens(False), (32, 48)).output
    assert not plain[0].everything and audit(Tokens(True), (32, 48)).local.output == plain
    assert audit(Tokens(True), (32, 48)).output[0].everything
