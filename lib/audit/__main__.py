"""Audit a network from the command line: ``python -m lib.audit package.module:factory``."""

from __future__ import annotations

import argparse
import difflib
import importlib
import inspect
import json
import sys

import torch

from . import UnsupportedOperation, audit


def parse_size(text):
    """``224``, ``224x160`` or, for a sequence, ``1000x`` as a tuple of axes.

    Examples
    --------
    >>> parse_size("224"), parse_size("224x160"), parse_size("1000x")
    ((224, 224), (224, 160), (1000,))
    """
    parts = [part for part in text.lower().split("x") if part]
    if not parts or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write 224, 224x160, or 1000x for "
                                         "one axis")
    sizes = tuple(int(part) for part in parts)
    return sizes * 2 if len(sizes) == 1 and not text.lower().endswith("x") else sizes


def load(target):
    """The module that ``package.module:factory`` returns.

    Raises
    ------
    ValueError
        With a message that says what is missing.
    """
    module_name, colon, path = target.partition(":")
    if not colon or not path:
        raise ValueError(f"{target!r}: write package.module:factory")
    sys.path.insert(0, "")
    try:
        found = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(f"cannot import {module_name!r}: {error}") from error
    for name in path.split("."):
        if not hasattr(found, name):
            near = difflib.get_close_matches(name, dir(found), n=5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise ValueError(f"{module_name!r} has no {path!r}{hint}")
        found = getattr(found, name)
    if isinstance(found, torch.nn.Module):
        return found
    if not callable(found):
        raise ValueError(f"{target!r} is a {type(found).__name__}: neither a module nor a function "
                         "that returns one")
    missing = _required(found)
    if missing:
        raise ValueError(f"{target!r} needs arguments ({', '.join(missing)}): name a function that "
                         "needs none")
    model = found()
    if not isinstance(model, torch.nn.Module):
        raise ValueError(f"{target!r} returned a {type(model).__name__}, not a torch.nn.Module")
    return model


def _required(function):
    """Names of the arguments without which a function cannot be called."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:                              # some built-in functions tell no signature
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]


def main(arguments=None):
    """Print the audit; exit code 2 with one line on standard error if there is none."""
    parser = argparse.ArgumentParser(prog="python -m lib.audit", description=(
        "Receptive fields, alignment, overlap degree and rank bounds of a torch.nn.Module."))
    parser.add_argument("target", help="package.module:factory, a module or what returns one")
    parser.add_argument("--size", type=parse_size, default=(224, 224),
                        help="input size: 224, 224x160, or 1000x for one axis")
    parser.add_argument("--channels", type=int, help="input channels, if not those of the first "
                                                     "layer")
    parser.add_argument("--json", action="store_true", help="print the layers as JSON")
    options = parser.parse_args(arguments)
    try:
        found = audit(load(options.target), options.size, options.channels)
        found.name = options.target
    except (TypeError, ValueError, UnsupportedOperation) as error:
        print(f"lib.audit: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(found.records(), indent=1))
    else:
        print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
