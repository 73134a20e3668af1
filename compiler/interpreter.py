"""The reference interpreter: walks the graph and calls each primitive's NumPy evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netwright.specs.dims import Dim, substitute

from .graph.graph import Graph
from .graph.node import Value
from .ops.base import EvaluationError, primitive


def evaluate(
    graph: Graph, inputs: Mapping[str, np.ndarray], dims: Mapping[str, int] | None = None
) -> dict[str, np.ndarray]:
    """The graph's outputs by name. Named dims are inferred from the shapes of the inputs, or given in ``dims``.

    Raises EvaluationError for a missing or unknown input, a wrong dtype, sizes that contradict each other, a named
    dim that nothing binds, and values that an operation refuses.
    """
    values = evaluate_all(graph, inputs, dims)
    return {name: values[value] for name, value in graph.outputs.items()}


def evaluate_all(
    graph: Graph, inputs: Mapping[str, np.ndarray], dims: Mapping[str, int] | None = None
) -> dict[Value, np.ndarray]:
    """All values of the graph but those in the bodies of scans. Raises EvaluationError as ``evaluate`` does."""
    if unknown := inputs.keys() - graph.inputs.keys():
        raise EvaluationError(f"no input is called {sorted(unknown)[0]!r}")
    if missing := [name for name in graph.inputs if name not in inputs]:
        raise EvaluationError(f"the input {missing[0]!r} is missing")
    binding = bind_dims(graph, {name: array.shape for name, array in inputs.items()}, dims)
    for name, value in graph.inputs.items():
        if inputs[name].dtype != graph.type(value).dtype:
            raise EvaluationError(f"{name!r} is {graph.type(value).dtype}, not {inputs[name].dtype}")
    with np.errstate(all="ignore"):
        return _Interpreter(binding).values(graph, [inputs[name] for name in graph.inputs])


def bind_dims(
    graph: Graph, shapes: Mapping[str, Sequence[int]], dims: Mapping[str, int] | None = None
) -> dict[str, int]:
    """The named dims for which the inputs have the given shapes. Raises EvaluationError."""
    binding = dict(dims or {})
    sizes = []
    for name, shape in shapes.items():
        expected = graph.type(graph.inputs[name]).shape
        if len(expected) != len(shape):
            raise EvaluationError(f"{name!r} has {len(expected)} axes, not {len(shape)}")
        sizes += [(name, size, given) for size, given in zip(expected, shape, strict=True)]
    for _, size, given in sizes:
        if isinstance(size, Dim) and str(size).isidentifier():
            binding.setdefault(str(size), given)
    for name, size, given in sizes:
        expected = substitute(size, binding)
        if isinstance(expected, Dim):
            raise EvaluationError(f"the size {size} of {name!r} is open: give {', '.join(expected.symbols)}")
        if expected != given:
            wanted = f"but {size} is {expected}" if isinstance(size, Dim) else f"not {expected}"
            raise EvaluationError(f"a size of {name!r} is {given}, {wanted}")
    return binding


class _Interpreter:
    """The context of evaluations: a binding of the dims, and itself as the interpreter of body graphs."""

    def __init__(self, dims: Mapping[str, int]):
        self.dims = dims

    def evaluate(self, body: Graph, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        values = self.values(body, arguments)
        return [values[value] for value in body.outputs.values()]

    def values(self, body: Graph, arguments: Sequence[np.ndarray]) -> dict[Value, np.ndarray]:
        """All values of a graph, whose inputs have these ``arguments``."""
        values = dict(zip(body.inputs.values(), arguments, strict=True))
        for node in body:
            if node.op == "input":
                continue
            operands = [values[value] for value in body.operands(node)]
            try:
                results = primitive(node.op).evaluate(self, node.attrs, operands)
            except EvaluationError as error:
                raise EvaluationError(f"{node.layer or node.op}: {error}", error.code) from error
            except KeyError as error:
                raise EvaluationError(f"nothing binds the dim {error.args[0]}") from error
            values.update(zip(node.values, map(np.asarray, results), strict=True))
        return values
