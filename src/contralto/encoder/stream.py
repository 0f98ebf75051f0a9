"""Prepare work ahead in threads and hand it over in order, in bounded memory. (Pillow decodes without the GIL.)"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from contralto.engine.cpus import available_cpus

T = TypeVar("T")
R = TypeVar("R")

MAX_THREADS = 8


def prepare_ahead(work: Callable[[T], R], items: Iterable[T], max_ahead: int) -> Generator[R, None, None]:
    """work(item) for each item, in order. While the caller uses one result, up to `max_ahead` more are prepared.

    `items` is read as needed and in the caller's thread. When the iterator ends, is closed, or raises (Ctrl-C too),
    work that has not begun is dropped, and all threads have ended before it returns.
    """
    source = iter(items)
    first = list(itertools.islice(source, 2))
    if len(first) < 2:  # a thread costs more than it saves
        yield from map(work, first)
        return
    pool = ThreadPoolExecutor(min(available_cpus(), MAX_THREADS), thread_name_prefix="contralto-pictures")
    begin: Callable[[Callable[[T], R], T], Future[R]] = pool.submit
    try:
        waiting: deque[Future[R]] = deque()
        for item in itertools.chain(first, source):
            try:
                waiting.append(begin(work, item))
            except RuntimeError:  # no thread can start for lack of memory: work in the caller's thread from here on
                begin = _now
                waiting.append(begin(work, item))
            if len(waiting) > max_ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _now(work: Callable[[T], R], item: T) -> Future[R]:
    done: Future[R] = Future()
    done.set_result(work(item))
    return done


def windows(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` neighbours; the last may be shorter."""
    source = iter(items)
    while window := list(itertools.islice(source, size)):
        yield window
