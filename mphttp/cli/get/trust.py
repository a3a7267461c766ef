"""Whom TLS trusts, and what certificate is shown."""

from __future__ import annotations

import os
import ssl

import httpx

from ..exits import ExitCode, Failure, usage
from .settings import Settings

Cert = tuple[str, str, str]


def trusted(settings: Settings) -> ssl.SSLContext | None:
    """Return what trusts the certificates of --cacert and --capath, None without them or with -k.

    Raises:
        Failure: they can't be used.
    """
    if settings.insecure or (settings.cacert is None and settings.capath is None):
        return None
    name = settings.cacert or settings.capath
    try:
        if settings.capath is None:
            return ssl.create_default_context(cafile=settings.cacert)
        os.listdir(settings.capath)  # OpenSSL would take what isn't there for empty
        if settings.cacert is not None:
            return ssl.create_default_context(cafile=settings.cacert, capath=settings.capath)
        context = httpx.create_ssl_context()
        context.load_verify_locations(capath=settings.capath)
    except OSError as error:
        what = f"{name} can't be used: {error.strerror or error}"
        raise Failure(ExitCode.CA_FILE, what, "--cacert takes a file in PEM format") from error
    return context


def shown(settings: Settings) -> Cert | None:
    """Return the files of the certificate that is shown, and the password of its key; or None.

    Raises:
        Failure: they can't be used.
    """
    if settings.cert is None:
        if settings.key is not None:
            raise usage("--key is for a certificate", "--cert FILE names it")
        return None
    name, password = _split(settings.cert)
    password = settings.password if settings.password is not None else password
    cert = name, settings.key or name, password
    show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), cert)  # libcurl would tell in the middle
    return cert


def show(context: ssl.SSLContext, cert: Cert) -> None:
    """Let TLS show a certificate.

    Raises:
        Failure: it can't be used.
    """
    name, key, password = cert
    try:
        context.load_cert_chain(name, key, password)
    except OSError as error:
        what = f"the certificate {name} can't be used: {error.strerror or error}"
        hint = "--cert and --key take files in PEM format, --pass the key's password"
        raise Failure(ExitCode.OWN_CERTIFICATE, what, hint) from error


def _split(text: str) -> tuple[str, str]:
    r"""Split what --cert names: FILE[:PASSWORD], where FILE has a colon as "\:", as in curl."""
    name, rest = "", text
    while rest:
        part, mark, rest = rest.partition(":")
        if not mark:
            return name + part, ""
        if not part.endswith("\\"):
            return name + part, rest
        name += part[:-1] + ":"
    return name, ""
