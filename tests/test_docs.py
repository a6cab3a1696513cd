"""The documents are true as far as a machine can tell: links, commands, generated pages, fields, figures of the code."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from docs import generate
from mcu import administration
from mcu.__main__ import app as server_app
from mcu.dialplan import FACTORY, SERVICES
from mcu.storage.base import Binding, CallRecord
from mcu.verbs import KEYPAD, VERBS
from pcap.__main__ import app as pcap_app
from pcap.streams import Stream
from softphone import options
from softphone.stats import CallReport

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"), ROOT / "examples/README.md",
                ROOT / "tests/README.md"])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
PROGRAMS = ("confero", "confero-phone", "confero-pcap", "./run")
COMMANDS = {"confero": server_app, "confero-pcap": pcap_app}


def name_of(page: Path) -> str:
    """A page's name for the list of tests."""
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def command_lines(text: str) -> Iterator[tuple[str, bool]]:
    """(line, whether it stands in a sentence) of all code that begins with a program of ours."""
    blocks = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    blocks += [line.strip() for _, block in FENCE.findall(text) for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    for code, is_in_sentence in (*((block, False) for block in blocks), *((piece, True) for piece in inline)):
        line = re.split(r" {3,}|\s+#\s", code)[0].strip()
        if line.split(" ")[0] in PROGRAMS and not line.endswith(("[OPTIONS]", "…")):
            yield line, is_in_sentence


def check_command(words: list[str], is_in_sentence: bool = False) -> None:
    """Parse a command line as its program would, without running it; in a sentence a command's name alone will do.

    Raises what the parser raises.
    """
    match words:
        case ["./run", *rest]:
            check_run(rest)
        case ["confero-phone", *rest]:
            options._parser().parse_args(rest)
        case [program, *rest]:
            check_typer(typer.main.get_command(COMMANDS[program]), program, rest, is_in_sentence)


def check_run(words: list[str]) -> None:
    """A line of the script `run`."""
    known = set(re.findall(r"^    ([\w|-]+)\) ", (ROOT / "run").read_text(), re.M))
    known = {name for group in known for name in group.split("|")}
    if not words:
        return
    assert words[0] in known, f"./run has no command {words[0]!r}"
    match words:
        case ["phone", *rest]:
            check_command(["confero-phone", *rest])
        case ["serve", *rest]:
            check_command(["confero", "serve", *rest])
        case ["confero", *rest]:
            check_command(["confero", *rest])


def check_typer(command: Any, path: str, words: list[str], is_in_sentence: bool) -> None:
    """A line of one of the typer programs."""
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"{path} has no command {words[0]!r}"
        command, path, words = command.commands[words[0]], f"{path} {words[0]}", words[1:]
    if words or not is_in_sentence:
        command.make_context(path, list(words))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        found = (page.parent / place).resolve() if place else page
        assert found.is_relative_to(ROOT), target
        assert found.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(found), f"{target}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_a_page_can_be_typed(page: Path) -> None:
    for line, is_in_sentence in command_lines(page.read_text("utf-8")):
        try:
            check_command(shlex.split(line), is_in_sentence)
        except (Exception, SystemExit) as error:
            pytest.fail(f"{line}: {getattr(error, 'message', error)}")


@pytest.mark.parametrize("line", [
    "confero room creat daily", "confero room create daily --pinn 1", "confero room create", "./run fone",
    "confero-phone --hedless sip:a@b", "confero-pcap analyze x", "./run serve --colour red",
])
def test_a_wrong_command_would_be_found(line: str) -> None:
    with pytest.raises((Exception, SystemExit)):
        check_command(shlex.split(line))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_and_toml_in_a_page_can_be_parsed(page: Path) -> None:
    for language, block in FENCE.findall(page.read_text("utf-8")):
        if language == "python":
            ast.parse(block)
        elif language == "toml":
            tomllib.loads(block)


@pytest.mark.parametrize("name", generate.pages())
def test_generated_page_is_current(name: str) -> None:
    assert (generate.REFERENCE / name).read_text("utf-8") == generate.pages()[name], "type: python -m docs.generate"


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        found = [(page.parent / target.partition("#")[0]).resolve() for target in LINK.findall(page.read_text("utf-8"))]
        waiting += [link for link in found if link.suffix == ".md" and link.exists() and link not in reached]
    assert [name_of(page) for page in (ROOT / "docs").rglob("*.md") if page not in reached] == []


def test_every_figure_is_explained_in_the_statistics() -> None:
    text = (ROOT / "docs/reference/statistics.md").read_text("utf-8")
    stream = Stream(1, ("192.0.2.1", 1), ("192.0.2.2", 2), 0)
    people = re.findall(r"\w+", (administration.Live.people.__doc__ or "").partition(":")[2])
    wanted = {*CallReport("sip:a@example.org").as_dict(), *(f.name for f in fields(CallRecord)), *people,
              *(f.name for f in fields(Binding)), *stream.summary()}
    assert sorted(name for name in wanted if f"`{name}`" not in text) == []


def test_every_address_and_key_is_in_the_reference() -> None:
    text = (ROOT / "docs/reference/addresses-and-verbs.md").read_text("utf-8")
    for name in (FACTORY, *SERVICES):
        assert f"`sip:{name}@HOST`" in text
    for code in KEYPAD:
        assert all(f"`{key}`" in text for key in re.findall(r"\*.|#(?=$)", code) if key != "#" or len(code) > 2)
    for verb in VERBS.values():
        assert f"`{verb.chat}`" in text and f"`{verb.rest}`" in text and f"`{verb.command}`" in text


def strings_of_the_code() -> list[list[str]]:
    """Every text of the server, the phone and the protocols, as the pieces between its placeholders."""
    found = []
    for path in (path for package in ("mcu", "softphone", "rtp") for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append([str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append([node.value])
    return found


def says(pieces: list[str], quoted: str) -> bool:
    """Whether a text of the code can read as quoted, which may break off ("…") at either end."""
    if any(quoted in piece for piece in pieces):
        return True
    position, known = 0, 0
    for piece in filter(None, pieces):
        at = quoted.find(piece, position)
        if at < 0:
            overlap = next((n for n in range(len(piece), 0, -1) if quoted[position:].endswith(piece[:n])), 0)
            return known + overlap > len(quoted) // 2
        position, known = at + len(piece), known + len(piece)
    return known > len(quoted) // 2


@pytest.mark.parametrize("page", ["when-it-does-not-work.md", "manage-a-meeting.md"])
def test_sentences_that_a_page_quotes_are_in_the_code(page: str) -> None:
    texts = strings_of_the_code()
    text = (ROOT / "docs/how-to" / page).read_text("utf-8")
    quoted = [sentence.strip("… ") for sentence in re.findall("“([^”]+)”", text)]
    assert len(quoted) >= 3
    assert [one for one in quoted if not any(says(pieces, one) for pieces in texts)] == []


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs/explanation/decisions/dependencies.md").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = [re.split(r"[>=<\[]", text_of)[0] for text_of in wanted]
    assert [name for name in names if not re.search(rf"^\|.*\b{re.escape(name)}\b.*\|.*\w", text, re.M)] == []


def test_no_page_names_a_path_of_one_machine() -> None:
    for page in PAGES:
        assert not re.search(r"/home/\w|/root/|/tmp/\w", page.read_text("utf-8")), name_of(page)
