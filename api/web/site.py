"""Writes the page and the network's module into a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from numpy.typing import NDArray

from netwright.compiler.codegen.files.web import loader_script
from netwright.compiler.streaming import STEP
from netwright.specs.files import scratch_folder, write_file

from ..artifacts.files import Request, save
from ..errors import RequestError
from ..markup import escape, script_json
from ..model import Model
from ..taps import tap_names, tap_settings
from .subject import Subject, blank_of, labels_of, subject_of

TARGET = "wasm32-web"
_MODULE = "network.wasm"


def write_site(
    model: Model,
    settings: Sequence[str],
    weights: Mapping[str, NDArray],
    folder: Path,
    *,
    steps: bool = False,
) -> list[Path]:
    """Writes a page that runs a network in the browser, `index.html`, and its module, `network.wasm`, into a folder,
    which is made if there is none.

    Images are drawn or opened, and layers' values are shown; sound is recorded or opened; numbers are typed in; with
    ``steps`` the network takes a sequence step by step, and its states are shown over time. ``settings`` are those that
    the model was loaded with. Raises RequestError if a page can't ask for the network's input, LinkError, OSError.
    """
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{folder} is a file: a page is written into a folder")
    about = subject_of(model, steps=steps)
    shown = model
    if about.maps:
        shown = model.changed([*settings, *tap_settings(model, about.maps).values()])
    with scratch_folder() as scratch:
        request = Request(target=TARGET, entries=(STEP,) if steps else None)
        module, _ = save(shown.load, shown.network, weights, scratch.path / _MODULE, request)
        code = module.read_bytes()
    page = page_text(model, about)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "index.html", folder / _MODULE]
    for path, data in zip(paths, (page.encode(), code), strict=True):
        write_file(path, data)
    return paths


def page_text(model: Model, about: Subject) -> str:
    """The page as HTML, with all that it needs but the module."""
    facts = {
        "kind": about.kind,
        "input": about.input,
        "most": about.most,
        "rate": about.rate,
        "maps": tap_names(about.maps),
        "labels": labels_of(model.network),
        "blank": blank_of(model),
        "module": _MODULE,
    }
    values = {
        "title": escape(model.name),
        "style": _file("page.css"),
        "facts": script_json(facts),
        "loader": loader_script().replace("export ", ""),
        "script": _file("page.js"),
        "inputs": _file(f"{about.kind}.html"),
        "asks": _file(f"{about.kind}.js"),
    }
    parts = _file("page.html").split("@@")
    return "".join(values[part] if position % 2 else part for position, part in enumerate(parts))


def _file(name: str) -> str:
    return (files("netwright.web") / name).read_text(encoding="utf-8").rstrip("\n")
