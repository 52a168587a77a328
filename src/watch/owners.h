/*
 * owners: which programs hold the sockets, from /proc/PID/fd, as far as it may be read.
 *
 * MODEL   A socket that no program holds any more (TIME_WAIT, orphans) has no owner. One
 *         held by several (inherited over fork) counts for the first found.
 * COST    a readlink for every descriptor of every process in the namespace; spared while a look
 *         shows no socket that the last reading did not, and no holder has ended, for
 *         OWNERS_LOOKS looks.
 */
#ifndef WEIR_WATCH_OWNERS_H
#define WEIR_WATCH_OWNERS_H

#include "attr/tally.h"
#include "watch/where.h"

struct owner {
	int32_t pid;
	char comm[17];
	uint32_t listening, established_in, established_out, close_wait, other;
};

struct owner_socket {
	uint32_t inode; /* 0: free slot */
	uint32_t owner; /* index */
};

struct owners {
	struct owner *v; /* most sockets first */
	uint32_t n, cap;
	uint32_t unreadable; /* processes whose sockets /proc hides from us */
	uint32_t unowned;    /* sockets with a holder that was not found */

	struct owner_socket *sockets;
	uint32_t n_sockets, cap_sockets; /* a power of two */
	int32_t *here;                   /* processes that were in the namespace */
	uint32_t n_here, cap_here;

	uint32_t n_all;     /* of v, those without a socket here, too */
	uint64_t strangers; /* sockets whose holder the last reading did not show */
	uint32_t looks;     /* since then; 0: there was none */
};

enum { OWNERS_LOOKS = 10 };

struct owners_of {
	const struct where *where;
	const struct snap *snap;
	const struct tally *tally;
	const struct diag_ports *ports;
	ns_t now;
};

void owners_init(struct owners *o);
void owners_fini(struct owners *o);
/* Reads /proc anew, where that may tell anything new, and counts the snap's sockets by program. */
void owners_read(struct owners *o, const struct owners_of *of);
/* Only who holds what, nothing counted: to be followed by the dump that it is for, as a socket
 * may be gone in no time. `again`: only the processes that were found in the namespace last
 * time are read: in a container few, on a host nearly all. */
void owners_scan(struct owners *o, const struct where *where, bool again);
/* Whether the process is gone, or about to be: then its sockets were closed by its end. */
bool owners_ended(int32_t pid);
/* NULL: not known. */
const struct owner *owners_find(const struct owners *o, uint32_t inode);

#endif
