// SPDX-License-Identifier: GPL-2.0
/* Random calls for a while: fuzz SECONDS [SEED]
 *
 * Options, lengths and what structures say are drawn so that many calls are nearly right. Whether
 * the kernel minded is in its log; here the only outcome is that the calls come back.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "common.h"

enum { CALLS_ON_ONE = 400 };

static uint8_t *ends; /* of a page; the next one isn't there */
static unsigned int seed;

static unsigned int below(unsigned int limit)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % limit;
}

static int one_of(const int *values, size_t count)
{
	return values[below(count)];
}

static void *somewhere(size_t size)
{
	switch (below(16)) {
	case 0: return NULL;
	case 1: return (void *)-4096L;
	case 2: return ends - size / 2;
	default: return ends - size - below(64);
	}
}

static int any_length(int right)
{
	static const int odd[] = { -1, 0, 1, 2, 3, 4, 5, 16, 33, 57, 4096, 65536, 0x7fffffff, 1 << 31 };

	return below(4) ? right : one_of(odd, ARRAY_SIZE(odd));
}

static uint8_t any_id(void)
{
	return below(8) ? below(4) : below(256);
}

static int any_level(void)
{
	static const int levels[] = { SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, 284, 12345 };

	return one_of(levels, below(16) ? 4 : ARRAY_SIZE(levels));
}

static union address any_address(int family)
{
	static const char *const v4[] = { "127.0.0.1", "127.0.0.2", "0.0.0.0", "10.9.9.1", "10.9.9.2",
					  "224.0.0.1", "255.255.255.255" };
	static const char *const v6[] = { "fd00::1", "fd00::2", "::", "::1", "fd09::2", "ff02::1",
					  "::ffff:127.0.0.1", "fe80::1" };
	union address at = family == AF_INET ? address(v4[below(ARRAY_SIZE(v4))], 0)
					     : address(v6[below(ARRAY_SIZE(v6))], 0);

	if (!below(4))
		at.v4.sin_port = below(65536);
	if (!below(16))
		at.sa.sa_family = below(20);
	return at;
}

/* Return: the length that is right. */
static int any_structure(int name, uint8_t *at)
{
	int family = below(2) ? AF_INET : AF_INET6, one = address_size(family);
	struct mptcp_sub_getsockopt get = {
		.id = any_id(), .level = any_level(), .optname = below(90),
		.optval = somewhere(64), .optlen = somewhere(4),
	};
	struct mptcp_sub_setsockopt set = {
		.id = any_id(), .level = any_level(), .optname = below(90),
		.optval = somewhere(64), .optlen = any_length(4),
	};
	union address local = any_address(family), remote = any_address(family);

	for (int i = 0; i < 512; i++)
		at[i] = below(4) ? 0 : below(256);
	at[0] = any_id();
	switch (name) {
	case MPTCP_OPEN_SUB_TUPLE:
		memcpy(at + 1, &local, one);
		memcpy(at + 1 + one, &remote, one);
		return 1 + 2 * one;
	case MPTCP_SUB_GETSOCKOPT:
		memcpy(at, &get, sizeof(get));
		if (get.optlen && get.optlen != (void *)-4096L && (uint8_t *)get.optlen <= ends - 4)
			*get.optlen = any_length(64);
		return sizeof(get);
	case MPTCP_SUB_SETSOCKOPT:
	case MPTCP_SUB_SETSOCKOPT_ALL:
		memcpy(at, &set, sizeof(set));
		return sizeof(set);
	default:
		return below(3) ? 130 : 1 + below(8);
	}
}

static void call(int fd)
{
	int name = MPTCP_GET_SUB_IDS - 1 + below(MPTCP_SUB_PRIO - MPTCP_GET_SUB_IDS + 3);
	uint8_t structure[512];
	socklen_t length;
	void *at = structure;

	length = any_length(any_structure(name, structure));
	if (!below(16))
		at = somewhere(64);
	else if ((int)length > (int)sizeof(structure) || (int)length < 0)
		at = ends - 128; /* the rest isn't there */
	if (below(2))
		setsockopt(fd, IPPROTO_TCP, name, at, length);
	else
		getsockopt(fd, IPPROTO_TCP, name, at, &length);
}

static void trickle(struct pair pair)
{
	char buffer[1024] = {};

	send(pair.client, buffer, sizeof(buffer), MSG_DONTWAIT);
	send(pair.server, buffer, sizeof(buffer), MSG_DONTWAIT);
	recv(pair.client, buffer, sizeof(buffer), MSG_DONTWAIT);
	recv(pair.server, buffer, sizeof(buffer), MSG_DONTWAIT);
}

int main(int count, char **arguments)
{
	double end = now() + (count > 1 ? atof(arguments[1]) : 10);
	unsigned long calls = 0;

	seed = count > 2 ? strtoul(arguments[2], NULL, 0) : 1;
	signal(SIGPIPE, SIG_IGN);
	ends = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ends == MAP_FAILED || munmap(ends + 4096, 4096))
		die("mmap");
	ends += 4096;
	for (; now() < end; calls += CALLS_ON_ONE) {
		const char *host = below(2) ? "127.0.0.1" : "fd00::1";
		int theirs = below(8) ? IPPROTO_MPTCP : IPPROTO_TCP;
		struct pair pair = connected(host, below(8) ? IPPROTO_MPTCP : IPPROTO_TCP, theirs);

		exchange(pair);
		for (int i = 0; i < CALLS_ON_ONE; i++) {
			unsigned int which = below(16);

			call(which == 0 ? pair.listener : which < 4 ? pair.server : pair.client);
			if (!below(4))
				trickle(pair);
			if (!below(CALLS_ON_ONE))
				shutdown(pair.client, below(3));
		}
		parted(pair);
	}
	printf("%lu calls came back\n", calls);
	return 0;
}
