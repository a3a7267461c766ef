// SPDX-License-Identifier: GPL-2.0
/* Figure 5 of the paper as a program: the DSCP of one subflow, and of no other.
 *
 * Prints the IP_TOS of both subflows of a connection, before and after.
 */
#include "common.h"

static int tos(int sockfd, uint8_t id)
{
	unsigned int size = sizeof(int);
	int value = -1;

	if (sub_get(sockfd, id, IPPROTO_IP, IP_TOS, &value, &size))
		die("MPTCP_SUB_GETSOCKOPT");
	return value;
}

int main(void)
{
	struct pair pair = connected("127.0.0.1", IPPROTO_MPTCP, IPPROTO_MPTCP);
	int sockfd = pair.client, tos_wanted = 12, second;
	struct mptcp_sub_setsockopt option = {
		.level = IPPROTO_IP,
		.optname = IP_TOS,
		.optval = (char *)&tos_wanted,
		.optlen = sizeof(tos_wanted),
	};

	exchange(pair);
	second = open_between(sockfd, address("127.0.0.2", 0), address("127.0.0.1", 0));
	if (second < 0)
		die("MPTCP_OPEN_SUB_TUPLE");
	printf("%d %d\n", tos(sockfd, 0), tos(sockfd, second));

	option.id = second;
	if (setsockopt(sockfd, IPPROTO_TCP, MPTCP_SUB_SETSOCKOPT, &option, sizeof(option)))
		die("MPTCP_SUB_SETSOCKOPT");
	printf("%d %d\n", tos(sockfd, 0), tos(sockfd, second));
	parted(pair);
	return 0;
}
