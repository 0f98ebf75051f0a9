"""Work done ahead in threads, and what becomes of it where there are none to be had."""

from __future__ import annotations

import threading

import pytest

from contralto.encoder.stream import prepare_ahead


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_where_no_more_threads_can_be_started_the_work_goes_on(threads, monkeypatch):
    start, left = threading.Thread.start, threads

    def starved(thread):
        nonlocal left
        if not left:
            raise RuntimeError("can't start new thread")
        left -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", starved)
    monkeypatch.setattr("contralto.encoder.stream.available_cpus", lambda: 4)
    assert list(prepare_ahead(lambda item: item * 2, range(100), 5)) == list(range(0, 200, 2))
