"""`confero-pcap`: what a capture says, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pcap.commands import COMMANDS
from pcap.errors import CaptureError
from pcap.frames import Datagram, udp_datagram
from pcap.reader import read_packets
from pcap.streams import Stream, rtp_streams

app = typer.Typer(add_completion=False, help="Read captures of calls (pcap and pcapng).", no_args_is_help=True)


@app.callback()
def _main() -> None:
    """Read captures of calls (pcap and pcapng)."""


@app.command()
def analyse(
    file: Annotated[Path, typer.Argument(help="a pcap or pcapng file")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """List the RTP streams with loss and jitter. Example: confero-pcap analyse call.pcapng"""
    if not file.is_file():
        typer.echo(f"error: {file}: no such file", err=True)
        raise typer.Exit(2)
    broken: list[str] = []
    streams = rtp_streams(_datagrams(file, broken))
    if as_json:
        typer.echo(json.dumps([stream.summary() for stream in streams]))
    else:
        typer.echo(table(streams))
    if broken:
        typer.echo(f"error: {broken[0]}", err=True)
        raise typer.Exit(1)


for command in COMMANDS:
    app.command()(command)


def _datagrams(file: Path, broken: list[str]) -> Iterator[Datagram]:
    """What can be read; the reason goes to `broken` where the file breaks off."""
    try:
        for packet in read_packets(file):
            if (datagram := udp_datagram(packet)) is not None:
                yield datagram
    except CaptureError as error:
        broken.append(str(error))


def table(streams: list[Stream]) -> str:
    """The streams as a table for a terminal."""
    if not streams:
        return "no RTP stream"
    rows = [("SSRC", "from", "to", "type", "packets", "lost", "max delta ms", "jitter ms")]
    for one in (stream.summary() for stream in streams):
        types = ",".join(map(str, one["payload_types"]))
        figures = (str(one["packets"]), str(one["lost"]), str(one["max_delta_ms"]), str(one["jitter_ms"]))
        rows.append((one["ssrc"], one["source"], one["destination"], types, *figures))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    """Entry of the script."""
    app()


if __name__ == "__main__":
    main()
