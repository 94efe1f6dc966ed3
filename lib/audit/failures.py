"""What is said where a module's own code fails in a run on shapes alone."""

from __future__ import annotations

import re

from .memory import EARLIER, UnsupportedOperation

NUMBERS = ("DataDependent", "DynamicOutput", "FakeTensor", "fake tensor", "tensor subclasses",
           "'quantized::")
"""Signs of PyTorch's errors that numbers were asked for."""

BATCH = "would take the batch for channels"


class ModelFailure(ValueError):
    """An error of a model's own code: another input may do; all else that is refused stays so.

    ``reached`` says whether some layer with weights had taken its input before.
    """

    def __init__(self, message: str, reached: bool = False) -> None:
        super().__init__(message)
        self.reached = reached                      # the default is for pickle


def explained(error: Exception, module: str, shapes: list, reached: bool) -> Exception:
    """An error of the model's own code, with the module in which it happened."""
    where = f"module {module or '(the model itself)'!r}"
    lines = str(error).strip().splitlines()
    first, kind = lines[0] if lines else type(error).__name__, type(error).__name__
    given = re.search(r"no rule registered for (?:HigherOrderOperator|HOP) (\w+)", first)
    if given:
        return UnsupportedOperation(f"{where} calls {given[1].removesuffix('_impl')}, which runs "
                                    "functions that are given to it, and these are not followed; "
                                    "write what it does with plain operations, or stop before it: "
                                    f"{EARLIER}")
    if isinstance(error, RuntimeError) and "Device" not in f"{kind} {first}" and any(
            sign in f"{kind} {first}" for sign in NUMBERS):
        return UnsupportedOperation(f"{where} computes with the numbers in a tensor, not only with "
                                    f"its shape ({kind}: {first}); {EARLIER}")
    first = first.replace("FakeTensor", "Tensor")   # the class that the module would have met
    if lines and isinstance(error, (LookupError, AttributeError)):
        first = f"{kind}: {first}"                  # else a name alone, say
    many = "inputs of shapes " + ", ".join(map(str, shapes))
    return ModelFailure(f"{where} fails on "
                        f"{many if len(shapes) != 1 else f'an input of shape {shapes[0]}'}: "
                        f"{first}", reached)


def advice(failure: ModelFailure, words: bool, size: tuple[int, ...], channels: int) -> str:
    """What may help where a network fails on an image of guessed channels; empty if unknown.

    ``words`` says whether the network begins with a table of words.
    """
    text, reason = str(failure), str(failure).partition("): ")[2]
    if "forward() missing" in text or "NoneType" in reason:
        return "inputs= gives it all of its arguments"
    if words or "types: Long, Int" in text:
        return "inputs= takes tensors of integers"
    if BATCH in text or re.search(r"\b\d-?D\b", reason):
        return (f"size= gives {len(size)} {'axis' if len(size) == 1 else 'axes'}: give it one "
                "number for each axis of the data")
    if any(sign in reason for sign in ("to unpack", "indices for tensor", "'Tensor' object has")):
        return "inputs= gives it what it is called with, if that is not one image"
    if "positional argument" in reason or not (
            reason == "AssertionError" or re.search(r"(?<!\w)\d", reason)):
        return ""                                   # no size, no channels: a name, a type, a device
    if "mage size" in reason or failure.reached:
        return "" if "channels" in reason else (
            f"size= says how large an input is, here {' x '.join(map(str, size))}")
    return f"its {channels} channels were guessed; channels= says how many there are"
