"""What a server counts and measures, for Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, Info, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

_SECONDS = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class _Histogram(Collector):
    """How many values are in each of some ranges. That of prometheus_client takes a lock for each value, which costs as
    much as a small network; these belong to one event loop.
    """

    def __init__(self, name: str, help: str, bounds: Sequence[float], registry: CollectorRegistry):
        self._name, self._help, self._bounds = name, help, bounds
        self._counts, self._sum = [0] * (len(bounds) + 1), 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        bounds = [*map(str, map(float, self._bounds)), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._help, buckets=buckets, sum_value=self._sum)


class _Answers(Collector):
    """How many requests were answered with each status: a counter without a lock, as the histograms are."""

    def __init__(self, name: str, help: str, registry: CollectorRegistry):
        self._name, self._help = name, help
        self.counts: dict[int, int] = {}
        registry.register(self)

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._help, labels=["status"])
        for status, count in self.counts.items():
            family.add_metric([str(status)], count)
        yield family


class Measures:
    """The numbers of one server, each with its own registry."""

    content_type = CONTENT_TYPE_LATEST.encode()

    def __init__(self, model: str, version: str):
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("netwright_model", "The model that is served", registry=registry).info(
            {"model": model, "version": version}
        )
        self._requests = _Answers("netwright_requests", "Requests for answers, by HTTP status", registry)
        self._request = _Histogram(
            "netwright_request_seconds",
            "From a request's head to its answer",
            _SECONDS,
            registry,
        )
        self._wait = _Histogram(
            "netwright_wait_seconds", "How long the first request of a batch waited", _SECONDS, registry
        )
        self._compute = _Histogram("netwright_compute_seconds", "Computing a batch", _SECONDS, registry)
        self._batch = _Histogram("netwright_batch_samples", "Samples in a batch", _SAMPLES, registry)

    def watch(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Adds a number that is asked for when all are read."""
        Gauge(f"netwright_{name}", help, registry=self._registry).set_function(value)

    def answered(self, status: int, seconds: float) -> None:
        """Counts a request."""
        counts = self._requests.counts
        counts[status] = counts.get(status, 0) + 1
        self._request.observe(seconds)

    def computed(self, seconds: float, samples: int, waited: float) -> None:
        """Measures a batch whose first request waited so many seconds."""
        self._compute.observe(seconds)
        self._batch.observe(samples)
        self._wait.observe(waited)

    def text(self) -> bytes:
        """All numbers in the format that Prometheus reads."""
        return generate_latest(self._registry)
