"""Networks over sequences: recurrences, convolutions over one axis, and both."""

from __future__ import annotations

from typing import Any

from .builder import Layers, Network

TIME = {"N": "batch", "T": "time"}

#: Cells that the language has no layer for, written as equations. Peers have them as loops.
CELLS: dict[str, Any] = {
    "minimal_gated": {  # Zhou et al., 2016
        "args": {"H": "int"},
        "input": {"x": ["F"]},
        "states": {"h": {"shape": ["H"]}},
        "params": {
            "Wf": {"shape": ["F", "H"]},
            "Uf": {"shape": ["H", "H"], "init": "orthogonal"},
            "bf": {"shape": ["H"], "init": "zeros"},
            "Wh": {"shape": ["F", "H"]},
            "Uh": {"shape": ["H", "H"], "init": "orthogonal"},
            "bh": {"shape": ["H"], "init": "zeros"},
        },
        "update": [
            "f = sigmoid(x @ Wf + prev(h) @ Uf + bf)",
            "c = tanh(x @ Wh + (f * prev(h)) @ Uh + bh)",
            {"h": "(1.0 - f) * prev(h) + f * c"},
        ],
        "output": "h",
    },
    "gatewise_lstm": {
        "args": {"H": "int"},
        "input": {"x": ["F"]},
        "states": {"h": {"shape": ["H"]}, "c": {"shape": ["H"]}},
        "params": {
            **{f"W{gate}": {"shape": ["F", "H"]} for gate in "ifgo"},
            **{f"U{gate}": {"shape": ["H", "H"], "init": "orthogonal"} for gate in "ifgo"},
            **{f"b{gate}": {"shape": ["H"], "init": "zeros"} for gate in "ifgo"},
        },
        "update": [
            "i = sigmoid(x @ Wi + prev(h) @ Ui + bi)",
            "f = sigmoid(x @ Wf + prev(h) @ Uf + bf)",
            "g = tanh(x @ Wg + prev(h) @ Ug + bg)",
            "o = sigmoid(x @ Wo + prev(h) @ Uo + bo)",
            {"c": "f * prev(c) + i * g"},
            {"h": "o * tanh(c)"},
        ],
        "output": "h",
    },
}


def recurrent(
    kind: str, units: int, layers: int = 1, time: int = 100, features: int = 32, bidirectional: bool = False
) -> Network:
    """``layers`` of `rnn`, `lstm` or `gru`, and a dense layer on every step."""
    net = Layers()
    more = {"bidirectional": True} if bidirectional else {}
    x = net.add(kind, "x", units=units, layers=layers, **more)
    name = f"{'bi' if bidirectional else ''}{kind}{units}" + (f"x{layers}" if layers > 1 else "")
    return net.network(name, net.dense(x, 10), {"x": ["N", "T", features]}, TIME, {"T": time})


def user_cell(cell: str, units: int, time: int = 100, features: int = 32) -> Network:
    """One of ``CELLS``, and a dense layer on every step."""
    net = Layers()
    x = net.add("recurrent", "x", cell=cell, **{"with": {"H": units}})
    cells = {cell: CELLS[cell]}
    inputs = {"x": ["N", "T", features]}
    return net.network(f"{cell}{units}", net.dense(x, 10), inputs, TIME, {"T": time}, cells=cells)


def keyword_spotter() -> Network:
    """Convolutions over one second of log mel energies (98 frames of 40), a GRU, and a decision at every frame
    (after Arik et al., 2017)."""
    net = Layers()
    x = net.conv("x", 64, 5, rank=1, activation="relu")
    x = net.conv(x, 64, 5, rank=1, activation="relu")
    x = net.dense(net.add("gru", x, units=64), 64, "relu")
    return net.network("keyword_spotter", net.dense(x, 12), {"x": ["N", "T", 40]}, TIME, {"T": 98})


def waveform() -> Network:
    """M5 (Dai et al., 2017): convolutions over the 16,000 samples of a second of speech."""
    net = Layers()
    x = net.add("conv1d", "x", filters=32, kernel_size=80, stride=16, use_bias=False, kernel_init="he_normal")
    x = net.pool(net.add("relu", net.add("batch_norm", x)), 4, rank=1)
    for filters in (32, 64, 64):
        x = net.pool(net.conv_norm(x, filters, rank=1), 4, rank=1)
    return net.network("waveform", net.dense(net.add("global_mean_pool", x), 35), {"x": ["N", 16000, 1]})


def scanning_mlp() -> Network:
    """An MLP that looks at every window of 16 of 128 frames, and says what is heard anywhere."""
    net = Layers()
    inner = Layers()
    inner.dense(inner.dense(inner.add("flatten", "input"), 128, "relu"), 64, "relu")
    x = net.add("scan_window", "x", window=16, stride=1, combine="max", layers=inner.listed)
    return net.network("scanning_mlp", net.dense(x, 10), {"x": ["N", 128, 40]})


def conv_lstm(time: int = 100) -> Network:
    """Two convolutions over time, an LSTM of 128, and a dense layer on every step."""
    net = Layers()
    x = net.conv(net.conv("x", 64, rank=1, activation="relu"), 64, rank=1, activation="relu")
    x = net.dense(net.add("lstm", x, units=128), 10)
    return net.network("conv_lstm", x, {"x": ["N", "T", 32]}, TIME, {"T": time})


def volumes() -> Network:
    """Convolutions of 3×3×3 over clips of 16 frames of 112×112 (a narrow C3D; Tran et al., 2015)."""
    net = Layers()
    x = "image"
    for filters, stride in ((16, [1, 2, 2]), (32, 2), (64, 2), (128, 2)):
        x = net.conv(x, filters, 3, stride, rank=3, activation="relu")  # type: ignore[arg-type]
    x = net.dense(net.add("global_mean_pool", x), 10)
    return net.network("volumes", x, {"image": ["N", 16, 112, 112, 3]})


def translator(units: int = 128, time: int = 32) -> Network:
    """An LSTM reads one sequence, another one writes the other and attends to what was read (Luong et al., 2015)."""
    net = Layers()
    read = net.add("lstm", "x", units=units)
    written = net.add("lstm", "before", units=units)
    looked = net.add("attention", written, read)
    x = net.dense(net.dense(net.add("concat", written, looked), units, "tanh"), 100)
    inputs = {"x": ["N", "S", 64], "before": ["N", "T", 64]}
    dims = {"N": "batch", "S": "time", "T": "time"}
    return net.network(f"translator{units}", x, inputs, dims, {"S": time, "T": time})


def listener(units: int = 64, time: int = 100) -> Network:
    """A bidirectional GRU and logits of 29 symbols, of which 0 is the blank."""
    net = Layers()
    x = net.dense(net.add("gru", "x", units=units, bidirectional=True), 29)
    return net.network("listener", x, {"x": ["N", "T", 40]}, TIME, {"T": time})
