"""What can go wrong for who uses the phone; each text is for a person and says what to do."""

from __future__ import annotations


class PhoneError(Exception):
    """Base of the phone's errors."""


class CallFailed(PhoneError):
    """A call did not come about, or can't do what was asked. `status` is SIP's (0 where there was none)."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class SignInFailed(PhoneError):
    """The registrar did not take us. `status` is SIP's (408: no answer)."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status
