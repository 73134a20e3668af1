"""What a server counts and measures, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    10.0,
)
_SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Measures:
    """The numbers of one server, each with its own registry."""

    content_type = CONTENT_TYPE_LATEST.encode()

    def __init__(self, model: str, version: str):
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("netwright_model", "The model that is served", registry=registry).info(
            {"model": model, "version": version}
        )
        self._requests = Counter(
            "netwright_requests", "Requests for answers, by HTTP status", ["status"], registry=registry
        )
        self._request = Histogram(
            "netwright_request_seconds",
            "From a request's last byte to the first of its answer",
            buckets=_SECONDS,
            registry=registry,
        )
        self._wait = Histogram(
            "netwright_wait_seconds",
            "How long the first request of a batch waited",
            buckets=_SECONDS,
            registry=registry,
        )
        self._compute = Histogram(
            "netwright_compute_seconds", "Computing a batch", buckets=_SECONDS, registry=registry
        )
        self._batch = Histogram(
            "netwright_batch_samples", "Samples in a batch", buckets=_SAMPLES, registry=registry
        )
        self._by_status: dict[int, Counter] = {}

    def watch(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Adds a number that is asked for when all are read."""
        Gauge(f"netwright_{name}", help, registry=self._registry).set_function(value)

    def answered(self, status: int, seconds: float) -> None:
        """Counts a request."""
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = self._requests.labels(str(status))
        counter.inc()
        self._request.observe(seconds)

    def computed(self, seconds: float, samples: int, waited: float) -> None:
        """Measures a batch whose first request waited so many seconds."""
        self._compute.observe(seconds)
        self._batch.observe(samples)
        self._wait.observe(waited)

    def text(self) -> bytes:
        """All numbers in the format that Prometheus reads."""
        return generate_latest(self._registry)
