# pyproject.toml describes the package; this adds the one file that lib reads from the book.
from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["lib", "lib.*"], exclude=["lib.tests*"]), "lib.book"],
    package_dir={"lib.book": "book"},
    package_data={"lib.book": ["claims.yml"]},
)
