# pyproject.toml describes the package. This says what it is called where it is installed: the
# clone's `lib` becomes `overlapping_convnets`, with the two things that it reads from the book.
from setuptools import find_packages, setup

NAME = "overlapping_convnets"
inner = find_packages("lib", exclude=["tests*", "benchmarks*"])

setup(
    packages=[NAME, *(f"{NAME}.{package}" for package in inner),
              f"{NAME}.book", f"{NAME}.notebooks.results"],
    package_dir={NAME: "lib", f"{NAME}.book": "book",
                 f"{NAME}.notebooks.results": "notebooks/results"},
    package_data={f"{NAME}.book": ["claims.yml"],
                  f"{NAME}.notebooks.results": ["*.jsonl", "variations/*.jsonl", "factors/*.jsonl"]},
)
