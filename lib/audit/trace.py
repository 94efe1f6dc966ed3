"""One run of a module on shapes alone, recorded as the list of tensor operations it performs.

Tracing happens below autograd, where PyTorch has already broken layers and functions into simple
operations. It therefore sees functional calls, operators and control flow exactly as the module
executes them, and nothing needs to be guessed from the order of modules. Tensors that depend on
the input are fake: they have shapes and types but no numbers, so that a deep network takes about
a second. What does not depend on the input is computed as the module would compute it.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, is_dataclass
from functools import cache

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.parameter import is_lazy
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from .failures import explained
from .memory import Memory, NoNumbers, UnsupportedOperation
from .rewrites import REWRITES
from .seal import generators_kept, sealed, storage_of


@dataclass(eq=False, repr=False)
class Value:
    """A tensor that depends on the input: its shape and the call that made it.

    For an image, ``first`` is the dimension where its axes begin.
    """

    shape: tuple
    call: Call | None = None
    first: int = 2


@dataclass(eq=False, repr=False)
class Call:
    """One operation on tensors that depend on the input.

    ``arguments`` are bound by name, with a `Value` in place of every tensor that depends on the
    input; other tensors are parameters or constants. ``parameters`` names the parameters from
    which these were computed; ``keys`` is the dimension of scores that runs along keys, and
    a product with such scores ``attends``.
    ``within`` names modules that are running although the scope, named after another module, does
    not lie in them: ``layer0 = nn.Sequential(backbone.conv1, ...)`` runs ``backbone.conv1``.
    """

    name: str
    scope: str
    leaf: bool
    function: object
    arguments: dict
    inputs: list
    outputs: list = field(default_factory=list)
    layer: object = None
    parameters: frozenset = frozenset()
    keys: int | None = None
    attends: bool = False
    within: tuple = ()

    @property
    def scopes(self) -> tuple[str, ...]:
        """Names that say in which modules it is: that of the innermost, and those ``within``."""
        return (self.scope, *self.within)

    @property
    def where(self) -> str:
        """The operation and the module that performs it, for messages."""
        name = self.name if "." in self.name else f"aten.{self.name}"
        return f"operation {name} in module {self.scope or '(the model itself)'!r}"


@dataclass
class Image:
    """A tensor of the input whose pixels are followed: its shape, and where its axes begin."""

    shape: tuple
    dtype: torch.dtype | None = None
    first: int = 2


@dataclass(repr=False)
class Trace:
    """What a run recorded: images, calls in order, outputs, their names; what modules returned."""

    sources: list
    calls: list
    outputs: list
    names: list
    results: list = field(default_factory=list)     # (module, values), call by call


COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
BLANKS = {"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"}
EMPTIES = {"empty_like", "rand_like", "randn_like", "randint_like", "new_empty",
           "new_empty_strided"}
"""Operations that take nothing but the shape and type of a tensor."""

WHOLE = {"linear", "matmul", "einsum", "pad", "lstm", "rnn_tanh", "rnn_relu", "gru", "cdist",
         "scaled_dot_product_attention", "rms_norm"}
"""Operations to be recorded as they are; other composite ones are broken into their parts."""

ONE_AT_A_TIME = threading.RLock()
"""Held by a run: what it switches off and on again belongs to the whole process."""


class _Reached(BaseException):
    """The module up to which the run was to go has run."""


class _Recorder(TorchDispatchMode):
    """Records every operation; knows which tensors depend on the input.

    Parameters
    ----------
    names : dict
        Identity of every module to its name.
    fakes : FakeTensorMode
    owners, lazy : dict
        Memory of every parameter to its name; identity of those that have no memory yet.
    """

    def __init__(self, names: dict, fakes: FakeTensorMode, owners: dict, lazy: dict) -> None:
        super().__init__()
        self.names, self.fakes, self.owners, self.lazy = names, fakes, owners, lazy
        self.modules = {*names.values()} - {""}
        self.stack, self.calls, self.results, self.known = [], [], [], {}
        self.memory = Memory(self.read_again)
        self.unknown = set()                        # memory that numbers were lost in
        self.failed, self.failure = ("", False), None

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function.namespace == "prim" or asks_shape(function):
            return function(*args, **kwargs)
        name = str(function.overloadpacket).removeprefix("aten.")
        if name in REWRITES:
            with self:
                result = REWRITES[name](self, function, args, kwargs)
            if result is not None:
                return result
        if is_composite(function) and not (name in WHOLE and _plain(name, args)):
            with self:
                return function._op_dk(COMPOSITE, *args, **kwargs)
        tensors = tensors_in((args, kwargs))
        written = written_by(function, args, kwargs)
        inputs = list(dict.fromkeys(filter(None, map(self.look_up, tensors))))
        if name in BLANKS | EMPTIES:
            return self.constant(function, _shapes_only(args), kwargs, [], [])
        if not inputs:
            return self.constant(function, args, kwargs, tensors, written)
        result = self.perform(function, args, kwargs, tensors, written)
        made = tensors_in(result)
        if not made and not written:
            raise UnsupportedOperation(f"{self.place(function)} turns a tensor into a number")
        call = Call(name.removesuffix("_") if written else name, *self.scope, function,
                    self.bind(function._schema, args, kwargs), inputs,
                    parameters=self.origin(tensors), within=self.within())
        self.calls.append(call)
        made = [x for x in made if all(x is not y for y in written)]
        for place, x in enumerate([*made, *written]):
            call.outputs.append(Value(tuple(x.shape), call))
            (self.memory.remember if place < len(made) else self.memory.write)(x, call.outputs[-1])
        return result

    def constant(self, function: object, args: tuple, kwargs: dict, tensors: list,
                 written: list) -> object:
        """Compute what does not depend on the input, with numbers if they are known."""
        if not all(self.numbers_known(x) for x in tensors):
            result = self.perform(function, args, kwargs, tensors, written)
            self.unknown.update(storage_of(x) for x in written if not isinstance(x, FakeTensor))
        else:
            result = function(*args, **kwargs)
        origin = self.origin(tensors)
        for x in [*tensors_in(result), *written]:
            self.memory.remember(x, None)
            if origin:
                self.known[id(x)] = origin
        return result

    def perform(self, function: object, args: tuple, kwargs: dict, tensors: list,
                written: list) -> object:
        """Run an operation on shapes; what is written to stays the tensor that it was."""
        first = tensors[0] if tensors else None
        if not isinstance(first, FakeTensor) and not written and _is_view(function):
            return function(*args, **kwargs)        # a view of real memory stays one
        with self.fakes:
            if isinstance(first, FakeTensor) and "batch_norm" in function.overloadpacket.__name__:
                others = [first.new_empty(0) for _ in function._schema.returns[1:]]
                return torch.empty_like(first), *others     # PyTorch takes 50 ms to find this out
            result = function(*args, **kwargs)
        returns = function._schema.returns
        return written[0] if len(written) == 1 == len(returns) and returns[0].alias_info else result

    def numbers_known(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor has numbers that are those of the module's own run."""
        return not isinstance(tensor, FakeTensor) and (
            not self.unknown or storage_of(tensor) not in self.unknown)

    def origin(self, tensors: list) -> frozenset:
        """Names of the parameters from which constants were computed."""
        found = set()
        for x in tensors:
            if id(x) in self.known:
                found |= self.known[id(x)]
            elif x not in self.memory or self.memory.values[id(x)] is None:
                place = self.memory.storage(x)
                if id(x) in self.lazy:              # it has got its memory by now
                    self.owners[place] = self.lazy[id(x)]
                found.update(filter(None, [self.owners.get(place)]))
        return frozenset(found)

    @property
    def scope(self) -> tuple[str, bool]:
        """Name of the module that is running, and whether it has no submodules."""
        return self.stack[-1] if self.stack else ("", False)

    def within(self) -> tuple[str, ...]:
        """Modules that are running, in which the scope does not lie by its name."""
        scope = f"{self.scope[0]}."
        return tuple(name for name, _ in self.stack if name in self.modules
                     and not scope.startswith(f"{name}."))

    def bind(self, schema: object, args: tuple, kwargs: dict) -> dict:
        """Arguments by name with their defaults, values in place of tensors that depend."""
        bound = {}
        for place, spec in enumerate(schema.arguments):
            given = args[place] if place < len(args) else kwargs.get(spec.name, spec.default_value)
            many = isinstance(given, (list, tuple))
            bound[spec.name] = [self.named(x) for x in given] if many else self.named(given)
        return bound

    def named(self, entry: object) -> object:
        """One argument, a value in place of a tensor that depends on the input."""
        value = self.memory.values.get(id(entry))
        if value is None and isinstance(entry, torch.Tensor) and not self.numbers_known(entry):
            with self.fakes:                        # numbers that are not true must not be read
                return entry if isinstance(entry, FakeTensor) else torch.empty_like(entry)
        return entry if value is None else value

    def look_up(self, tensor: torch.Tensor) -> Value | None:
        """The value of a tensor, None if it does not depend on the input."""
        return self.memory.read(tensor) if tensor in self.memory else None

    def read_again(self, values: list, layouts: tuple, layout: tuple) -> Value:
        """Record that a tensor is read after its memory was written to."""
        call = Call("strided", *self.scope, None, {
            "values": values, "layouts": layouts, "layout": layout},
            list(dict.fromkeys(v for v in values if v is not None)), within=self.within())
        call.outputs.append(Value(layout[0], call))
        self.calls.append(call)
        return call.outputs[0]

    def place(self, function: object) -> str:
        """An operation and the module that performs it, for messages."""
        return f"operation {function} in module {self.scope[0] or '(the model itself)'!r}"


def tensors_in(tree: object) -> list[torch.Tensor]:
    """All tensors of nested containers."""
    return [x for x in pytree.tree_leaves(tree) if isinstance(x, torch.Tensor)]


def written_by(function: object, args: tuple, kwargs: dict) -> list[torch.Tensor]:
    """The tensors among its arguments that an operation writes to."""
    written = []
    for place, spec in enumerate(function._schema.arguments):
        if spec.alias_info is not None and spec.alias_info.is_write:
            written += tensors_in(args[place] if place < len(args) else kwargs.get(spec.name))
    return written


@cache
def is_composite(function: object) -> bool:
    """Whether an operation is defined by other ones."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(function.name(),
                                                          "CompositeImplicitAutograd")


@cache
def asks_shape(function: object) -> bool:
    """Whether an operation asks for a tensor's shape or layout, not for its numbers."""
    name = function.overloadpacket.__name__
    return name.startswith(("sym_", "is_", "size", "stride", "numel", "dim", "storage_offset"))


@cache
def _is_view(function: object) -> bool:
    infos = [spec.alias_info for spec in function._schema.returns]
    return any(info is not None and not info.is_write for info in infos)


def _plain(name: str, args: tuple) -> bool:
    """Whether a rule can take an operation as a whole: no vectors, no implicit axes."""
    if name == "matmul":
        return all(x.dim() > 1 for x in args[:2])
    return name != "einsum" or ("." not in args[0] and "->" in args[0])


def _shapes_only(args: tuple) -> tuple:
    """The same arguments with a tensor's shape and type, without its numbers."""
    like = args[0]
    return (torch.empty((), dtype=like.dtype, device=like.device).expand(like.shape), *args[1:])


@contextmanager
def _scopes(recorder: _Recorder, upto: nn.Module | None, reached: list) -> Iterator[None]:
    """Keep the recorder's stack of module names up to date, also where a module fails."""
    here = threading.get_ident()                    # the hooks are called in every thread

    def enter(module, _):
        if threading.get_ident() != here:
            return
        recorder.stack.append((recorder.names.get(id(module), type(module).__name__),
                               not {name for name, _ in module.named_children()}
                               - {"parametrizations"}))

    def leave(module, _, result):
        if threading.get_ident() != here:
            return
        values = [recorder.look_up(x) if id(x) in recorder.memory.values else None
                  for _, x in _tensors(result)]     # as they are now: it may have written to parts
        place, failure = recorder.stack.pop(), sys.exception()
        if failure is not None and failure is not recorder.failure:
            recorder.failed, recorder.failure = place, failure
        recorder.results.append((place[0], values))
        if module is upto:
            reached.append(result)
            raise _Reached

    with ExitStack() as handles:
        handles.callback(register_module_forward_pre_hook(enter).remove)
        handles.callback(register_module_forward_hook(leave, always_call=True).remove)
        yield


@contextmanager
def _surroundings() -> Iterator[None]:
    """Whatever the caller has switched on does not change the run, and is on again afterwards."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    with ONE_AT_A_TIME, ExitStack() as stack:
        silent, fast = log.disabled, torch.backends.mha.get_fastpath_enabled()
        stack.enter_context(generators_kept())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.autocast("cpu", enabled=False))
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        if torch.empty(0).device.type == "meta":
            stack.enter_context(torch.device("cpu"))
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        stack.callback(setattr, log, "disabled", silent)
        torch.backends.mha.set_fastpath_enabled(False)  # fused encoders hide what they compute
        log.disabled = True                             # errors are reported anyway
        yield


def trace(model: nn.Module, args: tuple, kwargs: dict, upto: str | None = None) -> Trace:
    """Record what a module does.

    Parameters
    ----------
    model : torch.nn.Module
        Left as it is: a private copy runs, in evaluation mode.
    args, kwargs : tuple, dict
        Its arguments, with an `Image` in place of each tensor that is to be followed.
    upto : str, optional
        Name of the module whose output is taken for the network's.

    Returns
    -------
    Trace

    Raises
    ------
    UnsupportedOperation
        If the run leaves PyTorch (NumPy, ``.item()``).
    ValueError
        If the module cannot be copied, or refuses such an input.
    """
    fakes, sources, reached = FakeTensorMode(allow_non_fake_inputs=True), [], []
    with _surroundings():
        private, owners = sealed(model, fakes)
        anchor = next((p for p in private.parameters() if p.is_floating_point() or p.is_complex()),
                      torch.zeros(()))
        recorder = _Recorder({id(m): name for name, m in private.named_modules()}, fakes, owners, {
            id(p): name for name, p in private.named_parameters() if is_lazy(p)})

        def made(entry):
            if not isinstance(entry, Image):
                return entry.detach().clone() if isinstance(entry, torch.Tensor) else entry
            with fakes:
                image = torch.empty(entry.shape, dtype=entry.dtype or anchor.dtype,
                                    device=anchor.device)
            sources.append(Value(tuple(entry.shape), first=entry.first))
            recorder.memory.remember(image, sources[-1])
            return image

        args, kwargs = pytree.tree_map(made, (tuple(args), kwargs))
        target = None if upto is None else private.get_submodule(upto)
        with (_scopes(recorder, target, reached), torch._C._AutoDispatchBelowAutograd(), recorder,
              NoNumbers(recorder)):
            result = _run(private, args, kwargs, recorder, reached)
    if upto is not None and not reached:
        raise ValueError(f"upto={upto!r}: this module does not run")
    found = [(".".join(path) or "output", recorder.look_up(x)) for path, x in _tensors(result)]
    found = [(name, value) for name, value in found if value is not None]
    if not found:
        raise UnsupportedOperation(f"{type(model).__name__} returned {type(result).__name__} with "
                                   "no tensor that depends on the input, also not in tuples, "
                                   "lists, dictionaries or data classes")
    names, outputs = zip(*found, strict=True)
    return Trace(sources, recorder.calls, list(outputs), list(names), recorder.results)


def _tensors(result: object, path: tuple = (), around: tuple = ()) -> Iterator[tuple]:
    """Tensors in what a module returned, each with its place: ("0",), ("maps", "2")."""
    inside = ()
    if isinstance(result, torch.Tensor):
        yield path, result
    elif isinstance(result, Mapping):
        inside = result.items()
    elif is_dataclass(result) and not isinstance(result, type):
        inside = vars(result).items()
    elif isinstance(result, (tuple, list)):
        inside = zip(getattr(result, "_fields", range(len(result))), result, strict=True)
    elif type(result) in pytree.SUPPORTED_NODES:    # what others have told PyTorch how to open
        inside = enumerate(pytree.tree_leaves(result))
    for key, part in inside:
        if not any(part is whole for whole in (*around, result)):
            yield from _tensors(part, (*path, str(key)), (*around, result))


def _run(model: Callable, args: tuple, kwargs: dict, recorder: _Recorder, reached: list) -> object:
    """The module's result, or an explanation of its failure."""
    try:
        return model(*args, **kwargs)
    except _Reached:
        return reached[0]
    except UnsupportedOperation:
        raise
    except Exception as error:
        module = recorder.failed[0] if error is recorder.failure else ""
        raise explained(error, module, [tuple(x.shape) for x in tensors_in((args, kwargs))],
                        any(call.parameters for call in recorder.calls)) from error


def select_outputs(recorded: Trace, outputs: object) -> None:
    """Keep some outputs of a trace, by name or number."""
    wanted = [outputs] if isinstance(outputs, (str, int)) else list(outputs)
    kept = []
    for key in wanted:
        if isinstance(key, int) and -len(recorded.names) <= key < len(recorded.names):
            kept.append(key % len(recorded.names))
        elif key in recorded.names:
            kept.append(recorded.names.index(key))
        else:
            raise ValueError(f"outputs={key!r}: there are {len(recorded.names)}, named "
                             f"{', '.join(recorded.names)}")
    if not kept:
        raise ValueError("outputs: name at least one")
    recorded.names = [recorded.names[i] for i in kept]
    recorded.outputs = [recorded.outputs[i] for i in kept]
    needed, todo = set(), list(recorded.outputs)
    while todo:
        value = todo.pop()
        if value not in needed:
            needed.add(value)
            todo += value.call.inputs if value.call else ()
    recorded.calls = [call for call in recorded.calls if needed & set(call.outputs)]
