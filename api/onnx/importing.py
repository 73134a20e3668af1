"""An ONNX graph to a spec of the language, node by node in the order of the file.

Every node becomes layers by its entry in the table of operators; what is known before run time is folded. All
nodes that are not supported are found in one run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import dim_symbols

from .arrange import arranged, channels_last, held_of, identity
from .context import Context
from .errors import Finding, NeedsValue, OnnxError, Refusal
from .fold import FOLDS
from .names import Names, identifier, safe, scoped, stem
from .network import NetworkWriter
from .ops import OPS
from .reading import Node, OnnxGraph, Port, UnreadableTensor
from .schemas import check_node, means_the_same
from .spec import SpecTree, needed_layers, write_tree
from .tensors import MAX_COMPUTED
from .values import Held, Known, Value, empty, known_dims

#: Operators that only prepare what others compute.
_MOVERS = frozenset(("Cast", "Constant", "ConstantOfShape", "Expand", "Reshape", "Shape", "Slice", "Squeeze"))
_MOVERS |= {"Transpose", "Unsqueeze"}
#: How findings begin that are the importer's own fault.
DEFECT = "a defect of Netwright, not of the model"
_DEFECTS = (ArithmeticError, AssertionError, LookupError, RecursionError, SyntaxError, TypeError, ValueError)


@dataclass(frozen=True)
class Imported:
    """A spec with its weights. ``inputs`` and ``outputs`` are the names in the spec, by those of the ONNX model;
    outputs that are constant are in ``constants``."""

    tree: SpecTree
    weights: Mapping[str, NDArray]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    constants: Mapping[str, NDArray]
    ranks: Mapping[str, int]
    """The number of axes of each output: one without axes is `[1]` here."""


def import_graph(
    graph: OnnxGraph,
    model: str,
    *,
    bound: Mapping[str, NDArray] | None = None,
    held: Mapping[str, Sequence[int]] | None = None,
    native_outputs: bool = False,
    ranges: Mapping[str, tuple[int, int | None]] | None = None,
    keep_constants: bool = False,
) -> Imported:
    """The spec of a graph. ``bound`` are inputs whose value is known. ``held`` are inputs that change their interface:
    the order of their axes here; ``native_outputs`` lets outputs have the order in which they are held.
    ``ranges`` are the least and the greatest value of open sizes. ``keep_constants`` leaves constant outputs out of
    the spec.

    Raises OnnxError with a finding for each node that is not supported; NeedsValue where an input should be bound.
    """
    importer = _Import(graph, bound or {}, held or {}, native_outputs, keep_constants)
    importer.writer.sketch.ranges.update(ranges or {})
    return importer.run(model)


class _Import:
    def __init__(
        self,
        graph: OnnxGraph,
        bound: Mapping[str, NDArray],
        held: Mapping[str, Sequence[int]],
        native_outputs: bool,
        keep_constants: bool,
    ):
        self.graph, self.bound, self.held = graph, bound, held
        self.native_outputs, self.keep_constants = native_outputs, keep_constants
        self.names = Names()
        self.values: dict[str, Value] = {}
        self.findings: list[Finding] = []
        self.broken: set[str] = set()
        self.needed: NeedsValue | None = None
        self.depends: dict[str, frozenset[str]] = {}
        self.writer = NetworkWriter(self.float_type(), self.names)
        self.inputs: dict[str, str] = {}
        self.computed = 0
        """Elements of constants that were computed."""
        paths = {node.path.rpartition("/")[0] for node in graph.nodes}
        self.containers = {path.rpartition("/")[0] for path in paths} | {""}
        """The modules that have other modules in them."""

    def float_type(self) -> str:
        """The one float type of the model."""
        for port in self.graph.inputs:
            if port.dtype in ("float32", "float64"):
                return port.dtype
        kinds = {str(array.dtype) for array in self.graph.constants.values()}
        return "float64" if "float64" in kinds and "float32" not in kinds else "float32"

    def run(self, model: str) -> Imported:
        for port in self.graph.inputs:
            try:
                self.declare(port)
            except Refusal as refusal:
                raise OnnxError(f"the input {port.name!r}: {refusal.reason}") from None
        for name, array in self.graph.constants.items():
            self.values[name] = Known.of(array, name)
        for node in self.graph.nodes:
            self.visit(node)
        if self.needed is not None:
            raise self.needed
        if self.findings:
            raise OnnxError(self.findings)
        return self.finished(model)

    def declare(self, port: Port) -> None:
        self.depends[port.name] = frozenset({port.name})
        if port.name in self.bound:
            self.values[port.name] = Known.of(np.asarray(self.bound[port.name], port.dtype), port.name)
            return
        if 0 in port.shape:  # there is only one such array
            self.values[port.name] = Known.of(empty(port.shape, port.dtype), port.name)
            return
        name = self.names.fresh([safe(port.name)], "input")
        axes: tuple[int | None, ...] = tuple(self.held.get(port.name, identity(len(port.shape)))) or (None,)
        value = Held(name, port.dtype, port.shape, axes)
        self.writer.declare(name, port.dtype, value.held_shape)
        self.values[port.name] = value
        self.inputs[port.name] = name

    # Nodes.

    def visit(self, node: Node) -> None:
        """Converts a node; what is wrong with it is noted."""
        self.depend(node)
        if any(name in self.broken for name in (*node.inputs, *node.captures)):
            self.broken.update(node.outputs)
            return
        try:
            with np.errstate(
                all="ignore"
            ):  # infinite weights and those that are no numbers stay what they are
                results = self.convert(node)
            for name, value in zip(node.outputs, results, strict=True):
                if name and value is not None:
                    self.values[name] = value
                elif name and self.graph.readers.get(name):
                    raise Refusal(f"the output {name!r} is not computed")
        except NeedsValue as needed:
            self.broken.update(node.outputs)
            if self.needed is None and needed.inputs:
                self.needed = needed
            self.findings.append(Finding(str(needed), node.title, node.op))
        except Refusal as refusal:
            self.broken.update(node.outputs)
            self.findings.append(Finding(refusal.reason, node.title, node.op, refusal.attribute))
        except MemoryError:
            self.broken.update(node.outputs)
            self.findings.append(Finding("takes more memory than there is", node.title, node.op))
        except _DEFECTS as error:  # a file must not bring the process down
            self.broken.update(node.outputs)
            reason = f"{DEFECT} ({type(error).__name__}: {error})"
            self.findings.append(Finding(reason, node.title, node.op))

    def depend(self, node: Node) -> None:
        found = frozenset().union(
            *(self.depends.get(name, frozenset()) for name in (*node.inputs, *node.captures))
        )
        if found:
            self.depends.update(dict.fromkeys(node.outputs, found))

    def convert(self, node: Node) -> Sequence[Value | None]:
        if node.domain:
            raise Refusal(f"the domain {node.domain} is not supported")
        operands = [self.values[name] if name else None for name in node.inputs]
        check_node(node, [None if one is None else one.dtype for one in operands], self.graph.opset)
        if (folded := self.folded(node, operands)) is not None:
            return folded
        entry = OPS.get(node.op)
        if entry is None and node.op in FOLDS:
            name = next(
                n for n, v in zip(node.inputs, operands, strict=True) if v and not isinstance(v, Known)
            )
            raise NeedsValue(name, "what it reads", self.depends.get(name, frozenset()))
        if entry is None:
            raise Refusal("the operator is not supported")
        if not means_the_same(node.op, self.graph.opset, entry.since):
            raise Refusal(f"the operator as it was in opset {self.graph.opset} is not supported")
        self.check_attributes(node, entry.attributes)
        readers = self.graph.readers
        context = Context(
            self.writer,
            node,
            operands,
            self.graph.opset,
            [bool(name and readers.get(name)) for name in node.outputs],
            [bool(name) and readers[name] == 1 for name in node.inputs],
            self.depends,
            {name: self.values[name] for name in node.captures},
        )
        context.names = self.suggested(node, operands)
        entry.convert(context)
        return context.results

    def check_attributes(self, node: Node, honoured: Sequence[str]) -> None:
        for name, value in node.attributes.items():
            if name not in honoured:
                raise Refusal("is not supported", name)
            if isinstance(value, UnreadableTensor):
                raise Refusal(value.reason, name)

    def folded(self, node: Node, operands: Sequence[Value | None]) -> list[Value] | None:
        """The results of a node all of whose operands are known."""
        fold = FOLDS.get(node.op)
        if fold is None or any(value is not None and not isinstance(value, Known) for value in operands):
            return None
        if self.computed > MAX_COMPUTED:
            raise Refusal("the constants that are computed are too large")
        arrays = [value.array if isinstance(value, Known) else None for value in operands]
        found = fold(arrays, node.attributes, self.graph.opset)
        if found is None:
            return None
        self.computed += sum(array.size for array in found if array.base is None)
        if self.computed > MAX_COMPUTED or sum(array.size for array in found) > MAX_COMPUTED:
            raise Refusal("the constants that are computed are too large")
        names = list(node.outputs)
        if node.op in _MOVERS and operands and isinstance(operands[0], Known) and operands[0].name:
            names = [operands[0].name]  # what is only held otherwise is called as before
        return [
            known_dims(array) if array.dtype == object else Known.of(array, name)
            for array, name in zip(found, names, strict=False)
        ]

    def suggested(self, node: Node, operands: Sequence[Value | None]) -> list[str]:
        """Names for the layers of a node: its own, its output's, that of its weights."""
        stems = [stem(value.name) for value in operands[1:] if isinstance(value, Known) and value.name]
        output = node.outputs[0] if node.outputs else ""
        scopes = scoped(node.path)
        if node.path.rpartition("/")[0] in self.containers or node.op in _MOVERS:
            scopes = scopes[1:]  # a module's name is for the layer that computes
        own = [identifier(node.name), *stems[:1], *scopes, identifier(output)]
        return [name for name in own if name]

    # The end.

    def output_axes(self, tensor: Held) -> tuple[int | None, ...]:
        """The order of an output's axes."""
        whole = len(tensor.axes) == tensor.rank and None not in tensor.axes
        if self.native_outputs and (whole or tensor.rank > 3):
            return tensor.axes if whole else channels_last(tensor.rank)
        return identity(tensor.rank) or (None,)

    def finished(self, model: str) -> Imported:
        writer = self.writer
        outputs: dict[str, str] = {}
        constants: dict[str, NDArray] = {}
        ranks: dict[str, int] = {}
        names = Names(self.writer.inputs)
        shown: dict[str, str] = {}
        for name in dict.fromkeys(self.graph.outputs):
            value = self.values[name]
            if isinstance(value, Known) and self.keep_constants and not value.is_open:
                constants[name] = value.array
                continue
            try:
                tensor = held_of(writer, value)
                ref = arranged(writer, tensor, self.output_axes(tensor))
            except Refusal as refusal:
                self.findings.append(Finding(f"the output {name}: {refusal.reason}"))
                continue
            role = tensor.ref.replace(".", "_")  # a number is no name: that of what gives it is one
            outputs[name] = names.fresh([role if name.isdecimal() else None, safe(name)], "output")
            ranks[name] = tensor.rank
            shown[outputs[name]] = ref
        if self.findings:
            raise OnnxError(self.findings)
        if outputs and not writer.layers:  # a spec has a layer
            for here, ref in shown.items():
                shown[here] = writer.add(
                    "expression", [ref], {"value": "x"}, {}, [], variables=["x"], fallback="same"
                )
        used = {symbol for port in self.graph.inputs for size in port.shape for symbol in dim_symbols(size)}
        batch = {
            str(port.shape[0]) for port in self.graph.inputs if port.shape and dim_symbols(port.shape[0])
        }
        times = writer.times()
        roles = {
            name: "batch" if name in batch else "time" if name in times else "size" for name in sorted(used)
        }
        dims = {name: _dim(role, *writer.sketch.ranges.get(name, (1, None))) for name, role in roles.items()}
        writer.share(needed_layers(writer, shown.values()))
        tree = write_tree(model, dims, writer, shown)
        written = {layer["name"] for layer in tree["layers"]}
        weights = {
            f"{name}.{key}": array
            for name, layer in writer.layers.items()
            if name in written
            for key, array in layer.weights.items()
        }
        return Imported(tree, weights, self.inputs, outputs, constants, ranks)


def _dim(role: str, least: int, most: int | None) -> str | dict[str, Any]:
    """An open size as a spec has it."""
    bounds = {**({"min": least} if least > 1 else {}), **({} if most is None else {"max": most})}
    return {"role": role, **bounds} if bounds else role
