"""An audit never touches the module: not what it holds, not what it does afterwards."""

import copy
import functools
import itertools
import random
import threading

import pytest
import torch
from torch import nn

from lib.audit import UnsupportedOperation, audit


class CachesByShape(nn.Module):
    """Attention biases gathered from a table of parameters and kept from call to call."""

    def __init__(self):
        super().__init__()
        self.conv, self.table = nn.Conv2d(3, 4, 3), nn.Parameter(torch.randn(4, 9))
        self.register_buffer("index", torch.arange(9).flip(0), persistent=False)
        self.cache = {}

    def forward(self, x):
        x = self.conv(x)
        key = str(x.device)
        if key not in self.cache:
            self.cache[key] = self.table[:, self.index]
        return x + self.cache[key].mean(1)[:, None, None]


class KeepsAttributes(nn.Module):
    """Relative positions computed for the size of the first image, as an attribute."""

    def __init__(self):
        super().__init__()
        self.conv, self.scale, self.big = nn.Conv2d(3, 4, 3), None, nn.Parameter(torch.ones(9000))

    def forward(self, x):
        x = self.conv(x)
        if self.scale is None or self.scale.shape != x.shape[2:]:
            self.scale = self.big.sum() * torch.ones(x.shape[2:])
        self.last = x
        return x * self.scale


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.history, self.seen = [], 0

    def forward(self, x):
        self.calls += 1
        self.seen += 1
        self.history.append(x.shape)
        with torch.no_grad():
            self.conv.weight.clamp_(-0.01, 0.01)
        return self.conv(x)


def closure():
    """A forward that holds on to its module by closures, and hooks that write to lists."""
    net, kept = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), []
    net[0].register_forward_hook(lambda module, args, out: kept.append(out))
    net[0].kept = kept

    def first(x):
        return net[0](x)

    net.forward = lambda x: net[1](first(x)).relu()
    shelve = functools.partial(lambda shelf, m, args: shelf.append(args), kept)
    net[0].register_forward_pre_hook(shelve)
    return net


def spectral():
    with torch.no_grad():
        return nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(3, 4, 3)),
                             nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3)),
                             nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3)))


def lazy():
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(3))


def tied():
    layer = nn.Conv2d(4, 4, 3)
    return nn.Sequential(nn.Conv2d(3, 4, 3), layer, layer)


def modes():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    net[2].eval()
    return net


def used():
    """After a training step: gradients, running statistics, tensors with a history."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), KeepsOutput())
    net(torch.rand(2, 3, 8, 8)).sum().backward()
    return net


class KeepsOutput(nn.Module):
    def forward(self, x):
        self.out = x * 2
        return self.out


PATTERNS = [CachesByShape, KeepsAttributes, Counts, closure, spectral, lazy, tied, modes, used]


def state(value, known=None):
    """Everything a module holds, as something that compares: identities, numbers, structure."""
    known = {} if known is None else known
    if id(value) in known:
        return known[id(value)]
    known[id(value)] = ("again", len(known))
    if isinstance(value, torch.Tensor):
        data = None
        if not isinstance(value, nn.parameter.UninitializedTensorMixin):
            data = (value.detach().cpu().view(torch.uint8) if value.is_contiguous() and value.dim()
                    else value.detach().double()).flatten().tolist()
        return (id(value), type(value), value.requires_grad, value._version, data,
                None if not value.is_leaf or value.grad is None else state(value.grad, known))
    if isinstance(value, nn.Module):
        return (id(value), type(value), state(vars(value), known))
    if isinstance(value, dict):
        return (id(value), [(str(k), state(v, known)) for k, v in value.items()])
    if isinstance(value, (list, tuple, set)):
        return (id(value), [state(v, known) for v in value])
    return (id(value) if callable(value) else repr(value))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
def test_nothing_in_the_module_changes(pattern):
    model = pattern()
    before, random_before = state(model), torch.get_rng_state()
    found = audit(model, 12)
    assert found.layers and state(model) == before
    assert torch.equal(torch.get_rng_state(), random_before)


def test_models_work_afterwards_as_if_nothing_had_happened():
    for pattern in PATTERNS:
        torch.manual_seed(0)
        model = pattern().eval()
        torch.manual_seed(0)
        twin = pattern().eval()
        audit(model, 12)
        torch.manual_seed(1)
        out = model(torch.rand(1, 3, 12, 12))
        torch.manual_seed(1)
        assert torch.equal(out, twin(torch.rand(1, 3, 12, 12))), pattern
        assert type(out) is torch.Tensor


class Refused(nn.Module):
    """Caches, counts, then does what no rule describes, or is interrupted."""

    def __init__(self, how):
        super().__init__()
        self.parts, self.how = nn.ModuleList([Counts(), CachesByShape()]), how

    def forward(self, x):
        self.begun = True
        x = self.parts[0](x)[:, :3]
        x = self.parts[1](x)
        if self.how is KeyboardInterrupt:
            raise KeyboardInterrupt
        return torch.fft.fft2(x) if self.how is UnsupportedOperation else x.reshape(7, -1)


@pytest.mark.parametrize("how", [UnsupportedOperation, KeyboardInterrupt, ValueError])
def test_nothing_changes_either_after_a_refusal_an_interrupt_or_an_error(how):
    model = Refused(how).train()
    before, fast = state(model), torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(how):
        audit(model, 12)
    assert state(model) == before
    assert torch.backends.mha.get_fastpath_enabled() == fast
    assert not torch.nn.modules.module._global_forward_hooks


@pytest.mark.slow
def test_a_hundred_models_are_bit_identical_after_a_hundred_audits():
    rng, chosen = random.Random(0), [(p,) for p in PATTERNS]
    chosen += itertools.product(PATTERNS, repeat=2)
    chosen += rng.sample([*itertools.permutations(PATTERNS, 3)], 100 - len(chosen))
    assert len(set(chosen)) == 100
    for patterns in chosen:
        model = nn.Sequential(*[Guarded(pattern()) for pattern in patterns])
        model.train(rng.random() < 0.5)
        before = state(model)
        audit(model, 8, 3)
        assert state(model) == before, patterns


class Guarded(nn.Module):
    """Any part, on three channels."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        return x + self.part(x).mean()


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad, torch.enable_grad,
                                     lambda: torch.device("meta"),
                                     lambda: torch.autocast("cpu", torch.bfloat16)],
                         ids=["inference", "no grad", "grad", "meta", "autocast"])
def test_what_the_caller_has_switched_on_does_not_matter(context):
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(8 * 64, 4))
    plain = audit(net, 16).records()
    with context():
        assert audit(net, 16).records() == plain


def forms():
    net = nn.Sequential(nn.Conv2d(3, 8, 5, 2, 2), nn.BatchNorm2d(8), nn.ReLU(),
                        nn.MaxPool2d(3, 2, 1), nn.Conv2d(8, 4, 3)).eval()
    image = torch.zeros(1, 3, 32, 32)
    in_place = copy.deepcopy(net)
    in_place.compile()
    return {"scripted": torch.jit.script(net), "traced": torch.jit.trace(net, image),
            "symbolic": torch.fx.symbolic_trace(net),
            "exported": torch.export.export(net, (image,)).module(),
            "compiled": torch.compile(net), "compiled in place": in_place,
            "compiled inside": nn.Sequential(torch.compile(net[:2]), net[2:])}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_exported_scripted_and_compiled_modules_are_what_they_were_made_from():
    for form, model in forms().items():
        found = audit(model, 32, 3)
        assert [(layer.geometry[0].size, layer.channels) for layer in found.layers] == [
            (5, 8), (9, 8), (17, 4)], form
        if form in ("exported", "scripted", "traced"):  # no modules run, but parameters have names
            assert [layer.name for layer in found.layers][::2] == ["0", "4"], form


def test_what_says_that_it_is_its_own_copy_is_left_as_it_is():
    class Shared(nn.Conv2d):
        def __deepcopy__(self, memo):
            return self

    net = nn.Sequential(Shared(3, 4, 3))
    other = nn.Conv2d(4, 4, 3)
    hook = net[0].register_forward_hook(lambda module, args, out: other(out))
    held = net[0]._forward_hooks[hook.id]
    assert len(audit(net, 8).layers) == 2
    assert net[0]._forward_hooks[hook.id] is held


def test_a_module_that_cannot_be_copied_is_refused_in_one_line():
    class Guard(nn.Module):
        def __deepcopy__(self, memo):
            raise RuntimeError("one of a kind")

    with pytest.raises(ValueError, match=r"cannot be copied, and an audit never runs the original "
                                         r"\(RuntimeError: one of a kind\)$"):
        audit(nn.Sequential(nn.Conv2d(3, 4, 3), Guard()), 12)
    locked = nn.Sequential(nn.Conv2d(3, 4, 3))
    locked[0].lock = threading.Lock()
    with pytest.raises(ValueError, match=r"original \(attribute 'lock' of module '0': TypeError: "):
        audit(locked, 12)


@pytest.mark.parametrize("name", ["modules", "parameters", "children", "train"])
def test_an_attribute_that_hides_a_method_is_named(name):
    """Such a network runs: ``self.modules = [...]`` holds its layers, say."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    object.__setattr__(net, name, [])
    assert net(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 6, 6)
    said = rf"attribute '{name}' of Sequential, of type list, hides torch.nn.Module.{name}; "
    with pytest.raises(ValueError, match=said):
        audit(net, 8)
    inner = nn.Sequential(net)
    if name in ("modules", "parameters"):           # these are asked of the whole alone
        assert audit(inner, 8).output[0].size == 3
    else:
        with pytest.raises(ValueError, match=said):
            audit(inner, 8)


def test_parameters_may_be_whole_numbers():
    """Such as an order of channels, which has no gradient."""
    class Reorders(nn.Module):
        def __init__(self):
            super().__init__()
            self.order = nn.Parameter(torch.tensor([2, 0, 1]), requires_grad=False)
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return self.conv(x[:, self.order])

    layer, = audit(Reorders(), 8).layers
    assert (layer.name, layer.channels_in, layer.shape) == ("conv", 3, (1, 4, 6, 6))
