"""The cases of `python -m benchmarks inference`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ..networks import images, sequences, tiny
from ..networks.builder import Network
from . import Case

BATCHES = (1, 8, 32, 64)
UNITS = (16, 64, 128, 512, 1024)

#: Networks by their names in the cases. The first batch sizes of a network are those that are worth their time.
IMAGES: dict[str, Callable[[], Network]] = {
    "lenet": images.lenet,
    "resnet8": tiny.resnet8,
    "ds_cnn": tiny.ds_cnn,
    "mobilenet": tiny.mobilenet,
    "autoencoder": tiny.autoencoder,
    "resnet18": images.resnet18,
    "resnet50": images.resnet50,
    "vgg16": images.vgg16,
    "squeezenet": images.squeezenet,
    "mobilenet_v2": images.mobilenet_v2,
    "densenet121": images.densenet121,
    "inception_v1": images.inception_v1,
    "unet": images.unet,
    "dilated_head": images.dilated_head,
    "volumes": sequences.volumes,
    "waveform": sequences.waveform,
    "scanning_mlp": sequences.scanning_mlp,
    "keyword_spotter": sequences.keyword_spotter,
    "conv_lstm": sequences.conv_lstm,
}
#: Networks of which a call on 64 samples takes seconds.
LARGE = {"resnet18", "resnet50", "vgg16", "densenet121", "inception_v1", "volumes"}
_QUICK = {"lenet/b1", "lenet/b32", "resnet8/b1", "ds_cnn/b8", "lstm128/b1", "lstm128/b32", "gru64/b1"}


def cases() -> Iterator[Case]:
    """All of them: the slowest networks only to a batch of 8."""
    for name, network in IMAGES.items():
        for batch in BATCHES[:2] if name in LARGE else BATCHES:
            yield _case(name, network, batch)
    for kind in ("rnn", "lstm", "gru"):
        for units in UNITS:
            for layers in (1, 2, 3):
                if units >= 512 and layers == 2:
                    continue
                yield from _recurrent(kind, units, layers)
    for kind in ("rnn", "lstm", "gru"):
        yield from _recurrent(kind, 64, 1, bidirectional=True)
    yield from _recurrent("lstm", 128, 2, bidirectional=True)
    for kind, units, layers in (("lstm", 128, 1), ("lstm", 512, 1), ("gru", 128, 1), ("rnn", 64, 1)):
        network = partial(sequences.recurrent, kind, units, layers)
        yield Case(f"{network().name}/step", network, "step", {"N": 1, "T": 1})


def _recurrent(kind: str, units: int, layers: int, bidirectional: bool = False) -> Iterator[Case]:
    network = partial(sequences.recurrent, kind, units, layers, bidirectional=bidirectional)
    for batch in BATCHES[::2] if layers > 1 or bidirectional else BATCHES:
        yield _case(network().name, network, batch)


def _case(name: str, network: Callable[[], Network], batch: int) -> Case:
    name = f"{name}/b{batch}"
    return Case(name, network, "inference", {**network().sizes, "N": batch}, quick=name in _QUICK)
