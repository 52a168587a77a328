/* source: our own addresses that connections to an upstream come from (--source), and the local
 * ports there are (http/ports.h). */
#ifndef WEIR_PROXY_SOURCE_H
#define WEIR_PROXY_SOURCE_H

#include "base/opts.h"
#include "http/ports.h"
#include "http/upstream.h"

/* "10.0.0.5", "fd00::5"; several with commas. False: what is wrong with the nth text. */
MUST_USE bool sources_read(const struct opt_texts *texts, struct upstream_cfg *u,
	uint32_t *nth, struct problem *p);
/* They are addresses of this host. */
MUST_USE bool sources_check(const struct upstream_cfg *u, struct problem *p);

/* The ledger of this network namespace; it says on stderr when half of the ports are taken. */
struct ports *ports_of_host(void);
struct diag_ports;
/* For how long closed ones linger on a host whose kernel reuses them so. */
void ports_linger_as(struct ports_cfg *cfg, const struct diag_ports *host);
struct json;
void ports_json(struct json *j, const char *key, struct ports *p, ns_t now);

#endif
