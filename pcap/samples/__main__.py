"""Writes the samples: `python -m pcap.samples [FOLDER]`, else beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

from pcap.pcapng import PcapngWriter
from pcap.samples.scenes import SCENES
from pcap.samples.stage import Frame, Stage


def frames_of(name: str) -> list[Frame]:
    """The packets of a scene."""
    stage = Stage(seed=sorted(SCENES).index(name) + 1)
    SCENES[name](stage)
    return list(stage.frames())


def write(folder: Path) -> list[Path]:
    """Write all samples into a folder."""
    paths = []
    for name in SCENES:
        path = folder / f"{name}.pcapng"
        with path.open("wb") as file:
            writer = PcapngWriter(file, "Confero samples")
            for frame in frames_of(name):
                writer.packet(frame.time_ns, frame.data, comment=frame.comment)
        paths.append(path)
    return paths


def main() -> None:
    """Entry of the script."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent
    for path in write(folder):
        sys.stdout.write(f"{path.name}  {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
