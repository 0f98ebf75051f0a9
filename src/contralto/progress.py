"""How far long work is, told through the log: a program that shows logs shows that, and the command line a bar."""

from __future__ import annotations

import logging

LOG = logging.getLogger("contralto")


def tell(stage: str, done: int, total: int, now: str = "") -> None:
    """Logs a record (INFO) with the fields stage, done and total. now: what is being done at the moment.

    stage stays the same from the first record to the last, whose done is total.
    """
    LOG.info(f"{stage}: {now}" if now else stage, extra={"stage": stage, "done": done, "total": total})
