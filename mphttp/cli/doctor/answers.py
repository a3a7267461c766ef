"""What the server said on one path, beside what it said on the others. Pure.

Whoever stands in the way of one path alone (a captive portal, a proxy that rewrites) can't know
what the others bring: another place, another certificate, another object. With one path there is
nothing to compare, but some portals say what they are (RFC 6585, section 6).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from .outcomes import Answer

_LOGIN = 511
"""Network Authentication Required (RFC 6585, section 6)."""


@dataclass(frozen=True, slots=True)
class Other:
    """Something that isn't the server's answer, or isn't the same.

    Args:
        what: the difference, as a part of a sentence.
        forged: whether it can be somebody else's; else the server itself has several.
        changing: whether it may just be a page that is made anew for each request.
    """

    what: str
    forged: bool = True
    changing: bool = False


def compare(answers: Mapping[str, Answer]) -> tuple[Answer | None, dict[str, Other]]:
    """Find the paths that bring something else.

    Args:
        answers: by path, the preferred one first.

    Returns:
        the answer that the others are measured by, None if there is none; and what is other, by
        path.
    """
    others = {a.path: Other("asks for a login (511)") for a in answers.values() if _login(a)}
    given = [a for a in answers.values() if not a.error and a.path not in others]
    if not given:
        return None, others
    reference = _reference(given)
    for answer in answers.values():
        if answer.path not in others and (other := _other(answer, reference)) is not None:
            others[answer.path] = other
    return reference, others


def certificates(shown: Mapping[str, str], untrusted: set[str]) -> dict[str, Other]:
    """Find the paths that show another certificate, which isn't trusted, while others are.

    Args:
        shown: digests, by path.
        untrusted: paths whose certificate isn't trusted.
    """
    trusted = {digest for path, digest in shown.items() if path not in untrusted}
    return {
        path: Other("shows another certificate than the other paths, and it isn't trusted")
        for path, digest in shown.items()
        if path in untrusted and trusted and digest not in trusted
    }


def _login(answer: Answer) -> bool:
    return answer.status == _LOGIN


def _signature(answer: Answer) -> tuple[object, ...]:
    return answer.status, answer.host, answer.length, answer.validator


def _reference(given: list[Answer]) -> Answer:
    """Choose what most paths bring; of as many, what a portal is least likely to make."""
    counts = Counter(map(_signature, given))

    def rank(answer: Answer) -> tuple[object, ...]:
        secure = answer.host.startswith("https:")  # its certificate was looked at
        return counts[_signature(answer)], secure, not answer.not_in_parts, bool(answer.validator)

    return max(given, key=rank)  # the first of equals


def _other(answer: Answer, reference: Answer) -> Other | None:
    if answer.untrusted:
        return Other(f"shows a certificate that isn't trusted ({answer.error})")
    if answer.error or _signature(answer) == _signature(reference):
        return None
    forged = not (answer.host.startswith("https:") and reference.host.startswith("https:"))
    if answer.host != reference.host:
        return Other(f"leads to {answer.host}, {reference.path} to {reference.host}", forged)
    if answer.status != reference.status:
        what = f"answers with status {answer.status}, {reference.path} with {reference.status}"
        return Other(what, forged)
    what = f"brings {_object(answer)}, {reference.path} {_object(reference)}"
    return Other(what, forged, changing=not (answer.validator or reference.validator))


def _object(answer: Answer) -> str:
    length = f"{answer.length} bytes" if answer.length else "an object of unknown length"
    return f"{length} ({answer.validator})" if answer.validator else length
