"""Puts the HTTP side together for a running server: access, desk, application, sockets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from mcu.administration import Administration
from mcu.api.access import Access
from mcu.api.app import make_app
from mcu.api.desk import Desk
from mcu.api.server import HttpServer
from mcu.bus import Bus
from mcu.certificates import ServerCertificate
from mcu.config import ServerConfig
from mcu.directory import Directory
from mcu.errors import McuError

log = logging.getLogger(__name__)


def make_desk(administration: Administration, directory: Directory, bus: Bus, is_ready: Callable[[], bool],
              now: Callable[[], float] = time.monotonic, wallclock: Callable[[], float] = time.time) -> Desk:
    """What the application knows. now: monotonic seconds; wallclock: seconds since 1970."""
    access = Access(directory, administration.tokens, now=now, wallclock=wallclock, key=directory.nonce_key)
    return Desk(administration, access, bus, is_ready)


async def open_http(config: ServerConfig, desk: Desk, certificate: ServerCertificate | None) -> HttpServer:
    """Serve as the configuration says. Raises McuError when a port can't be had that was asked for; the one that is there by
    default is done without."""
    files = None if certificate is None else (certificate.files.certificate, certificate.files.key)
    server = HttpServer(make_app(desk), config.http_listen, config.http_port, files)
    try:
        await server.start()
    except McuError as error:
        if "http_port" in config.model_fields_set or "http_listen" in config.model_fields_set:
            raise
        log.warning("no dashboard and no REST", extra={"reason": str(error)})
    return server
