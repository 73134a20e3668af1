"""The arithmetic of rows, timings and rooflines, against numbers worked out by hand."""

import json
from pathlib import Path

import pytest

from benchmarks import report, results, tables, timing
from benchmarks.cases import Case, inference, select, training
from benchmarks.peers import PEERS, UnknownName, chosen
from benchmarks.roofline import Peak, Work, roofline
from benchmarks.rows import Row, geomean, last_line, speedups

PEAK = Peak(flops=100e9, l2=50e9, memory=10e9, l1_bytes=1 << 15, l2_bytes=1 << 20, last_bytes=1 << 24)


def row(case: str = "net/b1", ours: float = 2e-3, threads: int = 1, **peers: float) -> Row:
    return Row(case, threads, {"netwright": ours, **peers}, flops=100_000_000, roof=1e-3, peak=100e9)


def test_the_best_peer_makes_the_ratio() -> None:
    made = row(torch=6e-3, jax=3e-3)
    assert (made.best, made.ratio) == ("jax", pytest.approx(1.5))
    assert made.gflops == pytest.approx(50)
    assert made.of_peak == pytest.approx(0.5)
    assert made.ceiling == pytest.approx(3.0)
    assert made.of_ceiling == pytest.approx(0.5)
    assert row(threads=2).of_peak == pytest.approx(0.25)


def test_a_row_without_peers_has_no_ratio() -> None:
    assert (row().best, row().ratio, row().ceiling) == ("", None, None)
    assert last_line([row()]) == "no peer to compare with"
    assert "2.00 ms" in report.line(row())


def test_the_last_line_has_mean_and_least() -> None:
    assert geomean([1.0, 4.0]) == pytest.approx(2.0)
    assert last_line([row(torch=2e-3), row(torch=8e-3)]) == "geomean 2.00 min 1.00"
    with pytest.raises(ValueError, match="no ratios"):
        geomean([])


def test_a_restless_row_is_not_shown() -> None:
    calm = Row("a", 1, {"netwright": 1e-3, "torch": 2e-3}, {"netwright": 0.1, "torch": 0.05})
    restless = Row("b", 1, {"netwright": 1e-3, "torch": 2e-3}, {"netwright": 0.01, "torch": 0.2})
    made = results.Results("inference", {}, {}, (calm, restless))
    lines = tables.table(made, (("A", "a"), ("B", "b"), ("C", "c")))
    assert lines[2:] == ["| A | 1.00 ms | 2.00 ms | PyTorch | 2.00× |"]


def test_several_threads_are_compared_with_one() -> None:
    rows = [row(ours=2e-3), row(ours=1e-3, threads=2), row("other", threads=2)]
    assert speedups(rows) == {"net/b1": pytest.approx(2.0)}
    assert "2.00× on several threads" in report.closing(rows)[0]


def test_the_roofline_is_the_longest_of_three_times() -> None:
    assert roofline(Work(flops=10**9, touched=1000), PEAK) == pytest.approx(1e-2)
    assert roofline(Work(flops=10, touched=5_000_000), PEAK) == pytest.approx(1e-4)  # in a cache
    assert roofline(Work(flops=10, touched=50_000_000), PEAK) == pytest.approx(5e-3)  # in memory
    assert roofline(Work(flops=10, touched=10, reread=5 * 10**9), PEAK) == pytest.approx(0.1)
    assert roofline(Work(flops=10**9, touched=1000), PEAK, threads=2) == pytest.approx(5e-3)


def test_a_timing_is_the_median_with_quartiles() -> None:
    made = timing.timing([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (made.seconds, made.lower, made.upper, made.turns) == (3.0, 2.0, 4.0, 5)
    assert made.spread == pytest.approx(1 / 3)
    assert timing.timing([2.0]).spread == 0.0


def test_calls_take_turns_and_are_repeated_while_they_are_short() -> None:
    order: list[str] = []
    made = timing.measure({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 0.0)
    assert set(made) == {"a", "b"}
    assert all(each.seconds > 0 for each in made.values())
    turns = "".join(order).lstrip("a").lstrip("b")  # after the warm-up of both
    assert turns.count("ab") >= timing.TURNS - 1
    assert len(order) > 1000


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.50 s"), (0.0123, "12.3 ms"), (256e-6, "256 µs"), (1e-7, "0.10 µs")]
)
def test_durations_have_a_unit(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


def test_patterns_and_quick_choose_cases() -> None:
    cases = list(inference.cases())
    assert {case.name for case in select(cases, ["lenet/*"], False)} == {
        f"lenet/b{n}" for n in (1, 8, 32, 64)
    }
    assert select(cases, [], True) == [case for case in cases if case.quick]
    assert select(cases, ["nothing"], False) == []


@pytest.mark.parametrize(
    "cases", [list(inference.cases()), list(training.cases())], ids=["inference", "training"]
)
def test_names_of_cases_are_unique_and_a_slice_is_quick(cases: list[Case]) -> None:
    assert len({case.name for case in cases}) == len(cases)
    assert 5 <= sum(case.quick for case in cases) <= 10


def test_a_missing_peer_says_how_to_get_it() -> None:
    with pytest.raises(UnknownName, match="no peer tensorflow: onnxruntime, "):
        chosen("inference", ["tensorflow"])
    there, missing = chosen("inference", [])
    assert len(there) + len(missing) == len(PEERS)
    assert all("pip install" in line for line in missing)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    facts = {"cpu": "A CPU", "cores": 2}
    made = results.Results("inference", facts, {"netwright": "1", "torch": "2"}, (row(torch=3e-3),))
    path = tmp_path / "inference.json"
    results.write(path, made)
    assert results.read(path) == made
    assert json.loads(path.read_text(encoding="utf-8"))["rows"][0]["case"] == "net/b1"


def test_new_rows_take_the_place_of_old_ones_of_the_same_machine(tmp_path: Path) -> None:
    def kept(cpu: str, rows: tuple[Row, ...], **versions: str) -> list[tuple[str, float]]:
        made = results.Results("inference", {"cpu": cpu, "cores": 2}, {"netwright": "1", **versions}, rows)
        path = results.keep(made, tmp_path)
        return [(each.case, each.ours) for each in results.read(path).rows]

    assert kept("A", (row("a"), row("b"))) == [("a", 2e-3), ("b", 2e-3)]
    assert kept("A", (row("b", 1e-3),), torch="2") == [("a", 2e-3), ("b", 1e-3)]
    assert kept("A", (row("c"),), torch="3") == [("c", 2e-3)]  # another version of a peer
    assert kept("B", (row("d"),), torch="3") == [("d", 2e-3)]  # another machine


def test_readme_has_the_tables_of_the_results() -> None:
    text = tables.README.read_text(encoding="utf-8")
    made = tables.kept()
    assert {"inference", "training"} <= made.keys()
    assert tables.readme(text, made) == text
    for name, block in tables.blocks(made).items():
        assert block in text, f"README has no place for {name}"


def test_readme_shows_cases_that_exist() -> None:
    known = {case.name for case in (*inference.cases(), *training.cases())}
    shown = [case for name in ("inference", "training") for _, case in tables.SHOWN[name]]
    assert not [case for case in shown if case not in known]
