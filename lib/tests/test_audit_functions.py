"""Functions in the place of methods, and hooks: those of the copy run the copy's layers."""

import functools
import types
import weakref

import pytest
import torch
from torch import nn

from lib.audit import audit, effective_field
from lib.tests.test_audit_seal import state

KEPT = {}


def small():
    """In training mode, as it is made: its own statistics would look at the whole map."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.AvgPool2d(2),
                         nn.Conv2d(4, 4, 3, padding=1))


def old_forward():
    net = small()
    old = net.forward
    net.forward = lambda x: old(x)
    return net


def old_forward_of_a_part():
    net = small()
    old = net[1].forward

    def scaled(self, x):
        return 2 * old(x)

    net[1].forward = types.MethodType(scaled, net[1])
    return net


def old_forward_of_the_file():
    net = KEPT["net"] = small()
    KEPT["forward"] = net.forward
    net.forward = looked_up
    return net


def looked_up(x):
    return by_way_of_another(x)


def by_way_of_another(x):
    return KEPT["forward"](x)


def in_a_tuple():
    net = small()
    parts = tuple(net)
    net.forward = lambda x: [x := parts[i](x) for i in range(4)][-1]
    return net


def as_a_default():
    net = small()
    net.forward = lambda x, parts=(*net,): parts[3](parts[2](parts[1](parts[0](x))))
    return net


class Around:
    def __init__(self, function):
        self.function = function

    def __call__(self, x):
        return self.function(x)


def in_an_object():
    net = small()
    old = net.forward
    net.forward = Around(lambda x: old(x))
    return net


def in_a_table():
    net, parts = small(), {}
    parts["norm"] = lambda x: net[1](x)
    net[2].parts = parts
    net.forward = functools.partial(lambda net, x: net[3](net[2](net[2].parts["norm"](net[0](x)))),
                                    net)
    return net


def caught():
    """Features by hooks, as in every tutorial, after a run whose gradients are known."""
    class Caught(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = small()
            self.body[3].register_forward_hook(keep("last"))

        def forward(self, x):
            self.body(x)
            return self.features() * 1

        def features(self):
            return KEPT["last"]

    net = Caught()
    net(torch.rand(2, 3, 8, 8))
    return net


def keep(name):
    def hook(module, args, out):
        KEPT[name] = out
    return hook


class Keeper:
    """An object that is called as a hook, and one that holds the hook as a method."""

    def __init__(self):
        self.outputs = []

    def __call__(self, module, args, out):
        self.outputs.append(out)

    def method(self, module, args, out):
        self.outputs.append(out)


KEEPER = Keeper()


def kept_by_objects():
    class Kept(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = small()
            self.body[0].register_forward_hook(Keeper().method)
            self.body[3].register_forward_hook(KEEPER)

        def forward(self, x):
            self.body(x)
            return KEEPER.outputs[-1] * 1

    net = Kept()
    net(torch.rand(2, 3, 8, 8))
    return net


def in_a_closure_of_the_file():
    global closed
    net = small()
    old = net.forward
    closed = lambda x: old(x)                                   # noqa: E731
    net.forward = by_its_name
    return net


def by_its_name(x):
    return closed(x)


def held_by_an_object():
    """An object that is not called itself keeps what a function around it runs and writes to."""
    net, held = small(), types.SimpleNamespace(forwards=[], lock=None)
    held.forwards.append(net.forward)
    held.around = lambda x: held.forwards[0](x)
    net.forward = lambda x: held.around(x)
    return net


def in_another_object_of_the_file():
    net = small()
    HELD.net = net
    net.forward = through_an_object
    return net


HELD = types.SimpleNamespace(net=None)


def through_an_object(x):
    return nn.Sequential.forward(HELD.net, x)


class Metered(nn.Sequential):
    """A method wrapped again by whoever makes a copy, as the metrics of TorchMetrics are."""

    def __init__(self, *parts):
        super().__init__(*parts)
        self._wrap()

    def _wrap(self):
        old, self.runs = self.forward, 0

        def counted(x):
            self.runs += 1
            return old(x)

        self.forward = counted

    def __getstate__(self):
        return {name: part for name, part in vars(self).items() if name != "forward"}

    def __setstate__(self, found):
        vars(self).update(found)
        self._wrap()


def wrapped_anew():
    return Metered(*small())


def remembered():
    net = small()
    net.forward = functools.lru_cache(maxsize=4)(net.forward)
    return net


def known_weakly():
    """As by a part that knows the whole and is not to be registered around it."""
    net = small()
    whole = weakref.ref(net)
    net.forward = lambda x: nn.Sequential.forward(whole(), x)
    return net


@pytest.mark.parametrize("pattern", [old_forward, old_forward_of_a_part, old_forward_of_the_file,
                                     in_a_tuple, as_a_default, in_an_object, in_a_table,
                                     caught, kept_by_objects, in_a_closure_of_the_file,
                                     held_by_an_object, in_another_object_of_the_file,
                                     wrapped_anew, remembered, known_weakly],
                         ids=lambda pattern: pattern.__name__)
def test_functions_of_the_copy_run_the_copy(pattern):
    net = pattern()
    before, kept = state(net), {**KEPT, "outputs": [*KEEPER.outputs]}
    found = audit(net, 16)
    assert (found.output[0].size, found.output[0].everything) == (8, False)
    assert [layer.kind for layer in found.layers] == ["conv", "pool", "conv"]
    assert {layer.name for layer in found.layers} <= {name for name, _ in net.named_modules()}
    assert effective_field(net, 16, samples=1).theoretical == ((5, 12), (5, 12))
    assert state(net) == before and {**KEPT, "outputs": KEEPER.outputs} == kept


def test_a_layer_that_an_old_forward_runs_twice_proves_no_bound():
    """Its weights cannot serve two purposes, whoever calls it."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1),
                        nn.AdaptiveAvgPool2d(1))
    assert str(audit(net, 8).bounds().crossing) == "5^32"
    old = net[1].forward
    net[1].forward = lambda x: old(old(x))
    found = audit(net, 8).bounds()
    assert found.best is None and "leads past 1" in found.reason
