"""What holds machine code of this process: it can be closed, but not copied."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NoReturn, Self


class InProcess(ABC):
    """Closes at the end of its ``with`` block. Pickling and copying raise TypeError, which says what can be sent."""

    @abstractmethod
    def close(self) -> None:
        """Frees memory and threads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} is machine code in this process, which can't be copied or pickled: send the "
            "Model and Program.weights and compile there, or a BatchPredictor, which does that"
        )
