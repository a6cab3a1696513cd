"""SDP as values (RFC 8866): a session and its media, attributes in order."""

from __future__ import annotations

from dataclasses import dataclass, replace

Attribute = tuple[str, str | None]
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(frozen=True, slots=True)
class Connection:
    """A c= line: address without TTL. `family` is IP4 or IP6."""

    host: str
    family: str = "IP4"

    @classmethod
    def of(cls, host: str) -> Connection:
        """The connection for an address in text form."""
        return cls(host, "IP6" if ":" in host else "IP4")

    def __str__(self) -> str:
        return f"IN {self.family} {self.host}"


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """An m= line and what belongs to it. `formats` as written; a port of 0 refuses the stream (RFC 3264 §6)."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    bandwidth: tuple[tuple[str, int], ...] = ()
    attributes: tuple[Attribute, ...] = ()

    def values(self, name: str) -> list[str]:
        """The values of all attributes of that name."""
        return [value or "" for key, value in self.attributes if key == name]

    def value(self, name: str) -> str | None:
        """The value of the first attribute of that name, None when it is not there."""
        for key, value in self.attributes:
            if key == name:
                return value or ""
        return None

    def has(self, name: str) -> bool:
        """Whether the attribute is there."""
        return any(key == name for key, _ in self.attributes)

    def refused(self) -> MediaDescription:
        """This line with port 0: the same kind, protocol, formats and mid, nothing else (RFC 3264 §6, RFC 5888 §9.1)."""
        kept = tuple(each for each in self.attributes if each[0] == "mid")
        return replace(self, port=0, connection=None, bandwidth=(), attributes=kept)

    def lines(self) -> list[str]:
        """The lines of this description."""
        out = [f"m={self.kind} {self.port} {self.protocol} {' '.join(self.formats)}"]
        if self.connection is not None:
            out.append(f"c={self.connection}")
        out += [f"b={kind}:{value}" for kind, value in self.bandwidth]
        return out + _attribute_lines(self.attributes)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A session. `session_id` and `version` come from the o= line."""

    session_id: int
    version: int
    host: str
    connection: Connection | None = None
    media: tuple[MediaDescription, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    username: str = "-"
    name: str = "-"
    bandwidth: tuple[tuple[str, int], ...] = ()

    def direction(self, media: MediaDescription) -> str:
        """The direction of a stream, its own or the session's; sendrecv when none is given (RFC 8866 §6.7)."""
        for attributes in (media.attributes, self.attributes):
            for key, _ in attributes:
                if key in DIRECTIONS:
                    return key
        return "sendrecv"

    def host_of(self, media: MediaDescription) -> str | None:
        """The address that a stream wants its packets at."""
        connection = media.connection or self.connection
        return None if connection is None else connection.host

    def __bytes__(self) -> bytes:
        origin = Connection.of(self.host)
        lines = ["v=0", f"o={self.username} {self.session_id} {self.version} {origin}", f"s={self.name}"]
        if self.connection is not None:
            lines.append(f"c={self.connection}")
        lines += [f"b={kind}:{value}" for kind, value in self.bandwidth]
        lines.append("t=0 0")
        lines += _attribute_lines(self.attributes)
        for media in self.media:
            lines += media.lines()
        return ("\r\n".join(lines) + "\r\n").encode()


def _attribute_lines(attributes: tuple[Attribute, ...]) -> list[str]:
    return [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]
