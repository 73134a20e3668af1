"""What a network takes from a data set."""

from __future__ import annotations

from netwright.compiler.frontend.analyses.windows import time_dim as steps_of
from netwright.compiler.frontend.network import Network
from netwright.compiler.ranges import merged_ranges
from netwright.runtime.data.wanted import Wanted
from netwright.runtime.data.windows import Windows
from netwright.runtime.errors import DataError
from netwright.specs.load import LoadResult
from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import AudioData
from netwright.specs.models.losses import BY_CLASS, LOGISTIC

from .spellings import spellings


def wanted(load: LoadResult, network: Network) -> Wanted:
    """What the network takes from a data set."""
    assert load.model is not None
    train, outputs = load.model.train, network.outputs
    classes: dict[str, tuple[str, ...] | None] = {}
    counts: dict[str, int] = {}
    for loss in train.comparisons if train is not None else ():
        target = loss.target
        integer = target in network.targets and network.targets[target].dtype in ("int32", "int64")
        if integer and isinstance(loss, BY_CLASS):
            size = outputs[loss.output].type.shape[-1]
            counts |= {target: size} if isinstance(size, int) else {}
            labels = outputs[loss.output].labels
            named = {
                output.labels for output in outputs.values() if output.labels and len(output.labels) == size
            }
            classes[target] = labels or (named.pop() if len(named) == 1 else None)
        elif not integer and isinstance(loss, LOGISTIC) and _is_single(network, target):
            classes[target] = None
            counts[target] = 2
    arrays = {info.name: info for info in expected_arrays(network)}
    return Wanted(
        tuple(arrays[name] for name in network.inputs),
        tuple(arrays[name] for name in network.targets),
        classes,
        counts,
        {name: input.lengths for name, input in load.model.inputs.items() if input.lengths is not None},
        spellings=spellings(load, network),
    )


def _is_single(network: Network, target: str) -> bool:
    """Whether a target is one number per sample."""
    return target in network.targets and all(size == 1 for size in network.targets[target].shape[1:])


def expected_arrays(network: Network) -> list[BufferInfo]:
    """The arrays that a data set holds: inputs and targets."""
    types = {**network.inputs, **network.targets}
    return [
        BufferInfo(name=name, role="input", dtype=type.dtype, shape=[str(size) for size in type.shape])
        for name, type in types.items()
    ]


def sample_rates(load: LoadResult, network: Network) -> dict[str, int]:
    """How many samples per second the inputs of sound take, as far as the data sets say so."""
    assert load.model is not None
    rates: dict[str, int] = {}
    taken = wanted(load, network)
    for spec in load.model.train.data.values() if load.model.train else ():
        if isinstance(spec, AudioData):
            try:
                rates[taken.input(spec.input, (2, 3), spec.path).name] = spec.rate
            except DataError:  # it is not clear which input is meant, which whoever reads the data says
                continue
    return rates


def ranged_arrays(network: Network) -> list[BufferInfo]:
    """The arrays that a data set holds, with the ranges of their integers."""
    ranges = merged_ranges(network.graphs.values())
    return [info.model_copy(update={"ranges": ranges.get(info.name)}) for info in expected_arrays(network)]


def windows(load: LoadResult, network: Network) -> Windows | None:
    """The windows that sequences are cut into; None if they are trained on whole."""
    train = load.model.train if load.model else None
    time = time_dim(network)
    size = train.bptt.window if train and train.bptt else None
    return Windows(size, time) if size and time else None


def time_dim(network: Network) -> str | None:
    """The open dim that counts steps: the second axis of the first input whose second axis is open."""
    return steps_of(network.inputs.values(), network.dims)
