/*
 * bed: what the conformance tests of the loop stand on: a client's and a server's loop
 * that can reach each other. One implementation for each loop (bed_uv.c, bed_sim.c); on
 * the real one both are the same loop.
 */
#ifndef WEIR_TESTS_IO_BED_H
#define WEIR_TESTS_IO_BED_H

#include "io/sock.h"
#include "tests/unit/base/unit.h"

enum bed_kind { BED_TCP, BED_UNIX };

struct bed {
	struct io_loop *client, *server;
	void *twin;
};

extern const char bed_name[];

void bed_init(struct bed *b);
void bed_fini(struct bed *b); /* frees the loops: the leak test */
/* An address to listen at, with a port to be chosen. */
void bed_addr(struct bed *b, enum bed_kind kind, struct addr *out);
/* Runs until done(arg), asked at the end of every turn; after 10 s the test fails. */
void bed_until(struct bed *b, bool (*done)(const void *arg), const void *arg);
/* Runs as long as anything may still happen at once: for what must not happen. */
void bed_settle(struct bed *b);
/* Runs until nothing is left on either loop. */
void bed_run_out(struct bed *b);
/* From now on the server, which has `open` sockets, can open only so many more;
 * UINT32_MAX: as many as it likes. */
void bed_limit_fds(struct bed *b, uint32_t open, uint32_t more);

#endif
