/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs beside this one share: connections within one process, and the six calls. */
#ifndef SUB_COMMON_H
#define SUB_COMMON_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mptcp_sub.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct ids {
	uint8_t count;
	struct mptcp_sub_status at[MPTCP_SUB_IDS_MAX];
};

/* Both ends of one connection, and the listener, which takes further subflows. */
struct pair {
	int client, server, listener;
};

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline socklen_t address_size(int family)
{
	return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static inline union address address(const char *host, uint16_t port)
{
	union address a = {};

	if (inet_pton(AF_INET, host, &a.v4.sin_addr) == 1)
		a.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &a.v6.sin6_addr) == 1)
		a.sa.sa_family = AF_INET6;
	else
		die(host);
	a.v4.sin_port = htons(port);
	return a;
}

/* Connect two sockets at this address; the listener needn't have MPTCP. */
static inline struct pair connected(const char *host, int protocol, int listeners)
{
	union address at = address(host, 0);
	socklen_t size = address_size(at.sa.sa_family);
	struct pair pair;

	pair.listener = socket(at.sa.sa_family, SOCK_STREAM, listeners);
	if (pair.listener < 0 || bind(pair.listener, &at.sa, size) || listen(pair.listener, 8) ||
	    getsockname(pair.listener, &at.sa, &size))
		die("listener");
	pair.client = socket(at.sa.sa_family, SOCK_STREAM, protocol);
	if (pair.client < 0 || connect(pair.client, &at.sa, size))
		die("connect");
	pair.server = accept(pair.listener, NULL, NULL);
	if (pair.server < 0)
		die("accept");
	return pair;
}

static inline void parted(struct pair pair)
{
	close(pair.client);
	close(pair.server);
	close(pair.listener);
}

static inline void passes(int from, int to)
{
	char byte = 'x';

	if (write(from, &byte, 1) != 1 || read(to, &byte, 1) != 1)
		die("exchange");
}

/* Data both ways: subflows may be opened afterwards. */
static inline void exchange(struct pair pair)
{
	passes(pair.client, pair.server);
	passes(pair.server, pair.client);
	passes(pair.client, pair.server);
}

static inline int get(int fd, int name, void *value, socklen_t *size)
{
	return getsockopt(fd, IPPROTO_TCP, name, value, size);
}

static inline struct ids ids_of(int fd)
{
	struct ids ids = {};
	socklen_t size = sizeof(ids);

	if (get(fd, MPTCP_GET_SUB_IDS, &ids, &size))
		die("MPTCP_GET_SUB_IDS");
	return ids;
}

static inline const struct mptcp_sub_status *status_of(const struct ids *ids, uint8_t id)
{
	for (int i = 0; i < ids->count; i++)
		if (ids->at[i].id == id)
			return &ids->at[i];
	return NULL;
}

static inline int close_id(int fd, uint8_t id)
{
	struct mptcp_close_sub_id arg = { .id = id };
	socklen_t size = sizeof(arg);

	return get(fd, MPTCP_CLOSE_SUB_ID, &arg, &size);
}

/* The ID, or -1. */
static inline int open_between(int fd, union address local, union address remote)
{
	uint8_t tuple[1 + 2 * sizeof(struct sockaddr_in6)];
	socklen_t one = address_size(local.sa.sa_family), size = 1 + 2 * one;

	memcpy(tuple + 1, &local, one);
	memcpy(tuple + 1 + one, &remote, one);
	return get(fd, MPTCP_OPEN_SUB_TUPLE, tuple, &size) ? -1 : tuple[0];
}

static inline int tuple_of(int fd, uint8_t id, union address *local, union address *remote)
{
	uint8_t tuple[1 + 2 * sizeof(struct sockaddr_in6)] = { id };
	socklen_t size = sizeof(tuple);

	memset(local, 0, sizeof(*local));
	memset(remote, 0, sizeof(*remote));
	if (get(fd, MPTCP_GET_SUB_TUPLE, tuple, &size))
		return -1;
	memcpy(local, tuple + 1, (size - 1) / 2);
	memcpy(remote, tuple + 1 + (size - 1) / 2, (size - 1) / 2);
	return 0;
}

static inline int sub_get(int fd, uint8_t id, int level, int name, void *value, unsigned int *size)
{
	struct mptcp_sub_getsockopt arg = {
		.id = id, .level = level, .optname = name, .optval = value, .optlen = size,
	};
	socklen_t length = sizeof(arg);

	return get(fd, MPTCP_SUB_GETSOCKOPT, &arg, &length);
}

static inline int sub_set(int fd, int option, uint8_t id, int level, int name, const void *value,
			  unsigned int size)
{
	struct mptcp_sub_setsockopt arg = {
		.id = id, .level = level, .optname = name, .optval = (char *)value, .optlen = size,
	};

	return setsockopt(fd, IPPROTO_TCP, option, &arg, sizeof(arg));
}

static inline double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec + at.tv_nsec / 1e9;
}

/* Wait until a subflow carries data, or is gone. */
static inline bool established(int fd, uint8_t id)
{
	for (double end = now() + 20; now() < end; usleep(1000)) {
		struct ids ids = ids_of(fd);
		const struct mptcp_sub_status *status = status_of(&ids, id);

		if (!status)
			return false;
		if (status->fully_established)
			return true;
	}
	return false;
}

#endif
