"""SIGHUP: what of a configuration can change while the server runs, and what has to wait for a restart."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mcu.config import ServerConfig
from mcu.errors import ConfigError
from mcu.switchboard import Limits

log = logging.getLogger(__name__)

LIVE_KEYS = frozenset({"log_level", "log_format", "webhook", "max_calls", "max_calls_per_source", "max_rooms", "max_call_s",
                       "max_members", "grace_s", "succession_s", "drain_s"})
"""Keys that are taken into use at once; they hold for what begins from then on."""


def changed_keys(before: ServerConfig, after: ServerConfig) -> tuple[list[str], list[str]]:
    """The keys that differ: those that can be taken into use now, and those that need a restart."""
    keys = [key for key in ServerConfig.model_fields if getattr(before, key) != getattr(after, key)]
    return [key for key in keys if key in LIVE_KEYS], [key for key in keys if key not in LIVE_KEYS]


def limits_of(config: ServerConfig) -> Limits:
    """How much the server takes on."""
    return Limits(config.max_calls, config.max_calls_per_source, config.max_rooms, config.max_call_s, config.max_members,
                  config.grace_s, config.succession_s)


def read_again(before: ServerConfig, reread: Callable[[], ServerConfig]) -> ServerConfig | None:
    """The configuration with what can change now, and words in the log about the rest; None when it is wrong or as before."""
    try:
        after = reread()
    except ConfigError as error:
        log.error("the configuration is wrong, the one of before stays", extra={"reason": str(error)})
        return None
    now, later = changed_keys(before, after)
    if later:
        log.warning("these changes need a restart", extra={"keys": ", ".join(later)})
    if not now:
        log.info("the configuration is as before")
        return None
    log.info("the configuration has changed", extra={"keys": ", ".join(now)})
    return before.model_copy(update={key: getattr(after, key) for key in now})
