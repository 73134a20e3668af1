"""Which input of a network holds the tokens that it writes, and which output the scores of the next one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from netwright.compiler.frontend.network import Network
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.specs.manifest import DimInfo
from netwright.specs.models.data import SequenceData, TableData
from netwright.specs.models.losses import SoftmaxCrossEntropy
from netwright.specs.models.spec import ModelSpec

from ..errors import RequestError


@dataclass(frozen=True)
class Written:
    """``input`` holds the tokens so far `[N, T]`, ``output`` the scores `[N, T, V]` of what follows each of them.
    ``lengths`` is the input with their lengths, if there is one, and ``others`` are all other inputs. ``rows`` and
    ``steps`` are the sizes that N and T may have, ``size`` is V.
    """

    input: str
    output: str
    lengths: str | None
    others: tuple[str, ...]
    rows: DimInfo
    steps: DimInfo
    size: int


def written_by(spec: ModelSpec, network: Network, given: Collection[str] = ()) -> Written:
    """What a network writes. ``given`` are inputs that are known to be others. Raises RequestError for a network that
    was not trained to predict next tokens.
    """
    input = _generated(spec, network, given)
    lengths = spec.inputs[input].lengths
    shape = network.inputs[input].shape
    output, size = _scored(spec, network, input)
    rows, steps = (_sizes(network, str(size)) for size in shape)
    others = tuple(name for name in network.inputs if name not in (input, lengths))
    return Written(input, output, lengths, others, rows, steps, size)


def never_written(vocabulary: Vocabulary | None, size: int) -> list[int]:
    """Of ``size`` tokens those that no text has: padding, unknown pieces, the beginning, and numbers beyond the
    vocabulary.
    """
    if vocabulary is None:
        return []
    special = (vocabulary.padding, vocabulary.unknown, vocabulary.begin)
    numbers = [vocabulary.numbers[entry] for entry in special if entry is not None]
    return [*numbers, *range(len(vocabulary), size)]


def _generated(spec: ModelSpec, network: Network, given: Collection[str]) -> str:
    """The input that holds the tokens so far. Raises RequestError."""
    sets = list(spec.train.data.values()) if spec.train else []
    columns = [name for data in sets if isinstance(data, TableData) for name in data.followed]
    if columns:
        return columns[0]
    declared = [data for data in sets if isinstance(data, SequenceData) and data.next_token]
    if not declared:
        raise RequestError(
            f"{spec.model} does not predict next tokens: no data set says next_token: true, and none has a column of "
            "text with next_token: TARGET"
        )
    if declared[0].input is not None:
        return declared[0].input
    others = {*given, *(input.lengths for input in spec.inputs.values())}
    fitting = [
        name
        for name, type in network.inputs.items()
        if type.rank == 2 and type.dtype in ("int32", "int64", "uint8") and name not in others
    ]
    if len(fitting) != 1:
        what = f"{' and '.join(fitting)} hold tokens" if fitting else "no input holds tokens [N, T]"
        raise RequestError(
            f"{spec.model}: {what}; name the one that is generated in the data set: input: NAME"
        )
    return fitting[0]


def _scored(spec: ModelSpec, network: Network, input: str) -> tuple[str, int]:
    """The output with the scores of next tokens, what a softmax_cross_entropy compares, a row per step, and how many
    there are. Raises RequestError.
    """
    steps = network.inputs[input].shape
    for loss in spec.train.comparisons if spec.train else ():
        if isinstance(loss, SoftmaxCrossEntropy):
            shape = network.outputs[loss.output].type.shape
            if len(shape) == 3 and shape[:2] == steps and isinstance(shape[2], int):
                return loss.output, shape[2]
    raise RequestError(
        f"{spec.model} has no output [N, T, V] of scores that a softmax_cross_entropy compares"
    )


def _sizes(network: Network, size: str) -> DimInfo:
    """The numbers that an axis may have."""
    fixed = int(size) if size.isdigit() else None
    return network.dims.get(size) or DimInfo(name="the number of tokens", min=fixed or 1, max=fixed)
