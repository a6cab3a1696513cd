"""The server's certificate for TLS: one of our own at the first start, or the operator's, read again when its files change.

In DATA/tls there are, all with mode 0600: `ca.pem` and `ca.key`, an authority of this server alone, and `server.pem` and
`server.key`, which the authority has signed: the domain, this machine's names and addresses, localhost. Phones that remember a
fingerprint would refuse another certificate, so it is kept as long as it holds; phones that know authorities get `ca.pem`.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mcu.errors import McuError
from sip.aio.tls import TlsFailed, TlsServer

FOLDER = "tls"
LIFETIME = timedelta(days=3650)
"""A fingerprint is remembered by phones: a change is an alarm, so it should not come by itself."""
CLOCK_SKEW = timedelta(days=1)
PURPOSES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate (with what stands between it and its authority) and its private key, in PEM."""

    certificate: Path
    key: Path


class ServerCertificate:
    """What the server shows; `server` accepts connections with it. Raises McuError in words when the files are of no use."""

    def __init__(self, files: Files) -> None:
        self.files = files
        try:
            self.server = TlsServer(files.certificate, files.key)
        except TlsFailed as error:
            raise McuError(f"{error}; see --tls-cert and --tls-key, or switch TLS off with --tls-port 0") from None
        self._seen = self._stamp()

    @property
    def fingerprint(self) -> str:
        """The SHA-256 that phones show and remember."""
        return self.server.fingerprint

    def reload_if_changed(self) -> bool:
        """Take new files into use; whether there were any that could be used. Connections that are open stay."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        return self.reload()

    def reload(self) -> bool:
        """Read the files again; False, and a line in the log, when they are of no use: the certificate of before stays."""
        try:
            self.server.reload()
        except TlsFailed as error:
            log.error("the new certificate is of no use, the one of before stays", extra={"reason": str(error)})
            return False
        log.info("certificate", extra={"fingerprint": self.fingerprint})
        return True

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        found = []
        for path in (self.files.certificate, self.files.key):
            try:
                status = path.stat()
            except OSError:
                continue
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)


def own_files(data: Path, domain: str, addresses: Iterable[str], now: datetime | None = None) -> Files:
    """The files of our own certificate in a data folder, made when they are missing or have run out. Raises McuError."""
    folder, now = data / FOLDER, now or datetime.now(UTC)
    files = Files(folder / "server.pem", folder / "server.key")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if files.key.exists() and _holds(files.certificate, now):
            return files
        authority = _authority(folder, now)
        _make_server(files, authority, names_of_machine(domain), addresses, now)
    except OSError as error:
        reason = f"{error.filename or folder}: {error.strerror}; see to the owner and the mode of the data folder"
        raise McuError(reason) from None
    except ValueError:
        raise McuError(f"{folder}: this is no certificate or key; move the folder away, and a new one is made") from None
    return files


def names_of_machine(domain: str) -> tuple[str, ...]:
    """The domain, this machine's own name and localhost, each once."""
    node = platform.node().lower().rstrip(".")
    return tuple(dict.fromkeys(name for name in (domain, node, "localhost") if name and name.isascii()))


def _holds(path: Path, now: datetime) -> bool:
    if not path.exists():
        return False
    known = x509.load_pem_x509_certificate(path.read_bytes())
    return known.not_valid_before_utc <= now < known.not_valid_after_utc


_Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _authority(folder: Path, now: datetime) -> _Authority:
    """The authority of this folder, made when there is none that holds."""
    certificate, key_file = folder / "ca.pem", folder / "ca.key"
    if key_file.exists() and _holds(certificate, now):
        key = load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("the authority's key is of another kind")
        return x509.load_pem_x509_certificate(certificate.read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Confero authority {os.urandom(4).hex()}")])
    made = (_builder(name, name, key, now).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True).sign(key, hashes.SHA256()))
    _write(certificate, made.public_bytes(Encoding.PEM))
    _write(key_file, _pem(key))
    return made, key


def _make_server(files: Files, authority: _Authority, names: Iterable[str], addresses: Iterable[str], now: datetime) -> None:
    signer, signing_key = authority
    key, names = ec.generate_private_key(ec.SECP256R1()), tuple(names)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    named: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    named += [x509.IPAddress(ip_address(address)) for address in dict.fromkeys(addresses)]
    made = (_builder(subject, signer.subject, key, now).add_extension(x509.SubjectAlternativeName(named), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(PURPOSES), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
            .sign(signing_key, hashes.SHA256()))
    _write(files.key, _pem(key))
    _write(files.certificate, made.public_bytes(Encoding.PEM) + signer.public_bytes(Encoding.PEM))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.CertificateBuilder:
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - CLOCK_SKEW).not_valid_after(now + LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(digital_signature=not signs, content_commitment=False, key_encipherment=False, data_encipherment=False,
                         key_agreement=False, key_cert_sign=signs, crl_sign=signs, encipher_only=False, decipher_only=False)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, data: bytes) -> None:
    """A file for its owner alone, in one step."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        os.fchmod(out.fileno(), 0o600)
        out.write(data)
    new.replace(path)
