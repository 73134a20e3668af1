"""Python in a process of its own that has Netwright imported already: for tests of processes, not of their start.

Importing takes most of a short command's time. Here one process has done it, and each command or program runs in a fork
of it, with its own folder, environment and standard files, and ends as any Python process does. What happens while a
command is loaded, and which modules it loads, is for processes that are started anew.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

#: Imported before forks: what most commands need.
MODULES = ("netwright.cli.train", "netwright.cli.run", "netwright.cli.explain", "netwright.cli.summary")
#: Bytes of a request at most.
LONGEST = 1 << 17


class Forked:
    """A running command of `netwright`, or a program in Python if ``code`` is given.

    ``stdout`` and ``stderr`` are open files or their numbers; by default what is printed is kept for `communicate`, and
    the attribute ``stdout`` can be read meanwhile.
    """

    def __init__(
        self,
        *arguments: object,
        code: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: IO[Any] | int | None = None,
        stdout: IO[Any] | int | None = None,
        stderr: IO[Any] | int | None = None,
    ):
        request = {
            "arguments": [str(word) for word in arguments],
            "code": code,
            "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
        }
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by communicate
        own: list[int] = []  # given away
        if stdout is None:
            reading, stdout = os.pipe()
            self.stdout = os.fdopen(reading, encoding="utf-8", errors="replace")
            own.append(stdout)
        if stdin is None:
            stdin = os.open(os.devnull, os.O_RDONLY)
            own.append(stdin)
        reading, writing = os.pipe()
        own.append(writing)
        self._state = os.fdopen(reading, "rb", buffering=0)  # each line is there until it is read
        files = (stdin, stdout, self._errors if stderr is None else stderr, writing)
        numbers = [file if isinstance(file, int) else file.fileno() for file in files]
        socket.send_fds(_server(), [json.dumps(request).encode()], numbers)
        for number in own:
            os.close(number)
        self.pid = int(self._state.readline())

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        """Waits for the end, and kills the process if that takes longer than ``timeout`` seconds; gives what is left of
        standard output, and standard error. The exit code, or a negative number for a signal, is ``returncode``.
        """
        timer = threading.Timer(timeout, self.kill)
        timer.start()
        with self._errors, self._state, self.stdout or nullcontext():
            # Standard output ends with the process.
            printed = self.stdout.read() if self.stdout else ""
            self.returncode = int(self._state.readline())
            timer.cancel()
            self._errors.seek(0)
            return printed, self._errors.read().decode(errors="replace")


def forked(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command or program to its end."""
    process = Forked(*arguments, **options)
    printed, said = process.communicate()
    assert process.returncode is not None
    return subprocess.CompletedProcess(list(arguments), process.returncode, printed, said)


class ForkedModule(Forked):
    """`python -m MODULE …` in a fork, in place of a `subprocess.Popen` of it whose standard error goes where its
    standard output does."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str] | None = None, **others: object):
        reading, writing = os.pipe()
        _, _, module, *arguments = command
        super().__init__(*arguments, code=_module(module), env=env, stdout=writing, stderr=writing)
        os.close(writing)
        self.stdout: Any = os.fdopen(reading, "rb")

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._state], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            with self._errors, self._state:
                self.returncode = int(self._state.readline())
        return self.returncode


def forked_module(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` returns of `python -m MODULE …`, which runs in a fork."""
    _, _, module, *arguments = command
    return forked(*arguments, code=_module(module))


@contextmanager
def modules_forked() -> Iterator[None]:
    """As long as it is open, trials of sweeps, and what runs code that may crash, are forks, too."""
    run = SimpleNamespace(run=forked_module)
    started = {name: getattr(subprocess, name) for name in ("DEVNULL", "PIPE", "STDOUT")}
    replaced = {
        "netwright.compiler.codegen.verification": run,
        "netwright.verification.comparison": run,
        "netwright.sweeps.workers": SimpleNamespace(Popen=_trial, **started),
    }
    modules = [importlib.import_module(name) for name in replaced]
    for module, calls in zip(modules, replaced.values(), strict=True):
        module.subprocess = calls  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in modules:
            module.subprocess = subprocess  # type: ignore[attr-defined]


def _trial(command: Sequence[str], **options: Any) -> ForkedModule:
    """A process of `netwright.cli.sweep_child`, which is told its parent."""
    return ForkedModule([*command[:3], str(server_process()), *command[4:]], **options)


def _module(name: str) -> str:
    return f"import runpy; runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"


_servers: list[socket.socket] = []
_processes: list[int] = []


def server_process() -> int:
    """The number of the process that forks, the parent of all."""
    _server()
    return _processes[0]


def _server() -> socket.socket:
    """The socket of the process that forks, which is started when it is needed first and ends with this one."""
    if not _servers:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        _servers.append(ours)
        _processes.append(process.pid)

        def end() -> None:
            ours.close()
            process.wait()

        atexit.register(end)
    return _servers[0]


def serve(requests: socket.socket) -> dict[str, Any] | None:
    """Forks for each request. Returns the request in the fork, and None when nobody asks any more."""
    states: dict[int, int] = {}
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is woken:
                    woken.recv(4096)
                    _tell(states)
                    continue
                text, files, *_ = socket.recv_fds(requests, LONGEST, 4)
                if not text:
                    return None
                process = os.fork()
                if not process:
                    signal.set_wakeup_fd(-1)
                    break
                for number in files[:3]:
                    os.close(number)
                states[process] = files[3]
                os.write(files[3], b"%d\n" % process)
            else:
                continue
            break
    for part in (requests, woken, wake):
        part.close()
    for number in states.values():
        os.close(number)
    for target, number in enumerate(files[:3]):
        os.dup2(number, target)
    for number in files:
        os.close(number)
    return json.loads(text)


def _tell(states: dict[int, int]) -> None:
    """Tells how processes ended."""
    while states:
        process, status = os.waitpid(-1, os.WNOHANG)
        if not process:
            return
        with open(states.pop(process), "w") as file:
            file.write(f"{os.waitstatus_to_exitcode(status)}\n")


def become(request: dict[str, Any]) -> None:
    """Does what is asked, as a process that was started for it would."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    if request["env"].get("PYTHONUNBUFFERED"):
        sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
    sys.argv[1:] = request["arguments"]
    if request["code"] is not None:
        sys.argv[0] = "-c"
        exec(compile(request["code"], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv[0] = "netwright"
        runpy.run_module("netwright", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path[0] = ""  # of the folder that a command runs in
    for name in MODULES:
        importlib.import_module(name)
    gc.freeze()
    wanted = serve(socket.socket(fileno=int(sys.argv.pop())))
    if wanted is not None:
        become(wanted)
