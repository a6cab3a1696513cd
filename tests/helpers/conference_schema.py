"""What RFC 4575 §5 and its schema (§7) ask of a conference-info document, as tables: order, how often, which attributes.

    assert faults(body) == []

Elements of other namespaces may follow where the schema has its wildcard, at the end of an element.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

_NS = "{urn:ietf:params:xml:ns:conference-info}"
_ONE, _MAY, _ANY = (1, 1), (0, 1), (0, 10_000)
CHILDREN: dict[str, dict[str, tuple[int, int]]] = {
    "conference-info": {"conference-description": _MAY, "host-info": _MAY, "conference-state": _MAY, "users": _MAY,
                        "sidebars-by-ref": _MAY, "sidebars-by-val": _MAY},
    "conference-description": {"display-text": _MAY, "subject": _MAY, "free-text": _MAY, "keywords": _MAY, "conf-uris": _MAY,
                               "service-uris": _MAY, "maximum-user-count": _MAY, "available-media": _MAY},
    "conference-state": {"user-count": _MAY, "active": _MAY, "locked": _MAY},
    "users": {"user": _ANY},
    "user": {"display-text": _MAY, "associated-aors": _MAY, "roles": _MAY, "languages": _MAY, "cascaded-focus": _MAY,
             "endpoint": _ANY},
    "roles": {"entry": _ANY},
    "endpoint": {"display-text": _MAY, "referred": _MAY, "status": _MAY, "joining-method": _MAY, "joining-info": _MAY,
                 "disconnection-method": _MAY, "disconnection-info": _MAY, "media": _ANY, "call-info": _MAY},
    "disconnection-info": {"when": _MAY, "reason": _MAY, "by": _MAY},
    "media": {"display-text": _MAY, "type": _MAY, "label": _MAY, "src-id": _MAY, "status": _MAY},
    "call-info": {"sip": _ONE},
    "sip": {"display-text": _MAY, "call-id": _ONE, "from-tag": _ONE, "to-tag": _ONE},
}
"""The elements that an element holds, in their order, and how often each."""
NEEDED = {"conference-info": ("entity",), "user": (), "endpoint": (), "media": ("id",)}
STATES = {"full", "partial", "deleted"}
VALUES = {
    ("endpoint", "status"): {"pending", "dialing-out", "dialing-in", "alerting", "on-hold", "connected", "muted-via-focus",
                             "disconnecting", "disconnected"},
    ("endpoint", "joining-method"): {"dialed-in", "dialed-out", "focus-owner"},
    ("endpoint", "disconnection-method"): {"departed", "booted", "failed", "busy"},
    ("media", "status"): {"sendrecv", "sendonly", "recvonly", "inactive"},
    ("conference-state", "active"): {"true", "false", "1", "0"},
    ("conference-state", "locked"): {"true", "false", "1", "0"},
}


def faults(data: bytes) -> list[str]:
    """What is wrong with a document, in words; nothing where all is well."""
    root = fromstring(data)
    if root.tag != f"{_NS}conference-info":
        return [f"{root.tag} is no conference-info"]
    found = _faults(root)
    if not (root.get("version") or "").isdecimal():
        found.append(f"version {root.get('version')!r} is no number")
    users = [user.get("entity") for user in root.iterfind(f"{_NS}users/{_NS}user")]
    if len(users) != len(set(users)):
        found.append(f"a user twice: {users}")
    return found


def _faults(element: Element) -> list[str]:
    name = element.tag.removeprefix(_NS)
    found = [f"{name} without {wanted}" for wanted in NEEDED.get(name, ()) if not element.get(wanted)]
    if element.get("state", "full") not in STATES:
        found.append(f"{name} in state {element.get('state')!r}")
    known = CHILDREN.get(name)
    if known is None:
        return found + ([f"{name} has children"] if len(element) else [])
    names = [child.tag.removeprefix(_NS) for child in element]
    ours = [one for one in names if not one.startswith("{")]
    if names[:len(ours)] != ours:
        found.append(f"{name}: an element of another namespace before the end: {names}")
    unknown = [one for one in ours if one not in known]
    found += [f"{name} holds {one}" for one in unknown]
    order = [list(known).index(one) for one in ours if one in known]
    if order != sorted(order):
        found.append(f"{name}: the order is {ours}")
    if element.get("state") != "deleted":
        found += [f"{name} holds {ours.count(one)} {one}" for one, (least, most) in known.items()
                  if not least <= ours.count(one) <= most]
    for child in element:
        if child.tag.startswith(_NS):
            values = VALUES.get((name, child.tag.removeprefix(_NS)))
            if values is not None and (child.text or "").strip() not in values:
                found.append(f"{name}: {child.tag.removeprefix(_NS)} is {child.text!r}")
            found += _faults(child)
    return found
