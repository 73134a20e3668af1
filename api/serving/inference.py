"""Requests for answers: read, computed when it is their turn, and written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

import numpy as np

from ..prediction.inputs import texts_of
from ..program import Program
from .answers import Answer, Headers, failed
from .bodies import Bodies, Receive
from .description import VERSION, inputs_of, model_metadata, outputs_of
from .heads import Head, lengths
from .joining import Arrays, joining
from .limits import Limits
from .measures import Measures
from .messages import InferRequest, Messages
from .scheduling import Scheduler
from .sequences import Sequences


class Inference:
    """Answers by a program. Raises RequestError if it has to serve sequences and can't be computed step by step.

    ``metadata`` is what `/v2/models/NAME` answers. ``bodies`` and ``sequences`` outlive the program, if another one
    takes its place.
    """

    def __init__(
        self, program: Program, limits: Limits, measures: Measures, bodies: Bodies, sequences: Sequences
    ):
        self.name = program.manifest.model
        inputs = inputs_of(program.session)
        outputs = outputs_of(program.session, program.network.outputs)
        of_text = texts_of(program.load, program.network, program.vocabularies)
        self.metadata = model_metadata(self.name, inputs, outputs, of_text)
        dtypes = [{info.name: np.dtype(info.dtype) for info in some} for some in (inputs, outputs)]
        self._messages = Messages(self.name, VERSION, dtypes[0], dtypes[1], of_text)
        self._measures, self._bodies, self._sequences = measures, bodies, sequences
        self._scheduler = Scheduler(
            program.predicted,
            joining(program.manifest, list(dtypes[0]), list(dtypes[1]), limits.batch),
            measures,
            delay=limits.delay,
            most_waiting=limits.waiting,
        )
        self._stream = program.stream
        if limits.sequences:
            program.stream()  # compiles

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._scheduler.waiting

    def close(self) -> None:
        """Ends the thread that computes. No request may be in progress."""
        self._scheduler.close()

    async def answer(self, headers: Headers, receive: Receive) -> Answer:
        """The answer to a request. Raises Refusal, InputError, and what the program raises; Disconnected if the client
        is gone.
        """
        length, json_length = lengths(headers)
        body = await self._bodies.read(length, receive)
        with self._bodies.holding(body):
            request = self._messages.read(body, json_length)
            return self._messages.write(request, await self._computed(request))

    def take(self, head: Head, body: bytes, *, alone: bool, answer: Callable[[Answer], None]) -> bool:
        """Has ``answer`` called with the answer to a request, now or later. False for one that ``answer`` above has to
        take. ``alone`` says that there is no other connection.

        Spares requests the tasks and events that carry them through ASGI, which take longer than small networks.
        """
        if head.length > self._bodies.most:
            return False
        begun = perf_counter()
        try:
            request = self._messages.read(body, head.json_length)
            if request.form.sequence is not None:
                return False
            outputs = self._scheduler.at_once(request.arrays, alone=alone)
            if outputs is None:
                future = self._scheduler.predict(request.arrays)
                self._bodies.held += len(body)
                future.add_done_callback(lambda done: self._end(request, done, begun, len(body), answer))
                return True
            made = self._messages.write(request, outputs)
        except Exception as error:
            made = failed(error)
        self._answer(made, begun, answer)
        return True

    def _end(
        self,
        request: InferRequest,
        done: asyncio.Future[Arrays],
        begun: float,
        held: int,
        answer: Callable[[Answer], None],
    ) -> None:
        """Answers a request that has waited."""
        self._bodies.held -= held
        if done.cancelled():
            return
        try:
            made = self._messages.write(request, done.result())
        except Exception as error:
            made = failed(error)
        self._answer(made, begun, answer)

    def _answer(self, made: Answer, begun: float, answer: Callable[[Answer], None]) -> None:
        self._measures.answered(made.status, perf_counter() - begun)
        answer(made)

    async def _computed(self, request: InferRequest) -> Arrays:
        step = request.form.sequence
        if step is None:
            return await self._scheduler.predict(request.arrays)
        known = self._sequences.begin(step, self._stream)
        try:
            return await self._scheduler.alone(request.arrays, known.push)
        finally:
            self._sequences.end(known)
