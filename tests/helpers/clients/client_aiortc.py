"""A peer as browsers are: aiortc with its own ICE, DTLS-SRTP and BUNDLE, over SIP by secure WebSocket (our SIP core as its UA).

    python -m tests.helpers.clients.client_aiortc --wss wss://10.77.0.1:7443/ --uri sip:daily@10.77.0.1 --tone 440 --seconds 8 \
        --record heard.wav

Prints one JSON object: is_connected, offer and answer as they went over the wire, states of ICE and DTLS, packets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import sys
import wave
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from websockets.asyncio.client import ClientConnection, connect

from sip.auth import DigestClient
from sip.endpoint import Endpoint, EndpointSettings
from sip.events import CallAnswered, CallTerminated
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.uri import Uri

RATE = 48000


class Tone(MediaStreamTrack):
    """A sine of -20 dBFS (RMS), in frames of 20 ms, paced by the clock."""

    kind = "audio"

    def __init__(self, hz: float) -> None:
        super().__init__()
        self._hz, self._position, self._begun = hz, 0, None

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._begun = self._begun if self._begun is not None else loop.time()
        await asyncio.sleep(max(0.0, self._begun + self._position / RATE - loop.time()))
        at = (self._position + np.arange(960)) / RATE
        samples = np.rint(4634 * np.sin(2 * np.pi * self._hz * at)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(samples, 2)[None, :], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._position, Fraction(1, RATE)
        self._position += 960
        return frame


class Grey(MediaStreamTrack):
    """Pictures of one grey, 15 a second."""

    kind = "video"

    def __init__(self, luma: int) -> None:
        super().__init__()
        self._luma, self._count = luma, 0

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(1 / 15)
        frame = av.VideoFrame.from_ndarray(np.full((360, 320), self._luma, np.uint8), format="yuv420p")
        frame.planes[1].update(bytes([128]) * frame.planes[1].buffer_size)
        frame.planes[2].update(bytes([128]) * frame.planes[2].buffer_size)
        frame.pts, frame.time_base = self._count * 6000, Fraction(1, 90000)
        self._count += 1
        return frame


async def watch(track: MediaStreamTrack, seen: list[tuple[int, int, int]]) -> None:
    """Note width, height and grey of each picture, until the track ends."""
    while True:
        frame = await track.recv()
        assert isinstance(frame, av.VideoFrame)
        luma = np.frombuffer(frame.planes[0], np.uint8)
        seen.append((frame.width, frame.height, round(float(luma.mean()))))


class Ua:
    """Our SIP core over one WebSocket. Whole messages go both ways (RFC 7118 §5)."""

    def __init__(self, socket: ClientConnection, host: str) -> None:
        self.endpoint = Endpoint(EndpointSettings(), os.urandom)
        self.endpoint.told_host = lambda flow: f"{os.urandom(4).hex()}.invalid"
        self.flow = Flow("WSS", ("192.0.2.1", 443), (host, 443), 1)
        self._socket = socket
        self._loop = asyncio.get_running_loop()

    async def pump(self) -> None:
        for data, _ in self.endpoint.datagrams_to_send():
            await self._socket.send(data.decode())

    async def wait(self, kind: type, limit_s: float = 20.0) -> object:
        """The next event of a kind."""
        async with asyncio.timeout(limit_s):
            while True:
                await self.pump()
                event = self.endpoint.next_event()
                if isinstance(event, kind):
                    return event
                if isinstance(event, CallTerminated):
                    raise RuntimeError(f"{event.status} {event.reason}")
                if event is None:
                    data = await self._socket.recv()
                    self.endpoint.receive_stream(data.encode() if isinstance(data, str) else data, self.flow, self._loop.time())

    async def serve(self, seconds: float) -> None:
        """Answer what comes, for so long."""
        try:
            await self.wait(CallTerminated, seconds)
        except TimeoutError:
            return


async def record(track: MediaStreamTrack, out: wave.Wave_write) -> None:
    """Write what is heard, until the track ends."""
    resampler = av.AudioResampler("s16", "mono", RATE)
    while True:
        for frame in resampler.resample(await track.recv()):
            out.writeframes(frame.to_ndarray().tobytes())


async def run(options: argparse.Namespace) -> dict[str, object]:
    """The whole call."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTrack(Tone(options.tone))
    if options.grey:
        peer.addTrack(Grey(options.grey))
    seen: list[tuple[int, int, int]] = []
    heard: list[MediaStreamTrack] = []
    peer.on("track", heard.append)
    await peer.setLocalDescription(await peer.createOffer())
    async with connect(options.wss, ssl=context, subprotocols=["sip"]) as socket:
        ua = Ua(socket, Uri.parse(options.uri).host)
        target = Uri.parse(options.uri)
        call: Call = ua.endpoint.invite(
            target, from_=NameAddr(Uri("sip", options.user, target.host)), flow=ua.flow,
            contact=Uri("sip", options.user, "browser.invalid", None, (("transport", "ws"),)),
            now=asyncio.get_running_loop().time(), offer=peer.localDescription.sdp.encode(),
            credentials=DigestClient(options.user, options.password) if options.password else None)
        answered = await ua.wait(CallAnswered)
        assert isinstance(answered, CallAnswered) and answered.answer is not None
        await ua.pump()
        await peer.setRemoteDescription(RTCSessionDescription(answered.answer.decode(), "answer"))
        with wave.open(options.record, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            recording = [asyncio.create_task(record(track, out) if track.kind == "audio" else watch(track, seen))
                         for track in heard]
            await ua.serve(options.seconds)
            transport = peer.getTransceivers()[0].receiver.transport
            stats = {one.type: one for one in (await peer.getTransceivers()[0].receiver.getStats()).values()}
            inbound = stats.get("inbound-rtp")
            result = {"is_connected": call.is_up, "offer": peer.localDescription.sdp, "answer": answered.answer.decode(),
                      "ice": peer.iceConnectionState, "dtls": transport.state,
                      "packets_received": inbound.packetsReceived if inbound else 0,
                      "packets_lost": inbound.packetsLost if inbound else 0,
                      "pictures": len(seen), "last_pictures": seen[-10:]}
            for task in recording:
                task.cancel()
            await asyncio.gather(*recording, return_exceptions=True)
        call.hang_up(asyncio.get_running_loop().time())
        await ua.pump()
        await asyncio.sleep(0.2)
    await peer.close()
    return result


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--wss", required=True)
    parser.add_argument("--uri", required=True)
    parser.add_argument("--tone", type=float, default=440.0)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--record", required=True)
    parser.add_argument("--grey", type=int, default=0, help="send pictures of this grey, 1 to 255")
    parser.add_argument("--user", default="browser")
    parser.add_argument("--password", default="")
    print(json.dumps(asyncio.run(run(parser.parse_args()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
