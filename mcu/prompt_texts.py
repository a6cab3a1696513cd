"""What a meeting says to its members, in each language, by the name of the prompt."""

from __future__ import annotations

from pathlib import Path

LANGUAGES = {"en": "en", "zh": "cmn"}
"""The voice of espeak-ng for each language that a room can have."""
DEFAULT = "en"
MOST_COUNTED = 20
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
            "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")
_DIGITS = ("", "一", "两", "三", "四", "五", "六", "七", "八", "九")

ATTENDANT = {
    "enter-pin": ("Welcome. Please enter the PIN of your meeting, followed by the hash key.",
                  "欢迎。请输入会议密码，按井号键结束。"),
    "wrong-pin": ("No meeting has that PIN. Please try again, and finish with the hash key.",
                  "密码不对。请重新输入，按井号键结束。"),
    "not-now": ("You can not enter that meeting now. Please call again later. Goodbye.",
                "现在不能进入这个会议。请稍后再拨。再见。"),
    "goodbye": ("Please call again when you have the PIN of your meeting. Goodbye.", "请有了会议密码再拨。再见。"),
}
"""What callers hear who are asked for a PIN."""

MEETING = {
    "muted": ("You are muted.", "您已静音。"),
    "unmuted": ("You are not muted any more.", "您已取消静音。"),
    "muted-by-host": ("The host has muted you.", "主持人已将您静音。"),
    "ask-unmute": ("The host asks you to unmute. Press star six.", "主持人请您发言。请按星号六取消静音。"),
    "all-muted": ("Everybody is muted.", "全体已静音。"),
    "locked": ("The meeting is locked.", "会议已锁定。"),
    "unlocked": ("The meeting is open again.", "会议已解锁。"),
    "recording-started": ("This meeting is being recorded now.", "会议开始录音。"),
    "recording-paused": ("The recording is paused.", "录音已暂停。"),
    "recording-resumed": ("The recording goes on.", "录音继续。"),
    "recording-stopped": ("The recording has stopped.", "录音已停止。"),
    "recording-failed": ("The recording has failed.", "录音失败。"),
    "recording-on": ("This meeting is being recorded.", "本会议正在录音。"),
    "hand-raised": ("Your hand is raised.", "您已举手。"),
    "hand-lowered": ("Your hand is down.", "您已放下手。"),
    "waiting-for-host": ("The meeting begins when the host is here. Please hold the line.", "主持人到来后会议开始，请稍候。"),
    "lobby": ("Please wait until somebody lets you in.", "请等候主持人允许您进入。"),
    "admitted": ("You are in the meeting now.", "您已进入会议。"),
    "you-are-host": ("You are the host now.", "您现在是主持人。"),
    "not-allowed": ("Only the host may do that.", "只有主持人可以这样做。"),
    "press-hash": ("Press the hash key to end the meeting for all.", "按井号键结束会议。"),
    "last-minute": ("This meeting ends in one minute.", "会议将在一分钟后结束。"),
    "last-minutes": ("This meeting ends in five minutes.", "会议将在五分钟后结束。"),
    "meeting-ends": ("This meeting ends now. Goodbye.", "会议结束，再见。"),
    "removed": ("You have been removed from the meeting. Goodbye.", "您已被移出会议。再见。"),
    "count-many": (f"There are more than {_NUMBERS[MOST_COUNTED]} of you.", "会议里超过二十人。"),
}
"""What members hear."""


def file_of(folder: Path, name: str, language: str) -> Path:
    """Where the file of a prompt is."""
    return (folder if language == DEFAULT else folder / language) / f"{name}.wav"


def text_of(name: str, language: str) -> str:
    """The words of a prompt. language: one of LANGUAGES, else English. Raises KeyError for an unknown name."""
    count = count_of(name)
    if count is not None:
        return _counted(count, language)
    words = ATTENDANT.get(name) or MEETING[name]
    return words[1] if language == "zh" else words[0]


HUSH = "hush"
"""In place of a prompt: what is being said is cut short."""


def is_known(name: str) -> bool:
    """Whether there is such a prompt."""
    return name in MEETING or name in ATTENDANT or count_of(name) is not None


def count_of(name: str) -> int | None:
    """How many people a prompt such as count-3 counts; None for another prompt."""
    head, _, digits = name.partition("-")
    if head != "count" or not digits.isascii() or not digits.isdigit() or len(digits) > 2:
        return None
    return int(digits) if 1 <= int(digits) <= MOST_COUNTED and str(int(digits)) == digits else None


def name_of_count(count: int) -> str:
    """The prompt that tells how many people are there."""
    return f"count-{max(1, count)}" if count <= MOST_COUNTED else "count-many"


def _counted(count: int, language: str) -> str:
    if language == "zh":
        return "现在只有您一个人。" if count == 1 else f"会议里有{_in_chinese(count)}个人。"
    return "You are alone." if count == 1 else f"There are {_NUMBERS[count]} of you."


def _in_chinese(count: int) -> str:
    if count < 10:
        return _DIGITS[count]
    tens, ones = divmod(count, 10)
    head = "十" if tens == 1 else "二十"
    return head + ("二" if ones == 2 else _DIGITS[ones])
