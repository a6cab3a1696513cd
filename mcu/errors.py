"""The errors of the meeting server. A message says what was expected and what came; never a secret."""

from __future__ import annotations


class McuError(Exception):
    """Base of all errors of this package."""


class ProtocolError(McuError):
    """Bytes between control and a worker that are no message of ours."""


class ConfigError(McuError):
    """The configuration can't be used; the text names file, line and key."""


class StorageError(McuError):
    """The database can't be opened, read or written; the text says what to do about it."""


class CommandError(McuError):
    """A command that can't be carried out now (an unknown room, a taken name); the text is for a person."""


class UsageError(CommandError):
    """A command that makes no sense whatever the state: a bad name, a PIN with letters, an unknown verb."""


class UnknownError(CommandError):
    """A command about somebody or something that is not there."""


class ForbiddenError(CommandError):
    """A command of somebody who may not give it."""
