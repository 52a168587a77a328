/*
 * alert: messages to a webhook, in the form of Slack's incoming ones: POST {"text": ...}.
 *
 * MODEL   One message at a time is on its way, the others wait in a queue. What fails in a way
 *         that may pass (no answer, 408, 429, 5xx) is tried again, ALERT_TRIES times in all,
 *         after a time that doubles, is jittered, and is never less than Retry-After says.
 *         A message may arrive twice, where an answer was lost.
 * RULES   1. Bounded: ALERT_QUEUE messages; one more is dropped. Beyond ALERT_BURST at once,
 *            and one each ALERT_EVERY, they are suppressed; the next one says how many were.
 *         2. Nobody waits for it; it has connections of its own, and TLS is verified.
 *         3. The URL's path and query are a secret: they are shown nowhere.
 * OWNS    a worker, an upstream, a resolver; the loop is borrowed.
 * CONTEXT the loop's thread.
 */
#ifndef WEIR_ADMIN_ALERT_H
#define WEIR_ADMIN_ALERT_H

#include "base/json.h"
#include "io/addr.h"
#include "io/loop.h"

#define ALERT_QUEUE 16
#define ALERT_TRIES 6
#define ALERT_BURST 5
#define ALERT_EVERY (10 * NS_S)
#define ALERT_ANSWER_FOR (10 * NS_S)
#define ALERT_WAIT_MAX (3600 * NS_S)

struct alert;

struct alert_cfg {
	const char *url;
	const char *ca_file; /* NULL: the system's roots */
	const char *dns;     /* NULL: the system's nameservers */
};

/* NULL and a problem: the URL, the file or the resolver is at fault. */
MUST_USE struct alert *alert_new(
	struct io_loop *loop, const struct alert_cfg *cfg, struct problem *p);
void alert_free(struct alert **a);
/* It was made with just this. */
bool alert_is(const struct alert *a, const struct alert_cfg *cfg);
void alert_send(struct alert *a, struct slice text);
/* {to, sent, failed, dropped, suppressed, waiting, last_error}; NULL: null. */
void alert_json(struct json *j, const char *key, const struct alert *a);

/* --- pure --- */
/* Where the URL leads, and what is asked for there: its path, / if it has none, and its query, which
 * is added to `target`. The rest points into `url`. */
MUST_USE bool alert_url_read(
	struct slice url, struct addr_url *to, struct text *target, struct problem *p);
/* How long to wait before the next try. `tries`: so many have failed, 1 or more; `unit`: a draw
 * of [0, 1); `asked`: Retry-After's, 0: none. */
ns_t alert_wait(uint32_t tries, double unit, ns_t asked);
/* Slack reads & < > as its own: written &amp; &lt; &gt;. */
void alert_escape(struct text *t, struct slice s);

#endif
