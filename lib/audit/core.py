"""The audit of a module: tracing, receptive fields, layers, joins, bounds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import torch

from . import mixing, movement, windows  # noqa: F401  (they register their rules)
from .calls import Trace, UnsupportedOperation
from .fields import Field
from .records import join_record, layer_record, tensor_geometry
from .rules import Unknown, interpret
from .surrogate import find_bounds
from .table import layer_dict, table
from .tracing import trace

AXES = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclass(eq=False)
class Audit:
    """Everything an audit found; ``print`` shows it as a table.

    Attributes
    ----------
    name : str
        Class of the module.
    size : tuple of int
        Size of the input, without batch and channels.
    layers : list of LayerRecord
        In the order of computation.
    joins : list of JoinRecord
        Where branches meet.
    trace : Trace
        The recorded operations.
    virtual, seen : dict
        Fields of every recorded tensor; see lib/audit/fields.py.
    """

    name: str
    size: tuple
    trace: Trace = field(repr=False)
    virtual: dict = field(repr=False)
    seen: dict = field(repr=False)
    layers: list = field(default_factory=list, repr=False)
    joins: list = field(default_factory=list, repr=False)
    names: dict = field(default_factory=dict, repr=False)
    surrogates: dict = field(default_factory=dict, repr=False)

    @property
    def axes(self):
        """Names of the axes of the input."""
        return AXES[len(self.size)]

    def geometry(self, value):
        """Geometry of one recorded tensor, one entry per axis."""
        return tensor_geometry(self.virtual[value], self.seen[value])

    @property
    def output(self):
        """Geometry of the (first) output."""
        return self.geometry(self.trace.outputs[0])

    @property
    def last_map(self):
        """Geometry of the last tensor that is still a grid over the image on every axis.

        This is what published tables list, since what follows (global pooling, dense layers)
        sees everything.

        Examples
        --------
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(),
        ...                     nn.Linear(8 * 16 * 16, 10))
        >>> [(axis.size, int(axis.stride), axis.padding) for axis in audit(net, 32).last_map]
        [(4, 2, 1), (4, 2, 1)]
        """
        for call in reversed(self.trace.calls):
            for value in call.outputs:
                found = self.virtual.get(value)
                if isinstance(found, Field) and found.step and None not in found.step:
                    return self.geometry(value)
        return self.geometry(self.trace.source)

    def bounds(self, partition="left-right", representation=None, avoid=(), collapse=()):
        """Theorem 1 and the crossing bound for the ConvAC surrogate of the network.

        Parameters
        ----------
        partition : {"left-right", "top-bottom"}
        representation : int, optional
            Representation channels per pixel, M; as many as the bound can use by default.
        avoid : sequence of str
            Regular expressions on module names: the chain does not enter these modules.
        collapse : sequence of str
            Regular expressions on module names: each such module is read as one layer.

        Returns
        -------
        Surrogate

        Raises
        ------
        ValueError
            For a partition that the input does not have, or inputs of more than two axes.

        Notes
        -----
        Theorem 1 of [Sharir & Shashua, 2018] as corrected, and the crossing bound; which chain
        through the graph they apply to is explained in book/audit-a-network.md.

        Examples
        --------
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(),
        ...                     nn.Linear(8 * 16 * 16, 10))
        >>> found = audit(net, 32).bounds()
        >>> str(found.crossing), found.crossing.name, found.overlap is None
        ('8^64', '0', True)
        """
        key = (partition, representation, tuple(avoid), tuple(collapse))
        if key not in self.surrogates:
            self.surrogates[key] = find_bounds(self, *key)
        return self.surrogates[key]

    def records(self, partition="left-right"):
        """One dictionary per layer, for ``pandas.DataFrame``.

        Quantities that are equal on all axes are given once, others as tuples by axis.
        """
        found = self.bounds(partition) if len(self.size) < 3 else None
        return [layer_dict(layer, found) for layer in self.layers]

    def __str__(self):
        return table(self)


def audit(model, size=224, channels=None):
    """Receptive fields, overlap degrees and rank bounds of any module.

    Parameters
    ----------
    model : torch.nn.Module
        Any module that takes one tensor of shape (1, channels, *size). It is run once on shapes
        alone, in evaluation mode, and left as it was.
    size : int or tuple of int
        Size of the input; an int means a square image, a tuple gives one to three axes.
    channels : int, optional
        Input channels; by default those of the first layer that says ``in_channels``, else 3.

    Returns
    -------
    Audit

    Raises
    ------
    TypeError, ValueError
        If the model is no module, the size is not made of positive integers, or the model fails
        on such an input.
    UnsupportedOperation
        If the network contains an operation whose receptive field is not known here. It names the
        operation and the module; nothing is guessed.

    Notes
    -----
    A field says what a unit can depend on through the structure of the network. Numbers are not
    looked into: a weight that happens to be zero, or an attention mask, may make a unit depend on
    less. Normalization with stored statistics is an affine map of each channel; normalization with
    the map's own statistics sees the whole map and is listed as a layer. See
    book/audit-a-network.md.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, 1))
    >>> [(layer.kind, layer.geometry[0].size) for layer in audit(net, 64).layers]
    [('conv', 7), ('pool', 11)]
    """
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"audit expects a torch.nn.Module, got {type(model).__name__}")
    model = getattr(model, "_orig_mod", model)      # a compiled module wraps the original
    size = (size, size) if isinstance(size, int) else tuple(size)
    if not 1 <= len(size) <= 3 or not all(type(n) is int and n > 0 for n in size):
        raise ValueError(f"size {size!r} of the input: one to three positive integers, or one "
                         "integer for a square image")
    channels = channels or _first_channels(model)
    with torch.no_grad():
        recorded = trace(model, (1, channels, *size))
        virtual, seen = (_interpreted(recorded, virtual) for virtual in (True, False))
        return _described(Audit(type(model).__name__, size, recorded, virtual, seen))


def _first_channels(model):
    for module in model.modules():
        if isinstance(getattr(module, "in_channels", None), int):
            return module.in_channels
    return 3


def _interpreted(recorded, virtual):
    """Fields of all tensors, computed call by call."""
    fields = {recorded.source: Field.of_input(recorded.source.shape, virtual)}
    for call in recorded.calls:
        fields.update(zip(call.outputs, interpret(call, fields), strict=True))
    for value in recorded.outputs:
        if isinstance(fields[value], Unknown):
            raise UnsupportedOperation(f"the output uses {fields[value].what}, whose receptive "
                                       "field is not known here")
        if fields[value] is None:
            raise UnsupportedOperation("the output does not depend on the input's numbers")
    return fields


def _described(found):
    """Fill in the layers and joins of an audit."""
    names = Counter()
    for call in found.trace.calls:
        out = call.outputs[0] if call.outputs else None
        if not isinstance(found.virtual.get(out), Field):
            continue
        sources = [v for v in call.inputs if isinstance(found.virtual.get(v), Field)]
        name = call.scope if call.leaf else ".".join(filter(None, (call.scope, call.name)))
        if call.layer is not None:
            names[name] += 1
            name = name if names[name] == 1 else f"{name} #{names[name]}"
            found.names[call] = name
            found.layers.append(layer_record(name, call.layer, out.shape, found.geometry(out)))
        elif len(sources) > 1:
            branches = [found.geometry(value) for value in sources]
            found.joins.append(join_record(name, call.name, branches, found.axes))
    return found
