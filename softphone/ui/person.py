"""What can be done to one person of a meeting, as a menu: for hosts and co-hosts, and for oneself."""

from __future__ import annotations

from collections.abc import Callable

from softphone.meeting_orders import GiveOrder, WaitingPerson
from softphone.model import Meeting, Member
from softphone.ui.menu import Item
from softphone.ui.page import Host
from softphone.ui.words import plain

ROLES = (("co-host", "Make co-host"), ("presenter", "Make presenter"), ("attendee", "Make attendee"),
         ("listener", "Make listener"))


def _giving(host: Host, verb: str, who: str = "", **more: str) -> Callable[[], None]:
    return lambda: host.send(GiveOrder(verb, who, tuple(more.items())))


def person_items(host: Host, meeting: Meeting, member: Member) -> list[Item]:
    """The menu of a member; empty where nothing can be done."""
    if not meeting.has_orders or not member.member_id:
        return []
    tr, who = host.look.tr, str(member.member_id)
    if member.is_self:
        return [hand_item(host, meeting, member)]
    if not meeting.leads:
        return []
    items = [Item(plain(member.name or member.uri))]
    if member.is_muted:
        items.append(Item(tr("Ask to unmute"), _giving(host, "ask-unmute", who), icon="mic"))
        if member.is_muted_by_host:
            items.append(Item(tr("Unmute"), _giving(host, "unmute", who), icon="mic"))
    else:
        items.append(Item(tr("Mute"), _giving(host, "mute", who), icon="mic_off"))
    if member.video in ("sendrecv", "sendonly"):
        items.append(Item(tr("Stop video"), _giving(host, "stop-video", who), icon="camera_off"))
    items.append(Item(tr("Spotlight"), _giving(host, "spotlight", who), icon="pin"))
    if member.hand:
        items.append(Item(tr("Lower hand"), _giving(host, "lower-hand", who), icon="hand"))
    items += [Item(tr(words), _giving(host, "appoint", who, role=role), icon="person")
              for role, words in ROLES if role != member.role and member.role != "host"]
    if meeting.is_host:
        items.append(Item(tr("Make host"), _giving(host, "transfer", who), icon="person"))
    items.append(Item(tr("Send to the lobby"), _giving(host, "lobby", who), icon="clock"))
    items.append(Item(tr("Remove"), _giving(host, "kick", who), icon="close", kind="danger"))
    items.append(Item(tr("Remove for good"), _giving(host, "ban", who), icon="close", kind="danger"))
    return items


def waiting_items(host: Host, person: WaitingPerson) -> list[Item]:
    """The menu of somebody in the lobby."""
    tr = host.look.tr
    return [Item(plain(person.name)), Item(tr("Admit"), _giving(host, "admit", person.id), icon="check"),
            Item(tr("Turn away"), _giving(host, "deny", person.id), icon="close", kind="danger")]


def hand_item(host: Host, meeting: Meeting, own: Member | None) -> Item:
    """Raise the own hand, or lower it."""
    is_up = own is not None and bool(own.hand)
    return Item(host.look.tr("Lower hand") if is_up else host.look.tr("Raise hand"),
                _giving(host, "lower-hand" if is_up else "raise-hand"), icon="hand")


def meeting_items(host: Host, meeting: Meeting) -> list[Item]:
    """What hosts do to the whole meeting."""
    if not meeting.has_orders or not meeting.leads:
        return []
    tr = host.look.tr
    is_recording = bool(meeting.recording)
    items = [
        Item(tr("Mute all"), _giving(host, "mute-all"), icon="mic_off"),
        Item(tr("Unlock the meeting") if meeting.is_locked else tr("Lock the meeting"),
             _giving(host, "unlock" if meeting.is_locked else "lock"), icon="lock"),
        Item(tr("Stop recording") if is_recording else tr("Record"),
             _giving(host, "record", action="stop" if is_recording else "start"), icon="record"),
    ]
    if meeting.lobby:
        items.append(Item(tr("Admit all who wait"), _giving(host, "admit", "all"), icon="check"))
    return items
