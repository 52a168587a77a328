/*
 * exchange_scene: what the moves (exchange.c) leave for the checks (exchange_check.c).
 *
 * MODEL   Requests are numbered: in the path, or for CONNECT in the target's host. A tunnel that
 *         begins with CONNECT is greeted by its client, with the number: so the server's streams
 *         tell which is whose.
 */
#ifndef WEIR_TEST_EXCHANGE_SCENE_H
#define WEIR_TEST_EXCHANGE_SCENE_H

#include "exchange.h"
#include "tests/sim/stage.h"

#define CLIENTS 2
#define NUMBERS 512 /* of requests; more than moves */
#define GREETING "\x01tunnel "

struct peer;

/* A request that asks for a tunnel, and what lies behind it. */
struct tunnel {
	const struct peer *client; /* NULL: no such request */
	bool raw;                  /* CONNECT: the server sees no request */
	bool made;                 /* the client was told so */
	struct slice said, got;    /* behind request and answer */
};

struct peer {
	struct raw raw;
	bool used;
	bool greets;     /* its next move begins with the greeting of its tunnel */
	unsigned number; /* of its last request */
	bool left;       /* by its own move */
};

struct scene {
	struct sim *sim;
	struct io_loop *client_host, *proxy_host, *server_host;
	char words[STAGE_WORDS_BYTES];
	struct proxy_options opt; /* its texts are in words */
	struct upstream_cfg upstream;
	struct proxy proxy;
	struct server_ops ops; /* the proxy's, and CONNECT is let through */
	struct addr listen;
	struct peer clients[CLIENTS];
	struct raw_server server;
	unsigned number; /* of the next request */
	size_t payload;  /* bytes of it so far: none like those before */
	int automatic;   /* -1: not */
	bool says_raw;   /* the server spoke out of turn: no conclusion from X-Whole */
	bool guesses; /* it said an answer that may be to a request which never reached it */
	/* by number */
	bool unsafe[NUMBERS];     /* not idempotent */
	bool broken_off[NUMBERS]; /* the client never finished it */
	bool nobodys[NUMBERS];    /* said in a tunnel, or behind one that was refused */
	struct tunnel tunnels[NUMBERS];
};

/* Once all has come to rest. */
void exchange_check(struct scene *s, struct exchange_tally *tally);

#endif
