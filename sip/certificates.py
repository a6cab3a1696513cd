"""Whom a certificate names (RFC 5922 §7.1, §7.2), its fingerprint, and why one is not to be trusted (RFC 3261 §26.3.1).

A certificate names a SIP domain by a subjectAltName of `URI:sip:example.org` (without a user) or `DNS:example.org`; the common
name counts for one that has no subjectAltName at all. Names are compared without regard to case, and never with wildcards. An
address in a URI is compared with the addresses of the subjectAltName, which RFC 5922 says nothing of. Left out: the extended
key usage of RFC 5924.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID

from sip.errors import ParseError
from sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Presented:
    """What a peer showed in a handshake.

    certificate: in DER; trouble: why its chain leads to no authority that we know, empty when it does; is_unknown: that is all
    that is wrong with it (it vouches for itself, or its authority is not one of ours).
    """

    certificate: bytes
    trouble: str = ""
    is_unknown: bool = False

    @property
    def fingerprint(self) -> str:
        """See `fingerprint_of`."""
        return fingerprint_of(self.certificate)


def fingerprint_of(certificate: bytes) -> str:
    """The SHA-256 of a certificate in DER, as pairs of hexadecimal digits with colons between."""
    return hashlib.sha256(certificate).digest().hex(":").upper()


def identities_of(certificate: bytes) -> frozenset[str]:
    """The names and addresses that a certificate in DER vouches for, in lower case; none for one that can't be read."""
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset(str(one.value).lower() for one in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    except ValueError:
        return frozenset()
    found = {name.lower().rstrip(".") for name in names.get_values_for_type(x509.DNSName)}
    found |= {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    for text in names.get_values_for_type(x509.UniformResourceIdentifier):
        try:
            uri = Uri.parse(text)
        except ParseError:
            continue
        if uri.scheme == "sip" and uri.user is None:
            found.add(uri.host)
    return frozenset(found)


def is_for(certificate: bytes, name: str) -> bool:
    """Whether a certificate in DER vouches for a domain, a host or an address."""
    name = name.strip("[]").rstrip(".").lower()
    try:
        name = str(ip_address(name))
    except ValueError:
        pass
    return name in identities_of(certificate)


def judge_by_name(name: str, shown: Presented) -> str:
    """The rule for a stranger: an authority that we know vouches for the name. Empty when all is well, else why not."""
    if shown.trouble:
        return f"the certificate of {name} can't be trusted: {shown.trouble}"
    if not is_for(shown.certificate, name):
        return f"the certificate that was shown is not for {name}"
    return ""
