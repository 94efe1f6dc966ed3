"""One run of a module on shapes alone, recorded as the list of tensor operations it performs.

Tracing happens below autograd, where PyTorch has already broken every layer and function into
primitive operations. It therefore sees functional calls, operators and control flow exactly as
the module executes them, and nothing needs to be guessed from the order of modules. Tensors are
fake: they have shapes and types but no numbers, so that a deep network takes about a second.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from .calls import Call, Trace, UnsupportedOperation, Value
from .memory import Memory

FACTORIES = {"zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like",
             "new_empty", "new_zeros", "new_ones", "new_full", "new_empty_strided"}
"""Operations that take nothing but the shape and type of a tensor."""


class _Recorder(TorchDispatchMode):
    """Records every operation; knows which tensors depend on the input."""

    def __init__(self, names):
        super().__init__()
        self.names, self.stack = names, []
        self.calls, self.constants = [], {}
        self.memory = Memory(self.calls)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function.namespace == "prim" or name_only(function):
            return function(*args, **kwargs)
        tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, torch.Tensor)]
        inputs = [self.look_up(x, function) for x in tensors]
        inputs = list(dict.fromkeys(v for v in inputs if v is not None))
        if function.overloadpacket.__name__ in FACTORIES:
            inputs = []
        result = function(*args, **kwargs)
        made = [x for x in tree_flatten(result)[0] if isinstance(x, torch.Tensor)]
        schema = function._schema
        written = [x for x, spec in zip(args, schema.arguments, strict=False)
                   if spec.alias_info is not None and spec.alias_info.is_write]
        written += [x for name, x in kwargs.items() for spec in schema.arguments
                    if spec.name == name and spec.alias_info and spec.alias_info.is_write]
        written = [x for x in tree_flatten(written)[0] if isinstance(x, torch.Tensor)]
        if not inputs:
            for x in made + written:
                self.memory.remember(x, None)
            if function.overloadpacket.__name__ == "lift_fresh":
                self.constants[id(made[0])] = args[0]   # the numbers of a literal list, say
            return result
        if not made and not written:
            raise UnsupportedOperation(f"{self.place(function)} turns a tensor into a number")
        name = function.overloadpacket.__name__
        call = Call(name.removesuffix("_") if written else name, *self.scope, function,
                    self.bind(schema, args, kwargs), inputs)
        self.calls.append(call)
        for x in written or made:
            value = Value(tuple(x.shape), call)
            call.outputs.append(value)
            (self.memory.write if written else self.memory.remember)(x, value)
        for x, y in zip(made, written, strict=False):
            if x is not y:
                self.memory.remember(x, self.memory.values[id(y)])
        return result

    @property
    def scope(self):
        """Name of the module that is running, and whether it has no submodules."""
        return self.stack[-1] if self.stack else ("", False)

    def bind(self, schema, args, kwargs):
        """Arguments by name with their defaults, values in place of tensors that depend."""
        bound = {}
        for place, spec in enumerate(schema.arguments):
            given = args[place] if place < len(args) else kwargs.get(spec.name, spec.default_value)
            if isinstance(given, (list, tuple)):
                bound[spec.name] = [self.named(x) for x in given]
            else:
                bound[spec.name] = self.named(given)
        return bound

    def named(self, entry):
        return self.memory.values.get(id(entry)) or self.constants.get(id(entry), entry)

    def look_up(self, tensor, function):
        """The value of a tensor, None if it does not depend on the input."""
        if tensor in self.memory:
            return self.memory.read(tensor, *self.scope)
        if isinstance(tensor, FakeTensor):
            raise UnsupportedOperation(f"{self.place(function)} reads a tensor of shape "
                                       f"{tuple(tensor.shape)} whose origin was not recorded")
        return None                                 # a parameter, a buffer or a stored constant

    def place(self, function):
        return f"operation {function} in module {self.scope[0] or '(the model itself)'!r}"


@contextmanager
def _scopes(recorder):
    """Keep the recorder's stack of module names up to date."""

    def enter(module, _):
        recorder.stack.append((recorder.names.get(id(module), type(module).__name__),
                               next(module.children(), None) is None))

    def leave(module, *_):
        recorder.stack.pop()

    with ExitStack() as handles:
        handles.callback(register_module_forward_pre_hook(enter).remove)
        handles.callback(register_module_forward_hook(leave).remove)
        yield


@contextmanager
def _evaluating(model):
    """Evaluation mode, no log of errors that are reported anyway; all as before afterwards."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    silent = log.disabled
    modes = [(module, module.training) for module in model.modules()]
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        model.eval()
        log.disabled = True
        torch.backends.mha.set_fastpath_enabled(False)  # fused encoders hide what they compute
        yield
    finally:
        log.disabled = silent
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, mode in modes:
            module.training = mode


def name_only(function):
    """Whether an operation asks for a tensor's shape or layout, not for its numbers."""
    name = function.overloadpacket.__name__
    return name.startswith(("sym_", "is_", "size", "stride", "numel", "dim", "storage_offset"))


def trace(model, shape):
    """Record what a module does to an input of a given shape.

    Parameters
    ----------
    model : torch.nn.Module
        Left as it is: evaluation mode is only for the run, and no weight is read.
    shape : tuple of int
        Shape of the input: (1, channels, *axes).

    Returns
    -------
    Trace

    Raises
    ------
    UnsupportedOperation
        If the run leaves PyTorch (NumPy, ``.item()``).
    ValueError
        If the module refuses an input of this shape.
    """
    anchor = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    recorder = _Recorder({id(module): name for name, module in model.named_modules()})
    with _evaluating(model), _scopes(recorder), torch.no_grad():
        with FakeTensorMode(allow_non_fake_inputs=True), recorder:
            image = torch.zeros(shape, dtype=anchor.dtype, device=anchor.device)
            source = Value(tuple(shape))
            recorder.memory.remember(image, source)
            try:
                result = model(image)
            except UnsupportedOperation:
                raise
            except Exception as error:
                raise _explained(error, recorder, shape) from error
    found = [x for x in tree_flatten(result)[0] if isinstance(x, torch.Tensor)]
    outputs = [recorder.look_up(x, "output") for x in found]
    outputs = [value for value in outputs if value is not None]
    if not outputs:
        raise UnsupportedOperation(f"{type(model).__name__} returned {type(result).__name__} with "
                                   "no tensor that depends on the input")
    return Trace(source, recorder.calls, outputs)


def _explained(error, recorder, shape):
    """An error of the model's own code, with the module in which it happened."""
    where = f"module {recorder.scope[0] or '(the model itself)'!r}"
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    kind = type(error).__name__
    signs = ("DataDependent", "DynamicOutput", "fake", "Fake", "tensor subclasses")
    if any(sign in f"{kind} {first}" for sign in signs):
        return UnsupportedOperation(f"{where} computes with the numbers in a tensor, not only with "
                                    f"its shape ({kind}: {first})")
    return ValueError(f"{where} fails on an input of shape {tuple(shape)}: {first}")
