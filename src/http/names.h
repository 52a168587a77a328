/*
 * names: keeps an upstream's addresses what its URLs stand for: names are looked up, and
 * again when their TTL ends.
 *
 * MODEL   A source is host and port of one URL. Digits and unix: are addresses themselves. A
 *         name is asked for at once; until each has had its first answer the names are not
 *         settled. Later a name is fresh, stale (the last lookup brought nothing; what was
 *         found before stays in use, RFC 8767), or lost (nothing was ever found).
 *         Whoever does not trust a name says which addresses may be used (names_cfg.may): the
 *         others are as if not found. With none left it is barred: what was found before
 *         stays the upstream's, for calls under way, but the name leads elsewhere now.
 * RULES   1. on_settled comes once, never inside names_new; not at all where all sources are
 *            addresses: names_are_settled tells then.
 *         2. From names_attach on the upstream's endpoints are those of all sources that are
 *            known, in their order; with none known its calls end with ERR_RESOLVE.
 *         3. A lookup follows the one before after its TTL, whether anybody calls or not.
 * OWNS    its copy of the sources. The resolver and the upstream are borrowed.
 * CONTEXT the loop's thread.
 */
#ifndef WEIR_HTTP_NAMES_H
#define WEIR_HTTP_NAMES_H

#include "base/json.h"
#include "http/upstream.h"
#include "io/dns.h"

struct names;

struct names_source {
	struct slice host; /* "api.example.com", "10.0.0.1", "unix:/run/x" */
	uint16_t port;
	struct slice authority; /* for Host: as upstream_cfg.names */
};

/* Host and port of a URL that addr_url_parse has taken. */
void names_source_of(const struct addr_url *url, struct names_source *out);
bool names_source_is_name(const struct names_source *s);

struct names_cfg {
	struct io_loop *loop;
	struct dns *dns; /* may be NULL where no source is a name */
	const struct names_source *sources;
	uint32_t count; /* 1 to UPSTREAM_ENDPOINTS_MAX */
	void (*on_settled)(void *ctx);
	void *ctx;
	/* Of each address found by a lookup: whether it may be used. NULL: all. */
	bool (*may)(void *may_ctx, const struct addr *a);
	void *may_ctx;
};

struct names *names_new(const struct names_cfg *cfg);
void names_free(struct names **n);
bool names_are_settled(const struct names *n);
/* From now on it tells the upstream; settled, CHECKed. */
void names_attach(struct names *n, struct upstream *up);
/* Calls told(ctx) each time after the upstream has been told anew. */
void names_watch(struct names *n, void (*told)(void *ctx), void *ctx);
/* Where the nth source leads; borrowed until it changes. */
uint32_t names_addrs(const struct names *n, uint32_t nth, const struct addr **addrs);
/* What the upstream is told, of all sources; UPSTREAM_ENDPOINTS_MAX at most. Borrowed too. */
uint32_t names_endpoints(const struct names *n, struct upstream_endpoint *list);
/* Another resolver, for lookups to come and those under way. */
void names_set_dns(struct names *n, struct dns *dns);

enum names_state { NAMES_ASKING, NAMES_FRESH, NAMES_STALE, NAMES_LOST, NAMES_BARRED };

/* What became of the nth source's last lookup. */
enum names_state names_state(const struct names *n, uint32_t nth);
/* The nameserver itself says that there is no such name, and nothing was found before. */
bool names_is_no_name(const struct names *n, uint32_t nth);
const char *names_why(const struct names *n, uint32_t nth); /* "": found */
/* NAMES_BARRED: the first of the addresses that may not be used. */
const struct addr *names_barred(const struct names *n, uint32_t nth);
/* Its addresses as the start-up line shows them: "10.0.0.1:80 10.0.0.2:80". */
void text_add_names(struct text *t, const struct names *n);
/* The value of "names": those sources that are names. */
void names_json(struct json *j, const char *key, const struct names *n);

#endif
