"""Which outputs answer with classes, with probabilities, or with numbers: it follows from the losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netwright.compiler.frontend.network import Network
from netwright.runtime.data.class_names import ClassNames
from netwright.specs.load import LoadResult
from netwright.specs.models.layers.reduction import Argmax, Argmin
from netwright.specs.models.losses import (
    AnyComparison,
    BinaryCrossEntropy,
    Ctc,
    LossSpec,
    MultiClassHinge,
    SoftmaxCrossEntropy,
)

from ..data.needs import wanted
from ..data.spellings import decoded_outputs
from .answers import Answer, Labels, Numbers
from .class_answers import Chances, Classes


def answers_of(load: LoadResult, network: Network, kept: ClassNames, top: int) -> list[Answer]:
    """The outputs that are shown, in their order. ``kept`` are the names of classes that the weights have; the spec's
    own labels come first. An output that is the argmax of one that answers with classes says nothing more, and is left
    out; so are logits that another output decodes. Raises WeightsError if the labels are in another order than the
    weights'.
    """
    assert load.model is not None
    losses = load.model.train.comparisons if load.model.train is not None else ()
    taken = wanted(load, network).knowing(kept)
    decoded = decoded_outputs(load)
    named = {
        str(load.wiring.outputs[loss.output]): taken.spellings[loss.target].names or ()
        for loss in losses
        if isinstance(loss, Ctc)
    }
    answers = [
        Labels(name, output.type, output.labels or named.get(decoded[name], ()))
        if name in decoded
        else _answer(network, name, losses, taken.classes, kept, top)
        for name, output in network.outputs.items()
    ]
    sources = {str(load.wiring.outputs[a.output]) for a in answers if isinstance(a, Classes)}
    spelled = named.keys() & set(decoded.values())
    shown = [
        answer
        for answer in answers
        if not _repeats(load, answer.output, sources)
        and str(load.wiring.outputs[answer.output]) not in spelled
    ]
    for answer in shown:
        answer.alone = len(shown) == 1
    return shown


def steps_of(load: LoadResult, network: Network) -> dict[str, str]:
    """The input that holds the number of steps of each output `[N, T, …]`: the one with the lengths of an input that
    has the same steps.
    """
    assert load.model is not None
    lengths: dict[str, set[str]] = {}
    for name, input in load.model.inputs.items():
        if input.lengths is not None:
            lengths.setdefault(str(network.inputs[name].shape[1]), set()).add(input.lengths)
    steps: dict[str, str] = {}
    for name, output in network.outputs.items():
        known = lengths.get(str(output.type.shape[1]), set()) if output.type.rank > 1 else set()
        if len(known) == 1:
            steps[name] = next(iter(known))
    return steps


def _answer(
    network: Network,
    output: str,
    losses: Sequence[AnyComparison],
    names: Mapping[str, tuple[str, ...] | None],
    kept: ClassNames,
    top: int,
) -> Answer:
    type, labels = network.outputs[output].type, network.outputs[output].labels or ()
    if type.dtype not in ("float32", "float64", "float16"):
        return Numbers(output, type, labels)
    labels = labels if type.rank > 1 and len(labels) == type.shape[-1] else ()
    own = next((loss for loss in losses if loss.output == output), None)
    last = isinstance(own, LossSpec) and own.steps == "last" and type.rank > 2
    if isinstance(own, SoftmaxCrossEntropy | MultiClassHinge):
        known = labels or names.get(own.target) or kept.get(own.target) or ()
        logits = isinstance(own, SoftmaxCrossEntropy)
        return Classes(output, type, known, top, logits=logits, last=last)
    if isinstance(own, BinaryCrossEntropy):
        return Chances(output, type, labels, last=last)
    if labels:
        return Classes(output, type, labels, top, logits=False, last=last)
    return Numbers(output, type, last=last)


def _repeats(load: LoadResult, output: str, sources: set[str]) -> bool:
    """Whether an output is the argmax of one of these layers."""
    assert load.model is not None
    ref = load.wiring.outputs[output]
    layer = next((layer for layer in load.model.layers if layer.name == ref.name), None)
    if not isinstance(layer, Argmax) or isinstance(layer, Argmin) or layer.axis != -1 or ref.port:
        return False
    return [str(read) for read in load.wiring.inputs.get(ref.name, ())] in [[source] for source in sources]
