"""What stands in steps that do not exist, or that the loss leaves out, changes nothing: not a bit of losses and
weights, whether it is a number or NaN."""

import re

import numpy as np
import pytest

from netwright import Model
from netwright.runtime.sessions.session import Session
from netwright.specs.load import load_spec_text

from .padding import CELL, HEAD, LAYERS, POOLED

LENGTHS = np.array([5, 1, 3, 4])
STEPS = 5
PADDING = np.arange(STEPS) >= LENGTHS[:, None]
ENGINES = ["reference", "native"]
#: Types of losses, and what their targets are.
LOSSES = {
    "mse": ("mse", "[N, T, 2], dtype: {dtype}"),
    "mae": ("mae", "[N, T, 2], dtype: {dtype}"),
    "huber": ("huber", "[N, T, 2], dtype: {dtype}"),
    "binary": ("binary_cross_entropy", "[N, T, 2], dtype: {dtype}"),
    "classes": ("softmax_cross_entropy", "[N, T], dtype: int64"),
    "mixtures": ("softmax_cross_entropy", "[N, T, 2], dtype: {dtype}"),
}


def spec(layers, *losses, dtype="float32", cells="", extra="", lengths=True, heads=("head",)):
    """Each loss of each head. The target of a loss alone is t, those of several t_mse and so on."""
    written, targets = [], []
    for loss in losses or ("mse",):
        kind, target = LOSSES[loss]
        name = f"t_{loss}" if len(losses) > 1 else "t"
        targets.append(f"{name}: {{shape: {target.format(dtype=dtype)}}}")
        for head in heads:
            keys = f"type: {kind}, name: {loss}_{head}, output: y_{head}, target: {name}{extra}"
            written.append(f"{{{keys}}}")
    if "mask" in extra:
        targets.append("m: {shape: [N, T], dtype: bool}")
    lines = "\n".join(f"  - {layer}" for layer in layers)
    text = HEAD.format(
        dtype=dtype,
        cells=cells,
        layers=lines,
        outputs=f"{{{', '.join(f'y_{head}: {head}' for head in heads)}}}",
        loss=f"[{', '.join(written)}]",
        targets=f"{{{', '.join(targets)}}}",
    )
    return (
        text if lengths else text.replace(", lengths: l", "").replace("  l: {shape: [N], dtype: int64}\n", "")
    )


def side_by_side(stacks):
    """The layers of several networks over x, and the last layer of each."""
    layers, heads = [], []
    for number, stack in enumerate(stacks):
        before = "x"
        for layer in stack:
            name = re.match(r"\{name: (\w+)", layer)[1]
            inputs = f"{{x: {before}}}" if "type: expression" in layer else f"[{before}]"
            layers.append(layer.replace(f"name: {name}", f"name: {name}{number}, inputs: {inputs}", 1))
            before = f"{name}{number}"
        heads.append(before)
    return layers, heads


def trained(text, engine, *runs, steps=3, ends=True):
    """Of each run from the start on its arrays: the losses of some steps, that of the end if it is asked for, and the
    weights."""
    model = Model(load_spec_text(text, "spec.yaml"))
    session = model.compile(engine=engine, entries=["loss", "train_step"][not ends :]).session
    start = session.weights | session.state
    for arrays in runs:
        session = Session(session.engine, start)
        losses = [session.train_step(**arrays)["loss"] for _ in range(steps)]
        if ends:
            losses.append(session.loss(**arrays)["loss"])
        yield losses, session.weights


def data(loss="mse", dtype="float32", seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(4, STEPS, 3)).astype(dtype)
    if loss == "classes":
        return {"x": x, "t": generator.integers(0, 2, (4, STEPS))}
    t = generator.uniform(size=(4, STEPS, 2)).astype(dtype)
    return {"x": x, "t": t / t.sum(-1, keepdims=True)}


def spoiled(arrays, where):
    """NaN in floats, and a class that does not exist in integers."""
    found = dict(arrays)
    for name in arrays:
        if name[0] in "xt" and arrays[name].shape[:2] == where.shape:
            found[name] = arrays[name].copy()
            found[name][where] = np.nan if found[name].dtype.kind == "f" else -7
    return found


def assert_same(text, engine, clean, dirty, **how):
    (losses, weights), (others, changed) = trained(text, engine, clean, dirty, **how)
    assert np.isfinite(losses).all()
    assert losses == others
    for name, array in weights.items():
        np.testing.assert_array_equal(array, changed[name], err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_past_the_lengths(engine, deep):
    """The entry `loss` is compiled with smaller networks below."""
    layers, heads = side_by_side(LAYERS.values())
    arrays = {**data(), "l": LENGTHS}
    assert_same(spec(layers, heads=heads), engine, arrays, spoiled(arrays, PADDING), ends=deep)


@pytest.mark.parametrize("engine", ENGINES)
def test_past_the_lengths_of_one_answer(engine):
    layers, heads = side_by_side(POOLED.values())
    arrays = {**data(), "l": LENGTHS}
    arrays["t"] = arrays["t"][:, 0]
    text = spec(layers, heads=heads).replace("t: {shape: [N, T, 2]", "t: {shape: [N, 2]")
    assert_same(text, engine, arrays, spoiled(arrays, PADDING))


@pytest.mark.alike(2)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("extra", ["", ", steps: last", ", mask: m"])
def test_every_loss(extra, engine):
    """All in one network, whose weights none of them changes."""
    arrays = {"x": data()["x"], "l": LENGTHS}
    arrays |= {f"t_{loss}": data(loss)["t"] for loss in LOSSES}
    where = PADDING
    if "mask" in extra:
        arrays["m"] = np.random.default_rng(1).random((4, STEPS)) < 0.6
        where = PADDING | ~arrays["m"]
    dirty = spoiled(arrays, where)
    dirty["x"] = spoiled(arrays, PADDING)["x"]
    assert_same(spec(LAYERS["gru backwards"], *LOSSES, extra=extra), engine, arrays, dirty)


@pytest.mark.parametrize("engine", ENGINES)
def test_users_cells(engine):
    arrays = {**data(dtype="float64"), "l": LENGTHS}
    text = spec(
        ["{name: a, type: recurrent, cell: rooted, with: {units: 4}}", "{name: head, type: dense, units: 2}"],
        dtype="float64",
        cells=CELL,
    )
    assert_same(text, engine, arrays, spoiled(arrays, PADDING))


@pytest.mark.parametrize("engine", ENGINES)
def test_no_step_at_all(engine):
    arrays = {**data(), "l": np.array([5, 0, 3, 0])}
    assert_same(
        spec(LAYERS["lstm"]), engine, arrays, spoiled(arrays, np.arange(STEPS) >= arrays["l"][:, None])
    )


#: Networks whose steps are computed one by one, so that a step that is masked out is read by nothing that counts.
STEPWISE = ("per step", "layer norm", "poles", "inside of steps")


@pytest.mark.alike(2)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layers", STEPWISE)
@pytest.mark.parametrize("kind", ["target", "input"])
def test_masked_steps_of_the_input(layers, kind, engine):
    arrays = data()
    arrays["m"] = np.random.default_rng(1).random((4, STEPS)) < 0.6
    text = spec(LAYERS[layers], extra=", mask: m", lengths=False)
    if kind == "input":
        text = text.replace(", m: {shape: [N, T], dtype: bool}", "")
        text = text.replace("inputs:\n", "inputs:\n  m: {shape: [N, T], dtype: bool}\n").replace(
            "name: a, ", "name: a, inputs: [x], ", 1
        )
    assert_same(text, engine, arrays, spoiled(arrays, ~arrays["m"]))


@pytest.mark.parametrize("engine", ENGINES)
def test_masked_steps_after_a_recurrence(engine):
    """What stands in a masked step counts where later steps are computed from it."""
    arrays = data()
    arrays["m"] = np.ones((4, STEPS), bool)
    arrays["m"][:, 0] = False
    text = spec(
        ["{name: a, type: gru, units: 4}", "{name: head, type: dense, units: 2}"],
        extra=", mask: m",
        lengths=False,
    )
    changed = {**arrays, "x": arrays["x"].copy()}
    changed["x"][:, 0] += 1
    (losses, _), (others, _) = trained(text, engine, arrays, changed)
    assert np.isfinite(losses).all()
    assert losses[0] != others[0]
