"""Compiled code that varies samples in training."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.objects.stored import program_key
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target, named_target
from netwright.compiler.frontend.training.variations import variation_dims, variation_graph
from netwright.runtime.augmentation import CompileVariation, Variation, Varied
from netwright.runtime.sessions.session import Session
from netwright.specs.manifest import EPOCH, LENGTHS, PLAIN, ROWS, VARIED, VARY

from ..build import Build, lowering_of
from ..version import VERSION


def variation_compiler(cpu: str | None) -> CompileVariation | None:
    """What makes code for a CPU that varies samples. Without one NumPy varies them: None."""
    return None if cpu is None else partial(compile_variation, target=named_target(cpu))


def compile_variation(varied: Varied, target: Target) -> Variation | None:
    """The changes of an input as native code, which one thread runs: that which reads the data. None if there are no
    kernels for these data.
    """
    graph = variation_graph(
        varied.input, varied.changes, varied.seed, varied.stored, varied.shape, varied.dtype
    )
    if graph is None:
        return None
    machine, text = describe(target), str(graph)
    lowering = lowering_of(VARY, {VARY: graph}, variation_dims(), target, machine)
    build = Build(lowering, target, lambda: program_key(VERSION, repr(target), VARY, repr(machine), text))
    session = Session(build.engine(threads=1), {})

    def variation(
        samples: NDArray, lengths: NDArray[np.int64], rows: NDArray[np.int64], epoch: int
    ) -> NDArray:
        given = {PLAIN: samples, ROWS: rows, EPOCH: np.array(epoch), LENGTHS: lengths}
        return session.run(VARY, given)[VARIED]

    return variation
