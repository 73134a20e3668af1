"""Reads an ONNX file as a typed graph: nodes sorted, attributes as plain values, constants as arrays.

The file is not trusted: each name must be defined once, and attributes must have the types in the operator's schema.
Every violation raises OnnxError.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import onnx
import onnx.checker
import onnx.defs
import onnx.inliner
from numpy.typing import NDArray

from netwright.specs.dims import DimLike, Shape, dim, dim_symbols, substitute

from .checking import check_functions, check_text
from .errors import Finding, OnnxError
from .order import in_order
from .raw import RawModel
from .stored import Constants
from .tensors import MAX_ELEMENTS, network_dtype, read_tensor, tensor_of

OLDEST_OPSET = 1
#: The name of the domain of ONNX's own operators.
OWN_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, slots=True)
class Node:
    """One operator. An empty name among inputs or outputs means one that is left out."""

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    captures: tuple[str, ...] = ()
    """What the graphs among its attributes read from the outer graph."""
    path: str = ""
    """Its place in a tree of modules, `/stem/conv/Conv`, if the file has it."""

    spelled: tuple[Node, ...] = ()
    """The nodes of the file that it replaces, if it was recognized in them."""

    @property
    def title(self) -> str:
        """Its name in diagnostics."""
        return self.name or (f"node of {self.outputs[0]}" if self.outputs else "a node")

    @property
    def reads(self) -> tuple[str, ...]:
        """All names that it or its graphs read."""
        return (*self.inputs, *self.captures)

    @property
    def all_reads(self) -> tuple[str, ...]:
        """The names that it reads, and those that the replaced nodes read."""
        return (*self.reads, *(name for node in self.spelled for name in node.reads))


@dataclass(frozen=True, slots=True)
class Port:
    """An input of the model: its element type and shape, where sizes without a name get one."""

    name: str
    dtype: str
    shape: Shape


@dataclass(frozen=True)
class OnnxGraph:
    """A model's graph. ``inputs`` are those without a constant value."""

    name: str
    opset: int
    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Constants
    dims: Mapping[str, str] = field(default_factory=dict)
    """The file's names for open sizes, by the names they have here."""
    domains: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def readers(self) -> dict[str, int]:
        """How often each value is read, by nodes and as an output."""
        return _readers(self.nodes, self.outputs)

    @cached_property
    def read_last(self) -> dict[int, list[str]]:
        """For each node's position, the values that no later node reads. Outputs are read after all nodes."""
        last = {name: place for place, node in enumerate(self.nodes) for name in node.all_reads}
        names: dict[int, list[str]] = {}
        for name, place in last.items():
            if name not in self.outputs:
                names.setdefault(place, []).append(name)
        return names

    def open_sizes(self) -> list[str]:
        """The names of the inputs' open sizes."""
        return sorted({name for port in self.inputs for size in port.shape for name in dim_symbols(size)})

    def settled(self, sizes: Mapping[str, DimLike], others: Collection[str] = ()) -> OnnxGraph:
        """The graph with open sizes replaced by numbers or other sizes. Raises OnnxError for a size (or one in
        ``others``) that does not exist.
        """
        known = self.open_sizes()
        for name in (*sizes, *others):
            if name not in known:
                there = f"there is {', '.join(known)}" if known else "all sizes are known"
                raise OnnxError(f"there is no open size {name}: {there}")
        ports = tuple(
            replace(port, shape=tuple(substitute(size, sizes) for size in port.shape)) for port in self.inputs
        )
        return replace(self, inputs=ports)


def ending_at(graph: OnnxGraph, outputs: Sequence[str]) -> OnnxGraph:
    """The part of a graph that computes these values, as its outputs. Raises OnnxError for a value that does not
    exist.
    """
    gives = {name: node for node in graph.nodes for name in node.outputs if name}
    ports = {port.name for port in graph.inputs}
    for name in outputs:
        if name not in gives and name not in ports and name not in graph.constants:
            near = get_close_matches(name, [*gives, *ports], 3)
            raise OnnxError(f"nothing gives {name!r}" + (f": there is {', '.join(near)}" if near else ""))
    needed: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += gives[name].reads if name in gives else ()
    nodes = tuple(node for node in graph.nodes if needed.intersection(node.outputs))
    inputs = tuple(port for port in graph.inputs if port.name in needed)
    return replace(graph, outputs=tuple(dict.fromkeys(outputs)), nodes=nodes, inputs=inputs)


def read_graph(raw: RawModel) -> OnnxGraph:
    """Reads a model as a typed graph. Raises OnnxError."""
    model, folder = raw.proto, raw.folder
    check_text(model)
    if model.functions:
        check_functions(model)
        try:
            model = onnx.inliner.inline_local_functions(model)
        except (RuntimeError, ValueError, TypeError, onnx.checker.ValidationError) as error:
            raise OnnxError(f"the model's functions can't be put in place: {error}") from None
    domains = {entry.domain: entry.version for entry in model.opset_import}
    opset = next((domains[name] for name in OWN_DOMAINS if name in domains), 0)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest and opset:
        raise OnnxError(f"the model is of opset {opset}: there is {OLDEST_OPSET} to {newest}")
    graph = model.graph
    if graph.sparse_initializer:
        raise OnnxError("the model has sparse constants")
    constants = Constants(
        {
            tensor.name: tensor_of(tensor, folder, raw.weights_of(i))
            for i, tensor in enumerate(graph.initializer)
        }
    )
    dims: dict[str, str] = {}
    inputs = tuple(_port(value, dims) for value in graph.input if value.name not in constants)
    outputs = tuple(value.name for value in graph.output)
    if not outputs:
        raise OnnxError("the model has no output")
    known = {port.name for port in inputs} | constants.keys()
    nodes = in_order([_node(node, folder) for node in graph.node], known, outputs)
    dim_names = {here: own for own, here in dims.items()}
    return OnnxGraph(graph.name, opset, inputs, outputs, nodes, constants, dim_names, domains)


def _port(value: onnx.ValueInfoProto, dims: dict[str, str]) -> Port:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        what = (kind or "no").removesuffix("_type").replace("_", " ")
        raise OnnxError(f"the input {value.name!r} is of {what} type, not a tensor")
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        raise OnnxError(f"the input {value.name!r} has no shape, not even the number of its axes is known")
    try:
        dtype = network_dtype(tensor.elem_type)
    except OnnxError as error:
        raise OnnxError(f"the input {value.name!r}: {error}") from None
    shape = []
    for axis, size in enumerate(tensor.shape.dim):
        if (
            size.WhichOneof("value") == "dim_value" and size.dim_value != -1
        ):  # some exporters write this for an open size
            if not 0 <= size.dim_value < 2**31:
                raise OnnxError(f"the input {value.name!r} has the impossible size {size.dim_value}")
            shape.append(size.dim_value)
        else:
            named = re.search(r"[^\W_]", size.dim_param)  # some exporters write "?" for each open size
            shape.append(dim(_dim_name(size.dim_param if named else f"{value.name}_{axis}", dims)))
    if prod(size for size in shape if isinstance(size, int)) > MAX_ELEMENTS:
        raise OnnxError(f"the input {value.name!r} has the impossible shape {[str(size) for size in shape]}")
    return Port(value.name, dtype, tuple(shape))


def _dim_name(own: str, dims: dict[str, str]) -> str:
    if own not in dims:
        name = re.sub(r"\W", "_", own, flags=re.ASCII)[:60]
        name = name if re.match("[A-Za-z_]", name) else f"n_{name}"
        taken, number = set(dims.values()) | {"min", "max"}, 2
        unique = name
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        dims[own] = unique
    return dims[own]


def _node(node: onnx.NodeProto, folder: Path | None) -> Node:
    attributes = {}
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            raise OnnxError([Finding("refers to an attribute of a function", node.name, node.op_type)])
        attributes[attribute.name] = _attribute(node, attribute, folder)
    domain = "" if node.domain in OWN_DOMAINS else node.domain
    captures = tuple(dict.fromkeys(name for attribute in node.attribute for name in _captures(attribute)))
    inputs, outputs = tuple(node.input), tuple(node.output)
    return Node(node.name, node.op_type, domain, inputs, outputs, attributes, captures, _path(node))


def _path(node: onnx.NodeProto) -> str:
    """The path in the node's name, or in the metadata of PyTorch's newer exporter: `['', 'stem', 'stem.conv',
    'conv2d']`.
    """
    if node.name.startswith("/"):
        return node.name
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            scopes = re.findall(r"'([^'\\]*)'", entry.value[:1000])
            return "/" + "/".join([*scopes[1:-1], node.op_type])
    return ""


def _captures(attribute: onnx.AttributeProto) -> list[str]:
    """The names that a graph in an attribute reads from outside, in order."""
    reads: list[str] = []
    waiting = [attribute.g] if attribute.HasField("g") else []
    given = {""}
    while waiting:
        graph = waiting.pop()
        given |= {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
        given |= {name for node in graph.node for name in node.output}
        reads += [name for node in graph.node for name in node.input]
        reads += [value.name for value in graph.output]
        waiting += [nested.g for node in graph.node for nested in node.attribute if nested.HasField("g")]
    return [name for name in reads if name not in given]


@dataclass(frozen=True)
class Subgraph:
    """A graph in an attribute. It is read on demand, since most operators with a graph are refused."""

    proto: onnx.GraphProto
    folder: Path | None

    def read(self, known: Collection[str]) -> Body:
        """The typed graph. ``known`` are the names of the outer graph. Raises OnnxError."""
        graph = self.proto
        constants = {tensor.name: read_tensor(tensor, self.folder) for tensor in graph.initializer}
        inputs = tuple(value.name for value in graph.input)
        outputs = tuple(value.name for value in graph.output)
        nodes = [_node(node, self.folder) for node in graph.node]
        nodes = in_order(nodes, {*known, *inputs, *constants}, outputs)
        return Body(inputs, outputs, nodes, constants)


@dataclass(frozen=True)
class Body:
    """The body of a loop. The types and shapes of its inputs are those of the operands."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray]

    @cached_property
    def readers(self) -> dict[str, int]:
        """How often each value is read, by nodes and as an output."""
        return _readers(self.nodes, self.outputs)


@dataclass(frozen=True)
class MadeGraph(Subgraph):
    """A graph in an attribute that is not in the file: it was recognized in the surrounding nodes."""

    body: Body

    def read(self, known: Collection[str]) -> Body:
        """The graph."""
        return self.body


def _readers(nodes: Iterable[Node], outputs: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in (*(name for node in nodes for name in node.reads), *outputs):
        counts[name] = counts.get(name, 0) + 1
    return counts


def _attribute(node: onnx.NodeProto, attribute: onnx.AttributeProto, folder: Path | None) -> Any:
    kinds = onnx.AttributeProto
    match attribute.type:
        case kinds.FLOAT:
            return attribute.f
        case kinds.INT:
            return attribute.i
        case kinds.STRING:
            return attribute.s.decode("utf-8", "replace")
        case kinds.TENSOR:
            try:
                return read_tensor(attribute.t, folder)
            except OnnxError as error:
                return UnreadableTensor(str(error))
        case kinds.FLOATS:
            return tuple(attribute.floats)
        case kinds.INTS:
            return tuple(attribute.ints)
        case kinds.STRINGS:
            return tuple(text.decode("utf-8", "replace") for text in attribute.strings)
        case kinds.GRAPH:
            graph = onnx.GraphProto()
            graph.CopyFrom(attribute.g)  # a copy, which does not keep the whole model alive
            return Subgraph(graph, folder)
    return UnreadableTensor(f"attributes of type {attribute.type} are not supported")


@dataclass(frozen=True, slots=True)
class UnreadableTensor:
    """A tensor in an attribute that can't be read. Whoever uses it raises the reason."""

    reason: str
