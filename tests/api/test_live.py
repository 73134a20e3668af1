"""What a training prints: a table of epochs anywhere, a live view on a terminal, at every width."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from rich.console import Console

import netwright
from netwright.live.curve import LossCurve
from netwright.live.epochs import EpochTable
from netwright.live.observers import Notices, PlainLines, observer_for
from netwright.live.pace import Pace
from netwright.live.view import LiveView
from netwright.live.words import duration_text, number_text, sparkline
from netwright.runtime.totals import Totals
from netwright.runtime.training.plan import EpochRecord, TrainingPlan
from netwright.specs.manifest import ScoreInfo

RECORDS = [
    EpochRecord(
        epoch,
        10 * epoch,
        {"loss": 2.0 / epoch, "accuracy": 0.5},
        {"loss": 1.5e-5, "accuracy": 0.6},
        75.0,
        9000,
        learning_rate=0.00123456,
    )
    for epoch in (1, 2)
]
SCORES = [
    ScoreInfo(name="loss", sums=["loss.numerator", "loss.count"], formula="mean", weights=[1.0], rises=False)
]


def printed(width: int, records: Sequence[EpochRecord] = RECORDS) -> list[str]:
    file = io.StringIO()
    table = EpochTable(Console(file=file, width=width, color_system=None), 20)
    for record in records:
        table.row(record, record.epoch == 1)
    return file.getvalue().splitlines()


def test_a_row_per_epoch_below_a_heading() -> None:
    above, names, first, second = printed(120)
    assert above.split() == ["train", "valid"]
    assert names.split() == ["epoch", *["loss", "accuracy"] * 2, "rate", "samples/s", "time"]
    assert first.split() == ["1/20", "2.0000", "0.5000", "1.500e-05", "0.6000", "0.00123", "120", "1:15", "*"]
    assert len(second) == len(names)
    assert [above.index(title) + 5 for title in ("train", "valid")] == [
        names.index("loss") + 4,
        names.rindex("loss") + 4,
    ]


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120])
def test_the_table_fits_narrow_terminals(width: int) -> None:
    lines = printed(width)
    assert max(map(len, lines)) <= max(width, 30)
    assert lines[2].split()[:2] == ["1/20", "2.0000"]
    assert ("accuracy" in lines[1]) == (width >= 40)
    assert ("samples/s" in lines[1]) == (width >= 80)


def test_a_table_without_validation_has_one_line_above_it() -> None:
    lines = printed(100, [EpochRecord(1, 10, {"loss": 2.0})])
    assert [line.split() for line in lines] == [
        ["epoch", "loss", "samples/s", "time"],
        ["1/20", "2.0000", "0.0", "s", "*"],
    ]


def totals(loss: float, count: float = 1.0) -> Totals:
    made = Totals(SCORES)
    made.add({"loss.numerator": np.float32(loss * count), "loss.count": np.float32(count)})
    return made


def test_the_curve_is_of_the_steps_between_looks() -> None:
    curve, epoch = LossCurve(), totals(4.0)
    curve.look(epoch)
    epoch.add({"loss.numerator": np.float32(1.0), "loss.count": np.float32(1.0)})
    curve.look(epoch)
    curve.look(epoch)  # nothing was counted since
    curve.look(totals(0.5))
    assert curve.points == [4.0, 1.0, 0.5]
    for value in range(5000):
        curve.look(totals(value))
    assert len(curve.points) < 1024
    assert curve.points[1:] == sorted(curve.points[1:])


def test_time_left_is_of_batches_and_of_what_comes_after_them() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    pace.start(0)
    assert pace.left(10, 1, 10) == (None, None)
    now[0] = 100.0  # the first step is not typical
    pace.look(1, 32)
    now[0] = 104.0
    pace.look(3, 96)
    assert pace.left(7, 0, 10) == (14.0, 14.0)
    assert pace.speed == 16.0
    now[0] = 110.0
    pace.end_epoch()
    assert pace.left(10, 1, 10) == (26.0, 52.0)


def test_words_about_numbers() -> None:
    assert [number_text(value) for value in (0.0, 0.25, -12.5, 1e-5, 1e6, float("nan"))] == [
        "0.0000",
        "0.2500",
        "-12.5000",
        "1.000e-05",
        "1.000e+06",
        "nan",
    ]
    assert [duration_text(value) for value in (0.04, 59.96, 3599.9, 3661)] == [
        "0.0 s",
        "1:00",
        "1:00:00",
        "1:01:01",
    ]
    assert sparkline([1, 2, 3], 8) == "▁▅█"
    assert sparkline([float("nan")], 8) == ""
    assert sparkline(range(100), 4) == "▁▃▆█"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> netwright.Program:
    from .conftest import TINY

    path = tmp_path_factory.mktemp("live") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return netwright.load(path).compile(entries=("loss", "train_step"), engine="reference")


def watched(program: netwright.Program, console: Console) -> LiveView:
    from .conftest import samples

    view = LiveView(console, lambda: program.learning_rate)
    result = program.train(samples(64, 1), samples(30, 2), epochs=3, observer=view)
    assert len(result.history) == 3
    assert result.history[0].learning_rate == 3e-2
    return view


def test_on_a_terminal_the_table_stays_and_the_view_goes(trained: netwright.Program) -> None:
    file = io.StringIO()
    watched(trained, Console(file=file, force_terminal=True, width=90))
    text = file.getvalue()
    assert all(f"  {epoch}/3  " in text for epoch in (1, 2, 3))
    assert text.endswith("\x1b[1A\x1b[2K")  # the view's lines are gone
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is back
    assert "\x1b[32m" in text  # the best epoch is green


def test_without_colours(trained: netwright.Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    watched(trained, Console(file=file, force_terminal=True, width=90))
    assert "\x1b[32m" not in file.getvalue()
    assert "\x1b[36m" not in file.getvalue()


@pytest.mark.parametrize("width", [20, 34, 60, 80, 120])
def test_the_view_fits_its_terminal(trained: netwright.Program, width: int) -> None:
    view = LiveView(Console(file=io.StringIO(), force_terminal=True, width=width), lambda: 0.001)
    view.start(TrainingPlan(20), 450, 3, 0)
    for batch in range(1, 50):
        view.step(3, batch, 32 * batch, totals(2.0 / batch))
        upper, lower = view.lines(width)
    view.end(None)
    assert upper.cell_len <= width
    assert lower.cell_len <= width
    assert upper.plain.startswith("epoch 3/20 ")
    assert lower.plain.startswith("loss 0.0408 ")
    assert ("49/450" in upper.plain) == (width >= 34)
    assert ("for all" in upper.plain) == (width >= 60)
    assert ("rate 0.001" in lower.plain) == (width >= 34)


def test_rows_of_a_wrapped_view_are_erased() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    view = LiveView(console)
    view.start(TrainingPlan(20), 450, 1, 0)
    view.step(1, 1, 32, totals(1.0))
    view.step(1, 2, 64, totals(1.0))
    view._live.refresh()
    console.file = io.StringIO()
    console.width = 30  # the upper line of 67 columns becomes three
    view._live.refresh()
    text = console.file.getvalue()
    view.end(None)
    assert text.startswith("\x1b[2K\x1b[1A")


def test_which_observer_for_which_console() -> None:
    def terminal(force: bool) -> Console:
        return Console(file=io.StringIO(), force_terminal=force)

    assert type(observer_for(terminal(True))) is LiveView
    assert type(observer_for(terminal(False))) is PlainLines
    assert type(observer_for(terminal(True), quiet=True)) is Notices


def test_quiet_and_verbose(cli: Callable[..., Result], tiny: Path) -> None:
    arguments = [
        "train",
        tiny,
        "--weights",
        "w.safetensors",
        "--epochs",
        "1",
        "--force",
        "--engine",
        "reference",
    ]
    quiet = cli(*arguments, "-q")
    assert (quiet.exit_code, quiet.output) == (0, "")
    verbose = cli(*arguments, "-v")
    assert "tiny: 67 weights, batches of 32, at most 1 thread" in verbose.output
    assert "train: 512 samples of" in verbose.output
    assert "valid: 100 samples of" in verbose.output
    both = cli(*arguments, "-v", "-q")
    assert both.exit_code == 2
    assert "leave one of them out" in both.output


def test_verbose_lines_within_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    lines = PlainLines(Console(file=file, width=100), verbose=True)
    lines.start(TrainingPlan(2), 10, 1, 0)
    lines.step(1, 4, 128, totals(0.5))
    assert file.getvalue() == ""
    monkeypatch.setattr("netwright.live.observers._EVERY", 0.0)
    lines.step(1, 5, 160, totals(0.5))
    assert file.getvalue() == "epoch 1, batch 5 of 10  loss 0.5000\n"
