"""A compiled model with its weights: what `Model.compile` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from numpy.typing import ArrayLike, NDArray

from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.frontend.build import bounded_network
from netwright.compiler.frontend.network import Network, initial_states
from netwright.runtime.data.samples import Samples
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.runtime.engines.engine import Engine
from netwright.runtime.engines.native import NativeEngine
from netwright.runtime.sessions.outputs import Out
from netwright.runtime.sessions.session import Session
from netwright.runtime.sessions.stream import Stream
from netwright.runtime.sessions.weights import load_classes, load_vocabularies, save_weights
from netwright.runtime.training.distributed.agreement import together
from netwright.runtime.training.distributed.communicator import Alone, Communicator
from netwright.runtime.training.evaluation import evaluate
from netwright.runtime.training.loop import OnEpoch
from netwright.runtime.training.plan import TrainingResult
from netwright.runtime.training.progress import Observer
from netwright.runtime.training.recording import Sink
from netwright.runtime.training.schedules import rate_after
from netwright.specs.load import LoadResult
from netwright.specs.manifest import Manifest

from .artifacts import files as artifacts
from .build import build, entry_graphs, reference
from .collection import collected_seldom
from .data.sets import DataSets, Given
from .errors import RequestError
from .in_process import InProcess
from .streams import Streams
from .training.ranks import Divided, communicator_of
from .training.run import monitor_of, run_training, training_plan
from .training.warm_start import WarmStart, warm_start
from .trainings.folder import RunFolder
from .trainings.info import CHECKPOINT, is_run
from .trainings.recorded import train_in
from .tuning.chosen import chosen_machine
from .weights.network import Weights, first_weights, weights_manifest

EngineName = Literal["native", "reference"]
_Out = TypeVar("_Out", bound=Out)


class Program(InProcess):
    """A model that can run: entries compiled for one CPU (or interpreted), and weights.

    Several threads may call ``predict`` at once, but must not train. Weights that are not given are drawn when needed.
    """

    def __init__(
        self,
        load: LoadResult,
        network: Network,
        *,
        weights: Weights | None = None,
        engine: EngineName = "native",
        threads: int | None = None,
        pin: bool = False,
        entries: Sequence[str] | None = None,
        cpu: str = "native",
        seed: int | None = None,
        verify: bool = False,
        tune: bool | str | Path = False,
    ):
        self.load, self.network, self.cpu = load, network, cpu
        self._how = engine, threads, pin
        self._streams: Streams | None = None
        self._divided: Divided | None = None
        self.entries = tuple(graphs := entry_graphs(network, entries))
        made: Engine
        self._native: NativeEngine | None = None
        if engine == "reference":
            made = reference(network, graphs)
        elif engine == "native":
            running = bounded_network(load, network)
            graphs, target = entry_graphs(running, self.entries), named_target(cpu)
            built = build(running, graphs, target, machine=chosen_machine(running, graphs, target, tune))
            if verify:
                built.verify()
            made = self._native = built.engine(threads, pin)
        else:
            raise ValueError(f"engine is native or reference, not {engine!r}")
        values = first_weights(network, weights, seed, threads=self.threads if self._native else None)
        known = {buffer.name for buffer in made.manifest.buffers}
        idle = {name: array for name, array in values.items() if name not in known}
        #: The vocabularies of the inputs that are made from text: the weights' or the training data's.
        self.vocabularies: dict[str, Vocabulary] = {}
        #: The names of each target's classes: the weights' or the training data's.
        self.classes: dict[str, tuple[str, ...]] = {}
        if isinstance(weights, str | Path):
            self.vocabularies = load_vocabularies(weights)
            self.classes = load_classes(weights)
        self._taken: set[str] = set()  # by a warm start
        values |= initial_states(network)
        self._reads_out = "out" in network.inputs
        roles = {info.name: info.role for info in made.manifest.buffers}
        self._in_order = any(  # whether the session's answers are in the order of the spec's outputs
            [name for name in entry.writes if roles[name] == "output"] == list(network.outputs)
            for entry in made.manifest.entries
            if entry.name == "predict"
        )
        self.session = Session(made, {name: array for name, array in values.items() if name in known}, idle)

    @property
    def threads(self) -> int:
        """How many threads share a call at most."""
        return self._native.threads if self._native else 1

    def close(self) -> None:
        """Frees scratch memory, and ends the process's worker threads unless other programs use them.

        A later call allocates again what it needs. A program that is no longer referenced is closed automatically.
        """
        if self._native:
            self._native.close()

    @property
    def manifest(self) -> Manifest:
        """Entries, buffers, dims: everything that a caller needs to know."""
        return self.session.manifest

    @property
    def weights(self) -> dict[str, NDArray]:
        """Copies of all parameters and statistics, by name (``layer.param``)."""
        return self.session.weights

    @property
    def learning_rate(self) -> float | None:
        """The rate of the next update; None for a program that can't train."""
        train = self.load.model.train if self.load.model else None
        if train is None or "train_step" not in self.entries:
            return None
        return rate_after(train.optimizer.learning_rate, self.session.updates, self.session.rate_scale)

    @overload
    def predict(self, /, *, out: None = None, **inputs: ArrayLike) -> dict[str, NDArray]: ...
    @overload
    def predict(self, /, *, out: _Out, **inputs: ArrayLike) -> _Out: ...
    def predict(self, /, *, out: Any = None, **inputs: ArrayLike) -> Any:
        """The outputs by name, in eval mode, for inputs by name: arrays of the declared shapes, batch first.

        The inputs' shapes decide the batch size and the lengths of sequences. ``out`` is an array for the only output,
        or a dict of arrays, one per output: they are written and returned. They have the outputs' shapes and dtypes,
        are C-ordered, and overlap neither each other nor an input. Where an input is called `out`, it is that input.

        Raises InputError, which names the input or output and the axis that do not fit, and ExecutionError for values
        out of range; then what ``out`` holds is undefined.
        """
        if self._reads_out:
            if out is not None:
                inputs["out"] = out
            out = None
        if out is None:
            return self.predicted(inputs)
        self.session.run("predict", inputs, None, out)
        return out

    def predicted(self, inputs: Mapping[str, ArrayLike]) -> dict[str, NDArray]:
        """What ``predict`` returns, for inputs in a mapping. Raises what it raises."""
        outputs = self.session.run("predict", inputs)
        return outputs if self._in_order else {name: outputs[name] for name in self.network.outputs}

    def stream(self) -> Stream:
        """A new stream: `push` it a sequence piece by piece, and it answers as the pieces come (``runtime.stream``).

        What takes chunks of steps is compiled at the first call; each stream only adds a state. A stream keeps the
        weights that the program has now. Raises RequestError, which names the layers that can't be computed step by
        step, and why.
        """
        if self._streams is None:
            self._streams = Streams(self.load, self.network, self._how[0], self.threads, self.cpu)
        return self._streams.new(self.session)

    def loss(self, **arrays: ArrayLike) -> dict[str, float]:
        """The mean loss and metrics (by name) of one batch of inputs and targets, in eval mode. Raises as ``predict``
        does.
        """
        return self.session.loss(**arrays)

    def train_step(self, **arrays: ArrayLike) -> dict[str, float]:
        """Makes one optimizer step on one batch of inputs and targets. Returns the loss and metrics from before the
        update. Raises as ``predict`` does.
        """
        return self.session.train_step(**arrays)

    def warm_start(self, weights: Weights) -> WarmStart:
        """Takes over what fits by name and shape from the weights of another network: a file, a checkpoint, or arrays
        by name. The rest keeps its values. The result tells what was taken; ``print`` shows it as a table.

        Statistics of a `standardize` layer that were taken are not fitted again, and text is read with the file's
        vocabularies from then on. Raises WeightsError if the file can't be read, or if nothing fits.
        """
        start = warm_start(self.network, weights)
        if isinstance(weights, str | Path):
            self.vocabularies |= load_vocabularies(weights)
        self.session.assign(start.taken, partial=True)
        self._taken |= start.taken.keys()
        return start

    def train(
        self,
        data: Given | DataSets | None = None,
        valid: Given | None = None,
        *,
        epochs: int | None = None,
        checkpoint: str | Path | None = None,
        resume: str | Path | None = None,
        observer: Observer | None = None,
        on_epoch: OnEpoch | None = None,
        origin: Mapping[str, Any] | None = None,
        run: str | Path | RunFolder | None = None,
        communicator: Any = None,
    ) -> TrainingResult:
        """Trains as the spec's `train` section says; afterwards the program has the weights of the best epoch.

        ``data`` and ``valid`` are paths or arrays by name, by default the spec's own (`valid` may be missing); ``data``
        may also be all data sets at once, as `Model.data` returns them. A file is read as the spec declares the set
        that it replaces; a split of the training data is taken from the data given.
        ``checkpoint`` is a file that is written after every epoch, ``resume`` one to continue from. ``observer`` is
        notified of each step and epoch (``runtime.progress``). ``origin`` is kept in checkpoints, for
        ``runtime.checkpoint.read_origin``: plain values by key.

        ``on_epoch`` is a function that is called after each epoch, when its checkpoint is written, with the epoch's
        numbers (``runtime.plan.EpochRecord``: `epoch`, `train`, `valid`, `seconds`, …). If it returns True, the
        training ends as by early stopping, with the weights of the best epoch.

        ``run`` is the folder of a new run, which is made, and filled with the spec, metrics, checkpoint and weights;
        ``resume`` can be the folder of such a run, which is gone on with. Nothing else is `checkpoint` then.

        With a ``communicator`` of `mpi4py`, such as `MPI.COMM_WORLD`, all of its processes call this with the same
        arguments and share each batch; only the first one writes files and notifies ``observer``.

        Raises RequestError without a train section or training data, or if a program resumes after a warm start,
        FileExistsError for a run that is there already, DataError for data that don't fit, CheckpointError,
        TrainingError for a plan that can't be followed, and DivergedError if the loss becomes infinite or NaN.
        """
        folder = run if isinstance(run, RunFolder) else None
        if folder is None and resume is not None and is_run(resume):
            folder = RunFolder.open(resume)
        has_weights = resume is not None and (folder is None or folder.checkpoint.exists())
        if has_weights and self._taken:
            raise RequestError(
                f"a warm start begins a training, {resume} has the weights of one to go on with"
            )
        if (run is not None or folder is not None) and checkpoint is not None:
            raise RequestError("a run keeps its checkpoint in its folder: leave checkpoint out")
        ranks = communicator_of(communicator)
        with together(ranks or Alone()):
            sets = data if isinstance(data, DataSets) else self._data(train=data, valid=valid)
            self.vocabularies |= sets["train"].vocabularies
            self.classes |= sets["train"].classes
        with together(ranks or Alone()), (ranks or Alone()).in_turns():  # the others find code in the cache
            session = self._training_session(ranks)

        def train(
            checkpoint: str | Path | None, resume: str | Path | None, sink: Sink | None
        ) -> TrainingResult:
            try:
                return run_training(
                    self.load,
                    self.network,
                    session,
                    sets["train"],
                    sets.find("valid"),
                    epochs=epochs,
                    checkpoint=checkpoint,
                    resume=resume,
                    observer=observer,
                    on_epoch=on_epoch,
                    taken=self._taken,
                    origin=origin,
                    sink=sink,
                    communicator=ranks,
                    cpu=self.cpu if self._how[0] == "native" else None,
                )
            finally:
                if session is not self.session:
                    self.session.assign(session.weights)

        if run is None and folder is None:
            return train(checkpoint, resume, None)
        if ranks is not None and ranks.rank > 0:  # the first process has the run
            place = folder.path if folder is not None else Path(run)  # type: ignore[arg-type]
            if folder is None:
                with together(ranks):  # while it makes the folder
                    pass
            begun = resume is not None and (place / CHECKPOINT).exists()
            return train(place / CHECKPOINT, place / CHECKPOINT if begun else None, None)
        plan = training_plan(self.load, self.network, epochs=epochs)
        if folder is None:
            with together(ranks or Alone()):
                folder = self.new_run(Path(run), sets, epochs=plan.epochs)  # type: ignore[arg-type]
        again = resume is not None
        return train_in(folder, train, self.save_weights, self.load, sets, resume=again, epochs=plan.epochs)

    def new_run(
        self,
        path: Path,
        sets: DataSets,
        *,
        epochs: int | None = None,
        options: Mapping[str, Any] | None = None,
        command: Sequence[str] | None = None,
    ) -> RunFolder:
        """Makes the folder of a run for ``train``. ``options`` are what it takes to go on with it, ``command`` is what
        made it, by default this process's. Raises OSError.
        """
        plan = training_plan(self.load, self.network, epochs=epochs)
        monitor = monitor_of(plan, self.manifest.scores, validated="valid" in sets)
        return RunFolder.create(
            path, self.load, sets, options=options, command=command, monitor=monitor, epochs=plan.epochs
        )

    def _training_session(self, ranks: Communicator | None) -> Session:
        """The session that is trained: another one if batches are divided."""
        train = self.load.model.train if self.load.model else None
        if train is None or (ranks is None and train.parts is None):
            return self.session
        if self._divided is None:
            engine, threads, pin = self._how
            self._divided = Divided(
                self.load, self.network, engine=engine, threads=threads, pin=pin, cpu=self.cpu
            )
        return self._divided.session(self.weights, 1 if ranks is None else ranks.size)

    def evaluate(self, data: Given) -> dict[str, float]:
        """The mean loss and metrics over a whole data set, a path (read as the spec's training data are) or arrays by
        name. Raises DataError.
        """
        spec = self.load.model.train if self.load.model else None
        size = spec.batch_size if spec else 32
        samples = data if isinstance(data, Samples) else self._data(data=data)["data"]
        grouped = spec is not None and spec.group_by_length
        return evaluate(self.session, samples, size, group_by_length=grouped)

    def _data(self, **given: Given | None) -> DataSets:
        return DataSets(
            self.load,
            self.network,
            {name: source for name, source in given.items() if source is not None},
            self.vocabularies or None,
            self.classes,
        )

    def save_weights(self, path: str | Path) -> None:
        """Writes parameters and statistics to a safetensors file, completely or not at all. Raises OSError."""
        save_weights(path, weights_manifest(self.network), self.weights, self.vocabularies, self.classes)

    @collected_seldom()
    def save(
        self,
        path: str | Path,
        emit: artifacts.Emit = "exe",
        *,
        target: str | None = None,
        cpu: str | None = None,
        verify: bool = False,
        entries: Sequence[str] | None = None,
        embed: bool = True,
        package: bool = False,
    ) -> list[Path]:
        """Writes the model to a file that needs neither Python nor Netwright. Returns the paths of all files written.

        ``emit`` is `exe`, a program that runs `predict` on .npy files; `shared`, `static` or `object`, a library and,
        next to it, a C header; `weights`, other weights for such a library; `llvm` or `asm`; or `loop` or `graph`, the
        compiler's own representations as text. ``target`` is a system that `netwright targets` lists (default: this
        one), ``cpu`` one of its CPUs (default: this program's, or the target's least one). With ``verify`` (see
        `Model.compile`), nothing is written if machine code computes wrong results.

        A library offers ``entries``, by default the program's own; beside them there is `step`. Without ``embed`` its
        weights go to a file beside it. With ``package``, ``path`` is a folder that pkg-config and CMake find it in.

        Raises LinkError without a C compiler, TargetError for an unknown target or CPU, VerificationError, OSError.
        """
        if entries is None and emit != "exe":  # an executable runs predict, whatever was compiled here
            entries = self.entries
        request = artifacts.Request(
            emit,
            cpu or (self.cpu if target is None else None),
            None if entries is None else tuple(entries),
            verify=verify,
            embed=embed,
            package=package,
            target=target,
        )
        return artifacts.save(self.load, self.network, self.weights, Path(path), request)

    def __repr__(self) -> str:
        size = sum(prod(parameter.shape) for parameter in self.network.parameters.values())
        return f"<Program {self.manifest.model}: {', '.join(self.entries)}; {size:,} weights>"
