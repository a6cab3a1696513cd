"""What can be asked of a meeting: imperative values for `mcu.conference`, whichever surface they come by. Pure.

Each names its verb in the table (`mcu.verbs`), which says who may; those about one person have a `target`. What is carried out
elsewhere (calls, recordings, sounds, pictures) is judged by the rules too, and comes back out of them as an event.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcu.participant import ParticipantId, Role


@dataclass(frozen=True, slots=True)
class MuteParticipant:
    """Take a participant out of the mix, or let them in again."""

    target: ParticipantId
    muted: bool

    @property
    def verb(self) -> str:
        """See `mcu.verbs`."""
        return "mute" if self.muted else "unmute"


@dataclass(frozen=True, slots=True)
class MuteAll:
    """Take everybody but the hosts out of the mix, or let in again whom a host has muted."""

    muted: bool

    @property
    def verb(self) -> str:
        """See `mcu.verbs`."""
        return "mute-all" if self.muted else "unmute-all"


@dataclass(frozen=True, slots=True)
class AskToUnmute:
    """Ask somebody to unmute themselves."""

    target: ParticipantId
    verb = "ask-unmute"


@dataclass(frozen=True, slots=True)
class StopVideo:
    """Let no video of a participant pass, or let it pass again."""

    target: ParticipantId
    stopped: bool

    @property
    def verb(self) -> str:
        """See `mcu.verbs`."""
        return "stop-video" if self.stopped else "allow-video"


@dataclass(frozen=True, slots=True)
class StopIncomingAudio:
    """Let a participant hear nothing of the meeting, or let them hear it again."""

    target: ParticipantId
    stopped: bool

    @property
    def verb(self) -> str:
        """See `mcu.verbs`."""
        return "deafen" if self.stopped else "undeafen"


@dataclass(frozen=True, slots=True)
class RenameParticipant:
    """Show somebody under another name."""

    target: ParticipantId
    name: str
    verb = "rename"


@dataclass(frozen=True, slots=True)
class SpotlightParticipant:
    """Show everybody this participant large, or nobody any more."""

    target: ParticipantId
    is_on: bool = True

    @property
    def verb(self) -> str:
        """See `mcu.verbs`."""
        return "spotlight" if self.is_on else "unspotlight"


@dataclass(frozen=True, slots=True)
class AdmitParticipant:
    """Let somebody in who waits in the lobby."""

    target: ParticipantId
    verb = "admit"


@dataclass(frozen=True, slots=True)
class DenyParticipant:
    """Send somebody away who waits in the lobby."""

    target: ParticipantId
    reason: str = "the host has not let you in"
    verb = "deny"


@dataclass(frozen=True, slots=True)
class SendToLobby:
    """Send a participant back to wait in the lobby."""

    target: ParticipantId
    verb = "lobby"


@dataclass(frozen=True, slots=True)
class KickParticipant:
    """Put somebody out, of the meeting or of its lobby."""

    target: ParticipantId
    reason: str = "removed by the host"
    verb = "kick"


@dataclass(frozen=True, slots=True)
class BanParticipant:
    """Put somebody out, and let nobody in again with their account or, of a guest, from their address."""

    target: ParticipantId
    reason: str = "banned by the host"
    verb = "ban"


@dataclass(frozen=True, slots=True)
class Unban:
    """Let an account or an address in again."""

    banned: str
    verb = "unban"


@dataclass(frozen=True, slots=True)
class AppointParticipant:
    """Give somebody a role other than host."""

    target: ParticipantId
    role: Role
    verb = "appoint"


@dataclass(frozen=True, slots=True)
class DismissParticipant:
    """Make somebody an attendee again."""

    target: ParticipantId
    verb = "dismiss"


@dataclass(frozen=True, slots=True)
class TransferHost:
    """Hand the role of host on."""

    target: ParticipantId
    verb = "transfer"


@dataclass(frozen=True, slots=True)
class ReclaimHost:
    """Take the role of host back: the meeting is one's own."""

    verb = "reclaim"


@dataclass(frozen=True, slots=True)
class RaiseHand:
    """Join the queue of those who want to speak, or leave it."""

    target: ParticipantId
    is_raised: bool

    @property
    def verb(self) -> str:
        """See `mcu.verbs`."""
        return "raise-hand" if self.is_raised else "lower-hand"


@dataclass(frozen=True, slots=True)
class LockConference:
    """Let nobody else in, or open again."""

    locked: bool

    @property
    def verb(self) -> str:
        """See `mcu.verbs`."""
        return "lock" if self.locked else "unlock"


@dataclass(frozen=True, slots=True)
class CloseConference:
    """End it for all."""

    reason: str = "the host has ended the meeting"
    verb = "close"


@dataclass(frozen=True, slots=True)
class SetSwitch:
    """Change a switch of the policy (`mcu.policy.SWITCHES`): its name, and the value as text."""

    name: str
    value: str
    verb = "set"


@dataclass(frozen=True, slots=True)
class SuspendAll:
    """Everybody muted, video and shares off, at once; or let all go on."""

    is_suspended: bool

    @property
    def verb(self) -> str:
        """See `mcu.verbs`."""
        return "suspend" if self.is_suspended else "resume"


@dataclass(frozen=True, slots=True)
class Invite:
    """Call somebody into the meeting: a user of this server, or a SIP URI."""

    uri: str
    verb = "invite"


@dataclass(frozen=True, slots=True)
class Record:
    """Record the meeting. action: `start`, `pause`, `resume`, `stop`."""

    action: str
    verb = "record"


@dataclass(frozen=True, slots=True)
class SetLayout:
    """Arrange the composed picture. layout: one of `mcu.verbs.LAYOUTS`."""

    layout: str
    verb = "layout"


@dataclass(frozen=True, slots=True)
class Say:
    """Let a voice say something to all."""

    text: str
    verb = "say"


@dataclass(frozen=True, slots=True)
class Play:
    """Play a file to all. what: its name, or `pause`, `resume`, `stop`, or `seek` and `volume` with a figure."""

    what: str
    verb = "play"


@dataclass(frozen=True, slots=True)
class CountMembers:
    """Say how many there are."""

    verb = "count"


Command = (
    MuteParticipant | MuteAll | AskToUnmute | StopVideo | StopIncomingAudio | RenameParticipant | SpotlightParticipant
    | AdmitParticipant | DenyParticipant | SendToLobby | KickParticipant | BanParticipant | Unban | AppointParticipant
    | DismissParticipant | TransferHost | ReclaimHost | RaiseHand | LockConference | CloseConference | SetSwitch | SuspendAll
    | Invite | Record | SetLayout | Say | Play | CountMembers
)
