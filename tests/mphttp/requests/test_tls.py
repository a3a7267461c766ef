"""TLS, as requests has it: `verify`, `cert`, and its errors."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import requests
import trustme

from .conftest import Open, Serve
from .servers import answer, chunked, until_closed
from .test_body import told

BODY = bytes(range(256)) * 10_000


@pytest.mark.parametrize("sent", [answer(BODY), chunked(BODY, BODY), until_closed(BODY)])
def test_a_body_over_tls(
    session: requests.Session, serve: Serve, context: ssl.SSLContext, authority: str, sent: bytes
) -> None:
    server = serve(sent, context=context)
    response = session.get(server.url, verify=authority)
    assert response.content[: len(BODY)] == BODY
    assert told(response).bytes == len(response.content)
    assert told(response).subflows[0].bytes_received > len(response.content)  # and its frame


def test_a_connection_is_kept(
    session: requests.Session, serve: Serve, context: ssl.SSLContext, authority: str
) -> None:
    server = serve(answer(BODY), context=context)
    answers = [session.get(server.url, verify=authority) for _ in range(3)]
    assert [told(response).bytes for response in answers] == [len(BODY)] * 3
    assert server.connections == 1


def test_a_response_that_is_dropped_unread(
    session: requests.Session, serve: Serve, context: ssl.SSLContext, authority: str
) -> None:
    server = serve(answer(BODY * 10), context=context)
    session.get(server.url, verify=authority, stream=True).close()
    server.close()  # waits for the thread that was sending


def test_a_certificate_that_is_not_trusted(
    session: requests.Session, serve: Serve, context: ssl.SSLContext
) -> None:
    server = serve(answer(BODY), context=context)
    with pytest.raises(requests.exceptions.SSLError, match="certificate verify failed"):
        session.get(server.url)
    assert server.heads == []


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_no_verification(session: requests.Session, serve: Serve, context: ssl.SSLContext) -> None:
    assert session.get(serve(answer(BODY), context=context).url, verify=False).content == BODY


def test_a_certificate_for_another_host(
    session: requests.Session, serve: Serve, issuer: trustme.CA, authority: str
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert("example.org").configure_cert(context)
    with pytest.raises(requests.exceptions.SSLError, match="match"):
        session.get(serve(answer(), context=context).url, verify=authority)


def test_a_client_s_certificate(
    serve: Serve, open_session: Open, context: ssl.SSLContext, issuer: trustme.CA, tmp_path: Path
) -> None:
    session, authority = open_session(), str(tmp_path / "authority.pem")
    issuer.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    server = serve(answer(b"known"), context=context)
    own = str(tmp_path / "own.pem")
    issuer.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(own)
    assert session.get(server.url, verify=authority, cert=own).text == "known"
    with pytest.raises(requests.ConnectionError):
        session.get(server.url, verify=authority)
