"""Files of tuned plans: JSON that people can read and ship, by machine and by product.

A file is untrusted: pydantic checks it, and lowering checks each plan against the machine and the product.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netwright.compiler.codegen.targets.target import Target
from netwright.compiler.tuning import Algorithm, TileChoice, Tuning, TuningError
from netwright.specs.files import write_file

#: The largest file that is read.
MOST_BYTES = 16 << 20

Count = Annotated[int, Field(ge=1, le=64)]
Signature = Annotated[str, Field(min_length=1, max_length=2000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Measured(_Strict):
    """What was measured when the plan was chosen: nanoseconds of it and of the plan by cost, for a call of the
    network."""

    ns: int = Field(ge=0)
    by_cost_ns: int = Field(ge=0)


class Product(_Strict):
    """A product's tile (see ``TileChoice``); ``plan`` is for readers."""

    rows: Count
    vectors: Count
    depth: int | None = Field(default=None, ge=0, le=64)
    steps: Count | None = None
    prefetch: bool = True
    plan: str = ""
    measured: Measured | None = None


class Convolution(_Strict):
    """The algorithm of a convolution."""

    algorithm: Algorithm
    measured: Measured | None = None


class MachinePlans(_Strict):
    """The plans for a machine, whose caches the rest of its code is made for."""

    l1_bytes: int = Field(ge=1 << 10, le=1 << 30)
    l2_bytes: int = Field(ge=1 << 10, le=1 << 34)
    products: dict[Signature, Product] = {}
    convolutions: dict[Signature, Convolution] = {}

    def tuning(self) -> Tuning:
        """As the compiler takes it."""
        tiles = {
            name: TileChoice(each.rows, each.vectors, each.depth, each.steps, each.prefetch)
            for name, each in self.products.items()
        }
        algorithms: dict[str, Algorithm] = {name: each.algorithm for name, each in self.convolutions.items()}
        return Tuning(tuple(sorted(tiles.items())), tuple(sorted(algorithms.items())))


class TuningFile(_Strict):
    """The content of a file."""

    netwright_tuning: Literal[1] = 1
    machines: dict[str, MachinePlans] = {}


def machine_name(target: Target) -> str:
    """The name under which a target's plans are in a file."""
    return f"{target.triple} {target.cpu}"


def read_tuning(path: str | os.PathLike[str]) -> TuningFile:
    """The plans in a file. Raises TuningError (NW0707) if it is none, OSError if it can't be read."""
    with open(path, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise TuningError("NW0707", f"{path} is larger than a file of tuned plans may be: {MOST_BYTES} bytes")
    return parse_tuning(content, str(path))


def parse_tuning(content: bytes, name: str) -> TuningFile:
    """The plans in the content of the file ``name``. Raises TuningError (NW0707)."""
    try:
        return TuningFile.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise TuningError(
            "NW0707", f"{name} is no file of tuned plans: {place}: {first['msg']}; write one with --tune"
        ) from None


def plans_for(file: TuningFile, target: Target, name: str) -> MachinePlans:
    """The plans for a target. Raises TuningError (NW0707) if there are none."""
    plans = file.machines.get(machine_name(target))
    if plans is None:
        known = ", ".join(file.machines) or "no machine"
        raise TuningError("NW0707", f"{name} has plans for {known}, and none for {machine_name(target)}")
    return plans


def written_tuning(file: TuningFile) -> bytes:
    """The content of a file, in an order of its own, so that equal plans give equal bytes."""
    data = file.model_dump(mode="json")
    return (json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def add_to_file(path: Path, target: Target, plans: MachinePlans) -> None:
    """Adds a target's plans to a file, which may be new; plans of the same products are replaced. Raises TuningError,
    OSError."""
    known = read_tuning(path) if path.exists() else TuningFile()
    name = machine_name(target)
    before = known.machines.get(name)
    if before is not None:
        plans = plans.model_copy(
            update={
                "products": {**before.products, **plans.products},
                "convolutions": {**before.convolutions, **plans.convolutions},
            }
        )
    write_file(path, written_tuning(TuningFile(machines={**known.machines, name: plans})))
