"""One answer for all who ask the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Asks a slow question in a thread of its own, and gives its answer to those who ask meanwhile too.

    The server's pool may be full when somebody wants to know whether all is well. Lives in one event loop.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "shared question")
        self._asked: asyncio.Future[T] | None = None

    async def ask(self, question: Callable[[], T]) -> T:
        if self._asked is None or self._asked.done():
            self._asked = asyncio.get_running_loop().run_in_executor(self._thread, question)
        return await asyncio.shield(self._asked)
