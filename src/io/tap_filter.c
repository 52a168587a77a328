#include "io/tap_filter.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#define WORD(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* A load past the end refuses the packet. Jumps count instructions; "not ours" goes to 34, and
 * nowhere where something is left in A to compare. */
const struct sock_filter tap_filter[TAP_FILTER_LEN] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 10, 0),
	BPF_STMT(BPF_RET | BPF_K, 0),
	/* 4: IPv4; X = where TCP begins, then A = where its data does */
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 28),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 26, 0), /* a later fragment */
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 12),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
	BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
	BPF_JUMP(BPF_JMP | BPF_JA, 6, 0, 0),
	/* 13: IPv6 without extension headers */
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 19),
	BPF_STMT(BPF_LDX | BPF_IMM, 40),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 52),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
	BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
	/* 19: the data */
	BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('H', 'T', 'T', 'P'), 8, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('C', 'o', 'n', 'n'), 9, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('C', 'o', 'n', 't'), 8, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('S', 'e', 'r', 'v'), 7, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('D', 'a', 't', 'e'), 6, 0),
	BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1603, 0, 5),
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 5),
	/* 30: 1 is a client's hello */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 2, 3),
	/* 31: the status */
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 9),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, '4', 0, 1),
	/* 33: ours */
	BPF_STMT(BPF_RET | BPF_K, TAP_BYTES),
	/* 34: not ours */
	BPF_STMT(BPF_RET | BPF_K, 0),
};
