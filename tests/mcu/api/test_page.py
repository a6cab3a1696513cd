"""The files of the page: nothing else is given out, nothing comes from elsewhere, no text is missing in either language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcu.api.dashboard import FILES, FOLDER
from tests.helpers.front import Front
from tests.helpers.house import House

SCRIPTS = sorted(FOLDER.glob("*.js"))


@pytest.fixture
def front() -> Front:
    """An open server."""
    return Front(House(is_open=True))


def test_the_page_comes_with_headers_that_keep_everything_else_out(front: Front) -> None:
    stranger = front.client()
    for path in ("/", "/docs", *(f"/page/{name}" for name in FILES)):
        answer = stranger.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';") and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", [
    "/page/..%2f..%2fserver.py", "/page/%2e%2e/app.py", "/page/app.py", "/page/", "/page/app.js/x", "/page/%00", "/redoc",
])
def test_nothing_but_the_page_is_given_out_and_no_script_puts_in_markup(front: Front, path: str) -> None:
    answer = front.client().get(path)
    assert answer.status_code == 404 and "import" not in answer.text
    for script in SCRIPTS:
        text = script.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text), script


@pytest.mark.parametrize("path", sorted(FILES.values()), ids=lambda path: path.name)
def test_no_file_of_the_page_names_another_host(path: Path) -> None:
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", text) == []
    assert "style=" not in text and " onclick" not in text


def luminance(colour: str) -> float:
    """Of #rgb or #rrggbb, as WCAG 2.1 reckons it."""
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at:at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_text_can_be_read_on_its_ground(theme: str) -> None:
    style = (FOLDER / "style.css").read_text("utf-8")
    block = style.split("}")[0 if theme == "dark" else 1]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", block))
    grounds = ("window", "panel", "raised")
    pairs = [(text, ground) for text in ("text", "muted") for ground in grounds]
    pairs += [(text, "panel") for text in ("good", "warn", "danger-text")]
    pairs += [("danger-text", "soft"), ("on", "accent"), ("on", "danger")]
    for text, ground in pairs:
        high, low = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (theme, text, ground)
    for colour in re.findall(r'"(#[0-9a-f]{6})"', (FOLDER / "room.js").read_text("utf-8")):
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5, colour


def test_every_text_is_there_in_both_languages_and_none_is_left_over() -> None:
    words = (FOLDER / "words.js").read_text("utf-8")
    table = words[words.index("const WORDS"):words.index("const EVENTS")]
    known = dict(re.findall(r'"?([\w-]+)"?: \["[^"]+",\s+"([^"]+)"\]', table))
    assert len(known) > 60 and all(known.values())
    used = "\n".join(script.read_text("utf-8") for script in SCRIPTS if script.name != "words.js")
    asked = set(re.findall(r'\bt\("([\w-]+)"', used))
    assert asked <= known.keys(), asked - known.keys()
    assert [key for key in known if f'"{key}"' not in used] == []
