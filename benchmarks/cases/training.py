"""The cases of `python -m benchmarks training`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ..networks import images, sequences, tiny, training
from ..networks.builder import Network
from . import Case

BATCHES = (1, 16, 32, 128)
UNITS = (16, 64, 128, 512)

CLASSIFIERS: dict[str, tuple[Callable[[], Network], int]] = {
    "lenet": (images.lenet, 10),
    "resnet8": (tiny.resnet8, 10),
    "resnet18": (partial(images.resnet18, 32, 10), 10),
    "ds_cnn": (tiny.ds_cnn, 12),
    "mobilenet": (partial(tiny.mobilenet, 96, 10), 10),
    "waveform": (sequences.waveform, 35),
    "volumes": (sequences.volumes, 10),
    "mlp": (partial(tiny.mlp, 512, 512), 10),
}
_LARGE = {"resnet18", "unet", "volumes", "mobilenet"}
#: A channel's batch statistics over one number have no gradient: these need more than one sample.
_NOT_ALONE: frozenset[str] = frozenset({"autoencoder"})
_QUICK = {
    "lenet/b1/sgd",
    "lenet/b32/sgd",
    "resnet8/b16/sgd",
    "mlp/b32/adam",
    "lstm64/T32/b16/adam",
    "gru64/T32/b16/adam",
}

Trained = Callable[[], Network]


def cases() -> Iterator[Case]:
    """All of them: both optimizers at one batch, SGD for images and Adam for sequences at the others."""
    for name, (network, classes) in CLASSIFIERS.items():
        for optimizer in training.OPTIMIZERS:
            make = partial(_classified, network, optimizer, classes)
            yield from _batches(name, make, optimizer, "sgd", name in _LARGE)
    for optimizer in training.OPTIMIZERS:
        yield from _batches("unet", partial(_mapped, optimizer), optimizer, "sgd", large=True)
        yield from _batches("autoencoder", partial(_rebuilt, optimizer), optimizer, "adam")
    for kind in ("rnn", "lstm", "gru"):
        for units in UNITS:
            yield from _recurrences(kind, units)
    for cell, units in (("minimal_gated", 64), ("gatewise_lstm", 64), ("gatewise_lstm", 128)):
        for time in (32, 100):
            make = partial(_cell, cell, units, time)
            yield from _batches(f"{cell}{units}/T{time}", make, "adam", "adam", large=True)
    yield from _batches("conv_lstm", partial(_sequence, sequences.conv_lstm, "all"), "adam", "adam")
    yield from _batches("translator", _translated, "adam", "adam", large=True)
    yield from _batches("ctc", _spelled, "adam", "adam", large=True)


def _recurrences(kind: str, units: int) -> Iterator[Case]:
    """One layer at all lengths; several layers, the loss on the last step, and both directions at one length each."""
    for time in (32, 100, 1000):
        make = partial(_sequence, partial(sequences.recurrent, kind, units, time=time), "all")
        yield from _batches(f"{kind}{units}/T{time}", make, "adam", "adam", time == 1000 or units >= 512)
    for layers in (2, 3):
        make = partial(_sequence, partial(sequences.recurrent, kind, units, layers, time=100), "all")
        yield from _batches(f"{kind}{units}x{layers}/T100", make, "adam", "adam", large=True)
    last = partial(_sequence, partial(sequences.recurrent, kind, units, time=100), "last")
    yield from _batches(f"{kind}{units}/T100/last", last, "adam", "adam", large=True)
    both = partial(sequences.recurrent, kind, units, time=100, bidirectional=True)
    yield from _batches(f"bi{kind}{units}/T100", partial(_sequence, both, "all"), "adam", "adam", large=True)


def _batches(name: str, make: Trained, optimizer: str, usual: str, large: bool = False) -> Iterator[Case]:
    """A case per batch: with the optimizer that is usual all batches, of large ones two, with the other only 32."""
    batches = (BATCHES[1::2] if large else BATCHES) if optimizer == usual else (32,)
    for batch in batches:
        if batch == 1 and name in _NOT_ALONE:
            continue
        title = f"{name}/b{batch}/{optimizer}"
        yield Case(title, make, "training", {**make().sizes, "N": batch}, quick=title in _QUICK)


def _classified(network: Trained, optimizer: str, classes: int) -> Network:
    return training.trained(network(), optimizer, classes)


def _mapped(optimizer: str) -> Network:
    return training.trained(images.unet(64), optimizer, 2, ("N", 64, 64))


def _rebuilt(optimizer: str) -> Network:
    return training.rebuilt(tiny.autoencoder(), optimizer)


def _sequence(network: Trained, steps: str) -> Network:
    shape = ("N", "T") if steps == "all" else ("N",)
    return training.trained(network(), "adam", 10, shape, steps)


def _cell(cell: str, units: int, time: int) -> Network:
    return _sequence(partial(sequences.user_cell, cell, units, time), "all")


def _translated() -> Network:
    return training.trained(sequences.translator(), "adam", 100, ("N", "T"))


def _spelled() -> Network:
    return training.spelled(sequences.listener(), "adam", 29)
