"""Digest authentication as values (RFC 7616): what a server asks for, and what answers it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_SCHEME = re.compile(r"(?:^|,)\s*Digest\s+", re.IGNORECASE)
_PARAMETER = re.compile(r'[\s,]*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))', re.DOTALL)
_HASHES = {
    "MD5": "md5",
    "SHA": "sha1",
    "SHA-256": "sha256",
    "SHA-512": "sha512",
    "SHA-512-256": "sha512_256",
}
"""What hashlib calls them; an OpenSSL of little may lack one."""


@dataclass(frozen=True)
class Challenge:
    """What a server asks for.

    Args:
        realm: whose the user is.
        nonce: the server's.
        algorithm: as the server writes it, "" if it doesn't.
        qop: whether the answer is counted and has a nonce of ours, too (RFC 2069 had none).
        opaque: goes back as it is; None if there is none.
        userhash: whether the user's name is sent as a digest.
        stale: whether the last answer was right but for the age of its nonce.
    """

    realm: str
    nonce: str
    algorithm: str = ""
    qop: bool = False
    opaque: str | None = None
    userhash: bool = False
    stale: bool = False

    @property
    def hash(self) -> str:
        """The name of the hash in hashlib, "" if it isn't known here."""
        plain = self.algorithm.upper().removesuffix("-SESS") or "MD5"
        name = _HASHES.get(plain, "")
        return name if name in hashlib.algorithms_available else ""

    @property
    def session(self) -> bool:
        """Whether the first hash is made with both nonces, too."""
        return self.algorithm.upper().endswith("-SESS")


def challenge_of(fields: Iterable[str]) -> Challenge | None:
    """Return the first challenge that can be answered here, or None.

    Args:
        fields: values of WWW-Authenticate.
    """
    found = (_challenge(told) for field in fields for told in _parameters(field))
    return next((one for one in found if one is not None and one.hash), None)


def _parameters(field: str) -> Iterator[Mapping[str, str]]:
    """Yield the parameters of each Digest in a field, which may have several challenges."""
    for scheme in _SCHEME.finditer(field):
        told, at = {}, scheme.end()
        while parameter := _PARAMETER.match(field, at):
            name, quoted, bare = parameter.groups()
            told[name.lower()] = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            at = parameter.end()
        yield told


def _challenge(told: Mapping[str, str]) -> Challenge | None:
    if "nonce" not in told:
        return None
    ways = {way.strip().lower() for way in told.get("qop", "").split(",")} - {""}
    if ways and "auth" not in ways:  # auth-int would need the whole body in advance
        return None
    return Challenge(
        realm=told.get("realm", ""),
        nonce=told["nonce"],
        algorithm=told.get("algorithm", ""),
        qop=bool(ways),
        opaque=told.get("opaque"),
        userhash=told.get("userhash", "").lower() == "true",
        stale=told.get("stale", "").lower() == "true",
    )


def authorization(
    challenge: Challenge,
    login: tuple[str, str],
    method: str,
    target: str,
    *,
    count: int,
    cnonce: str,
) -> str:
    """Return the field that answers a challenge (RFC 7616, section 3.4).

    Args:
        challenge: of the server; its hash is known.
        login: user and password.
        method: of the request.
        target: of the request, with its query.
        count: how often the nonce has been used, this time included.
        cnonce: a nonce of ours.
    """

    def digest(*parts: str) -> str:
        data = ":".join(parts).encode(errors="surrogateescape")
        return hashlib.new(challenge.hash, data, usedforsecurity=False).hexdigest()

    user, password = login
    secret = digest(user, challenge.realm, password)
    if challenge.session:
        secret = digest(secret, challenge.nonce, cnonce)
    counted = (f"{count:08x}", cnonce, "auth") if challenge.qop else ()
    response = digest(secret, challenge.nonce, *counted, digest(method, target))
    name = digest(user, challenge.realm) if challenge.userhash else user
    fields = [
        f"username={_quoted(name)}",
        f"realm={_quoted(challenge.realm)}",
        f"nonce={_quoted(challenge.nonce)}",
        f"uri={_quoted(target)}",
        *([f"cnonce={_quoted(cnonce)}"] if challenge.qop or challenge.session else []),
        *([f"nc={count:08x}", "qop=auth"] if challenge.qop else []),
        f'response="{response}"',
        *([f"opaque={_quoted(challenge.opaque)}"] if challenge.opaque is not None else []),
        *([f"algorithm={challenge.algorithm}"] if challenge.algorithm else []),
        *(["userhash=true"] if challenge.userhash else []),
    ]
    return f"Digest {', '.join(fields)}"


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
