/* The admin endpoint's view of the proxy: docs/json/proxy.md. */
#include <unistd.h>

#include "proxy/proxy.h"

static void json_slots(struct json *j, const struct slots *s)
{
	json_object(j, "slots");
	json_int(j, "used", slots_used(s));
	for (int i = SLOT_FREE + 1; i < SLOT_STATES; i++)
		json_int(j, slot_state_label((enum slot_state)i), s->in[i].len);
	json_int(j, "peak", s->peak);
	json_end(j);
}

static void json_answers(struct json *j, const struct proxy *p)
{
	char key[16];
	json_object(j, "answers");
	for (int i = 0; i < PROXY_STATUS_MAX; i++) {
		if (!p->answers[i])
			continue;
		snprintf(key, sizeof(key), "%d", i);
		json_int(j, key, (int64_t)p->answers[i]);
	}
	json_end(j);
	json_object(j, "reasons");
	for (int i = 0; i < ERR_COUNT; i++)
		if (p->reasons[i])
			json_int(j, err_label((enum err)i), (int64_t)p->reasons[i]);
	json_end(j);
}

static void json_calls(struct json *j, const struct upstream_stats *s)
{
	json_object(j, "calls");
	json_int(j, "sent", (int64_t)s->sent);
	json_int(j, "answered", (int64_t)s->answered);
	json_int(j, "failed", (int64_t)s->failed);
	json_int(j, "abandoned", (int64_t)s->abandoned);
	json_int(j, "drained", (int64_t)s->drained);
	json_int(j, "refused", (int64_t)s->refused);
	json_int(j, "replayed", (int64_t)s->replayed);
	json_end(j);
	json_int(j, "connects", (int64_t)s->connects);
	json_int(j, "connects_failed", (int64_t)s->connects_failed);
	json_object(j, "closes");
	json_int(j, "peer", (int64_t)s->closed_by_peer);
	json_int(j, "reset", (int64_t)s->closed_reset);
	json_int(j, "idle", (int64_t)s->closed_idle);
	json_int(j, "done", (int64_t)s->closed_done);
	json_int(j, "error", (int64_t)s->closed_error);
	json_end(j);
}

static void proxy_status(void *ctx, struct json *j)
{
	struct proxy *p = ctx;
	const struct slots *slots = upstream_slots(p->upstream);
	const struct queue *queue = upstream_queue(p->upstream);
	const struct upstream_stats *stats = upstream_stats(p->upstream);
	json_cstr(j, "schema", "weir.proxy/1");
	json_int(j, "pid", getpid());
	json_ms(j, "uptime_ms", proxy_now(p) - p->started_at);
	if (slots->limit == SLOTS_NO_LIMIT)
		json_null(j, "limit");
	else
		json_int(j, "limit", slots->limit);
	json_cstr(j, "limit_unit",
		slots->unit == SLOT_UNIT_CONNECTION ? "connection" : "request");
	json_slots(j, slots);
	json_object(j, "queue");
	json_int(j, "waiting", (int64_t)queue->waiting);
	json_int(j, "peak", (int64_t)queue->peak);
	json_end(j);
	json_object(j, "sockets");
	json_int(j, "client", server_conn_count(p->server));
	json_int(j, "upstream", stats->sockets);
	json_end(j);
	json_object(j, "exchanges");
	json_int(j, "now", (int64_t)p->exchanges_now);
	json_int(j, "total", (int64_t)p->exchanges_total);
	json_end(j);
	json_answers(j, p);
	json_calls(j, stats);
	json_ms(j, "lag_max_ms", io_loop_lag_max(p->worker.loop));
	io_loop_lag_reset(p->worker.loop);
	words_json(j, "words", p->words, p->started_at);
}

const struct admin_ops proxy_admin_ops = { .status = proxy_status };
