"""Audit a network from the command line: ``python -m lib.audit mynet.py:Net --size 224``."""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from torch import nn

from . import UnsupportedOperation, audit, effective_field

COMMAND = f"python -m {__package__}"                # `lib` has another name where it is installed
EXAMPLES = f"""\
examples:
  {COMMAND} torchvision.models:resnet50
  {COMMAND} mynet.py:Net --args "10, width=64" --size 128x256 --channels 1
  {COMMAND} mynet.py:Net --format csv > layers.csv
  {COMMAND} mynet.py:Net --box layer3 --unit 7,7"""


def parse_size(text: str) -> tuple[int, ...]:
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


def parse_channels(text: str) -> int:
    """A positive integer.

    Examples
    --------
    >>> parse_channels("3")
    3
    """
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of channels: write 1, 3, ...")
    return int(text)


def parse_arguments(text: str) -> tuple[list, dict]:
    """Arguments as they would stand in a call, made of literals.

    Examples
    --------
    >>> parse_arguments("10, width=(2, 3), norm='batch'")
    ([10], {'width': (2, 3), 'norm': 'batch'})
    """
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        return [ast.literal_eval(entry) for entry in call.args], named
    except (SyntaxError, ValueError, AttributeError, TypeError):
        raise argparse.ArgumentTypeError(f"{text!r} are no arguments: write numbers, strings, "
                                         "lists or name=value, as in \"10, width=64\"") from None


def load(target: str, args: Sequence = (), kwargs: dict | None = None) -> nn.Module:
    """The module that ``package.module:factory`` or ``file.py:factory`` returns.

    Parameters
    ----------
    target : str
        A module, a subclass of ``torch.nn.Module`` or a function that returns a module, by place.
    args, kwargs : sequence, dict
        What to call it with.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        With one line that says what is missing.
    """
    home, colon, path = target.rpartition(":")
    if not colon or not path or not home:
        raise ValueError(f"{target!r}: write package.module:factory or file.py:factory")
    found = _imported(home)
    for name in path.split("."):
        if not hasattr(found, name):
            near = difflib.get_close_matches(name, dir(found), n=5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise ValueError(f"{home!r} has no {path!r}{hint}")
        found = getattr(found, name)
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise ValueError(f"{target!r} is a {type(found).__name__}: neither a module nor a function "
                         "that returns one")
    missing = _missing(found, args, kwargs or {})
    if missing:
        raise ValueError(f"{target!r} needs arguments ({', '.join(missing)}): give them with "
                         "--args, or name a function that needs none")
    try:
        model = found(*args, **(kwargs or {}))
    except Exception as error:
        raise ValueError(f"{target!r} fails: {_one_line(error)}") from error
    if not isinstance(model, nn.Module):
        raise ValueError(f"{target!r} returned a {type(model).__name__}, not a torch.nn.Module")
    return model


def _imported(home: str) -> ModuleType:
    """A module by name, or a file."""
    file = Path(home)
    if file.suffix == ".py" and not file.is_file():
        raise ValueError(f"there is no file {home!r}")
    sys.path.insert(0, str(file.parent.resolve()) if file.suffix == ".py" else "")
    try:
        if file.suffix != ".py":
            return importlib.import_module(home)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        found = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(file.stem, found)
        spec.loader.exec_module(found)
        return found
    except Exception as error:
        raise ValueError(f"cannot import {home!r}: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines and isinstance(error, ImportError) else ": ".join(
        [type(error).__name__, *lines[:1]])


def _missing(function: Callable, args: Sequence, kwargs: dict) -> list[str]:
    """Names of the arguments without which a function cannot be called."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:                              # some built-in functions tell no signature
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for place, p in enumerate(parameters) if p.default is p.empty
            and p.kind not in kinds and place >= len(args) and p.name not in kwargs]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=COMMAND, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Receptive fields, alignment, overlap degree and rank bounds of a "
                    "torch.nn.Module.")
    parser.add_argument("target", help="package.module:factory or file.py:factory, a module or "
                                       "what returns one")
    parser.add_argument("--args", type=parse_arguments, default=([], {}), metavar="A, B, NAME=C",
                        help="what to call the factory with, as in a call")
    parser.add_argument("--size", type=parse_size, default=(224, 224),
                        help="input size: 224, 224x160, or 1000x for one axis")
    parser.add_argument("--channels", type=parse_channels,
                        help="input channels, if not those of the first layer")
    parser.add_argument("--upto", metavar="MODULE", help="stop at the output of this module")
    parser.add_argument("--ignore", default="", metavar="gates,norms,attention",
                        help="what is taken as local although it looks at the whole map")
    parser.add_argument("--format", choices=("text", "markdown", "csv", "html", "json"),
                        default="text")
    parser.add_argument("--json", action="store_const", const="json", dest="format",
                        help="the same as --format json")
    parser.add_argument("--box", metavar="LAYER", help="only the pixels that one unit sees")
    parser.add_argument("--unit", metavar="I,J", help="place of this unit, by default the middle")
    parser.add_argument("--effective", action="store_true",
                        help="with --box: also how many pixels hold 95 %% of its gradient")
    return parser


def report(options: argparse.Namespace) -> str:
    """What the command prints.

    Raises
    ------
    TypeError, ValueError, UnsupportedOperation
        As by `load` and `lib.audit.audit`.
    """
    model = load(options.target, *options.args)
    ignore = tuple(filter(None, options.ignore.replace(" ", "").split(",")))
    found = audit(model, options.size, options.channels, upto=options.upto, ignore=ignore)
    found.name = options.target
    if options.box is not None:
        unit = None
        if options.unit is not None:
            places = options.unit.split(",")
            if not all(place.strip().isdecimal() for place in places):
                raise ValueError(f"--unit {options.unit!r}: write its place as 7,7")
            unit = tuple(map(int, places))
        box = found.box(options.box, unit)
        lines = [f"Unit {box.unit} of {box.layer} sees pixels {box.pixels}, without border "
                 f"{box.beyond}."]
        if options.effective:
            seen = effective_field(model, options.size, options.box, unit,
                                   channels=options.channels)
            lines.append(f"95 % of its gradient is in {' x '.join(map(str, seen.effective))} "
                         "pixels.")
        return "\n".join(lines)
    if options.unit is not None or options.effective:
        raise ValueError("--unit and --effective go with --box")
    if options.format == "json":
        return json.dumps(found.to_dict(), indent=1)
    return str(found) if options.format == "text" else found.table(options.format)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the audit; exit code 2 with one line on standard error if there is none."""
    options = _parser().parse_args(arguments)
    try:
        print(report(options))
        sys.stdout.flush()
    except (TypeError, ValueError, UnsupportedOperation) as error:
        print(f"{__package__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:                         # as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
