"""The seam can be native: the shells build with Cython and gcc, run without the lock, and mix as the readable room does."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import rtp.kernel
from rtp.kernel.reference import clip

pytestmark = pytest.mark.loopback

SOURCE = Path(rtp.kernel.__file__).parent / "native" / "kernel.pyx"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The module, built in a temporary folder."""
    folder = tmp_path_factory.mktemp("native")
    translated, built = folder / "kernel.c", folder / f"kernel{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run([sys.executable, "-m", "cython", "-3", str(SOURCE), "-o", str(translated)], check=True, capture_output=True)
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}", str(translated), "-o", str(built)],
                   check=True, capture_output=True)
    spec = importlib.util.spec_from_file_location("kernel", built)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_native_mix_is_the_readable_one(kernel: ModuleType) -> None:
    random = np.random.default_rng(7)
    frames = random.integers(-32768, 32768, (6, 960)).astype(np.int16)
    is_heard = np.array([1, 0, 1, 1, 0, 1], np.uint8)
    out = np.zeros_like(frames)
    kernel.room_tick(frames, is_heard, out)
    total = frames[is_heard == 1].astype(np.int32).sum(axis=0)
    for leg in range(6):
        assert np.array_equal(out[leg], clip(total - frames[leg] if is_heard[leg] else total))


def test_shapes_are_checked_at_the_edge(kernel: ModuleType) -> None:
    frames = np.zeros((2, 960), np.int16)
    for heard, out in ((np.zeros(3, np.uint8), frames.copy()), (np.zeros(2, np.uint8), np.zeros((2, 480), np.int16))):
        with pytest.raises(ValueError, match="960"):
            kernel.room_tick(frames, heard, out)


def test_packets_are_forwarded_to_each_target(kernel: ModuleType) -> None:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(6)]
    try:
        source, sender, *rest = sockets
        for sock in (source, *rest[2:]):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
        for target, receiver in zip(rest[:2], rest[2:], strict=True):
            target.connect(receiver.getsockname())
        for number in range(3):
            sender.sendto(bytes([number]) * 1200, source.getsockname())
        moved = kernel.forwarder_drain(source.fileno(), np.array([target.fileno() for target in rest[:2]], np.intc))
        assert moved == 6
        for receiver in rest[2:]:
            assert [receiver.recv(2048)[0] for _ in range(3)] == [0, 1, 2]
    finally:
        for sock in sockets:
            sock.close()


def test_the_shells_touch_no_python_object() -> None:
    text = SOURCE.read_text("utf-8")
    assert text.count("noexcept nogil:") == 3 and text.count("with nogil:") == 2
