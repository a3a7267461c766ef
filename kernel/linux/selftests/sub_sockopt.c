// SPDX-License-Identifier: GPL-2.0
/* Every option and every error, over IPv4 and IPv6: sub_sockopt [denied]. Output is TAP.
 *
 * Run by `run`, which prepares the addresses, as a user without capabilities. With `denied`, only
 * what a peer says who wants no subflow to its initial address.
 */
#include <stdarg.h>

#include "common.h"

static const int GETS[] = {
	MPTCP_GET_SUB_IDS, MPTCP_CLOSE_SUB_ID, MPTCP_GET_SUB_TUPLE, MPTCP_OPEN_SUB_TUPLE,
	MPTCP_SUB_GETSOCKOPT,
};
static const int SETS[] = { MPTCP_SUB_SETSOCKOPT, MPTCP_SUB_SETSOCKOPT_ALL, MPTCP_SUB_PRIO };

static const char *group;
static int count, failed;

static void ok(bool good, const char *format, ...)
{
	va_list arguments;

	printf("%sok %d - %s: ", good ? "" : "not ", ++count, group);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	puts("");
	failed += !good;
}

/* errno of a call, 0 if it went well. */
static void gives(int result, int error, const char *what)
{
	int told = result ? errno : 0;

	ok(told == error, "%s gives %s", what, error ? strerrorname_np(error) : "no error");
	if (told != error)
		printf("# it gave %s\n", told ? strerrorname_np(told) : "no error");
}

static int get_sized(int fd, int name, const void *value, size_t given, socklen_t size)
{
	uint8_t buffer[512] = {};

	memcpy(buffer, value, given);
	return get(fd, name, buffer, &size);
}

/* An option on something that isn't, or isn't any more, an MPTCP connection. */
static void all_unsupported(int fd, const char *what)
{
	uint8_t zeros[64] = {};
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(GETS); i++)
		good &= get_sized(fd, GETS[i], zeros, sizeof(zeros), sizeof(zeros)) &&
			errno == EOPNOTSUPP;
	for (size_t i = 0; i < ARRAY_SIZE(SETS); i++)
		good &= setsockopt(fd, IPPROTO_TCP, SETS[i], zeros, sizeof(zeros)) &&
			errno == EOPNOTSUPP;
	ok(good, "all options give EOPNOTSUPP on %s", what);
}

static void not_multipath(const char *host)
{
	int alone = socket(address(host, 0).sa.sa_family, SOCK_STREAM, IPPROTO_TCP);
	struct pair pair = connected(host, IPPROTO_TCP, IPPROTO_TCP);

	all_unsupported(alone, "a TCP socket");
	all_unsupported(pair.client, "a TCP connection");
	close(alone);
	parted(pair);

	pair = connected(host, IPPROTO_MPTCP, IPPROTO_TCP);
	exchange(pair);
	all_unsupported(pair.client, "a connection that fell back");
	parted(pair);
}

static void not_connected(const char *host)
{
	int fd = socket(address(host, 0).sa.sa_family, SOCK_STREAM, IPPROTO_MPTCP);
	union address there = address(host, 1), here;

	ok(ids_of(fd).count == 0, "a socket without a connection has no subflow");
	gives(tuple_of(fd, 0, &here, &there), EINVAL, "GET_SUB_TUPLE without a connection");
	gives(close_id(fd, 0), EINVAL, "CLOSE_SUB_ID without a connection");
	ok(open_between(fd, address(host, 0), address(host, 1)) < 0 && errno == ENOTCONN,
	   "OPEN_SUB_TUPLE without a connection gives ENOTCONN");
	close(fd);
}

static void wrong_way(struct pair pair)
{
	uint8_t zeros[64] = {};

	for (size_t i = 0; i < ARRAY_SIZE(GETS); i++)
		gives(setsockopt(pair.client, IPPROTO_TCP, GETS[i], zeros, sizeof(zeros)),
		      ENOPROTOOPT, "setsockopt of what is to be got");
	for (size_t i = 0; i < ARRAY_SIZE(SETS); i++)
		gives(get_sized(pair.client, SETS[i], zeros, 1, 64), ENOPROTOOPT,
		      "getsockopt of what is to be set");
	gives(get_sized(pair.client, 70, zeros, 1, 64), ENOPROTOOPT, "the number 70");
}

static void lists(struct pair pair)
{
	struct ids ids = {};
	socklen_t size = 3;

	gives(get(pair.client, MPTCP_GET_SUB_IDS, &ids, &size), EINVAL, "a list of one in 3 bytes");
	size = 0;
	gives(get(pair.client, MPTCP_GET_SUB_IDS, &ids, &size), EINVAL, "a list in 0 bytes");
	size = -1;
	gives(get(pair.client, MPTCP_GET_SUB_IDS, &ids, &size), EINVAL, "a list in -1 bytes");
	size = 4;
	gives(get(pair.client, MPTCP_GET_SUB_IDS, &ids, &size), 0, "a list of one in 4 bytes");
	ok(size == 4 && ids.count == 1, "its length is 4, its count 1");
	ok(ids.at[0].id == 0 && !ids.at[0].slave_sk && ids.at[0].fully_established &&
	   ids.at[0].attached && !ids.at[0].low_prio && !ids.at[0].pre_established,
	   "the initial subflow has the ID 0 and its bits");
}

static void from_nowhere(struct pair pair)
{
	uint8_t zeros[64] = {};
	socklen_t size = sizeof(zeros);

	for (size_t i = 0; i < ARRAY_SIZE(GETS); i++) {
		gives(get(pair.client, GETS[i], NULL, &size), EFAULT, "memory that isn't there");
		gives(get(pair.client, GETS[i], zeros, NULL), EFAULT, "a length that isn't there");
	}
	for (size_t i = 0; i < ARRAY_SIZE(SETS); i++)
		gives(setsockopt(pair.client, IPPROTO_TCP, SETS[i], NULL, sizeof(zeros)), EFAULT,
		      "memory that isn't there");
	ok(ids_of(pair.client).count == 1, "nothing came of it");
}

static void tuples(struct pair pair)
{
	union address local, remote, named = {}, peer = {};
	socklen_t size = sizeof(named), one;
	uint8_t id = 0;

	getsockname(pair.client, &named.sa, &size);
	size = sizeof(peer);
	getpeername(pair.client, &peer.sa, &size);
	gives(tuple_of(pair.client, 0, &local, &remote), 0, "the tuple of the initial subflow");
	one = address_size(named.sa.sa_family);
	ok(!memcmp(&local, &named, one) && !memcmp(&remote, &peer, one),
	   "it is what getsockname and getpeername say");
	for (int bad = 1; bad < 256; bad += 30)
		gives(tuple_of(pair.client, bad, &local, &remote), EINVAL, "a tuple of no subflow");
	gives(get_sized(pair.client, MPTCP_GET_SUB_TUPLE, &id, 1, 2 * one), EINVAL,
	      "a tuple in one byte too few");
	gives(get_sized(pair.client, MPTCP_GET_SUB_TUPLE, &id, 1, 1 + 2 * one), 0,
	      "a tuple in just enough bytes");
	gives(get_sized(pair.client, MPTCP_GET_SUB_TUPLE, &id, 1, 0), EINVAL, "a tuple in none");
}

static void bad_opens(struct pair pair, const char *first, const char *second)
{
	union address local = address(second, 0), remote = address(first, 0);
	socklen_t one = address_size(local.sa.sa_family);
	uint8_t tuple[1 + 2 * sizeof(struct sockaddr_in6)] = {};
	bool v4 = local.sa.sa_family == AF_INET;
	union address other = v4 ? address("fd00::1", 0) : address("127.0.0.1", 0);
	union address foreign = v4 ? address("192.0.2.1", 0) : address("2001:db8::1", 0);
	union address busy;

	memcpy(tuple + 1, &local, one);
	memcpy(tuple + 1 + one, &remote, one);
	for (int size = 0; size < 1 + 2 * (int)one; size += 8)
		gives(get_sized(pair.client, MPTCP_OPEN_SUB_TUPLE, tuple, sizeof(tuple), size), EINVAL,
		      "an open that is too short");
	memcpy(tuple + 1 + one, &other, 2);
	gives(get_sized(pair.client, MPTCP_OPEN_SUB_TUPLE, tuple, sizeof(tuple), sizeof(tuple)),
	      EINVAL, "an open between two families");
	memset(tuple, 0, sizeof(tuple));
	gives(get_sized(pair.client, MPTCP_OPEN_SUB_TUPLE, tuple, sizeof(tuple), sizeof(tuple)),
	      EINVAL, "an open of no family");
	if (v4)
		gives(open_between(pair.client, other, other) < 0, EINVAL,
		      "an open of IPv6 on a socket of IPv4");
	gives(open_between(pair.client, foreign, remote) < 0, EADDRNOTAVAIL,
	      "an open from an address that isn't here");
	tuple_of(pair.client, 0, &busy, &remote);
	gives(open_between(pair.client, busy, remote) < 0, EADDRINUSE,
	      "an open of a tuple that there is");
	local.v4.sin_port = htons(1);
	gives(open_between(pair.client, local, remote) < 0, EACCES, "an open from port 1");
	ok(ids_of(pair.client).count == 1, "no subflow came of these");
}

static void opens(struct pair pair, const char *first, const char *second)
{
	union address local, remote, peer = {};
	const struct mptcp_sub_status *status;
	socklen_t size = sizeof(peer);
	struct ids ids;
	int id, chosen;

	id = open_between(pair.client, address(second, 0), address(first, 0));
	ok(id == 1, "a subflow from %s gets the ID 1", second);
	ok(established(pair.client, id), "it is established");
	ids = ids_of(pair.client);
	status = status_of(&ids, id);
	ok(ids.count == 2 && status && status->slave_sk && !status->pre_established,
	   "it is listed, and a slave");
	getpeername(pair.client, &peer.sa, &size);
	tuple_of(pair.client, id, &local, &remote);
	ok(local.v4.sin_port && remote.v4.sin_port == peer.v4.sin_port,
	   "port 0 was a free one here, and the connection's there");
	exchange(pair);

	local.v4.sin_port = htons(ntohs(local.v4.sin_port) ^ 1);
	chosen = open_between(pair.client, local, remote);
	ok(chosen == 2 && established(pair.client, chosen), "a tuple, used anew, opens another");
	peer = local;
	tuple_of(pair.client, chosen, &local, &remote);
	ok(local.v4.sin_port == peer.v4.sin_port, "its local port is the one that was asked for");
}

static void options(struct pair pair)
{
	int value = 0, tos = 12, level = IPPROTO_IP, name = IP_TOS;
	union address local, remote;
	unsigned int size = sizeof(value);
	struct tcp_info info;
	char ca[16] = {};

	tuple_of(pair.client, 0, &local, &remote);
	if (local.sa.sa_family == AF_INET6) {
		level = IPPROTO_IPV6;
		name = IPV6_TCLASS;
	}
	gives(sub_set(pair.client, MPTCP_SUB_SETSOCKOPT, 1, level, name, &tos, sizeof(tos)), 0,
	      "the traffic class of one subflow");
	gives(sub_get(pair.client, 1, level, name, &value, &size), 0, "reading it");
	ok(value == tos && size == sizeof(value), "it is what was set");
	sub_get(pair.client, 0, level, name, &value, &size);
	ok(value == 0, "the other's is what it was");

	size = sizeof(ca);
	sub_set(pair.client, MPTCP_SUB_SETSOCKOPT, 1, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
	gives(sub_get(pair.client, 1, IPPROTO_TCP, TCP_CONGESTION, ca, &size), 0, "TCP_CONGESTION");
	ok(!strcmp(ca, "reno"), "one subflow has another congestion control");
	size = sizeof(ca);
	sub_get(pair.client, 0, IPPROTO_TCP, TCP_CONGESTION, ca, &size);
	ok(strcmp(ca, "reno"), "and the other hasn't");

	size = sizeof(info);
	gives(sub_get(pair.client, 1, IPPROTO_TCP, TCP_INFO, &info, &size), 0, "TCP_INFO");
	ok(info.tcpi_state == 1 && info.tcpi_snd_cwnd, "it tells state and window");
	size = 4;
	value = 5;
	gives(sub_set(pair.client, MPTCP_SUB_SETSOCKOPT, 1, SOL_SOCKET, SO_PRIORITY, &value, 4), 0,
	      "SO_PRIORITY");
	value = 0;
	sub_get(pair.client, 1, SOL_SOCKET, SO_PRIORITY, &value, &size);
	ok(value == 5, "it is 5");

	tos = 8;
	gives(sub_set(pair.client, MPTCP_SUB_SETSOCKOPT_ALL, 255, level, name, &tos, sizeof(tos)), 0,
	      "the traffic class of all subflows");
	for (int id = 0; id < 3; id++) {
		size = sizeof(value);
		sub_get(pair.client, id, level, name, &value, &size);
		ok(value == 8, "that of %d is what was set", id);
	}
}

static void bad_options(struct pair pair)
{
	static const int refused[][2] = {
		{ IPPROTO_TCP, TCP_ULP }, { IPPROTO_TCP, TCP_REPAIR }, { IPPROTO_TCP, TCP_MD5SIG },
		{ IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE }, { IPPROTO_IP, IP_ADD_MEMBERSHIP },
		{ IPPROTO_IPV6, IPV6_ADDRFORM }, { IPPROTO_TCP, MPTCP_SUB_SETSOCKOPT },
		{ SOL_SOCKET, SO_PEERNAME },
	};
	struct mptcp_sub_getsockopt arg = { .level = IPPROTO_IP, .optname = IP_TOS };
	unsigned int size = sizeof(int);
	int value = AF_INET;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		gives(sub_get(pair.client, 1, refused[i][0], refused[i][1], &value, &size), EOPNOTSUPP,
		      "reading what isn't a subflow's");
		gives(sub_set(pair.client, MPTCP_SUB_SETSOCKOPT, 1, refused[i][0], refused[i][1],
			      &value, sizeof(value)), EOPNOTSUPP, "setting it");
	}
	gives(sub_get(pair.client, 31, IPPROTO_IP, IP_TOS, &value, &size), EINVAL,
	      "an option of no subflow");
	gives(sub_set(pair.client, MPTCP_SUB_SETSOCKOPT, 31, IPPROTO_IP, IP_TOS, &value, 4), EINVAL,
	      "setting one of no subflow");
	gives(sub_get(pair.client, 1, 12345, 1, &value, &size), ENOPROTOOPT, "an unknown level");
	gives(sub_set(pair.client, MPTCP_SUB_SETSOCKOPT, 1, SOL_SOCKET, SO_MARK, &value, 4), EPERM,
	      "what needs a capability");
	gives(sub_set(pair.client, MPTCP_SUB_SETSOCKOPT, 1, IPPROTO_TCP, TCP_MAXSEG, &value, 1),
	      EINVAL, "an int in one byte");
	gives(sub_set(pair.client, MPTCP_SUB_SETSOCKOPT, 1, IPPROTO_TCP, TCP_MAXSEG, NULL, 4), EFAULT,
	      "a value from nowhere");
	gives(get_sized(pair.client, MPTCP_SUB_GETSOCKOPT, &arg, sizeof(arg), sizeof(arg)), EFAULT,
	      "a length from nowhere");
	gives(get_sized(pair.client, MPTCP_SUB_GETSOCKOPT, &arg, sizeof(arg), sizeof(arg) - 1),
	      EINVAL, "a structure that is too short");
	gives(setsockopt(pair.client, IPPROTO_TCP, MPTCP_SUB_SETSOCKOPT, &arg, sizeof(arg) - 1),
	      EINVAL, "another");
	size = -1;
	gives(sub_get(pair.client, 1, IPPROTO_IP, IP_TOS, &value, &size), EINVAL, "a length of -1");
}

static bool low_prio(int fd, uint8_t id, bool wanted)
{
	for (double end = now() + 20; now() < end; usleep(1000)) {
		struct ids ids = ids_of(fd);
		const struct mptcp_sub_status *status = status_of(&ids, id);

		if (status && status->low_prio == wanted)
			return true;
	}
	return false;
}

/* The server's IDs are its own: find its end of a subflow by the ports. */
static int servers_id(struct pair pair, uint8_t id)
{
	union address local, remote, theirs, ours;
	struct ids ids = ids_of(pair.server);

	tuple_of(pair.client, id, &local, &remote);
	for (int i = 0; i < ids.count; i++)
		if (!tuple_of(pair.server, ids.at[i].id, &theirs, &ours) &&
		    ours.v4.sin_port == local.v4.sin_port)
			return ids.at[i].id;
	return -1;
}

static void priorities(struct pair pair)
{
	struct mptcp_sub_prio prio = { .id = 1, .low_prio = 1 };
	int theirs = servers_id(pair, 1);

	gives(setsockopt(pair.client, IPPROTO_TCP, MPTCP_SUB_PRIO, &prio, sizeof(prio)), 0,
	      "making a subflow a backup");
	ok(low_prio(pair.client, 1, true) && low_prio(pair.server, theirs, true),
	   "it is one at both ends");
	exchange(pair);
	prio.low_prio = 0;
	setsockopt(pair.client, IPPROTO_TCP, MPTCP_SUB_PRIO, &prio, sizeof(prio));
	ok(low_prio(pair.client, 1, false) && low_prio(pair.server, theirs, false),
	   "and is none any more");
	gives(setsockopt(pair.client, IPPROTO_TCP, MPTCP_SUB_PRIO, &prio, 1), EINVAL,
	      "half of a priority");
	prio.id = 32;
	gives(setsockopt(pair.client, IPPROTO_TCP, MPTCP_SUB_PRIO, &prio, sizeof(prio)), EINVAL,
	      "the priority of no subflow");
}

/* Opened and made a backup at once: the peer hears of it when the handshake is over. */
static void backups(struct pair pair, const char *first, const char *second)
{
	struct mptcp_sub_prio prio = { .low_prio = 1 };
	int id = open_between(pair.client, address(second, 0), address(first, 0));

	prio.id = id;
	setsockopt(pair.client, IPPROTO_TCP, MPTCP_SUB_PRIO, &prio, sizeof(prio));
	established(pair.client, id);
	exchange(pair);
	ok(low_prio(pair.client, id, true) && low_prio(pair.server, servers_id(pair, id), true),
	   "a subflow is a backup from its beginning");
	close_id(pair.client, id);
}

static void closes(struct pair pair, const char *first, const char *second)
{
	uint8_t id = 9;

	gives(get_sized(pair.client, MPTCP_CLOSE_SUB_ID, &id, 1, 0), EINVAL, "a close of no byte");
	for (int bad = 9; bad < 256; bad += 23)
		gives(close_id(pair.client, bad), EINVAL, "a close of no subflow");
	gives(close_id(pair.client, 1), 0, "closing a subflow");
	ok(ids_of(pair.client).count == 2, "it is gone");
	gives(close_id(pair.client, 1), EINVAL, "closing it again");
	exchange(pair);
	id = open_between(pair.client, address(second, 0), address(first, 0));
	ok(id == 1, "its ID is given anew");
	ok(established(pair.client, id), "to another that is established");
	gives(close_id(pair.client, 0), 0, "closing the initial subflow");
	ok(ids_of(pair.client).count == 2, "it is not listed any more");
	exchange(pair);
	id = open_between(pair.client, address(first, 0), address(first, 0));
	ok(id == 0 && established(pair.client, id), "its ID is given anew, too");
	exchange(pair);
}

/* A hole that answers nothing has room for all IDs. */
static void limit(const char *host, const char *hole)
{
	struct pair pair = connected(host, IPPROTO_MPTCP, IPPROTO_MPTCP);
	bool v4 = address(host, 0).sa.sa_family == AF_INET;
	union address any = address(v4 ? "0.0.0.0" : "::", 0), there = address(hole, 9);
	int unanswered = 0;
	bool good = true;
	struct ids ids;

	exchange(pair);
	for (int id = 1; id < MPTCP_SUB_IDS_MAX; id++)
		good &= open_between(pair.client, any, there) == id;
	ids = ids_of(pair.client);
	ok(good && ids.count == 32, "32 subflows have IDs from 0 to 31");
	for (int i = 0; i < ids.count; i++)
		unanswered += !ids.at[i].fully_established && !ids.at[i].pre_established;
	ok(unanswered == 31, "those whose SYN has no answer are not established");
	ok(open_between(pair.client, any, there) < 0 && errno == ENOSPC, "one more gives ENOSPC");
	ok(!close_id(pair.client, 17) && open_between(pair.client, any, there) == 17,
	   "where one goes, one comes");
	exchange(pair);
	parted(pair);
}

/* An IPv6 socket that speaks IPv4: addresses are told as IPv4's, and taken as such. */
static void mapped(void)
{
	struct pair pair = connected("::ffff:127.0.0.1", IPPROTO_MPTCP, IPPROTO_MPTCP);
	union address local, remote;
	int id;

	group = "mapped";
	exchange(pair);
	ok(!tuple_of(pair.client, 0, &local, &remote) && local.sa.sa_family == AF_INET &&
	   local.v4.sin_addr.s_addr == htonl(INADDR_LOOPBACK), "a tuple is IPv4's");
	local.v4.sin_port = 0;
	id = open_between(pair.client, local, remote);
	ok(id == 1 && established(pair.client, id), "and opens another subflow");
	id = open_between(pair.client, address("::ffff:127.0.0.2", 0),
			  address("::ffff:127.0.0.1", 0));
	ok(id == 2 && established(pair.client, id), "the long form does so, too");
	exchange(pair);
	parted(pair);
}

static void family(const char *name, const char *first, const char *second, const char *hole)
{
	struct pair pair;

	group = name;
	not_multipath(first);
	not_connected(first);
	pair = connected(first, IPPROTO_MPTCP, IPPROTO_MPTCP);
	exchange(pair);
	wrong_way(pair);
	lists(pair);
	from_nowhere(pair);
	tuples(pair);
	bad_opens(pair, first, second);
	opens(pair, first, second);
	options(pair);
	bad_options(pair);
	priorities(pair);
	backups(pair, first, second);
	closes(pair, first, second);
	parted(pair);
	limit(first, hole);
}

/* Where net.mptcp.allow_join_initial_addr_port is 0: RFC 8684, section 3.1. */
static void denied(const char *name, const char *first, const char *second)
{
	struct pair pair = connected(first, IPPROTO_MPTCP, IPPROTO_MPTCP);

	group = name;
	exchange(pair);
	gives(open_between(pair.client, address(second, 0), address(first, 0)) < 0, EACCES,
	      "an open to an address that wants none");
	ok(ids_of(pair.client).count == 1, "no subflow came of it");
	ok(open_between(pair.client, address(first, 0), address(second, 0)) == 1,
	   "another address of the peer may be tried");
	parted(pair);
}

int main(int arguments, char **argument)
{
	setbuf(stdout, NULL);
	puts("TAP version 13");
	if (arguments > 1 && !strcmp(argument[1], "denied")) {
		denied("IPv4", "127.0.0.1", "127.0.0.2");
		denied("IPv6", "fd00::1", "fd00::2");
	} else {
		family("IPv4", "127.0.0.1", "127.0.0.2", "10.9.9.2");
		family("IPv6", "fd00::1", "fd00::2", "fd09::2");
		mapped();
	}
	printf("1..%d\n", count);
	return failed != 0;
}
