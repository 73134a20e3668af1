"""Written cells to cells of expression trees: names are resolved, every state is updated once, steps are in
order.

What is left for the compiler is a recurrence in its only form: states, steps, output. `prev(output)` becomes
a state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .base import read_shape
from .cells import CellOutputSpec, CellSpec
from .diagnostics import Diagnostics
from .dims import DimLike, dim_symbols
from .expression_parser import ExpressionError, Writing, parse_expression, parse_step, parse_targets
from .expressions import CONSTANTS, FUNCTIONS, Call, Expression, Name, Number, Previous, walk
from .initializers import InitializerSpec
from .source import Path, SourceNode, SourceTree, Span
from .suggest import closest, did_you_mean

OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class State:
    """A value kept from one step to the next; `shape` is that of one sample, `init` its value before the
    first step.
    """

    shape: tuple[DimLike, ...]
    init: InitializerSpec
    learned: bool
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A learned array; several initializers stand for as many equal slices of the last axis."""

    shape: tuple[DimLike, ...]
    init: tuple[InitializerSpec, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """`targets = value`; more than one target only where the value is a `split`."""

    targets: tuple[str, ...]
    value: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Cell:
    """A recurrence. Shapes are over the names of `args` and over letters bound by the shapes of `inputs`.

    A bare state name in a step or in `output` is its new value; it occurs only after the step that defines
    it.
    """

    name: str
    args: Mapping[str, Literal["int", "float"]]
    inputs: Mapping[str, tuple[DimLike, ...]]
    states: Mapping[str, State]
    params: Mapping[str, Parameter]
    steps: tuple[Step, ...]
    output: Expression
    span: Span = field(compare=False)


def compile_cell(
    name: str, spec: CellSpec, tree: SourceTree, path: Path, diagnostics: Diagnostics
) -> Cell | None:
    """The cell written at `path`; None when something is wrong, and `diagnostics` says what."""
    return _Compiler(name, spec, tree, path, diagnostics).compile()


class _Compiler:
    def __init__(
        self, name: str, spec: CellSpec, tree: SourceTree, path: Path, diagnostics: Diagnostics
    ) -> None:
        self.name, self.spec, self.tree, self.path, self.diagnostics = name, spec, tree, path, diagnostics
        self.good = True
        self.places: dict[str, Span] = {}
        self.defined: set[str] = set()
        self.state_specs = dict(spec.states)

    def error(self, code: str, message: str, span: Span, **more: object) -> None:
        self.good = False
        self.diagnostics.error(code, message, span, **more)  # type: ignore[arg-type]

    def compile(self) -> Cell | None:
        spec, key = self.spec, self.tree.key_span
        for section in ("args", "input", "states", "params"):
            for name in getattr(spec, section):
                self.declare(name, key((*self.path, section, name)), known=section != "states")
        letters = {name for name, kind in spec.args.items() if kind == "int"}
        inputs = {}
        for name, written in spec.input.items():
            inputs[name] = read_shape(written)
            letters |= set().union(*(dim_symbols(size) for size in inputs[name]))
        steps = self.steps()
        output_node, output_spec = self.output()
        output = self.parse(output_node)
        long_form = isinstance(output_spec, CellOutputSpec)
        if output is not None:
            self.check(output, outputs_known=long_form)
        for state in spec.states:
            if state not in self.defined and not self.broken_step:
                where = key((*self.path, "states", state))
                self.error(
                    "NW0507",
                    f"the state {state} is never updated",
                    where,
                    help=f"add {state}: … under update",
                )
        states = {
            name: State(
                self.shape(("states", name, "shape"), state.shape, letters),
                state.init,
                state.learn_init,
                key((*self.path, "states", name)),
            )
            for name, state in spec.states.items()
        }
        params = {
            name: Parameter(
                self.shape(("params", name, "shape"), one.shape, letters),
                one.init,
                key((*self.path, "params", name)),
            )
            for name, one in spec.params.items()
        }
        if output is not None and isinstance(output_spec, CellOutputSpec):
            shape = self.shape(("output", "shape"), output_spec.shape, letters)
            states[OUTPUT] = State(shape, output_spec.init, False, output_node.span)
            steps.append(Step((OUTPUT,), output, output.span))
            output = Name(OUTPUT, output.span)
        if not self.good or output is None:
            return None
        span = key(self.path)
        return Cell(self.name, dict(spec.args), inputs, states, params, tuple(steps), output, span)

    def declare(self, name: str, span: Span, known: bool = True) -> None:
        if name in self.places:
            labels = [(self.places[name], "first here")]
            self.error("NW0506", f"{name} is defined twice", span, labels=labels)
        elif name in FUNCTIONS or name in CONSTANTS or name in ("prev", OUTPUT):
            self.error(
                "NW0506", f"{name} means something else in expressions", span, help="take another name"
            )
        self.places.setdefault(name, span)
        if known:
            self.defined.add(name)

    def shape(self, where: Path, written: tuple[int | str, ...], letters: set[str]) -> tuple[DimLike, ...]:
        shape = read_shape(written)
        for position, size in enumerate(shape):
            for symbol in sorted(dim_symbols(size) - letters):
                help = did_you_mean(closest(symbol, letters)) or f"declare it under args: {{{symbol}: int}}"
                span = self.tree.value_span((*self.path, *where, position))
                self.error("NW0210", f"unknown dimension {symbol}", span, help=help)
        return shape

    def output(self) -> tuple[SourceNode, str | CellOutputSpec]:
        long_form = isinstance(self.spec.output, CellOutputSpec)
        node = self.tree.node((*self.path, "output", "value") if long_form else (*self.path, "output"))
        assert node is not None
        return node, self.spec.output

    def parse(self, node: SourceNode) -> Expression | None:
        try:
            return parse_expression(Writing.of(node))
        except ExpressionError as error:
            self.error(error.code, error.message, error.span, help=error.help)
            return None

    def steps(self) -> list[Step]:
        node = self.tree.node((*self.path, "update"))
        self.broken_step = False
        steps: list[Step] = []
        for writing, key in _writings(node) if node else ():
            try:
                if key is None:
                    targets, value = parse_step(writing)
                else:
                    targets, value = parse_targets(key), parse_expression(writing)
            except ExpressionError as error:
                # Whatever it would have defined is unknown, so unknown names after it are no news.
                self.error(error.code, error.message, error.span, help=error.help)
                self.broken_step = True
                if key is not None:
                    self.define_key(key)
                continue
            self.check(value, targets=len(targets))
            for target, span in targets:
                self.define(target, span)
            steps.append(Step(tuple(target for target, _ in targets), value, value.span))
        return steps

    def define_key(self, key: Writing) -> None:
        try:
            for target, span in parse_targets(key):
                self.define(target, span)
        except ExpressionError:
            return

    def define(self, target: str, span: Span) -> None:
        if target in self.spec.states and target not in self.defined:
            self.defined.add(target)
            self.places[target] = span
        else:
            self.declare(target, span)

    def check(self, expression: Expression, targets: int = 1, outputs_known: bool = False) -> None:
        """Reports the unknown names of an expression, each once, and splits that are not taken apart."""
        has_output = outputs_known or isinstance(self.spec.output, CellOutputSpec)
        reported: set[str] = set()
        for node in walk(expression):
            match node:
                case Name(id=name) if (
                    name not in self.defined and name not in reported and not self.broken_step
                ):
                    reported.add(name)
                    self.unknown(name, node.span)
                case Previous(state=state) if state not in self.spec.states and state not in reported:
                    reported.add(state)
                    if state != OUTPUT:
                        help = did_you_mean(closest(state, [*self.spec.states, OUTPUT]))
                        self.error(
                            "NW0508", f"prev({state}): there is no state {state}", node.span, help=help
                        )
                    elif not has_output:
                        help = "write output: {value: …, shape: […]}"
                        self.error("NW0508", "prev(output) needs the output's shape", node.span, help=help)
                case Call(function="split", arguments=(_, Number(value=parts))):
                    if node is not expression or targets == 1:
                        help = "write a, b = split(…, 2)"
                        self.error(
                            "NW0505", "split gives several values, each needs a name", node.span, help=help
                        )
                    elif parts != targets:
                        self.error("NW0505", f"split gives {parts} values for {targets} names", node.span)
        if targets > 1 and not (isinstance(expression, Call) and expression.function == "split"):
            self.error("NW0505", f"one value for {targets} names; only split gives several", expression.span)

    def unknown(self, name: str, span: Span) -> None:
        if name in self.spec.states:
            help = f"prev({name}) is its value of the step before"
            self.error("NW0503", f"the state {name} has no new value yet", span, help=help)
        else:
            help = did_you_mean(closest(name, [*self.defined, *self.spec.states]))
            self.error("NW0503", f"unknown name {name}", span, help=help)


def _writings(node: SourceNode) -> list[tuple[Writing, Writing | None]]:
    """The steps under `update`, in order: the text, and the key where the step has the form `key: text`."""
    found: list[tuple[Writing, Writing | None]] = []
    for item in node.items or [node]:
        if isinstance(item.value, str):
            found.append((Writing.of(item), None))
        for key, entry in item.entries.items():
            found.append((Writing.of(entry.node), Writing.at(key, entry.key_span)))
    return found
