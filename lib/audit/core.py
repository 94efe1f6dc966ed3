"""The audit of a module: tracing, receptive fields, layers, joins, bounds."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ..checks import is_integer, whole
from .chains import Surrogate, find_bounds
from .collapse import as_text
from .describe import described, on_cpu
from .failures import ModelFailure, advice
from .fields import Field
from .geometry import Box, Geometry, is_map, tensor_geometry
from .places import named_value, unit_box
from .report import JoinRecord, formatted, layer_dict, summary, table, to_dict
from .seal import unwrapped
from .trace import Image, Trace, Value, select_outputs, trace

AXES = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}
IGNORABLE = ("gates", "norms", "attention")
METHODS = ("children", "named_children", "named_modules", "train")
OF_THE_WHOLE = ("modules", "parameters", "named_parameters", "eval")
"""What is asked of every module, and of the whole; an attribute of the same name hides it."""


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
    trace : Trace
        The recorded operations.
    virtual, seen : dict
        Fields of recorded tensors; see lib/audit/fields.py.
    infos : dict
        What recorded operations are as layers.
    remarks : list of str
        What was guessed about the input.
    """

    name: str
    size: tuple
    trace: Trace = field(repr=False)
    ignore: frozenset = frozenset()
    virtual: dict = field(default_factory=dict, repr=False)
    seen: dict = field(default_factory=dict, repr=False)
    layers: list = field(default_factory=list, repr=False)
    own_joins: list = field(default_factory=list, repr=False)
    names: dict = field(default_factory=dict, repr=False)
    infos: dict = field(default_factory=dict, repr=False)
    surrogates: dict = field(default_factory=dict, repr=False)
    graphs: dict = field(default_factory=dict, repr=False)
    remarks: list = field(default_factory=list, repr=False)

    def __reduce__(self):
        raise TypeError("an Audit holds operations and tensors of this process and cannot be saved "
                        "or sent; save to_dict(), records(), layers or bounds()")

    def __copy__(self) -> Audit:
        return self.__deepcopy__()

    def __deepcopy__(self, memo: dict | None = None) -> Audit:
        twin = object.__new__(type(self))           # by hand, as copying asks `__reduce__` too
        if memo is None:
            vars(twin).update(vars(self))
        else:
            memo[id(self)] = twin
            vars(twin).update(copy.deepcopy({**vars(self), "graphs": {}}, memo))
        return twin

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes of the input."""
        return AXES[len(self.size)]

    def geometry(self, value: Value) -> tuple[Geometry, ...]:
        """Geometry of one recorded tensor, one entry per axis."""
        with on_cpu():
            return tensor_geometry(*self.fields(value))

    def fields(self, value: Value) -> tuple[Field, Field]:
        """Fields of one recorded tensor, as if the image had no border and inside the image."""
        if self.virtual[value].edges is None:       # too large to be kept: computed once more
            again = described(Audit(self.name, self.size, self.trace, self.ignore), keep=value)
            return again.virtual[value], again.seen[value]
        return self.virtual[value], self.seen[value]

    @property
    def output(self) -> tuple[Geometry, ...]:
        """Geometry of the (first) output."""
        return self.geometry(self.trace.outputs[0])

    @property
    def outputs(self) -> dict[str, tuple[Geometry, ...]]:
        """Geometry of every output by its name."""
        return {name: self.geometry(value)
                for name, value in zip(self.trace.names, self.trace.outputs, strict=True)}

    @property
    def last_map(self) -> tuple[Geometry, ...]:
        """Geometry of the last tensor that is still a grid over the image on every axis.

        This is what published tables list, since what follows (global pooling, dense layers)
        sees everything. Windows cut out of a map, as attention uses them, are not a grid.

        Examples
        --------
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(),
        ...                     nn.Linear(8 * 16 * 16, 10))
        >>> [(axis.size, int(axis.stride), axis.padding) for axis in audit(net, 32).last_map]
        [(4, 2, 1), (4, 2, 1)]
        """
        return self.geometry(self.last_map_value)

    @cached_property
    def last_map_value(self) -> Value:
        """The tensor that `last_map` describes; a single cell is none if a map follows it."""
        larger = False
        for call in reversed(self.trace.calls):
            for value in call.outputs:
                if is_map(self.virtual.get(value)) and not (larger and prod(value.shape[2:]) == 1):
                    return value
                larger |= len(value.shape) == len(self.size) + 2 and prod(value.shape[2:]) > 1
        return self.trace.sources[0]

    @cached_property
    def local(self) -> Audit:
        """The same audit with global gates, normalizations and attention taken as local.

        A squeeze-and-excitation lets every unit see the whole image, through one number for each
        channel. What units see without such numbers is often the more useful answer.

        Examples
        --------
        >>> class Gated(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.conv, self.gate = nn.Conv2d(3, 8, 5, padding=2), nn.Conv2d(8, 8, 1)
        ...     def forward(self, x):
        ...         x = self.conv(x)
        ...         return x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        >>> found = audit(Gated(), 32)
        >>> found.output[0].everything, found.local.output[0].size
        (True, 5)
        """
        if self.ignore >= {*IGNORABLE}:
            return self
        return described(Audit(self.name, self.size, self.trace, frozenset(IGNORABLE),
                                remarks=self.remarks))

    @cached_property
    def looks_around(self) -> bool:
        """Whether something other than a pooling at the end looks at the whole map."""
        found = {layer.kind for layer in self.layers[:-1]} & {"global pool", "reduce"}
        found |= {layer.kind for layer in self.layers} & {"norm", "attention"}
        return bool(found) and not self.ignore >= {*IGNORABLE}

    @property
    def as_layers(self) -> dict:
        """What operations are as layers: where everything is seen, places cannot be told."""
        return self.local.infos if self.looks_around else self.infos

    @property
    def joins(self) -> list[JoinRecord]:
        """Where branches meet, and whether they agree in stride and center.

        Where a unit sits does not depend on gates and attention, so they are left aside.
        """
        return self.local.own_joins if self.looks_around else self.own_joins

    @property
    def global_from(self) -> str | None:
        """Name of the layer from which on every unit sees the whole image, None if none."""
        found, ends = None, set(self.trace.outputs)
        layers = dict(zip(self.names, self.layers, strict=True))
        for call in reversed(self.trace.calls):
            if call in layers and not layers[call].everything or not all(
                    axis.everything for value in ends.intersection(call.outputs)
                    for axis in self.geometry(value)):
                break
            found = self.names.get(call, found)
        return found

    @property
    def idle(self) -> list[str]:
        """Layers with a window whose units all saw the whole image before they looked.

        Examples
        --------
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 7, padding=3), nn.AdaptiveAvgPool2d(1),
        ...                     nn.Upsample(4), nn.Conv2d(8, 8, 3, padding=1))
        >>> audit(net, 4).idle
        ['1', '3']
        """
        return [layer.name for layer in self.layers if layer.idle]

    def box(self, layer: str | None = None, unit: tuple | None = None) -> Box:
        """The pixels that one unit sees.

        Parameters
        ----------
        layer : str, optional
            Name of a layer, ``pool #2`` where it runs a second time, or of a module, at its last
            run; the last grid over the image by default.
        unit : tuple of int, optional
            Its place in the map: one index per axis, for all channels together, or one per
            dimension beside the batch. By default the unit in the middle.

        Returns
        -------
        Box

        Raises
        ------
        ValueError
            For a name that no layer or module has, or a unit that its map does not have.

        Examples
        --------
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2))
        >>> audit(net, 32).box("1", (0, 5)).pixels
        ((0, 2), (9, 12))
        """
        return unit_box(self, *named_value(self, layer), unit)

    def bounds(self, partition: str = "left-right", representation: int | None = None,
               avoid: tuple = (), collapse: tuple = (), pools: str = "mixing") -> Surrogate:
        """The overlap theorem and the crossing bound for the ConvAC surrogate of the network.

        Parameters
        ----------
        partition : {"left-right", "top-bottom"}
        representation : int, optional
            Representation channels per pixel, M; as many as the bound can use by default.
        avoid : sequence of str
            Regular expressions on module names: the chain does not enter these modules.
        collapse : sequence of str
            Regular expressions for whole names of modules: each such module is read as one layer,
            unless the chain avoids it. Joins can silence it if its weights are its own.
        pools : {"mixing", "channelwise"}
            Whether the layers that stand for poolings mix channels, as in the paper, or not.

        Returns
        -------
        Surrogate
            About the first output.

        Raises
        ------
        ValueError
            For a partition that the input does not have, inputs of more than two axes, a pattern
            that is no regular expression or matches no module, a module that cannot be read as
            one layer.

        Notes
        -----
        Theorem 1 of [Sharir & Shashua, 2018] with all its hypotheses, and lower bounds of the
        course; which chain through the graph they apply to is explained in
        book/audit-a-network.md.

        Examples
        --------
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(),
        ...                     nn.Linear(8 * 16 * 16, 10))
        >>> found = audit(net, 32).bounds()
        >>> str(found.crossing), found.crossing.name, found.overlap is None
        ('9^64', '0', True)
        """
        patterns = [tuple(map(as_text, given)) if isinstance(given, Iterable) and not isinstance(
            given, str) else (None,) for given in (avoid, collapse)]
        if not all(isinstance(part, str) for part in sum(patterns, ())):
            raise ValueError("avoid and collapse: a sequence of regular expressions each, such as "
                             "('layer1',)")
        arguments = (partition, representation, *patterns, pools)
        key = repr(arguments)                       # of what has no hash, too, to be refused below
        if key not in self.surrogates:
            with on_cpu():
                self.surrogates[key] = find_bounds(self, *arguments)
        return self.surrogates[key]

    def records(self, partition: str = "left-right") -> list[dict]:
        """One dictionary per layer, for ``pandas.DataFrame``.

        Quantities that are equal on all axes are given once, others as tuples by axis.
        """
        found = self.bounds(partition) if len(self.size) < 3 else None
        return [layer_dict(layer, found) for layer in self.layers]

    def to_dict(self) -> dict:
        """Everything that was found, in lists, dictionaries, numbers and text, for JSON."""
        return to_dict(self)

    def table(self, style: str = "text", width: int = 100) -> str:
        """The layers as a table.

        Parameters
        ----------
        style : {"text", "markdown", "csv", "html"}
        width : int
            Characters in a line of the text; columns that do not fit are left out.

        Returns
        -------
        str

        Examples
        --------
        >>> print(audit(nn.Conv2d(3, 8, 3), 8).table("csv").splitlines()[1][:15])
        Conv2d,conv,3,1
        """
        return formatted(self, style, width)

    @property
    def summary(self) -> str:
        """What the table amounts to, line by line."""
        return "\n".join(summary(self))

    def __str__(self) -> str:
        return table(self)

    def _repr_html_(self) -> str:
        return formatted(self, "html")


def audit(model: nn.Module, size: int | tuple | None = None, channels: int | None = None, *,
          inputs: object = None, upto: str | None = None, outputs: object = None,
          ignore: tuple = ()) -> Audit:
    """Receptive fields, overlap degrees and rank bounds of any module.

    Parameters
    ----------
    model : torch.nn.Module
        Any module. A private copy of it is run once on shapes alone, in evaluation mode; the
        module itself is not touched.
    size : int or tuple of int
        Size of the input; an int means a square image, a tuple gives one to three axes. 224 by
        default.
    channels : int, optional
        Input channels; by default those of the first layer that says ``in_channels``, else 3.
    inputs : tensor, or tuple or dict of arguments, optional
        What to call the module with, instead of one image. Floating tensors of the first one's
        size are followed, as images (batch, channels, axes...) with the same pixels; without any,
        those of bytes (uint8) are, else the first tensor of integers, as a sequence. The others
        are taken as they are.
    upto : str, optional
        Name of a module: the audit ends with its output, that of its first run.
    outputs : str, int, or a sequence of these, optional
        Which outputs to report, by name or number; all by default.
    ignore : sequence of {"gates", "norms", "attention"}
        What is taken as local although it looks at the whole map: factors that are one number for
        each channel, normalization by the map's own statistics, attention.

    Returns
    -------
    Audit

    Raises
    ------
    TypeError, ValueError
        If the model is no module, an argument is not as above, or the model fails on such an
        input.
    UnsupportedOperation
        If the network contains an operation whose receptive field is not known here. It names the
        operation and the module; nothing is guessed.

    Notes
    -----
    A field says what a unit can depend on through the structure of the network. Numbers are not
    looked into: a weight that happens to be zero, or an attention mask, may make a unit depend on
    less. Normalization with stored statistics is an affine map of each channel; normalization with
    the map's own statistics sees the whole map. The first is listed as a layer, later ones are
    unless all units see the same already. See book/audit-a-network.md.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, 1))
    >>> [(layer.kind, layer.geometry[0].size) for layer in audit(net, 64).layers]
    [('conv', 7), ('pool', 11)]
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"audit expects a torch.nn.Module, got {type(model).__name__}")
    _not_hidden(model)
    model = getattr(model, "_orig_mod", model)      # a compiled module wraps the original
    wanted = [ignore] if isinstance(ignore, str) else ignore
    if not isinstance(wanted, (list, tuple, set, frozenset)) or not {*wanted} <= set(IGNORABLE):
        raise ValueError(f"ignore={ignore!r}: valid are {', '.join(IGNORABLE)}")
    ignore = frozenset(wanted)
    names = [*dict.fromkeys(unwrapped(name) for name, _ in model.named_modules())]
    if upto is not None and upto not in names:
        near = difflib.get_close_matches(str(upto), names, cutoff=0.4) or names[1:4]
        raise ValueError(f"upto={upto!r}: {type(model).__name__} has no such module"
                         + f"; it has {', '.join(near)}" * bool(near))
    if inputs is None:
        recorded, size, remarks = _on_an_image(model, size, channels, upto)
    elif size is not None or channels is not None:
        raise ValueError("inputs and size or channels: inputs have a size of their own")
    else:
        args, kwargs, size = _given(inputs)
        recorded = trace(model, args, kwargs, upto)
        shape, first = recorded.sources[0].shape, recorded.sources[0].first
        remarks = [] if shape[0] == 1 else [
            f"input of shape {shape} is read as a batch of {shape[0]} with axes "
            f"{' x '.join(map(str, shape[first:]))}; strides and bounds need a batch of one"]
        last = len(shape) > 3 and shape[-1] < min(5, *shape[1:-1])
        frames = len(shape) == 5 and shape[2] < min(5, shape[1], *shape[3:])
        if first == 2 and (last or frames):         # behind the axes, or behind the time
            remarks.append(f"input of shape {shape} is read as {shape[1]} channels with axes "
                           f"{' x '.join(map(str, shape[2:]))}; channels come before the axes")
    if outputs is not None:
        many = isinstance(outputs := whole(outputs), Iterable) and not isinstance(outputs, str)
        select_outputs(recorded, [*map(whole, outputs)] if many else [outputs])
    return described(Audit(type(model).__name__, size, recorded, ignore, remarks=remarks))


def _not_hidden(model: nn.Module) -> None:
    """Refuse attributes in the place of methods: a module runs with them, but cannot be copied."""
    parts, seen = [model], set()
    for module in parts:
        if id(module) in seen:
            continue
        seen.add(id(module))
        for name in (*METHODS, *(OF_THE_WHOLE if module is model else ())):
            found = getattr(module, name)
            if not callable(found):
                raise ValueError(f"attribute {name!r} of {type(module).__name__}, of type "
                                 f"{type(found).__name__}, hides torch.nn.Module.{name}; give it "
                                 "another name")
        parts += [part for part in module._modules.values() if part is not None]


def _on_an_image(model: nn.Module, size: object, channels: int | None,
                 upto: str | None) -> tuple[Trace, tuple, list[str]]:
    """A run on one image; channels that nobody gave are guessed."""
    size = 224 if size is None else size
    if isinstance(size, torch.Tensor) and size.dim() > 1:
        raise ValueError(f"size= of a tensor of shape {tuple(size.shape)}: inputs= takes tensors")
    sizes = (size, size) if is_integer(size) else size
    if not isinstance(sizes, (tuple, list)) or not 1 <= len(sizes) <= 3 or not all(
            is_integer(n) and n > 0 for n in sizes):
        raise ValueError(f"size {size!r} of the input: one to three positive integers, or one "
                         "integer for a square image")
    if channels is not None and (not is_integer(channels) or channels < 1):
        raise ValueError(f"channels={channels!r} of the input: a positive integer")
    sizes, channels = tuple(map(int, sizes)), channels and int(channels)
    first = next(((m.in_channels, name) for name, m in model.named_modules()
                  if type(getattr(m, "in_channels", None)) is int and m.in_channels > 0), (3, None))
    guesses, failure = [channels] if channels else list(dict.fromkeys([first[0], 3])), None
    for guess in guesses:
        try:
            recorded = trace(model, (Image((1, guess, *sizes)),), {}, upto)
        except ModelFailure as error:
            if channels:
                raise
            failure = failure or error
            continue
        named = first[1] or "(the model itself)"
        where = f" from module {named!r}" if first[1] is not None and guess == first[0] else ""
        return recorded, sizes, [] if channels else [f"input channels: {guess}, guessed{where}"]
    words = isinstance(next((m for m in model.modules() if m._parameters), None), nn.Embedding)
    hint = advice(failure, words, sizes, guesses[0])
    raise ValueError(f"{failure} ({hint})" if hint else str(failure)) from failure


def _given(inputs: object) -> tuple[tuple, dict, tuple]:
    """Arguments with images in place of the tensors that are to be followed."""
    kwargs = dict(inputs) if isinstance(inputs, Mapping) else {}
    args = () if kwargs else tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    tensors = [x for x in pytree.tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
    images = [x for x in tensors if (x.is_floating_point() or x.is_complex()) and x.dim() > 2]
    images = images or [x for x in tensors if x.dtype is torch.uint8 and x.dim() > 2]
    first = 2 if images else 1
    images = images or [x for x in tensors if not x.is_floating_point() and x.dim() > 1][:1]
    if not images or images[0].dim() - first > 3:
        raise ValueError(f"inputs with tensors of shapes {[tuple(x.shape) for x in tensors]}: one "
                         "floating tensor of shape (batch, channels, axes...), with one to three "
                         "axes, or one of integers of shape (batch, positions) is needed")
    size = tuple(images[0].shape[first:])
    followed = {id(x) for x in images if tuple(x.shape[first:]) == size}
    args, kwargs = pytree.tree_map(
        lambda x: Image(tuple(x.shape), x.dtype, first) if id(x) in followed else x, (args, kwargs))
    return args, kwargs, size
