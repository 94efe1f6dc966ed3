"""Runs the mutants of `mutants.py`: one process collects every test once, children try mutants.

A copy of the repository, so that tests that start processes meet the mutant too. One process
imports torch and the library and collects all tests. For each mutant it forks; the child puts the
changed code in place of the function's (`__code__`) and runs the tests that execute the changed
line, the quickest first; where they see nothing, every file that starts processes. What is executed
at import cannot be put in place: those mutants get a child that imports everything anew. Time-outs
are in processor time: a busy machine kills nothing.
"""

import ast
import functools
import gc
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

from .mutants import ROOT, draw, mutated, name_of, read, settings, statement_lines

WARM = ("torch", "numpy", "scipy.stats", "scipy.sparse.csgraph", "scipy.optimize", "networkx",
        "matplotlib.pyplot", "hypothesis", "flint", "pytest", "requests", "tqdm", "nbformat")
PYTEST = ["-o", "addopts=", "-q", "-s", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist",
          "--doctest-modules", "-m", "not slow"]
SPAWNS = re.compile(r"subprocess\.|multiprocessing|Popen|spawn|workers=")


# Children

def in_child(folder, work, seconds):
    """Run `work()` in a forked child and return its value.

    Or "timeout" after that much processor time, or "crash" where the child ends without a value.
    """
    import resource  # POSIX alone has it

    out = folder / "answer.json"
    out.unlink(missing_ok=True)
    process = os.fork()
    if process == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
            log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            out.write_text(json.dumps(work()), encoding="utf-8")
            code = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    limit = time.monotonic() + 5 * seconds + 60         # waiting costs no processor time
    while (ended := os.waitpid(process, os.WNOHANG)) == (0, 0):
        if time.monotonic() > limit:
            os.killpg(process, signal.SIGKILL)
            ended = os.waitpid(process, 0)
            break
        time.sleep(0.02)
    try:
        os.killpg(process, signal.SIGKILL)              # what a test left behind
    except ProcessLookupError:
        pass
    if out.exists() and ended[1] == 0:
        return json.loads(out.read_text(encoding="utf-8"))
    return "timeout" if os.WIFSIGNALED(ended[1]) and os.WTERMSIG(ended[1]) in (
        signal.SIGXCPU, signal.SIGKILL) else "crash"


class Listener:
    """A pytest plugin: what failed first, and how long each test took."""

    def __init__(self, tracer=None, keep=None):
        self.failed, self.seconds, self.tracer, self.keep = None, {}, tracer, keep
        self.cached = cached_functions() if tracer else []

    def pytest_collection_modifyitems(self, items):
        if self.keep is not None:
            items[:] = [item for item in items if item.nodeid in self.keep] or items

    def pytest_runtest_logstart(self, nodeid, location):
        if self.tracer:
            for function in self.cached:                # a test executes all that it needs itself
                function.cache_clear()
            self.tracer.switch_context(nodeid)
        self.begun = time.process_time()

    def pytest_runtest_logfinish(self, nodeid, location):
        self.seconds[nodeid] = time.process_time() - self.begun
        if self.tracer:
            self.tracer.switch_context("")

    def pytest_runtest_logreport(self, report):
        if report.failed and not self.failed:
            self.failed = [report.nodeid, reason(report)]

    def pytest_collectreport(self, report):
        if report.failed and not self.failed:
            self.failed = [f"{report.nodeid} (collecting)", reason(report)]


def reason(report):
    """The line of a failure that says what was wrong."""
    lines = str(report.longrepr).splitlines()
    return ([line for line in lines if line.startswith("E ")] or lines[-1:] or [""])[0][:160]


def run_items(items, listener):
    """Run collected tests up to the first failure."""
    manager = items[0].config.pluginmanager if items else None
    if manager:
        manager.register(listener)
    for item, following in zip(items, [*items[1:], None]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if listener.failed:
            break


# A changed function in place of the one that was imported

def functions_of(code, inside=False):
    """The code of functions in that of a module, and what the module itself executes."""
    own, found = [code.co_code, code.co_names], {}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            if constant.co_flags & 2 and "<" not in constant.co_name:   # a function, no class body
                found[constant.co_qualname, constant.co_firstlineno] = constant
            else:
                more, executed = functions_of(constant)
                found |= more
                own += executed
        else:
            own.append(repr(constant))
    return found, own


def changed_functions(source, text, path):
    """Code to put in place, by name and line; None if what an import executes has changed."""
    before, executed = functions_of(compile(source, path, "exec"))
    after, changed = functions_of(compile(text, path, "exec"))
    if executed != changed or before.keys() != after.keys():
        return None
    return {key: after[key] for key in before if before[key] != after[key]}


def put_in_place(changed, functions):
    """Give the live functions of a file their changed code; LookupError if none is theirs."""
    found = [(function, code) for function in functions
             if (code := changed.get((function.__code__.co_qualname,
                                      function.__code__.co_firstlineno)))]
    if not found:
        raise LookupError(f"none of {list(changed)} is in memory")
    for function, code in found:
        function.__code__ = code
    for function in cached_functions():
        function.cache_clear()


def live_functions(tree):
    """By file of the tree, its functions that are in memory."""
    found = {}
    for thing in objects():
        if isinstance(thing, types.FunctionType):
            path = thing.__code__.co_filename
            if path.startswith(str(tree)):
                found.setdefault(Path(path).relative_to(tree).as_posix(), []).append(thing)
    return found


@functools.cache
def cached_functions():
    """Functions of the library and of its tests that keep what they return."""
    return [thing for thing in objects() if type(thing).__name__ == "_lru_cache_wrapper"
            and (getattr(thing, "__module__", "") or "").startswith("lib")]


def objects():
    """What the garbage collector knows; frozen objects, such as those of conftest.py, it hides."""
    gc.unfreeze()
    found = gc.get_objects()
    gc.freeze()
    return found


# Which tests see a line

def clean_run(folder, items):
    """Run tests of one target as they are: seconds and lines of each."""
    import coverage

    tree = folder / "copy"

    def work():
        tracer = coverage.Coverage(data_file=None, source=[str(tree / "lib")], config_file=False)
        listener = Listener(tracer)
        tracer.start()
        run_items(items, listener)
        tracer.stop()
        data, lines, names = tracer.get_data(), {}, list(listener.seconds)
        numbers = {name: number for number, name in enumerate(names)}
        for path in data.measured_files():
            lines[Path(path).relative_to(tree).as_posix()] = {
                line: [numbers[context] for context in contexts if context in numbers]
                for line, contexts in data.contexts_by_lineno(path).items()}
        return {"failed": listener.failed, "names": names,
                "seconds": list(listener.seconds.values()), "lines": lines}

    return in_child(folder, work, 900)


def target_of(item):
    """The test file of a test; for an example in the library the folder."""
    name = item.nodeid.split("::")[0]
    return name if name.startswith("lib/tests") else "/".join(name.split("/")[:2])


@functools.cache
def imports(path):
    """Files of the library that a file imports, names of the front of `lib` included."""
    import lib

    found, source = set(), ast.parse(Path(path).read_text(encoding="utf-8"))
    package = Path(path).parent.as_posix().replace("/", ".")
    for node in ast.walk(source):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[:package.count(".") + 2 - node.level] if node.level else []
            home = ".".join([*base, *filter(None, [node.module])])
            names = [home, *(f"{home}.{alias.name}" for alias in node.names)]
            if home == "lib":
                names += ["lib" + lib._HOMES[alias.name] for alias in node.names
                          if alias.name in lib._HOMES]
        for name in names:
            file = Path(name.replace(".", "/"))
            for candidate in (file.with_suffix(".py"), file / "__init__.py"):
                if name.startswith("lib.") and candidate.exists():
                    found.add(candidate.as_posix())
    return found


def imported(path, steps):
    """What a file imports, in a number of steps; the front of a folder brings all behind it."""
    found = set()
    for name in imports(path):
        found.add(name)
        if name.endswith("__init__.py"):
            folder, new = name.removesuffix("__init__.py"), {name}
            while new:
                found |= new
                new = {inner for outer in new for inner in imports(outer)
                       if inner.startswith(folder)} - found
    if steps > 1:
        found = found.union(*(imported(inner, steps - 1) for inner in found))
    return found


def untraced(target, items):
    """What a clean run would say, guessed: every test executes all that its file imports."""
    names = [item.nodeid for item in items]
    numbers = list(range(len(names)))
    lines = {}
    if target.startswith("lib/tests"):
        for steps in (2, 1):
            for path in imported(target, steps):
                lines[path] = {"any" if steps == 1 else "perhaps": numbers}
    else:
        for number, name in enumerate(names):
            lines.setdefault(name.split("::")[0], {"any": []}).setdefault("any", []).append(number)
    return {"names": names, "seconds": [0.5] * len(names), "lines": lines}


class Session:
    """Every test, collected; what each executes; and the mutants that are tried on them."""

    def __init__(self, folder, mutants, results, traced, limit):
        self.folder, self.mutants, self.results = folder, mutants, results
        self.traced, self.limit = traced, limit
        self.tree, self.patient = folder / "copy", False

    def pytest_runtestloop(self, session):
        self.items = {}
        for item in session.items:
            self.items.setdefault(target_of(item), []).append(item)
        self.functions = live_functions(self.tree)
        cached_functions()                              # looked for once, not in every child
        self.runs = {}
        for target, items in self.items.items():
            stored = self.folder / "clean" / (target.replace("/", "-") + ".json")
            if not stored.exists() and self.traced:
                run = clean_run(self.folder, items)
                if isinstance(run, str):
                    raise RuntimeError(f"{target}: {run}; see {self.folder / 'log'}")
                print(f"{target} {sum(run['seconds']):.1f} s, {len(run['names'])} tests, "
                      f"{run['failed']}", flush=True)
                stored.write_text(json.dumps(run), encoding="utf-8")
            self.runs[target] = json.loads(stored.read_text(
                encoding="utf-8")) if stored.exists() else untraced(target, items)
        later = []                                      # what an import executes takes longer
        for mutant in [*self.mutants, None, *self.mutants]:
            if mutant is None:
                self.patient = True
            elif self.patient and mutant not in later:
                continue
            elif entry := self.attempt(mutant):
                with open(self.results, "a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
                print(entry["outcome"], entry["name"], entry.get("seconds"), flush=True)
            else:
                later.append(mutant)
        return True

    def covering(self, path, first, last):
        """Tests that execute one of these lines; all of a file that only imports them."""
        found = {}
        for target, run in self.runs.items():
            lines = run["lines"].get(path, {})
            seen = {number for line in [*range(first, last + 1), "any"]
                    for number in lines.get(str(line), []) if number >= 0}
            if seen:
                found[target] = {run["names"][number] for number in seen}
        return found

    def attempt(self, mutant):
        """The entry of one mutant: killed by which test and why, or survived; None for later."""
        path = mutant["path"]
        original = self.folder / "original" / path
        source = original.read_text(encoding="utf-8")
        text = mutated(source, mutant["operator"], mutant["occurrence"])
        entry = {"name": name_of(mutant), **mutant}
        for before, after in zip(source.splitlines(), text.splitlines()):
            if before != after:
                entry |= {"before": before.strip(), "after": after.strip()}
                break
        try:
            swaps = changed_functions(source, text, path)
        except SyntaxError:
            return entry | {"outcome": "invalid"}
        if swaps is None and not self.patient:
            return None
        first, last = statement_lines(ast.parse(source)).get(mutant["line"], (mutant["line"],) * 2)
        near = self.covering(path, first, last)
        loading = {name for name, run in self.runs.items() if run["lines"].get(path)}
        if swaps is None:                               # executed at import, by all that use it
            near = {name: set(self.runs[name]["names"]) for name in loading
                    if self.runs[name]["lines"][path].keys() != {"perhaps"}
                    and (name.startswith("lib/tests") or path.startswith(name + "/"))}
        spawning = {name for name in loading if name.startswith("lib/tests") and SPAWNS.search(
            (self.folder / "original" / name).read_text(encoding="utf-8"))}
        perhaps = {name for name in loading if "perhaps" in self.runs[name]["lines"][path]}
        stages = [near, {name: set(self.runs[name]["names"]) for name in spawning | perhaps
                         if name.startswith("lib/tests")}]
        started, ran, outcome = time.monotonic(), set(), {"outcome": "survived"}
        entry |= {"tests": sum(map(len, near.values())), "at_import": swaps is None}
        (self.tree / path).write_text(text, encoding="utf-8")
        try:
            for stage, chosen in enumerate(stages, 1):
                answer, cut = self.run_stage(path, chosen, ran, swaps)
                if answer == "timeout":
                    outcome = {"outcome": "undecided" if cut else "timeout", "stage": stage}
                    break
                if answer == "crash":                   # a fault of the mutant or of this file
                    lines = (self.folder / "log").read_text("utf-8", "replace").splitlines()
                    outcome = {"outcome": "undecided", "stage": stage,
                               "by": ["crash", "".join(lines[-1:])[-160:]]}
                    break
                if answer["failed"]:                    # which folder it was tells nobody anything
                    outcome = {"outcome": "killed", "stage": stage, "by": [
                        words.replace(f"{self.tree}{os.sep}", "") for words in answer["failed"]]}
                    break
                ran |= {test for tests in chosen.values() for test in tests}
        finally:
            shutil.copy2(original, self.tree / path)
        return entry | outcome | {"seconds": round(time.monotonic() - started, 1)}

    def run_stage(self, path, chosen, ran, swaps):
        """Run the chosen tests of every target that are not among those that ran."""
        stem, found = Path(path).stem.rstrip("s"), []
        for target, tests in chosen.items():
            seconds = dict(zip(self.runs[target]["names"], self.runs[target]["seconds"]))
            far = not path.startswith(target + "/") and stem not in target
            found += [(round(seconds[item.nodeid], 1), far, item.nodeid, item)
                      for item in self.items[target] if item.nodeid in tests - ran]
        found.sort(key=lambda entry: entry[:3])
        everything = [item for *_, item in found]
        if not everything:
            return {"failed": None}, False

        def work():
            sys.dont_write_bytecode = True
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            listener = Listener()
            if swaps is None:
                import pytest

                for name in [name for name, module in sys.modules.items() if str(
                        getattr(module, "__file__", "")).startswith(str(self.tree))]:
                    del sys.modules[name]               # tests are modules of their own too
                listener.keep = {item.nodeid for item in everything}
                files = list(dict.fromkeys(item.nodeid.split("::")[0] for item in everything))
                code = pytest.main([*PYTEST, "-x", *files], plugins=[listener])
                if code not in (0, 5) and not listener.failed:
                    listener.failed = [f"exit {int(code)}", ""]
            else:
                put_in_place(swaps, self.functions.get(path, []))
                run_items(everything, listener)
            return {"failed": listener.failed, "seconds": listener.seconds}

        needed = 3 * sum(seconds for seconds, *_ in found) + 15
        allowed = min(needed, self.limit * (1 + (swaps is None)))
        answer = in_child(self.folder, work, allowed)
        if isinstance(answer, dict) and not answer["failed"]:   # what was guessed is known now
            for target in chosen:
                run = self.runs[target]
                run["seconds"] = [answer["seconds"].get(name, seconds) for name, seconds in
                                  zip(run["names"], run["seconds"])]
        return answer, allowed < needed


def _belonging(root):
    """What git calls the course's files: an archive has no git, or that of a folder around it."""
    if shutil.which("git") is None:
        sys.exit("mutants: git lists what is copied, and git was not found")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    return done.stdout.split("\0")[:-1] or sys.exit(
        f"mutants: git lists what is copied, but no file of {root} "
        f"({done.stderr.strip() or 'none is known'}); in an unpacked archive this makes them "
        "known to it: git init --quiet && git add .")


def copied(folder, root=ROOT):
    """A copy of the course, made once: a sample goes on with the library that it began with."""
    tree, stated = folder / "copy", folder / "copied"
    names = _belonging(root)
    code = hashlib.sha256()
    for name in names:
        if name.startswith("lib/") and name.endswith(".py"):
            code.update(f"{name}\n".encode() + (root / name).read_bytes())
    if not tree.exists():
        for name in names:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, tree / name)
        shutil.copytree(tree / "lib", folder / "original" / "lib")
        stated.write_text(code.hexdigest(), encoding="utf-8")
    elif not stated.exists() or stated.read_text(encoding="utf-8") != code.hexdigest():
        sys.exit(f"mutants: the library has changed since it was copied to {folder}, or the copy "
                 "is not whole; remove that folder to draw from the library of today")
    return tree


def run(folder, seed, count, strata, results, traced=True, limit=1000):
    """Draw a sample, try what is not in the results yet, append each outcome."""
    table = settings()
    tree = copied(folder)
    origin = {"code": (folder / "copied").read_text(encoding="utf-8")[:12], "count": count}
    if any(entry["seed"] == seed and not origin.items() <= entry.items()
           for entry in read(results)):
        sys.exit(f"mutants: {results} holds mutants of the seed {seed} from another library than "
                 f"{folder} or of another --count, which would count as one sample; choose another "
                 "--seed or --results")
    shutil.copytree(folder / "original" / "lib", tree / "lib", dirs_exist_ok=True)  # after a kill
    (folder / "clean").mkdir(exist_ok=True)
    done = {(entry["seed"], entry["name"]) for entry in read(results)}
    drawn = {stratum: draw(seed, stratum, round(count * table["strata"][stratum][0]),
                           folder / "original", folder / "changes") for stratum in strata}
    turns = [(number / len(sample), mutant) for sample in drawn.values()
             for number, mutant in enumerate(sample)]
    turns.sort(key=lambda turn: turn[0])                # cut short, it is a sample of all parts
    mutants = [{**mutant, **origin} for _, mutant in turns
               if (seed, name_of(mutant)) not in done]

    os.chdir(tree)
    sys.path[:] = [str(tree), *(entry for entry in sys.path if entry not in ("", str(ROOT)))]
    os.environ["PYTHONPATH"] = str(tree)
    for name in [name for name in sys.modules if name.split(".")[0] == "lib"]:
        del sys.modules[name]                           # from here on that of the copy
    for name in WARM:
        __import__(name)
    import pytest

    targets = [f"lib/{name}" for stratum in strata for name in table["strata"][stratum][1]]
    for pattern in (table["tests"][stratum] for stratum in strata):
        targets += [f"lib/tests/{path.name}" for path in sorted(
            (tree / "lib" / "tests").glob("test_*.py")) if re.fullmatch(pattern, path.stem)]
    for target in targets:
        if not target.startswith("lib/tests"):
            for path in sorted((tree / target).rglob("*.py")):
                if path.name != "__main__.py":
                    __import__(".".join(path.relative_to(tree).with_suffix("").parts))
    return pytest.main([*PYTEST, *dict.fromkeys(targets)],
                       plugins=[Session(folder, mutants, results, traced, limit)])
