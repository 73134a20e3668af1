"""Every network of the benchmarks is valid, and one small case runs beside ONNX Runtime and PyTorch for real."""

import json
from pathlib import Path

import numpy as np
import pytest

import netwright
from benchmarks import __main__ as command_line
from benchmarks.cases import Case, inference, training
from benchmarks.compiling import distinct
from benchmarks.peers import PEERS
from benchmarks.problem import problem
from benchmarks.roofline import graph_work
from benchmarks.running import Disagreement, agree, own_runner

from ..built_once import speed

SMALL = {case.name: case for case in (*inference.cases(), *training.cases())}


def test_all_networks_are_valid() -> None:
    wrong = {}
    families = {case.name.split("/")[0]: case for case in distinct([*inference.cases(), *training.cases()])}
    for name, case in families.items():
        model = netwright.load(case.network().spec)
        if not model.is_valid:
            wrong[name] = model.diagnostics.to_text()
    assert not wrong


def test_work_is_counted_from_the_graph() -> None:
    spec = {
        "netwright": 1,
        "model": "line",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": ["N", 8]}},
        "layers": [{"name": "y", "type": "dense", "units": 4, "use_bias": False}],
        "outputs": {"y": "y"},
    }
    graph = netwright.load(spec).network.graphs["predict"]
    made = graph_work(graph, {"N": 3}, [np.zeros((3, 8), np.float32), np.zeros((8, 4), np.float32)])
    assert (made.flops, made.reread) == (2 * 3 * 8 * 4, 0)
    assert made.touched == 4 * (3 * 8 + 8 * 4 + 3 * 4)


def test_answers_are_compared() -> None:
    ours = {"y": np.array([1.0, 2.0])}
    agree(ours, {"y": np.array([1.0, 2.001])})
    with pytest.raises(Disagreement, match="differs by"):
        agree(ours, {"y": np.array([1.0, 2.1])})
    with pytest.raises(Disagreement, match="differs by nan"):
        agree(ours, {"y": np.array([1.0, np.nan])})
    with pytest.raises(Disagreement, match="shape"):
        agree(ours, {"y": np.array([[1.0, 2.0]])})
    agree({"losses": np.array([8.0, 1e-4])}, {"losses": np.array([8.0, 0.0])}, training=True)
    with pytest.raises(Disagreement, match="losses"):
        agree({"losses": np.array([8.0, 4.0])}, {"losses": np.array([8.0, 4.1])}, training=True)


@pytest.mark.parametrize("name", ["onnxruntime", "torch", "jax"])
def test_peers_answer_like_ours(name: str) -> None:
    """Images through a flatten, and a recurrence."""
    (peer,) = (each for each in PEERS if each.name == name)
    for module in peer.requires:
        pytest.importorskip(module)
    for case in ("lenet/b1", "gru16/b1"):
        given = problem(SMALL[case])
        ours, theirs = own_runner(given, 1)[0], peer.runner(given, 1)
        assert ours.answers is not None
        assert theirs.answers is not None
        agree(ours.answers(), theirs.answers())


def test_a_run_prints_a_table_and_writes_numbers(
    tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    path = tmp_path / "out.json"
    arguments = [
        "inference",
        "--cases",
        "rnn16/b1",
        "--peers",
        "onnxruntime",
        "--seconds",
        "0.05",
        "--json",
        str(path),
    ]
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    monkeypatch.setattr("benchmarks.roofline.measure_speed", speed)
    assert command_line.main() == 0
    printed = capfd.readouterr().out.splitlines()
    assert printed[0].startswith("one thread, peak ")
    assert printed[2].startswith("rnn16/b1 ")
    assert printed[-1].startswith("geomean ")
    written = json.loads(path.read_text(encoding="utf-8"))
    assert set(written["rows"][0]["seconds"]) == {"netwright", "onnxruntime"}
    assert written["machine"]["peak_gflops"] > 0


def test_names_are_listed(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "training", "--quick", "--list"])
    assert command_line.main() == 0
    assert capsys.readouterr().out.splitlines() == [case.name for case in training.cases() if case.quick]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inference", "--cases", "nothing"], "no case is called nothing"),
        (["zoo", "--cases", "a", "b"], "no case is called a or b"),
        (["training", "--peers", "keras"], "there is no peer keras"),
    ],
)
def test_unknown_names_are_errors(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    assert command_line.main() == 2
    assert said in capsys.readouterr().err


def test_options_of_a_child_are_those_of_the_parent() -> None:
    given = ["inference", "--threads", "1,2", "--json=a", "--quick", "--json", "b"]
    assert command_line._without(given, "--threads", "--json") == ["inference", "--quick"]


def test_a_step_is_a_frame_of_a_stream() -> None:
    case: Case = SMALL["rnn64/step"]
    given = problem(case)
    run = own_runner(given, 1)[0]
    assert run.answers is not None
    first, second = run.answers(), run.answers()
    assert first["logits"].shape == (1, 1, 10)
    assert np.abs(first["logits"] - second["logits"]).max() > 0  # it remembers
