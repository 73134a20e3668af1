"""Runs a transform, a product and the transform back block by block, so that what is between them stays in caches.

A fast convolution transforms the tiles of its images, multiplies what that gives by weights, and transforms the
products back. All of an image's transformed tiles may take far more memory than a core's caches hold. A block is some
rows of tiles of one image: its three kernels run one after the other, in a loop over all blocks, and the next block
uses the same memory again. The last block of an image begins early enough to be whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from netwright.specs.dims import DimLike, dim, dim_min, dim_symbols, substitute

from ..graph.graph import Graph
from ..graph.node import Value
from ..graph.types import TensorType
from ..loop.builder import Builder
from ..machine import Machine
from .grouping.groups import Group, Grouping
from .grouping.roles import ContractionPart, Roles, TransformPart
from .kernels.fused import Kernel, build
from .kernels.transforms import Block
from .reading.places import Place, Target, same_index


@dataclass(frozen=True)
class Chain:
    """The groups of a transform, of the product that reads it alone, and of the transform that reads only that.

    ``data`` and ``products`` are the values between them. A block has ``rows`` of the rows of tiles of one image.
    """

    into: Group
    multiplied: Group
    back: Group
    data: Value
    products: Value
    rows: int


def chains(roles: Roles, grouping: Grouping, machine: Machine) -> list[Chain]:
    """What is computed block by block."""
    made = (_chain(roles, grouping, group, machine) for group in grouping.groups)
    return [chain for chain in made if chain is not None]


def _chain(roles: Roles, grouping: Grouping, back: Group, machine: Machine) -> Chain | None:
    last = back.transform()
    if last is None:
        return None
    products = roles.unreshaped(last.operands[0])
    multiplied = _sole(roles, grouping, products)
    part = multiplied.members[0] if multiplied else None
    if multiplied is None or not isinstance(part, ContractionPart):
        return None
    data = roles.unreshaped(part.operands[0])
    into = _sole(roles, grouping, data)
    if into is None or (first := into.transform()) is None:
        return None
    before, after = (tuple(each.op.tiles(each.node.attrs, each.types)) for each in (first, last))
    if before[1:] != after:
        return None
    rows = _rows(roles, part, data, products, machine)
    return None if rows is None else Chain(into, multiplied, back, data, products, rows)


def _sole(roles: Roles, grouping: Grouping, value: Value) -> Group | None:
    """The group of the operation that makes ``value`` if it makes nothing else, and one operation reads it."""
    group = grouping.group_of.get(value.node)
    readers = [part for part in roles.readers(value) if part.role != "alias"]
    for part in [part for part in roles.readers(value) if part.role == "alias"]:
        readers += roles.readers(part.node.values[0])
    alone = group is not None and len(group.members) == 1 and len(readers) == 1
    return group if alone and not grouping.is_output(value) else None


def _rows(roles: Roles, part: ContractionPart, data: Value, products: Value, machine: Machine) -> int | None:
    """How many rows of tiles a block has; None if blocks do not pay.

    Each block reads all weights again, so it should not have less between its kernels than they take; and it should
    be worth the calls of three kernels, which threads share.
    """
    _, images, rows, _, _ = roles.type(data).shape
    per_image = sum((_image_bytes(roles.type(value), images) for value in (data, products)), start=0)
    weights = roles.type(part.operands[1]).nbytes
    if not (isinstance(rows, int) and isinstance(per_image, int) and isinstance(weights, int)):
        return None
    wanted = max(machine.block_bytes, weights)
    fits = isinstance(images, int) and images * per_image <= machine.l2_bytes
    if fits or per_image < wanted:
        return None
    count = -(-rows // max(1, wanted * rows // per_image))
    return None if (images, count) == (1, 1) else -(-rows // count)


def _image_bytes(type: TensorType, images: DimLike) -> DimLike:
    """The bytes of one of the ``images`` of [cells, images, …]; the tiles of a known number may be rows together."""
    if isinstance(images, int):
        return type.nbytes // images
    cells, _, *rest = type.shape
    return type.with_shape((cells, *rest)).nbytes


class BlockKernels:
    """The three kernels of a chain for one block, and the memory between them.

    ``place`` is where the values outside of the chain are, ``targets`` what the last kernel stores. ``allocate`` gives
    new memory.
    """

    def __init__(
        self,
        roles: Roles,
        chain: Chain,
        place: Callable[[Value], Place],
        targets: Sequence[tuple[Value, Sequence[Target]]],
        allocate: Callable[[TensorType], Place],
        dims: Mapping[str, int],
        machine: Machine,
    ):
        self.roles, self.chain, self.machine = roles, chain, machine
        self.block = _block(roles.type(chain.data), chain.rows, dims)
        self.data, self.products = (allocate(self._part(value)) for value in (chain.data, chain.products))
        own = {**dims, **dict.fromkeys(self.block.names, 0)}

        def within(index: tuple[DimLike, ...]) -> Sequence[DimLike]:
            return (index[0], *self.block.within(index[1:]))

        into = build(
            roles, chain.into, place, [(chain.data, [(self.data, within)])], own, machine, self.block
        )
        (operand,) = _transform(chain.back).operands

        def of_block(value: Value) -> Place:
            return self.products if value == operand else place(value)

        back = build(roles, chain.back, of_block, targets, own, machine, self.block)
        self.kernels = (into, self._multiplied(place, dict(dims)), back)

    @contextmanager
    def loops(self, b: Builder) -> Iterator[Mapping[str, DimLike]]:
        """The loops over images and blocks; yields the values of the kernels' own dims."""
        _, images, rows, *_ = self.roles.type(self.chain.data).shape
        assert isinstance(rows, int)
        counts = tuple(count for count in (images, -(-rows // self.chain.rows)) if count != 1)
        with b.nest(counts, kind="serial") as (index, _, _):
            yield dict(zip(self.block.names, index, strict=True))

    def share(self, total: DimLike) -> DimLike:
        """One block's share of what all blocks have together."""
        _, images, rows, *_ = self.roles.type(self.chain.data).shape
        assert isinstance(rows, int)
        of_image = substitute(total, dict.fromkeys(dim_symbols(images), 1))
        return of_image * self.chain.rows // (rows * images if isinstance(images, int) else rows)

    def _part(self, value: Value) -> TensorType:
        """The type of what a block has of ``value``."""
        data, type = self.roles.type(self.chain.data), self.roles.type(value)
        return type.with_shape((data.shape[0], 1, self.chain.rows, data.shape[3], type.shape[-1]))

    def _multiplied(self, place: Callable[[Value], Place], dims: dict[str, int]) -> Kernel:
        """The kernel of the product, as that of a graph for one image with the block's rows."""
        (part,) = self.chain.multiplied.members
        graph = Graph()
        cells, _, rows, columns, depth = self.data.type.shape
        flat = self.data.type.with_shape((cells, 1, rows * columns, depth))
        data = graph.input("data", flat)
        places = {data: self.data.reshaped(flat.shape)}
        weights = self._copied(graph, part.operands[1], place, places)
        (result,) = graph.add(part.node.op, [data, weights], part.node.attrs).values
        roles = Roles(graph, self.roles.steady)
        type = roles.type(result)
        group = Group(0, type.shape, [roles.part(result)])
        targets: list[tuple[Value, list[Target]]] = [
            (result, [(self.products.reshaped(type.shape), same_index)])
        ]
        return build(roles, group, places.__getitem__, targets, dims, self.machine)

    def _copied(
        self, graph: Graph, value: Value, place: Callable[[Value], Place], places: dict[Value, Place]
    ) -> Value:
        """``value`` in another graph, with the views that it is read through."""
        part = self.roles.part(value)
        if part.role != "index":
            copy = graph.input(f"weights{value.node}", self.roles.type(value))
            places[copy] = place(value)
            return copy
        operands = [self._copied(graph, operand, place, places) for operand in part.operands]
        return graph.add(part.node.op, operands, part.node.attrs).values[value.port]


def _block(type: TensorType, rows: int, dims: Mapping[str, int]) -> Block:
    """The block that its kernels' further dims say: which image, and which of its blocks."""
    image, number = (_free(name, dims) for name in ("image", "block"))
    _, images, whole, *_ = type.shape
    assert isinstance(whole, int)
    names = ((image,) if images != 1 else ()) + ((number,) if whole != rows else ())
    at: DimLike = 0 if images == 1 else dim_min(dim(image), images - 1)
    first: DimLike = 0 if whole == rows else dim_min(dim(number) * rows, whole - rows)
    return Block(names, at, first, rows)


def _free(name: str, dims: Mapping[str, int]) -> str:
    while name in dims:
        name += "_"
    return name


def _transform(group: Group) -> TransformPart:
    part = group.transform()
    assert part is not None
    return part
