"""SIPp as a provider of telephone numbers: a registrar with a password, calls to our numbers, numbers that can be called.

    provider = Provider(tmp_path)                                 # "server" of a trunk: provider.address
    with provider.play(provider.takes_registration()) as sipp:
        ...
        sipp.finish()

One scenario after the other at one port, as a provider has it. Media is the test's: a socket whose port stands in the SDP.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import TracebackType

from tests.helpers.ports import free_port

REALM = "acme.example"
_NONCE = "47ebe028cda119c35d4877b383027d28da013815"
_ECHO = """
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]p[call_number]
      [last_Call-ID:]
      [last_CSeq:]"""
_ECHO_IN_DIALOG = _ECHO.replace(";tag=[pid]p[call_number]", "")
_KEPT = {"via": ".*", "from": ".*", "to": ".*", "cseq": ".*", "contact": "sip:[^>]*"}
_KEEP = "".join(f'<ereg regexp="{form}" search_in="hdr" header="{name.capitalize()}:" assign_to="{name}"/>'
                for name, form in _KEPT.items()).replace("Cseq", "CSeq")
"""What the answer to the INVITE, and requests of the callee, need of it."""
_CONTACT = "Contact: <sip:gateway@[local_ip]:[local_port]>"


def _send(text: str, options: str = "") -> str:
    return f"<send{options}><![CDATA[\n{text}\n\n  ]]></send>\n"


def _answer(status: str, headers: str = "", body: str = "", *, in_dialog: bool = False) -> str:
    lines = f"      SIP/2.0 {status}{_ECHO_IN_DIALOG if in_dialog else _ECHO}"
    lines += "".join(f"\n      {line}" for line in headers.splitlines())
    if body:
        return _send(f"{lines}\n      Content-Type: application/sdp\n      Content-Length: [len]\n\n{body}")
    return _send(f"{lines}\n      Content-Length: 0")


class Sipp:
    """One run of SIPp."""

    def __init__(self, process: subprocess.Popen[bytes], work: Path) -> None:
        self.process = process
        self.work = work

    def __enter__(self) -> Sipp:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)

    def finish(self, limit_s: float = 30.0) -> None:
        """Wait for the end of the scenario. Raises AssertionError when it did not go as written."""
        status = self.process.wait(limit_s)
        if status != 0:
            raise AssertionError(f"SIPp ended with {status}: {self.errors()}")

    def errors(self) -> str:
        """What went wrong, in its words."""
        file = self.work / "errors"
        return file.read_text(errors="replace")[-2000:] if file.exists() else "nothing said"

    def messages(self) -> list[str]:
        """Every message, sent and received, in order."""
        text = (self.work / "messages").read_text(errors="replace") if (self.work / "messages").exists() else ""
        return [part.strip() for part in re.split(r"^-{10,}.*$", text, flags=re.M) if part.strip()]


class Provider:
    """The provider at `address`. user, password: what the trunk has to know."""

    def __init__(self, work: Path, user: str = "4930123", password: str = "trunk-secret") -> None:
        self.user, self.password = user, password
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._work = work
        self._runs = 0

    def play(self, scenario: str, server: str = "", number: str = "") -> Sipp:
        """Begin a scenario: as caller towards `server` (HOST:PORT) with `number`, else as callee."""
        work = self._work / f"provider{self._runs}"
        self._runs += 1
        work.mkdir(parents=True)
        file = work / "scenario.xml"
        file.write_text(f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="provider">\n{scenario}</scenario>\n')
        command = ["sipp", *([server] if server else []), "-sf", str(file), "-i", "127.0.0.1", "-p", str(self.port), "-m", "1",
                   "-nostdin", "-trace_err", "-error_file", str(work / "errors"), "-trace_msg", "-message_file",
                   str(work / "messages"), "-timeout", "60", "-timeout_error", "-recv_timeout", "30000"]
        command += ["-s", number] if number else []
        with (work / "out").open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=work)
        return Sipp(process, work)

    def _challenge(self, method: str) -> str:
        """The first request is challenged, the second must be right (SIPp 3.6 verifies no Proxy-Authorization)."""
        challenge = f'WWW-Authenticate: Digest realm="{REALM}", nonce="{_NONCE}", algorithm=MD5, qop="auth"'
        ack = '<recv request="ACK"/>\n' if method == "INVITE" else ""
        return (f'<recv request="{method}" crlf="true"/>\n'
                + _answer("401 Unauthorized", challenge)
                + ack + f'<recv request="{method}"><action>'
                f'<verifyauth assign_to="good" username="{self.user}" password="{self.password}"/>'
                + (_KEEP if method == "INVITE" else "") + '</action></recv>\n'
                + '<nop hide="true" test="good" next="good"/>\n' + _answer("403 Forbidden")
                + '<nop><action><exec int_cmd="stop_now"/></action></nop>\n<label id="good"/>\n')

    def takes_registration(self, expires_s: int = 600) -> str:
        """A registrar that challenges, and grants so many seconds."""
        return self._challenge("REGISTER") + _answer("200 OK", f"[last_Contact:];expires={expires_s}")

    def calls(self, media_port: int, *, is_led_on: bool = False) -> str:
        """A telephone calls one of our numbers, and waits for our BYE.

        is_led_on: the call goes from the voice that asks into a room, of which an UPDATE tells (RFC 3311).
        """
        told = '<recv request="UPDATE"/>\n' + _answer("200 OK", _CONTACT, in_dialog=True) if is_led_on else ""
        return _send(f"""      INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:+4917012345@{REALM}>;tag=[pid]c[call_number]
      To: <sip:[service]@{REALM}>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      {_CONTACT}
      Max-Forwards: 70
      Allow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK
      Content-Type: application/sdp
      Content-Length: [len]

{sdp(media_port)}""", ' retrans="500"') + """<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
""" + _send(f"""      ACK [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:+4917012345@{REALM}>;tag=[pid]c[call_number]
      To: <sip:[service]@{REALM}>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0""") + told + '<recv request="BYE"/>\n' + _answer("200 OK", in_dialog=True)

    def is_called(self, media_port: int, *, refer_to: str = "") -> str:
        """A number that is called: challenge, reliable 183, UPDATE, the answer, a session refresh; then our BYE.

        refer_to: before the end, the callee transfers us there by REFER, and wants to be told how it fared.
        """
        reliable = f"{_CONTACT}\nRequire: 100rel\nRSeq: 7\nAllow: INVITE, ACK, BYE, UPDATE, PRACK"
        return (self._challenge("INVITE") + _answer("183 Session Progress", reliable, sdp(media_port))
                + '<recv request="PRACK"/>\n' + _answer("200 OK", in_dialog=True)
                + self._request("UPDATE", 1, sdp(media_port, 2)) + '<recv response="200"/>\n<pause milliseconds="1000"/>\n'
                + self._answer_invite() + '<recv request="ACK"/>\n'
                + self._request("UPDATE", 2, "", "Supported: timer\n      Session-Expires: 600;refresher=uac\n")
                + '<recv response="200"><action><ereg regexp="600;refresher=uac" search_in="hdr" header="Session-Expires:" '
                  'check_it="true" assign_to="refreshed"/></action></recv>\n'
                + (self._transfers(refer_to) if refer_to else "")
                + '<recv request="BYE"/>\n' + _answer("200 OK", in_dialog=True)
                + f'<Reference variables="{",".join((*_KEPT, "refreshed"))}"/>\n')

    def _answer_invite(self) -> str:
        """The 200: its Via and CSeq are those of the INVITE that was kept."""
        return _send(f"""      SIP/2.0 200 OK
      Via:[$via]
      From:[$from]
      To:[$to];tag=[pid]p[call_number]
      [last_Call-ID:]
      CSeq:[$cseq]
      {_CONTACT}
      Require: timer
      Session-Expires: 600;refresher=uas
      Content-Length: 0""")

    def _request(self, method: str, number: int, body: str = "", headers: str = "") -> str:
        content = f"      Content-Type: application/sdp\n      Content-Length: [len]\n\n{body}" if body else (
            "      Content-Length: 0")
        extra = f"      {headers}" if headers else ""
        return _send(f"""      {method} [$contact] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From:[$to];tag=[pid]p[call_number]
      To:[$from]
      [last_Call-ID:]
      CSeq: {number} {method}
      {_CONTACT}
      Max-Forwards: 70
{extra}{content}""", ' retrans="500"')

    def _transfers(self, refer_to: str) -> str:
        told = '<recv request="NOTIFY"/>\n' + _answer("200 OK", in_dialog=True)
        return (self._request("REFER", 3, "", f"Refer-To: <{refer_to}>\n") + '<recv response="202"/>\n' + told * 3)


def sdp(port: int, version: int = 1) -> str:
    """The media of the telephone: PCMU and keys, at a socket of the test."""
    return f"""      v=0
      o=gateway 5 {version} IN IP4 127.0.0.1
      s=-
      c=IN IP4 127.0.0.1
      t=0 0
      m=audio {port} RTP/AVP 0 101
      a=rtpmap:101 telephone-event/8000
      a=ptime:20"""
