"""A spec, checked: the front door of the Python API."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from netwright.compiler.frontend.build import build_network
from netwright.compiler.frontend.network import Network
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.load import LoadResult, load_spec, load_spec_text
from netwright.specs.models.spec import ModelSpec
from netwright.specs.reading.settings import SETTINGS_FILE
from netwright.specs.specialize import Range, specialize

from .analysis.limits import keep_memory
from .analysis.summary import Summary, summarize
from .data import data_paths
from .errors import SpecError
from .fixing import check_fixes
from .network_weights import Weights
from .program import EngineName, Program


class Model:
    """A loaded spec with everything that is wrong with it.

    ``diagnostics`` iterates over the findings and prints itself (`to_text`, `to_json`). A model with errors can be
    looked at; whatever needs a valid network raises SpecError.
    """

    def __init__(self, load: LoadResult):
        network, found = build_network(load)
        self._load = replace(load, diagnostics=found)
        self._network = network

    @cached_property
    def load(self) -> LoadResult:
        """What came of loading: the typed spec, places of everything in it, and the diagnostics."""
        return replace(self._load, diagnostics=check_fixes(self._load))

    @property
    def diagnostics(self) -> Diagnostics:
        """Errors and warnings, in the order of their places in the spec. Each fix they offer was tried."""
        return self.load.diagnostics

    @property
    def is_valid(self) -> bool:
        """Whether there is no error."""
        return self._network is not None

    @property
    def network(self) -> Network:
        """The network: parameters, states, layers, and a graph for each entry. Raises SpecError."""
        if self._network is None:
            raise SpecError(self.diagnostics)
        return self._network

    @property
    def spec(self) -> ModelSpec:
        """The spec as typed values. Raises SpecError."""
        if self._network is None or self.load.model is None:
            raise SpecError(self.diagnostics)
        return self.load.model

    @property
    def name(self) -> str:
        """The model's name. Raises SpecError."""
        return self.spec.model

    @property
    def folder(self) -> Path:
        """Where the spec is: paths in it are relative to this."""
        return Path(self.load.file).parent

    @property
    def data_paths(self) -> dict[str, Path]:
        """The files of the spec's data sets, by name. Raises SpecError."""
        return data_paths(self.load) if self.spec.train else {}

    @property
    def files(self) -> list[str]:
        """The files that were read: the spec and what it includes."""
        return [file for file in self._load.diagnostics.sources if file != SETTINGS_FILE]

    def changed(self, settings: Sequence[str]) -> Model:
        """The model of the same text with other settings. Raises SettingError."""
        load = self._load
        texts = {name: source.text for name, source in load.diagnostics.sources.items()}
        return Model(load_spec_text(texts[load.file], load.file, settings, load.folder, texts))

    def summary(self) -> Summary:
        """Layers, shapes, parameters, arithmetic, receptive fields; ``print`` shows a table. Raises SpecError."""
        return summarize(self.load, self.network)

    def compile(
        self,
        weights: Weights | None = None,
        *,
        engine: EngineName = "native",
        threads: int | None = None,
        pin: bool = False,
        entries: Sequence[str] | None = None,
        cpu: str = "native",
        seed: int | None = None,
        verify: bool = False,
    ) -> Program:
        """The model ready to run.

        ``weights`` are a safetensors file or arrays by name; left out, first values are drawn with ``seed`` (the
        spec's own where that is left out too). ``engine`` "reference" interprets with NumPy instead of
        compiling. Up to ``threads`` compute (None: as many as there are processors), as many as the work pays for, with
        the same results on any number. ``pin`` keeps each of several on a processor of its own, the thread that calls
        included, for good: for a process that does nothing else. ``entries`` chooses from `predict`, `loss` and
        `train_step`; all that the spec has by default. ``cpu`` is a name as LLVM spells it. ``verify`` runs the machine
        code of every kernel against the loop interpreter first.

        Raises SpecError for a spec with errors or beyond its budget of memory, WeightsError, TargetError,
        RequestError, VerificationError for machine code that does not compute what it should.
        """
        keep_memory(self.load, self.network)
        return Program(
            self.load,
            self.network,
            weights=weights,
            engine=engine,
            threads=threads,
            pin=pin,
            entries=entries,
            cpu=cpu,
            seed=seed,
            verify=verify,
        )

    def __repr__(self) -> str:
        found = self._load.diagnostics
        errors, warnings = len(found.errors), len(found.warnings)
        state = f"{errors} errors" if errors else f"valid, {warnings} warnings" if warnings else "valid"
        return f"<Model {self.load.file}: {state}>"


def load(
    path: str | os.PathLike[str],
    settings: Sequence[str] | Mapping[str, object] = (),
    *,
    dims: Mapping[str, int | Range | str] | None = None,
) -> Model:
    """Loads and checks a spec. What is wrong with it is in ``diagnostics`` of the model returned.

    ``settings`` change it beforehand: `["train.epochs=3"]`, or `{"train.epochs": 3}`. ``dims`` settles open sizes
    (`{"N": 1}`) or narrows them (`{"T": (16, 512)}`). Raises SettingError and DimError for those that can't be
    made.
    """
    if isinstance(settings, Mapping):
        settings = [f"{key}={_yaml(value)}" for key, value in settings.items()]
    return Model(specialize(load_spec(path, settings), dims or {}))


def _yaml(value: object) -> str:
    """A plain value as YAML in one line (JSON is YAML)."""
    return value if isinstance(value, str) else json.dumps(value)
