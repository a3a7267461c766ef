"""How many connections there may be."""

from __future__ import annotations

from mphttp.proxy.limits import Clients, Limits, client_of


def test_in_all_and_of_each_other_machine() -> None:
    clients: Clients[int] = Clients(Limits(connections=4, per_client=2))
    for number in range(2):
        assert clients.may_enter("192.0.2.1")
        clients.enter("192.0.2.1", number)
    assert not clients.may_enter("192.0.2.1")
    assert not clients.may_enter("::ffff:192.0.2.1")
    clients.enter("192.0.2.2", 2)
    clients.enter("127.0.0.1", 3)
    assert not clients.may_enter("127.0.0.1")
    clients.leave("192.0.2.1", 0)
    assert clients.may_enter("192.0.2.1")
    assert clients.count == 3


def test_programs_of_this_machine_share_the_limit_of_all() -> None:
    clients: Clients[int] = Clients(Limits(connections=3, per_client=1))
    for number in range(3):
        assert clients.may_enter("127.0.0.1")
        clients.enter("127.0.0.1", number)


def test_of_those_that_have_said_nothing_the_oldest_ends() -> None:
    clients: Clients[str] = Clients(Limits(unready=2))
    assert [clients.enter("192.0.2.1", name) for name in ("a", "b")] == [None, None]
    clients.ready("a")
    assert clients.enter("192.0.2.1", "c") is None
    assert clients.enter("192.0.2.1", "d") == "b"


def test_what_has_gone_is_forgotten() -> None:
    clients: Clients[int] = Clients(Limits())
    for number in range(1000):
        clients.enter(f"2001:db8:{number:x}::1", number)
    for number in range(1000):
        clients.leave(f"2001:db8:{number:x}::1", number)
    assert (clients.count, len(clients._of), len(clients._unready)) == (0, 0, 0)


def test_a_network_of_ipv6_is_one_client() -> None:
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:1") != client_of("2001:db8:0:1::1")
    assert client_of("fe80::1%eth0") == "fe80::/64"
