"""When the event loop waits awake for the next request."""

from __future__ import annotations

import asyncio
from math import inf

import pytest

from netwright.serving import awake
from netwright.serving.awake import Awake


def test_the_loop_stays_awake_after_an_answer_until_none_comes_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(awake, "processor_count", lambda: 2)

    async def asked() -> None:
        loop, waiting = asyncio.get_running_loop(), Awake()
        monkeypatch.setattr(awake, "AWAKE", inf)
        monkeypatch.setattr(awake, "INTERRUPTED", inf)
        for _ in range(3):
            waiting.answered(loop)
            for _ in range(5):
                await asyncio.sleep(0)
                assert waiting.active
        monkeypatch.setattr(awake, "AWAKE", 0.0)
        monkeypatch.setattr(awake, "FIRST_PAUSE", inf)
        waiting.answered(loop)
        await asyncio.sleep(0)
        assert not waiting.active
        waiting.answered(loop)  # for a while it is not tried again
        assert not waiting.active

    asyncio.run(asked())


def test_pauses_grow_while_it_is_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "processor_count", lambda: 2)
    monkeypatch.setattr(awake, "AWAKE", 0.0)
    monkeypatch.setattr(awake, "FIRST_PAUSE", 1e-9)
    monkeypatch.setattr(awake, "LONGEST_PAUSE", inf)

    async def tries() -> int:
        loop, waiting, made = asyncio.get_running_loop(), Awake(), 0
        for _ in range(300):
            waiting.answered(loop)
            made += waiting.active
            await asyncio.sleep(0)
        return made

    assert 1 <= asyncio.run(tries()) < 60


def test_a_processor_that_others_need_is_left_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "processor_count", lambda: 2)
    monkeypatch.setattr(awake, "AWAKE", inf)
    monkeypatch.setattr(awake, "INTERRUPTED", 0.0)  # any turn takes longer
    monkeypatch.setattr(awake, "LONGEST_PAUSE", inf)

    async def asked() -> list[bool]:
        loop, waiting, active = asyncio.get_running_loop(), Awake(), []
        for _ in range(2):
            waiting.answered(loop)
            active.append(waiting.active)
            await asyncio.sleep(0.001)
        return [*active, waiting.active]

    assert asyncio.run(asked()) == [True, False, False]


def test_a_single_processor_is_left_to_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "processor_count", lambda: 1)

    async def asked() -> bool:
        waiting = Awake()
        waiting.answered(asyncio.get_running_loop())
        return waiting.active

    assert not asyncio.run(asked())
