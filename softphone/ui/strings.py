"""The words of the window, in English and Chinese. The English words are the keys, so that the pages read as they look.

`Translator("zh")("Mute")` gives 静音. Sentences that come from the agent are looked up by their shape: "{server} can't be
reached …" matches whatever the server is called. What isn't known stays English.
"""

from __future__ import annotations

import locale
import os
import re

from softphone.ui import chinese

LANGUAGES = {"en": "English", "zh": "中文"}
MAX_SENTENCE = 400
"""Longer sentences are shown as they are: what a peer sends must not keep the window busy."""


def language_of(setting: str) -> str:
    """The language for the setting `language`: en, zh, or system, which asks the environment."""
    if setting in LANGUAGES:
        return setting
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    first = next((name for name in names if name), "") or (locale.getlocale()[0] or "")
    return "zh" if first.lower().startswith(("zh", "chinese")) else "en"


class Translator:
    """Words in one language; called with the English words and the values of their placeholders."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._words = chinese.WORDS if language == "zh" else {}
        self._shapes = [(_shape(english), words) for english, words in chinese.SENTENCES.items()] if language == "zh" else []

    def __call__(self, text: str, **values: object) -> str:
        """The words for `text`."""
        words = self._words.get(text, text)
        return words.format(**values) if values else words

    def sentence(self, text: str) -> str:
        """A sentence of the agent's, which may hold names and reasons."""
        if text in self._words:
            return self._words[text]
        for shape, words in self._shapes:
            found = shape.fullmatch(text[:MAX_SENTENCE])
            if found:
                return words.format(**{name: self.sentence(value) for name, value in found.groupdict().items()})
        return text


def _shape(english: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", english)
    return re.compile(
        "".join(f"(?P<{part}>.*?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)), re.DOTALL | re.IGNORECASE
    )
