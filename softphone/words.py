"""What SIP says, in words for a person, with the remedy."""

from __future__ import annotations

_CALL = {
    400: "the server did not understand the call",
    401: "the server wants another user name or password",
    403: "you are not allowed to call there, or the PIN is wrong",
    404: "nobody and no room is called that there",
    407: "the server wants another user name or password",
    408: "nobody answered",
    410: "that address is not in use any more",
    415: "the other side does not understand our offer",
    480: "the other side is not available just now",
    482: "the call went round in a circle",
    483: "the call went over too many servers",
    484: "the address is not complete",
    486: "the line is busy, or the room is full",
    487: "the call was given up",
    488: "there is no common way to talk (codecs or protection)",
    500: "the server has a fault",
    503: "the server has no room for another call just now; try again in a minute",
    600: "the line is busy everywhere",
    603: "the call was declined",
    604: "nobody and no room is called that there",
    606: "there is no common way to talk (codecs or protection)",
}

TRANSFERRED = "transferred"
"""The reason of the BYE that ends a call which was handed on."""
REPLACED = "replaced"
"""The reason of the BYE that ends a call whose place another one took."""
_ENDED = {
    TRANSFERRED: "The call was transferred",
    REPLACED: "The call goes on at another phone",
}
_TRANSFER = {
    403: "this call can't be transferred",
    404: "nobody is called that there",
    405: "the other side can't transfer calls",
    408: "nobody answered",
    480: "the other side is not available just now",
    481: "the other call is over",
    486: "the line is busy",
    487: "the other side hung up",
    491: "another transfer is under way",
    501: "the other side can't transfer calls",
    600: "the line is busy everywhere",
    603: "the call was declined",
}


def call_failed(status: int, reason: str, server: str, has_account: bool) -> str:
    """Why a call of ours did not come about. reason: the peer's own words, used where they say more than the number."""
    if status in (401, 407):
        return ("the server does not accept this user name and password; check both" if has_account
                else f"{server} lets only people with an account call; sign in (or give --user and --password)")
    if status == 408:
        return f"no answer from {server}; check the address, the port, and that the server runs"
    if status == 503 and ("reached" in reason or "lost" in reason):
        return f"{server} can't be reached; check the address, the port, and that the server runs"
    words = _CALL.get(status, f"the call failed ({status})")
    if not _says_more(status, reason):
        return words
    return reason if " or " in words else f"{words}: {reason}"


def _says_more(status: int, reason: str) -> bool:
    from sip.message import REASONS

    return bool(reason) and reason.lower() not in (REASONS.get(status, "").lower(), "unknown", "not found", "forbidden")


def transfer_failed(status: int, reason: str) -> str:
    """Why a call could not be handed on. reason: the server's own words, used where they say more than the number."""
    if status < 200 or status == 202:
        return "the other side does not tell whether it worked"
    if status not in (408, 487) and _says_more(status, reason):
        return reason
    return _TRANSFER.get(status, f"the other side refused ({status})")


def registration_failed(status: int, reason: str, server: str) -> str:
    """Why signing in did not work, and what to do."""
    if status in (401, 407):
        return "wrong user name or password"
    if status == 403:
        return "the server refuses this account; check the user name and the password"
    if status == 404:
        return f"{server} does not know this user"
    if status == 408:
        return f"no answer from {server}; check the address, the port, and that the server runs"
    if status == 503 and "reached" in reason:
        return f"{server} can't be reached; check the address, the port, and that the server runs"
    return f"{server} refused ({status} {reason})"


def call_ended(cause: str, reason: str, by_remote: bool) -> tuple[str, bool]:
    """(the line for the end of a call that was up, whether it is an error)."""
    if cause == "hung_up":
        if reason in _ENDED:
            return _ENDED[reason], False
        if not by_remote:
            return "", False
        return (reason[:1].upper() + reason[1:] if reason else "The other side hung up"), False
    if cause == "lost":
        return f"The call was lost: {reason or 'the connection broke'}", True
    if cause == "timeout":
        return "The call was lost: the other side does not answer any more", True
    return f"The call ended: {reason or cause}", cause == "error"
