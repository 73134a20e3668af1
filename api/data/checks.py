"""Checks whether the data sets of a spec fit its network."""

from __future__ import annotations

from pathlib import Path

from netwright.compiler.frontend.network import Network
from netwright.runtime.data.extras import MissingPackageError
from netwright.runtime.data.fitting import check_against, class_problems, vocabulary_problems
from netwright.runtime.data.samples import SampleCountError, index_limits
from netwright.runtime.errors import DataError
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.load import LoadResult
from netwright.specs.models.data import SequenceData, SplitData

from .needs import expected_arrays, ranged_arrays, wanted, windows
from .sets import DataSets


def check_data(load: LoadResult, network: Network) -> Diagnostics:
    """What is wrong with the data sets of the spec, judged by headers, tables' rows, and a file of each class."""
    diagnostics = Diagnostics(sources=load.diagnostics.sources.values())
    train = load.model.train if load.model else None
    counts = wanted(load, network).counts
    ranged = ranged_arrays(network)
    limits = index_limits(ranged)
    sets = DataSets(load, network)
    failed: set[str] = set()
    for name in sets:
        span = load.span(("train", "data", name))
        spec = train.data[name] if train else None
        try:
            data = sets[name]
            data.try_some()
        except DataError as error:
            known = str(error) in failed  # a split fails as the set that it is taken from
            failed.add(str(error))
            if isinstance(error, SampleCountError) and not isinstance(spec, SplitData):
                data = error
            else:
                if not known:
                    code = "NW0705" if isinstance(error, MissingPackageError) else "NW0703"
                    message, *more = map(str.strip, str(error).splitlines())
                    diagnostics.error(code, message, span, notes=more)
                continue
        expected = expected_arrays(network)
        problems = check_against(data.headers, expected, list(network.dims.values()), windows(load, network))
        if isinstance(data, SampleCountError):
            problems = problems or data.problems  # of an array that the model does not take
        else:
            problems += class_problems(data.classes, counts)
            problems += vocabulary_problems(data.vocabularies, limits)
            if not problems and isinstance(
                spec, SequenceData
            ):  # which were read, or are quickly looked through
                problems = data.origin.range_problems(ranged)
        named = Path(data.name).name or data.name
        if isinstance(spec, SplitData):
            continue  # it has the arrays of the set that it is taken from
        for problem in problems:
            diagnostics.error("NW0704", f"{named}: {problem}", span)
        for text in (
            () if problems or isinstance(data, SampleCountError) else data.roundings(expected).values()
        ):
            help = "store it as float32 to halve the file"
            diagnostics.warning("NW0706", f"{named}: {text}", span, help=help)
    return diagnostics
