"""Networks over sequences of different lengths, for the tests of what stands in steps that do not exist."""

from __future__ import annotations

HEAD = """\
netwright: 1
model: padded
dims: {{N: batch, T: {{role: time}}}}
inputs:
  x: {{shape: [N, T, 3], lengths: l, dtype: {dtype}}}
  l: {{shape: [N], dtype: int64}}
{cells}
layers:
{layers}
outputs: {outputs}
train:
  data: {{train: none.npz}}
  targets: {targets}
  loss: {loss}
  optimizer: {{type: adam, learning_rate: 0.1, epsilon: 0.001}}
"""
DENSE = "{name: head, type: dense, units: 2}"
CELL = """\
cells:
  rooted:
    input: {x: [F]}
    args: {units: int}
    states: {h: {shape: [units]}}
    params: {w: {shape: [F, units]}, u: {shape: [units, units]}}
    update: {h: tanh(log(x * x + 1) @ w + prev(h) @ u)}
    output: h
"""
LAYERS = {
    "per step": ["{name: a, type: dense, units: 4, activation: mish}", DENSE],
    "rnn": ["{name: a, type: rnn, units: 4}", DENSE],
    "lstm": ["{name: a, type: lstm, units: 4, layers: 2}", DENSE],
    "gru backwards": ["{name: a, type: gru, units: 4, reverse: true}", DENSE],
    "both directions": ["{name: a, type: gru, units: 3, bidirectional: true}", DENSE],
    "unrolled": ["{name: a, type: lstm, units: 4, unroll: 2}", DENSE],
    "noise": [
        "{name: a, type: lstm, units: 4, recurrent_dropout: 0.3}",
        "{name: d, type: dropout, rate: 0.5}",
        DENSE,
    ],
    "convolution": [
        "{name: a, type: conv1d, filters: 4, kernel_size: 3, padding: same, activation: relu}",
        "{name: b, type: conv1d, filters: 4, kernel_size: 2, padding: causal}",
        DENSE,
    ],
    "attention": ["{name: a, type: attention}", DENSE],
    "heads": ["{name: a, type: multi_head_attention, num_heads: 2, key_dim: 3, dropout: 0.2}", DENSE],
    "batch norm": [
        "{name: a, type: batch_norm}",
        "{name: b, type: dense, units: 3}",
        "{name: c, type: batch_norm}",
        DENSE,
    ],
    "layer norm": ["{name: a, type: layer_norm}", "{name: b, type: rms_norm}", DENSE],
    "poles": [
        "{name: a, type: expression, value: log(abs(x)) + 1 / x}",
        "{name: b, type: dense, units: 3}",
        "{name: c, type: expression, value: log(x * x)}",
        DENSE,
    ],
    "inside of steps": [
        "{name: a, type: time_distributed, layers: [{name: p, type: dense, units: 4}, {name: q, type: layer_norm}]}",
        DENSE,
    ],
}
POOLED = {
    "last step": ["{name: a, type: gru, units: 4, return_sequences: false}", DENSE],
    "last of both": ["{name: a, type: lstm, units: 4, bidirectional: true, return_sequences: false}", DENSE],
    "mean": ["{name: a, type: dense, units: 4}", "{name: p, type: global_mean_pool}", DENSE],
    "maximum": ["{name: a, type: dense, units: 4}", "{name: p, type: global_max_pool}", DENSE],
    "norm": ["{name: a, type: dense, units: 4}", "{name: p, type: global_lp_pool, p: 2}", DENSE],
    "mean of the input": ["{name: p, type: global_mean_pool}", DENSE],
}
