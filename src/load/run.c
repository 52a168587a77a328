#include "load/run.h"

#include "base/schedule.h"
#include "io/fds.h"
#include "io/signals.h"
#include "load/progress.h"

#define START_DELAY (5 * NS_MS) /* so that the first starts are not late already */
#define STARTS_A_TURN 512       /* of a burst; then answers get their turn too */
#define WAITING_MAX 1000000     /* requests that wait for a connection of --pool */
#define BODY_BLOCK 16384
#define SOCKETS_MAX 1000000
#define SOCKETS_SPARE 65536 /* closed in a turn, freed at its end */

struct runner {
	struct io_loop *loop;
	struct worker worker;
	struct upstream *upstream;
	const struct load_plan *plan;
	struct schedule schedule;
	struct tally *tally;
	struct calllog *log;
	struct progress progress;
	struct io_signals signals;
	struct slab requests, texts;
	struct list open;
	struct timer next_start; /* then: the end of the wait for answers */
	ns_t start, ended;       /* ended: no more starts; NS_NEVER: not yet */
	bool interrupted;
	char body[BODY_BLOCK];
};

struct request {
	struct call call;
	struct runner *run;
	struct list_node node;
	struct timer timeout;
	struct tally_times times;
	uint64_t body_left;
	char *text; /* of an error answer, once some of it came */
	size_t text_len;
};

/* --- the end of a request, and of the run --- */

static void stop_when_done(struct runner *r)
{
	if (r->ended != NS_NEVER && r->open.len == 0)
		io_loop_stop(r->loop);
}

static struct slice request_text(const struct request *q)
{
	return (struct slice){ q->text, q->text_len };
}

static void request_free(struct request *q)
{
	struct runner *r = q->run;

	io_timer_stop(r->loop, &q->timeout);
	list_remove(&r->open, &q->node);
	if (q->text)
		slab_give(&r->texts, q->text);
	slab_give(&r->requests, q);
}

static void request_done(struct request *q, enum err why)
{
	struct runner *r = q->run;
	ns_t now = io_now(r->loop);
	struct slice text = request_text(q);

	if (!text.len && why != ERR_OK)
		text = q->call.detail;
	enum tally_end how = TALLY_FAILED;
	if (why == ERR_OK)
		how = tally_answer(r->tally, &q->times, q->call.status, text, now);
	else
		tally_failure(r->tally, &q->times, why, q->call.status, text, now);
	calllog_add(r->log, &q->times, now, how, q->call.status, why);
	request_free(q);
	CHECK(r->tally->open == r->open.len);
	stop_when_done(r);
}

static void on_timeout(struct timer *t)
{
	struct request *q = CONTAINER_OF(t, struct request, timeout);
	call_abandon(&q->call, q->run->upstream);
	request_done(q, ERR_DEADLINE);
}

/* --- what the engine tells --- */

static struct request *request_of(struct call *c)
{
	return CONTAINER_OF(c, struct request, call);
}

/* Goes on with the body; the rest waits for on_drain. */
static void send_body(struct request *q)
{
	while (q->body_left) {
		size_t len = q->body_left < BODY_BLOCK ? (size_t)q->body_left
						       : BODY_BLOCK;
		struct slice block = { q->run->body, len };
		size_t taken = call_data(&q->call, block);
		q->body_left -= taken;
		if (taken < len)
			return;
	}
	call_end(&q->call);
}

static void on_ready(struct call *c)
{
	struct request *q = request_of(c);
	const struct load_plan *plan = q->run->plan;
	struct wire w;

	/* plan_check made sure that the head fits, so only a buffer can be missing. */
	if (!call_begin(c, plan->method, text_slice(&plan->target), &w)) {
		call_abandon(c, q->run->upstream);
		request_done(q, ERR_NO_MEMORY);
		return;
	}
	q->times.sent = io_clock(q->run->loop);
	wire_put_slice(&w, text_slice(&plan->fields));
	CHECK(call_head_end(c, &w, plan->framing, plan->body_bytes));
	q->body_left = plan->body_bytes;
	send_body(q);
}

static void on_drain(struct call *c)
{
	send_body(request_of(c));
}

static void on_head(struct call *c, const struct h1_head *head)
{
	(void)c;
	(void)head; /* the final status is in the call */
}

static size_t on_data(struct call *c, struct slice data)
{
	struct request *q = request_of(c);

	if (c->status < 400)
		return data.len;
	if (!q->text)
		q->text = slab_take(&q->run->texts);
	struct slice kept = slice_cut(data, 0, WORDS_TEXT_BYTES - q->text_len);
	if (kept.len)
		memcpy(q->text + q->text_len, kept.ptr, kept.len);
	q->text_len += kept.len;
	return data.len;
}

static void on_end(struct call *c, enum err why)
{
	request_done(request_of(c), why);
}

static const struct call_ops call_ops = {
	.on_ready = on_ready,
	.on_head = on_head,
	.on_data = on_data,
	.on_drain = on_drain,
	.on_end = on_end,
};

/* --- starting requests --- */

static void start_request(struct runner *r, ns_t intended, ns_t now)
{
	struct request *q = slab_take(&r->requests);
	struct call *call = &q->call;

	q->run = r;
	q->times = (struct tally_times){ intended, now, NS_NEVER };
	q->timeout.on_fire = on_timeout;
	call->ops = &call_ops;
	call->method = r->plan->method_id;
	call->replayable = h1_is_idempotent(r->plan->method_id);
	list_push_back(&r->open, &q->node);
	tally_start(r->tally, &q->times);
	io_timer_set(r->loop, &q->timeout, ns_add(intended, r->plan->opts->timeout));
	enum err e = upstream_submit(r->upstream, &call, 1, NS_NEVER);
	if (e != ERR_OK)
		request_done(q, e);
}

static void end_starts(struct runner *r)
{
	r->ended = io_now(r->loop);
	progress_waiting(&r->progress, r->ended);
	io_timer_set(r->loop, &r->next_start, ns_add(r->ended, r->plan->opts->wait_for));
	stop_when_done(r);
}

/* What is due is started now, all of it, with the time read anew for each. */
static void start_due(struct runner *r)
{
	ns_t intended, now;

	for (uint32_t n = 0;; n++) {
		if (schedule_peek(&r->schedule) == NS_NEVER) {
			end_starts(r);
			return;
		}
		intended = r->start + schedule_peek(&r->schedule);
		now = io_clock(r->loop);
		if (intended > now || n == STARTS_A_TURN)
			break;
		schedule_take(&r->schedule);
		start_request(r, intended, now);
	}
	io_timer_set(r->loop, &r->next_start, intended);
}

static void on_next_start(struct timer *t)
{
	struct runner *r = CONTAINER_OF(t, struct runner, next_start);
	if (r->ended == NS_NEVER)
		start_due(r);
	else
		io_loop_stop(r->loop); /* waited long enough */
}

/* --- life --- */

static void upstream_begin(
	struct runner *r, const struct load_plan *plan, struct tls_client *tls)
{
	struct upstream_cfg cfg = {
		.tls = tls,
		.endpoint_count = plan->endpoint_count,
		.limit = plan->pool,
		.unit = SLOT_UNIT_CONNECTION,
		.drain_share = 1,
		.queue_max = WAITING_MAX,
		.queue_for = NS_NEVER,
		.connections = plan->connections,
		.abandon = ABANDON_CLOSE,
		/* Who gives up while connecting gives up the socket too. */
		.connect_for = plan->opts->timeout,
		.drain_for = NS_NEVER,
		.idle_for = plan->idle_for,
		.idle_max = plan->idle,
		.idle_fin = true,
		.trusting = true, /* as the clients do that it is like */
		.reads_bodies = true,
	};
	memcpy(cfg.endpoints, plan->endpoints, sizeof(cfg.endpoints));
	for (uint32_t i = 0; i < plan->endpoint_count; i++)
		cfg.names[i] = plan->to.authority;
	r->upstream = upstream_new(&r->worker, &cfg);
}

static int64_t wall_ms(void)
{
	struct timespec t;
	CHECK(clock_gettime(CLOCK_REALTIME, &t) == 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / NS_MS;
}

static struct runner *runner_new(
	const struct load_plan *plan, uint32_t sockets, struct tls_client *tls)
{
	const struct load_options *o = plan->opts;
	struct runner *r = mem_zalloc(sizeof(*r));

	r->plan = plan;
	r->loop = io_loop_new(&(struct io_loop_cfg){ .precise = true });
	/* Descriptors run out first: that is told as an error, where a slab makes calls wait. */
	worker_init(&r->worker, r->loop,
		&(struct worker_cfg){ .servers = sockets + SOCKETS_SPARE });
	upstream_begin(r, plan, tls);
	slab_init(&r->requests, sizeof(struct request), 0);
	slab_init(&r->texts, WORDS_TEXT_BYTES, 0);
	list_init(&r->open);
	memset(r->body, 'x', sizeof(r->body));
	if (plan->recorded.count)
		schedule_init_recorded(
			&r->schedule, plan->recorded.starts, plan->recorded.count);
	else
		schedule_init_paced(&r->schedule, (enum schedule_kind)o->arrivals,
			&plan->pace, o->seed, o->run_for);
	r->ended = NS_NEVER;
	r->next_start.on_fire = on_next_start;
	return r;
}

static void on_signal(struct io_signals *s, int signum)
{
	struct runner *r = CONTAINER_OF(s, struct runner, signals);
	(void)signum;
	r->interrupted = true;
	io_loop_stop(r->loop);
}

/* Descriptors for the connections asked for; without a bound, for as many as may be. */
static bool raise_fds(const struct load_plan *plan, uint32_t *sockets, struct problem *p)
{
	uint64_t n = fds_fit();

	if (n > SOCKETS_MAX)
		n = SOCKETS_MAX;
	if (plan->pool != SLOTS_NO_LIMIT)
		n = plan->pool;
	*sockets = (uint32_t)n;
	return fds_ensure(n, "connections of --pool", p);
}

static bool make_tls(
	const struct load_plan *plan, struct tls_client **tls, struct problem *p)
{
	const struct tls_client_cfg cfg = { .ca_file = plan->opts->ca,
		.insecure = plan->opts->insecure,
		.handshake_for = plan->opts->timeout };
	struct problem why = { "" };

	if (!plan->to.tls)
		return true;
	*tls = tls_client_new(&cfg, &why);
	return *tls || problem_set(p, "--ca %s", why.text);
}

static void runner_free(struct runner **rp)
{
	struct runner *r = *rp;

	io_timer_stop(r->loop, &r->next_start);
	upstream_free(&r->upstream);
	slab_fini(&r->texts);
	slab_fini(&r->requests);
	worker_fini(&r->worker);
	io_loop_free(&r->loop);
	mem_free(r);
	*rp = NULL;
}

/* What is open at the end stays unanswered: the tally hears nothing of it any more. */
static void leave_open(struct runner *r)
{
	struct list_node *n;

	CHECK(r->tally->open == r->open.len);
	while ((n = list_front(&r->open))) {
		struct request *q = CONTAINER_OF(n, struct request, node);
		call_abandon(&q->call, r->upstream);
		calllog_add(r->log, &q->times, NS_NEVER, TALLY_UNANSWERED, 0, ERR_OK);
		request_free(q);
	}
}

/*
 * Every connection that opened is open, or was closed by the server, or by a reset, or by us. The
 * engine's other counters say why it was closed, and more than one may apply.
 */
static void fill_connections(struct load_result *result, const struct upstream *u)
{
	const struct upstream_stats *s = upstream_stats(u);
	uint32_t connecting = upstream_slots(u)->in[SLOT_CONNECTING].len;

	result->opened = s->connects;
	result->reused = s->reused;
	result->replayed = s->replayed;
	result->closed_by_peer = s->closed_by_peer;
	result->reset = s->closed_reset;
	result->open = s->sockets > connecting ? s->sockets - connecting : 0;
	uint64_t others = result->closed_by_peer + result->reset + result->open;
	result->closed_by_us = result->opened > others ? result->opened - others : 0;
	upstream_bytes(u, &result->received_bytes, &result->sent_bytes);
	const struct tls_counts *tls = upstream_tls_counts(u);
	if (!tls)
		return;
	result->handshakes = tls->handshakes;
	result->resumed = tls->resumed;
	result->unshaken = tls->failed;
}

static void fill_result(struct load_result *result, struct runner *r)
{
	result->asked = plan_asked(r->plan);
	result->tally = r->tally;
	result->interrupted = r->interrupted;
	result->ran_for = plan_run_for(r->plan);
	if (r->interrupted && r->ended == NS_NEVER)
		result->ran_for = ns_min(
			result->ran_for, ns_max(io_now(r->loop) - r->start, 0));
	result->overlap = result->ran_for;
	fill_connections(result, r->upstream);
}

bool run_load(const struct load_plan *plan, struct load_result *result,
	struct tally **tally, struct calllog *log, struct problem *p)
{
	const struct load_options *o = plan->opts;
	struct tls_client *tls = NULL;
	uint32_t sockets;

	if (!raise_fds(plan, &sockets, p) || !make_tls(plan, &tls, p))
		return false;
	struct runner *r = runner_new(plan, sockets, tls);
	tls_client_unref(&tls); /* the upstream's now */
	r->start = io_clock(r->loop) + START_DELAY;
	result->started_at_ms = wall_ms() + START_DELAY / NS_MS;
	r->tally = *tally = tally_new(
		r->start, &(struct tally_cfg){ o->patience, plan->interval, o->warm_up });
	r->log = log;
	log->start = r->start;
	r->signals.on_signal = on_signal;
	io_signals_watch(r->loop, &r->signals);
	progress_start(&r->progress, r->loop, plan, r->tally, r->upstream);
	io_timer_set(r->loop, &r->next_start, r->start);
	io_loop_run(r->loop);
	io_signals_unwatch(&r->signals);
	progress_stop(&r->progress);
	fill_result(result, r);
	leave_open(r);
	tally_finish(r->tally, result->ran_for);
	runner_free(&r);
	return true;
}
