"""Layers of other frameworks that Netwright has no layer for, and how to write them here."""

from __future__ import annotations

import re

_INPUT = "inputs of a model stand in the section inputs: inputs: {x: {shape: [N, 28, 28, 1]}}"
_DATA = "data sets stand in the training section: train: {data: {train: train.npz}}"
_BOTH = "both directions are a setting of a recurrence: {type: lstm, units: 8, bidirectional: true}"
_LENGTHS = "an input says how long its sequences are: x: {shape: [N, T, 8], lengths: n}, n: {shape: [N], dtype: int64}"
_ORDER = "layers stand in a list, each reads the one before it; a block has a name in the section blocks"
_LOSS = (
    "losses stand in the training section: train: {loss: {type: softmax_cross_entropy, output: y, target: t}}"
)
_CELL = "write the step as a cell: cells: {own: {…}}, and use it: {type: recurrent, cell: own}"
_STEP_OF = "a recurrence of several layers is a setting: {type: lstm, units: 8, layers: 2}"
_DETECTOR = (
    "it decodes what the network found: end the spec at the layer before it, and do that with its output"
)
_NOISE = "noise on values is dropout; recurrences have recurrent_dropout and zoneout besides"
_AXIS = (
    "an expression has the sizes and positions: {type: expression, value: …}; reshape adds and removes axes"
)
_ADAPTIVE = "pool by a window of known size; for one result in all take global_mean_pool or global_max_pool"
_OUTPUT = "outputs stand in the section outputs: outputs: {y: head}"
_TEXT = "text becomes numbers before the network: give it indices, which embedding reads"
_AUGMENT = "augment the data before they are stored; a network has no such layer"

_FORMULAS = {
    "subtract": "a - b",
    "sub": "a - b",
    "maximum": "maximum(a, b)",
    "minimum": "minimum(a, b)",
    "average": "(a + b) / 2",
    "squareddifference": "(a - b) ** 2",
    "realdiv": "a / b",
    "div": "a / b",
    "absval": "abs(x)",
    "abs": "abs(x)",
    "power": "(x * 2 + 1) ** 3",
    "pow": "x ** 2",
    "square": "x ** 2",
    "sqrt": "sqrt(x)",
    "rsqrt": "1 / sqrt(x)",
    "exp": "exp(x)",
    "log": "log(x)",
    "relu6": "clip(x, 0, 6)",
    "hardtanh": "clip(x, -1, 1)",
    "clip": "clip(x, 0, 1)",
    "clipbyvalue": "clip(x, 0, 1)",
    "logsigmoid": "-softplus(-x)",
    "tanhshrink": "x - tanh(x)",
    "bias": "x + b",
}
"""Layers that become a formula here, over `x` or over two inputs `a` and `b`."""


def _expression(value: str) -> str:
    inputs = "inputs: [a, b], " if re.search(r"\ba\b", value) else ""
    params = "params: {b: {shape: [8]}}, " if value == "x + b" else ""
    return f"write it as a formula: {{type: expression, {inputs}{params}value: {value}}}"


TYPE_NOTES: dict[str, str] = {
    **{word: _expression(value) for word, value in _FORMULAS.items()},
    **dict.fromkeys(("input", "inputlayer", "placeholder", "net", "network", "parameter"), _INPUT),
    **dict.fromkeys(
        ("data", "imagedata", "hdf5data", "hdf5output", "memorydata", "windowdata", "dummydata"), _DATA
    ),
    **dict.fromkeys(("bidirectional", "bilstm", "bigru", "birnn"), _BOTH),
    **dict.fromkeys(
        ("masking", "mask", "sequencelength", "packpaddedsequence", "padpackedsequence"), _LENGTHS
    ),
    **dict.fromkeys(("sequential", "modulelist", "moduledict", "functional", "model", "module"), _ORDER),
    **dict.fromkeys(("stackedrnncells", "crnn"), _STEP_OF),
    **dict.fromkeys(
        (
            "convlstm",
            "convlstm1d",
            "convlstm2d",
            "convlstm3d",
            "transformer",
            "transformerencoder",
            "transformerencoderlayer",
            "transformerdecoder",
            "transformerdecoderlayer",
        ),
        "write it as a block of layers (blocks:), or as a cell (cells:) where it is a recurrence",
    ),
    **dict.fromkeys(
        ("yolo", "region", "detection", "iseg", "gaussianyolo", "detectionoutput", "priorbox"), _DETECTOR
    ),
    **dict.fromkeys(
        (
            "gaussiannoise",
            "gaussiandropout",
            "alphadropout",
            "featurealphadropout",
            "spatialdropout",
            "spatialdropout1d",
            "spatialdropout2d",
            "spatialdropout3d",
        ),
        _NOISE,
    ),
    **dict.fromkeys(
        [f"adaptive{kind}pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3)]
        + ["adaptiveaveragepooling2d", "spp", "roipooling", "fractionalmaxpool2d", "fractionalmaxpool3d"],
        _ADAPTIVE,
    ),
    **dict.fromkeys(
        (
            "cost",
            "contrastiveloss",
            "infogainloss",
            "marginrankingloss",
            "hingeembeddingloss",
            "tripletmarginloss",
            "tripletloss",
            "gaussiannllloss",
            "multilabelmarginloss",
            "multilabelsoftmarginloss",
            "softmarginloss",
        ),
        _LOSS,
    ),
    **dict.fromkeys(("recurrentnet", "python", "custom", "recurrentlayer"), _CELL),
    **dict.fromkeys(("squeeze", "unsqueeze", "expanddims", "stack", "pack", "unpack", "unstack"), _AXIS),
    **dict.fromkeys(("silence", "filter", "batchreindex", "output"), _OUTPUT),
    **dict.fromkeys(
        ("textvectorization", "stringlookup", "integerlookup", "hashing", "discretization"), _TEXT
    ),
    **dict.fromkeys(
        [
            f"random{word}"
            for word in ("crop", "flip", "rotation", "zoom", "contrast", "brightness", "translation")
        ]
        + ["randomheight", "randomwidth", "randaugment", "mixup", "cutmix", "augment"],
        _AUGMENT,
    ),
    "activation": "an activation is a layer of its own type ({type: relu}), or a setting (activation: relu)",
    "activationlayer": "an activation is a layer of its own type ({type: relu}), or a setting (activation: relu)",
    "accuracy": "metrics stand in the training section: train: {metrics: [accuracy]}",
    "einsumdense": "dense works on the last axis, matmul multiplies two values; transpose and reshape do the rest",
    "einsum": "dense works on the last axis, matmul multiplies two values; transpose and reshape do the rest",
    "bilinear": "multiply two values with an expression with params: {type: expression, params: {w: …}, value: …}",
    "cosinesimilarity": "normalize both by lp_norm, then multiply and reduce; or write an expression",
    "pairwisedistance": "write it as an expression: {type: expression, inputs: [a, b], value: …}",
    "additiveattention": "attention multiplies query and key; write another score as an expression",
    "groupqueryattention": "multi_head_attention has one key for each head; write others with attention and reshape",
    "embeddingbag": "embedding, then reduce along time",
    "glu": "split, then sigmoid, then multiply",
    "softmin": "an expression with a minus, then softmax",
    "crelu": "concat of relu and of relu of the negative, as expressions",
    "channelshuffle": "reshape, transpose, reshape",
    "spectralnormalization": "weights are taken as they are; clip_norm in the training section limits gradients",
    "activityregularization": "weight_decay belongs to the optimizer: optimizer: {type: adam, weight_decay: 1e-4}",
    "local": "no kernel differs from place to place; windows and dense is the nearest",
    "locallyconnected1d": "no kernel differs from place to place; windows and dense is the nearest",
    "locallyconnected2d": "no kernel differs from place to place; windows and dense is the nearest",
    "biasadd": "dense and convolutions have a bias: use_bias: true",
    "positionalencoding": "add constants or an embedding of positions to the values",
}
