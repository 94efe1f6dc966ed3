"""A private copy of a module, so that an audit never touches the module itself.

Whatever a run does to attributes, buffers, caches or lazy parameters, it does to the copy. Large
parameters are copied without their numbers, which an audit never needs; small tensors keep
theirs, because models compute with them (strides, index tables, window masks).
"""

from __future__ import annotations

import copy
from types import CellType, FunctionType

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.parameter import UninitializedTensorMixin

KNOWN_PARAMETER, KNOWN_TENSOR = 2 ** 12, 2 ** 24    # up to so many entries keep their numbers
HOOKS = ("_forward_hooks", "_forward_pre_hooks")


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
    memo, kept = {}, []                             # what `deepcopy` is to use instead of copying
    for module in model.modules():
        for tensor in _tensors(vars(module), set()):
            if id(tensor) not in memo:
                memo[id(tensor)] = _stand_in(tensor, fakes)
                kept.append(tensor)
    try:
        for module in reversed([*model.modules()]):
            if hasattr(module, "_orig_mod"):        # torch.compile wraps a module
                memo[id(module)] = copy.deepcopy(module._orig_mod, memo)
        private = copy.deepcopy(model, memo)
    except Exception as error:
        raise ValueError(f"{type(model).__name__} cannot be copied, and an audit never runs the "
                         f"original ({type(error).__name__}: {error})") from error
    for module in private.modules():
        module.__dict__.pop("_compiled_call_impl", None)
        for table in (vars(module), *(vars(module).get(name, {}) for name in HOOKS)):
            for key, value in table.items():
                if isinstance(value, FunctionType):
                    table[key] = _rebuilt(value, memo)
    try:
        private.eval()
    except NotImplementedError:                     # an exported program has its mode built in
        for module in private.modules():
            module.training = False
    return private, _owners(model, private)


def _tensors(entry: object, seen: set[int]) -> list[torch.Tensor]:
    """Tensors in plain containers; deepcopy would refuse those that have a gradient's history."""
    if isinstance(entry, torch.Tensor):
        return [entry]
    if not isinstance(entry, (dict, list, tuple, set)) or id(entry) in seen:
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


def _rebuilt(function: FunctionType, memo: dict) -> FunctionType:
    """A function that holds on to modules or containers, holding on to their copies instead."""
    def own(entry: object) -> object:
        if isinstance(entry, FunctionType):
            return _rebuilt(entry, memo)
        return copy.deepcopy(entry, memo) if isinstance(entry, held) else entry

    held = (nn.Module, list, dict, set)
    if id(function) in memo:                        # it calls itself
        return memo[id(function)]
    names = [n for n in function.__code__.co_names if isinstance(function.__globals__.get(n), held)]
    if not names and not function.__closure__:
        return function
    cells = tuple(CellType() for _ in function.__closure__ or ())
    scope = function.__globals__ | {n: own(function.__globals__[n]) for n in names}
    twin = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, cells)
    twin.__kwdefaults__ = function.__kwdefaults__
    memo[id(function)] = twin
    for cell, old in zip(cells, function.__closure__ or (), strict=True):
        try:
            cell.cell_contents = own(old.cell_contents)
        except ValueError:                          # an empty cell
            continue
    return twin


def _owners(model: nn.Module, private: nn.Module) -> dict[int, str]:
    """Memory of every parameter of the copy to the name of the original's parameter."""
    originals = {name.replace("_orig_mod.", ""): parameter
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
