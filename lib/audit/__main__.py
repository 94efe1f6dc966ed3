"""Audit a network from the command line: ``python -m lib.audit mynet.py:Net --size 224``.

Where the course is installed the same is called ``overlap-audit mynet.py:Net --size 224``.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import importlib
import importlib.util
import inspect
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import torch
from torch import nn

from ..checks import in_one_line
from ..options import Parser, discard_output
from . import Audit, UnsupportedOperation, audit, effective_field
from .report import markdown, wrapped

SCRIPT = "overlap-audit"                            # as pyproject.toml calls it
EXAMPLES = """\
three examples:

  What do the units of each layer see? A table, and below it what it amounts to:
    {command} torchvision.models:resnet50

  A class in a file of yours, with arguments, for gray images of 128 x 256 pixels, as CSV:
    {command} mynet.py:Net --args "10, width=64" --channels 1 --size 128x256 --format csv

  The pixels that one unit of a layer sees, in words and drawn over a photograph:
    {command} mynet.py:Net --box layer3 --unit "7,7" --picture unit.png --image cat.jpg

Nothing in the network is trained, and no weights are needed: what a unit can see follows from the
shapes alone. The file or package that TARGET names is imported, so it runs.

exit code: 0; 2 if an argument is wrong or the network fails on such an input; 3 if it uses an
operation that is not known here; 1 if nobody reads the output; 130 if interrupted."""


def command() -> str:
    """What this program was called by, or can be called by.

    Examples
    --------
    >>> command()
    'python -m lib.audit'
    """
    name = Path(sys.argv[0]).stem if sys.argv else ""
    return SCRIPT if name == SCRIPT else f"python -m {__package__}"


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
        if len(named) < len(call.keywords) or None in named:        # one name twice, two stars
            raise ValueError
        return [ast.literal_eval(entry) for entry in call.args], named
    except (SyntaxError, ValueError, AttributeError, TypeError):
        raise argparse.ArgumentTypeError(f"{text!r} are no arguments: write numbers, strings, "
                                         "lists or name=value, as in \"10, width=64\"") from None


def parse_inputs(text: str) -> tuple[torch.Tensor, ...]:
    """Tensors of given shapes, floating or, with ``:int``, of integers (zeros).

    Examples
    --------
    >>> [(tuple(x.shape), x.dtype) for x in parse_inputs("1x3x8x8, 1x5:int")]
    [((1, 3, 8, 8), torch.float32), ((1, 5), torch.int64)]
    """
    made = []
    for part in re.sub(r" *([x:,]) *", r"\1", text.strip()).split(","):   # "1x2 1x3" are two
        match = re.fullmatch(r"([1-9]\d*(?:x[1-9]\d*)*)(:int)?", part)
        if match is None:
            raise argparse.ArgumentTypeError(f"{part!r} is no input: write shapes as in "
                                             '"1x3x64x64, 1x20:int"')
        shape = tuple(map(int, match[1].split("x")))
        made.append(torch.zeros((), dtype=torch.long if match[2] else torch.float).expand(shape))
    return tuple(made)


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
        if args or kwargs:
            raise ValueError(f"{target!r} is a module already: leave --args out, or name the class "
                             "or function that makes it")
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
    except (Exception, SystemExit) as error:
        raise ValueError(f"{target!r} fails: {_one_line(error)}") from error
    if not isinstance(model, nn.Module):
        raise ValueError(f"{target!r} returned a {type(model).__name__}, not a torch.nn.Module")
    return model


def _imported(home: str) -> ModuleType:
    """A module by name, or a file."""
    file = Path(home)
    if file.suffix == ".py" and not file.is_file():
        raise ValueError(f"there is no file {home!r}")
    if file.suffix not in (".py", "") and file.is_file():       # weights, say, or a notebook
        raise ValueError(f"{home!r} is no Python file: name one in which the network is defined")
    sys.path.insert(0, str(file.parent.resolve()) if file.suffix == ".py" else "")
    options, sys.argv = sys.argv, [home]            # a script that reads options gets none of ours
    try:
        if file.suffix != ".py":
            return importlib.import_module(home)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        found = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(file.stem, found)
        spec.loader.exec_module(found)
        return found
    except (Exception, SystemExit) as error:
        hint = "" if "relative import" not in str(error) else (
            "; it is a part of a package: name it as package.module, from the folder that holds "
            "the package")
        if isinstance(error, SystemExit):           # as argparse does where an option is missing
            hint = "; it ends the program when it is imported"
        raise ValueError(f"cannot import {home!r}: {_one_line(error)}{hint}") from error
    finally:
        sys.argv = options


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


class _Parser(Parser):
    """Errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())} ({self.prog} --help lists the "
                     "options)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=command(), usage="%(prog)s TARGET [options]",
        epilog=EXAMPLES.format(command=command()), allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="What the units of a PyTorch network see: receptive fields through every\n"
                    "branch, strides, alignment, and what follows for the ranks of its shape.")
    add = parser.add_argument
    add("target", metavar="TARGET", help="package.module:name or file.py:name, of a module or of "
                                         "a class or function that makes one")
    add("--args", type=parse_arguments, default=([], {}), metavar="A,B,NAME=C",
        help="what to call it with, as in a call")
    add("--size", type=parse_size, help="input size: 224 (the default, a square), 224x160, or "
                                        "1000x for one axis")
    add("--channels", type=parse_channels, metavar="C",
        help="input channels, if not those of the first layer")
    add("--inputs", type=parse_inputs, action="extend", metavar="SHAPES",
        help='several inputs, or integers, instead of an image: "1x3x64x64, 1x20:int"')
    add("--upto", metavar="MODULE", help="stop at the output of this module")
    add("--outputs", action="append", metavar="NAMES",
        help="which outputs to report, by name or number")
    add("--ignore", default=[], action="append", metavar="WHAT",
        help="take these as local although they look at the whole map: gates,norms,attention")
    form = parser.add_mutually_exclusive_group().add_argument
    form("--format", choices=("text", "markdown", "csv", "html", "json"), default="text",
         help="text has lines of 100 characters; csv and json hold all numbers")
    form("--json", action="store_const", const="json", dest="format", help="--format json")
    add("--summary", action="store_true", help="as text, without the table of layers")
    add("--box", metavar="LAYER", help="only the pixels that one unit of this layer sees")
    add("--unit", metavar="I,J", help="place of this unit, by default the middle")
    add("--effective", action="store_true",
        help="with --box: also how many pixels hold 95 %% of its gradient")
    add("--picture", metavar="FILE", help="with --box: draw it (.png, .svg or .pdf)")
    add("--image", metavar="FILE", help="with --picture: over this image")
    return parser


def _listed(*texts: str) -> tuple[str, ...]:
    """Names behind one option, or behind several of it."""
    return tuple(filter(None, (name.strip() for text in texts for name in text.split(","))))


def report(options: argparse.Namespace) -> str:
    """What the command prints.

    Raises
    ------
    TypeError, ValueError, UnsupportedOperation
        As by `load` and `lib.audit.audit`.
    """
    beside = [name for name in ("unit", "effective", "picture") if getattr(options, name)]
    if beside and options.box is None:
        raise ValueError(f"--{' and --'.join(beside)} {'go' if len(beside) > 1 else 'goes'} with "
                         "--box")
    if options.image and not options.picture:
        raise ValueError("--image goes with --picture")
    if options.box is not None and options.format not in ("text", "json"):
        raise ValueError(f"--box has no form as {options.format}: text or json")
    if options.effective and options.inputs is not None:
        raise ValueError("--effective is measured on an image: give --size instead of --inputs; "
                         "a module around the network can give it anything else")
    if options.effective and options.outputs is not None:
        raise ValueError("--effective is measured with all outputs, in which a layer may run at "
                         "other times: leave --outputs out")
    if options.summary and (options.format != "text" or options.box is not None):
        raise ValueError("--summary is text" if options.box is None else
                         "--summary is of a network, --box of a unit: leave one out")
    model = load(options.target, *options.args)
    outputs = options.outputs and [int(name) if name.lstrip("-").isdecimal() else name
                                   for name in _listed(*options.outputs)]
    found = audit(model, options.size, options.channels, inputs=_as_its_weights(model, options),
                  upto=options.upto, outputs=outputs, ignore=_listed(*options.ignore))
    found.name = options.target
    if options.box is not None:
        return _box(model, found, options)
    if options.format == "json":
        return json.dumps(found.to_dict(), indent=1)
    if options.summary:
        return "\n".join([found.name, *wrapped(found.summary.splitlines())])
    if options.format == "markdown":
        return markdown(found)
    return str(found) if options.format == "text" else found.table(options.format)


def _as_its_weights(model: nn.Module, options: argparse.Namespace) -> tuple | None:
    """The inputs, floating ones of the type of the network's weights, as an image would be."""
    parameters = nn.Module.parameters(model)        # its own attribute of this name is for `audit`
    kinds = (p.dtype for p in parameters if p.is_floating_point())
    kind = next(kinds, torch.float)
    return options.inputs and tuple(
        torch.zeros((), dtype=kind).expand(x.shape) if x.is_floating_point() else x
        for x in options.inputs)


def _box(model: nn.Module, found: Audit, options: argparse.Namespace) -> str:
    """The pixels that one unit sees, in words or as JSON, perhaps drawn."""
    unit = None
    if options.unit is not None:
        places = _listed(options.unit)
        if not places or not all(place.isdecimal() for place in places):
            raise ValueError(f"--unit {options.unit!r}: write its place as 7,7")
        unit = tuple(map(int, places))
    box, seen = found.box(options.box, unit), None
    if options.effective:
        seen = effective_field(model, options.size or 224, options.box, box.unit,
                               channels=options.channels, upto=options.upto)
    if options.picture:
        _draw(box, found.size, options.picture, options.image)
    if options.format == "json":
        return json.dumps(vars(box) | ({"effective": seen.effective} if seen else {}))
    if seen is None:
        return str(box)
    whole = ", in which nothing is ignored," * bool(_listed(*options.ignore))
    pixels = " x ".join(map(str, seen.effective))
    return f"{box}\n95 % of its gradient{whole} is in {pixels} pixels."


def _pixels(file: str) -> object:
    """An image as people see it: turned as its camera says, as bright as it is."""
    from matplotlib.image import pil_to_array
    from PIL import Image, ImageOps

    with Image.open(file) as opened:
        image = ImageOps.exif_transpose(opened)
        return pil_to_array(image if image.mode[0] in "IF" else image.convert("RGBA"))


def _draw(box: object, size: tuple[int, ...], file: str, image: str | None) -> None:
    """A picture of the box over an image."""
    if len(size) != 2:
        raise ValueError(f"--picture draws images, not an input of {len(size)} axes")
    import matplotlib

    matplotlib.use("agg")
    plots = importlib.import_module("..plots.audit", __package__)
    try:
        below = _pixels(image) if image else None
        tall = 6 * size[0] / size[1]                # the title needs some room, a page has an end
        with plots.figure(6, min(max(1.8, tall), 12)) as (drawing, axes):
            axes.set_anchor("W")                    # a title begins where the image does
            plots.draw_unit(axes, box, size, below, f"unit {box.unit} of {box.layer}")
            drawing.savefig(file)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"--picture {file!r}: {_one_line(error)}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What a network prints or warns of while it is made does not get between the results."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield


def _as_options(message: str) -> str:
    """What a message calls ``upto=`` is ``--upto`` here."""
    return re.sub(r"(?<![\w.])(channels|ignore|inputs|outputs|size|upto)= ?", r"--\1 ", message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the audit; an exit code and one line on standard error if there is none."""
    options = _parser().parse_args(arguments)
    try:
        with _quiet():
            text = report(options)
        if sys.stdout is None:
            return 1
        with contextlib.suppress(AttributeError):   # on Windows a file has a few letters only
            sys.stdout.reconfigure(errors="xmlcharrefreplace" if options.format == "html"
                                   else "backslashreplace")
        print(text)
        sys.stdout.flush()
    except (MemoryError, TypeError, ValueError, UnsupportedOperation) as error:
        print(f"{command()}: {_as_options(in_one_line(error))}", file=sys.stderr)
        return 3 if isinstance(error, UnsupportedOperation) else 2
    except OSError as error:                        # `... | head`, or a full disk
        if not isinstance(error, BrokenPipeError):
            print(f"{command()}: {_one_line(error)}", file=sys.stderr)
        discard_output()
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
