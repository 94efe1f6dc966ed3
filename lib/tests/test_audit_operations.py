"""Single operations: right, or refused by name; and the module is left as it was."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from lib.audit import UnsupportedOperation, audit
from lib.audit.fields import EMPTY
from lib.tests.audit_oracle import boxes, compare_with_derivatives


class Run(nn.Module):
    """A function of a map of 4 channels, after one 3x3 convolution of the image."""

    def __init__(self, function, *modules):
        super().__init__()
        self.first, self.function = nn.Conv2d(3, 4, 3, padding=1), function
        self.rest = nn.ModuleList(modules)

    def forward(self, x):
        return self.function(self.first(x), *self.rest)


def channels_last_linear(x, layer):
    return layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def squeeze_and_excite(x, layer):
    return x * torch.sigmoid(layer(x.mean((2, 3), keepdim=True)))


def windows_of_four(x, layer):
    """Dense attention inside windows of 4 x 4 cells, the partition of window transformers."""
    n, c, h, w = x.shape
    tokens = x.view(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
    tokens = tokens + (tokens @ tokens.transpose(1, 2)) @ layer(tokens)
    tokens = tokens.view(n, h // 4, w // 4, 4, 4, c)
    return tokens.permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w)


def focus(x):
    return torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2],
                      x[..., 1::2, 1::2]], 1)


def assemble(x):
    left, right = torch.split(x, 2, dim=1)
    return torch.stack([left + 1, 2 * right], 2).flatten(1, 2)


def write_to_slice(x):
    y = torch.zeros_like(x)
    y[:, :, 1:] = x[:, :, :-1]
    y[:, 2, :, 3] = 0
    return y


def write_to_half(x):
    left, right = x[:, :2], x[:, 2:]
    left.add_(right.flip(2))
    return right + x[:, :2]


def into_rows(x):
    y = torch.zeros_like(x)
    y[:, :, [1, 3]] = x[:, :, [0, 2]]
    y[:, :, torch.arange(16) > 9] += x[:, :, :1]
    return y


def packed(x, layer):
    """A sequence of 12 of the 16 columns, packed and unpacked."""
    x = nn.utils.rnn.pack_padded_sequence(x[:, :, 0].mT, torch.tensor([12]), batch_first=True,
                                          enforce_sorted=False)
    return nn.utils.rnn.pad_packed_sequence(layer(x)[0], batch_first=True)[0]


def places(x):
    return (x * 50).long().abs() % 12


BACKWARD, ODD = torch.arange(15, -1, -1), torch.arange(16) % 2 == 1
GRID = torch.stack(torch.meshgrid(torch.linspace(-1.2, 0.9, 6), torch.linspace(-0.7, 1.1, 5),
                                  indexing="ij")[::-1], -1)[None]
EXACT = {
    "functional pooling": Run(lambda x: F.max_pool2d(x, 2)),
    "operators": Run(lambda x: (x + x * 2 - 1) / 3 + 0.5),
    "functional convolution": Run(lambda x: F.conv2d(x, x.new_ones(2, 4, 3, 1), stride=2)),
    "in place": Run(lambda x: x.add_(1).mul_(2).relu_()),
    "rectangular": Run(lambda x, m: m(x), nn.Conv2d(4, 2, (1, 5), (2, 1), (0, 1), (1, 2))),
    "depthwise": Run(lambda x, m: m(x), nn.Conv2d(4, 8, 3, groups=4)),
    "identity": Run(lambda x, m: m(x), nn.Identity()),
    "adaptive": Run(lambda x: F.adaptive_avg_pool2d(x, (5, 3))),
    "global average": Run(lambda x: F.adaptive_avg_pool2d(x, 1)),
    "global by mean": Run(lambda x: x.mean((2, 3))),
    "mean over rows": Run(lambda x: x.mean(2)),
    "global maximum": Run(lambda x: x.flatten(2).sum(2)),
    "pixel shuffle": Run(lambda x, m: m(x), nn.PixelShuffle(2)),
    "pixel unshuffle": Run(lambda x, m: m(x), nn.PixelUnshuffle(2)),
    "transposed": Run(lambda x, m: m(x), nn.ConvTranspose2d(4, 2, 3, 2, 1, 1)),
    "transposed with gaps": Run(lambda x, m: m(x), nn.ConvTranspose2d(4, 2, 2, 3)),
    "bilinear": Run(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
    "bilinear, corners": Run(lambda x: F.interpolate(x, (20, 20), mode="bilinear",
                                                     align_corners=True)),
    "nearest": Run(lambda x: F.interpolate(x, (24, 9))),
    "reflect": Run(lambda x: F.pad(x, (2, 1, 0, 3), mode="reflect")),
    "replicate": Run(lambda x: F.pad(x, (2, 1, 0, 3), mode="replicate")),
    "crop": Run(lambda x: x[:, :, 3:-2, 1::3]),
    "padding as text": Run(lambda x, m: m(x), nn.Conv2d(4, 2, 5, padding="same")),
    "ceil mode": Run(lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True)),
    "channel list": Run(lambda x: x[:, [2, 0]]),
    "split and stack": Run(assemble),
    "focus": Run(focus),
    "flip": Run(lambda x: x.flip(3)),
    "roll": Run(lambda x: torch.roll(x, (3, -2), (2, 3))),
    "transpose the image": Run(lambda x, m: m(x.transpose(2, 3)), nn.Conv2d(4, 2, (3, 1))),
    "dense": Run(lambda x, m: m(x.flatten(1)), nn.Linear(4 * 16 * 16, 5)),
    "linear on channels": Run(channels_last_linear, nn.Linear(4, 6)),
    "linear, its weight computed": Run(lambda x: F.linear(x, x[0, 0, 1:6])),
    "einsum in another order": Run(lambda x: torch.einsum(
        "nchw,oc->nowh", x + x.mT.roll(3, 2), torch.ones(3, 4).to(x))),
    "einsum": Run(lambda x: torch.einsum("bchw,dc->bdhw", x, x.new_ones(2, 4))),
    "unfold": Run(lambda x: F.unfold(x, 3, padding=1, stride=2)),
    "windowed attention": Run(windows_of_four, nn.Linear(4, 4)),
    "concatenate rows": Run(lambda x: torch.cat([x, x[:, :, :3]], 2)),
    "with a constant": Run(lambda x: torch.cat([x, torch.ones_like(x)], 1) + torch.ones(16)),
    "upsampled skip": Run(lambda x: F.interpolate(F.avg_pool2d(x, 2), scale_factor=2) + x),
    "circular padding": Run(lambda x, m: m(x), nn.Conv2d(4, 2, 3, padding=2,
                                                         padding_mode="circular")),
    "written to a slice": Run(write_to_slice),
    "written to a half": Run(write_to_half),
    "gated": Run(lambda x: F.glu(x, 3)),
    "recurrent": Run(lambda x, m: m(x[:, :, 0].transpose(1, 2))[0], nn.GRU(4, 2, batch_first=True)),
    "cumulative sum": Run(lambda x: x.cumsum(3)),
    "fold": Run(lambda x: F.fold(F.unfold(x, 2, stride=2), (16, 16), 2, stride=2)),
    "fold of oblong blocks": Run(lambda x: F.fold(F.unfold(x, (2, 4), stride=(2, 4)), (16, 16),
                                                  (2, 4), stride=(2, 4))),
    "fold with overlaps": Run(lambda x: F.fold(x[:, :, :3, :2].flatten(2), (7, 9), 2,
                                               dilation=(2, 1), padding=(1, 0), stride=(3, 4))),
    "long short-term memory": Run(lambda x, m: m(x[:, :, 0].transpose(1, 2))[0],
                                  nn.LSTM(4, 5, batch_first=True)),
    "last state": Run(lambda x, m: m(x[:, :, 0].permute(2, 0, 1))[1][0], nn.LSTM(4, 5)),
    "both directions": Run(lambda x, m: m(x[:, :, 0].permute(2, 0, 1))[0],
                           nn.GRU(4, 5, bidirectional=True)),
    "both directions, batch first": Run(lambda x, m: m(x[:, :, 0].mT)[0],
                                        nn.GRU(4, 5, batch_first=True, bidirectional=True)),
    "constant grid": Run(lambda x: F.grid_sample(x, GRID.to(x), align_corners=False)),
    "constant grid, border": Run(lambda x: F.grid_sample(x, GRID.to(x), "nearest", "border",
                                                         align_corners=True)),
    "added at indices": Run(lambda x: x.index_add(2, torch.tensor([3, 5, 5]), x[:, :, :3])),
    "gathered": Run(lambda x: torch.gather(x, 3, torch.arange(15, -1, -2).expand(1, 4, 16, 8))),
    "einsum over a sum": Run(lambda x: torch.einsum("bchw,hd->bdwc", x, x.new_ones(16, 3))),
    "circular by function": Run(lambda x: F.pad(x, (2, 1, 0, 3), mode="circular")),
    "antialiased": Run(lambda x: F.interpolate(x, (7, 5), mode="bilinear", antialias=True)),
    "distances": Run(lambda x: torch.cdist(x[:, :, 0].mT, x[:, :, 7].mT)),
    "distances of every second cell": Run(
        lambda x: torch.cdist(x[:, :, 0].mT, F.avg_pool1d(x[:, :, 7], 3, 2).mT)),
    "groups of unlike channels": Run(lambda x, a, b: b(torch.cat([x[:, :1], a(x[:, :1])], 1)),
                                     nn.Conv2d(1, 3, 5, padding=2), nn.Conv2d(4, 4, 3, groups=2)),
    "nearest-exact": Run(lambda x: F.interpolate(x, (7, 23), mode="nearest-exact")),
    "transposed matrix": Run(lambda x: x[0, 0].t()),
    "matrix times vector": Run(lambda x: x[0, 0, :, 2:6] @ x.new_ones(4)),
    "vector times matrix": Run(lambda x: x.new_ones(16) @ x[0, 0, :, 2:6]),
    "matrix times a column of the image": Run(lambda x: x[0, 0, 3:5] @ x[0, 1, :, 9]),
    "scalar product": Run(lambda x: torch.dot(x[0, 0, 3, 2:6], x[0, 1, 9, 4:8])[None]),
    "scattered": Run(lambda x: torch.zeros(1, 4, 16, 16).to(x).scatter(
        3, BACKWARD[:9].expand(1, 2, 16, 9), x[:, 1:3, :, 4:13])),
    "scattered in place": Run(lambda x: x.scatter_(3, BACKWARD[:3].expand(1, 4, 16, 3), 0.0)),
    "scattered and added": Run(lambda x: x.scatter_add(2, (BACKWARD // 3)[:, None].expand(
        1, 4, 16, 16), x)),
    "index_put": Run(lambda x: x.index_put((torch.tensor([0]), torch.tensor([1])), x[:, 2, :1])),
    "index_put, added": Run(lambda x: x.index_put(
        (torch.tensor([0, 0]), torch.tensor([1, 1])), torch.cat([x[:, 0].flip(1), x[:, 1].flip(2)]),
        accumulate=True)),
    "rows by list and by mask": Run(into_rows),
    "index_copy": Run(lambda x: x.index_copy(2, BACKWARD[:5], x[:, :, :5])),
    "beside nothing": Run(lambda x: torch.cat([x[..., :0], x + 1], 3)),
    "beside no tokens": Run(lambda x: (lambda y: torch.cat([y[:, :0], y[:, 3:] * 2], 1))(
        x.flatten(2).mT)),
    "nothing turned": Run(lambda x: torch.cat([x[:, :, :0].transpose(2, 3).flatten(2).view(
        1, 4, 16, 0), x], 3)),
    "index_fill": Run(lambda x: x.index_fill(2, BACKWARD[:9], 2.0)),
    "slice_scatter": Run(lambda x: x.slice_scatter(x[:, :, :4], 2, 3, 7)),
    "select_scatter": Run(lambda x: x.select_scatter(x[:, :, 2], 2, 9)),
    "diagonal_scatter": Run(lambda x: x.diagonal_scatter(x[:, :, 0], 0, 2, 3)),
    "constant mask": Run(lambda x: x[:, :, ODD]),
    "masked_select": Run(lambda x: torch.masked_select(x, ODD).view(4, 16, 8)),
    "masked_scatter": Run(lambda x: x.masked_scatter(ODD, x.flip(2))),
    "packed sequence": Run(packed, nn.GRU(4, 3, batch_first=True)),
    "packed, both directions": Run(packed, nn.LSTM(4, 3, batch_first=True, bidirectional=True)),
    "below the diagonal": Run(lambda x: x.tril(-2)),
    "constant grid, mirrored": Run(lambda x: F.grid_sample(x, GRID.to(x) * 1.7, "bilinear",
                                                           "reflection", align_corners=False)),
    "constant grid, mirrored at corners": Run(lambda x: F.grid_sample(
        x, GRID.to(x) * 1.7, "bicubic", "reflection", align_corners=True)),
    "constant grid, a batch": Run(lambda x: F.grid_sample(
        torch.cat([x, x.flip(2)]), GRID.to(x).expand(2, -1, -1, -1), align_corners=False)),
    "turned by a constant": Run(lambda x: F.grid_sample(x, F.affine_grid(
        torch.tensor([[[0.8, 0.3, 0.1], [-0.3, 0.8, 0.0]]]), x.shape, align_corners=False).to(x),
        align_corners=False)),
    "rows of a constant": Run(lambda x: x + torch.zeros(1, 4, 16, 16).index_fill(
        2, torch.tensor([1]), 2.0)),
    "product and sum": Run(lambda x: torch.addmm(x[0, 0], x[0, 1].mean(1, keepdim=True),
                                                 torch.ones(1, 16).to(x))),
    "two layers, both directions": Run(lambda x, m: m(x[:, :, 0].mT)[0],
                                       nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True)),
    "columns with columns": Run(lambda x: torch.einsum("bchw,bcxw->bhx", x, x.flip(2))),
    "outer product": Run(lambda x: torch.einsum("bchw,d->bdchw", x, x.new_ones(2))),
    "roll of everything": Run(lambda x: torch.roll(x, 35)),
    "restrided row": Run(lambda x: x[0, 0, 3].as_strided((16,), (1,), 48)),
}


@pytest.mark.parametrize("name", EXACT)
def test_operations_agree_with_derivatives_at_every_unit(name):
    compare_with_derivatives(EXACT[name], (16, 16), 25)


def test_a_constant_grid_in_space():
    places = torch.meshgrid(*[torch.linspace(-1.1, 0.8, n) for n in (3, 4, 5)], indexing="ij")
    grid = torch.stack(places[::-1], -1)[None]

    class Sampled(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv3d(3, 2, (1, 3, 1), padding=(0, 1, 0))

        def forward(self, x):
            return F.grid_sample(self.first(x), grid.to(x), align_corners=False)

    model, size = Sampled(), (6, 7, 8)
    found = audit(model, size)
    seen, units = found.seen[found.trace.outputs[0]], {(0, 1, i, j, k) for i in (0, 2)
                                                       for j in (0, 1, 3) for k in (1, 4)}
    truth = boxes(model, (1, 3, *size), lambda _: units, torch.Generator().manual_seed(1))
    for index, expected in truth.items():
        for axis in range(3):
            low, minus_high = (int(e) for e in seen.full(axis)[(slice(None), *index)])
            assert (None if low > EMPTY // 2 else (low, -minus_high)) == (
                expected and expected[axis]), (index, axis)


CHOOSING = {
    "unpooled": (Run(lambda x, p, u: u(*p(x)), nn.MaxPool2d(2, return_indices=True),
                     nn.MaxUnpool2d(2)), (0, 1, 5, 8)),
    "the larger of two": (Run(lambda x: torch.max(x, x.flip(3))), (0, 1, 5, 8)),
    "unpooled, overlapping": (Run(lambda x, p, u: u(*p(x)), nn.MaxPool2d(3, 1, 1,
                                                                         return_indices=True),
                                  nn.MaxUnpool2d(3, 1, 1)), (0, 1, 5, 8)),
    "unpooled after a change": (Run(lambda x, p, u: (lambda y, i: u(y.flip(2), i))(*p(x)),
                                    nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)),
                                (0, 1, 4, 8)),
    "gathered at computed places": (Run(lambda x: x.gather(3, (x * 50).long().abs() % 12)),
                                    (0, 1, 5, 8)),
    "hard choice of a channel": (Run(lambda x: torch.zeros_like(x).scatter(
        1, x.argmax(1, keepdim=True), 1.0)), (0, 1, 5, 8)),
    "scattered to computed places": (Run(lambda x: x.scatter(
        3, (x * 50).long().abs() % 12, x.flip(2))), (0, 1, 4, 8)),
    "ones at computed places": (Run(lambda x: x.scatter(
        3, (x * 50).long().abs() % 12, 1.0)), (0, 1, 5, 8)),
    "added at computed places": (Run(lambda x: x.scatter_add(
        3, (x * 50).long().abs() % 12, x)), (0, 1, 5, 8)),
}


@pytest.mark.parametrize("name", CHOOSING)
def test_choices_among_units_agree_with_changed_pixels(name):
    """Derivatives do not see what a choice depends on: change one pixel after another instead."""
    model, unit = CHOOSING[name]
    found = audit(model, 12)
    seen = found.seen[found.trace.outputs[0]]
    generator = torch.Generator().manual_seed(3)
    changed = torch.zeros(12, 12, dtype=torch.bool)
    single = torch.eye(144, dtype=torch.float64).view(144, 1, 12, 12)
    model.double().eval()
    with torch.no_grad():
        for _ in range(120):
            image, change = torch.randn(2, 1, 3, 12, 12, generator=generator, dtype=torch.float64)
            others = model(image + 9 * change * single)[:, *unit[1:]]
            changed |= (others != model(image)[unit]).view(12, 12)
    rows, columns = changed.nonzero().T
    for axis in range(2):
        low, minus_high = (int(e) for e in seen.full(axis)[(slice(None), *unit)])
        places = (rows, columns)[axis]
        assert (low, -minus_high) == (int(places.min()), int(places.max()))


# These see everything, or all of one row, for every unit (derivatives of a normalization or of a
# softmax can be zero by accident, so the statement itself is tested).
EVERYTHING = {
    "group normalization": (Run(lambda x, m: m(x), nn.GroupNorm(2, 4)), "norm"),
    "instance normalization": (Run(lambda x, m: m(x), nn.InstanceNorm2d(4)), "norm"),
    "layer normalization of the map": (Run(lambda x: F.layer_norm(x, x.shape[1:])), "norm"),
    "batch statistics": (Run(lambda x, m: m(x), nn.BatchNorm2d(4, track_running_stats=False)),
                         "norm"),
    "squeeze and excitation": (Run(squeeze_and_excite, nn.Conv2d(4, 4, 1)), "conv"),
    "attention": (Run(lambda x, m: m(*[x.flatten(2).transpose(1, 2)] * 3)[0],
                      nn.MultiheadAttention(4, 2, batch_first=True)), "attention"),
    "attention by hand": (Run(lambda x: torch.softmax(x.flatten(2).transpose(1, 2) @ x.flatten(2),
                                                      -1)), "attention"),
    "encoder layer": (Run(lambda x, m: m(x.flatten(2).transpose(1, 2)),
                          nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)), "attention"),
    "softmax over the image": (Run(lambda x: torch.softmax(x.flatten(2), 2)), None),
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_sees_everything_is_said_to(name):
    model, kind = EVERYTHING[name]
    found = audit(model, 16)
    assert all(axis.everything for axis in found.output)
    assert kind is None or kind in {layer.kind for layer in found.layers}


@pytest.mark.parametrize("module", [nn.BatchNorm2d(4), nn.LayerNorm(4), nn.Dropout(0.5),
                                    nn.Softmax2d()])
def test_what_stays_at_its_position_adds_nothing(module):
    def run(x, m):
        if isinstance(m, nn.LayerNorm):
            return m(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return m(x)

    found = audit(Run(run, module).train(), 16)
    assert [axis.size for axis in found.output] == [3, 3]


REFUSED = {
    "grid_sampler_2d": Run(lambda x: F.grid_sample(x, x.permute(0, 2, 3, 1)[..., :2],
                                                   align_corners=False)),
    "max_unpool2d": Run(lambda x, p, u: u(x[..., ::2, ::2], p(x.flip(2))[1].flip(2)),
                        nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)),
    "boolean mask": Run(lambda x: x[x > 0]),
    "several sequences": Run(lambda x, m: m(nn.utils.rnn.pack_padded_sequence(
        x[0], torch.tensor([9, 7, 7, 2]), batch_first=True))[0].data, nn.GRU(16, 2)),
    "grids of a batch": Run(lambda x: F.grid_sample(
        torch.cat([x, x]), torch.cat([GRID, GRID / 2]).to(x), align_corners=False)),
    "numbers in a tensor": Run(lambda x: x * (2.0 if x.sum().item() > 0 else 1.0)),
    "boolean": Run(lambda x: x if x.mean() > 0 else -x),
    "index": Run(lambda x: x[:, x.mean((0, 2, 3)).argsort()]),
    "kernel itself depends": Run(lambda x: F.conv2d(x, x[:, :, :3, :3])),
    "convolution": Run(lambda x: F.conv2d(x, x[:, :, :3, :3])),
    "does not depend": Run(torch.zeros_like),
    "numpy": Run(lambda x: torch.from_numpy(x.detach().numpy())),
    "_fft": Run(torch.fft.fft2),
    "bits are read as another type": Run(lambda x: x.view(torch.int32)),
    "addresses memory": Run(lambda x: x.as_strided((4, 4), (1, 1))),
    "instead of units": Run(lambda x: x[0, 0].as_strided((16, 16), (1, 16))),
    "index_put": Run(lambda x: x.index_put((x[:, 0, 0].argmax(1),), x[:1])),
    "scatter": Run(lambda x: x.scatter(3, places(x)[:, :, :8], 1.0)),
    "scatter_add": Run(lambda x: x.scatter_add(3, places(x)[..., :8], x)),
    "gather": Run(lambda x: x.gather(3, places(x)[:, :, :8])),
    "masked_scatter": Run(lambda x: x.masked_scatter(x > 0, x.flip(2))),
    "nonzero": Run(lambda x: x.nonzero()),
    "table itself depends": Run(lambda x: F.embedding(torch.tensor([1, 0]), x[0, 0])),
    "states of a batch": Run(lambda x, m: m(x[0], x[:, :, 0, :3])[0],
                             nn.GRU(16, 3, batch_first=True)),
    "letter twice": Run(lambda x: torch.einsum("bcii->bci", x)),
    "output 1 of operation aten.native_group_norm": Run(lambda x: torch.native_group_norm(
        x, None, None, 1, 4, 256, 2, 1e-5)[1] + 1),
    "numbers of a parameter": Run(lambda x, m: F.grid_sample(
        x, m.weight.view(1, 128, 128, 2).sigmoid(), align_corners=False), nn.Linear(128, 256)),
    "layout torch.sparse": Run(lambda x: x.to_sparse()),
    "erased": Run(lambda x: x.zero_()),
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_unknown_is_refused_by_name(what):
    with pytest.raises(UnsupportedOperation) as caught:
        audit(REFUSED[what], 16)
    message = str(caught.value)
    assert {"boolean": "computes with the numbers", "boolean mask": "upto= names the last module",
            "nonzero": "computes with the numbers",
            "states of a batch": "initial states of a batch",
            "letter twice": "a letter twice in one factor",
            "numbers of a parameter": "numbers are computed from parameters",
            "erased": "the output does not depend on the input's numbers",
            "several sequences": "give one sequence", "grids of a batch": "grids of a batch differ",
            "numpy": "numpy",
            "does not depend": "no tensor that depends",
            "numbers in a tensor": "numbers in a tensor"}.get(what, what) in message


def test_the_refusal_names_the_module():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), REFUSED["grid_sampler_2d"])
    model[1].first = nn.Conv2d(4, 4, 3)
    with pytest.raises(UnsupportedOperation, match="in module '1'"):
        audit(model, 16)


def test_an_exception_that_a_model_catches_does_not_rename_what_follows():
    class Picky(nn.Module):
        def forward(self, x):
            raise KeyError("not today")

    class Tolerant(nn.Module):
        def __init__(self):
            super().__init__()
            self.picky, self.conv = nn.Sequential(Picky()), nn.Conv2d(3, 4, 3)

        def forward(self, x):
            try:
                x = self.picky(x)
            except KeyError:
                pass
            return torch.relu(self.conv(x)).mean((2, 3))

    assert [layer.name for layer in audit(Tolerant(), 16).layers] == ["conv", "mean"]


def test_the_module_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()).train()
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    audit(model, 16)
    assert [module.training for module in model.modules()] == [True, True, True, False]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_models_on_meta_in_half_precision_and_shared_modules():
    with torch.device("meta"):
        heavy = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3).half().float())
    assert audit(heavy, 16).output[0].size == 5
    assert audit(nn.Sequential(nn.Conv2d(3, 8, 3).bfloat16()), 16).output[0].size == 3
    layer = nn.Conv2d(3, 3, 3)
    found = audit(nn.Sequential(layer, layer, layer), 16)
    assert [record.geometry[0].size for record in found.layers] == [3, 5, 7]
    assert [record.name for record in found.layers] == ["0", "0 #2", "0 #3"]


def test_one_and_three_axes():
    line = audit(nn.Sequential(nn.Conv1d(2, 4, 3, dilation=4), nn.MaxPool1d(2)), (40,))
    assert [layer.window for layer in line.layers] == [(3,), (2,)]
    assert line.output[0].size == 10
    volume = audit(nn.Sequential(nn.Conv3d(1, 4, (1, 3, 5)), nn.MaxPool3d(2)), (8, 9, 10))
    assert [axis.size for axis in volume.output] == [2, 4, 6]
    assert "one or two axes" in str(volume)


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), ((), ValueError),
                                             ((8, 8, 8, 8), ValueError), ((8.0, 8), ValueError)])
def test_bad_sizes(size, error):
    with pytest.raises(error, match="positive integers"):
        audit(nn.Conv2d(3, 3, 3), size)


def test_other_errors_say_where():
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        audit(lambda x: x, 16)
    with pytest.raises(ValueError, match="module '1' fails on an input of shape"):
        audit(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(5, 4, 3)), 16)
