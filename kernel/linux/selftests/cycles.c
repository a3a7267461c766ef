// SPDX-License-Identifier: GPL-2.0
/* Open and close subflows while data flows both ways: cycles COUNT
 *
 * Each cycle is one refresh: a new subflow is opened, and when it carries data the one before is
 * closed. Every byte is checked at both ends. Prints what a cycle took.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "common.h"

static atomic_bool done;

struct flow {
	int fd;
	uint64_t bytes;
};

static uint8_t pattern(uint64_t at)
{
	return (at ^ at >> 8 ^ at >> 16) * 31;
}

static void *sends(void *argument)
{
	struct flow *flow = argument;
	uint8_t buffer[4096];

	while (!done) {
		ssize_t written;

		for (size_t i = 0; i < sizeof(buffer); i++)
			buffer[i] = pattern(flow->bytes + i);
		written = write(flow->fd, buffer, sizeof(buffer));
		if (written < 0)
			die("write");
		flow->bytes += written;
		usleep(500);
	}
	if (shutdown(flow->fd, SHUT_WR))
		die("shutdown");
	return NULL;
}

static void *receives(void *argument)
{
	struct flow *flow = argument;
	uint8_t buffer[4096];
	ssize_t got;

	while ((got = read(flow->fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (buffer[i] == pattern(flow->bytes + i))
				continue;
			fprintf(stderr, "byte %llu is wrong\n", (unsigned long long)flow->bytes + i);
			exit(1);
		}
		flow->bytes += got;
	}
	if (got < 0)
		die("read");
	return NULL;
}

int main(int count, char **arguments)
{
	int cycles = count > 1 ? atoi(arguments[1]) : 100, refused = 0, current = 0;
	struct pair pair = connected("127.0.0.1", IPPROTO_MPTCP, IPPROTO_MPTCP);
	union address here = address("127.0.0.2", 0), there = address("127.0.0.1", 0);
	struct flow flows[4] = {
		{ .fd = pair.client }, { .fd = pair.server }, { .fd = pair.server }, { .fd = pair.client },
	};
	double began, opening = 0, closing = 0;
	pthread_t threads[4];

	exchange(pair);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, i % 2 ? receives : sends, &flows[i]);

	began = now();
	for (int cycle = 0; cycle < cycles;) {
		double at = now();
		int id = open_between(pair.client, here, there);

		if (id < 0)
			die("MPTCP_OPEN_SUB_TUPLE");
		opening += now() - at;
		if (!established(pair.client, id)) {
			refused++; /* the server has not seen the end of the one before */
			continue;
		}
		at = now();
		if (close_id(pair.client, current))
			die("MPTCP_CLOSE_SUB_ID");
		closing += now() - at;
		current = id;
		cycle++;
	}
	began = now() - began;
	done = true;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 4; i += 2) {
		if (flows[i].bytes != flows[i + 1].bytes) {
			fprintf(stderr, "%llu bytes sent, %llu received\n",
				(unsigned long long)flows[i].bytes,
				(unsigned long long)flows[i + 1].bytes);
			return 1;
		}
	}
	printf("%d cycles in %.1f s, %d refused; open %.0f us, close %.0f us; %llu and %llu bytes right\n",
	       cycles, began, refused, 1e6 * opening / (cycles + refused), 1e6 * closing / cycles,
	       (unsigned long long)flows[0].bytes, (unsigned long long)flows[2].bytes);
	parted(pair);
	return 0;
}
