"""What is said first about a network: fields that units really have, of maps that are maps."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import audit, effective_field
from lib.audit.places import named_value
from lib.tests.audit_oracle import Run


def said(found):
    return [(axis.size, axis.typical, axis.stride) for axis in found.last_map]


class ChannelsLast(nn.Module):
    """Channels with different fields, mixed by a dense layer or by a 1x1 convolution."""

    def __init__(self, dense):
        super().__init__()
        self.conv, self.down = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(4, 4, 3, 2, 1)
        self.mix = nn.Linear(8, 4) if dense else nn.Conv2d(8, 4, 1)

    def forward(self, x):
        x = torch.cat([x, self.conv(x)], 1)
        if isinstance(self.mix, nn.Linear):
            return self.down(self.mix(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        return self.down(self.mix(x))


def test_a_dense_layer_on_channels_keeps_the_grid():
    dense, plain = (audit(ChannelsLast(dense), 16) for dense in (True, False))
    assert said(dense) == said(plain) == [(5, 5, 2)] * 2
    assert str(dense.bounds().crossing) == str(plain.bounds().crossing)


def test_a_window_cut_out_of_a_map_is_not_a_map():
    """Every unit sees 4 pixels; no unit has the hull of its window."""
    net = Run(lambda x, c: c(x).view(1, 8, 3, 4, 3, 4), nn.Conv2d(3, 8, 4, 4))
    found = audit(net, 48)
    assert said(found) == [(4, 4, 4)] * 2
    assert [axis.stride for axis in found.output] == [None, None]


class WindowAttention(nn.Module):
    """Two blocks of attention in windows of four cells, the second with shifted windows."""

    def __init__(self, width=8, window=4, shifts=(0, 2)):
        super().__init__()
        self.embed, self.window, self.shifts = nn.Conv2d(3, width, 4, 4), window, shifts
        self.norm, self.qkv = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.after = nn.Conv2d(width, width, 1)

    def attend(self, x, shift):
        n, h, w, c = x.shape
        r = self.window
        y = torch.roll(self.norm(x), (-shift, -shift), (1, 2))
        y = y.view(n, h // r, r, w // r, r, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, r * r, c)
        q, k, v = self.qkv(y).chunk(3, -1)
        y = torch.softmax(q @ k.transpose(1, 2), -1) @ v
        y = y.view(n, h // r, w // r, r, r, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        return x + torch.roll(y, (shift, shift), (1, 2))

    def forward(self, x):
        x = self.embed(x).permute(0, 2, 3, 1)
        for shift in self.shifts:
            x = self.attend(x, shift)
        return self.after(x.permute(0, 3, 1, 2))


def test_window_attention_sees_windows_and_shifted_windows():
    found = audit(WindowAttention(), 96)
    one = audit(WindowAttention(shifts=(0,)), 96)
    assert said(one) == [(16, 16, 4)] * 2
    # A shifted window reaches over two plain ones: 32 pixels, whatever the unit.
    assert said(found) == [(32, 32, 4)] * 2
    assert all(join.aligned for join in found.joins) and any(join.compared for join in found.joins)
    assert found.local.last_map[0].size == 4
    assert "field 32, stride 4" in found.summary
    # In the image itself, the windows that wrap around see both ends.
    assert found.box(None, (0, 0)).pixels[0] == (0, 95) and found.box(None, (9, 9)).pixels == (
        (16, 47), (16, 47))


class HaloAttention(nn.Module):
    """Blocks of four cells that look one cell beyond their border on each side."""

    def __init__(self, width=4, block=4):
        super().__init__()
        self.embed, self.block = nn.Conv2d(3, width, 4, 4), block
        self.after = nn.Conv2d(width, width, 1)

    def forward(self, x):
        x, r = self.embed(x), self.block
        n, c, h, w = x.shape
        q = x.view(n, c, h // r, r, w // r, r).permute(0, 2, 4, 3, 5, 1).reshape(-1, r * r, c)
        k = F.pad(x, (1, 1, 1, 1)).unfold(2, r + 2, r).unfold(3, r + 2, r)
        k = k.permute(0, 2, 3, 4, 5, 1).reshape(-1, (r + 2) ** 2, c)
        y = torch.softmax(q @ k.mT, -1) @ k
        y = y.view(n, h // r, w // r, r, r, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w)
        return self.after(x + y)


def test_a_halo_is_one_cell_on_each_side_of_a_block():
    found = audit(HaloAttention(), 64)
    assert said(found) == [(24, 24, 4)] * 2 and found.local.last_map[0].size == 4
    assert found.box(None, (5, 6)).pixels == ((12, 35), (12, 35))       # block 1 is cells 4 to 7
    assert found.box(None, (0, 15)).pixels == ((0, 19), (44, 63))       # cut by the border


class Volume(nn.Module):
    """Attention among cells of a video in shifted windows, the partition of video transformers."""

    def __init__(self, width=8, window=(2, 4, 4)):
        super().__init__()
        self.embed, self.window = nn.Conv3d(3, width, (2, 4, 4), (2, 4, 4)), window

    def attend(self, x, shift):
        n, *sizes, c = x.shape
        y = torch.roll(x, [-s for s in shift], (1, 2, 3))
        parts = [n for size, r in zip(sizes, self.window, strict=True) for n in (size // r, r)]
        y = y.view(n, *parts, c).permute(0, 1, 3, 5, 2, 4, 6, 7)
        split, y = y.shape, y.reshape(-1, 32, c)
        y = torch.softmax(y @ y.mT, -1) @ y
        y = y.view(split).permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(x.shape)
        return x + torch.roll(y, shift, (1, 2, 3))

    def forward(self, x):
        x = self.embed(x).permute(0, 2, 3, 4, 1)
        for shift in ((0, 0, 0), (1, 2, 2)):
            x = self.attend(x, shift)
        return x.permute(0, 4, 1, 2, 3)


def test_what_is_kept_of_a_video_is_small():
    """Each score between two cells has a box: 64 windows of 32 x 32 scores."""
    found = audit(Volume(), (16, 64, 64))
    assert [axis.size for axis in found.local.last_map] == [2, 4, 4]
    # A shifted window of 2 x 4 x 4 cells meets two plain ones along each axis.
    assert found.box(None, (4, 8, 8)).pixels == ((4, 11), (16, 47), (16, 47))
    kept = [edge.numel() for fields in (found.virtual, found.seen) for what in fields.values()
            for edge in what.edges or ()]
    assert sum(kept) < 2 ** 20


def test_where_units_differ_the_typical_one_is_named():
    """A quarter of the channels looks far, the others do not."""
    net = Run(lambda x, a, b: torch.cat([a(x), b(x)], 1), nn.Conv2d(3, 3, 1),
              nn.Conv2d(3, 1, 9, padding=4))
    found = audit(net, 32)
    assert said(found) == [(9, 1, 1)] * 2
    assert "field up to 9, typically 1, stride 1" in found.summary


class Shifted(nn.Module):
    """Twelve sums of a map with itself, one pixel further on."""

    def forward(self, x):
        for _ in range(12):
            x = x + F.pad(x, (0, 1))[..., 1:]
        return x


def test_of_many_misaligned_joins_ten_are_listed():
    found = audit(Shifted(), 40)
    assert len(found.joins) == 12 and not any(join.aligned for join in found.joins)
    lines = found.summary.splitlines()
    assert "Joins of branches: 12, misaligned: 12." in lines and "  and 2 more" in lines
    assert sum("width: centers" in line for line in lines) == 10


def test_one_cell_stretched_over_a_map_is_no_grid():
    """With corners aligned, every unit reads the one cell: there is no stride to compare."""
    net = Run(lambda x: F.avg_pool2d(x, 4) + F.interpolate(
        F.avg_pool2d(x, 16), (4, 4), mode="bilinear", align_corners=True))
    found = audit(net, 16)
    assert [join.compared for join in found.joins] == [False]
    assert found.output[0].stride is None and found.output[0].everything


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_continues_the_map_whatever_it_is_filled_with(mode):
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode=mode),
                        nn.Conv2d(4, 4, 3, 2, 1, padding_mode=mode))
    assert said(audit(net, 16)) == [(5, 5, 2)] * 2


class Pyramid(nn.Module):
    def forward(self, x, scale=None):
        first = F.avg_pool2d(x, 2)
        return {"maps": [first, F.avg_pool2d(first, 2)], "score": first.mean((1, 2, 3)), "n": 3}


def test_every_output_has_a_line():
    found = audit(Pyramid(), 16)
    assert {name: [axis.size for axis in axes] for name, axes in found.outputs.items()} == {
        "maps.0": [2, 2], "maps.1": [4, 4], "score": [16, 16]}
    assert "Output 'maps.1': units see at most 4 x 4 pixels" in found.summary
    assert list(audit(Pyramid(), 16, outputs="maps.1").outputs) == ["maps.1"]
    assert list(audit(Pyramid(), 16, outputs=[-1, "maps.0"]).outputs) == ["score", "maps.0"]
    for wrong in ("map", 3, []):
        with pytest.raises(ValueError, match="outputs"):
            audit(Pyramid(), 16, outputs=wrong)


def test_up_to_a_module():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()),
                        nn.Flatten(), nn.Linear(7, 2))          # the head does not fit
    found = audit(net, 16, upto="1")
    assert found.output[0].size == 5 and [layer.name for layer in found.layers] == ["0", "1.0"]
    with pytest.raises(ValueError, match="has no such module"):
        audit(net, 16, upto="head")


class TwoViews(nn.Module):
    """Two images and a number; or an image by name, and a mask that is not followed."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(1, 4, 5, padding=2)

    def forward(self, image, depth, scale=1.0, weights=None):
        x = self.left(image) + scale * self.right(depth)
        return x if weights is None else x * weights.sum()


def test_several_inputs_by_place_and_by_name():
    views = torch.rand(1, 3, 12, 10), torch.rand(1, 1, 12, 10)
    for inputs in ((*views, 2.0), {"image": views[0], "depth": views[1], "weights": torch.ones(3)}):
        found = audit(TwoViews(), inputs=inputs)
        assert found.size == (12, 10) and found.output[0].size == 5
        assert found.bounds().crossing is None and "one input" in found.bounds().reason
    one, = (audit(nn.Conv2d(3, 4, 3), inputs=views[0]),)
    assert one.output[1].size == 3 and one.bounds().crossing is not None
    with pytest.raises(ValueError, match="inputs and size or channels"):
        audit(TwoViews(), 12, inputs=views)
    with pytest.raises(ValueError, match="one floating tensor of shape"):
        audit(TwoViews(), inputs=(torch.rand(3), 2))


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.conv = nn.Embedding(100, 8), nn.Conv1d(8, 8, 5, padding=2)
        self.recurrent = nn.LSTM(8, 6, batch_first=True)

    def forward(self, words, lengths=None):
        return self.recurrent(self.conv(self.table(words).transpose(1, 2)).transpose(1, 2))[0]


def test_a_sequence_of_integers():
    found = audit(Text(), inputs={"words": torch.zeros(1, 20, dtype=torch.long)})
    assert found.size == (20,) and found.box("conv", 4).pixels == ((2, 6),)
    assert [layer.kind for layer in found.layers] == ["embedding", "conv", "recurrent"]
    assert found.box("recurrent", (7, 0)).pixels == ((0, 9),)


class Strides(nn.Module):
    """A detector's head: strides and grids of constants, with their numbers."""

    def __init__(self):
        super().__init__()
        self.conv, self.strides = nn.Conv2d(3, 6, 3, 2, 1), torch.tensor([2.0, 8.0])

    def forward(self, x):
        x = self.conv(x)
        step = int(self.strides[0].item())
        rows, columns = torch.meshgrid(*[torch.arange(n) for n in x.shape[2:]], indexing="ij")
        grid = torch.stack([columns, rows], -1)[None] * 2 / (x.shape[2] - 1) - 1
        if grid.min() < -1:
            raise ValueError("out of the image")
        return F.grid_sample(x, grid.to(x), align_corners=True)[:, ::step]


def test_what_does_not_depend_on_the_input_is_computed():
    found = audit(Strides(), 16)
    assert found.output[0].seen == 3 and found.trace.outputs[0].shape == (1, 3, 8, 8)


def test_numbers_of_large_parameters_are_refused():
    class Asks(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(10000))

        def forward(self, x):
            return x if self.weight.sum() > 0 else -x

    with pytest.raises(NotImplementedError, match="computes with the numbers in a tensor"):
        audit(Asks(), 8)


def test_from_here_on_every_unit_sees_everything():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1),
                        nn.Upsample(8), nn.Conv2d(4, 4, 3, padding=1))
    found = audit(net, 8)
    assert found.global_from == "1" and found.idle == ["4"]
    assert "From 1 on, every unit sees the whole image." in found.summary
    assert audit(net[0], 8).global_from is None


def test_a_part_of_a_mirrored_map_sees_beyond_the_border():
    class Mirrored(nn.Conv2d):
        def forward(self, x):
            return super().forward(x).flip(3)[..., ::2]

    net = nn.Sequential(Mirrored(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1))
    box = audit(net, 8).box("1", (0, 0, 0))
    assert box.pixels == ((0, 1), (6, 7)) and box.beyond == ((-1, 1), (6, 8))


def test_boxes_of_units():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()))
    found = audit(net, 16)
    box = found.box("1", (0, 3))
    assert box.pixels == ((0, 5), (5, 11)) and box.beyond == ((-1, 5), (5, 11))
    assert found.box("1", (2, 0, 3)).pixels == found.box("1.0", (0, 3)).pixels == box.pixels
    assert found.box().unit == (2, 3, 3)
    for layer, unit, message in (("1", (6, 0), "within the map"), ("1", (0,), "2 places"),
                                 ("2", None, "layers are named 0, 1.0")):
        with pytest.raises(ValueError, match=message):
            found.box(layer, unit)


def test_boxes_of_tensors_too_large_to_be_kept_are_computed_again():
    """Scores of attention: every pair of 20 x 20 cells."""
    net = Run(lambda x, c: (lambda y: torch.softmax(y.transpose(1, 2) @ y, -1) @ y.transpose(1, 2))(
        c(x).flatten(2)), nn.Conv2d(3, 4, 3, padding=1))
    found = audit(net, 20)
    scores = found.layers[1].name
    assert found.virtual[named_value(found, scores)[0]].edges is None
    assert found.box(scores, (0, 399)).pixels == ((0, 19), (0, 19))


def test_gradients_are_inside_the_theoretical_field():
    torch.manual_seed(0)
    net = nn.Sequential(*[layer for i in range(4) for layer in (
        nn.Conv2d(3 if i == 0 else 8, 8, 5, padding=2), nn.ReLU())])
    before = [p.clone() for p in net.parameters()]
    found = effective_field(net, 41, samples=4)
    assert found.theoretical == ((12, 28), (12, 28)) and found.influence.shape == (41, 41)
    outside = found.influence.clone()
    outside[12:29, 12:29] = 0
    assert outside.max() == 0 < found.influence[20, 20]
    assert all(1 < n < 17 for n in found.effective) and found.effective == found.size(0.9545)
    assert all(a <= b for a, b in zip(found.size(0.5), found.size(0.99), strict=True))
    assert all(p.grad is None and torch.equal(p, q)
               for p, q in zip(net.parameters(), before, strict=True))
    with pytest.raises(ValueError, match="share=1.5"):
        found.size(1.5)
    with pytest.raises(ValueError, match="samples=0: a positive number"):
        effective_field(net, 41, samples=0)
    with pytest.raises(ValueError, match="on the meta device and has no weights"):
        effective_field(nn.Sequential(nn.Conv2d(3, 4, 3, device="meta")), 16)


def test_a_unit_that_no_pixel_moves_has_no_influence_to_share_out():
    net = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1))
    nn.init.zeros_(net[1].weight)               # as the last norm of a residual branch may start
    with pytest.raises(ValueError, match="no influence to share out"):
        effective_field(net, 5, samples=1)


def test_uniform_averages_have_the_effective_field_of_a_uniform_window():
    """One averaging window: influence is uniform, so 90 % of it takes 90 % of the width."""
    found = effective_field(nn.AvgPool2d(20, 1), 40, samples=1, channels=1)
    assert found.theoretical == ((10, 29), (10, 29)) and found.size(0.9) == (18, 18)


FORMATS = {"text": "crossing", "markdown": "| --- | --- | ---:", "html": "<table>",
           "csv": "overlap_theorem"}


@pytest.mark.parametrize("style", FORMATS)
def test_tables(style):
    net = nn.Sequential(nn.Conv2d(3, 8, (3, 5), padding=(1, 2)), nn.MaxPool2d(2))
    found = audit(net, 16)
    text = found.table(style)
    assert FORMATS[style] in text and "conv" in text
    if style == "text":
        assert all(len(line) <= 60 for line in found.table(width=60).splitlines())
    assert found._repr_html_().startswith("<table>")
    if style == "html":
        assert f"<td>{found.bounds().crossing}</td>".replace("^64", "<sup>64</sup>") in text
        assert "^" not in text and "<td>\u2212" in text and ">-1" not in text
    with pytest.raises(ValueError, match="valid are 'text', 'markdown', 'csv' and 'html'"):
        found.table("latex")


def test_lines_of_the_table_fit_a_terminal():
    names = {f"a_rather_long_name_of_a_block_{i}": nn.Conv2d(3 if i == 0 else 256, 256, 3, 1, 2, 2)
             for i in range(3)}
    found = audit(_named(names), 512)
    lines = str(found).splitlines()
    assert max(map(len, lines[:12])) <= 100 and "~" in lines[4]
    assert any(line.startswith("R window, S stride") for line in lines)


def _named(modules):
    outer = nn.Module()
    for name, module in modules.items():
        outer.add_module(name + "_of_the_network_that_is_looked_at_here", module)
    outer.forward = lambda x: [x := module(x) for module in outer.children()][-1]
    return outer


def test_everything_as_json():
    found = audit(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2)), 16)
    stored = json.loads(json.dumps(found.to_dict()))
    assert stored["layers"][1]["receptive_field"] == 4 and stored["outputs"]["output"]
    assert stored["bounds"]["left-right"]["crossing"]["bound"] == "9^32"
    assert stored["remarks"] == ["input channels: 3, guessed from module '0'"]


def test_guessed_channels_are_called_guessed():
    class Unshuffled(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(48, 8, 3)

        def forward(self, x):
            return self.stem(F.pixel_unshuffle(x, 4))

    found = audit(Unshuffled(), 32)                 # 48 channels do not fit, 3 do
    assert "The input channels: 3, guessed." in found.summary
    assert not audit(Unshuffled(), 32, 3).remarks
    with pytest.raises(ValueError, match="channels were guessed; channels= says"):
        audit(nn.Sequential(nn.Flatten(), nn.Linear(7, 7)), 8)


@pytest.mark.parametrize(("options", "said"), [
    ({"size": 2.5}, "size 2.5 of the input"), ({"size": (8, True)}, "positive integers"),
    ({"size": "8"}, "size '8'"), ({"channels": 0}, "channels=0"), ({"channels": -1}, "channels=-1"),
    ({"channels": 2.0}, "channels=2.0")])
def test_misuse_is_answered_in_one_line(options, said):
    with pytest.raises(ValueError, match=said) as caught:
        audit(nn.Conv2d(3, 3, 3), **options)
    assert len(str(caught.value).splitlines()) == 1
