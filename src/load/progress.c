#include "load/progress.h"

#include <unistd.h>

#define START_OF_LINE "\r"
#define CLEAR_REST "\x1b[K"

static void add_where(struct text *t, const struct progress *p, ns_t now)
{
	const struct load_options *o = p->plan->opts;
	ns_t ran = ns_max(now - p->tally->start, 0);

	if (p->waiting_since == NS_NEVER) {
		text_addf(t, "%lld s of ", (long long)(ran / NS_S));
		text_add_duration(t, plan_run_for(p->plan));
		return;
	}
	text_add(t, "waiting for ");
	text_add_count(t, p->tally->open);
	text_add(t, " answers");
	if (o->wait_for == NS_NEVER)
		return;
	text_addf(t, ", at most %lld s more",
		(long long)((p->waiting_since + o->wait_for - now) / NS_S));
}

static void add_figure(struct text *t, uint64_t n, const char *what)
{
	if (!n)
		return;
	text_add(t, ", ");
	text_add_count(t, n);
	text_addf(t, " %s", what);
}

/* Without the terminal's own bytes. */
static void put_line(struct text *t, const struct progress *p, ns_t now)
{
	const struct tally *a = p->tally;

	add_where(t, p, now);
	text_add(t, ": ");
	text_add_count(t, a->started);
	text_add(t, " started");
	add_figure(t, a->good, "good");
	add_figure(t, a->late, "late");
	add_figure(t, a->failed, "failed");
	add_figure(t, a->open, "open");
	if (hist_count(a->latency)) {
		text_add(t, "; p50 ");
		text_add_duration(t, hist_quantile(a->latency, 0.5));
		text_add(t, ", p99 ");
		text_add_duration(t, hist_quantile(a->latency, 0.99));
	}
	text_addf(t, "; %u sockets", upstream_stats(p->upstream)->sockets);
}

static void show(const struct progress *p)
{
	struct text t;

	text_init(&t);
	text_add(&t, START_OF_LINE);
	put_line(&t, p, io_now(p->loop));
	text_add(&t, CLEAR_REST);
	fputs(t.ptr, stderr);
	text_fini(&t);
}

static void on_second(struct timer *timer)
{
	struct progress *p = CONTAINER_OF(timer, struct progress, timer);

	show(p);
	io_timer_set(p->loop, &p->timer, timer->at + NS_S);
}

void progress_start(struct progress *p, struct io_loop *loop,
	const struct load_plan *plan, const struct tally *tally,
	const struct upstream *upstream)
{
	*p = (struct progress){ .loop = loop, .plan = plan, .tally = tally };
	p->upstream = upstream;
	p->waiting_since = NS_NEVER;
	p->timer.on_fire = on_second;
	if (!plan->opts->quiet && isatty(STDERR_FILENO))
		io_timer_set(loop, &p->timer, tally->start + NS_S);
}

void progress_waiting(struct progress *p, ns_t now)
{
	p->waiting_since = now;
}

void progress_stop(struct progress *p)
{
	if (!timer_is_set(&p->timer))
		return;
	io_timer_stop(p->loop, &p->timer);
	fputs(START_OF_LINE CLEAR_REST, stderr);
}
