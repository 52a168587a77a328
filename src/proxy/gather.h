/*
 * gather: one request in, several calls out, one answer. gather.c makes the calls,
 * gather_merge.c one document of what they bring.
 *
 * MODEL   The calls are N times the caller's own request (--gather N), or the named parts of a
 *         route (config.h), each with method, path and upstream of its own.
 *         A part is good when its answer is whole (of named ones: and 2xx); else it is missing,
 *         and why is known.
 * RULES   1. The calls to one upstream are admitted all or none. All upstreams are asked before
 *            any byte goes out: when one refuses at once and a part there must not be missing,
 *            nothing is sent to any.
 *         2. One deadline for all: what is not there then is missing, and the rest is sent.
 *         3. A required part that is missing fails the whole as soon as that is known; of an
 *            optional one its default stands there, or nothing.
 *         4. GATHER_PART_BYTES of one answer, GATHER_BYTES of all to one request and
 *            GATHER_ALL_BYTES in one thread are held; a part that would go above is missing.
 */
#ifndef WEIR_PROXY_GATHER_H
#define WEIR_PROXY_GATHER_H

#include "proxy/proxy.h"

#define GATHER_REQUEST_BYTES 65536 /* a request body is held whole: it goes out N times */
#define GATHER_PART_BYTES (1 << 20)
#define GATHER_BYTES (4 << 20)
#define GATHER_ALL_BYTES (64 << 20)
#define GATHER_TYPE_BYTES 256 /* of a part's Content-Type that is passed on */

struct part {
	struct call call;
	struct gather *gather;
	const struct route *route;     /* with its upstream */
	const struct config_part *cfg; /* NULL: one of N alike */
	struct text path;
	/* Of its answer; or, when it is missing, what is known of that */
	struct text body;
	struct text type, coding; /* Content-Type and -Encoding of a named part */
	size_t sent;              /* of the request's body */
	uint16_t status;
	bool coded; /* the answer's body, by Content-Encoding */
	bool over;
	enum err why;
};

struct gather {
	struct exchange x;
	struct proxy *proxy;
	struct sconn *client;
	struct timer deadline;
	struct io_defer later; /* a required part is missing: the rest is given up */
	struct text request_body;
	struct text merged; /* the answer's body while it is written */
	size_t merged_at;
	size_t held; /* bytes of answers, in proxy.gathered_bytes too */
	ns_t until;
	bool submitted, answering;
	uint32_t n, left;
	const struct part *last; /* of those that are over, the latest; NULL: none is */
	struct part parts[];
};

/* What goes to the client when all parts are over, or given up. */
struct gather_verdict {
	uint16_t status;
	enum err why;              /* ERR_OK with 200 */
	const struct part *blamed; /* that it is for; NULL: with 200 */
};
struct gather_verdict gather_judge(const struct gather *g);
/* Fills `merged`, and its Content-Type. The parts' bodies are let go. */
void gather_merge(struct gather *g, struct text *type);
/* The names of missing parts, with commas; nothing where they have none. */
void gather_name_missing(const struct gather *g, struct text *out);

#endif
