"""A private copy of a module, so that an audit never touches the module itself.

Whatever a run does to attributes, buffers, caches or lazy parameters, it does to the copy. Large
parameters are copied without their numbers, which an audit never needs; small tensors keep
theirs, because models compute with them (strides, index tables, window masks).
"""

from __future__ import annotations

import copy
import inspect
import random
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from itertools import islice
from operator import is_
from types import CellType, CodeType, FunctionType, MethodType, ModuleType

import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.parameter import UninitializedTensorMixin
from torch.utils.data import DataLoader, Dataset

KNOWN_PARAMETER, KNOWN_TENSOR = 2 ** 12, 2 ** 24    # up to so many entries keep their numbers
CONTAINERS = (list, dict, set, deque)
GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState)
HOOKS = ("_forward_hooks", "_forward_pre_hooks")
Cached = type(lru_cache(lambda: None))


@contextmanager
def generators_kept() -> Iterator[None]:
    """What a run draws leaves the generators of PyTorch, Python and NumPy as they were."""
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())
        yield


def storage_of(tensor: torch.Tensor) -> int:
    """Identity of the memory of a tensor, shared by its views.

    Raises
    ------
    RuntimeError, NotImplementedError
        If the tensor has no such memory (sparse layouts).
    """
    return tensor.untyped_storage()._cdata


def sealed(model: nn.Module, fakes: FakeTensorMode) -> tuple[nn.Module, dict[int, str]]:
    """A copy of a module in evaluation mode, and which parameter each memory belongs to.

    Parameters
    ----------
    model : torch.nn.Module
        Left as it is.
    fakes : FakeTensorMode
        Makes the tensors without numbers.

    Returns
    -------
    module : torch.nn.Module
    owners : dict
        Memory of the copy's parameters to the parameter's name. Parameters that share memory in
        the model have one name.

    Raises
    ------
    ValueError
        If the module cannot be copied.
    """
    stand_in = partial(_stand_in, fakes=fakes)
    try:
        private = copied(model, stand_in)
    except Exception as error:
        raise ValueError(f"{type(model).__name__} cannot be copied, and an audit never runs the "
                         f"original ({_uncopied(model, stand_in)}{type(error).__name__}: {error})"
                         ) from error
    for module in private.modules():
        module.__dict__.pop("_compiled_call_impl", None)
    try:
        private.eval()
    except NotImplementedError:                     # an exported program has its mode built in
        for module in private.modules():
            module.training = False
    return private, _owners(model, private)


def _uncopied(model: nn.Module, stand_in: Callable) -> str:
    """The attribute that cannot be copied, for a message; empty if it is none of them."""
    for name, module in model.named_modules():
        for key in vars(module).keys() - vars(nn.Module()).keys():
            copies, part = _Copies(stand_in), vars(module)[key]
            try:
                copies.tensors_of({key: part})
                copy.deepcopy(part, copies.memo)
            except Exception:
                return f"attribute {key!r} of module {name or '(the model itself)'!r}: "
    return ""


def _tensors(entry: object, seen: set[int]) -> list[torch.Tensor]:
    """Tensors in plain containers; deepcopy would refuse those that have a gradient's history."""
    if isinstance(entry, torch.Tensor):
        return [entry]
    if not isinstance(entry, (tuple, *CONTAINERS)) or id(entry) in seen:
        return []
    seen.add(id(entry))
    parts = entry.values() if isinstance(entry, dict) else entry
    return [tensor for part in parts for tensor in _tensors(part, seen)]


def _stand_in(tensor: torch.Tensor, fakes: FakeTensorMode) -> torch.Tensor:
    """A tensor of the same shape that shares nothing with the original."""
    if isinstance(tensor, UninitializedTensorMixin):
        return type(tensor)(False, device=tensor.device, dtype=tensor.dtype)
    parameter = isinstance(tensor, nn.Parameter)
    small = tensor.numel() <= (KNOWN_PARAMETER if parameter else KNOWN_TENSOR)
    meta = tensor.device.type == "meta"
    if tensor.layout is torch.strided and (meta or not small) and not tensor.is_quantized:
        device = torch.device("cpu") if meta else tensor.device
        with fakes:
            twin = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype,
                                       device=device)
    else:
        twin = tensor.detach().clone()
    return nn.Parameter(twin, requires_grad=False) if parameter else twin


class _Copies:
    """Copies of modules, containers and objects, also of those that functions hold on to.

    `deepcopy` takes functions as they are: a hook, or a ``forward`` put in the place of another,
    would run the original's layers, and write to the original's lists. So would methods that look
    up names of their file.

    Parameters
    ----------
    stand_in : function
        From a tensor to what takes its place, or to None if it is copied as any object.
    """

    def __init__(self, stand_in: Callable) -> None:
        self.stand_in, self.memo = stand_in, {}     # what `deepcopy` is to use instead of copying
        self.kept, self.made, self.walked = [], set(), set()    # identities of what lives
        self.of_class = {}

    def tensors_of(self, entry: object) -> None:
        """Let what takes the place of the tensors in plain containers be known."""
        for tensor in _tensors(entry, set()):
            twin = None if id(tensor) in self.memo else self.stand_in(tensor)
            if twin is not None:
                self.memo[id(tensor)] = twin
                self.kept.append(tensor)

    def of(self, entry: object) -> object:
        """The copy of what a function holds on to."""
        if id(entry) in self.memo:
            return self.renewed(self.memo[id(entry)])
        if id(entry) in self.made or id(entry) in self.walked:  # a copy that wraps itself anew
            return self.renewed(entry)
        if isinstance(entry, nn.Module):
            for module in entry.modules():
                self.tensors_of(vars(module))
                for hook in [h for name in HOOKS for h in vars(module).get(name, {}).values()]:
                    keeper = getattr(hook, "__self__", hook)        # an object that is called
                    self.tensors_of({} if isinstance(keeper, nn.Module) else
                                    getattr(keeper, "__dict__", {}))
            for module in reversed([*entry.modules()]):
                if hasattr(module, "_orig_mod") and id(module) not in self.memo:
                    original = self.deep(module._orig_mod)
                    self.memo[id(module)] = original            # torch.compile wraps a module
            return self.renewed(self.deep(entry))
        if not isinstance(entry, CONTAINERS) and not _is_object(entry):
            return self.parts(entry, self.of)
        self.tensors_of([entry if isinstance(entry, CONTAINERS) else object.__getstate__(entry)])
        try:
            return self.renewed(self.deep(entry))
        except Exception:                           # a lock, an open file, a generator
            return self.shallow(entry)

    def deep(self, entry: object) -> object:
        """What `deepcopy` makes; nothing of it is kept where it refuses."""
        before = len(self.memo)
        try:
            twin = copy.deepcopy(entry, self.memo)
        except Exception:
            while len(self.memo) > before:
                self.memo.popitem()                 # the last one first
            raise
        new = islice(reversed(self.memo.values()), len(self.memo) - before)
        self.made |= {*map(id, new)} - self.walked
        return twin

    def shallow(self, entry: object) -> object:
        """A container copied part by part; an object that `deepcopy` refuses is left as it is."""
        if not isinstance(entry, (list, dict, deque)):
            return entry
        twin = self.memo[id(entry)] = copy.copy(entry)
        self.kept.append(entry)
        for key, part in [*(twin.items() if isinstance(twin, dict) else enumerate(twin))]:
            twin[key] = self.of(part)
        return twin

    def renewed(self, entry: object) -> object:
        """What `deepcopy` made, its functions holding on to copies, too."""
        plain = isinstance(entry, (list, dict, deque))
        if not plain and not isinstance(entry, nn.Module) and not _is_object(entry):
            return self.parts(entry, self.renewed)
        if id(entry) in self.made:                  # else it is the original's, too
            self.made.remove(id(entry))
            self.walked.add(id(entry))
            inside = entry if plain else getattr(entry, "__dict__", {})
            for key, part in [*(inside.items() if isinstance(inside, dict) else enumerate(inside))]:
                new = self.renewed(part)
                if new is not part:
                    inside[key] = new
        return entry

    def parts(self, entry: object, part: Callable) -> object:
        """A function, a method, a weak reference or a tuple with other parts."""
        if isinstance(entry, FunctionType):
            return self.function(entry)
        if isinstance(entry, MethodType):
            function, owner = entry.__func__, part(entry.__self__)
            if getattr(type(owner), entry.__name__, None) is not function:
                function = part(function)
            same = function is entry.__func__ and owner is entry.__self__
            return entry if same else MethodType(function, owner)
        if isinstance(entry, partial):
            old = entry.func, entry.args, *entry.keywords.values()
            new = [part(x) for x in old]
            if all(map(is_, old, new)):
                return entry
            return partial(new[0], *new[1], **dict(zip(entry.keywords, new[2:], strict=True)))
        if isinstance(entry, Cached):               # `deepcopy` takes it as it is, as functions
            inner = self.of(entry.__wrapped__)
            return entry if inner is entry.__wrapped__ else (
                lru_cache(**entry.cache_parameters())(inner))
        if isinstance(entry, weakref.ref):          # to a module around this one, say
            twin = self.memo.get(id(entry()))
            return entry if twin is None else weakref.ref(twin)
        if isinstance(entry, tuple):
            new = [part(x) for x in entry]
            same = all(map(is_, entry, new))
            return entry if same else getattr(entry, "_make", tuple)(new)
        return entry

    def function(self, function: FunctionType) -> FunctionType:
        """A function that holds on to modules or containers, holding on to their copies instead."""
        if id(function) in self.memo:               # it calls itself
            return self.memo[id(function)]
        known = function.__globals__
        names = [n for n in _names(function.__code__)
                 if _holds(known.get(n), known, set()) or id(known.get(n)) in self.memo]
        given = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        if not names and not function.__closure__ and not any(
                _holds(entry, known, set()) for entry in given):
            return function
        cells = tuple(CellType() for _ in function.__closure__ or ())
        scope = dict(known)
        twin = FunctionType(function.__code__, scope, function.__name__, None, cells)
        self.memo |= {id(function): twin, id(twin): twin}
        self.kept += function, twin
        twin.__defaults__ = self.of(function.__defaults__)
        twin.__kwdefaults__ = function.__kwdefaults__ and {
            name: self.of(entry) for name, entry in function.__kwdefaults__.items()}
        scope |= {name: self.of(known[name]) for name in names}
        vars(twin).update((name, self.of(entry)) for name, entry in vars(function).items())
        for cell, old in zip(cells, function.__closure__ or (), strict=True):
            try:
                cell.cell_contents = self.of(old.cell_contents)
            except ValueError:                      # an empty cell
                continue
        return twin

    def methods(self, kind: type) -> list[tuple[str, FunctionType]]:
        """Methods of a class that look up modules, or what has been copied, in their file."""
        def shared(entry: object) -> bool:
            return isinstance(entry, nn.Module) or id(entry) in self.memo

        if kind not in self.of_class:
            self.of_class[kind] = found = []
            for name in {name for base in kind.__mro__ if base not in (nn.Module, object)
                         for name in vars(base)}:
                method = inspect.getattr_static(kind, name)
                inner = inspect.unwrap(method) if isinstance(method, FunctionType) else None
                if isinstance(inner, FunctionType) and not name.startswith("__"):
                    known = inner.__globals__
                    if any(_holds(known.get(n), known, set(), shared)
                           for n in _names(inner.__code__)):
                        found.append((name, method))
        return self.of_class[kind]


def copied(model: nn.Module, stand_in: Callable) -> nn.Module:
    """A copy of a module that runs no module and writes to no container that is not a copy, too.

    Only what methods find in their class or file is shared, unless it leads to modules: it may be
    somebody's data.

    Parameters
    ----------
    model : torch.nn.Module
    stand_in : function
        From a tensor to what takes its place, or to None if it is copied as any object.

    Returns
    -------
    torch.nn.Module
    """
    copies = _Copies(stand_in)
    private = copies.of(model)
    for module in private.modules():
        for name, method in copies.methods(type(module)):
            if name not in vars(module):
                vars(module)[name] = MethodType(copies.function(method), module)
    return private


def _names(code: CodeType) -> set[str]:
    """Names that a function looks up outside of itself, also in functions that it makes."""
    inner = (part for part in code.co_consts if isinstance(part, CodeType))
    return {*code.co_names}.union(*map(_names, inner))


def _is_object(entry: object) -> bool:
    """Whether something is an object that a run could write to, beside modules and containers.

    Data sets, files mapped into memory and large arrays are what a run reads; a copy of what ends
    something when it goes, as a folder of its own, would end it for the original.
    """
    if isinstance(entry, (type, ModuleType, FunctionType, MethodType, partial, Cached, weakref.ref,
                          nn.Module, Dataset, DataLoader, np.memmap, tuple, *CONTAINERS)):
        return False
    if isinstance(entry, (torch.Tensor, np.ndarray, *GENERATORS)):
        return not isinstance(entry, np.ndarray) or entry.size <= KNOWN_TENSOR
    kept = isinstance(getattr(entry, "__dict__", None), dict) or hasattr(type(entry), "__slots__")
    return kept and not hasattr(type(entry), "__del__")


def _is_held(entry: object) -> bool:
    return isinstance(entry, (nn.Module, *CONTAINERS)) or _is_object(entry)


def _holds(entry: object, home: dict, seen: set[int], held: Callable = _is_held) -> bool:
    """Whether something leads to modules or containers; functions do if defined in one ``home``."""
    if held(entry):
        return True
    inside = ()
    if isinstance(entry, tuple):
        inside = entry
    elif isinstance(entry, MethodType):
        inside = entry.__self__, entry.__func__
    elif isinstance(entry, partial):
        inside = entry.func, entry.args, *entry.keywords.values()
    elif isinstance(entry, FunctionType) and id(entry) not in seen:
        seen.add(id(entry))
        if inspect.unwrap(entry).__globals__ is home:       # not in a library
            given = *(entry.__defaults__ or ()), *(entry.__kwdefaults__ or {}).values()
            inside = *given, *(home.get(name) for name in _names(entry.__code__))
            if entry.__closure__ and held is _is_held:
                return True
    return any(_holds(part, home, seen, held) for part in inside)


def unwrapped(name: str) -> str:
    """The name in the copy, where modules that ``torch.compile`` has wrapped are bare."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def _owners(model: nn.Module, private: nn.Module) -> dict[int, str]:
    """Memory of every parameter of the copy to the name of the original's parameter."""
    originals = {unwrapped(name): parameter
                 for name, parameter in model.named_parameters(remove_duplicate=False)}
    names, owners = {}, {}
    for name, parameter in private.named_parameters(remove_duplicate=False):
        original = originals.get(name)
        if isinstance(parameter, UninitializedTensorMixin):
            continue
        if original is not None and not isinstance(original, UninitializedTensorMixin):
            name = names.setdefault(storage_of(original), name)
        owners[storage_of(parameter)] = name
    return owners
