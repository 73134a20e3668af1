"""What the documents show is true: marked commands run, sessions print what is shown, links and extras exist.

A fenced block is run when the line before it says so in a comment that readers do not see:

    <!-- run -->            a block `sh`: every command has to succeed
    <!-- run -->            a block `console`: `$ command` lines, each followed by exactly what it prints
                            (a line `...` stands for any lines)
    <!-- run: EXTRA -->     the same, where that extra of ours is installed
    <!-- run: llvm NUMBER --> the same, where llvmlite has this LLVM, since machine code differs between them
    <!-- example -->        a block `sh` of an example: run by tests/examples, which takes minutes
    <!-- file: NAME -->     any block: written to NAME in the folder that the document's later blocks run in

Commands run in a copy of the document's folder (for the README and CONTRIBUTING: of the project), with this
environment's programs first on the path. `netwright` commands at the beginning of a line run in this process, which has
the modules that each command would load again, `python SCRIPT` in a fork of one that has; all else is for a shell.
`pytest --update-golden` writes what sessions print, but for those with a line `...`, into the documents.
"""

import atexit
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from llvmlite.binding import llvm_version_info

from netwright.cli import main
from netwright.specs.load import load_spec_text

from ..built_once import built_once
from ..forked import forked, modules_forked

PROJECT = Path(__file__).parents[2]
DOCUMENTS = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *sorted((PROJECT / "docs").rglob("*.md")),
    *sorted((PROJECT / "examples").rglob("*.md")),
]
BLOCK = re.compile(
    r"(?:^<!-- (?P<marker>.+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#)([^)#\s]+)[^)]*\)")
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*", "build", "*.egg-info", "venv")


@dataclass(frozen=True)
class Block:
    marker: str
    language: str
    text: str
    line: int

    @property
    def runs_here(self) -> bool:
        """Whether what a block needs is installed."""
        kind, _, needs = self.marker.partition(": ")
        if kind != "run" or not needs:
            return True
        if needs.startswith("llvm "):
            return llvm_version_info[0] == int(needs.removeprefix("llvm "))
        return find_spec(MODULES[needs]) is not None


def name(document: Path) -> str:
    return document.relative_to(PROJECT).as_posix()


def blocks(document: Path) -> list[Block]:
    """The document's marked blocks, in order."""
    text = document.read_text(encoding="utf-8")
    return [
        Block(found["marker"], found["language"], found["text"], text.count("\n", 0, found.start()) + 1)
        for found in BLOCK.finditer(text)
        if found["marker"]
    ]


#: What an extra brings.
MODULES = {
    "cross": "ziglang",
    "data": "PIL",
    "onnx": "onnx",
    "lsp": "pygls",
    "png": "resvg_py",
    "serve": "uvicorn",
    "sklearn": "sklearn",
    "torch": "torch",
}


def session(text: str) -> list[tuple[str, str]]:
    """The commands of a `console` block, each with the output shown."""
    commands = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert commands[0] == "", "a console block begins with `$ `"
    parts = [command.partition("\n") for command in commands[1:]]
    return [(command, output) for command, _, output in parts]


def agrees(shown: str, printed: str) -> bool:
    """Whether the output is the one shown, `...` lines standing for anything."""
    lines = shown.rstrip("\n").split("\n")
    pattern = "\n".join(r"(?s:.*?)" if line == "..." else re.escape(line) for line in lines)
    return re.fullmatch(pattern, plain(printed).removesuffix("\n")) is not None


def plain(printed: str) -> str:
    """What is printed, without blanks at the ends of lines."""
    return "".join(f"{line.rstrip()}\n" for line in printed.rstrip("\n").splitlines())


def rewrite(document: Path, old: str, new: str) -> None:
    """Puts what a command prints now into a document."""
    text = document.read_text(encoding="utf-8")
    assert text.count(old) == 1
    document.write_text(text.replace(old, new), encoding="utf-8")


#: What several documents begin with: run once per process, whose documents each get a copy of what it makes.
QUICKSTART = ["netwright", "quickstart", "digits"]
SHOWN = {"NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"}
#: What a shell does something about; text between single quotes it leaves alone.
QUOTED, FOR_A_SHELL = re.compile("'[^']*'"), re.compile(r"""[^\w\s./,:=@+-]""")


#: A script without arguments.
SCRIPT = re.compile(r"python \w+\.py")
#: A command of ours, and what a shell makes of its output or its exit code.
TAKEN_OVER = re.compile(r"(?P<own>netwright [^|>]+) (?P<sign>\|\||\||>) (?P<rest>.+)")


def run(text: str, folder: Path) -> tuple[int, str]:
    """Runs lines one after the other until one fails: the exit code, and all that is printed."""
    code, printed = 0, ""
    for way, lines in groupby(text.splitlines(), key=way_of):
        code, more = way("\n".join(lines), folder)
        printed += more
        if code:
            break
    return code, printed


def way_of(line: str) -> Callable[[str, Path], tuple[int, str]]:
    """How a line is run."""
    if own_commands(line) is not None:
        return in_process
    if SCRIPT.fullmatch(line):
        return in_a_fork
    begin = TAKEN_OVER.fullmatch(line)
    return taken_over if begin and len(own_commands(begin["own"]) or []) == 1 else in_shell


def own_commands(line: str) -> list[list[str]] | None:
    """The words of each command, if all are `netwright`'s, joined by `&&`."""
    line = line.partition("  #")[0].rstrip()
    if FOR_A_SHELL.search(QUOTED.sub("", line).replace(" && ", " ")):
        return None
    commands = [shlex.split(command) for command in line.split(" && ")]
    return commands if all(words[:1] == ["netwright"] for words in commands) else None


@dataclass(frozen=True)
class Begun:
    """A folder that a document begins with, and what the command that makes it said."""

    folder: Path
    said: Result


_begun: list[Begun] = []


def invoked(words: list[str], folder: Path) -> Result:
    if words != QUICKSTART:
        return invoke(words, folder)
    if not _begun:
        kept = Path(tempfile.mkdtemp())
        _begun.append(Begun(kept, invoke(words, kept)))
        atexit.register(shutil.rmtree, kept)
    shutil.copytree(_begun[0].folder, folder, dirs_exist_ok=True)
    return _begun[0].said


def invoke(words: list[str], folder: Path) -> Result:
    with chdir(folder), built_once(), modules_forked():
        return CliRunner().invoke(main, words[1:], prog_name="netwright", env=SHOWN)


def in_process(block: str, folder: Path) -> tuple[int, str]:
    code, printed = 0, ""
    for words in (words for line in block.splitlines() for words in own_commands(line) or []):
        done = invoked(words, folder)
        code, printed = done.exit_code, printed + done.output
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            printed += "".join(traceback.format_exception(done.exception))
        if code:
            break
    return code, printed


def in_a_fork(block: str, folder: Path) -> tuple[int, str]:
    """Scripts, each in a process of its own that has Netwright imported."""
    code, printed = 0, ""
    for line in block.splitlines():
        text = (folder / line.split()[1]).read_text(encoding="utf-8")
        done = forked(code=text, cwd=folder, env={**os.environ, **SHOWN})
        code, printed = done.returncode, printed + done.stdout + done.stderr
        if code:
            break
    return code, printed


def taken_over(block: str, folder: Path) -> tuple[int, str]:
    """Commands of ours in this process; a shell does the rest of each line."""
    code, printed = 0, ""
    for line in block.splitlines():
        parts = TAKEN_OVER.fullmatch(line)
        assert parts is not None
        (words,) = own_commands(parts["own"]) or []
        done = invoked(words, folder)
        if parts["sign"] == "||":
            code, more = in_shell(f"(exit {done.exit_code}) || {parts['rest']}", folder)
            printed += done.output + more
        else:
            rest = parts["rest"] if parts["sign"] == "|" else f"cat > {parts['rest']}"
            code, more = in_shell(rest, folder, done.stdout)
            code, printed = done.exit_code or code, printed + done.stderr + more
        if code:
            break
    return code, printed


def in_shell(block: str, folder: Path, read: str = "") -> tuple[int, str]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={**os.environ, "PATH": programs, **SHOWN},
        input=read,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if blocks(d)], ids=name)
def test_marked_blocks_are_true(document: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    folder, update = tmp_path / "copy", pytestconfig.getoption("--update-golden")
    shutil.copytree(document.parent, folder, ignore=NOT_COPIED)  # all that a user has
    for block in blocks(document):
        where = f"{name(document)}:{block.line}"
        kind = block.marker.partition(": ")[0]
        if not block.runs_here or kind == "example":
            continue
        if block.marker.startswith("file: "):
            path = folder / block.marker.removeprefix("file: ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif kind == "run" and block.language == "sh":
            code, printed = run(block.text, folder)
            assert code == 0, f"{where}\n{printed}"
        elif kind == "run" and block.language == "console":
            for command, shown in session(block.text):
                _, printed = run(command, folder)
                if update and "..." not in shown.split("\n") and not agrees(shown, printed):
                    rewrite(document, f"$ {command}\n{shown}", f"$ {command}\n{plain(printed)}")
                    continue
                assert agrees(shown, printed), f"{where}: {command}\nshown:\n{shown}\nprinted:\n{printed}"
        else:
            pytest.fail(f"{where}: a block {block.language!r} cannot be marked {block.marker!r}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    broken = [
        link
        for link in LINK.findall(document.read_text(encoding="utf-8"))
        if not (document.parent / link).exists()
    ]
    assert not broken


def test_tests_that_are_named_exist() -> None:
    """What begins with tests/ in the guide: commands that run them here would run them twice."""
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"tests/[\w/]+(?:\.\w+)?", text)
    assert "tests/project/test_import_law.py" in named
    assert [path for path in named if not (PROJECT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_extras_that_are_installed_exist(document: Path) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shown = re.findall(r"(?:\.|netwright)\[([\w,]+)\]", document.read_text(encoding="utf-8"))
    assert {extra for extras in shown for extra in extras.split(",")} <= project[
        "optional-dependencies"
    ].keys()


def test_console_blocks_are_compared_with_what_is_printed(tmp_path: Path) -> None:
    ((command, shown),) = session("$ printf 'one\\ntwo\\nthree\\n'\none\n...\nthree\n")
    _, printed = run(command, tmp_path)
    assert agrees(shown, printed)
    assert not agrees("one\nthree\n", printed)
    assert not agrees("", run("no-such-program", tmp_path)[1])


def test_what_follows_a_command_is_for_a_shell(tmp_path: Path) -> None:
    run("netwright new rnn a | tr -d a > b && cat b", tmp_path)
    assert (tmp_path / "b").read_text().startswith("wrote .yml")
    assert run("netwright validate no.yaml || echo code $?", tmp_path)[1].endswith("code 1\n")
    assert run("netwright validate no.yaml | cat", tmp_path)[0] == 1
    assert way_of("ls | netwright new rnn b") is in_shell


def test_what_a_shell_would_change_is_for_a_shell() -> None:
    assert own_commands("netwright new rnn a && netwright run a.yaml --set 'x=[a*]'   # why") == [
        ["netwright", "new", "rnn", "a"],
        ["netwright", "run", "a.yaml", "--set", "x=[a*]"],
    ]
    for text in (
        "netwright new rnn *",
        "netwright new > a",
        "netwright new | cat",
        "netwright new || true",
        "ls",
    ):
        assert own_commands(text) is None


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_specs_shown_are_valid(document: Path) -> None:
    for found in BLOCK.finditer(document.read_text(encoding="utf-8")):
        if found["language"] == "yaml" and found["text"].startswith("netwright:"):
            assert [d.message for d in load_spec_text(found["text"], document.name).diagnostics] == []
