"""Keras' applications and recurrent layers, through tf2onnx."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .entries import Entry

OPSET = 17
#: Applications, with the side of their images and what else they are made with.
APPLICATIONS: dict[str, tuple[int, dict[str, Any]]] = {
    "ConvNeXtTiny": (64, {}),
    "DenseNet121": (64, {}),
    "EfficientNetB0": (64, {}),
    "EfficientNetV2B0": (64, {}),
    "InceptionResNetV2": (96, {}),
    "InceptionV3": (96, {}),
    "MobileNet": (64, {"alpha": 0.25}),
    "MobileNetV2": (64, {"alpha": 0.35}),
    "MobileNetV3Large": (64, {}),
    "MobileNetV3Small": (64, {}),
    "NASNetMobile": (64, {}),
    "ResNet50": (64, {}),
    "ResNet50V2": (64, {}),
    "VGG16": (64, {}),
    "Xception": (96, {}),
}
#: Recurrent and other networks, most of them over (batch, steps, 6).
_STEPS = 9


def _sequence(
    *layers: Callable[[Any], Any], shape: tuple[int | None, ...] = (None, 6)
) -> Callable[[Any], Any]:
    return lambda keras: keras.Sequential([keras.Input(shape), *(make(keras.layers) for make in layers)])


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "LSTM": _sequence(lambda k: k.LSTM(8), lambda k: k.Dense(3)),
    "LSTM-sequences": _sequence(lambda k: k.LSTM(8, return_sequences=True), lambda k: k.Dense(3)),
    "LSTM-stacked": _sequence(lambda k: k.LSTM(8, return_sequences=True), lambda k: k.LSTM(5)),
    "LSTM-fixed": _sequence(lambda k: k.LSTM(8), lambda k: k.Dense(3), shape=(_STEPS, 6)),
    "LSTM-hard-sigmoid": _sequence(lambda k: k.LSTM(8, recurrent_activation="hard_sigmoid")),
    "LSTM-backwards": _sequence(lambda k: k.LSTM(8, go_backwards=True, return_sequences=True)),
    "LSTM-masked": _sequence(lambda k: k.Masking(), lambda k: k.LSTM(8)),
    "BidirectionalLSTM": _sequence(lambda k: k.Bidirectional(k.LSTM(8, return_sequences=True))),
    "BidirectionalLSTM-sum": _sequence(lambda k: k.Bidirectional(k.LSTM(8), merge_mode="sum")),
    "BidirectionalGRU-average": _sequence(lambda k: k.Bidirectional(k.GRU(8), merge_mode="ave")),
    "GRU": _sequence(lambda k: k.GRU(8), lambda k: k.Dense(3)),
    "GRU-sequences": _sequence(lambda k: k.GRU(8, return_sequences=True)),
    "GRU-reset-before": _sequence(lambda k: k.GRU(8, reset_after=False)),
    "GRU-fixed": _sequence(lambda k: k.GRU(8), shape=(_STEPS, 6)),
    "SimpleRNN": _sequence(lambda k: k.SimpleRNN(8)),
    "SimpleRNN-sequences": _sequence(lambda k: k.SimpleRNN(8, return_sequences=True)),
    "RNN-cells": _sequence(lambda k: k.RNN([k.LSTMCell(8), k.LSTMCell(5)], return_sequences=True)),
    "TimeDistributed": _sequence(
        lambda k: k.TimeDistributed(k.Conv2D(4, 3, activation="relu")),
        lambda k: k.TimeDistributed(k.GlobalAveragePooling2D()),
        lambda k: k.LSTM(5),
        shape=(4, 12, 12, 3),
    ),
    "ConvLSTM2D": _sequence(lambda k: k.ConvLSTM2D(4, 3, padding="same"), shape=(4, 12, 12, 3)),
    "ConvLSTM2D-sequences": _sequence(
        lambda k: k.ConvLSTM2D(4, 3, padding="same", return_sequences=True), shape=(None, 12, 12, 3)
    ),
    "ConvLSTM2D-masked": _sequence(
        lambda k: k.Masking(), lambda k: k.ConvLSTM2D(4, 3, padding="same"), shape=(None, 12, 12, 3)
    ),
    "RepeatVector": _sequence(
        lambda k: k.LSTM(8), lambda k: k.RepeatVector(5), lambda k: k.LSTM(6, return_sequences=True)
    ),
    "Dense-LSTM-softmax": _sequence(lambda k: k.Dense(8), lambda k: k.LSTM(6), lambda k: k.Dense(3, "softmax")),
    "Conv1D-LSTM": _sequence(
        lambda k: k.Conv1D(8, 3, padding="causal", activation="relu"), lambda k: k.MaxPooling1D(2), lambda k: k.GRU(5)
    ),
    "GlobalAveragePooling1D": _sequence(lambda k: k.Conv1D(8, 3), lambda k: k.GlobalAveragePooling1D()),
    "Conv2DTranspose": _sequence(
        lambda k: k.Conv2D(8, 3, 2, "same"), lambda k: k.Conv2DTranspose(3, 3, 2, "same"), shape=(None, None, 3)
    ),
    "UpSampling2D": _sequence(
        lambda k: k.Conv2D(8, 3, padding="same"), lambda k: k.UpSampling2D(2, interpolation="bilinear"),
        shape=(16, 16, 3),
    ),
    "Conv3D": _sequence(lambda k: k.Conv3D(4, 3), lambda k: k.MaxPooling3D(2), shape=(6, 12, 12, 1)),
    "SeparableConv2D": _sequence(
        lambda k: k.SeparableConv2D(8, 3), lambda k: k.LayerNormalization(), lambda k: k.Flatten(),
        lambda k: k.Dense(4), shape=(12, 12, 3),
    ),
}  # fmt: skip

#: The sizes of unnamed open axes, by input and axis: the one input is called `x`.
_SIZES = {"x:0": (2, 3), "x:1": (9, 12), "x:2": (12, 8)}

ENTRIES = (
    *(Entry("keras", name, "tf2onnx", sizes=_SIZES) for name in NETWORKS),
    *(Entry("keras", name, "tf2onnx", sizes=_SIZES) for name in APPLICATIONS),
)


def make(entry: Entry, path: Path) -> None:
    """Writes the ONNX file of an entry."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow
    import tf2onnx

    keras.utils.set_random_seed(0)
    if entry.model in APPLICATIONS:
        side, options = APPLICATIONS[entry.model]
        build = getattr(keras.applications, entry.model)
        top = {"include_top": False, "pooling": "avg"}  # weights for other sizes of image
        module = build(weights=None, input_shape=(side, side, 3), **top, **options)
    else:
        module = NETWORKS[entry.model](keras)
    _settle(module)
    (given,) = module.inputs
    signature = [tensorflow.TensorSpec(given.shape, given.dtype, name="x")]
    call = tensorflow.function(lambda x: module(x, training=False))
    tf2onnx.convert.from_function(call, input_signature=signature, opset=OPSET, output_path=str(path))


def _settle(module: Any) -> None:
    """Weights that start as one number throughout are drawn, as for PyTorch's networks."""
    import numpy as np

    random = np.random.default_rng(0)
    for weight in module.weights:
        value = np.asarray(weight)
        if value.size > 1 and value.dtype.kind == "f" and (value == value.flat[0]).all():
            drawn = (
                random.normal(0, 0.1, value.shape)
                if value.flat[0] == 0
                else random.uniform(0.5, 1.5, value.shape)
            )
            weight.assign(drawn.astype(value.dtype))
