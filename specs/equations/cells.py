"""Compiles written cells to expression trees: resolves names, checks that every state is updated once, and orders the
steps.

The compiler then sees recurrences in one form only: states, steps, output. `prev(output)` becomes a state.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled
from ..diagnostics.suggest import closest, did_you_mean
from ..dims import DimLike, dim_symbols
from ..models.base import read_shape
from ..models.cells import CellOutputSpec, CellSpec
from ..source.tree import Path, SourceNode, SourceTree, Span
from .cell_trees import OUTPUT, Cell, Parameter, State, Step
from .expressions import CONSTANTS, FUNCTIONS, Call, Expression, Name, Number, Previous, Run, replaced, walk
from .nested_cells import inner_cell
from .parser import ExpressionError, Writing, parse_expression, parse_step, parse_targets


def compile_cell(
    name: str,
    spec: CellSpec,
    tree: SourceTree,
    path: Path,
    diagnostics: Diagnostics,
    known: Mapping[str, Cell] | None = None,
) -> Cell | None:
    """Compiles the cell written at `path`; if it has errors, reports them to `diagnostics` and returns None. `known`
    are the cells that it may contain.
    """
    return _Compiler(name, spec, tree, path, diagnostics, known or {}).compile()


class _Compiler:
    def __init__(
        self,
        name: str,
        spec: CellSpec,
        tree: SourceTree,
        path: Path,
        diagnostics: Diagnostics,
        known: Mapping[str, Cell],
    ) -> None:
        self.name, self.spec, self.tree, self.path, self.diagnostics = name, spec, tree, path, diagnostics
        self.good = True
        self.places: dict[str, Span] = {}
        self.defined: set[str] = set()
        self.known = known
        self.inner: dict[str, Cell] = {}
        self.called: set[str] = set()
        self.broken_inner = False
        self.bound: dict[str, tuple[DimLike, ...]] = {}

    def error(self, code: str, message: str, span: Span, **more: object) -> None:
        self.good = False
        self.diagnostics.error(code, message, span, **more)  # type: ignore[arg-type]

    def compile(self) -> Cell | None:
        spec, key = self.spec, self.tree.key_span
        for section in ("args", "input", "states", "params", "cells"):
            for name in getattr(spec, section):
                known = section not in ("states", "cells")
                self.declare(name, key((*self.path, section, name)), known=known)
        letters = {name for name, kind in spec.args.items() if kind == "int"}
        inputs = {}
        for name, written in spec.input.items():
            inputs[name] = read_shape(written)
            letters |= set().union(*(dim_symbols(size) for size in inputs[name]))
        self.read_inner(letters)
        steps = self.steps()
        output_node, output_spec = self.output()
        output = self.parse(output_node)
        long_form = isinstance(output_spec, CellOutputSpec)
        told = len(self.diagnostics)
        if output is not None:
            output = self.checked(output, steps, outputs_known=long_form)
        good_output = output is not None and len(self.diagnostics) == told
        for state in spec.states:
            if state not in self.defined and not self.broken_step:
                where = key((*self.path, "states", state))
                self.error(
                    "NW0507",
                    f"the state {state} is never updated",
                    where,
                    help=f"add {state}: … under update",
                )
        for name in self.inner:
            if name not in self.called and not self.broken_step and good_output:
                where = key((*self.path, "cells", name))
                help = f"call it in a step: a = {name}(…)"
                self.error("NW0507", f"the cell {name} inside is never called", where, help=help)
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
                self.shape(("params", name, "shape"), param.shape, letters),
                param.init,
                key((*self.path, "params", name)),
            )
            for name, param in spec.params.items()
        }
        for cell in self.inner.values():
            states |= cell.states
            params |= cell.params
        if output is not None and isinstance(output_spec, CellOutputSpec):
            shape = self.shape(("output", "shape"), output_spec.shape, letters)
            states[OUTPUT] = State(shape, output_spec.init, False, output_node.span)
            steps.append(Step((OUTPUT,), output, output.span))
            output = Name(OUTPUT, output.span)
        if not self.good or output is None:
            return None
        span = key(self.path)
        return Cell(
            self.name, dict(spec.args), inputs, states, params, tuple(steps), output, span, self.bound
        )

    def read_inner(self, letters: set[str]) -> None:
        """The nested cells, by the names they have in this cell."""
        for name in self.spec.cells:
            where = (*self.path, "cells", name)
            cell = inner_cell(name, self.spec, self.known, letters, self.tree, where, self.diagnostics)
            if cell is None:
                self.good, self.broken_inner = False, True
                continue
            self.inner[name] = cell
            for state in cell.states:
                self.declare(state, self.tree.key_span(where), known=False)

    @property
    def states(self) -> list[str]:
        """The names of all states, including those of nested cells."""
        return [*self.spec.states, *(state for cell in self.inner.values() for state in cell.states)]

    def checked(
        self, value: Expression, steps: list[Step], targets: int = 1, outputs_known: bool = False
    ) -> Expression:
        """Checks the names in an expression. Calls of nested cells are replaced by their outputs, and their steps
        inserted before it.
        """
        self.check(value, targets, outputs_known)
        return replaced(value, lambda node: self.run(node, steps) if isinstance(node, Run) else None)

    def run(self, node: Run, steps: list[Step]) -> Expression:
        """Inlines the call of a nested cell: adds its arguments and steps to the steps, and returns its output. The
        arguments are already expanded.
        """
        cell = self.inner.get(node.cell)
        if cell is None:
            return node
        if node.cell in self.called:
            message = f"{node.cell} is called twice: a state changes once per step"
            help = f"call it once, a = {node.cell}(…), and read a"
            self.error("NW0505", message, node.span, help=help)
        elif len(node.arguments) != len(cell.inputs):
            names = ", ".join(input.rpartition(".")[2] for input in cell.inputs)
            message = f"{node.cell} takes {len(cell.inputs)} inputs, not {len(node.arguments)}"
            self.error("NW0505", message, node.span, help=f"its inputs are {names}")
        self.called.add(node.cell)
        for (name, shape), argument in zip(cell.inputs.items(), node.arguments, strict=False):
            steps.append(Step((name,), argument, argument.span))
            self.bound[name] = shape
        steps += cell.steps
        self.bound |= cell.bound
        self.defined |= cell.states.keys()
        return cell.output

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
                meant = closest(symbol, letters)
                help = did_you_mean(meant) or f"declare it under args: {{{symbol}: int}}"
                span = self.tree.value_span((*self.path, *where, position))
                fixes = respelled(symbol, meant, span, safe=False)
                self.error("NW0210", f"unknown dimension {symbol}", span, help=help, fixes=fixes)
        return shape

    def output(self) -> tuple[SourceNode, str | CellOutputSpec]:
        long_form = isinstance(self.spec.output, CellOutputSpec)
        node = self.tree.node((*self.path, "output", "value") if long_form else (*self.path, "output"))
        assert node is not None
        return node, self.spec.output

    def parse(self, node: SourceNode) -> Expression | None:
        try:
            return parse_expression(Writing.of(node), self.spec.cells)
        except ExpressionError as error:
            self.error(error.code, error.message, error.span, help=error.help, fixes=error.fixes)
            return None

    def steps(self) -> list[Step]:
        node = self.tree.node((*self.path, "update"))
        self.broken_step = self.broken_inner
        steps: list[Step] = []
        for writing, key in _writings(node) if node else ():
            try:
                if key is None:
                    targets, value = parse_step(writing, self.spec.cells)
                else:
                    targets, value = parse_targets(key), parse_expression(writing, self.spec.cells)
            except ExpressionError as error:
                # Names that the invalid step would have defined are unknown, so they are not reported later.
                self.error(error.code, error.message, error.span, help=error.help, fixes=error.fixes)
                self.broken_step = True
                if key is not None:
                    self.define_key(key)
                continue
            value = self.checked(value, steps, len(targets))
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

    def check(self, expression: Expression, targets: int, outputs_known: bool) -> None:
        """Reports the unknown names of an expression, once each, and each `split` that is not unpacked."""
        has_output = outputs_known or isinstance(self.spec.output, CellOutputSpec)
        states = self.states
        reported: set[str] = set()
        for node in walk(expression):
            match node:
                case Name(id=name) if (
                    name not in self.defined and name not in reported and not self.broken_step
                ):
                    reported.add(name)
                    self.unknown(name, node.span)
                case Previous(state=state) if (
                    state not in states and state not in reported and not self.broken_inner
                ):
                    reported.add(state)
                    if state != OUTPUT:
                        meant = closest(state, [*states, OUTPUT])
                        self.error(
                            "NW0508",
                            f"prev({state}): there is no state {state}",
                            node.span,
                            help=did_you_mean(meant),
                            fixes=respelled(state, meant, node.span, safe=False),
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
        if name in self.states:
            help = f"prev({name}) is its value of the step before"
            fixes = respelled(name, f"prev({name})", span, safe=False)
            self.error("NW0503", f"the state {name} has no new value yet", span, help=help, fixes=fixes)
        else:
            meant = closest(name, [*self.defined, *self.states])
            fixes = respelled(name, meant, span, safe=False)
            self.error("NW0503", f"unknown name {name}", span, help=did_you_mean(meant), fixes=fixes)


def _writings(node: SourceNode) -> list[tuple[Writing, Writing | None]]:
    """The steps under `update`, in order: the text of each, and its key if the step has the form `key: text`."""
    writings: list[tuple[Writing, Writing | None]] = []
    for item in node.items or [node]:
        if isinstance(item.value, str):
            writings.append((Writing.of(item), None))
        for key, entry in item.entries.items():
            writings.append((Writing.of(entry.node), Writing.at(key, entry.key_span)))
    return writings
