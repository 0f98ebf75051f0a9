"""How far work is, as records of the log."""

from __future__ import annotations

import logging

import pytest

from contralto import progress


@pytest.mark.parametrize(("now", "message"), [("", "100% of it"), ("a part", "100% of it: a part")])
def test_a_record_has_the_stage_and_the_numbers(caplog, now: str, message: str) -> None:
    caplog.set_level(logging.INFO, "contralto")
    progress.log_progress("100% of it", 2, 5, now)
    (record,) = caplog.records
    assert (record.stage, record.done, record.total) == ("100% of it", 2, 5)  # type: ignore[attr-defined]
    assert record.getMessage() == message
