"""Whom TLS trusts, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass

from .option import switch, value


@dataclass(frozen=True, kw_only=True)
class TrustSettings:
    """Whom TLS trusts, and what it shows."""

    insecure: bool = switch("-k", "--insecure", means="trust any certificate")
    cacert: str | None = value(
        "--cacert", metavar="FILE", parse=str, means="trust the certificates in this file"
    )
    capath: str | None = value(
        "--capath",
        metavar="FOLDER",
        parse=str,
        backend="httpx",
        means="trust the certificates in this folder, too",
    )
    cert: str | None = value(
        "-E",
        "--cert",
        metavar="FILE[:PASSWORD]",
        parse=str,
        means="show the server this certificate, a file in PEM format",
    )
    key: str | None = value(
        "--key", metavar="FILE", parse=str, means="the certificate's key, if it is in another file"
    )
    password: str | None = value(
        "--pass", metavar="WORDS", parse=str, means="the password of that key"
    )
