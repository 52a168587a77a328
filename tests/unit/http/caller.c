#include "caller.h"

#include "flow/refusal.h"
#include "tests/unit/base/unit.h"

struct upstream_cfg caller_upstream(uint32_t limit)
{
	return (struct upstream_cfg){ .limit = limit,
		.drain_share = 1,
		.queue_max = 100,
		.queue_for = 20 * NS_S,
		.connect_for = 2 * NS_S,
		.drain_for = 10 * NS_S,
		.ghost_for = 10 * NS_S,
		.settle_for = 20 * NS_MS,
		.idle_for = 30 * NS_S };
}

static struct job *job_of(struct call *c)
{
	return CONTAINER_OF(c, struct job, call);
}

void job_abandon(struct job *j)
{
	assert_false(j->abandoned);
	j->abandoned = true;
	call_abandon(&j->call, j->up);
}

/* Whether it went away in this callback. */
static bool note(struct job *j, enum job_event ev, const char *fmt, unsigned long long n)
{
	assert_false(j->abandoned);   /* upstream.h rule 5 */
	assert_int_equal(j->ends, 0); /* the same */
	if (j->log.len)
		text_add_char(&j->log, ' ');
	text_addf(&j->log, "%s", fmt);
	if (ev == ON_HEAD || ev == ON_DATA)
		text_addf(&j->log, ":%llu", n);
	if (j->abandon_on != ev || ev == ON_END)
		return false;
	job_abandon(j);
	return true;
}

static void job_send(struct job *j)
{
	while (j->sent < j->body.len) {
		struct slice rest = slice_cut(text_slice(&j->body), j->sent, 10000);
		size_t took = call_data(&j->call, rest);
		j->sent += took;
		if (took < rest.len)
			return;
	}
	call_end(&j->call);
}

static void on_ready(struct call *c)
{
	struct job *j = job_of(c);
	struct wire w;
	enum h1_body framing = H1_BODY_NONE;
	j->readies++;
	if (note(j, ON_READY, "ready", 0))
		return;
	if (j->body.len || j->chunked)
		framing = j->chunked ? H1_BODY_CHUNKED : H1_BODY_LENGTH;
	assert_true(call_begin(c, slice_of(j->method), slice_of(j->path), &w));
	h1_put_field(&w, SLICE("Host"), call_endpoint(c));
	if (j->pad.len)
		h1_put_field(&w, SLICE("Pad"), text_slice(&j->pad));
	if (!call_head_end(c, &w, framing, j->body.len)) {
		job_abandon(j);
		return;
	}
	j->sent = 0;
	job_send(j);
}

static void on_head(struct call *c, const struct h1_head *head)
{
	struct job *j = job_of(c);
	if (head->status < 200)
		j->interims++;
	else
		j->heads++;
	assert_true(j->heads <= 1);
	(void)note(j, ON_HEAD, "head", head->status);
}

static size_t on_data(struct call *c, struct slice data)
{
	struct job *j = job_of(c);
	size_t n = j->sip && data.len > j->sip ? j->sip : data.len;
	assert_int_equal(j->heads, 1);
	if (j->stuck)
		return 0;
	text_add_slice(&j->in, slice_cut(data, 0, n));
	(void)note(j, ON_DATA, "data", n);
	return n;
}

static void on_drain(struct call *c)
{
	struct job *j = job_of(c);
	if (!note(j, ON_DRAIN, "drain", 0))
		job_send(j);
}

static void on_flush(struct call *c)
{
	struct job *j = job_of(c);
	assert_true(j->heads + j->interims + j->readies > 0);
	if (j->abandon_on == ON_FLUSH)
		(void)note(j, ON_FLUSH, "flush", 0);
}

static void on_end(struct call *c, enum err why)
{
	struct job *j = job_of(c);
	bool told = j->retries && why == ERR_OK &&
		    refusal_match(c->status, text_slice(&j->in));
	if (told || j->refused)
		upstream_note_refusal(j->up);
	if (j->retries && (why != ERR_OK || c->status >= 500) &&
		call_again(c, j->up, why) == RETRY_GO) {
		text_addf(&j->log, "%sagain:%s", j->log.len ? " " : "", err_label(why));
		j->heads = 0;
		text_reset(&j->in);
		return;
	}
	j->verdict = c->verdict;
	j->attempts = call_attempts(c);
	j->queued_at = c->queued_at;
	j->sent_at = c->sent_at;
	(void)note(j, ON_END, "end:", 0);
	text_add(&j->log, err_label(why));
	j->ends++;
	j->why = why;
	if (j->abandons_other)
		job_abandon(j->abandons_other);
	memset(&j->call, 0xa5, sizeof(j->call)); /* the app's again: nobody looks there */
}

static const struct call_ops job_ops = {
	.on_ready = on_ready,
	.on_head = on_head,
	.on_data = on_data,
	.on_drain = on_drain,
	.on_flush = on_flush,
	.on_end = on_end,
};

void job_init(struct job *j, struct upstream *u, const char *method, const char *path)
{
	*j = (struct job){ .up = u, .method = method, .path = path, .why = ERR_AGAIN };
	text_init(&j->body);
	text_init(&j->pad);
	text_init(&j->log);
	text_init(&j->in);
}

void job_fini(struct job *j)
{
	text_fini(&j->body);
	text_fini(&j->pad);
	text_fini(&j->log);
	text_fini(&j->in);
}

static struct call *job_call(struct job *j)
{
	j->call = (struct call){ .ops = &job_ops,
		.method = h1_method_of(slice_of(j->method)),
		.replayable = !j->posts_bodies,
		.caller_key = j->caller,
		.priority = j->priority,
		.hedgeable = j->hedges,
		.raw = j->raw,
		.upgrade = j->upgrade };
	return &j->call;
}

enum err jobs_submit(struct job *jobs, uint32_t n, ns_t deadline)
{
	struct call *calls[UPSTREAM_GATHER_MAX] = { NULL };
	for (uint32_t i = 0; i < n; i++)
		calls[i] = job_call(&jobs[i]);
	enum err e = upstream_submit(jobs->up, calls, n, deadline);
	for (uint32_t i = 0; i < n; i++) /* never inside this call */
		assert_int_equal(jobs[i].log.len, 0);
	return e;
}

enum err job_submit(struct job *j, ns_t deadline)
{
	return jobs_submit(j, 1, deadline);
}
