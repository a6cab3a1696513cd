"""The server's certificate: made once for its names, kept, renewed when it has run out, read again when its files change."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store

from mcu.certificates import LIFETIME, Files, ServerCertificate, names_of_machine, own_files
from mcu.errors import McuError
from sip.certificates import identities_of

DOMAIN = "meet.example"


def load(path: Path) -> list[x509.Certificate]:
    """The certificates of a file."""
    return x509.load_pem_x509_certificates(path.read_bytes())


def test_our_own_names_domain_machine_and_addresses_and_its_authority_vouches_for_it(tmp_path: Path) -> None:
    files = own_files(tmp_path, DOMAIN, ["192.0.2.1", "2001:db8::1", "192.0.2.1"])
    leaf, _ = load(files.certificate)
    identities = identities_of(leaf.public_bytes(Encoding.DER))
    assert identities >= {DOMAIN, "localhost", "192.0.2.1", "2001:db8::1"}
    store = Store(load(tmp_path / "tls" / "ca.pem"))
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName(DOMAIN))
    assert verifier.verify(leaf, []) == [leaf, *load(tmp_path / "tls" / "ca.pem")]


def test_all_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        own_files(tmp_path, DOMAIN, [])
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "tls").iterdir()}
    assert modes == dict.fromkeys(("ca.pem", "ca.key", "server.pem", "server.key"), 0o600)
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700


def test_it_is_kept_when_the_addresses_change(tmp_path: Path) -> None:
    first = ServerCertificate(own_files(tmp_path, DOMAIN, ["192.0.2.1"])).fingerprint
    assert ServerCertificate(own_files(tmp_path, DOMAIN, ["192.0.2.9"])).fingerprint == first


def test_one_that_has_run_out_is_replaced(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    own_files(tmp_path, DOMAIN, [], now - LIFETIME - timedelta(days=2))
    first, authority = (tmp_path / "tls" / "server.pem").read_bytes(), (tmp_path / "tls" / "ca.pem").read_bytes()
    files = own_files(tmp_path, DOMAIN, [], now)
    assert files.certificate.read_bytes() != first and (tmp_path / "tls" / "ca.pem").read_bytes() != authority


def test_a_lost_certificate_is_made_anew_by_the_same_authority(tmp_path: Path) -> None:
    files = own_files(tmp_path, DOMAIN, [])
    authority = (tmp_path / "tls" / "ca.pem").read_bytes()
    files.certificate.unlink()
    own_files(tmp_path, DOMAIN, [])
    assert files.certificate.read_bytes().endswith(authority)


def test_damaged_files_are_refused_in_words(tmp_path: Path) -> None:
    files = own_files(tmp_path, DOMAIN, [])
    files.certificate.write_text("junk")
    with pytest.raises(McuError, match="move the folder away"):
        own_files(tmp_path, DOMAIN, [])
    with pytest.raises(McuError, match="--tls-cert"):
        ServerCertificate(Files(files.certificate, files.key))
    (tmp_path / "file").write_text("")
    with pytest.raises(McuError, match="data folder"):
        own_files(tmp_path / "file", DOMAIN, [])


def test_names_are_listed_once() -> None:
    assert names_of_machine("localhost").count("localhost") == 1 and names_of_machine(DOMAIN)[0] == DOMAIN


def write(folder: Path, name: str) -> Files:
    """A certificate of somebody else's authority."""
    made = trustme.CA().issue_cert(name)
    made.private_key_pem.write_to_path(str(folder / "key.pem"))
    made.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    return Files(folder / "cert.pem", folder / "key.pem")


def test_renewed_files_are_taken_into_use_and_bad_ones_are_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shown = ServerCertificate(write(tmp_path, DOMAIN))
    first = shown.fingerprint
    assert not shown.reload_if_changed()
    write(tmp_path, DOMAIN)
    assert shown.reload_if_changed() and shown.fingerprint != first
    second = shown.fingerprint
    (tmp_path / "key.pem").write_text("half a key")
    assert not shown.reload_if_changed() and shown.fingerprint == second
    assert "the one of before stays" in caplog.text and "half a key" not in caplog.text
    (tmp_path / "cert.pem").unlink()
    assert not shown.reload_if_changed() and not shown.reload()
