"""Commands of ffmpeg and GStreamer that send one audio stream or receive one: no SIP, just what an SDP has agreed on.

Each takes RTP on a port of its own and RTCP on the next one. ffmpeg needs the size of a packet told for G.711 and G.722, or it
fills up to an MTU.
"""

from __future__ import annotations

from pathlib import Path

PROGRAMS = ("ffmpeg", "gstreamer")
MAP = {"pcmu": "PCMU/8000", "pcma": "PCMA/8000", "g722": "G722/8000", "opus": "opus/48000/2"}
RATES = {"pcmu": 8000, "pcma": 8000, "g722": 16000, "opus": 48000}
_FFMPEG = {"pcmu": ("pcm_mulaw",), "pcma": ("pcm_alaw",), "g722": ("g722",),
           "opus": ("libopus", "-application", "voip", "-frame_duration", "20")}
_GST_PAY = {"pcmu": "mulawenc ! rtppcmupay", "pcma": "alawenc ! rtppcmapay", "g722": "avenc_g722 ! rtpg722pay",
            "opus": "opusenc frame-size=20 ! rtpopuspay"}
_GST_DEPAY = {"pcmu": "rtppcmudepay ! mulawdec", "pcma": "rtppcmadepay ! alawdec", "g722": "rtpg722depay ! avdec_g722",
              "opus": "rtpopusdepay ! opusdec"}


def sends(program: str, codec: str, payload_type: int, port: int, play: Path) -> list[str]:
    """Send a WAV of the codec's rate to 127.0.0.1:port."""
    if program == "ffmpeg":
        size = "" if codec == "opus" else "&pkt_size=172"
        return ["ffmpeg", "-v", "error", "-nostdin", "-re", "-i", str(play), "-c:a", *_FFMPEG[codec], "-ar", str(RATES[codec]),
                "-ac", "1", "-payload_type", str(payload_type), "-f", "rtp", f"rtp://127.0.0.1:{port}?rtcpport={port + 1}{size}"]
    ptime = "" if codec == "opus" else " min-ptime=20000000 max-ptime=20000000"
    line = (f"rtpbin name=r filesrc location={play} ! wavparse ! audioconvert ! audioresample ! "
            f"audio/x-raw,rate={RATES[codec]},channels=1 ! audiobuffersplit output-buffer-duration=1/50 ! "
            f"{_GST_PAY[codec]} pt={payload_type}{ptime} ! r.send_rtp_sink_0 "
            f"r.send_rtp_src_0 ! udpsink host=127.0.0.1 port={port} sync=true "
            f"r.send_rtcp_src_0 ! udpsink host=127.0.0.1 port={port + 1} sync=false async=false")
    return ["gst-launch-1.0", "-q", *line.split()]


def receives(program: str, codec: str, payload_type: int, port: int, record: Path) -> list[str]:
    """Receive at 127.0.0.1:port into a WAV, which is whole when the program was ended by SIGINT."""
    if program == "ffmpeg":
        description = record.with_suffix(".sdp")
        description.write_text(f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                               f"m=audio {port} RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} {MAP[codec]}\r\na=recvonly\r\n")
        return ["ffmpeg", "-v", "error", "-nostdin", "-y", "-analyzeduration", "500000",
                "-protocol_whitelist", "file,udp,rtp", "-i", str(description),
                "-c:a", "pcm_s16le", str(record)]
    name, rate = MAP[codec].split("/")[:2]
    line = (f"udpsrc address=127.0.0.1 port={port} caps=application/x-rtp,media=audio,encoding-name={name.upper()},"
            f"clock-rate={rate},payload={payload_type} ! rtpjitterbuffer latency=100 ! {_GST_DEPAY[codec]} ! audioconvert ! "
            f"audio/x-raw,format=S16LE,channels=1 ! wavenc ! filesink location={record}")
    return ["gst-launch-1.0", "-q", "-e", *line.split()]

