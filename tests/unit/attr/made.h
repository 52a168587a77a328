/* Made-up records, as netlink would tell them. */
#ifndef WEIR_TEST_ATTR_MADE_H
#define WEIR_TEST_ATTR_MADE_H

#include "tests/unit/base/unit.h"
#include "attr/closes.h"

struct diag_end end(const char *ip, uint16_t port);
/* A socket held by a program (inode 7) unless it is TIME_WAIT. */
struct diag_sock sock_of(
	struct diag_end local, struct diag_end remote, enum diag_state state);
void put(struct snap *s, struct diag_end local, struct diag_end remote,
	enum diag_state state);
void put_listener(struct snap *s, struct diag_end at);
struct diag_ports range_of(const char *range, const char *reserved);

#endif
