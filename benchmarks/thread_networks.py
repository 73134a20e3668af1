"""Specs of the networks, besides the examples, on which threads are measured: ResNet-8, MobileNet at a quarter of its
width, and an LSTM of 128 units.
"""

from collections.abc import Iterable


def resnet8() -> str:
    """ResNet-8 for images of 32×32: three stages of one block each."""
    layers = [_conv("stem", "image", 16), *_normalized("stem")]
    last = "stem_relu"
    for stage, (filters, strides) in enumerate(((16, 1), (32, 2), (64, 2))):
        name, short = f"b{stage}", last
        layers += [_conv(f"{name}a", last, filters, strides=strides), *_normalized(f"{name}a")]
        layers += [_conv(f"{name}b", f"{name}a_relu", filters), *_normalized(f"{name}b", relu=False)]
        if strides > 1:
            short = f"{name}s"
            layers.append(_conv(short, last, filters, kernel=1, strides=strides))
        last = f"{name}_relu"
        layers += [
            f"{{name: {name}_sum, type: add, inputs: [{name}b_norm, {short}]}}",
            f"{{name: {last}, type: relu}}",
        ]
    return _spec("resnet8", "image: {shape: [N, 32, 32, 3]}", [*layers, *_head(10)], "N: batch")


def mobilenet() -> str:
    """MobileNet v1 at a quarter of its width, for images of 128×128."""
    layers = [_conv("stem", "image", 8, strides=2), *_normalized("stem")]
    blocks = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]
    for number, (filters, strides) in enumerate(blocks):
        depthwise, pointwise = f"d{number}", f"p{number}"
        layers.append(
            f"{{name: {depthwise}, type: depthwise_conv2d, kernel_size: 3, padding: same, stride: {strides}}}"
        )
        layers += _normalized(depthwise)
        layers += [_conv(pointwise, f"{depthwise}_relu", filters, kernel=1), *_normalized(pointwise)]
    return _spec("mobilenet", "image: {shape: [N, 128, 128, 3]}", [*layers, *_head(1000)], "N: batch")


def lstm() -> str:
    """An LSTM of 128 units over sequences of 32 features."""
    layers = ["{name: memory, type: lstm, units: 128}", "{name: logits, type: dense, units: 10}"]
    return _spec("lstm128", "x: {shape: [N, T, 32]}", layers, "N: batch, T: time")


def mlp() -> str:
    """Two hidden layers of 1,024 units: many weights for little work."""
    layers = [f"{{name: hidden{number}, type: dense, units: 1024, activation: relu}}" for number in (1, 2)]
    return _spec(
        "mlp1024", "x: {shape: [N, 784]}", [*layers, "{name: logits, type: dense, units: 10}"], "N: batch"
    )


def _conv(name: str, inputs: str, filters: int, kernel: int = 3, strides: int = 1) -> str:
    return (
        f"{{name: {name}, type: conv2d, inputs: [{inputs}], filters: {filters}, kernel_size: {kernel}, "
        f"stride: {strides}, padding: same}}"
    )


def _normalized(name: str, relu: bool = True) -> list[str]:
    layers = [f"{{name: {name}_norm, type: batch_norm}}"]
    return [*layers, f"{{name: {name}_relu, type: relu}}"] if relu else layers


def _head(units: int) -> list[str]:
    return ["{name: pooled, type: global_mean_pool}", f"{{name: logits, type: dense, units: {units}}}"]


def _spec(model: str, inputs: str, layers: Iterable[str], dims: str) -> str:
    listed = "\n".join(f"  - {layer}" for layer in layers)
    return (
        f"netwright: 1\nmodel: {model}\ndims: {{{dims}}}\ninputs: {{{inputs}}}\n"
        f"layers:\n{listed}\noutputs: {{logits: logits}}\n"
    )
