"""The phone without a window: one call, a file or tone out, a recording in, figures as JSON at the end.

What it sends is exact (a frame every 20 ms, sequence numbers and timestamps without a gap, levels untouched), what it records
is continuous; so it serves as a measuring instrument, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from softphone.addresses import AddressError
from softphone.call import Call
from softphone.capture import PhoneCapture
from softphone.config import load, save
from softphone.errors import CallFailed, PhoneError
from softphone.line import CallEnd, PhoneEvent, TransferProgressed
from softphone.media.audio import SoundCard
from softphone.media.devices import Device, DeviceError, SourceDevice
from softphone.media.pictures import PictureSettings
from softphone.media.player import SourceError
from softphone.media.processing import Wanted, create_processor
from softphone.media.recorder import Recorder
from softphone.media.sound import Sound
from softphone.options import MICROPHONE, NO_VIDEO, Options, fail, host_of, source_of
from softphone.phone import Phone
from softphone.seeing import Seeing
from softphone.shares import Share
from softphone.stats import CallReport
from softphone.trust import Signalling, Trust, first_meeting

T = TypeVar("T")


def run_headless(options: Options) -> int:
    """Make the call (or wait for one); the exit status: 0 it was up and ended well, 1 it did not come about or was lost."""
    return asyncio.run(_run(options))


async def _run(options: Options) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    capture: PhoneCapture | None = None
    try:
        capture = PhoneCapture(options.pcap) if options.pcap is not None else None
        phone = Phone(options.user, options.password, options.server, transport=options.transport or "udp",
                      codecs=options.codecs, display_name=options.display_name, listen=options.listen, port=options.port,
                      srtp=options.srtp or "prefer", keying=options.keying, suites=options.suites, notify=_tell_progress,
                      trust=_trust(options), capture=capture, pictures=_picture_settings(options))
        async with phone:
            return await _one_call(phone, options, stop)
    except (PhoneError, AddressError, DeviceError, SourceError) as error:
        return fail(str(error), 1)
    except OSError as error:
        return fail(f"{error.filename or 'the recording'}: {error.strerror or error}", 1)
    finally:
        if capture is not None:
            await asyncio.to_thread(capture.close)


async def _one_call(phone: Phone, options: Options, stop: asyncio.Event) -> int:
    device = await _open_device(options)
    try:
        call = await _until(stop, _answered(phone) if options.answer else phone.call(options.target))
    except BaseException:
        device.stop()
        raise
    if call is None:
        device.stop()
        return fail("given up", 1)
    phone.use_sound(_sound(device, options))
    phone.attach(call)
    signalling = phone.signalling(call)
    print(f"{'answered ' if options.answer else 'in '}{call.uri} ({call.figures.codec}; signalling {signalling})",
          file=sys.stderr, flush=True)
    deeds = [asyncio.create_task(deed) for deed in _deeds(call, options)]
    seeing = Seeing(call.media.pictures, options, lambda: call.showing.figures)
    call.showing.begin(_tell_share, lambda text: print(text, file=sys.stderr, flush=True))
    if options.share is not None:
        call.showing.start(options.share)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(options.seconds):
                await _until(stop, call.ended())
    finally:
        for deed in deeds:
            deed.cancel()
        outcomes = await asyncio.gather(*deeds, return_exceptions=True)
        report = _report(call, signalling)
        report.pictures = seeing.report()
        await asyncio.to_thread(seeing.close)
    call.hang_up()
    end = await call.ended()
    report.ended_by, report.reason = ("them", end.text or end.reason) if end.by_remote else ("us", end.text)
    _tell(report, options)
    failed = [outcome for outcome in outcomes if isinstance(outcome, CallFailed)]
    return fail(str(failed[0]), 1) if failed else _status(end)


async def _answered(phone: Phone) -> Call:
    """Wait for a call and answer it."""
    print("waiting for a call at " + " or ".join(phone.addresses), file=sys.stderr, flush=True)
    call = await phone.next_call()
    await call.answer()
    return call


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None when a signal came first; the work is then cancelled."""
    task, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, stopping):
            one.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)


async def _open_device(options: Options) -> Device:
    if options.play != MICROPHONE:
        return SourceDevice(source_of(options))
    card = SoundCard()
    await asyncio.to_thread(card.start)
    return card


def _sound(device: Device, options: Options) -> Sound:
    sound = Sound(device)
    if options.play == MICROPHONE:
        sound.processor = create_processor(Wanted(), int(device.delay_ms))
    if options.record is not None:
        sound.recorder = Recorder(options.record)
    return sound


def _tell_progress(event: PhoneEvent) -> None:
    if isinstance(event, TransferProgressed):
        print(event.text, file=sys.stderr, flush=True)


def _tell_share(share: Share | None) -> None:
    if share is not None and not share.is_own:
        print(f"{share.name} shares a screen", file=sys.stderr, flush=True)
    elif share is not None and not share.is_asked:
        print("sharing", file=sys.stderr, flush=True)


def _deeds(call: Call, options: Options) -> Iterator[Coroutine[Any, Any, None]]:
    """What is to be done in the call, each at its time."""
    begun = asyncio.get_running_loop().time()
    yield _press(call, begun, options.dtmf)
    yield _hold(call, begun, options.hold)
    if options.transfer is not None:
        at, target = options.transfer
        yield _transfer(call, begun + at, target)


async def _until_time(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))


async def _press(call: Call, begun: float, keys: tuple[tuple[float, str], ...]) -> None:
    for at, digits in keys:
        await _until_time(begun + at)
        if not call.press(digits):
            print("the other side takes no keys", file=sys.stderr, flush=True)


async def _hold(call: Call, begun: float, holds: tuple[tuple[float, float], ...]) -> None:
    for at, length in holds:
        for held, moment in ((True, begun + at), (False, begun + at + length)):
            await _until_time(moment)
            await call.hold(held)
            print("on hold" if held else "back in the call", file=sys.stderr, flush=True)


async def _transfer(call: Call, moment: float, target: str) -> None:
    await _until_time(moment)
    try:
        await call.transfer(target)
    except CallFailed as error:
        raise CallFailed(f"the call was not transferred: {error}", error.status) from None


def _picture_settings(options: Options) -> PictureSettings | None:
    return PictureSettings(is_sending=options.video not in ("", NO_VIDEO)) if options.has_pictures else None


def _trust(options: Options) -> Trust:
    """Certificates that were met before, from the phone's file; a new one is written there and told."""

    def keep(host: str, fingerprint: str) -> None:
        try:
            save(load(options.config)[0].with_certificate(host, fingerprint), options.config)
        except OSError as error:
            print(f"{options.config} can't be written ({error.strerror or error}): the certificate is not remembered",
                  file=sys.stderr, flush=True)

    def met(host: str, fingerprint: str) -> None:
        print(first_meeting(host, fingerprint), file=sys.stderr, flush=True)

    trust = Trust(load(options.config)[0].certificates, keep, met)
    if options.fingerprint:
        trust.expect(host_of(options), options.fingerprint)
    return trust


def _report(call: Call, signalling: Signalling) -> CallReport:
    return CallReport(str(call.uri), call.figures, True, call.setup_ms, call.seconds,
                      [member.name for member in call.roster], call.media.csrcs_seen, call.protection, call.suite,
                      signalling=signalling.cipher, fingerprint=signalling.fingerprint)


def _tell(report: CallReport, options: Options) -> None:
    text = json.dumps(report.as_dict(), ensure_ascii=False)
    print(text, flush=True)
    if options.stats is not None:
        options.stats.write_text(text + "\n", encoding="utf-8")


def _status(end: CallEnd) -> int:
    return fail(end.text, 1) if end.is_error else 0
