"""Checks of one layer that need no shapes: how many inputs it reads, its cell, the layer it shares parameters with.

Each function returns whether the layer passes; problems go to the diagnostics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import Fix, respelled, without_key
from ..diagnostics.suggest import closest, did_you_mean
from ..equations.nested_cells import report_unknown
from ..models.layers.base import LayerSpec
from ..models.layers.recurrent import Recurrent
from ..source.tree import SourceTree
from .structure import Structure
from .typed_layers import LayerEntry


def check_arity(
    entry: LayerEntry,
    spec: LayerSpec,
    count: int,
    structure: Structure,
    tree: SourceTree,
    diagnostics: Diagnostics,
) -> bool:
    """Whether a layer reads as many inputs as its type requires."""
    fewest, most = spec.arity
    if isinstance(spec, Recurrent):
        if spec.cell not in structure.cells:
            return True
        fewest = most = len(structure.cells[spec.cell].inputs)
    if fewest <= count and (most is None or count <= most):
        return True
    wanted = f"at least {fewest} inputs" if most is None else f"{fewest} input{'' if fewest == 1 else 's'}"
    if most is not None and most > fewest:
        wanted = f"{fewest} to {most} inputs"
    path = (*entry.path, "inputs")
    written = tree.node(path) is not None
    place = tree.value_span(path if written else (*entry.path, "type"))
    help = None if written else f"write inputs: [{', '.join(['…'] * max(2, fewest))}]"
    diagnostics.error("NW0306", f"{spec.type} reads {wanted}, this one reads {count}", place, help=help)
    return False


def check_cell(
    entry: LayerEntry, spec: Recurrent, structure: Structure, tree: SourceTree, diagnostics: Diagnostics
) -> bool:
    """Whether the cell of a recurrent layer exists, is valid, and gets the arguments it declares."""
    cell = structure.cells.get(spec.cell)
    cell_place = tree.value_span((*entry.path, "cell"))
    if cell is None:
        if not structure.knows("cells", spec.cell):
            report_unknown(spec.cell, structure.sections.get("cells") or {}, cell_place, diagnostics)
        return False
    path = (*entry.path, "with")
    place = tree.key_span(path) if tree.node(path) else cell_place
    unknown = [name for name in spec.with_ if name not in cell.args]
    free = [name for name in cell.args if name not in spec.with_]
    meant: set[str | None] = set()
    good = True
    for name in unknown:
        suggestion = closest(name, free)
        meant.add(suggestion)
        help = did_you_mean(suggestion) or (
            f"its arguments are {', '.join(cell.args)}" if cell.args else None
        )
        message = f"the cell {cell.name} has no argument {name}"
        where = tree.key_span((*path, name))
        fixes = respelled(name, suggestion, where)
        diagnostics.error("NW0510", message, where, help=help, fixes=fixes)
        good = False
    for name in free:
        good = False
        if name not in meant:
            message = f"the cell {cell.name} needs the argument {name}"
            labels = [(tree.key_span(("cells", cell.name, "args", name)), "declared here")]
            diagnostics.error("NW0510", message, place, labels=labels, help=f"with: {{{name}: …}}")
    for name, value in spec.with_.items():
        if cell.args.get(name) == "int" and (not isinstance(value, int) or value < 1):
            message = f"{name} of the cell {cell.name} has to be a whole number of at least 1, not {value}"
            diagnostics.error("NW0510", message, tree.value_span((*path, name)))
            good = False
    return good


def check_share(
    entry: LayerEntry,
    spec: LayerSpec,
    layers: Mapping[str, LayerEntry],
    names_lost: bool,
    tree: SourceTree,
    diagnostics: Diagnostics,
) -> bool:
    """Whether `share` names a layer whose parameters can be used. `names_lost`: the names of some layers are
    unknown.
    """
    if spec.share is None:
        return True
    other = layers.get(spec.share)
    help = None
    place = tree.value_span((*entry.path, "share"))
    fixes: tuple[Fix, ...] = ()
    if not spec.has_parameters:
        message = f"{spec.type} has no parameters to share"
    elif spec.share == entry.name:
        message = f"{entry.name} can't share its own parameters"
    elif other is None:
        message = f"there is no layer named {spec.share}"
        meant = closest(spec.share, _others(layers, entry))
        help, fixes = did_you_mean(meant), respelled(spec.share, meant, place)
        if names_lost:
            return False
    elif other.type is not None and other.type != entry.type:
        message = f"{spec.share} is {_article(other.type)}, {entry.name} is {_article(str(entry.type))}"
        help = "only layers of one type can share parameters"
    elif other.spec and other.spec.share == entry.name:
        if _comes_before(layers, other, entry):
            return False  # already reported at the earlier layer
        message = f"{entry.name} and {other.name} each use the parameters of the other"
        help = "leave share out of one of them"
        fixes = without_key(tree.node(entry.path), "share")
    elif other.spec and other.spec.share:
        message = f"{spec.share} itself uses the parameters of {other.spec.share}"
        help = f"write share: {other.spec.share}"
        fixes = respelled(spec.share, other.spec.share, place, safe=True)
    elif other.spec is None:
        return False
    else:
        return _agree_on_training(entry, spec, other, tree, diagnostics)
    labels = [(tree.value_span((*other.path, "name")), "this layer")] if other and other is not entry else []
    diagnostics.error("NW0307", message, place, labels=labels, help=help, fixes=fixes)
    return False


def _agree_on_training(
    entry: LayerEntry, spec: LayerSpec, owner: LayerEntry, tree: SourceTree, diagnostics: Diagnostics
) -> bool:
    """Whether a layer does not freeze parameters that another one owns and trains."""
    frozen = entry.placement.frozen
    if frozen is None and not spec.trainable and "trainable" in spec.model_fields_set:
        frozen = tree.value_span(entry.overlay.get("trainable", (*entry.path, "trainable")))
    if frozen is None or owner.placement.frozen is not None or (owner.spec and not owner.spec.trainable):
        return True
    if not any(known.span == frozen for known in diagnostics.errors):  # once for all layers of a block
        message = f"{entry.name} uses the parameters of {owner.name}, which are trained"
        labels = [(tree.value_span((*owner.path, "name")), "this layer")]
        help = f"write trainable: false there: the parameters belong to {owner.name}"
        diagnostics.error("NW0212", message, frozen, labels=labels, help=help)
    return False


def _comes_before(layers: Mapping[str, LayerEntry], first: LayerEntry, other: LayerEntry) -> bool:
    return next(entry for entry in layers.values() if entry in (first, other)) is first


def _others(layers: Mapping[str, LayerEntry], entry: LayerEntry) -> Iterable[str]:
    return [name for name, other in layers.items() if other.type == entry.type and other is not entry]


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" or kind in ("lstm", "rnn") else f"a {kind}"
