"""The one thread that writes: takes statements from a bounded queue and commits them in batches.

A batch ends after 50 ms, at 200 statements, or at once when somebody waits for its end. It is one transaction; when it fails,
each of its statements is tried alone, so that a bad row costs that row. Nobody waits for room in a full queue.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

log = logging.getLogger(__name__)

BATCH_S = 0.05
BATCH_SIZE = 200
QUEUE_SIZE = 20_000
"""Statements that may wait: a registration storm of several seconds at the speed of a slow disk (5,000 rows a second)."""

Value = str | int | float | None

_FAILURES = (sqlite3.Error, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class _Write:
    statement: str
    values: tuple[Value, ...]
    done: Future[None] | None = None


_STOP = _Write("STOP", ())


class Writer:
    """Owns `database` from now on. explain: puts an error into words for the log."""

    def __init__(self, database: sqlite3.Connection, explain: Callable[[Exception], str], queue_size: int = QUEUE_SIZE) -> None:
        self.lost = 0
        self._database = database
        self._explain = explain
        self._queue: queue.Queue[_Write] = queue.Queue(queue_size)
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="storage", daemon=True)
        self._thread.start()

    def write_behind(self, statement: str, values: tuple[Value, ...]) -> None:
        """Queue a statement and return; what can't be queued or written is counted in `lost`."""
        try:
            self._queue.put_nowait(_Write(statement, values))
        except queue.Full:
            self._lose("the queue of the database is full")

    def write(self, statement: str, values: tuple[Value, ...], timeout_s: float) -> None:
        """Write and wait until it is committed. Raises sqlite3.Error, TimeoutError when it takes too long."""
        done: Future[None] = Future()
        try:
            self._queue.put(_Write(statement, values, done), timeout=timeout_s)
        except queue.Full:
            raise TimeoutError from None
        done.result(timeout_s)

    def flush(self, timeout_s: float) -> None:
        """Wait until everything queued so far has been dealt with. Raises TimeoutError."""
        self.write("", (), timeout_s)

    def close(self, timeout_s: float) -> None:
        """Write what is left and close the database. Raises TimeoutError when the thread does not end."""
        self._queue.put(_STOP, timeout=timeout_s)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError

    def _run(self) -> None:
        is_running = True
        while is_running:
            batch = self._next_batch()
            is_running = batch[-1] is not _STOP
            self._commit([write for write in batch if write is not _STOP])
        self._database.close()

    def _next_batch(self) -> list[_Write]:
        batch = [self._queue.get()]
        ends_at = time.monotonic() + BATCH_S
        while len(batch) < BATCH_SIZE and batch[-1].done is None and batch[-1] is not _STOP:
            try:
                batch.append(self._queue.get(timeout=max(0.0, ends_at - time.monotonic())))
            except queue.Empty:
                break
        return batch

    def _commit(self, batch: list[_Write]) -> None:
        try:
            self._execute(batch)
        except _FAILURES as error:
            if len(batch) > 1:
                for write in batch:
                    self._commit([write])
            elif batch[0].done is not None:
                batch[0].done.set_exception(error)
            else:
                self._lose(self._explain(error))
        else:
            for write in batch:
                if write.done is not None:
                    write.done.set_result(None)

    def _execute(self, batch: list[_Write]) -> None:
        statements = [write for write in batch if write.statement]
        if not statements:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for write in statements:
                self._database.execute(write.statement, write.values)
            self._database.execute("COMMIT")
            self._is_failing = False
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def _lose(self, reason: str) -> None:
        self.lost += 1
        if not self._is_failing:
            self._is_failing = True
            log.error("calls or bindings can't be written and are lost", extra={"reason": reason})
