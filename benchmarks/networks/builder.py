"""Puts specs together: layers in the order of their calls, each known by the name that its call returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Spec = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A spec, the sizes that its open dims are measured at unless a case says otherwise, and for each integer input or
    target the range that its values are drawn from."""

    spec: Spec
    sizes: Mapping[str, int] = field(default_factory=dict)
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.spec["model"]


class Layers:
    """The layers of a spec. Images have three to five axes, features last."""

    def __init__(self) -> None:
        self.listed: list[dict[str, Any]] = []
        self._counts: Counter[str] = Counter()

    def add(self, type: str, *inputs: str, **keys: Any) -> str:
        """Adds a layer and returns its name."""
        self._counts[type] += 1
        name = f"{type}_{self._counts[type]}"
        self.listed.append({"name": name, "type": type, "inputs": list(inputs), **keys})
        return name

    def conv(
        self,
        x: str,
        filters: int,
        kernel: int | Sequence[int] = 3,
        stride: int = 1,
        rank: int = 2,
        **keys: Any,
    ) -> str:
        """A convolution whose padding keeps the size at stride 1: kernels are odd."""
        options = {"filters": filters, "kernel_size": kernel, "stride": stride, "padding": "same", **keys}
        return self.add(f"conv{rank}d", x, kernel_init="he_normal", **options)

    def conv_norm(
        self, x: str, filters: int, kernel: int = 3, stride: int = 1, relu: bool = True, **keys: Any
    ) -> str:
        """A convolution without a bias, batch normalization, and ReLU."""
        x = self.add("batch_norm", self.conv(x, filters, kernel, stride, use_bias=False, **keys))
        return self.add("relu", x) if relu else x

    def depthwise_norm(self, x: str, kernel: int = 3, stride: int = 1) -> str:
        """A depthwise convolution without a bias, batch normalization, and ReLU."""
        options = {"kernel_size": kernel, "stride": stride, "padding": "same", "use_bias": False}
        x = self.add("depthwise_conv2d", x, kernel_init="he_normal", **options)
        return self.add("relu", self.add("batch_norm", x))

    def pool(
        self, x: str, size: int = 2, stride: int | None = None, kind: str = "max", rank: int = 2, **keys: Any
    ) -> str:
        """A pool whose windows all fit."""
        options = {"pool_size": size, "stride": stride or size, "rounding": "floor", **keys}
        return self.add(f"{kind}_pool{rank}d", x, **options)

    def dense(self, x: str, units: int, activation: str = "linear") -> str:
        """A dense layer."""
        init = "he_normal" if activation == "relu" else "glorot_uniform"
        return self.add("dense", x, units=units, activation=activation, kernel_init=init)

    def network(
        self,
        model: str,
        output: str,
        inputs: Mapping[str, Any],
        dims: Mapping[str, str] | None = None,
        sizes: Mapping[str, int] | None = None,
        ranges: Mapping[str, tuple[int, int]] | None = None,
        **sections: Any,
    ) -> Network:
        """The network whose output `logits` is the layer ``output``. ``inputs`` maps names to shapes, or to what the
        spec says of an input."""
        declared = {
            name: given if isinstance(given, dict) else {"shape": list(given)}
            for name, given in inputs.items()
        }
        spec = {
            "netwright": 1,
            "model": model,
            "dims": dims or {"N": "batch"},
            "inputs": declared,
            **sections,
            "layers": self.listed,
            "outputs": {"logits": output},
        }
        return Network(spec, sizes or {}, ranges or {})
