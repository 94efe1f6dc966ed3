"""How many small errors in `lib` the tests would notice: mutants, drawn at random with a seed.

A mutant is `lib` with one operator, number, keyword or statement changed. The changes are those of
Cosmic Ray, and two of our own; `[tool.mutants]` in pyproject.toml says how many are drawn where.
`mutant_runs.py` runs them: Cosmic Ray itself starts one process per mutant, which here means ten
seconds of imports each.

    python -m lib.benchmarks.mutants run FOLDER        draw and run; goes on where it stopped
    python -m lib.benchmarks.mutants left              what has no verdict in mutants.yml yet
    python -m lib.benchmarks.mutants table             the figures of book/mutants.md

To run needs POSIX (`os.fork`) and requirements-mutants.txt.
"""

import ast
import json
import random
import re
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

from ..options import Parser, may_be_cut_short

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
RESULTS, VERDICTS = HERE / "mutants.jsonl", HERE / "mutants.yml"


# Which changes there are

def statement_lines(tree):
    """For every line the lines of the innermost statement (without its body) that holds it."""
    found = {}
    for node in ast.walk(tree):                     # outer statements come first
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
            for line in range(node.lineno, last + 1):
                found[line] = (node.lineno, last)
    return found


def annotations(tree):
    """Positions of everything inside annotations: a change there changes nothing."""
    roots = [part for node in ast.walk(tree) for part in
             (getattr(node, "annotation", None), getattr(node, "returns", None)) if part]
    return [((root.lineno, root.col_offset), (root.end_lineno, root.end_col_offset))
            for root in roots]


def own_changes(source, tree):
    """Keywords dropped from calls, statements that are only calls or updates dropped."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(line, column):
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg is None:
                    continue
                start = offset(keyword.lineno, keyword.col_offset)
                end = offset(keyword.end_lineno, keyword.end_col_offset)
                after = re.match(r"\s*,\s*", source[end:])
                before = re.search(r",\s*$", source[:start])
                first, last = ((start, end + after.end()) if after else
                               (before.start(), end) if before else (start, end))
                yield ("DropKeyword", keyword.lineno, keyword.col_offset,
                       source[:first] + source[last:])
        dropped = isinstance(node, ast.AugAssign | ast.Raise) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        if dropped:
            start = offset(node.lineno, node.col_offset)
            end = offset(node.end_lineno, node.end_col_offset)
            yield ("DropStatement", node.lineno, node.col_offset,
                   source[:start] + "pass" + source[end:])


def changes(path):
    """Places of one file where something can be changed, each with its possible changes.

    Returns
    -------
    dict
        (line, column, kind) to a list of (operator, occurrence); Cosmic Ray offers eleven
        replacements for one `+` and two for a number, so a place is drawn first, then a change.
    """
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    source = path.read_text(encoding="utf-8")
    spans = annotations(ast.parse(source))
    nodes = list(ast_nodes(get_ast(source)))
    signs = [node for node in nodes
             if node.type in ("operator", "comparison", "factor", "not_test")]
    found = defaultdict(list)
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments():
            continue
        occurrence = 0
        # two hundred operators: those that put one sign for another need not look at everything
        for node in signs if "_" in name else nodes:
            for (line, column), _ in operator().mutation_positions(node):
                kind = re.match("[A-Za-z]+", name.split("/")[1])[0].removesuffix("_")
                if not any(start <= (line, column) <= end for start, end in spans):
                    found[line, column, kind].append((name, occurrence))
                occurrence += 1
    for occurrence, (name, line, column, _) in enumerate(own_changes(source, ast.parse(source))):
        found[line, column, name].append((f"own/{name}", occurrence))
    return dict(found)


def mutated(source, operator, occurrence):
    """The source with one change."""
    if operator.startswith("own/"):
        return list(own_changes(source, ast.parse(source)))[occurrence][3]
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    return mutate_code(source, get_operator(operator)(), occurrence)


def draw(seed, stratum, count, root, cache=None):
    """A random sample of the mutants of a stratum: places first, then one change of each.

    Parameters
    ----------
    cache : Path, optional
        A folder that keeps the changes of every file: finding them takes half a minute.
    """
    generator, places = random.Random(f"{seed} {stratum}"), []
    for folder in settings()["strata"][stratum][1]:
        for path in sorted((root / "lib" / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            stored = cache and cache / (name.replace("/", "-") + ".json")
            if stored and stored.exists():
                found = json.loads(stored.read_text(encoding="utf-8"))
            else:
                found = [[*place, options] for place, options in sorted(changes(path).items())]
                if stored:
                    stored.parent.mkdir(parents=True, exist_ok=True)
                    stored.write_text(json.dumps(found), encoding="utf-8")
            places += [(name, *place) for place in found]
    sample = []
    for path, line, column, _, options in generator.sample(places, count):
        operator, occurrence = generator.choice(options)
        sample.append({"seed": seed, "stratum": stratum, "path": path, "line": line,
                       "column": column, "operator": operator, "occurrence": occurrence})
    return sample


def settings():
    """The table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutants"]


def name_of(mutant):
    """A name that fits into one line of mutants.yml."""
    operator = mutant["operator"].split("/")[1]
    return f"{mutant['path']}:{mutant['line']}:{mutant['column']} {operator} {mutant['occurrence']}"


def read(path):
    """The entries of a results file, none if there is none."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def verdicts():
    """What a person found out about mutants that a run left: name to verdict and reason.

    Where samples left different mutants of one name, the seed and a space stand before it.
    """
    from ..course.lists import load_list  # a mutant that stands twice would lose a verdict

    return load_list(VERDICTS) or {}


def outcome(entry, judged):
    """One word for one mutant: noticed, equivalent, closed, open, undecided or invalid.

    A mutant that no test of its run noticed is what mutants.yml says: noticed by tests that the run
    did not reach, equivalent, a hole that a new test has closed since, or one that is still open.
    """
    if entry["outcome"] in ("killed", "timeout"):
        return "noticed"
    if entry["outcome"] == "invalid":
        return "invalid"
    return judgement(entry, judged)["verdict"]


def judgement(entry, judged):
    """Verdict and reason of one mutant that a run left."""
    return judged.get(f"{entry['seed']} {entry['name']}") or judged.get(
        entry["name"], {"verdict": "undecided"})


def judged_together(entries, judged):
    """Names with a verdict under which samples left different mutants: the library has changed."""
    found = defaultdict(set)
    for entry in entries:
        if entry["outcome"] not in ("killed", "timeout", "invalid") and (
                f"{entry['seed']} {entry['name']}" not in judged):
            found[entry["name"]].add((entry.get("before"), entry.get("after")))
    return [name for name, ways in found.items() if len(ways) > 1 and name in judged]


def table(entries, judged):
    """Rows of Markdown: per sample and stratum what became of its mutants."""
    rows = ["| Sample | Part | Tried | Noticed | Equivalent | Holes | Undecided | Noticed of the "
            "rest |", "|---|---|---|---|---|---|---|---|"]
    for seed in sorted({entry["seed"] for entry in entries}):
        for stratum in settings()["strata"]:
            words = Counter(outcome(entry, judged) for entry in entries
                            if (entry["seed"], entry["stratum"]) == (seed, stratum))
            tried = words.total() - words["invalid"]
            holes = words["closed"] + words["open"]
            rest = tried - words["equivalent"]
            if tried:
                rows.append(f"| {seed} | {stratum} | {tried} | {words['noticed']} | "
                            f"{words['equivalent']} | {holes} | {words['undecided']} | "
                            f"{100 * words['noticed'] / rest:.1f} % |")
    return rows


def listed(entries, judged, *kinds):
    """Rows of Markdown: the mutants of some verdicts, each with its reason."""
    rows = ["| Where | Before | After | Why |", "|---|---|---|---|"]
    for entry in entries:
        if entry["outcome"] not in ("killed", "timeout") and outcome(entry, judged) in kinds:
            before, after = (f"`` {entry[key]} ``".replace("|", "\\|")
                             for key in ("before", "after"))
            rows.append(f"| {entry['path'].removeprefix('lib/')}:{entry['line']} | {before} | "
                        f"{after} | {judgement(entry, judged)['why']} |")
    return rows


def main(arguments=None):
    parser, strata = Parser(description=__doc__.splitlines()[0]), list(
        settings()["strata"])
    parser.add_argument("command", choices=["run", "left", "table"])
    parser.add_argument("folder", type=Path, nargs="?", help="of a run; default _build/mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300, help="mutants of a sample of all strata")
    parser.add_argument("--strata", nargs="+", action="extend", choices=strata)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--traced", action="store_true", help="first run every test once and see "
                        "which lines it executes: pays for samples of more than some hundred")
    parser.add_argument("--limit", type=float, default=1000, help="leave a mutant undecided after "
                        "so many seconds of processor time")
    options = parser.parse_args(arguments)
    if options.command != "run" and not options.results.is_file():
        parser.error(f"--results {options.results}: there is no such file")
    if options.command != "run" and (options.folder or options.traced or options.strata
                                     or parser.given.keys() - {"results"}):
        parser.error(f"{options.command} reads a file, named by --results: all else is for run")
    entries, judged = read(options.results), verdicts()
    if together := judged_together(entries, judged):
        parser.error(f"{together[0]}: samples left different mutants of this name, for which one "
                     f"verdict stands in {VERDICTS.name}; write the seed and a space before it")
    if options.command == "table":
        return print("\n".join([*table(entries, judged), "",
                                *listed(entries, judged, "closed", "open"), "",
                                *listed(entries, judged, "equivalent")]))
    if options.command == "left":
        for entry in entries:
            if outcome(entry, judged) == "undecided":
                print(f"{entry['name']}\n  - {entry['before']}\n  + {entry['after']}")
        return None
    from .mutant_runs import run

    folder = options.folder or ROOT / "_build" / "mutants"
    run(folder.resolve(), options.seed, options.count, options.strata or strata,
        options.results.resolve(), options.traced, options.limit)


if __name__ == "__main__":
    with may_be_cut_short():
        main()
