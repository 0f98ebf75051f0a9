"""Progress of long work, as log records. Any program can show them; the command line shows a bar."""

from __future__ import annotations

import logging

LOG = logging.getLogger("contralto")


def log_progress(stage: str, done: int, total: int, now: str = "") -> None:
    """Logs a record (INFO) with the fields stage, done and total. now: the current item, for the message.

    All records of one piece of work have the same stage. In the last record, done equals total.
    """
    LOG.info(f"{stage}: {now}" if now else stage, extra={"stage": stage, "done": done, "total": total})
