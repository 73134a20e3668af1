"""Converts the nodes of a graph to layers, one after the other, and branches of a conditional in their place.

The entry of each operator in the table makes its layers; what is known at import time is folded. An unsupported node is
recorded with its reason, and its readers are skipped without a report. At the end only the findings that an output
depends on are reported.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx.defs

from .agreement import differing
from .choices import Choices
from .context import Context
from .errors import Finding, Mismatch, NeedsValue, OnnxError, Refusal
from .fold import FOLDS, Folding, evaluated
from .names import identifier, scoped, stem
from .narrow import admitted, named
from .network import NetworkWriter
from .operands import Held, Known, KnownConstants, Value, known_dims
from .ops.table import DOMAINS, OPS, RECOGNIZED_OPS, Op
from .reading import Body, Node, OnnxGraph, UnreadableTensor
from .schemas import check_node, means_the_same
from .tensors import MAX_COMPUTED

#: Operators that only prepare operands for others.
_MOVERS = frozenset(("Cast", "Constant", "ConstantOfShape", "Expand", "Reshape", "Shape", "Slice", "Squeeze"))
_MOVERS |= {"Transpose", "Unsqueeze"}
#: Operators with graphs of which maybe only one is converted. Values that only the others read may be missing.
_BRANCHES = ("If",)
#: Operators whose results have a size that depends on the data.
_UNBOUNDED = ("NonMaxSuppression",)
#: The opset of nodes that were recognized in several others.
_NEWEST = onnx.defs.onnx_opset_version()
#: How findings begin that are errors of the importer itself.
DEFECT = "a defect of Netwright, not of the model"
_DEFECTS = (ArithmeticError, AssertionError, LookupError, RecursionError, SyntaxError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class Fault:
    """Why a value is missing: the finding of the node that computes it, or because its operands are missing."""

    finding: Finding | None
    causes: tuple[Fault, ...] = ()
    needed: NeedsValue | None = None
    """An input whose value would help."""


class Missing(Exception):
    """Raised when a graph's outputs could not be converted."""

    def __init__(self, causes: tuple[Fault, ...]):
        super().__init__()
        self.causes = causes


class Conversion:
    """The values of a graph by name. A branch has its own layer of the map, which is dropped after it."""

    def __init__(self, writer: NetworkWriter, graph: OnnxGraph, written: dict[str, int]):
        self.writer, self.opset = writer, graph.opset
        self.written = written
        """How often the nodes of the file itself read each value, if some of them were recognized as another node."""
        self.values: ChainMap[str, Value] = ChainMap({}, KnownConstants(graph.constants))  # type: ignore[arg-type]
        self.faults: ChainMap[str, Fault] = ChainMap()
        self.depends: ChainMap[str, frozenset[str]] = ChainMap()
        """For each value, the inputs of the model that it depends on."""
        self.readers: ChainMap[str, int] = ChainMap(graph.readers)
        self.makers: dict[str, Node] = {}
        """The node that computes each value."""
        self.following: dict[str, list[Node]] = {}
        """The nodes of the model's main graph that read each value."""
        for node in graph.nodes:
            for name in node.reads:
                self.following.setdefault(name, []).append(node)
        self.viewed: set[str] = set()
        """References to layers that are read under several names, such as before and after a reshape."""
        self.choices = Choices()
        """The branches taken where an open size decides."""
        self.computed = 0
        """The number of elements in computed constants."""
        paths = {node.path.rpartition("/")[0] for node in graph.nodes}
        self.containers = {path.rpartition("/")[0] for path in paths} | {""}
        """The modules that contain other modules."""

    def visit(self, node: Node) -> None:
        """Converts a node and records what is wrong with it."""
        if node.spelled:
            return self._visit_recognized(node)
        self._depend(node)
        self.makers.update(dict.fromkeys(node.outputs, node))
        reads = node.inputs if node.op in _BRANCHES else node.reads
        if causes := self.missing(reads):
            return self._fail(node, None, causes)
        try:
            with np.errstate(all="ignore"):  # infinite and NaN weights stay what they are
                results = self._convert(node)
            for name, value in zip(node.outputs, results, strict=True):
                if name and value is not None:
                    self.values[name] = value
                elif name and self.readers.get(name):
                    raise Refusal(f"the output {name!r} is not computed")
        except Missing as missing:
            self._fail(node, None, missing.causes)
        except NeedsValue as needed:
            reason = f"{needed}{self._maker(needed.name)}"
            self._fail(node, Finding(reason, node.title, node.op), needed=needed)
        except Refusal as refusal:
            mismatches = refusal.mismatches or self._differing(node)
            self._fail(node, Finding(refusal.reason, node.title, node.op, refusal.attribute, mismatches))
        except OnnxError as error:  # an element type or a tensor that can't be read
            self._fail(node, Finding(str(error), node.title, node.op))
        except MemoryError:
            self._fail(node, Finding("takes more memory than there is", node.title, node.op))
        except _DEFECTS as error:  # an unexpected error must not end the process
            reason = f"{DEFECT} ({type(error).__name__}: {error})"
            self._fail(node, Finding(reason, node.title, node.op))

    def _maker(self, name: str) -> str:
        """The origin of a value, as the end of a sentence."""
        if name in self.makers:
            return f" by {self.makers[name].title} ({self.makers[name].op})"
        return ": it is an input" if self.depends.get(name) == {name} else ""

    def _visit_recognized(self, node: Node) -> None:
        """Converts a node that replaces others or, if that fails, those others."""
        self._depend(node)
        rank = None if self.missing(node.reads) else len(self.values[node.inputs[0]].shape)
        # Recognized nodes work along the last axis; one counted from the front has to be that.
        axis = node.attributes.get("axis", -1)
        if rank is not None and axis in (-1, rank - 1) and self._adds_no_axes(node, rank):
            with suppress(Refusal, NeedsValue, *_DEFECTS), np.errstate(all="ignore"):
                operands = [self.values[name] for name in node.inputs]
                entry = RECOGNIZED_OPS.get(node.op)
                if entry is None:
                    results = self._converted(node, operands, _NEWEST)
                else:
                    results = self._entered(node, entry, operands, _NEWEST)
                self.values.update(zip(node.outputs, results, strict=True))  # type: ignore[arg-type]
                return
        self.readers = self.readers.new_child(dict(self.written))
        try:
            for original in node.spelled:
                self.visit(original)
        finally:
            self.readers = self.readers.parents

    def _adds_no_axes(self, node: Node, rank: int) -> bool:
        """Whether no constant in the replaced nodes has more axes than the value they read."""
        read = (self.values.get(name) for original in node.spelled for name in original.inputs)
        return all(len(value.shape) <= rank for value in read if isinstance(value, Known))

    def forget(self, names: Iterable[str]) -> None:
        """Drops computed constants that have no more readers."""
        computed = self.values.maps[0]
        for name in names:
            if isinstance(computed.get(name), Known):
                del computed[name]

    def missing(self, names: Iterable[str]) -> tuple[Fault, ...]:
        """Why values are missing, for those that are."""
        return tuple(dict.fromkeys(self.faults[name] for name in names if name in self.faults))

    def _differing(self, node: Node) -> tuple[Mismatch, ...]:
        """Compares the sizes of a node's operands that must be equal."""
        operands = [self.values.get(name) if name else None for name in node.inputs]
        shapes = [None if value is None else value.shape for value in operands]
        return tuple(differing(node.op, shapes, node.attributes, self.opset))

    def _fail(
        self,
        node: Node,
        finding: Finding | None,
        causes: tuple[Fault, ...] = (),
        needed: NeedsValue | None = None,
    ) -> None:
        fault = Fault(finding, causes, needed)
        if finding is None and len(causes) == 1:
            fault = causes[0]
        self.faults.update(dict.fromkeys(node.outputs, fault))

    def _depend(self, node: Node) -> None:
        sources = frozenset().union(*(self.depends.get(name, frozenset()) for name in node.reads))
        if sources:
            self.depends.update(dict.fromkeys(node.outputs, sources))

    def _convert(self, node: Node) -> Sequence[Value | None]:
        operands = [self.values[name] if name else None for name in node.inputs]
        if node.domain:
            return self._of_domain(node, operands)
        check_node(node, [None if operand is None else operand.dtype for operand in operands], self.opset)
        if (folded := self._folded(node, operands)) is not None:
            return folded
        return self._converted(node, operands, self.opset)

    def _converted(self, node: Node, operands: Sequence[Value | None], opset: int) -> Sequence[Value | None]:
        """The results by the operator's entry in the table."""
        entry = OPS.get(node.op)
        if entry is None and node.op in FOLDS:
            name = next(
                n for n, v in zip(node.inputs, operands, strict=True) if v and not isinstance(v, Known)
            )
            raise NeedsValue(name, "what it reads", self.depends.get(name, frozenset()))
        if entry is None:
            raise Refusal(_unsupported(node))
        if not means_the_same(node.op, opset, entry.since):
            raise Refusal(f"the operator as it was in opset {opset} is not supported")
        results = self._entered(node, entry, admitted(node, operands), opset)
        return named(node, operands, results, opset)

    def _of_domain(self, node: Node, operands: Sequence[Value | None]) -> Sequence[Value | None]:
        """The results of an operator from another domain than ONNX's own."""
        entry = DOMAINS.get(node.domain, {}).get(node.op)
        if entry is None:
            raise Refusal(f"the operator of the domain {node.domain} is not supported")
        return self._entered(node, entry, operands, self.opset)

    def _entered(
        self, node: Node, entry: Op, operands: Sequence[Value | None], opset: int
    ) -> Sequence[Value | None]:
        """The results by an entry of a table."""
        _check_attributes(node, entry.attributes)
        context = Context(
            self.writer,
            node,
            operands,
            opset,
            [bool(name and self.readers.get(name)) for name in node.outputs],
            [self._is_sole(name, value) for name, value in zip(node.inputs, operands, strict=True)],
            self.depends,
            {name: self.values[name] for name in node.captures if name in self.values},
            self,
        )
        context.names = self._suggested(node, operands)
        entry.convert(context)
        refs = {result.ref for result in context.results if isinstance(result, Held)}
        for name, value in zip(node.inputs, operands, strict=True):
            if isinstance(value, Held) and value.ref in refs and self._is_read_besides(name):
                self.viewed.add(value.ref)
        return context.results

    def _is_sole(self, name: str, value: Value | None) -> bool:
        """Whether what computes a value has only one reader; for a branch, those in the outer graph count too."""
        if not name or (isinstance(value, Held) and value.ref in self.viewed):
            return False
        return all(counts.get(name, 1) == 1 for counts in self.readers.maps)

    def _is_read_besides(self, name: str) -> bool:
        """Whether more than one reader reads the numbers of a value, not its shape alone."""
        shapes = sum(node.op in ("Shape", "Size") for node in self.following.get(name, ()))
        return any(counts.get(name, 1) - shapes > 1 for counts in self.readers.maps)

    def _folded(self, node: Node, operands: Sequence[Value | None]) -> list[Value] | None:
        """Folds a node if all of its operands are known."""
        if not operands or any(value is not None and not isinstance(value, Known) for value in operands):
            return None
        if self.computed > MAX_COMPUTED:
            raise Refusal("the constants that are computed are too large")
        arrays = [value.array if isinstance(value, Known) else None for value in operands]
        dtypes = tuple("" if value is None else value.dtype for value in operands)
        at = Folding(self.opset, dtypes, self.writer.sketch.ranges, len(node.outputs))
        if (fold := FOLDS.get(node.op)) is not None:
            results = fold(arrays, node.attributes, at)
        else:
            results = evaluated(node.op, node.attributes, arrays, at)
        if results is None:
            return None
        self.computed += sum(array.size for array in results if array.base is None)
        if self.computed > MAX_COMPUTED or sum(array.size for array in results) > MAX_COMPUTED:
            raise Refusal("the constants that are computed are too large")
        names = list(node.outputs)
        if node.op in _MOVERS and operands and isinstance(operands[0], Known) and operands[0].name:
            names = [operands[0].name]  # a value that is only held differently keeps its name
        return [
            known_dims(array, at.dtype(node.op, node.attributes))
            if array.dtype == object
            else Known.of(array, name)
            for array, name in zip(results, names, strict=False)
        ]

    def _suggested(self, node: Node, operands: Sequence[Value | None]) -> list[str]:
        """Names for the layers of a node: the node's, its output's, that of its weights."""
        stems = [stem(value.name) for value in operands[1:] if isinstance(value, Known) and value.name]
        output = node.outputs[0] if node.outputs else ""
        scopes = scoped(node.path)
        if node.path.rpartition("/")[0] in self.containers or node.op in _MOVERS:
            scopes = scopes[1:]  # a module's name is for the layer that does the computing
        own = [identifier(node.name), *stems[:1], *scopes, identifier(output)]
        return [name for name in own if name]

    # Graphs among the attributes.

    @contextmanager
    def scope(self, body: Body) -> Iterator[None]:
        """The names of a graph among the attributes, which are dropped afterwards."""
        scopes = (self.values, self.faults, self.depends, self.readers)
        self.values, self.faults, self.depends = (scope.new_child() for scope in scopes[:3])  # type: ignore[assignment]
        self.readers = self.readers.new_child(body.readers)
        try:
            for name, array in body.constants.items():
                self.values[name] = Known.of(array, name)
            yield
        finally:
            self.values, self.faults, self.depends, self.readers = scopes  # type: ignore[assignment]

    def inlined(
        self, body: Body, inputs: Sequence[Value], known: Mapping[str, Known] | None = None
    ) -> list[Value]:
        """Converts a graph among the attributes for its inputs and returns its outputs.

        ``known`` are further names that it reads. Raises if something is missing.
        """
        with self.scope(body):
            self.values.update(known or {})
            self.values.update(zip(body.inputs, inputs, strict=True))
            for node in body.nodes:
                self.visit(node)
            return self.given(body.outputs)

    def given(self, names: Sequence[str]) -> list[Value]:
        """The values of these names. Raises if one is missing."""
        if causes := self.missing(names):
            raise Missing(causes)
        return [self.values[name] for name in names]

    def operation(self, op: str, operands: Sequence[Value | int | Sequence[int]], **attributes: Any) -> Value:
        """Computes an operator of known operands. Numbers among them are whole."""
        names = tuple(f"{op} operand {i}" for i in range(len(operands)))
        node = Node("", op, "", names, (f"{op} result",), attributes)
        with self.scope(Body(names, node.outputs, (node,), {})):
            for name, operand in zip(names, operands, strict=True):
                known = isinstance(operand, int | Sequence)
                self.values[name] = Known.of(np.asarray(operand, np.int64)) if known else operand  # type: ignore[assignment]
            self.visit(node)
            return self.given(node.outputs)[0]


def _unsupported(node: Node) -> str:
    """Why an operator without an entry is refused, and where the model could end instead."""
    if node.op not in _UNBOUNDED:
        return "the operator is not supported"
    ends = " ".join(f"--output {name}" for name in node.inputs[:2] if name)
    return (
        f"how much it gives is known at run time only: {ends} makes what it reads the outputs of the network"
    )


def _check_attributes(node: Node, honoured: Sequence[str]) -> None:
    for name, value in node.attributes.items():
        if name not in honoured:
            raise Refusal("is not supported", name)
        if isinstance(value, UnreadableTensor):
            raise Refusal(value.reason, name)


def reasons(faults: Iterable[Fault]) -> tuple[list[Finding], NeedsValue | None]:
    """The findings behind faults, each once, and the first input whose value would help."""
    findings: list[Finding] = []
    needed: NeedsValue | None = None
    waiting, seen = list(faults)[::-1], set[Fault]()
    while waiting:
        fault = waiting.pop()
        if fault in seen:
            continue
        seen.add(fault)
        if fault.finding is not None:
            findings.append(fault.finding)
        if fault.needed is not None and fault.needed.inputs and needed is None:
            needed = fault.needed
        waiting += fault.causes[::-1]
    return findings, needed
