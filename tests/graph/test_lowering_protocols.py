"""What lowering is told about a primitive says the same as its evaluation: index maps of views and contractions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.base import Sample
from netwright.compiler.ops.protocols import Contraction, NotAffine, View

from .drawing import CASES, NAMES, operands, sample_graph

COMBINE = {"add": np.add, "max": np.maximum, "min": np.minimum}


def cases(kind: type) -> list[Any]:
    named = zip(CASES, NAMES, strict=True)
    return [pytest.param(p, s, id=name) for (p, s), name in named if isinstance(p, kind)]


def result(primitive: Any, sample: Sample, arrays: list[np.ndarray]) -> np.ndarray:
    graph, _ = sample_graph(primitive, sample)
    return evaluate(graph, {f"x{i}": array for i, array in enumerate(arrays)})["y0"]


@pytest.mark.parametrize(("primitive", "sample"), cases(Contraction))
def test_contraction_combines_the_factors_it_names(primitive: Contraction, sample: Sample):
    arrays = operands(sample)
    expected = result(primitive, sample, arrays)
    shape = [int(str(n)) for n in primitive.reduction_shape(sample.attrs, sample.operands)]
    kind = np.int64 if primitive.multiplies_bytes else expected.dtype
    combine = COMBINE[primitive.combine(sample.attrs)]
    for index in np.ndindex(expected.shape):
        terms = []
        for reduction in np.ndindex(*shape):
            factors = primitive.factors(sample.attrs, sample.operands, index, reduction)
            for j in range(4 if primitive.multiplies_bytes else 1):
                places = [(position, (*where[:-1], where[-1] + j)) for position, where in factors]
                terms.append(np.prod([arrays[position][where] for position, where in places], dtype=kind))
        if primitive.continues and len(arrays) > primitive.factor_count:
            terms.append(arrays[primitive.factor_count][index])
        np.testing.assert_allclose(combine.reduce(terms), expected[index], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("primitive", "sample"), cases(View))
def test_view_reads_the_elements_it_names(primitive: View, sample: Sample):
    arrays = operands(sample)
    expected = result(primitive, sample, arrays)
    for index in np.ndindex(expected.shape):
        try:
            sources = primitive.read(sample.attrs, sample.operands, index)
        except NotAffine:
            assert primitive.name in ("reshape", "pad", "interleave")
            return
        source = next(s for s in sources if all(condition >= 0 for condition in s.conditions))
        found = source.fill if source.operand is None else arrays[source.operand][source.index]
        assert found == expected[index]


@pytest.mark.parametrize(("primitive", "sample"), cases(View))
def test_view_writes_where_it_reads(primitive: View, sample: Sample):
    arrays = operands(sample)
    expected = result(primitive, sample, arrays)
    written = np.full(expected.shape, getattr(sample.attrs, "fill", 0), expected.dtype)
    for position, array in enumerate(arrays):
        for index in np.ndindex(array.shape):
            try:
                where = primitive.write(sample.attrs, sample.operands, position, index)
            except NotAffine:
                assert primitive.name in ("reshape", "slice", "broadcast", "windows")
                return
            written[where] = array[index]
    np.testing.assert_array_equal(written, expected)
