"""The one thread that writes: takes statements from a bounded queue and commits them in batches.

A batch is what comes in 50 ms, or until somebody waits for its end, 200 statements at most. It is one transaction; when it
fails, each of its statements is tried alone, so that a bad row costs that row. Nobody waits for room in a full queue.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
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
        self._queue: queue.SimpleQueue[_Write] = queue.SimpleQueue()
        self._queue_size = queue_size
        self._is_awaited = threading.Event()
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="storage", daemon=True)
        self._thread.start()

    def write_behind(self, statement: str, values: tuple[Value, ...]) -> None:
        """Queue a statement and return; what can't be queued or written is counted in `lost`."""
        if self._queue.qsize() >= self._queue_size:
            self._lose("the queue of the database is full")
        else:
            self._queue.put(_Write(statement, values))

    def write(self, statement: str, values: tuple[Value, ...], timeout_s: float) -> None:
        """Write and wait until it is committed. Raises sqlite3.Error, TimeoutError when it takes too long."""
        done: Future[None] = Future()
        self._queue.put(_Write(statement, values, done))
        self._is_awaited.set()
        done.result(timeout_s)

    def flush(self, timeout_s: float) -> None:
        """Wait until everything queued so far has been dealt with. Raises TimeoutError."""
        self.write("", (), timeout_s)

    def close(self, timeout_s: float) -> None:
        """Write what is left and close the database. Raises TimeoutError when the thread does not end."""
        self._queue.put(_STOP)
        self._is_awaited.set()
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
        if self._queue.qsize() < BATCH_SIZE:
            self._is_awaited.wait(BATCH_S)
        self._is_awaited.clear()
        while len(batch) < BATCH_SIZE and batch[-1] is not _STOP and not self._queue.empty():
            batch.append(self._queue.get())
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
