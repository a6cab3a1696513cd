"""Make tones and measure what a recording holds: levels, gaps, steps, clicks. Levels are dBFS RMS (a square wave has 0)."""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]
"""One channel, full scale is ±1."""

FLOOR_DBFS = -120.0
GAP_FRAME_MS = 5
GAP_BELOW_DB = 40.0
STEP_FRAME_MS = 20


def sines(frequencies: float | Iterable[float], seconds: float, rate: int = 48000, level_dbfs: float = -12.0) -> Signal:
    """Equal sines with `level_dbfs` in total (lowered where the peak would clip)."""
    wanted = [float(frequencies)] if isinstance(frequencies, int | float) else [float(f) for f in frequencies]
    time = np.arange(round(seconds * rate)) / rate
    total: Signal = np.sum([np.sin(2 * np.pi * f * time) for f in wanted], axis=0)
    total *= 10 ** (level_dbfs / 20) / math.sqrt(len(wanted) / 2)
    peak = float(np.max(np.abs(total), initial=0.0))
    return total * (0.99 / peak) if peak > 0.99 else total


def write_wav(path: str | Path, samples: Signal, rate: int = 48000, channels: int = 1) -> None:
    """Write 16-bit PCM, the same in each channel."""
    frames = np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.repeat(frames, channels).tobytes())


def make(path: str | Path, frequencies: float | Iterable[float], seconds: float = 10.0, rate: int = 48000,
         level_dbfs: float = -12.0, channels: int = 1) -> None:
    """Write a WAV of equal sines."""
    write_wav(path, sines(frequencies, seconds, rate, level_dbfs), rate, channels)


def read_wav(path: str | Path) -> tuple[int, Signal]:
    """(rate, the loudest channel) of a WAV; a recorder that was killed may have left lengths of 0 or too large.

    Raises ValueError for what is no WAV.
    """
    data = Path(path).read_bytes()
    if data[:4] not in (b"RIFF", b"RF64") or data[8:12] != b"WAVE":
        raise ValueError(f"{path}: no WAV file")
    position, layout, body = 12, None, None
    while position + 8 <= len(data) and body is None:
        tag, size = data[position:position + 4], struct.unpack_from("<I", data, position + 4)[0]
        start = position + 8
        if tag == b"fmt ":
            layout = struct.unpack_from("<HHIIHH", data, start)
            if layout[0] == 0xFFFE:                                    # WAVE_FORMAT_EXTENSIBLE
                layout = (struct.unpack_from("<H", data, start + 24)[0], *layout[1:])
        elif tag == b"data":
            body = data[start:start + size] if 0 < size <= len(data) - start else data[start:]
        position = start + size + (size & 1)
    if layout is None or body is None:
        raise ValueError(f"{path}: no fmt and data chunk")
    kind, channels, rate, _, align, bits = layout
    values = _decode(kind, bits, body[:len(body) // align * align]).reshape(-1, channels)
    if not len(values):
        return rate, np.zeros(0)
    loudest = int(np.argmax(np.mean(values ** 2, axis=0)))
    return rate, np.ascontiguousarray(values[:, loudest])


def _decode(kind: int, bits: int, body: bytes) -> Signal:
    if kind == 3:
        return np.frombuffer(body, "<f4" if bits == 32 else "<f8").astype(np.float64)
    if kind == 7:
        code = ~np.frombuffer(body, np.uint8)
        size = (((code & 0x0F).astype(np.int32) << 3) + 0x84) << ((code & 0x70) >> 4)
        return np.where(code & 0x80, 0x84 - size, size - 0x84) / 32768.0
    if kind == 6:
        code = np.frombuffer(body, np.uint8) ^ 0x55
        segment, mantissa = (code & 0x70) >> 4, (code & 0x0F).astype(np.int32) << 4
        size = np.where(segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment.astype(np.int32) - 1, 0))
        return np.where(code & 0x80, size, -size) / 32768.0
    if bits == 8:
        return (np.frombuffer(body, np.uint8).astype(np.float64) - 128) / 128
    if bits == 16:
        return np.frombuffer(body, "<i2") / 32768.0
    if bits == 24:
        parts = np.frombuffer(body, np.uint8).reshape(-1, 3).astype(np.int32)
        return ((parts[:, 0] << 8 | parts[:, 1] << 16 | parts[:, 2] << 24) >> 8) / 8388608.0
    return np.frombuffer(body, "<i4") / 2147483648.0


def active(rate: int, samples: Signal, threshold_dbfs: float = -60.0) -> Signal:
    """The signal without the silence at both ends."""
    loud = np.flatnonzero(np.abs(samples) > 10 ** (threshold_dbfs / 20))
    return samples[loud[0]:loud[-1] + 1] if len(loud) >= rate // 100 else samples[:0]


def steady(rate: int, samples: Signal, margin: float = 0.2) -> Signal:
    """The middle of a recording: silence at both ends is cut off, then `margin` of the rest at each end."""
    whole = active(rate, samples)
    cut = int(len(whole) * margin)
    return whole[cut:len(whole) - cut]


def rms_dbfs(samples: Signal) -> float:
    """The level of all that is there."""
    power = float(np.mean(samples ** 2)) if len(samples) else 0.0
    return max(FLOOR_DBFS, 10 * math.log10(power)) if power > 0 else FLOOR_DBFS


def level_dbfs(rate: int, samples: Signal, hz: float) -> float:
    """The level of the tone at `hz`: the energy within 3 % (at least 15 Hz) of it in Hann windows of 0.5 s, on average."""
    powers = _tone_powers(rate, samples, hz)
    power = float(np.mean(powers)) if len(powers) else 0.0
    return max(FLOOR_DBFS, 10 * math.log10(power)) if power > 0 else FLOOR_DBFS


def level_range_dbfs(rate: int, samples: Signal, hz: float) -> tuple[float, float]:
    """The lowest and the highest level of a tone in windows of 0.5 s."""
    powers = _tone_powers(rate, samples, hz)
    if not len(powers):
        return FLOOR_DBFS, FLOOR_DBFS
    levels = 10 * np.log10(np.maximum(powers, 1e-12))
    return float(levels.min()), float(levels.max())


def _tone_powers(rate: int, samples: Signal, hz: float) -> Signal:
    size = min(len(samples), rate // 2)
    if size < rate // 50:
        return np.zeros(0)
    window = np.hanning(size)
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    near = np.abs(frequencies - hz) <= max(0.03 * hz, 15, 2 * rate / size)
    scale = 2 / (size * float(np.sum(window ** 2)))
    starts = range(0, len(samples) - size + 1, size)
    return np.array([scale * np.sum(np.abs(np.fft.rfft(samples[s:s + size] * window))[near] ** 2) for s in starts])


def dominant_hz(rate: int, samples: Signal) -> float:
    """The strongest frequency above 40 Hz; 0 for silence."""
    size = min(len(samples), rate)
    if size < rate // 50 or not np.any(samples):
        return 0.0
    middle = samples[(len(samples) - size) // 2:][:size]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(size)))
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    return float(frequencies[int(np.argmax(np.where(frequencies < 40, 0, spectrum)))])


def _frame_levels(rate: int, samples: Signal, frame_ms: int) -> Signal:
    size = rate * frame_ms // 1000
    frames = samples[:len(samples) // size * size].reshape(-1, size)
    return np.sqrt(np.mean(frames ** 2, axis=1))


def longest_gap_ms(rate: int, samples: Signal) -> float:
    """The longest run of frames of 5 ms that are more than 40 dB below the level of the whole, in ms."""
    if not len(samples):
        return math.inf
    level = math.sqrt(float(np.mean(samples ** 2)))
    longest = run = 0
    for value in _frame_levels(rate, samples, GAP_FRAME_MS):
        run = run + 1 if value <= level * 10 ** (-GAP_BELOW_DB / 20) else 0
        longest = max(longest, run)
    return float(longest * GAP_FRAME_MS)


def largest_step_db(rate: int, samples: Signal) -> float:
    """The largest change of level between frames of 20 ms that follow each other, in dB."""
    levels = 20 * np.log10(np.maximum(_frame_levels(rate, samples, STEP_FRAME_MS), 1e-6))
    return float(np.max(np.abs(np.diff(levels)), initial=0.0))


def largest_click_db(rate: int, samples: Signal, frequencies: Iterable[float], block_ms: int = 100) -> float:
    """The highest peak of what is left without the tones (fitted in each block), in dB below (negative) the signal's RMS."""
    size = rate * block_ms // 1000
    time = np.arange(size) / rate
    columns = [wave_ for f in frequencies for wave_ in (np.sin(2 * np.pi * f * time), np.cos(2 * np.pi * f * time))]
    basis = np.stack(columns, axis=1)
    blocks = samples[:len(samples) // size * size].reshape(-1, size).T
    if not blocks.size:
        return FLOOR_DBFS
    fitted = basis @ np.linalg.lstsq(basis, blocks, rcond=None)[0]
    peak = float(np.max(np.abs(blocks - fitted)))
    return 20 * math.log10(max(peak, 1e-6)) - rms_dbfs(samples)


def loudest_click_db(rate: int, samples: Signal, above_hz: float) -> float:
    """The highest peak of what lies above `above_hz`, against the signal's RMS, dB: for sounds that are all well below it.

    A step or a seam has all frequencies; a tone that swells and fades has not. Half a tenth of a second is cut off at the ends.
    """
    taps = 2 * (rate // 400) + 1
    time = np.arange(taps) - taps // 2
    low = np.sinc(2 * above_hz / rate * time) * np.hanning(taps)
    high = -low / np.sum(low)
    high[taps // 2] += 1
    left = np.convolve(samples, high, "same")[rate // 20:-rate // 20]
    return 20 * math.log10(max(float(np.max(np.abs(left), initial=0.0)), 1e-6)) - rms_dbfs(samples)
