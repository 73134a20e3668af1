"""A loaded and checked spec: the entry point of the Python API."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from netwright.compiler.frontend.build import build_network
from netwright.compiler.frontend.network import Network
from netwright.compiler.ops.values.widen import Half
from netwright.compiler.streaming import with_whole
from netwright.runtime.sessions.weights import load_classes, load_vocabularies
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.load import LoadResult, load_spec, load_spec_text
from netwright.specs.models.spec import ModelSpec
from netwright.specs.reading.settings import SETTINGS_FILE
from netwright.specs.specialize import Range, specialize

from .analysis.limits import keep_memory
from .analysis.summary import Summary, summarize
from .collection import collected_seldom
from .data.sets import DataSets, Given, archives
from .drawing.layers import LayerPicture
from .drawing.svg import to_svg
from .errors import SpecError
from .fixing import check_fixes
from .markup import escape
from .notebook import folded, plain_text, scrolled
from .program import EngineName, Program
from .values import DICT_FILE, plain, spec_text
from .weights.halved import halved
from .weights.network import Weights


class Model:
    """A loaded spec with everything that is wrong with it.

    ``diagnostics`` iterates over the findings and prints itself (`to_text`, `to_json`). A model with errors can be
    inspected; everything that needs a valid network raises SpecError. Models never change: a copy is the model itself.
    Pickled, a model is the texts it was loaded from.
    """

    def __init__(self, load: LoadResult, dims: Mapping[str, int | Range | str] | None = None):
        self._dims = dict(dims or {})
        load = specialize(load, self._dims)
        network, diagnostics = build_network(load)
        self._load = replace(load, diagnostics=diagnostics)
        self._network = network

    @property
    def load(self) -> LoadResult:
        """The result of loading: the typed spec, the places of everything in it, and the diagnostics, whose fixes have
        not been tried: that takes several times as long as loading, and few callers need it."""
        return self._load

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Errors and warnings, in the order of their places in the spec. Each fix they offer has been tried."""
        return check_fixes(self._load)

    @property
    def is_valid(self) -> bool:
        """Whether the spec has no errors."""
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
        """The spec's folder, which its paths are relative to."""
        return Path(self.load.file).parent

    @property
    def data_paths(self) -> dict[str, Path]:
        """The .npz files among the spec's data sets, by the sets' names. Raises SpecError."""
        return archives(self.load) if self.spec.train else {}

    def data(
        self, given: Mapping[str, Given] | None = None, *, weights: str | Path | None = None
    ) -> DataSets:
        """The spec's data sets, replaced or extended by those ``given``: paths, or arrays by name. Each is opened when
        it is asked for: `model.data()["train"]`. Text is read with the vocabulary, and classes are numbered by the
        names, in the file of ``weights``; without weights, by the training data. Raises SpecError, and WeightsError for
        a file that can't be read, or whose classes are in another order than the spec's labels.
        """
        if weights is None:
            return DataSets(self.load, self.network, given)
        vocabularies, classes = load_vocabularies(weights), load_classes(weights)
        return DataSets(self.load, self.network, given, vocabularies, classes)

    @property
    def files(self) -> list[str]:
        """The files that were read: the spec, unless it was a dict, and those it includes."""
        unread = (SETTINGS_FILE, DICT_FILE)
        return [file for file in self._load.diagnostics.sources if file not in unread]

    def changed(self, settings: Sequence[str]) -> Model:
        """The model of the same text and dims with other settings, each `path.to.key=value`. Raises SettingError, and
        SpecError if the text could not be read.
        """
        load = self._load
        texts = {name: source.text for name, source in load.diagnostics.sources.items()}
        if load.file not in texts:
            raise SpecError(self.diagnostics)
        return _of_texts(texts, load.file, settings, load.folder, self._dims)

    def summary(self) -> Summary:
        """The layers' shapes, parameters, arithmetic and receptive fields. ``print`` shows them as a table. Raises
        SpecError.
        """
        return summarize(self.load, self.network)

    @collected_seldom()
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
        math: Literal["strict", "fast"] | None = None,
        verify: bool = False,
        tune: bool | str | Path = False,
        weights_dtype: Half | None = None,
    ) -> Program:
        """Compiles the model and returns it ready to run.

        ``weights`` are a safetensors file or arrays by name. Without them, initial values are drawn with ``seed``, by
        default the spec's, when they are needed: in the first call, or when weights are asked for. With the ``engine``
        "reference", NumPy interprets the graphs and nothing is compiled.
        ``entries`` selects from `predict`, `loss` and `train_step`; the default is all that the spec has. ``cpu`` is
        the name of a CPU as LLVM spells it. ``math`` says how exact predictions are in float32, by default as the spec
        does: "fast" is within 1e-4 of exact results, relative to their root mean square, "strict" within 1e-5.

        Up to ``threads`` threads share each call (None: as many as there are processors), as many as its work
        justifies; their number does not change the results. ``pin`` keeps each thread, the calling one included, on a
        processor of its own from then on, which is meant for processes that do nothing else. ``verify`` first runs the
        machine code of every kernel against the loop interpreter. With ``tune``, plans of products are measured on this
        computer first, unless the cache has them; a path reads them from a file that `netwright compile --tune` wrote.
        With ``weights_dtype``, "bfloat16" or "float16", the ``weights`` of products are stored in 16 bits; the program
        predicts and evaluates, and can't be trained.

        Raises SpecError for a spec with errors or over its memory budget, WeightsError for weights that don't fit,
        TargetError for a CPU that is unknown or not this one, RequestError for unknown entries, an invalid number of
        threads, or a ``weights_dtype`` that is unknown or has no weights, VerificationError if machine code computes
        wrong results, and TuningError for a file of plans that can't be read or does not fit.
        """
        model = self
        if math is not None and math != self.spec.math:
            model = self.changed([*self.settings, f"math={math}"])
        keep_memory(model.load, model.network)
        network, given = model.network, weights
        if weights_dtype is not None:
            network, given = halved(with_whole(model.load, network), weights, weights_dtype, cpu)
        program = Program(
            model.load,
            network,
            weights=given,
            engine=engine,
            threads=threads,
            pin=pin,
            entries=entries,
            cpu=cpu,
            seed=seed,
            verify=verify,
            tune=tune,
        )
        if weights_dtype is not None and isinstance(weights, str | Path):
            program.vocabularies, program.classes = load_vocabularies(weights), load_classes(weights)
        return program

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings it was loaded with, each `path.to.key=value`."""
        return self._load.settings

    def __copy__(self) -> Model:
        return self

    def __deepcopy__(self, memo: object) -> Model:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        load = self._load
        texts = {name: source.text for name, source in load.diagnostics.sources.items()}
        if load.file not in texts:
            raise SpecError(self.diagnostics)
        return _of_texts, (texts, load.file, load.settings, load.folder, self._dims)

    def _repr_html_(self) -> str:
        """The layers and the drawing, or what is wrong with the spec."""
        if not self.is_valid:
            return plain_text(self.diagnostics.to_text())
        picture = LayerPicture(self.load, self.network).rolled()
        said = f"<p><b>{escape(picture.title)}</b> {escape(picture.subtitle)}</p>"
        warnings = plain_text(self.diagnostics.to_text()) if self.diagnostics.warnings else ""
        drawing = folded("drawing", scrolled(to_svg(picture)), is_open=True)
        return said + warnings + drawing + folded("layers", self.summary()._repr_html_())

    def __repr__(self) -> str:
        diagnostics = self._load.diagnostics
        errors, warnings = len(diagnostics.errors), len(diagnostics.warnings)
        state = f"{errors} errors" if errors else f"valid, {warnings} warnings" if warnings else "valid"
        return f"<Model {self.load.file}: {state}>"


def load(
    spec: str | os.PathLike[str] | Mapping[str, Any],
    settings: Sequence[str] | Mapping[str, object] = (),
    *,
    dims: Mapping[str, int | Range | str] | None = None,
) -> Model:
    """Loads and checks a spec: a file, or its values as a dict. Errors in it are in the ``diagnostics`` of the returned
    model.

    Diagnostics of a dict show it as JSON text. Its paths are relative to the current folder. NumPy's numbers and
    arrays, tuples and `Path`s are converted; RequestError names any other value that a spec can't hold.

    ``settings`` change the spec first: `["train.epochs=3"]`, or `{"train.epochs": 3}`. ``dims`` fixes open sizes
    (`{"N": 1}`), narrows them (`{"T": (16, 512)}`), or makes them a multiple (`{"H": "32k"}`). Raises SettingError or
    DimError for those that can't be applied.
    """
    changes = setting_lines(settings)
    if isinstance(spec, Mapping):
        read = load_spec_text(spec_text(spec), DICT_FILE, changes, ".")
    else:
        read = load_spec(spec, changes)
    return Model(read, dims)


def _of_texts(
    texts: Mapping[str, str],
    file: str,
    settings: Sequence[str],
    folder: str | None,
    dims: Mapping[str, int | Range | str],
) -> Model:
    """A model of texts that were read before."""
    return Model(load_spec_text(texts[file], file, settings, folder, texts), dims)


def setting_lines(settings: Sequence[str] | Mapping[str, object]) -> Sequence[str]:
    """Settings as texts `path.to.key=value`. Raises RequestError for values that a spec can't hold."""
    if not isinstance(settings, Mapping):
        return settings
    return [f"{key}={_yaml(value, key)}" for key, value in settings.items()]


def _yaml(value: object, path: str) -> str:
    """A value as YAML on one line (JSON is YAML)."""
    return value if isinstance(value, str) else json.dumps(plain(value, path))
