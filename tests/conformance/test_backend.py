"""ONNX's own backend tests through native code.

By default every thirty-sixth case of an op runs, at least one, and all of them with `pytest tests/conformance
--conformance`; what is listed in unsupported.txt has to fail with a clear diagnostic, and to leave the list once it
passes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")

import onnx

from netwright.onnx.backend import NetwrightBackend
from netwright.onnx.errors import OnnxError

from ..conftest import Golden
from .cases import all_cases, data_of, listed, model_of, traits

#: Of the cases of an op one in so many runs by default.
SLICE = 36
KEPT = Path(__file__).parent / "golden" / "by_default.txt"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a case."""
    if "case" not in metafunc.fixturenames:
        return
    every = metafunc.config.getoption("--conformance") or metafunc.config.getoption("--deep")
    metafunc.parametrize("case", list(all_cases()) if every else by_default())


def by_default() -> list[str]:
    """The names of the cases that run by default. They are kept for the version of `onnx`, which takes seconds to make
    all of its cases, in each process that collects the tests."""
    version, *names = KEPT.read_text(encoding="utf-8").splitlines()
    return names if version == onnx.__version__ else chosen()


def chosen() -> list[str]:
    return few_of_each_op(all_cases())


@pytest.mark.deep  # to make all of the cases takes seconds
def test_the_cases_of_a_default_run_are_kept(golden: Golden) -> None:
    version = KEPT.read_text(encoding="utf-8").partition("\n")[0]
    if version != onnx.__version__ and not golden.update:
        pytest.skip(f"they are kept for onnx {version}, and here is {onnx.__version__}")
    golden.check(KEPT.name, "\n".join([onnx.__version__, *chosen(), ""]))


def few_of_each_op(names: Iterable[str]) -> list[str]:
    """Spread over the cases of an op, which their names begin with; none of whole networks, which take seconds each and
    have a test of their own with random weights."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: zlib.crc32(name.encode())):
        if not name.startswith("real/"):
            groups.setdefault(re.match(r"[\w-]+/test_[A-Za-z0-9]+", name)[0], []).append(name)
    return sorted(name for group in groups.values() for name in group[::SLICE])


def run(name: str) -> None:
    """Runs a case; raises OnnxError where it is refused, AssertionError where the numbers differ."""
    case = all_cases()[name]
    prepared = NetwrightBackend.prepare(model_of(case))
    for inputs, outputs in data_of(case):
        found = prepared.run(inputs)
        assert len(found) == len(outputs)
        for value, expected in zip(found, outputs, strict=True):
            expected = np.asarray(expected)
            assert value.dtype == expected.dtype
            assert value.shape == expected.shape
            np.testing.assert_allclose(value, expected, rtol=case.rtol, atol=case.atol)


def test_case(case: str, record_property: pytest.RecordProperty) -> None:  # type: ignore[name-defined]
    found = traits(model_of(all_cases()[case]))
    reasons = [line for line in listed() if line.matches(case, found)]
    if not reasons:
        record_property("conformance", "passed")
        run(case)
        return
    record_property("conformance", "unsupported")
    with pytest.raises(OnnxError) as refused:
        run(case)
    assert refused.value.findings
    assert all(finding.reason for finding in refused.value.findings)


def test_every_line_of_the_list_is_needed() -> None:
    """Each op, type and case that is listed exists."""
    known: set[tuple[str, str]] = set()
    for case in all_cases().values():
        if not case.url:
            known |= traits(model_of(case))
    lines = listed()
    unused = [
        f"{line.kind} {line.name}"
        for line in lines
        if (line.kind, line.name) not in known
        and not (line.kind == "case" and any(line.matches(name, set()) for name in all_cases()))
    ]
    assert not unused
    assert len({(line.kind, line.name) for line in lines}) == len(lines)
