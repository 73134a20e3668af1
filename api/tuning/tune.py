"""Chooses plans by measuring them: first the algorithms of convolutions, then the tiles of all products.

Every product of the network is compiled with its plan by cost and with those that come next. One program has the n-th
plan of each product, so that as many programs are enough as a product has plans. Programs run in turns, and the
medians of their kernels' times are compared: where the kernels of a network run, with its caches and its data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from netwright.compiler.codegen.jit import Recorder
from netwright.compiler.codegen.objects.cache import ObjectCache, default_cache
from netwright.compiler.codegen.objects.stored import program_key
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target, host_target
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.loop import ir
from netwright.compiler.lowering.tiles.plans import Planned
from netwright.compiler.machine import Machine
from netwright.compiler.observers import Choice, Observer
from netwright.compiler.pipeline import run
from netwright.compiler.tuning import Algorithm, TileChoice, Tuning, TuningError

from ..errors import RequestError
from .file import (
    Convolution,
    MachinePlans,
    Measured,
    Product,
    TuningFile,
    machine_name,
    parse_tuning,
    plans_for,
    written_tuning,
)
from .measure import Trial

#: Rounds of measurement, how long a program is called in each, and at least and at most how often.
ROUNDS, SECONDS, CALLS = 7, 0.01, (2, 100)
#: A plan has to save so much of the time of the plan by cost to be chosen.
LEAST_GAIN = 0.03
#: The entries whose kernels are measured.
ENTRIES = ("predict", "train_step")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Tuned:
    """The plans, how many products and convolutions have others than by cost, and the seconds of all kernels per
    call before and after (0 where the plans come from the cache)."""

    plans: MachinePlans
    changed: int
    total: int
    before: float = 0.0
    after: float = 0.0

    def __str__(self) -> str:
        text = f"{self.changed} of {self.total} products have other plans than by cost"
        if not self.before:
            return f"{text} (measured before)"
        return f"{text}: {self.before * 1e6:,.1f} µs became {self.after * 1e6:,.1f} µs in kernels"


def tuned_machine(machine: Machine, plans: MachinePlans) -> Machine:
    """The machine with plans, and with the caches for which they were made: so that the code is the same wherever it
    is compiled."""
    return replace(machine, l1_bytes=plans.l1_bytes, l2_bytes=plans.l2_bytes, tuning=plans.tuning())


def tune(
    network: Network,
    graphs: Mapping[str, Graph],
    target: Target,
    *,
    dims: Mapping[str, int] | None = None,
    progress: Progress = lambda text: None,
) -> Tuned:
    """Measures the plans of a network's products on this computer, unless the cache has them. ``dims`` are the open
    sizes to measure with. Raises RequestError for another computer's target, and if there is nothing to run."""
    if target != host_target():
        raise RequestError(
            f"plans for {machine_name(target)} can't be measured here, on {machine_name(host_target())}: "
            "tune there, and give the file with --tuning"
        )
    running = {name: graph for name, graph in graphs.items() if name in ENTRIES}
    if not running:
        raise RequestError(f"tuning runs {' or '.join(ENTRIES)}, and there is {', '.join(graphs)}")
    cache = default_cache()
    texts = [text for name, graph in running.items() for text in (name, str(graph))]
    key = program_key("tuning", repr(target), repr(describe(target)), network.math, repr(dims), *texts)
    known = _known(cache, key, target)
    if known is not None:
        return known
    search = _Search(network, running, describe(target), dims or {}, progress)
    made = search.run()
    if cache is not None and cache.usable:
        cache.put(key, written_tuning(TuningFile(machines={machine_name(target): made.plans})))
    return made


def _known(cache: ObjectCache | None, key: str, target: Target) -> Tuned | None:
    content = cache.get(key) if cache is not None and cache.usable else None
    if content is None:
        return None
    try:
        plans = plans_for(parse_tuning(content, "the cache"), target, "the cache")
    except TuningError:
        return None
    return _counted(plans)


def _counted(plans: MachinePlans, before: float = 0.0, after: float = 0.0) -> Tuned:
    each = [*plans.products.values(), *plans.convolutions.values()]
    changed = sum(plan.measured is not None and plan.measured.ns < plan.measured.by_cost_ns for plan in each)
    return Tuned(plans, changed, len(each), before, after)


@dataclass
class _Algorithms(Observer):
    """Records between which algorithms there is a choice."""

    choices: list[Choice] = field(default_factory=list)

    def chose(self, choice: Choice) -> None:
        if choice.signature:
            self.choices.append(choice)


@dataclass
class _Search:
    network: Network
    graphs: Mapping[str, Graph]
    machine: Machine
    dims: Mapping[str, int]
    progress: Progress
    recorder: Recorder = field(default_factory=Recorder)

    def run(self) -> Tuned:
        convolutions = self._convolutions()
        chosen: dict[str, Algorithm] = {name: each.algorithm for name, each in convolutions.items()}
        algorithms = tuple(sorted(chosen.items()))
        products = self._products(algorithms)
        plans = MachinePlans(
            l1_bytes=self.machine.l1_bytes,
            l2_bytes=self.machine.l2_bytes,
            products=products,
            convolutions=convolutions,
        )
        self.progress("comparing all plans together")
        by_cost, trial = self._trial(Tuning(algorithms=algorithms)), self._trial(plans.tuning())
        self._measure([by_cost, trial])
        pays = trial.seconds < by_cost.seconds
        plans = plans.model_copy(update={"products": self._confirmed(products, by_cost, trial, pays)})
        return _counted(plans, by_cost.seconds, min(trial.seconds, by_cost.seconds))

    def _confirmed(
        self, products: Mapping[str, Product], by_cost: Trial, trial: Trial, pays: bool
    ) -> dict[str, Product]:
        """The products whose plans are still faster when all are measured again, if together they pay; the others by
        cost. Of many plans that take the same time, the one that seems to be the fastest was only lucky."""
        usual, times = self._totals(by_cost), self._totals(trial)
        made: dict[str, Product] = {}
        for name, product in products.items():
            (choice, ns), now = usual[name], times[name][1]
            if now >= ns or not pays:
                made[name] = _product(choice, Measured(ns=ns, by_cost_ns=ns))
            else:
                made[name] = product.model_copy(update={"measured": Measured(ns=now, by_cost_ns=ns)})
        return made

    def _totals(self, trial: Trial) -> dict[str, tuple[TileChoice, int]]:
        """Each product's choice in a program, and its nanoseconds."""
        made: dict[str, tuple[TileChoice, int]] = {}
        for planned, ns in self._planned(trial):
            _, before = made.get(planned.signature, (None, 0))
            made[planned.signature] = planned.choice, before + ns
        return made

    def _trial(self, tuning: Tuning) -> Trial:
        return Trial(self.network, self.graphs, replace(self.machine, tuning=tuning), self.dims)

    def _measure(self, trials: list[Trial]) -> None:
        for trial in trials:
            trial.run(self.recorder, 3)
        least, most = CALLS
        calls = max(least, min(most, round(SECONDS / max(min(trial.seconds for trial in trials), 1e-6))))
        for _ in range(ROUNDS):
            for trial in trials:
                trial.run(self.recorder, calls)

    def _convolutions(self) -> dict[str, Convolution]:
        """The algorithms of convolutions that have a choice."""
        watch = _Algorithms()
        run(self.graphs, self.machine, math=self.network.math, steady=self.network.has_time, observer=watch)
        if not watch.choices:
            return {}
        names: list[Algorithm] = ["direct", "F(2, 3)", "F(4, 3)"]
        signatures = list(dict.fromkeys(choice.signature for choice in watch.choices))
        trials: list[Trial] = []
        for name in names:
            self.progress(f"convolutions: compiling {name}")
            trials.append(self._trial(Tuning(algorithms=tuple((each, name) for each in sorted(signatures)))))
        self.progress("convolutions: measuring")
        self._measure(trials)
        layers = {name: set[str]() for name in signatures}
        by_cost: dict[str, str] = {}
        for choice in watch.choices:
            layers[choice.signature].add(choice.node.layer)
            by_cost[choice.signature] = choice.algorithm
        made: dict[str, Convolution] = {}
        for signature, own in layers.items():
            ns = [
                sum(time for call, time in trial.times() if own & set(call.info.layers)) for trial in trials
            ]
            usual = next(i for i, name in enumerate(names) if by_cost[signature].endswith(name))
            best = _best(ns, usual)
            made[signature] = Convolution(
                algorithm=names[best], measured=Measured(ns=ns[best], by_cost_ns=ns[usual])
            )
        return made

    def _products(self, algorithms: tuple[tuple[str, Algorithm], ...]) -> dict[str, Product]:
        """The tiles of products."""
        self.progress("products: compiling the plans by cost")
        base = self._trial(Tuning(algorithms=algorithms))
        plans: dict[str, Planned] = {}
        for call, _ in self._planned(base):
            plans.setdefault(call.signature, call)
        choices = {name: (plan.choice, *plan.others) for name, plan in plans.items()}
        count = max(map(len, choices.values()), default=0)
        trials = [base]
        for number in range(1, count):
            self.progress(f"products: compiling plan {number + 1} of {count}")
            tiles = tuple(sorted((n, own[min(number, len(own) - 1)]) for n, own in choices.items()))
            trials.append(self._trial(Tuning(tiles, algorithms)))
        self.progress("products: measuring")
        self._measure(trials)
        times: dict[str, dict[TileChoice, int]] = {name: {} for name in choices}
        for trial in trials:
            for name, (choice, ns) in self._totals(trial).items():
                times[name].setdefault(choice, ns)
        made: dict[str, Product] = {}
        for name, measured in times.items():
            usual = plans[name].choice
            best = min(measured, key=lambda choice: measured[choice])
            if measured[best] > (1 - LEAST_GAIN) * measured[usual]:
                best = usual
            made[name] = _product(best, Measured(ns=measured[best], by_cost_ns=measured[usual]))
        return made

    def _planned(self, trial: Trial) -> list[tuple[Planned, int]]:
        timed = [
            (call.info.planned, ns) for call, ns in (trial.times() if trial.has_run else _untimed(trial))
        ]
        return [(planned, ns) for planned, ns in timed if planned is not None and planned.is_tunable]


def _untimed(trial: Trial) -> list[tuple[ir.Call, int]]:
    return [(call, 0) for calls in trial.calls.values() for call in calls if call is not None]


def _product(choice: TileChoice, measured: Measured) -> Product:
    return Product(
        rows=choice.rows,
        vectors=choice.vectors,
        depth=choice.depth,
        steps=choice.steps,
        prefetch=choice.prefetch,
        plan=str(choice),
        measured=measured,
    )


def _best(ns: list[int], usual: int) -> int:
    """The fastest, if it is faster than the ``usual`` one by enough."""
    best = min(range(len(ns)), key=lambda i: ns[i])
    return best if ns[best] <= (1 - LEAST_GAIN) * ns[usual] else usual
