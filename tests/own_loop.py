"""Runs a coroutine in a thread of its own.

Playwright's synchronous API leaves an event loop running in the thread of the tests, so `asyncio.run` fails there once a test
of the browser has run in the same process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
