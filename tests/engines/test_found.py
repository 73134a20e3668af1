"""Networks in which drawing found something, kept small: each says what went wrong."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netwright

from ..machines import MACHINES
from ..slices import sliced
from .harness import Model

RUNNING_SUMS = """
netwright: 1
model: sums
dims: {N: batch, T: {min: 1}}
inputs:
  x: {shape: [N, T, 3]}
  spare: {shape: [N, 2]}
cells:
  sums:
    input: {x: [F]}
    states: {s: {shape: [F]}, r: {shape: [F]}}
    params: {b: {shape: [F], init: ones}}
    update:
      s: prev(s) + x + b
      r: prev(r) + b + prev(s) + x
    output: s + r
layers:
  - {name: sums, type: recurrent, cell: sums, inputs: [x]}
outputs: {y: sums}
"""


def test_sums_that_begin_with_a_state_and_an_input_that_nothing_reads(tmp_path: Path) -> None:
    """A state that is itself a term had no place in the regrouped sum; the manifest left ``spare`` out."""
    (tmp_path / "sums.yaml").write_text(RUNNING_SUMS, encoding="utf-8")
    loaded = netwright.load(tmp_path / "sums.yaml")
    x = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    s = np.cumsum(x + 1, axis=1)
    before = np.concatenate([np.zeros_like(s[:, :1]), s[:, :-1]], axis=1)
    expected = s + np.cumsum(before + x + 1, axis=1)
    for engine in ("reference", "native"):
        program = loaded.compile(engine=engine)
        np.testing.assert_allclose(program.predict(x=x, spare=np.zeros((1, 2), np.float32))["y"], expected)


def pools(shape: list[object], *layers: dict[str, object]) -> dict[str, object]:
    """A spec of a chain of layers, of which the last is the output."""
    return {
        "netwright": 1,
        "model": "pools",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": shape}},
        "layers": list(layers),
        "outputs": {"y": layers[-1]["name"]},
    }


SPLIT_THEN_POOL = (
    {"name": "s", "type": "split", "axis": -1, "parts": 4},
    {"name": "y", "type": "max_pool2d", "pool_size": 3, "stride": 1, "padding": "same", "inputs": ["s.1"]},
)
POOL_OF_TRANSPOSED = (
    {"name": "t", "type": "transpose", "permutation": [0, 2, 3, 1]},
    {
        "name": "p",
        "type": "mean_pool2d",
        "pool_size": 3,
        "stride": 1,
        "padding": [[1, 2], [1, 2]],
        "count_include_pad": True,
    },
    {"name": "u", "type": "transpose", "permutation": [0, 3, 1, 2]},
)
STRIDED_POOL_OF_TRANSPOSED = (
    {"name": "t", "type": "transpose", "permutation": [0, 2, 3, 1]},
    {"name": "p", "type": "max_pool2d", "pool_size": 3, "stride": 2, "padding": [[1, 1], [1, 1]]},
    {"name": "u", "type": "transpose", "permutation": [0, 3, 1, 2]},
)


WRONG_POOLS = {
    "a pool of a part": (["N", 6, 6, 16], SPLIT_THEN_POOL),
    "a pool of an input of another layout": ([2, 4, 10, 15], POOL_OF_TRANSPOSED),
    "the same for any batch": (["N", 4, 10, 15], POOL_OF_TRANSPOSED),
    "strides": ([2, 3, 12, 12], STRIDED_POOL_OF_TRANSPOSED),
}


def half(pool: str, machine: str) -> bool:
    """Each pool for two machines, each machine with two pools."""
    return ([*WRONG_POOLS].index(pool) + [*MACHINES].index(machine)) % 2 == 0


@pytest.mark.alike(2)
@pytest.mark.parametrize(("pool", "machine"), sliced(product(WRONG_POOLS, MACHINES), half))
def test_pools_that_an_optimizer_got_wrong(pool: str, machine: str) -> None:
    """LLVM's NewGVN took some cells of a window for others, and ended the process over some windows."""
    shape, layers = WRONG_POOLS[pool]
    model = Model(pools(shape, *layers), MACHINES[machine])
    for batch in (1, 2, 3, 8) if "N" in shape else (2,):
        model.check_predict({"N": batch}, seed=batch, loops=batch == 2)


def one_input(shape: list[Any], *layers: dict[str, Any], **sections: Any) -> Model:
    """A model of layers on an input ``x`` of doubles; the last layer is its output ``y``."""
    written = [{"name": f"l{number}", **layer} for number, layer in enumerate(layers)]
    spec = {"netwright": 1, "model": "found", "inputs": {"x": {"shape": shape, "dtype": "float64"}}}
    return Model({**spec, "layers": written, "outputs": {"y": written[-1]["name"]}, **sections})


@pytest.mark.parametrize(
    "optimizer", [{"type": "sgd", "learning_rate": 0.1}, {"type": "adamw", "epsilon": 0.01}]
)
def test_a_square_weight_is_updated_after_it_was_read(optimizer: dict[str, Any]) -> None:
    """Batch = units: the product with the weight and the step that overwrites it were one kernel."""
    dense = {"type": "dense", "units": 4}
    train = {
        "data": {"train": "none.npz"},
        "loss": {"type": "mse", "output": "y", "target": "t"},
        "targets": {"t": {"shape": [4, 4], "dtype": "float64"}},
        "optimizer": optimizer,
    }
    for layers in ([{**dense, "activation": "tanh"}, dense], [dense], [dense, dense, dense]):
        model = one_input([4, 4], *layers, train=train)
        model.check_training({}, 3, threads=2, loops=True)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_parts_of_a_concatenation_along_the_axis_of_the_threads(batch: int, axis: int) -> None:
    """Both parts came from one kernel, whose threads could not be shown to store apart."""
    sides = [{"type": kind, "inputs": ["l0"]} for kind in ("relu", "tanh")]
    joined = {"type": "concat", "axis": axis, "inputs": ["l1", "l2", "l0"]}
    model = one_input([batch, 4, 3], {"type": "sigmoid"}, *sides, joined)
    model.check_predict({})


@pytest.mark.parametrize(
    ("shape", "pool", "mode", "padding"),
    [
        ([2, 2, 7, 17], {"pool_size": 2}, "reflect", {"axes": [0, 1], "padding": [[2, 2], [1, 0]]}),
        ([1, 4, 1], {"pool_size": 1, "stride": 3}, "wrap", {"axes": [1, 2], "padding": [[0, 2], [1, 1]]}),
    ],
)
def test_a_pool_is_padded_by_its_own_cells(
    shape: list[int], pool: dict[str, Any], mode: str, padding: dict[str, Any]
) -> None:
    """What lies before, inside and after went from one kernel into one buffer."""
    kind = f"mean_pool{len(shape) - 2}d"
    model = one_input(shape, {"type": kind, **pool}, {"type": "pad", **padding, "mode": mode})
    model.check_predict({})


def test_weights_are_not_packed_with_sizes_that_a_call_brings() -> None:
    """What follows from weights and open sizes was computed once, as if all sizes were their least."""
    value = "a + w * cast(size(a, axis=0), float64)"
    scaled = {"type": "expression", "inputs": {"a": "x"}, "value": value, "params": {"w": {"shape": [2]}}}
    model = one_input(["N", 2], scaled, dims={"N": "batch"})
    for batch in (1, 3):
        model.check_predict({"N": batch})


def test_as_many_steps_are_taken_as_a_sequence_has_that_a_cell_does_not_look_at() -> None:
    """From a learned state and weights alone: the last state was packed, after one step."""
    cell = {
        "input": {"x": ["F"]},
        "states": {"h": {"shape": [2], "learn_init": True}},
        "params": {"w": {"shape": [2, 2]}},
        "update": {"h": "tanh(prev(h) @ w)"},
        "output": "h",
    }
    steps = {"type": "recurrent", "cell": "alone", "return_sequences": False}
    model = one_input([1, "T", 3], steps, dims={"T": "time"}, cells={"alone": cell})
    for length in (1, 2, 5):
        model.check_predict({"T": length})


@pytest.mark.parametrize("machine", MACHINES)
def test_states_of_a_gru_take_turns_in_one_buffer(machine: str) -> None:
    """One step's state was read as [2, 1] and the next one written as [2]: that they differ has to be seen anyway."""
    Model(one_input([2, 2, 1], {"type": "gru", "units": 1}).spec, MACHINES[machine]).check_predict({})


def test_no_loop_divides_by_the_iterations_of_a_loop_without_any() -> None:
    """The process ended: a share of a nest over (N, T, 1) begins at its number divided by what is inside."""
    kept = {"type": "slice", "axes": [1, 2], "starts": [-1, 0], "stops": [1, 1]}
    model = one_input(["N", "T", 1, 2], kept, dims={"N": "batch", "T": {"min": 1}})
    for cells in (1, 2, 3):
        model.check_predict({"N": 2, "T": cells})


@pytest.mark.parametrize("machine", sliced(MACHINES, {"avx2", "neon"}.__contains__))
def test_lanes_along_steps_of_an_open_number_drop_out(machine: str) -> None:
    """The number of an element moves by T from lane to lane."""
    model = one_input(
        ["N", "T", 5],
        {"type": "lstm", "units": 1},
        {"type": "dropout", "rate": 0.25},
        {"type": "dense", "units": 2},
        dims={"N": "batch", "T": {"role": "time", "min": 2}},
    )
    spec = dict(model.spec)
    spec["train"] = {
        "data": {"train": "t.npz"},
        "targets": {"t": {"shape": ["N", "T", 2], "dtype": "float64"}},
        "loss": {"type": "mse", "output": "y", "target": "t"},
        "optimizer": {"type": "sgd", "learning_rate": 0.1},
        "seed": 3,
    }
    Model(spec, MACHINES[machine]).check_training({"N": 5, "T": 3}, threads=2)
