// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets or gets a socket option on the one TCP socket that has a given four-tuple.
 *
 * Stock Linux has no system call that reaches one subflow of a Multipath TCP connection, but the
 * iterator over TCP sockets reaches each of them, under its lock, and may call bpf_setsockopt and
 * bpf_getsockopt (since Linux 5.16; net/ipv4/tcp_ipv4.c, bpf_iter_tcp_get_func_proto).
 *
 * Under the GPL, which the kernel asks of programs that follow its pointers; see LICENSE here.
 */

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
enum bpf_map_type { BPF_MAP_TYPE_UNSPEC };

#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10
#define TCP_TIME_WAIT 6
#define TCP_NEW_SYN_RECV 12
#define MAPPED __builtin_bswap32(0xffff) /* the third word of ::ffff:0:0/96 */

/* What is read of the kernel's structures; where it stands is looked up in its BTF when loaded. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

struct net {
	__u64 net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	__u16 skc_family;
	__u8 skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

#pragma clang attribute pop

/* kernel/bpf/program.py writes it before a pass and reads it after; it has the same layout there. */
struct {
	__u64 namespace; /* its cookie, as SO_NETNS_COOKIE tells it */
	__be32 local[4]; /* an IPv4 address as ::ffff:a.b.c.d */
	__be32 remote[4];
	__be16 remote_port;
	__u16 local_port;
	__u32 set; /* 1 sets the option, 0 gets it */
	__s32 level;
	__s32 name;
	__u32 size;   /* of the value, in bytes */
	__s32 result; /* what the helper returned; untouched if there was no such socket */
	__u8 value[256];
} request;

static __always_inline int same_words(const struct in6_addr *address, const __be32 *asked)
{
	return address->in6_u.u6_addr32[0] == asked[0] && address->in6_u.u6_addr32[1] == asked[1] &&
	       address->in6_u.u6_addr32[2] == asked[2] && address->in6_u.u6_addr32[3] == asked[3];
}

static __always_inline int same_word(__be32 address, const __be32 *asked)
{
	return !asked[0] && !asked[1] && asked[2] == MAPPED && asked[3] == address;
}

static __always_inline int same_addresses(struct sock_common *sk)
{
	if (sk->skc_family == AF_INET)
		return same_word(sk->skc_rcv_saddr, request.local) &&
		       same_word(sk->skc_daddr, request.remote);
	return sk->skc_family == AF_INET6 && same_words(&sk->skc_v6_rcv_saddr, request.local) &&
	       same_words(&sk->skc_v6_daddr, request.remote);
}

static __always_inline int is_meant(struct sock_common *sk)
{
	/* Neither of these two is a whole socket, and neither has options. */
	if (sk->skc_state == TCP_TIME_WAIT || sk->skc_state == TCP_NEW_SYN_RECV)
		return 0;
	return sk->skc_num == request.local_port && sk->skc_dport == request.remote_port &&
	       same_addresses(sk) && sk->skc_net.net->net_cookie == request.namespace;
}

SEC("iter/tcp")
int subflow_option(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	__u32 last = request.size - 1; /* the index of the value's last byte */

	/*
	 * The verifier wants to see that what is passed as a size is neither 0 nor too much. As one
	 * comparison with what can't be told from the size, it sees both (Linux 6.1 does, too).
	 */
	barrier_var(last);
	if (!sk || last >= sizeof(request.value) || !is_meant(sk))
		return 0;
	if (request.set)
		request.result =
			bpf_setsockopt(sk, request.level, request.name, request.value, last + 1);
	else
		request.result =
			bpf_getsockopt(sk, request.level, request.name, request.value, last + 1);
	return 1; /* ends the pass; read() fails with EAGAIN */
}

char _license[] SEC("license") = "GPL";
