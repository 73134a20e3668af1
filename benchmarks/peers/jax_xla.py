"""JAX, compiled by XLA: a function of the spec (``jax_layers``), jitted as a whole; of training the whole step, with
gradients and update, whose buffers are donated.

XLA reads the number of threads once, from the environment, which the command line sets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..problem import Arrays, Problem
from . import Runner, Unsupported
from .jax_layers import forward

Tree = dict[str, jax.Array]


def runner(problem: Problem, threads: int, name: str) -> Runner:
    """To predict or to train."""
    if problem.case.kind == "step":
        raise Unsupported("steps of a stream")
    return _trainer(problem) if problem.case.kind == "training" else _predictor(problem)


def _arrays(arrays: Arrays) -> Tree:
    return {name: jnp.array(array) for name, array in arrays.items()}


def _predictor(problem: Problem) -> Runner:
    spec, weights, given = problem.spec, _arrays(dict(problem.weights)), _arrays(problem.inputs)
    call = jax.jit(lambda weights, given: forward(spec, weights, given, False)[0])
    (output,) = spec["outputs"]

    def predict() -> np.ndarray:
        return np.asarray(call(weights, given))

    return Runner(predict, lambda: {output: predict()})


def _trainer(problem: Problem) -> Runner:
    spec, train = problem.spec, problem.spec["train"]
    loss_of, update = _loss(train["loss"]), _optimizer(train["optimizer"])
    given = _arrays(problem.inputs)
    (target,) = _arrays(problem.targets).values()
    kinds = {name: parameter.kind for name, parameter in problem.model.network.parameters.items()}
    arrays = _arrays(dict(problem.weights))
    parameters = {name: array for name, array in arrays.items() if kinds.get(name) == "parameter"}
    statistics = {name: array for name, array in arrays.items() if kinds.get(name) == "statistic"}

    def objective(
        parameters: Tree, statistics: Tree, given: Tree, target: jax.Array
    ) -> tuple[jax.Array, Tree]:
        answer, moved = forward(spec, {**parameters, **statistics}, given, True)
        return loss_of(answer, target), moved

    def step(state: tuple, given: Tree, target: jax.Array) -> tuple:
        parameters, statistics, moments, count = state
        gradient = jax.value_and_grad(objective, has_aux=True)
        (loss, statistics), slopes = gradient(parameters, statistics, given, target)
        parameters, moments = update(parameters, slopes, moments, count + 1)
        return (parameters, statistics, moments, count + 1), loss

    compiled = jax.jit(step, donate_argnums=0)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    moments = (
        (zeros, jax.tree.map(jnp.zeros_like, parameters)) if train["optimizer"]["type"] == "adam" else zeros
    )
    state: Any = (parameters, statistics, moments, jnp.zeros((), jnp.int32))

    def run() -> float:
        nonlocal state
        state, loss = compiled(state, given, target)
        jax.block_until_ready(state)
        return float(loss)

    return Runner(run)


def _optimizer(keys: dict) -> Callable[[Tree, Tree, Any, jax.Array], tuple[Tree, Any]]:
    rate = keys["learning_rate"]
    if keys["type"] == "sgd":
        momentum = keys.get("momentum", 0.0)

        def sgd(parameters: Tree, slopes: Tree, moments: Tree, count: jax.Array) -> tuple[Tree, Tree]:
            moments = jax.tree.map(lambda v, g: momentum * v + g, moments, slopes)
            return jax.tree.map(lambda p, v: p - rate * v, parameters, moments), moments

        return sgd
    if keys["type"] == "adam":

        def adam(parameters: Tree, slopes: Tree, moments: tuple, count: jax.Array) -> tuple[Tree, tuple]:
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], slopes)
            second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], slopes)
            a, b = 1 - 0.9**count, 1 - 0.999**count

            def moved(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
                return p - rate * (m / a) / (jnp.sqrt(v / b) + 1e-8)

            return jax.tree.map(moved, parameters, first, second), (first, second)

        return adam
    raise Unsupported(f"optimizer {keys['type']}")


def _loss(keys: dict) -> Callable[[jax.Array, jax.Array], jax.Array]:
    if keys["type"] == "mse":
        return lambda answer, target: jnp.square(answer - target).mean()
    if keys["type"] != "softmax_cross_entropy":
        raise Unsupported(f"loss {keys['type']}")

    def cross_entropy(answer: jax.Array, target: jax.Array) -> jax.Array:
        if keys.get("steps") == "last" and answer.ndim == 3:
            answer = answer[:, -1]
        logs = jax.nn.log_softmax(answer)
        return -jnp.take_along_axis(logs, target[..., None], -1).mean()

    return cross_entropy
