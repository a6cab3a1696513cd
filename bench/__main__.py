"""`./run bench`: the server measured from outside with `bench/confload`, and its parts from inside; a table and JSON.

    python -m bench [--quick] [--only parts,memory,audio,calls,sustained,registrations] [--json FILE]

CPU figures are CPU time of the server's whole process tree per unit of work. The reference mixer is the generator's own C
server (`confload uas --mode mix`), right before and right after the row that is compared with it: a machine's speed changes
within minutes, so trust the ratio more than the figure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.memory import memory_mb, tree
from confero.testing import Server, free_port, start_server

HERE = Path(__file__).resolve().parent
PASSWORD = "bench-0123456789"


def build_generator(folder: Path) -> Path:
    """Compile confload; its path. Raises CalledProcessError with the compiler's words on standard error."""
    binary = folder / "confload"
    command = ["gcc", "-O2", "-o", binary, HERE / "confload" / "confload.c", "-lpthread", "-lm", "-ldl"]
    subprocess.run(command, check=True)
    return binary


def confload(binary: Path, *arguments: object) -> dict[str, Any]:
    """One run of the generator: what it measured."""
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise RuntimeError(f"confload {' '.join(map(str, arguments))}: {done.stderr[-500:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def audio_row(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """What matters of an audio run."""
    check, media = result["audio_check"], result["media"]
    return {
        "name": name, "members": result["calls"]["answered"],
        "cpu_ms_per_participant_s": round(result["server"]["cpu_ms_per_participant_s"], 3),
        "delay_ms_p50": check["mouth_to_ear_ms"]["p50"], "lost": media["lost"],
        "packets_per_leg_s": media["rx_pps_per_leg"], "tones_missing": check["tones_missing"],
        "own_voice_leaks": check["own_voice_leaks"], "pacing_late_ms_p99": media["pacing_late_ms"]["p99"],
        "rss_mb": result["server"].get("rss_mb"),
    }


def measure_audio(binary: Path, server: Server, seconds: int, sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    """Rooms of several sizes and codecs, three talkers and all talking, beside the reference mixer."""
    rows: list[dict[str, Any]] = []
    common = ("--seconds", seconds, "--warmup", 3)
    for codec in ("pcmu", "opus"):
        for members in sizes:
            for talkers in sorted({3, members if members <= 100 else 3}):
                room = f"bench-{codec}-{members}-{talkers}"
                listener = ("--listener-tx", "silence") if codec == "opus" else ()      # what Opus makes of silence with DTX
                is_compared = (codec, members, talkers) == ("pcmu", 100, 3)
                if is_compared:
                    rows.append(reference_mixer(binary, common))
                    print_row(rows[-1])
                result = confload(binary, "audio", "--uri", server.uri(room), "--n", members, "--talkers", talkers,
                                  "--codec", codec, "--server-pid", server.process.pid, *common, *listener)
                rows.append(audio_row(f"{codec} {members} members, {talkers} talk", result))
                print_row(rows[-1])
                if is_compared:
                    rows.append(compared(rows[-2:], reference_mixer(binary, common)))
                    print_row(rows[-1])
    return rows


def compared(before: list[dict[str, Any]], after: dict[str, Any]) -> dict[str, Any]:
    """The second row of the reference mixer; the row between the two gets its ratio to their mean."""
    reference, row = before
    mean = (reference["cpu_ms_per_participant_s"] + after["cpu_ms_per_participant_s"]) / 2
    row["ratio_to_reference"] = round(row["cpu_ms_per_participant_s"] / mean, 2)
    print(f"{row['name']}: {row['ratio_to_reference']} times the reference mixer", flush=True)
    return after


def reference_mixer(binary: Path, common: tuple[object, ...]) -> dict[str, Any]:
    """The generator's own mixer in C, 100 PCMU members, 3 talkers."""
    port = free_port()
    mixer = subprocess.Popen([binary, "uas", "--port", str(port), "--mode", "mix", "--seconds", "120"],
                             stderr=subprocess.DEVNULL)
    try:
        result = confload(binary, "audio", "--uri", f"sip:x@127.0.0.1:{port}", "--n", 100, "--talkers", 3,
                          "--server-pid", mixer.pid, *common)
    finally:
        mixer.terminate()
        mixer.wait()
    return audio_row("reference mixer in C, pcmu 100 members, 3 talk", result)


def measure_calls(binary: Path, server: Server, seconds: int) -> list[dict[str, Any]]:
    """Calls into a room and out, per second."""
    result = confload(binary, "cps", "--uri", server.uri("bench-calls"), "--rates", "20,50,100", "--seconds", seconds,
                      "--hold", 0.1, "--server-pid", server.process.pid)
    print(json.dumps(result), flush=True)
    return [result]


def measure_sustained(binary: Path, server: Server, seconds: int) -> list[dict[str, Any]]:
    """150 calls a second, for a minute in a full run: all answered, and the memory afterwards. The generator's CPU is apart."""
    result = confload(binary, "cps", "--uri", server.uri("bench-sustained"), "--rates", 150, "--seconds", seconds,
                      "--hold", 0.1, "--server-pid", server.process.pid)
    (step,) = result["steps"]
    row = {name: step[name] for name in ("placed", "answered", "failed", "timeouts", "retransmits", "slower_than_500ms",
                                         "server_cpu_ms_per_call", "answer_ms", "generator_cpu_s")}
    row["memory_mb"] = memory_mb(server.process.pid)
    print(json.dumps(row), flush=True)
    return [row]


def measure_memory(server: Server) -> list[dict[str, Any]]:
    """What a server takes that nobody has called yet, all its processes together."""
    row = {"idle": memory_mb(server.process.pid), "processes": len(list(tree(server.process.pid)))}
    print(json.dumps(row), flush=True)
    return [row]


def measure_registrations(binary: Path, server: Server, users: int) -> list[dict[str, Any]]:
    """Registrations with digest, 300 a second: at full speed it is the limit of transactions that answers in the end."""
    result = confload(binary, "register", "--uri", f"sip:{server.host}:{server.port}", "--n", users, "--window", 50,
                      "--rate", 300, "--pass", PASSWORD, "--server-pid", server.process.pid)
    print(json.dumps(result), flush=True)
    return [result]


def measure_parts() -> list[dict[str, Any]]:
    """The parts from inside: each of these modules prints one JSON object."""
    rows = []
    for module in ("bench.sip_parse", "bench.sip_calls", "bench.codecs", "bench.srtp", "bench.mixer", "bench.joins",
                   "bench.compose", "bench.rooms", "bench.forward"):
        done = subprocess.run([sys.executable, "-m", module], capture_output=True, text=True, check=True)
        rows.append({"module": module, **json.loads(done.stdout.splitlines()[-1])})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def print_row(row: dict[str, Any]) -> None:
    """One line of the table, as soon as it is known."""
    print(f"{row['name']:48} {row['cpu_ms_per_participant_s']:8.3f} ms/participant-s  delay {row['delay_ms_p50']} ms  "
          f"lost {row['lost']}  {row['packets_per_leg_s']} pkt/s  missing {row['tones_missing']}  "
          f"own {row['own_voice_leaks']}", flush=True)


def main() -> None:
    """Measure what was asked for and print the JSON last."""
    parser = argparse.ArgumentParser(prog="./run bench", description="Measure the server from outside and its parts.")
    parser.add_argument("--quick", action="store_true", help="fewer members, shorter windows")
    parser.add_argument("--only", default="parts,memory,audio,calls,sustained,registrations")
    parser.add_argument("--json", type=Path, help="write the results here too")
    options = parser.parse_args()
    wanted = options.only.split(",")
    seconds, sizes = (4, (10,)) if options.quick else (12, (10, 100, 300))
    results: dict[str, Any] = {}
    if "parts" in wanted:
        results["parts"] = measure_parts()
    with tempfile.TemporaryDirectory() as folder:
        binary = build_generator(Path(folder))
        configuration = Path(folder) / "confero.toml"
        configuration.write_text("max_members = 1000\n")
        server = start_server(Path(folder) / "server", "--open", "--config", str(configuration))
        try:
            if "memory" in wanted:
                results["memory"] = measure_memory(server)
            if "audio" in wanted:
                results["audio"] = measure_audio(binary, server, seconds, sizes)
            if "calls" in wanted:
                results["calls"] = measure_calls(binary, server, seconds)
            if "sustained" in wanted:
                results["sustained"] = measure_sustained(binary, server, 5 if options.quick else 60)
            if "registrations" in wanted:
                users = 200
                for number in range(users):
                    server.json("user", "add", f"user{number}", "--password", PASSWORD)
                results["registrations"] = measure_registrations(binary, server, users)
        finally:
            server.stop()
    text = json.dumps(results, indent=1)
    if options.json:
        options.json.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
