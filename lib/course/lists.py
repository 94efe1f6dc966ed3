"""Lists that authors write in YAML: nothing that stands in them is dropped without a word."""

from pathlib import Path

import yaml

from ..checks import in_one_line

__all__ = ["load_list"]


class _Loader(yaml.SafeLoader):
    """Refuses two equal keys: PyYAML keeps the last, and a forgotten dash joins two entries."""

    def construct_mapping(self, node, deep=False):
        names = set()                       # as they are written, before PyYAML copies `<<: *other`
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in names:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} stands twice in one entry; write it once, or begin "
                    "the second entry with a dash", key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


def load_list(path: Path) -> object:
    """What a YAML file holds.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    object
        None if it holds nothing.

    Raises
    ------
    ValueError
        If it is no YAML, or an entry has a field twice; the message is one line.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "some.yml")
    >>> _ = path.write_text("- ask: one\\n  right: 1\\n  ask: two\\n")
    >>> load_list(path)
    Traceback (most recent call last):
    ...
    ValueError: some.yml: line 3: ask stands twice in one entry; write it once, or begin the second
    entry with a dash
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except yaml.constructor.ConstructorError as error:
        place = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{path.name}: {place}{error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:       # 2026-13-01 is no day, 0x80 no UTF-8
        raise ValueError(f"{path.name}: {in_one_line(error)}") from None
