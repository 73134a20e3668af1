"""Cells inside cells: renames and resizes an inner cell so that it can be inlined into the cell around it.

States are called `low_h`, so that they can be used in equations, as ports and in `initial_state`. Inputs, parameters
and steps are called `low.x`, which can't clash with any name a user writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled
from ..diagnostics.suggest import closest, did_you_mean
from ..dims import DimLike, dim, dim_symbols, parse_dim, substitute
from ..models.cells import CellSpec
from ..source.tree import Path, SourceTree, Span
from .cell_trees import Cell, Step
from .expressions import Expression, Name, Number, Previous, replaced
from .parser import Writing, parse_expression


def report_unknown(name: str, known: Iterable[str], place: Span, diagnostics: Diagnostics) -> None:
    """Reports that there is no cell of this name, and suggests a similar one."""
    meant = closest(name, known)
    diagnostics.error(
        "NW0509",
        f"there is no cell named {name}",
        place,
        help=did_you_mean(meant),
        fixes=respelled(name, meant, place),
    )


def inner_cell(
    name: str,
    outer: CellSpec,
    known: Mapping[str, Cell],
    letters: set[str],
    tree: SourceTree,
    path: Path,
    diagnostics: Diagnostics,
) -> Cell | None:
    """The inner cell that `outer` calls `name`; if it has errors, reports them to `diagnostics` and returns None.
    `letters` are the sizes that have a name in `outer`.
    """
    spec = outer.cells[name]
    cell = known.get(spec.use)
    if cell is None:
        if tree.node(("cells", spec.use)) is None:  # an invalid one is reported where it is defined
            report_unknown(spec.use, known, tree.value_span((*path, "use")), diagnostics)
        return None
    if not _arguments_fit(cell, spec.with_, outer, letters, tree, path, diagnostics):
        return None
    sizes: dict[str, DimLike] = {}
    values: dict[str, Expression] = {}
    for argument, value in spec.with_.items():
        text = value if isinstance(value, str) else repr(value)
        values[argument] = parse_expression(Writing.at(text, tree.value_span((*path, "with", argument))))
        if cell.args[argument] == "int":
            sizes[argument] = parse_dim(text)
    return _renamed(cell, name, sizes, values)


def _arguments_fit(
    cell: Cell,
    given: Mapping[str, int | float | str],
    outer: CellSpec,
    letters: set[str],
    tree: SourceTree,
    path: Path,
    diagnostics: Diagnostics,
) -> bool:
    """Whether an inner cell gets the arguments it declares."""
    good = True

    def wrong(message: str, key: str | None, help: str | None = None, meant: str | None = None) -> None:
        nonlocal good
        good = False
        where = (*path, "with", key) if key is not None and key in given else (*path, "use")
        span = tree.value_span(where)
        place = tree.key_span(where)
        fixes = respelled(key, meant, place) if key is not None else ()
        diagnostics.error("NW0510", message, place if meant else span, help=help, fixes=fixes)

    for name in cell.args:
        if name not in given:
            wrong(f"the cell {cell.name} needs the argument {name}", None, f"with: {{{name}: …}}")
    for name, value in given.items():
        kind = cell.args.get(name)
        if kind is None:
            meant, names = closest(name, cell.args), ", ".join(cell.args)
            help = did_you_mean(meant) or (names and f"it has {names}")
            wrong(f"the cell {cell.name} has no argument {name}", name, help, meant)
        elif isinstance(value, str):
            symbols = dim_symbols(parse_dim(value))
            # Equations know arguments as numbers, but not the letters of shapes.
            unknown = sorted(symbols - (letters if kind == "int" else outer.args.keys()))
            if unknown:
                help = f"declare it under args: {{{unknown[0]}: {kind}}}"
                wrong(f"there is no argument {unknown[0]}", name, help)
        elif kind == "int" and (not isinstance(value, int) or value < 1):
            message = f"{name} of the cell {cell.name} has to be a whole number of at least 1, not {value}"
            wrong(message, name)
    return good


def _renamed(cell: Cell, prefix: str, sizes: Mapping[str, DimLike], values: Mapping[str, Expression]) -> Cell:
    """A cell with its arguments substituted and `prefix` before each of its own names."""
    shapes = [*cell.inputs.values(), *cell.bound.values()]
    letters = set().union(*(dim_symbols(size) for shape in shapes for size in shape)) - cell.args.keys()
    binding = {**{letter: dim(f"{prefix}.{letter}") for letter in letters}, **sizes}

    def name_of(name: str) -> str:
        return f"{prefix}_{name}" if name in cell.states else f"{prefix}.{name}"

    def shape(written: tuple[DimLike, ...]) -> tuple[DimLike, ...]:
        return tuple(substitute(size, binding) for size in written)

    def other(node: Expression) -> Expression | None:
        match node:
            case Name(id=name) if name in cell.args:
                value = values[name]
                return replace(value, span=node.span) if isinstance(value, Name | Number) else value
            case Name(id=name, span=span):
                return Name(name_of(name), span)
            case Previous(state=state, span=span):
                return Previous(name_of(state), span)
        return None

    return Cell(
        cell.name,
        {},
        {name_of(name): shape(written) for name, written in cell.inputs.items()},
        {name_of(name): replace(state, shape=shape(state.shape)) for name, state in cell.states.items()},
        {name_of(name): replace(param, shape=shape(param.shape)) for name, param in cell.params.items()},
        tuple(
            Step(tuple(map(name_of, step.targets)), replaced(step.value, other), step.span)
            for step in cell.steps
        ),
        replaced(cell.output, other),
        cell.span,
        {name_of(name): shape(written) for name, written in cell.bound.items()},
    )
