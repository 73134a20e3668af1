"""Outputs that spell labels: logits that the loss `ctc` compares, and what `ctc_decode` makes of them."""

from __future__ import annotations

from netwright.compiler.frontend.network import Network
from netwright.runtime.data.wanted import Spelling
from netwright.specs.load import LoadResult
from netwright.specs.models.layers.decoding import CtcDecode
from netwright.specs.models.losses import Ctc


def decoded_outputs(load: LoadResult) -> dict[str, str]:
    """The outputs that are labels from a `ctc_decode` layer, each with the layer or port that it decodes."""
    assert load.model is not None
    layers = {layer.name: layer for layer in load.model.layers if isinstance(layer, CtcDecode)}
    return {
        output: str(load.wiring.inputs[ref.name][0])
        for output, ref in load.wiring.outputs.items()
        if ref.name in layers and ref.port in ("", None, "labels")
    }


def spellings(load: LoadResult, network: Network) -> dict[str, Spelling]:
    """How the targets of the losses `ctc` hold labels. The names of classes are the `labels` of the logits, or of an
    output that decodes them.
    """
    assert load.model is not None
    spelled: dict[str, Spelling] = {}
    decoded = decoded_outputs(load)
    for loss in load.model.train.comparisons if load.model.train else ():
        if not isinstance(loss, Ctc):
            continue
        size = network.outputs[loss.output].type.shape[-1]
        assert isinstance(size, int)
        source = str(load.wiring.outputs[loss.output])
        named = [loss.output, *(output for output, read in decoded.items() if read == source)]
        labels = next((network.outputs[name].labels for name in named if network.outputs[name].labels), None)
        blank = size - 1 if loss.blank == "last" else loss.blank
        lengths = loss.target_lengths if loss.target_lengths in network.targets else None
        spelled[loss.target] = Spelling(size, blank, lengths, tuple(labels) if labels else None)
    return spelled
