"""What a page is about: what it lets its readers give to the network, and what it shows of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netwright.compiler.frontend.network import Network
from netwright.specs.dims import dim_symbols
from netwright.specs.models.layers.decoding import CtcDecode
from netwright.specs.models.layers.spectrum import MelSpectrogram

from ..data.needs import sample_rates
from ..errors import RequestError
from ..model import Model

Kind = Literal["image", "sound", "numbers", "stream"]

#: Layers whose values are drawn, and how many numbers a reader can be asked for.
MOST_MAPS, MOST_NUMBERS, MOST_FEATURES = 6, 64, 12
#: Layers that show nothing that the layer before does not.
_UNCHANGED = ("dropout", "rescale")


@dataclass(frozen=True, slots=True)
class Subject:
    """``kind`` is what the page asks for, ``input`` the network's input that takes it. ``most`` is the number that
    white is, ``rate`` samples per second; ``maps`` are the layers whose values are drawn."""

    kind: Kind
    input: str
    most: float = 1.0
    rate: int = 16000
    maps: tuple[str, ...] = ()


def subject_of(model: Model, *, steps: bool) -> Subject:
    """What the page of a model is about. Raises RequestError for inputs that no page can ask for."""
    network = model.network
    lengths = {own.lengths for own in model.spec.inputs.values() if own.lengths is not None}
    given = [name for name in network.inputs if name not in lengths]
    if len(given) != 1:
        raise RequestError(f"a page asks for one input, and {network.model} has {', '.join(given)}")
    (name,) = given
    shape = network.inputs[name].shape
    sizes = [size for size in shape[1:] if isinstance(size, int)]
    is_float = network.inputs[name].dtype.startswith("float")
    if steps:
        if len(shape) == 3 and is_float and sizes[-1:] and sizes[-1] <= MOST_FEATURES:
            return Subject("stream", name)
        raise RequestError(
            f"a page gives steps of up to {MOST_FEATURES} numbers, and {name} is {_text(shape)}"
        )
    if len(shape) == 4 and len(sizes) == 3 and sizes[-1] in (1, 3):
        return Subject("image", name, most=_white(model, name), maps=_maps(model))
    if is_float and dim_symbols(shape[1]) and (len(shape) == 2 or (len(shape) == 3 and sizes == [1])):
        return Subject("sound", name, rate=_rate(model, name))
    if len(shape) == 2 and sizes and sizes[0] <= MOST_NUMBERS:
        return Subject("numbers", name)
    raise RequestError(
        f"a page takes images [N, height, width, 1 or 3], sound [N, T], or up to {MOST_NUMBERS} numbers, and {name} is "
        f"{_text(shape)}"
    )


def _text(shape: tuple[object, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _white(model: Model, name: str) -> float:
    """The largest number of an image: what the layer that reads it divides by, else what the type suggests."""
    for layer in model.spec.layers:
        scale = getattr(layer, "scale", None)
        if layer.type == "rescale" and name in _sources(layer) and isinstance(scale, float) and scale > 0:
            return round(1 / scale, 6)
    first = model.spec.layers[0]
    scale = getattr(first, "scale", None)
    if first.type == "rescale" and not _sources(first) and isinstance(scale, float) and scale > 0:
        return round(1 / scale, 6)
    return 1.0 if model.network.inputs[name].dtype.startswith("float") else 255.0


def _sources(layer: object) -> list[str]:
    return [str(source) for source in getattr(layer, "inputs", None) or []]


def _rate(model: Model, name: str) -> int:
    """Samples per second, as the data sets or a spectrum say."""
    rates = sample_rates(model.load, model.network)
    if name in rates:
        return rates[name]
    spectra = [layer.sample_rate for layer in model.spec.layers if isinstance(layer, MelSpectrogram)]
    return spectra[0] if spectra else 16000


def _maps(model: Model) -> tuple[str, ...]:
    """Layers with values [N, height, width, channels]: of those that follow each other with one shape, the last."""
    last: dict[tuple[object, ...], str] = {}
    for layer in model.network.layers:
        shape = layer.outputs[""].shape if "" in layer.outputs else ()
        sizes = [size for size in shape[1:] if isinstance(size, int)]
        if len(shape) == 4 and len(sizes) == 3 and max(sizes[:2]) > 1 and layer.type not in _UNCHANGED:
            last[shape] = layer.name
    return tuple(last.values())[:MOST_MAPS]


def labels_of(network: Network) -> dict[str, list[str]]:
    """The names of classes, by the outputs that they number."""
    return {name: list(info.labels) for name, info in network.outputs.items() if info.labels}


def blank_of(model: Model) -> Literal["first", "last"] | None:
    """Where the blank is among the classes that a decoder of ctc chooses from; None if there is none, or in between."""
    blank = next((layer.blank for layer in model.spec.layers if isinstance(layer, CtcDecode)), None)
    if blank == "last":
        return "last"
    return "first" if blank == 0 else None
