"""The commands `analyse`, `ladder`, `extract`, `decrypt` and `report` of `confero-pcap`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pcap.analysis import analyse as analyse_capture
from pcap.analysis_text import as_text as as_words
from pcap.audio import CLOCKS
from pcap.call_ladders import call_ladder
from pcap.decrypt import Decrypted
from pcap.decrypt import decrypt as decrypt_capture
from pcap.errors import CaptureError
from pcap.extract import VIDEO, Extracted
from pcap.extract import extract as extract_streams
from pcap.findings import CHINESE, ENGLISH
from pcap.ladder_svg import as_svg
from pcap.ladder_text import as_text, clean, fitted
from pcap.report import report as make_report
from pcap.report_page import as_html
from pcap.survey import title_of

Capture = Annotated[Path, typer.Argument(help="a pcap or pcapng file")]


def analyse(
    file: Capture,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of text")] = False,
    lang: Annotated[str, typer.Option("--lang", metavar="LANG", help="language of the findings: en or zh")] = ENGLISH,
) -> None:
    """Tell of streams and calls, and what is wrong. Example: confero-pcap analyse call.pcapng --lang zh"""
    if lang not in (ENGLISH, CHINESE):
        _fail(2, f"--lang {clean(lang)}: expected {ENGLISH} or {CHINESE}")
    found = analyse_capture(_existing(file))
    if found.broken and not found.survey.packets:
        _fail(1, found.broken)
    typer.echo(json.dumps(found.summary(lang), ensure_ascii=False) if as_json else as_words(found, lang))
    _end(found.broken)


def ladder(
    file: Capture,
    call: Annotated[str, typer.Option("--call", metavar="ID", help="only calls whose Call-ID begins so")] = "",
    svg: Annotated[Path | None, typer.Option("--svg", metavar="OUT",
                                             help="write a picture instead; one more for each further call")] = None,
    width: Annotated[int, typer.Option("--width", metavar="N", help="columns of the text; else those of the terminal")] = 0,
) -> None:
    """Draw who sent what to whom. Example: confero-pcap ladder call.pcapng --svg call.svg"""
    analysis = analyse_capture(_existing(file))
    found = [one for one in analysis.survey.calls() if one.call_id.startswith(call) and (one.is_call or call)]
    ladders = [call_ladder(analysis, one, f"{title_of(one)}  (Call-ID {fitted(one.call_id, 60)})") for one in found]
    if svg is not None:
        for number, drawn in enumerate(ladders):
            target = svg if not number else svg.with_name(f"{svg.stem}-{number + 1}{svg.suffix}")
            _write(target, as_svg(drawn))
            typer.echo(str(target))
    elif ladders:
        columns = width or shutil.get_terminal_size((100, 24)).columns
        typer.echo("\n\n".join(as_text(drawn, columns) for drawn in ladders))
    if not ladders and not analysis.broken:
        _fail(1, f"no call begins with {clean(call)}" if call else "no SIP call in this capture")
    _end(analysis.broken)


def extract(
    file: Capture,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="the folder for the files; it is made if need be")],
    codec: Annotated[list[str] | None, typer.Option("--codec", metavar="N=NAME",
                                                    help="what a payload type is where no SDP tells, such as 111=opus")] = None,
) -> None:
    """Write the sound and video of each RTP stream. Example: confero-pcap extract call.pcapng --to call"""
    codecs = dict(_payload_type(one) for one in codec or ())
    try:
        files, broken = extract_streams(_existing(file), to, codecs)
    except OSError as error:
        _fail(1, f"{to}: {error.strerror or error}")
    if not files and not broken:
        typer.echo("no RTP stream")
    for one in files:
        typer.echo(_extracted(one))
    _end(broken)


def decrypt(
    file: Capture,
    out: Annotated[Path, typer.Argument(help="the plain pcapng file to write")],
    keys: Annotated[Path | None, typer.Option("--keys", metavar="FILE",
                                              help="a TLS key log (SSLKEYLOGFILE), also with SRTP_MASTER lines")] = None,
) -> None:
    """Write what TLS and SRTP hid as a plain capture. Example: confero-pcap decrypt call.pcapng clear.pcapng --keys keys.log"""
    if out.exists() and out.samefile(_existing(file)):
        _fail(2, f"{out}: the capture itself can't be written over")
    text = _existing(keys).read_bytes() if keys is not None else b""
    try:
        done = decrypt_capture(_existing(file), out, text)
    except OSError as error:
        _fail(1, f"{out}: {error.strerror or error}")
    except CaptureError as error:
        _fail(1, str(error))
    typer.echo("\n".join(_decrypted(done)))
    _end(done.broken)


def report(
    file: Capture,
    to: Annotated[Path | None, typer.Option("--to", metavar="OUT", help="the page to write; else FILE with .html")] = None,
) -> None:
    """Write a page with ladders, plots, sound and findings. Example: confero-pcap report call.pcapng --to call.html"""
    target = to if to is not None else _existing(file).with_suffix(".html")
    try:
        page = make_report(_existing(file))
    except CaptureError as error:
        _fail(1, str(error))
    _write(target, as_html(page))
    typer.echo(f"{target}  {target.stat().st_size // 1000} kB")
    _end(page.broken)


COMMANDS = (analyse, ladder, extract, decrypt, report)
"""What `pcap.__main__` makes commands of."""


def _existing(file: Path) -> Path:
    if not file.is_file():
        _fail(2, f"{file}: no such file")
    return file


def _write(target: Path, text: str) -> None:
    try:
        target.write_text(text, "utf-8")
    except OSError as error:
        _fail(1, f"{target}: {error.strerror or error}")


def _fail(status: int, words: str) -> NoReturn:
    typer.echo(f"error: {words}", err=True)
    raise typer.Exit(status)


def _end(broken: str) -> None:
    if broken:
        _fail(1, broken)


def _payload_type(text: str) -> tuple[int, str]:
    number, _, name = text.partition("=")
    if not (number.isascii() and number.isdigit() and int(number) <= 127 and name.lower() in (*CLOCKS, *VIDEO)):
        _fail(2, f"--codec {clean(text)}: expected a payload type and one of {', '.join((*CLOCKS, *VIDEO))}, such as 111=opus")
    return int(number), name.lower()


def _extracted(one: Extracted) -> str:
    ssrc, source, destination = one.name
    stream = f"{one.codec}  {source[0]}:{source[1]} > {destination[0]}:{destination[1]}  0x{ssrc:08x}"
    if one.file is None:
        return clean(f"-  {stream}  not written: {one.note}")
    amount = f"{one.pictures} pictures" if one.codec in VIDEO else f"{one.seconds:.1f} s"
    notes = [f"{one.lost} lost" if one.lost else "", f"{one.broken} left out" if one.broken else "", one.note]
    return clean("  ".join([str(one.file), stream, amount, *filter(None, notes)]))


def _decrypted(done: Decrypted) -> list[str]:
    lines = [f"TLS: {done.tls_connections} connections read, {done.tls_unknown} without a key"]
    if done.tls_records_unread:
        lines.append(f"     {done.tls_records_unread} records could not be read")
    if done.dtls_handshakes:
        lines.append(f"DTLS: {done.dtls_handshakes} handshakes, {done.dtls_unknown} without a key")
    lines.append(f"SRTP: {done.srtp_keys} keys, {done.opened} streams opened, {done.srtp_packets} packets, "
                 f"{done.srtcp_packets} of RTCP")
    if done.srtp_keys and done.closed:
        lines.append(f"      {len(done.closed)} streams no key opens: they were plain, or their key is missing")
    if done.fragments:
        lines.append(f"{done.fragments} fragments of datagrams that are not whole were left out")
    return [*lines, f"{done.packets} packets written"]
