"""Valid specs that several tests use."""

LENET = """\
netwright: 1
model: lenet
dims: {N: batch}
inputs:
  image: {shape: [N, 28, 28, 1], dtype: float32}
defaults:
  conv2d: {activation: relu, kernel_init: he_normal}
layers:
  - {name: c1, type: conv2d, filters: 6, kernel_size: 5, padding: same}
  - {name: p1, type: max_pool2d, pool_size: 2}
  - {name: c2, type: conv2d, filters: 16, kernel_size: [5, 5], activation: tanh}
  - {name: p2, type: mean_pool2d, pool_size: 2, stride: [1, 2], rounding: floor}
  - {name: flat, type: flatten}
  - {name: d1, type: dense, units: 120, activation: {type: leaky_relu, negative_slope: 0.1}}
  - {name: head, type: dense, units: 10, expect: [N, 10]}
  - {name: class, type: argmax}
outputs:
  logits: head
  digit: {from: class, labels: [zero, one, two, three, four, five, six, seven, eight, nine]}
train:
  data: {train: train.npz, valid: valid.npz}
  targets: {label: {shape: [N], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: logits, target: label}
  metrics: [accuracy, {type: mse, target: label}]
  optimizer: {type: adam, learning_rate: {type: cosine, initial: 1e-3, steps: 100, warm_up: 5}}
  epochs: 5
  batch_size: 64
  seed: 7
  early_stopping: {monitor: valid_accuracy}
"""

PENDULUM = """\
netwright: 1
model: pendulum
dims: {N: batch, T: {role: time, min: 2, max: 512}}
inputs:
  x: {shape: [N, T, 3], lengths: steps}
  steps: {shape: [N], dtype: int64}
  h0: {shape: [N, 32]}
cells:
  state_space:
    args: {H: int, O: int}
    input: {x: [F]}
    states:
      h: {shape: [H], init: zeros, learn_init: true}
    params:
      A: {shape: [H, H], init: orthogonal}
      B: {shape: [F, H], init: glorot_uniform}
      b: {shape: [H], init: [zeros, ones]}
      C: {shape: [H, O]}
    update:
      h: tanh(prev(h) @ A + x @ B + b)
    output: h @ C
  memory:
    input: {x: [F]}
    params: {W: {shape: [F, F]}}
    output: {value: relu(x @ W) - 0.5 * prev(output), shape: [F]}
layers:
  - {name: enc, type: gru, units: 32, initial_state: h0}
  - {name: mid, type: lstm, units: 8, layers: 2, bidirectional: true, initial_state: learned, unroll: 4}
  - {name: dyn, type: recurrent, cell: state_space, with: {H: 16, O: 8}, expect: [N, T, 8]}
  - {name: mem, type: recurrent, cell: memory, reverse: true}
  - {name: old, type: rnn, units: 4, activation: relu, initial_state: {h: learned}}
  - {name: head, type: dense, units: 1}
outputs: {angle: head, state: dyn.h, all: enc.state_all, start: mem.output}
train:
  data: {train: runs.npz}
  loss: {type: mse, output: angle, target: theta, steps: last}
  bptt: {window: 64}
  clip_norm: 1.0
  optimizer: {type: sgd, learning_rate: 1e-2, momentum: 0.9, nesterov: true}
"""
