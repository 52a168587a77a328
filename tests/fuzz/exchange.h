/*
 * exchange: the whole exchange under fuzzing: the real proxy on the simulated loop, between two
 * clients and a server whose every move is a byte of the input.
 *
 * INPUT   The first bytes choose options and the network; then come moves of two bytes each:
 *         what, and with what. See exchange.c.
 * RULES   What must hold when all has come to rest (CHECKed):
 *         1. No gauge of the proxy is off zero.
 *         2. All the proxy wrote, to either side, is HTTP in the eyes of strict.h.
 *         3. A request reached the server once at most. An idempotent one more often: once more
 *            in place of a kept connection that died, as often as --retries says, and once beside
 *            another one that is slow (--hedge-after). All of
 *            these together are within the budget of flow/retry.h.
 *         4. A client has as many answers as it sent requests, or its connection is over.
 *         5. An answer that broke off at the server is not whole at the client.
 *         6. A request that broke off at the client is not whole at the server.
 *         7. A tunnel is made where a client asked for one and the server agreed, nowhere else.
 *            Where none is made, what lies behind the request is never read as one.
 *         8. A tunnel's bytes come out as they went in, both ways, and none is read as HTTP. A
 *            side that sees a clean end has all that the other one sent.
 *         9. A tunnel ends: by its ends, or because it is idle.
 */
#ifndef WEIR_TEST_EXCHANGE_H
#define WEIR_TEST_EXCHANGE_H

#include "base/slice.h"

enum exchange_move {
	CLIENT_ASKS, /* request number arg */
	CLIENT_BODY, /* payload, as much as arg says */
	CLIENT_CHUNK,
	CLIENT_LAST_CHUNK,
	CLIENT_RAW, /* the byte arg itself */
	CLIENT_CLOSES,
	CLIENT_EARS,    /* stops or goes on reading */
	SERVER_ANSWERS, /* answer number arg, if a request is waiting */
	SERVER_SAYS,    /* the same, asked or not */
	SERVER_MORE,    /* payload */
	SERVER_RAW,
	SERVER_CLOSES,
	SERVER_EARS,
	SERVER_AUTO, /* from now on each request gets answer number arg at once */
	WAIT,
	WAIT_TOO,
	CLIENT_SHUTS, /* FIN, and reads on */
	SERVER_SHUTS,
	MOVES,
};

/* How deep the inputs reach: sums over all. */
struct exchange_tally {
	uint64_t asked, answered, good; /* by clients; 200 */
	uint64_t forwarded;             /* requests seen by the server */
	uint64_t tunnels, refused_tunnels,
		tunnelled; /* made, not made, bytes to clients */
	uint64_t replayed, abandoned, drained, reused;
};

void exchange_run(struct slice input, struct exchange_tally *tally);

#endif
