"""A cell that is changed and run again after the whole notebook reads what it read at first."""

import dis
from types import CodeType

import pytest

from lib.course.notebooks import read_twin, twins

STORED = ("STORE_NAME", "STORE_GLOBAL")


def read_inside(code: CodeType) -> set[str]:
    """Names that a function, class or comprehension takes from the notebook."""
    steps = list(dis.get_instructions(code))
    own = {step.argval for step in steps if step.opname in STORED}  # of a class, or by :=
    read = {step.argval for step in steps if step.opname in ("LOAD_NAME", "LOAD_GLOBAL")} - own
    return read.union(*(read_inside(part) for part in code.co_consts if isinstance(part, CodeType)))


def names_of(source: str) -> tuple[set[str], set[str], dict[str, set[str]]]:
    """What a cell reads before it binds it, what it binds, and what its functions read."""
    read, bound, functions = set(), set(), {}
    for step in dis.get_instructions(compile(source, "cell", "exec")):
        if step.opname in STORED:
            bound.add(step.argval)
        elif step.opname == "LOAD_NAME":
            read |= {step.argval} - bound
        elif isinstance(step.argval, CodeType):
            if step.argval.co_name.startswith("<"):  # a comprehension or lambda, run where it is
                read |= read_inside(step.argval) - bound
                bound |= {inner.argval for inner in dis.get_instructions(step.argval)
                          if inner.opname in STORED}
            else:
                functions[step.argval.co_name] = read_inside(step.argval)
    return read, bound, functions


@pytest.mark.parametrize("path", twins(), ids=lambda path: path.stem)
def test_a_cell_that_is_run_again_after_all_others_reads_what_it_read_at_first(path):
    cells = [cell for cell in read_twin(path).cells if cell.cell_type == "code"]
    names = [names_of(cell.source) for cell in cells]
    functions = {}
    for k, (cell, (read, bound, defined)) in enumerate(zip(cells, names)):
        functions |= defined
        needed, called = set(read), [*read, *defined]
        while called:
            new = functions.get(called.pop(), set()) - needed - bound
            needed |= new
            called += new
        other = [name for name in sorted(needed)
                 if any(name in before for _, before, _ in names[:k])
                 and any(name in after for _, after, _ in names[k:])]
        assert not other, f"{cell.source[:200]}\n{other}: bound again later"
