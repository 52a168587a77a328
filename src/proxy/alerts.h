/*
 * alerts: looks at the ledgers of all hands, once each ALERTS_EVERY, and says when the server
 * says something new, or something far more often than before (flow/surge.h).
 *
 * RULES   1. What was told as new is not new again, though the ledger may have lost it, as
 *            long as it is among the ALERTS_KNOWN seen last.
 *         2. Requests are not slowed: each hand copies its ledger, in a turn of its own.
 * OWNS    the alert (admin/alert.h).
 * CONTEXT hand 0's thread.
 */
#ifndef WEIR_PROXY_ALERTS_H
#define WEIR_PROXY_ALERTS_H

#include "admin/alert.h"
#include "proxy/crew.h"

#define ALERTS_EVERY NS_S
#define ALERTS_KNOWN 256

struct alerts;

struct alerts *alerts_new(struct crew *c);
/* No more looks. A round may be under way: alerts_free when no letter is any more. */
void alerts_stop(struct alerts *a);
void alerts_free(struct alerts **a);
/* What `o` says of alerts; false and a problem. *made is NULL where there are to be none, or those
 * that are there stay (alerts_stay). */
MUST_USE bool alerts_open(struct alerts *a, const struct proxy_options *o,
	struct alert **made, struct problem *why);
bool alerts_stay(const struct alerts *a, const struct proxy_options *o);
/* Takes it; NULL: no alerts from now on. */
void alerts_use(struct alerts *a, struct alert *made);
void alerts_json(struct json *j, const char *key, const struct alerts *a);

#endif
