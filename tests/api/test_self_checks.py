"""Executables that check and measure themselves, and the commands that do so from outside.

One network with several layers is compiled once; damaged copies of its executable must name the first layer that
computes something else.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import netwright
from netwright.artifacts.files import Request, save
from netwright.artifacts.identified import spec_hash
from netwright.cli import main
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.frontend.network import initial_values

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

SPEC = """\
netwright: 1
model: taps
dims: {N: batch, T: time}
inputs:
  signal: {shape: [N, T, 3], lengths: count}
  count: {shape: [N], dtype: int64}
layers:
  - {name: widen, type: dense, units: 24, activation: relu}
  - {name: memory, type: gru, units: 16}
  - {name: scores, type: dense, units: 5}
  - {name: best, type: argmax}
outputs: {scores: scores, best: best}
"""


class Built:
    """The folder of a network's spec, weights and executables."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.spec, self.weights, self.path = folder / "taps.yaml", folder / "w.safetensors", folder / "taps"
        self.spec.write_text(SPEC)
        self.model = netwright.load(self.spec)
        self.values = initial_values(self.model.network, 4)
        self.values["scores.bias"] = np.arange(1, 6, dtype=np.float32)  # zeros are in many places
        program = self.model.compile(self.values, engine="reference")
        program.save_weights(self.weights)
        save(self.model.load, self.model.network, self.values, self.path, Request(debug=True))

    def damaged(self, change: Callable[[bytearray], None], name: str = "damaged") -> Path:
        """A copy of the executable with some bytes changed."""
        content = bytearray(self.path.read_bytes())
        change(content)
        copy = self.folder / name
        copy.write_bytes(content)
        copy.chmod(0o755)
        return copy

    def netwright(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("checks"))


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [path, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


def test_the_self_test_passes(built: Built) -> None:
    for threads in ("1", "2"):
        done = run(built.path, "--selftest", "--threads", threads)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(
            r"^taps: the self-test passes: \d+ values as the reference computes them, [\w, ]+ within [\d.e+-]+ ulp, "
            r"where rounding explains [\d.]+$",
            done.stdout,
        )


@pytest.mark.parametrize(
    ("parameter", "layer"),
    [("widen.kernel", "widen"), ("scores.bias", "scores"), ("memory.kernel", "memory")],
)
def test_a_damaged_weight_is_blamed_on_its_layer(built: Built, parameter: str, layer: str) -> None:
    value = built.values[parameter]
    row = np.ascontiguousarray(value.reshape(-1, value.shape[-1])[0, :5]).tobytes()

    def change(content: bytearray) -> None:
        content[content.index(row) + 3] ^= 0x40  # the exponent of the first number

    done = run(built.damaged(change), "--selftest")
    assert done.returncode == 4
    said = re.match(
        r"taps: the self-test fails: ([\w, ]+) differs from the reference by ([\d.e+]+|inf) ulp, where rounding "
        r"explains ([\d.e+]+); its weights in [\w.]+ are damaged$",
        done.stderr,
    )
    assert said is not None, done.stderr
    assert said[1].split(", ")[0] == layer
    assert float(said[2]) > float(said[3])


def test_a_weight_off_by_rounding_is_noticed_too(built: Built) -> None:
    row = np.ascontiguousarray(built.values["widen.kernel"][0, :8]).tobytes()

    def change(content: bytearray) -> None:
        content[content.index(row)] ^= 1  # the last place of the first number

    done = run(built.damaged(change), "--selftest")
    assert done.returncode == 4
    assert "weights of widen" in done.stderr
    assert "although no result" in done.stderr


@pytest.mark.skipif(
    shutil.which("readelf") is None or not host_target().triple.startswith("x86_64"), reason="no x86-64 ELF"
)
def test_a_damaged_kernel_is_blamed_on_its_layer(built: Built) -> None:
    listed = subprocess.run(["nm", "-S", built.path], capture_output=True, text=True, check=True).stdout
    size, name = max(
        (int(line.split()[1], 16), line.split()[3]) for line in listed.splitlines() if ".scores" in line
    )
    start = next(int(line.split()[0], 16) for line in listed.splitlines() if line.endswith(f" {name}"))
    sections = subprocess.run(["readelf", "-SW", built.path], capture_output=True, text=True, check=True)
    text = re.search(r"\.text +PROGBITS +(\w+) (\w+)", sections.stdout)
    assert text is not None
    offset = start - int(text[1], 16) + int(text[2], 16)
    assert size > 8

    def change(content: bytearray) -> None:
        content[offset : offset + 3] = b"\x31\xc0\xc3"  # xor eax, eax; ret: success, and nothing is computed

    done = run(built.damaged(change), "--selftest")
    assert done.returncode == 4
    assert done.stderr.startswith("taps: the self-test fails: scores differs")


def test_an_executable_may_have_no_self_test_and_says_nothing_of_the_spec(built: Built) -> None:
    path = built.folder / "bare"
    save(built.model.load, built.model.network, built.values, path, Request(selftest_bytes=0))
    done = run(path, "--selftest")
    assert done.returncode == 2
    assert "--selftest is no option" in done.stderr
    assert b"taps.yaml" not in path.read_bytes()
    assert b"taps.yaml" in built.path.read_bytes()


def test_an_entry_of_too_many_calls_compares_its_outputs(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netwright.compiler.codegen.files.checks.MOST_MOMENTS", 2)
    path = built.folder / "unmarked"
    save(built.model.load, built.model.network, built.values, path, Request())
    done = run(path, "--selftest")
    assert (done.returncode, done.stderr) == (0, "")
    assert "passes: 2 values" in done.stdout
    assert "compiled without marks" in run(path, "--profile", "1").stderr
    content = bytearray(path.read_bytes())
    content[content.index(built.values["widen.kernel"][0, :5].tobytes()) + 3] ^= 0x40
    path.write_bytes(content)
    done = run(path, "--selftest")
    assert done.returncode == 4
    assert "the self-test fails: scores differs" in done.stderr


def test_percentiles_are_in_order(built: Built) -> None:
    done = run(built.path, "--bench", "50", "--dim", "N=4", "--dim", "T=9", "--threads", "1")
    assert done.returncode == 0
    head, *rest = done.stdout.splitlines()
    assert head == "taps: N=4 T=9, 50 calls after 8 to warm up, at most 1 thread"
    numbers = {line.split()[0]: float(line.split()[1]) for line in rest}
    assert list(numbers) == ["p50", "p90", "p99", "max", "mean", "CPU"]
    assert 0 < numbers["p50"] <= numbers["p90"] <= numbers["p99"] <= numbers["max"]
    assert numbers["CPU"] > 0


def test_given_inputs_are_timed(built: Built) -> None:
    np.save(built.folder / "signal.npy", np.zeros((2, 6, 3), np.float32))
    done = run(built.path, "--bench", "3", "-i", f"signal={built.folder}/signal.npy")
    assert done.stdout.startswith("taps: N=2 T=6, 3 calls")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bench", "0"], "--bench 0: expected a number of calls from 1"),
        (["--bench"], "--bench needs a value"),
        (["--bench", "2", "--selftest"], "one at a time"),
        (["--bench", "2", "--dim", "M=3"], "--dim M=3: expected NAME=SIZE"),
        (["--bench", "2", "--dim", "N=0"], "--dim N=0: N is at least 1"),
        (["--dim", "N=3"], "--dim is for the random inputs"),
        (["--selftest", "-o", "x.npz"], "there are no outputs"),
        (["--selftest", "-i", "signal=x.npy"], "has inputs of its own"),
    ],
)
def test_wrong_usage(built: Built, arguments: list[str], message: str) -> None:
    done = run(built.path, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_info_tells_the_origin(built: Built) -> None:
    info = json.loads(run(built.path, "--info").stdout)
    assert info["spec"] == spec_hash(built.model.load)
    assert info["versions"].keys() == {"netwright", "llvmlite", "llvm", "numpy"}
    assert info["missing"] == []
    assert set(info["features"]) >= set(info["missing"])


def test_comments_do_not_change_the_hash_and_layers_do(built: Built) -> None:
    own = spec_hash(built.model.load)
    commented, wider = built.folder / "commented.yaml", built.folder / "wider.yaml"
    commented.write_text("# the same\n" + SPEC)
    wider.write_text(SPEC.replace("units: 24", "units: 25"))
    assert spec_hash(netwright.load(commented).load) == own
    assert spec_hash(netwright.load(wider).load) != own


def test_verify_compares_with_the_interpreter(built: Built) -> None:
    given = ["--spec", str(built.spec), "--weights", str(built.weights)]
    done = built.netwright("verify", str(built.path), *given)
    assert done.exit_code == 0, done.output
    assert "the self-test passes" in done.output
    assert len(re.findall(r"^N=\d T=\d+: (scores|best) is (exact|within)", done.output, re.MULTILINE)) == 6
    other = {**built.values, "scores.bias": built.values["scores.bias"] + np.float32(0.5)}
    program = built.model.compile(other, engine="reference")
    program.save_weights(built.folder / "other.safetensors")
    done = built.netwright(
        "verify",
        str(built.path),
        "--spec",
        str(built.spec),
        "--weights",
        str(built.folder / "other.safetensors"),
    )
    assert done.exit_code == 1
    assert "scores DIFFERS by" in done.output


def test_verify_of_a_library(built: Built) -> None:
    path = built.folder / "taps.so"
    save(built.model.load, built.model.network, built.values, path, Request("shared", entries=("predict",)))
    given = ["--spec", str(built.spec), "--weights", str(built.weights)]
    done = built.netwright("verify", str(path), *given)
    assert done.exit_code == 0, done.output
    assert done.output.count("scores is") == 3
    content = path.read_bytes()
    row = np.ascontiguousarray(built.values["widen.kernel"][0, :8]).tobytes()
    at = content.index(row)
    path.write_bytes(content[: at + 3] + bytes([content[at + 3] ^ 0x40]) + content[at + 4 :])
    done = built.netwright("verify", str(path), *given)
    assert done.exit_code == 1
    assert "DIFFERS" in done.output
    path.write_bytes(content[:4000])
    done = built.netwright("verify", str(path), *given)
    assert done.exit_code == 1
    assert "can't predict" in done.output


def test_verify_refuses_what_it_cannot_check(built: Built) -> None:
    no_library = built.netwright("verify", "x.so")
    assert no_library.exit_code == 2
    assert "give --spec and --weights" in no_library.output
    script = built.folder / "script"
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    done = built.netwright("verify", str(script))
    assert done.exit_code == 2
    assert "no executable that netwright compile made" in done.output
    assert "there is no such file" in built.netwright("verify", "absent").output


def test_a_profile_names_layers_and_adds_up(built: Built) -> None:
    made = {}
    for subject in (built.spec, built.path):
        done = built.netwright(
            "profile", str(subject), "--dim", "N=3", "--dim", "T=6", "--calls", "5", "--format", "json"
        )
        assert done.exit_code == 0, done.output
        made[subject] = json.loads(done.stdout)
    spec, executable = made.values()
    for made_here in made.values():
        assert made_here["dims"]["T"] == 6
        assert made_here["ns"] == sum(call["ns"] for call in made_here["calls"])
        layers = [layer for row in made_here["layers"] for layer in row["layers"]]
        assert [layer for layer in layers if layer in ("widen", "scores", "best")] == [
            "widen",
            "scores",
            "best",
        ]
        in_loop = [call for call in made_here["calls"] if call["layers"] == "memory"]
        assert max(call["count"] for call in in_loop) == 6
    same = ("kernel", "layers", "operations", "tiles", "count", "flops", "bytes")
    rows = [[tuple(call[key] for key in same) for call in each["calls"]] for each in (spec, executable)]
    assert rows[0] == rows[1]
    (scores,) = (call for call in spec["calls"] if call["operations"] == "dot" and call["layers"] == "scores")
    assert scores["flops"] == 3 * 6 * 2 * 16 * 5
    assert scores["bytes"] == 4 * (3 * 6 * 16 + 16 * 5 + 3 * 6 * 5)


def test_a_profile_as_text_fits_a_terminal(built: Built) -> None:
    done = built.netwright("profile", str(built.spec), "--calls", "3")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.match(r"memory +[\d.]+ +[\d.,]+ +\d+% +[\d.]+ +\d+%", line) for line in lines)
    assert any(line.startswith("  widen: ") for line in lines)


def test_a_trace_is_in_order(built: Built) -> None:
    done = built.netwright("profile", str(built.path), "--calls", "2", "--dim", "T=4", "--format", "trace")
    events = [event for event in json.loads(done.stdout)["traceEvents"] if event["ph"] == "X"]
    assert {"widen", "scores"} <= {event["name"] for event in events}
    starts = [event["ts"] for event in events]
    assert starts == sorted(starts)
    for before, after in pairwise(events):
        assert before["ts"] + before["dur"] <= after["ts"] + 0.002


def test_training_is_profiled(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "netwright: 1\nmodel: t\ndims: {N: batch}\ninputs: {x: {shape: [N, 4]}}\n"
        "layers: [{name: d, type: dense, units: 3}]\noutputs: {y: d}\n"
        "train:\n  targets: {label: {shape: [N], dtype: int64}}\n"
        "  loss: {type: softmax_cross_entropy, output: y, target: label}\n"
        "  optimizer: {type: sgd, learning_rate: 0.1}\n  epochs: 1\n  batch_size: 4\n"
    )
    done = CliRunner().invoke(
        main, ["profile", str(tmp_path / "t.yaml"), "--entry", "train_step", "--calls", "2", "--dim", "N=4"]
    )
    assert done.exit_code == 0, done.output
    assert re.search(r"^d\b", done.stdout, re.MULTILINE)


@pytest.mark.skipif(shutil.which("gdb") is None, reason="no gdb")
def test_gdb_stops_at_a_layer_of_the_spec(built: Built) -> None:
    commands = ["break taps.yaml:8", "run --selftest --threads 1", "backtrace 1", "info source"]
    done = subprocess.run(
        ["gdb", "-batch", *[part for each in commands for part in ("-ex", each)], built.path],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert re.search(r"#0 .*taps\.widen.* at .*taps\.yaml:8", done.stdout), done.stdout
    assert "{name: widen, type: dense" in done.stdout  # the line of the spec


def test_c_and_python_generate_the_same_inputs(tmp_path: Path) -> None:
    """An executable that gives back its inputs: what it generates is seen in a self-test of identities."""
    text = (
        "netwright: 1\nmodel: same\ndims: {N: batch}\n"
        "inputs: {x: {shape: [N, 7]}, grey: {shape: [N, 5], dtype: uint8}}\n"
        "layers:\n  - {name: up, type: rescale, scale: 1.0, inputs: [x]}\n"
        "  - {name: pale, type: rescale, scale: 1.0, inputs: [grey]}\n"
        "outputs: {up: up, pale: pale}\n"
    )
    (tmp_path / "same.yaml").write_text(text)
    model = netwright.load(tmp_path / "same.yaml")
    save(model.load, model.network, {}, tmp_path / "same", Request())
    done = run(tmp_path / "same", "--selftest")
    assert done.returncode == 0, done.stderr
    assert "within 0 ulp" in done.stdout
