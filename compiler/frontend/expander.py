"""Builds a graph by walking over a spec's layers, in one mode (prediction or training)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netwright.specs.checks.wiring import Ref
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.diagnostics.fixes import Fix
from netwright.specs.dims import Dim, DimLike, Range, Shape, bounds, counted, dim, dim_min, exact_div, product
from netwright.specs.expansion.placement import Expected
from netwright.specs.load import LoadResult
from netwright.specs.manifest import LENGTH_OUT_OF_RANGE
from netwright.specs.models.base import read_shape
from netwright.specs.models.initializers import InitializerSpec
from netwright.specs.models.layers.base import WEIGHTS, LayerSpec
from netwright.specs.models.layers.recurrent import RecurrentLayer
from netwright.specs.source.tree import Span

from ..graph.graph import Graph
from ..graph.rules import ShapeError
from ..graph.types import FLOATS, TensorType
from ..ops.values.within import WithinAttributes
from ..ops.views.layout import show
from .expansion import Expansion
from .network import Checkpoints, LayerInfo, Parameter, State
from .origins import Origin, history
from .patterns import matched
from .problem import Label, Problem, show_type
from .scope import Mode, Scope, Signal
from .tensor import Tensor


class Expander:
    """Builds one graph. It reports problems and warnings to ``diagnostics``, and leaves out the layers that a problem
    affects. Without ``diagnostics`` (for a spec known to be valid) it raises problems and drops warnings."""

    def __init__(
        self,
        load: LoadResult,
        name: str,
        expansions: Mapping[type, Expansion],
        *,
        mode: Mode = "predict",
        diagnostics: Diagnostics | None = None,
        bounded: bool = False,
        whole: frozenset[str] = frozenset(),
        first_row: str | None = None,
    ):
        assert load.partial is not None
        self.load, self.spec, self.expansions = load, load.partial, expansions
        self.mode: Mode = mode
        self.graph = Graph(name)
        self.diagnostics = diagnostics
        self.dtype = model_dtype(load)
        self.seed = self.spec.train.seed if self.spec.train else 0
        train = self.spec.train if mode == "train" else None
        self.carries = bool(train and train.windows and train.windows.carry_state)
        self.bptt = train.bptt if train else None
        self.checkpoints: dict[str, Checkpoints] = {}
        self.ranges: dict[str, Range] = {name: (dim.least, dim.most) for name, dim in self.spec.dims.items()}
        self.multiples = {
            name: dim.multiple_of for name, dim in self.spec.dims.items() if dim.multiple_of > 1
        }
        self.parameters: dict[str, Parameter] = {}
        self.states: dict[str, State] = {}
        self.updates: dict[str, Tensor] = {}
        self.signals: dict[Ref, Signal] = {}
        self.layers: list[LayerInfo] = []
        self.fitted: dict[str, Signal] = {}
        self._spec_of = {layer.name: layer for layer in reversed(self.spec.layers)}  # the first of each name
        self.clear: Mapping[Ref, Tensor] = {}
        """Signals with the steps that count in the loss; they may be cleared in the others."""
        self.first_row = first_row
        """The dim that says where in a batch the rows of this call are, if they are a part of it: 1 is its start."""
        self.bounded = bounded
        self.whole = whole
        """Inputs all of whose steps count, although the spec gives them lengths."""
        self.longest: dict[Tensor, DimLike] = {}
        """For lengths of sequences: how many steps the longest of them has at most, where that is less than all."""
        self.longest_of: dict[str, str] = {}
        """The dims that stand for the largest number in an input of lengths, with that input."""
        self._checked: dict[tuple[Tensor, DimLike], Tensor] = {}
        self._sharers: list[tuple[str, Scope]] = []

    # The walk.

    def expand(self) -> None:
        """Declares the inputs and expands every layer whose inputs are known."""
        self._inputs()
        wiring = self.load.wiring
        read = self._ports_read()
        for name in wiring.order:
            spec = self._spec_of.get(name)
            refs, given = wiring.inputs.get(name, ()), wiring.given.get(name, {})
            known = all(ref in self.signals for ref in (*refs, *given.values()))
            if spec is None or name in wiring.poisoned or not known:
                continue
            scope = Scope(
                self,
                spec,
                [self.signals[ref] for ref in refs],
                refs,
                {state: self.signals[ref] for state, ref in given.items()},
                frozenset(read.get(name, ())),
            )
            try:
                self._layer(scope, spec)
            except Problem as problem:
                self._report(scope.with_sources(problem))
            except ShapeError as error:
                self._report(scope.with_sources(scope.problem("NW0308", str(error))))
        self.graph.layer = ""
        self._check_shared()
        for ref, expected in wiring.expected:
            if ref in self.signals:
                self._check_use(self.signals[ref], expected)

    def shape(self, written: Sequence[int | str]) -> Shape:
        """A shape of the spec; dims with ``multiple_of`` are expressed in units."""
        return tuple(counted(size, self.multiples) for size in read_shape(tuple(written)))

    def reported(self, problem: Problem) -> bool:
        """Adds a problem to the diagnostics, once per place; returns False if there are no diagnostics."""
        if self.diagnostics is None:
            return False
        new = problem.diagnostic
        if not any((new.code, new.span) == (old.code, old.span) for old in self.diagnostics.errors):
            self.diagnostics.add(new)
        return True

    def _report(self, problem: Problem) -> None:
        if not self.reported(problem):
            raise problem

    def warn(
        self,
        code: str,
        message: str,
        span: Span,
        labels: Iterable[Label] = (),
        help: str | None = None,
        fixes: Iterable[Fix] = (),
    ) -> None:
        """Reports a warning, if this walk has diagnostics."""
        if self.diagnostics is not None:
            self.diagnostics.warning(code, message, span, labels=labels, help=help, fixes=fixes)

    def _ports_read(self) -> dict[str, set[str]]:
        wiring = self.load.wiring
        refs = [ref for refs in wiring.inputs.values() for ref in refs]
        refs += [ref for given in wiring.given.values() for ref in given.values()]
        refs += wiring.outputs.values()
        read: dict[str, set[str]] = {}
        for ref in refs:
            read.setdefault(ref.name, set()).add(ref.port or "")
        return read

    def _inputs(self) -> None:
        poisoned = self.load.wiring.poisoned
        known = {name: spec for name, spec in self.spec.inputs.items() if name not in poisoned}
        for name, spec in known.items():
            type = TensorType(spec.dtype, self.shape(spec.shape))
            if not self._sizes_exist(name, type):
                continue
            tensor = self.declared_input(name, type)
            origins = tuple(
                Origin(
                    name, f"is {show(type.shape)}", axis=axis, size=size if isinstance(size, int) else None
                )
                for axis, size in enumerate(type.shape)
            )
            self.signals[Ref(name)] = Signal(tensor, origins)
        for name, spec in known.items():
            if Ref(name) not in self.signals or name in self.whole:
                continue
            lengths = self.signals.get(Ref(spec.lengths)) if spec.lengths else None
            signal = self.signals[Ref(name)]
            if spec.lengths is None or (lengths and signal.rank >= 2):
                steps = lengths and self.checked_lengths(lengths.tensor, signal.shape[1])
                signal = Signal(signal.tensor, signal.origins, steps)
                self.signals[Ref(name)] = self._cleared(Ref(name), signal)
                continue
            del self.signals[Ref(name)]
            if lengths:
                span = self.load.span(("inputs", name, "lengths"))
                message = f"lengths are for sequences [N, T, …], {name} is {show(signal.shape)}"
                self._report(Problem("NW0309", message, span))

    def _sizes_exist(self, name: str, type: TensorType) -> bool:
        for axis, size in enumerate(type.shape):
            least = bounds(size, self.ranges)[0]
            if least is None or least < 1:
                message = f"the size {size} of {name} may be {'less than 1' if least is None else least}"
                self._report(Problem("NW0313", message, self.load.span(("inputs", name, "shape", axis))))
                return False
        return True

    def _layer(self, scope: Scope, spec: LayerSpec) -> None:
        self.graph.layer = spec.name
        expansion = self.expansions[type(spec)]
        if not expansion.honours_lengths:
            for signal in scope.inputs:
                scope.refuse_lengths(signal, "it would mix steps that exist with padding")
        result = expansion.expand(scope)
        for name in set(spec.weights) - scope.computed:
            raise scope.problem("NW0312", f"{spec.name} has no parameter {name}", "weights", name)
        ports = {"": result} if isinstance(result, Signal) else dict(result)
        self._check_expected(scope, spec, ports[""])
        for port, signal in ports.items():
            ref = Ref(spec.name, port or None)
            # Recurrences already return zeros there.
            self.signals[ref] = signal if isinstance(spec, RecurrentLayer) else self._cleared(ref, signal)
        span = self.load.layer_span(spec.name)
        types = {port: signal.tensor.type for port, signal in ports.items()}
        self.layers.append(LayerInfo(spec.name, spec.type, types, tuple(scope.parameters), span))

    def _cleared(self, ref: Ref, signal: Signal) -> Signal:
        """In training, the signal with zeros in the steps that do not exist or do not count."""
        if self.mode != "train":
            return signal
        return signal.cleared(self.clear.get(ref))

    def _check_expected(self, scope: Scope, spec: LayerSpec, output: Signal) -> None:
        if spec.expect is None:
            return
        expected = self.shape(spec.expect)
        if len(expected) != output.rank:
            message = f"{spec.name} gives {show(output.shape)}, expected is {show(expected)}"
            raise scope.problem("NW0310", message, "expect", labels=scope.blame(output))
        for axis, (wanted, size) in enumerate(zip(expected, output.shape, strict=True)):
            if wanted != size:
                message = f"{spec.name} gives {show(output.shape)}, expected is {show(expected)}"
                raise scope.problem(
                    "NW0310",
                    message,
                    "expect",
                    axis,
                    label=f"this is {size}",
                    labels=scope.trace((output, axis)),
                )

    def _check_use(self, output: Signal, expected: Expected) -> None:
        """Reports a problem if the output shape of a use of a block differs from the one that the block declares."""
        wanted = self.shape(expected.shape)
        if wanted != output.shape:
            message = f"{expected.name} gives {show(output.shape)}, expected is {show(wanted)}"
            axes = [i for i, (a, b) in enumerate(zip(wanted, output.shape, strict=False)) if a != b]
            origins = history([output.origins[axes[0] if axes else -1]])
            labels = [label for origin in origins for label in self.origin_label(origin)]
            self._report(Problem("NW0310", message, expected.place, labels=labels))

    # Arrays.

    def checked_lengths(self, lengths: Tensor, steps: DimLike) -> Tensor:
        """Lengths of sequences of at most ``steps`` steps; any other length is an error at run time."""
        attrs = WithinAttributes(steps + 1, LENGTH_OUT_OF_RANGE)
        known = self._checked.get((lengths, steps))
        checked = self._checked.setdefault((lengths, steps), known or lengths.apply("within", attrs=attrs))
        name = next((ref.name for ref, own in self.signals.items() if own.tensor == lengths), None)
        if self.bounded and name in self.spec.inputs:
            self.longest[checked] = dim_min(steps, self._longest_dim(name))
        return checked

    def steps_of(self, signal: Signal) -> DimLike:
        """How many steps of a sequence [N, T, …] are worth computing: in those after them, no sample goes on."""
        steps = signal.shape[1]
        return steps if signal.lengths is None else self.longest.get(signal.lengths, steps)

    def first_element(self, shape: Shape) -> DimLike:
        """Where in the array of the whole batch an array [N, …] begins that belongs to a part of the batch. Raises
        ShapeError if it does not have equally many elements per sample.
        """
        if self.first_row is None:
            return 0
        batch = next(signal.shape[0] for ref, signal in self.signals.items() if ref.name in self.spec.inputs)
        each = exact_div(product(shape), batch)
        if each is None:
            raise ShapeError(f"{show(shape)} can't be divided among processes: its samples differ in size")
        return (dim(self.first_row) - 1) * each

    def _longest_dim(self, name: str) -> Dim:
        """The dim that stands for the largest number in an input of lengths."""
        known = next((own for own, lengths in self.longest_of.items() if lengths == name), None)
        if known is None:
            known = f"longest_{name}"
            while known in self.ranges:
                known += "_"
            self.longest_of[known], self.ranges[known] = name, (1, None)
        return dim(known)

    def parameter(
        self,
        scope: Scope,
        name: str,
        shape: tuple[int, ...],
        initializers: tuple[InitializerSpec, ...],
        statistic: bool,
        dtype: str | None = None,
    ) -> Tensor:
        """The graph's input for a parameter, declared at first use; or the value that another layer computes
        for it."""
        if name in scope.spec.weights:
            return self._computed(scope, name, TensorType(dtype or self.dtype, shape))
        full_name = f"{scope.owner}.{name}"
        scope.parameters.append(full_name)
        type = TensorType(dtype or self.dtype, shape)
        known = self.parameters.get(full_name)
        if scope.spec.share:
            self._sharers.append((full_name, scope))
        if known is not None and known.type != type:
            span = self.load.layer_span(scope.name, "share")
            if not scope.spec.share:
                span = next(
                    self.load.layer_span(sharer.name, "share")
                    for at, sharer in self._sharers
                    if at == full_name
                )
            message = f"{full_name} is {show(known.type.shape)} in one layer and {show(shape)} in the other"
            labels = [(self.load.layer_span(scope.owner), f"{scope.owner} owns the parameters")]
            raise Problem("NW0312", message, span, labels=labels)
        role = "statistic" if statistic else "parameter"
        if known is None or not scope.spec.share:  # the owner's initializers count
            frozen = self.frozen(scope.owner, name)
            self.parameters[full_name] = Parameter(full_name, type, role, initializers, scope.owner, frozen)
        return self._buffer(full_name, type, role)

    def frozen(self, layer: str, name: str) -> bool:
        """Whether training leaves a layer's parameter or statistic as it is."""
        spec, entry = self._spec_of.get(layer), self.load.entries.get(layer)
        if (spec and not spec.trainable) or (entry and entry.placement.frozen):
            return True
        return self.spec.train is not None and matched(f"{layer}.{name}", self.spec.train.freeze)

    def _computed(self, scope: Scope, name: str, type: TensorType) -> Tensor:
        """A parameter that another layer computes. Raises Problem if it has another type."""
        signal = scope.given[f"{WEIGHTS}{name}"]
        scope.computed.add(name)
        if signal.tensor.type != type:
            wanted, actual = show_type(type.dtype, type.shape), show_type(signal.dtype, signal.shape)
            message = f"{name} is {wanted}, this is {actual}"
            raise scope.problem("NW0308", message, "weights", name, labels=scope.blame(signal))
        return signal.tensor

    def _check_shared(self) -> None:
        owned = {
            name for layer in self.layers for name in layer.parameters if name.startswith(f"{layer.name}.")
        }
        expanded = {layer.name for layer in self.layers}
        blamed = set()
        for name, scope in self._sharers:
            if scope.owner in expanded and name not in owned and scope.name not in blamed:
                blamed.add(scope.name)
                span = self.load.layer_span(scope.name, "share")
                labels = [(self.load.layer_span(scope.owner), "this layer")]
                message = f"{scope.owner} has no parameter {name.removeprefix(f'{scope.owner}.')} to share"
                self._report(Problem("NW0312", message, span, labels=labels))

    def state(self, name: str, type: TensorType, initial: int | float = 0) -> Tensor:
        """The graph's input for a state, declared at first use."""
        self.states[name] = State(type, initial)
        return self._buffer(name, type, "state")

    def declared_input(self, name: str, type: TensorType) -> Tensor:
        """The graph's input for an input of the model."""
        return self._buffer(name, type, "input")

    def _buffer(self, name: str, type: TensorType, role: str) -> Tensor:
        known = self.graph.inputs.get(name)
        return Tensor(self.graph, self.graph.input(name, type, role) if known is None else known)

    def layer(self, name: str) -> LayerSpec | None:
        """The layer of the spec with this name; None for an input."""
        return self._spec_of.get(name)

    def mean_of(self, layer: str) -> Tensor:
        """The statistic `mean` of a layer."""
        return Tensor(self.graph, self.graph.inputs[f"{layer}.mean"])

    def origin_label(self, origin: Origin) -> list[Label]:
        """An origin as a secondary label."""
        if origin.name in self.load.entries:
            text = f"{origin.name} {origin.text}" if "." in origin.name else origin.text
            return [(self.load.layer_span(origin.name), text)]
        return [(self.load.span(("inputs", origin.name), key=True), origin.text)]


def model_dtype(load: LoadResult) -> str:
    """The float dtype of a model: the one written in the spec, else that of its first float input, else float32."""
    assert load.partial is not None
    if load.partial.dtype is not None:
        return load.partial.dtype
    dtypes = [spec.dtype for spec in load.partial.inputs.values() if spec.dtype in FLOATS]
    return dtypes[0] if dtypes else "float32"
