"""What an answer means for bytes that are here already: by example, and against a model server."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.get.resume import (
    Answer,
    Append,
    AskAgain,
    Held,
    Refuse,
    Skip,
    StartOver,
    Version,
    Whole,
    decide,
    range_fields,
    version_of,
)

SOURCE = "http://a/file"
TAG = '"one"'
ONE = Version(SOURCE, TAG, 1000)
HELD = Held(400, ONE)
UNKNOWN = Held(400)
FOUND = Held(400, found=True)
VOUCHED = Held(400, found=True, vouched=True)
PIPE = Held(400, ONE, rewindable=False)
REST = {"content-range": "bytes 400-999/1000", "content-length": "600", "etag": TAG}


def answer(status: int, source: str = SOURCE, **fields: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in fields.items()}, source)


def part(**changes: str) -> Answer:
    fields = REST | {name.replace("_", "-"): value for name, value in changes.items()}
    return Answer(206, {name: value for name, value in fields.items() if value}, SOURCE)


def whole(tag: str = TAG, length: int = 1000) -> Answer:
    return answer(200, etag=tag, content_length=str(length))


def test_the_rest_is_asked_for_on_condition_that_the_version_is_the_same() -> None:
    assert range_fields(HELD) == {"Range": "bytes=400-", "If-Range": TAG}
    assert range_fields(UNKNOWN) == {"Range": "bytes=400-"}


@pytest.mark.parametrize("more", [{}, {"etag": ""}, {"content_length": ""}])
def test_the_rest_of_the_same_version_is_appended(more: dict[str, str]) -> None:
    assert decide(HELD, part(**more)) == Append(1000, 1000)


def test_a_length_that_the_server_does_not_know_is_no_obstacle() -> None:
    assert decide(HELD, part(content_range="bytes 400-999/*")) == Append(1000, None)


def test_a_server_may_send_less_than_the_rest() -> None:
    less = part(content_range="bytes 400-499/1000", content_length="100")
    assert decide(HELD, less) == Append(500, 1000)


@pytest.mark.parametrize(
    "changes",
    [
        {"content_range": ""},
        {"content_range": "bytes 401-999/1000"},
        {"content_range": "bytes 0-999/1000"},
        {"content_range": "bytes 300-899/1000"},
        {"content_range": "bytes 400-1000/1000"},
        {"content_range": "bytes 400-399/1000"},
        {"content_range": "bytes 400-999/1001"},
        {"content_range": "items 400-999/1000"},
        {"content_range": "bytes 400-999/1000, 1-2/3"},
        {"content_length": "599"},
        {"etag": '"two"'},
        {"etag": 'W/"one"'},
    ],
)
def test_a_part_that_contradicts_what_was_asked_is_not_appended(changes: dict[str, str]) -> None:
    assert isinstance(decide(HELD, part(**changes)), AskAgain)
    assert isinstance(decide(PIPE, part(**changes)), Refuse)


def test_a_tag_of_another_url_means_nothing() -> None:
    other = Answer(206, REST, "http://b/file")
    assert isinstance(decide(HELD, other), AskAgain)


def test_bytes_of_an_unknown_version_are_not_continued_unless_vouched_for() -> None:
    assert isinstance(decide(UNKNOWN, part()), AskAgain)
    assert isinstance(decide(FOUND, part()), AskAgain)
    assert decide(VOUCHED, part()) == Append(1000, 1000)


def test_the_whole_object_starts_over_and_says_why() -> None:
    assert decide(HELD, whole()) == StartOver("the server doesn't send parts")
    assert decide(HELD, whole('"two"')) == StartOver("the object has changed")
    assert decide(HELD, answer(200)) == StartOver("the object has changed")
    assert decide(UNKNOWN, whole()) == StartOver("the server doesn't send parts")


def test_in_a_pipe_what_is_there_already_is_skipped_if_it_is_the_same() -> None:
    assert decide(PIPE, whole()) == Skip(400, "the server doesn't send parts")
    assert isinstance(decide(PIPE, whole('"two"')), Refuse)
    assert isinstance(decide(PIPE, whole(length=999)), Refuse)
    assert isinstance(decide(Held(400, rewindable=False), whole()), Refuse)
    assert isinstance(decide(Held(400, vouched=True, rewindable=False), whole()), Skip)


def test_416_is_the_end_if_the_length_is_that_of_what_is_here() -> None:
    assert decide(Held(1000, ONE), answer(416, content_range="bytes */1000")) == Whole()
    assert decide(Held(1000, found=True), answer(416, content_range="bytes */1000")) == Whole()


def test_416_says_nothing_about_the_beginning_of_a_body_that_came_without_validator() -> None:
    """The object may have become as short as what came before the connection broke."""
    assert isinstance(decide(Held(1000), answer(416, content_range="bytes */1000")), AskAgain)


@pytest.mark.parametrize("field", ["bytes */999", "bytes */1001", "", "bytes 0-1/1000"])
def test_416_otherwise_asks_for_the_whole_object(field: str) -> None:
    assert isinstance(decide(Held(1000, ONE), answer(416, content_range=field)), AskAgain)


def test_416_of_a_version_that_was_longer_asks_for_the_whole_object() -> None:
    """What is here has the length of the new version by chance only."""
    assert isinstance(decide(HELD, answer(416, content_range="bytes */400")), AskAgain)


@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_another_status_touches_nothing(status: int) -> None:
    decision = decide(HELD, answer(status, etag=TAG))
    assert isinstance(decision, Refuse)
    assert decision.status


def dated(before: int, **fields: str) -> Answer:
    now = 1_800_000_000
    return answer(
        200,
        date=formatdate(now, usegmt=True),
        last_modified=formatdate(now - before, usegmt=True),
        **fields,
    )


def test_a_date_is_a_strong_validator_only_if_it_is_surely_older_than_the_answer() -> None:
    """RFC 9110, 8.8.2.2: what changed within the same second would keep its date."""
    old = version_of(dated(60))
    assert old is not None
    assert old.validator.endswith("GMT")
    assert version_of(dated(59)) is None
    assert version_of(answer(200, last_modified=formatdate(0, usegmt=True))) is None


@pytest.mark.parametrize("tag", ['W/"one"', "one", '"o"ne"', '"', ""])
def test_beside_a_weak_tag_no_date_counts(tag: str) -> None:
    """RFC 9110, 13.1.5: a date is for representations without any entity tag."""
    assert version_of(dated(1000, etag=tag)) is None


@pytest.mark.parametrize("text", ["yesterday", "Mon, 99 Nov 2026 00:00:00 GMT", "", "0"])
def test_dates_that_are_none(text: str) -> None:
    assert version_of(answer(200, last_modified=text, date=formatdate(usegmt=True))) is None


@given(st.integers(), st.dictionaries(st.sampled_from(sorted(REST)), st.text()))
def test_no_head_whatsoever_is_a_bug(status: int, fields: dict[str, str]) -> None:
    for held in (HELD, UNKNOWN, VOUCHED, PIPE):
        decide(held, Answer(status, fields, SOURCE))
        version_of(Answer(status, fields, SOURCE))


# The model: a server whose object may change between two requests, and that breaks off anywhere.


@dataclass(frozen=True)
class Turn:
    """How the server is at one request.

    Args:
        version: which of its bodies it has now.
        ranges: whether it sends parts.
        tagged: whether it sends a strong tag.
        breaks_after: bytes of a body that arrive.
    """

    version: int
    ranges: bool
    tagged: bool
    breaks_after: int


BODIES = (b"abcdefghij", b"ABCDEFGHIJ", b"0123456", b"ABCDEFGHIJKLMNOP")
TURNS = st.builds(
    Turn, st.integers(0, len(BODIES) - 1), st.booleans(), st.booleans(), st.integers(0, 20)
)


def served(turn: Turn, fields: dict[str, str]) -> tuple[Answer, bytes]:
    body = BODIES[turn.version]
    tag = f'"{turn.version}"'
    headers = {"etag": tag} if turn.tagged else {}
    condition = fields.get("If-Range")
    if "Range" in fields and turn.ranges and condition in (None, tag if turn.tagged else None):
        start = int(fields["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return answer(416, content_range=f"bytes */{len(body)}"), b""
        headers["content-range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        headers["content-length"] = str(len(body) - start)
        return Answer(206, headers, SOURCE), body[start:]
    headers["content-length"] = str(len(body))
    return Answer(200, headers, SOURCE), body


def step(held: Held, here: bytes, turn: Turn, *, ask: bool) -> tuple[Held, bytes, bool]:
    """Make one request as the command does; return what is here then, and whether it is whole."""
    head, body = served(turn, range_fields(held) if ask else {})
    decision = decide(held, head) if ask else StartOver()
    came = body[: turn.breaks_after]
    match decision:
        case StartOver():
            here, version = came, version_of(head)
        case Append():
            here, version = here + came, held.version
        case Skip(count):
            here, version = here + came[count:], held.version
        case Whole():
            return held, here, True
        case AskAgain():
            return step(held, here, turn, ask=False)
        case Refuse():
            return held, here, False
    held = Held(len(here), version, rewindable=held.rewindable)
    return held, here, turn.breaks_after >= len(body)


@given(st.lists(TURNS, min_size=1, max_size=12), st.booleans())
def test_a_whole_body_is_always_one_version_and_nothing_else(
    turns: list[Turn], rewindable: bool
) -> None:
    """Whatever happens between attempts: not a byte lost, repeated, or of another version."""
    held, here = Held(0, rewindable=rewindable), b""
    for turn in turns:
        before = here
        held, here, done = step(held, here, turn, ask=bool(here))
        assert rewindable or here.startswith(before)
        assert any(body.startswith(here) for body in BODIES)
        assert held.size == len(here)
        if done:
            assert here == BODIES[turn.version]
            return
