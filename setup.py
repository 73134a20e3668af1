"""Lists the packages: the folders are top-level, the import names are namespaced (see pyproject.toml)."""

from setuptools import find_packages, setup

ROOTS = {
    "netwright": "api",
    "netwright.specs": "specs",
    "netwright.compiler": "compiler",
    "netwright.runtime": "runtime",
}

setup(
    packages=[
        name
        for root, folder in ROOTS.items()
        for name in [root, *(f"{root}.{package}" for package in find_packages(folder))]
    ]
)
