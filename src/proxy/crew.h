/*
 * crew: the proxies of one process, one a thread.
 *
 * MODEL   A hand is a thread with a loop, a mailbox and a proxy of its own: server, plan,
 *         upstreams with their connections. Hand 0 is the main thread's. It serves as the
 *         others do, and beside that has what is there once: signals, the admin, lookups of
 *         names, the file of the configuration.
 *         Every hand listens at every place: TCP by SO_REUSEPORT, where the kernel says who
 *         gets a connection; unix: by one queue, where who comes first has it. There it stays.
 * RULES   1. A hand's proxy is touched by its thread alone, but before that begins and after it
 *            has ended. Between threads go letters (io/mail.h); in common they have limits
 *            and bounds (flow/share.h, base/quota.h), certificates (conn/tls.h), the access
 *            log, and configs, which do not change.
 *         2. A reload is prepared whole in hand 0, the only place where it can fail; then every
 *            hand goes over to its copy of the plan. It is said when all have.
 *         3. What waits in the queue of a listener that goes is accepted before it goes.
 *         4. The run ends when every hand is drained: no client anywhere.
 * OWNS    the crew owns its hands, the admin, the access log, and a reload under way.
 * CONTEXT hand 0's thread.
 */
#ifndef WEIR_PROXY_CREW_H
#define WEIR_PROXY_CREW_H

#include <pthread.h>

#include "admin/admin.h"
#include "proxy/proxy.h"
#include "proxy/report.h"

struct alerts;
struct crew;

struct hand {
	struct crew *crew;
	uint32_t nth;
	struct io_loop *loop;
	struct io_mailbox *mail;
	struct proxy proxy;
	pthread_t thread;  /* not of hand 0 */
	struct timer stay; /* keeps its loop running with nothing to do */
	struct io_letter drain, drained, stop;
	bool is_drained; /* and has said so */
	/* For the admin: */
	struct io_letter ask;
	struct report *report;
};

struct crew {
	const struct proxy_options *given; /* command line and environment */
	struct hand *hands;
	uint32_t count;
	struct shares *shares; /* NULL: one hand, nothing is shared */
	struct quota clients, servers;
	struct ports *ports;
	struct plan *next; /* a reload's, while its names are looked up */
	uint64_t reloads, reloads_failed;
	struct admin *admin;   /* NULL: none */
	struct accesslog *log; /* NULL: there never was one */
	struct alerts *alerts;
	uint32_t drained;     /* hands */
	uint32_t reports_due; /* being filled in by other hands */
	bool ask_again;       /* somebody asked meanwhile */
	uint64_t inquiries;   /* so many explanations were asked for */
};

/* Loops and mailboxes; no thread begins. `threads`: 1 to PROXY_THREADS_MAX. */
struct crew *crew_new(const struct proxy_options *given, uint32_t threads);
void crew_free(struct crew **c);
/* Takes the plan, whose names are found: each hand has its proxy. Nothing listens yet. */
void crew_equip(struct crew *c, struct plan *plan, uint32_t servers);
/* Until crew_stop, or all is drained. The other threads have ended when it returns. */
void crew_run(struct crew *c);
void crew_stop(struct crew *c);
/* Nobody new comes in; a reload under way is forgotten. */
void crew_drain(struct crew *c);

/* --- reload.c --- */
/* Listens where the plan says and at the admin's address, and opens its access log. False:
 * nothing has changed. Before the other threads begin. */
MUST_USE bool crew_open(struct crew *c, const struct plan *plan, struct problem *why);
/* Reads the configuration anew and goes on with it, all or nothing; says on stderr which, when
 * all hands have, and the names that are new to it have been looked up. */
void crew_reload(struct crew *c);
void crew_forget_reload(struct crew *c);
/* "2 upstreams, 3 routes" */
void text_add_config(struct text *t, const struct config *c);

/* --- status.c --- */
extern const struct admin_ops crew_admin_ops; /* ctx: struct crew */
/* All hands together, when their threads have ended. */
struct report *crew_sum(struct crew *c);

/* --- summary.c --- */
/* For people; lines are less than 80 columns wide but for words and names of others. */
void summary_write(struct text *t, struct crew *c, const struct report *r);

/* --- metrics.c --- */
/* For Prometheus. */
void metrics_write(struct text *t, const struct crew *c, const struct report *r);

/* --- inquiry.c --- */
/* admin_ops.explain's. */
uint64_t crew_explain(void *crew, struct slice id);

static inline struct hand *crew_main(struct crew *c)
{
	return &c->hands[0];
}

#endif
