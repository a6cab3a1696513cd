"""What the screen shows: one frozen state, the events that change it, the commands that the window may give.

No Tk, no asyncio and no network here: `reduce` is a pure function from a state and an event to the next state, so that every
screen can be tested without a screen. The agent (asyncio thread) makes the events, the window (Tk thread) draws the state and
gives commands; both meet in `softphone.bridge`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from softphone.meeting_orders import MAX_CHAT, ChatArrived, ChatLine, GiveOrder, OrdersAllowed, SendChat, WaitingPerson
from softphone.shares import LookForShareables as LookForShareables
from softphone.shares import Share
from softphone.shares import ShareablesFound as ShareablesFound
from softphone.shares import ShareChanged as ShareChanged
from softphone.shares import StartShare as StartShare
from softphone.shares import StopShare as StopShare

RECORDED, RECORDED_NO_MORE = "This meeting is being recorded.", "The recording has ended."


class Screen(Enum):
    """Which page fills the window."""

    HOME = "home"
    PREJOIN = "prejoin"
    CALLING = "calling"
    MEETING = "meeting"


class Registration(Enum):
    """What the registrar said last."""

    NONE = "none"
    TRYING = "trying"
    REGISTERED = "registered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AudioDevice:
    """A microphone or a speaker: `key` is stable across restarts, `name` is what a person reads."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """One person of the roster: `member_id` is the CSRC of their audio in the mix (RFC 4575 `<src-id>`), 0 while unknown;
    video: direction of their pictures as the server sees it, empty where it does not say; hand: 0 while it is down, else the
    lower the earlier it was raised; is_video_stopped: by a host; is_spotlit: a host wants them shown large to all."""

    member_id: int
    name: str
    uri: str = ""
    role: str = "attendee"
    is_self: bool = False
    is_muted: bool = False
    is_speaking: bool = False
    level_dbov: int = -127
    codec: str = ""
    status: str = "connected"
    video: str = ""
    hand: int = 0
    is_muted_by_host: bool = False
    is_video_stopped: bool = False
    is_spotlit: bool = False


@dataclass(frozen=True, slots=True)
class PictureQuality:
    """Figures of the pictures of one tile; key: as `softphone.board` has it, `self` for what we send."""

    key: str
    codec: str
    width: int
    height: int
    rate: float
    kbps: int
    loss_percent: float = 0.0
    freezes: int = 0


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of the call's audio for chips and the Stats tab. protection: suite, keys and signalling, empty while somebody on
    the way could listen; exposure: why, in a sentence; kbps: of sound that comes; pictures: those that are sent and seen."""

    codec: str = ""
    rtt_ms: float | None = None
    loss_percent: float = 0.0
    jitter_ms: float = 0.0
    delay_ms: float = 0.0
    mos: float | None = None
    protection: str = ""
    packets_sent: int = 0
    packets_received: int = 0
    exposure: str = ""
    kbps: int = 0
    pictures: tuple[PictureQuality, ...] = ()


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """Somebody asks to control our desktop."""

    request_id: int
    name: str


@dataclass(frozen=True, slots=True)
class DesktopState:
    """Desktops in the call. is_possible: whether the server carries them; sharer: whose screen is shared, is_ours: whether it
    is this one; requests: who asks for it; controller: who acts on it; is_asking, may_act: how our own request stands; view:
    the desktop that we see (`softphone.remote.watching.Watching`), view_size: its pixels; viewers: who sees
    ours; has_clipboard: whether our clipboard is shared with who acts here."""

    is_possible: bool = False
    sharer: str = ""
    is_ours: bool = False
    requests: tuple[ControlRequest, ...] = ()
    controller: str = ""
    is_asking: bool = False
    may_act: bool = False
    view: object | None = None
    view_size: tuple[int, int] = (0, 0)
    viewers: tuple[str, ...] = ()
    has_clipboard: bool = False


@dataclass(frozen=True, slots=True)
class Meeting:
    """The call or conference that is on the screen. has_pictures: whether the other side has them, too; recording: whether the
    server records it, "recording", "paused" or ""; has_orders: whether the server takes verbs and texts from the window; chat:
    what was written; lobby: who waits, as hosts see it; is_waiting: we wait there ourselves."""

    uri: str
    title: str
    is_conference: bool = False
    started_at: float = 0.0
    members: tuple[Member, ...] = ()
    is_muted: bool = False
    is_held: bool = False
    is_host: bool = False
    has_pictures: bool = False
    recording: str = ""
    quality: Quality = Quality()
    share: Share | None = None
    desktop: DesktopState = DesktopState()
    has_orders: bool = False
    chat: tuple[ChatLine, ...] = ()
    lobby: tuple[WaitingPerson, ...] = ()
    is_locked: bool = False
    is_waiting: bool = False

    @property
    def own(self) -> Member | None:
        """Ourselves, once the server has told which member we are."""
        return next((member for member in self.members if member.is_self), None)

    @property
    def leads(self) -> bool:
        """Whether we are host or co-host."""
        own = self.own
        return self.is_host or (own is not None and own.role in ("host", "co-host"))


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call that rings here."""

    call_id: str
    name: str
    uri: str


@dataclass(frozen=True, slots=True)
class Banner:
    """A line to the user: what happened and what to do. `kind` is info, warning or error."""

    text: str
    kind: str = "info"


@dataclass(frozen=True, slots=True)
class Recent:
    """A place called before, newest first in `State.recent`. has_pin: it wanted a PIN, which is not kept."""

    uri: str
    title: str
    when: float
    has_pin: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """All that the window draws."""

    screen: Screen = Screen.HOME
    registration: Registration = Registration.NONE
    registration_text: str = ""
    account: str = ""
    server: str = ""
    display_name: str = ""
    target: str = ""
    calling_text: str = ""
    meeting: Meeting | None = None
    incoming: tuple[Incoming, ...] = ()
    banner: Banner | None = None
    recent: tuple[Recent, ...] = ()
    microphones: tuple[AudioDevice, ...] = ()
    speakers: tuple[AudioDevice, ...] = ()
    microphone: str = ""
    speaker: str = ""
    microphone_level_dbov: int = -127
    speaker_level_dbov: int = -127
    settings: dict[str, str | bool] = field(default_factory=dict)
    signalling: str = ""
    is_signalling_protected: bool = False
    shareables: ShareablesFound | None = None
    cameras: tuple[AudioDevice, ...] = ()
    camera: str = ""
    is_video_on: bool = False


# ---- events: made by the agent, in the past tense -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """The configured account, server or display name."""

    account: str
    server: str
    display_name: str


@dataclass(frozen=True, slots=True)
class RegistrationChanged:
    """The registrar's answer; `text` says why when it failed, with the remedy."""

    registration: Registration
    text: str = ""


@dataclass(frozen=True, slots=True)
class SignallingChanged:
    """How the way to the server is protected: cipher and certificate in words, or that it is not."""

    text: str
    is_protected: bool


@dataclass(frozen=True, slots=True)
class DevicesChanged:
    """What can be heard with and spoken into, and which are in use (their keys)."""

    microphones: tuple[AudioDevice, ...]
    speakers: tuple[AudioDevice, ...]
    microphone: str
    speaker: str


@dataclass(frozen=True, slots=True)
class CamerasChanged:
    """The cameras that there are, the test picture among them, and which is used; none where calls have no pictures."""

    cameras: tuple[AudioDevice, ...]
    camera: str


@dataclass(frozen=True, slots=True)
class VideoChanged:
    """The own camera was turned on or off, by the user or since it is gone."""

    is_on: bool


@dataclass(frozen=True, slots=True)
class PicturesChanged:
    """Whether the other side of the call takes and sends pictures."""

    has_pictures: bool


@dataclass(frozen=True, slots=True)
class LevelsChanged:
    """Levels of the own microphone and speaker in dBov (-127 … 0), at most 20 a second."""

    microphone_dbov: int
    speaker_dbov: int


@dataclass(frozen=True, slots=True)
class PrejoinOpened:
    """The user is about to join `target`; microphone and devices can be tried."""

    target: str


@dataclass(frozen=True, slots=True)
class PrejoinClosed:
    """Back to the home page without a call."""


@dataclass(frozen=True, slots=True)
class CallStarted:
    """An INVITE went out, or its progress changed; `text` is for people ("Calling …", "Ringing …")."""

    uri: str
    text: str


@dataclass(frozen=True, slots=True)
class CallEstablished:
    """The call is up. `now` is monotonic, for the meeting's clock."""

    uri: str
    title: str
    is_conference: bool
    now: float


@dataclass(frozen=True, slots=True)
class RosterChanged:
    """The conference's members as the server last told them."""

    members: tuple[Member, ...]
    title: str = ""
    is_host: bool = False
    recording: str = ""
    lobby: tuple[WaitingPerson, ...] = ()
    is_locked: bool = False
    is_waiting: bool = False


@dataclass(frozen=True, slots=True)
class SpeakersChanged:
    """Who is heard in the mix just now: member id to level in dBov."""

    levels: dict[int, int]


@dataclass(frozen=True, slots=True)
class MuteChanged:
    """The own microphone was muted or unmuted, by the user or by the host."""

    is_muted: bool
    by_host: bool = False


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """The call was put on hold or taken back."""

    is_held: bool


@dataclass(frozen=True, slots=True)
class DesktopChanged:
    """Something changed about the desktops of the call."""

    desktop: DesktopState


@dataclass(frozen=True, slots=True)
class TextCopied:
    """A text was copied at the other end of a desktop, and is for our clipboard."""

    text: str


@dataclass(frozen=True, slots=True)
class QualityChanged:
    """Fresh figures, about once a second."""

    quality: Quality


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over; `text` says why in words, `is_error` whether it needs attention."""

    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class IncomingRang:
    """Somebody calls."""

    incoming: Incoming


@dataclass(frozen=True, slots=True)
class IncomingGone:
    """A ringing call was answered, declined, or given up by the caller."""

    call_id: str


@dataclass(frozen=True, slots=True)
class BannerShown:
    """Tell the user something."""

    banner: Banner


@dataclass(frozen=True, slots=True)
class BannerDismissed:
    """The user has read it."""


@dataclass(frozen=True, slots=True)
class RecentChanged:
    """The list of places called before."""

    recent: tuple[Recent, ...]


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """Settings that persist (theme, language, microphone, echo_cancelling, noise_suppression, gain, ring …)."""

    settings: dict[str, str | bool]


Event = (
    AccountChanged | RegistrationChanged | SignallingChanged | DevicesChanged | LevelsChanged | PrejoinOpened | PrejoinClosed
    | CamerasChanged | VideoChanged | PicturesChanged | CallStarted | CallEstablished | RosterChanged | SpeakersChanged
    | MuteChanged | HoldChanged | QualityChanged | CallEnded
    | IncomingRang | IncomingGone | BannerShown | BannerDismissed | RecentChanged | SettingsChanged | DesktopChanged
    | TextCopied | ShareablesFound | ShareChanged | OrdersAllowed | ChatArrived
)


# ---- commands: given by the window, in the imperative ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignIn:
    """Register with an account, and remember it."""

    user: str
    password: str
    server: str
    transport: str = "udp"
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class NewMeeting:
    """Create a conference at the factory and join it as its host."""


@dataclass(frozen=True, slots=True)
class OpenPrejoin:
    """Show the page before joining: microphone meter, devices, name."""

    target: str


@dataclass(frozen=True, slots=True)
class ClosePrejoin:
    """Cancel joining."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Call a room or a person: a name ("daily"), a name with PIN ("daily.123456") or a whole SIP URI.

    display_name: under what name, in this call and later ones; empty: the name that is set."""

    target: str
    muted: bool = False
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Take the ringing call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Decline:
    """Refuse the ringing call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class SetMuted:
    """Mute or unmute the own microphone."""

    muted: bool


@dataclass(frozen=True, slots=True)
class SetHold:
    """Hold or resume the call."""

    held: bool


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the call on to somebody else: a name or a SIP URI. Who is called talks to the other side then, we are out."""

    target: str


@dataclass(frozen=True, slots=True)
class SendDigits:
    """Press keys: 0-9 * #."""

    digits: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Hang up; with `end_for_all` the host closes the meeting."""

    end_for_all: bool = False


@dataclass(frozen=True, slots=True)
class ChooseDevice:
    """Use this microphone or speaker from now on, also in the running call."""

    microphone: str | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class SetVideo:
    """Turn the own camera on or off."""

    is_on: bool


@dataclass(frozen=True, slots=True)
class ChooseCamera:
    """Use this camera from now on, also in the running call; `test` for the test picture."""

    key: str


@dataclass(frozen=True, slots=True)
class TestSpeaker:
    """Play a short sound."""


@dataclass(frozen=True, slots=True)
class ChangeSetting:
    """Change one setting; it applies at once and persists."""

    name: str
    value: str | bool


@dataclass(frozen=True, slots=True)
class AskForControl:
    """Ask the owner of the shared desktop to let us act there."""


@dataclass(frozen=True, slots=True)
class ReleaseControl:
    """Act there no more, or ask no more."""


@dataclass(frozen=True, slots=True)
class AnswerControl:
    """What we, the owner, say to a request: `control`, `view` or `deny`. has_clipboard: texts that are copied go to and fro."""

    request_id: int
    answer: str
    has_clipboard: bool = False


@dataclass(frozen=True, slots=True)
class TakeBackControl:
    """Nobody acts on our desktop any more."""


@dataclass(frozen=True, slots=True)
class CopyToDesktop:
    """A text was copied here, while our clipboard is shared with who acts on our desktop."""

    text: str


@dataclass(frozen=True, slots=True)
class CloseDesktop:
    """Look at the other's desktop no more."""


@dataclass(frozen=True, slots=True)
class Quit:
    """End calls, unregister, stop."""


Command = (
    SignIn | NewMeeting | OpenPrejoin | ClosePrejoin | Dial | Answer | Decline | SetMuted | SetHold | Transfer | SendDigits
    | Leave | ChooseDevice | SetVideo | ChooseCamera | TestSpeaker | ChangeSetting | Quit
    | AskForControl | ReleaseControl | AnswerControl
    | TakeBackControl | CopyToDesktop | CloseDesktop | LookForShareables | StartShare | StopShare | SendChat | GiveOrder
)


def reduce(state: State, event: Event) -> State:
    """The state after an event. Unknown or late events leave the state as it is."""
    match event:
        case AccountChanged(account, server, name):
            return replace(state, account=account, server=server, display_name=name)
        case RegistrationChanged(registration, text):
            return replace(state, registration=registration, registration_text=text)
        case SignallingChanged(text, is_protected):
            return replace(state, signalling=text, is_signalling_protected=is_protected)
        case DevicesChanged(microphones, speakers, microphone, speaker):
            return replace(state, microphones=microphones, speakers=speakers, microphone=microphone, speaker=speaker)
        case CamerasChanged(cameras, camera):
            return replace(state, cameras=cameras, camera=camera)
        case VideoChanged(is_on):
            return replace(state, is_video_on=is_on)
        case LevelsChanged(microphone_dbov, speaker_dbov):
            return replace(state, microphone_level_dbov=microphone_dbov, speaker_level_dbov=speaker_dbov)
        case PrejoinOpened() | PrejoinClosed() | CallStarted() if state.meeting is not None:
            return state
        case PrejoinOpened(target):
            return replace(state, screen=Screen.PREJOIN, target=target, banner=None)
        case PrejoinClosed():
            return replace(state, screen=Screen.HOME, target="")
        case CallStarted(uri, text):
            return replace(state, screen=Screen.CALLING, target=uri, calling_text=text, banner=None)
        case CallEstablished(uri, title, is_conference, now):
            meeting = Meeting(uri=uri, title=title, is_conference=is_conference, started_at=now)
            return replace(state, screen=Screen.MEETING, meeting=meeting, calling_text="", banner=None)
        case CallEnded(text, is_error):
            banner = Banner(text, "error" if is_error else "info") if text else None
            return replace(state, screen=Screen.HOME, meeting=None, calling_text="", banner=banner)
        case IncomingRang(incoming) if all(i.call_id != incoming.call_id for i in state.incoming):
            return replace(state, incoming=(*state.incoming, incoming))
        case IncomingGone(call_id):
            return replace(state, incoming=tuple(i for i in state.incoming if i.call_id != call_id))
        case BannerShown(banner):
            return replace(state, banner=banner)
        case BannerDismissed():
            return replace(state, banner=None)
        case RecentChanged(recent):
            return replace(state, recent=recent)
        case SettingsChanged(settings):
            return replace(state, settings=settings)
        case ShareablesFound():
            return replace(state, shareables=event)
        case RosterChanged(recording=recording) if state.meeting and bool(recording) != bool(state.meeting.recording):
            state = replace(state, banner=Banner(RECORDED if recording else RECORDED_NO_MORE))
    if state.meeting is None:
        return state
    return replace(state, meeting=_reduce_meeting(state.meeting, event))


def _reduce_meeting(meeting: Meeting, event: Event) -> Meeting:
    match event:
        case RosterChanged(members, title, is_host, recording, lobby, is_locked, is_waiting):
            heard = {m.member_id: m for m in meeting.members if m.is_speaking}
            members = tuple(
                replace(m, is_speaking=True, level_dbov=heard[m.member_id].level_dbov) if m.member_id in heard else m
                for m in members
            )
            return replace(meeting, members=members, title=title or meeting.title, is_host=is_host, recording=recording,
                           lobby=lobby, is_locked=is_locked, is_waiting=is_waiting)
        case OrdersAllowed(is_possible):
            return replace(meeting, has_orders=is_possible)
        case ChatArrived(lines, is_history):
            told = (*lines, *meeting.chat) if is_history else (*meeting.chat, *lines)
            return replace(meeting, chat=told[-MAX_CHAT:])
        case SpeakersChanged(levels):
            members = tuple(
                replace(m, is_speaking=m.member_id in levels, level_dbov=levels.get(m.member_id, -127))
                for m in meeting.members
            )
            return replace(meeting, members=members)
        case MuteChanged(is_muted, _):
            return replace(meeting, is_muted=is_muted)
        case PicturesChanged(has_pictures):
            return replace(meeting, has_pictures=has_pictures)
        case HoldChanged(is_held):
            return replace(meeting, is_held=is_held)
        case QualityChanged(quality):
            return replace(meeting, quality=quality)
        case ShareChanged(share):
            return replace(meeting, share=share)
        case DesktopChanged(desktop):
            return replace(meeting, desktop=desktop)
    return meeting
