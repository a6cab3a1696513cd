"""The ticket by which a stock VNC viewer comes to the desktop that a room shares: words, doors and addresses for a person."""

from __future__ import annotations

import ipaddress
from typing import Any

from mcu.conference import Refused
from mcu.desktops import GUEST_LIFETIME_S
from mcu.errors import CommandError
from mcu.focus import Focus
from mcu.relay.messages import Door
from mcu.surroundings import Surroundings
from mcu.welcome import reachable

PLAIN_HOST = "127.0.0.1"


def desktop_ticket(focus: Focus, server: Surroundings, viewer: str) -> dict[str, Any]:
    """A ticket to the desktop that is shared in a room, once its owner agrees: name, owner, viewer, user, password and address
    over TLS with the file of the certificate, plain_password and plain_address on this machine, and how long it is good.

    Raises CommandError when nobody shares, or desktops may not be controlled there.
    """
    relay, owner = server.relay, focus.desktops.sharer
    if owner is None:
        raise CommandError(f"nobody shares a desktop in room {focus.name}")
    relay.begin()
    try:
        tls, plain = relay.port(Door.VNC_TLS, relay.host), relay.port(Door.VNC_PLAIN, PLAIN_HOST)
    except OSError as error:
        raise CommandError(f"no port is free for a viewer: {error.strerror or error}") from error
    name = focus.desktops.name_of(owner)
    guest = focus.desktops.invite_viewer(server.new_id(), viewer)
    if isinstance(guest, Refused):
        raise CommandError(guest.reason)
    return {
        "name": focus.name, "owner": name, "viewer": viewer, "user": focus.name, "password": guest.word,
        "address": f"{_shown(relay.host)}::{tls}", "certificate": str(relay.certificate_file),
        "plain_password": guest.plain_word, "plain_address": f"{PLAIN_HOST}::{plain}", "expires_s": GUEST_LIFETIME_S,
    }


def _shown(host: str) -> str:
    """An address that a viewer can be given."""
    shown = next(iter(reachable(host)), host) if ipaddress.ip_address(host).is_unspecified else host
    return f"[{shown}]" if ":" in shown else shown
