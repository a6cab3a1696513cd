"""Which key does what, as in Jitsi Meet: a table, and the rule when keys are dead."""

from __future__ import annotations

from dataclasses import dataclass

MEETING = "meeting"
ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key or the menu "More" does. key: a Tk keysym in lower case; where: meeting or anywhere."""

    name: str
    key: str
    shown_key: str
    text: str
    where: str = MEETING


ACTIONS: tuple[Action, ...] = (
    Action("mute", "m", "M", "Mute or unmute the microphone"),
    Action("talk", "space", "Space", "Push to talk, while it is held"),
    Action("video", "v", "V", "Start or stop the camera"),
    Action("share", "d", "D", "Share the screen, or stop sharing it"),
    Action("people", "p", "P", "Show or hide the people"),
    Action("chat", "c", "C", "Show or hide the chat"),
    Action("hand", "r", "R", "Raise or lower your hand"),
    Action("stats", "t", "T", "Show or hide the statistics"),
    Action("keypad", "k", "K", "Show or hide the keypad"),
    Action("view", "w", "W", "Change between gallery and speaker"),
    Action("full_screen", "s", "S", "Full screen on or off"),
    Action("help", "question", "?", "Show or hide this list", ANYWHERE),
    Action("close", "escape", "Esc", "Close what lies on top", ANYWHERE),
)


def action_for(keysym: str, *, in_meeting: bool, in_text_field: bool) -> Action | None:
    """The action of a key, or None: letters are dead while a text field has the focus, but Escape is not."""
    for action in ACTIONS:
        if action.key == keysym.lower():
            if in_text_field and action.name != "close":
                return None
            return action if in_meeting or action.where == ANYWHERE else None
    return None
