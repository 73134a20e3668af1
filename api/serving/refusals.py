"""What a request is refused with."""

from __future__ import annotations


class Refusal(Exception):
    """A request that is not answered: the HTTP status, and a message for the client."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status
        self.message = message
