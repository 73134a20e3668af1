"""The server as an application of ASGI: what each path answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, TypeAlias
from urllib.parse import unquote

from ..errors import RequestError
from ..program import Program
from ..version import VERSION as NETWRIGHT
from .answers import Answer, failed, refused, told
from .awake import Awake
from .bodies import Bodies, Disconnected, Receive
from .description import VERSION, server_metadata
from .inference import Inference
from .limits import Limits
from .measures import Measures
from .refusals import Refusal
from .sequences import Sequences

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application:
    """Serves a program by the Open Inference Protocol. Raises RequestError if it has to serve sequences and can't be
    computed step by step.

    ``ready`` is what `/v2/health/ready` tells: set it to False before the end. ``take`` is a short way for
    requests to ``infer_paths`` (``Inference.take``).
    """

    def __init__(self, program: Program, limits: Limits | None = None):
        self.ready = True
        self._limits = limits = limits or Limits()
        self._name = name = program.manifest.model
        self._bodies = Bodies(limits.body)
        self.awake = Awake()
        self._sequences = Sequences(limits.sequences, limits.sequence_timeout)
        self._measures = measures = Measures(name, VERSION)
        self._inference = self.prepared(program)
        self.take = self._inference.take
        self.infer_paths = {
            f"/v2/models/{name}/infer",
            f"/v2/models/{name}/versions/{VERSION}/infer",
        }
        measures.watch("ready", "1 while the server takes requests", lambda: self.ready)
        measures.watch("waiting_requests", "Requests that wait", lambda: self._inference.waiting)
        measures.watch("sequences", "Sequences in progress", lambda: len(self._sequences))
        measures.watch("body_bytes", "Bytes of requests that are held", lambda: self._bodies.held)

    def prepared(self, program: Program) -> Inference:
        """What ``replace`` takes, made of another program. Takes long, but can be called in another thread."""
        return Inference(program, self._limits, self._measures, self._bodies, self._sequences)

    def replace(self, inference: Inference) -> None:
        """Answers requests that come from now on by another program; those in progress, and sequences that have begun,
        by the one that they began with. Raises RequestError for one of another name.
        """
        if inference.name != self._name:
            raise RequestError(f"the spec is now called {inference.name!r}: this server has {self._name!r}")
        self._inference = inference
        self.take = inference.take

    def close(self) -> None:
        """Ends the thread that computes. No request may be in progress."""
        self._inference.close()

    def forget_idle(self) -> None:
        """Forgets sequences that were idle for too long; to be called now and then."""
        self._sequences.forget_idle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            raise ValueError(f"only http is served, not {scope['type']}")
        infers = scope["path"] in self.infer_paths
        begun = perf_counter()
        try:
            if infers and scope["method"] == "POST":
                answer = await self._inference.answer(scope["headers"], receive)
            else:
                answer = self._told(scope["path"], scope["method"])
        except Disconnected:
            return
        except Exception as error:
            answer = failed(error)
        if infers:
            self._measures.answered(answer.status, perf_counter() - begun)
        start = {"type": "http.response.start", "status": answer.status, "headers": answer.all_headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

    def _told(self, path: str, method: str) -> Answer:
        """What the server tells about itself and its model. Raises Refusal."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        allowed = "GET, HEAD"
        match parts:
            case ["metrics"]:
                content: Any = None
            case ["v2"]:
                content = server_metadata(NETWRIGHT)
            case ["v2", "health", "live"]:
                content = {"live": True}
            case ["v2", "health", "ready"]:
                content = {"ready": self.ready}
            case ["v2", "models", name, *rest]:
                content, allowed = self._model_told(name, rest), "POST" if rest[-1:] == ["infer"] else allowed
            case _:
                raise Refusal(404, f"there is no {path}: the paths are those of the Open Inference Protocol")
        if method not in allowed:
            refusal = Refusal(405, f"{path} takes {allowed}, not {method}")
            return refused(refusal, (b"allow", allowed.encode()))
        if content is None:
            return Answer(200, [(b"content-type", Measures.content_type)], self._measures.text())
        return told(content, 503 if content.get("ready") is False else 200)

    def _model_told(self, name: str, rest: list[str]) -> dict[str, Any]:
        if name != self._name:
            raise Refusal(404, f"there is no model {name!r}: this server has {self._name!r}")
        match rest:
            case ["versions", version, *_] if version != VERSION:
                raise Refusal(404, f"there is no version {version!r} of {name!r}: there is {VERSION!r}")
            case ["versions", _, *after]:
                rest = after
        match rest:
            case []:
                return self._inference.metadata
            case ["ready"]:
                return {"name": name, "ready": self.ready}
            case ["infer"]:
                return {}
        raise Refusal(404, f"there is no {'/'.join(rest)} of a model: there is ready and infer")
