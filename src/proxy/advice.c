/* What explain says in words: what decided, and what a person can change about it. */
#include "base/units.h"
#include "proxy/explain.h"

struct advice {
	enum err why;
	const char *text;
};

static const struct advice advices[] = {
	{ ERR_DEADLINE,
		"raise timeout if callers can wait longer; else find out what the server is "
		"slow at" },
	{ ERR_QUEUE_FULL,
		"send less, raise limit if the server can take more, or let more wait "
		"(queue)" },
	{ ERR_QUEUE_TIMEOUT,
		"send less, raise limit if the server can take more, or let calls wait "
		"longer (queue-for)" },
	{ ERR_LATE,
		"send less, raise limit if the server can take more, or give calls more time "
		"(timeout)" },
	{ ERR_FUTILE,
		"find out what the server is slow at, or give calls more time (timeout): "
		"weir keeps trying" },
	{ ERR_PAUSED,
		"send less: the server says it is asked too often; or give requests more time "
		"(timeout), or believe it for less (pause-max)" },
	{ ERR_SHED,
		"send less, or raise limit if the server can take more; if abandoned calls "
		"hold the slots, see drain-share" },
	{ ERR_REFUSED, "start the server, or correct its address (upstream)" },
	{ ERR_UNREACHABLE, "check the address (upstream) and the network on the way" },
	{ ERR_CONNECT_TIMEOUT,
		"check the network and the server's backlog; raise connect-timeout if it is "
		"far away" },
	{ ERR_RESOLVE, "correct the name (upstream), or the nameserver (dns)" },
	{ ERR_RESET, "the server cut the connection: look for the reason in its log" },
	{ ERR_PIPE, "the server cut the connection: look for the reason in its log" },
	{ ERR_EOF,
		"the server closed without an answer: look for the reason in its log" },
	{ ERR_FIRST_BYTE,
		"raise first-byte-timeout if the server may take longer to begin its answer" },
	{ ERR_IDLE,
		"raise idle-timeout if the server may pause longer within an answer" },
	{ ERR_TLS_HANDSHAKE,
		"check that the server speaks TLS 1.2 or 1.3 at this address" },
	{ ERR_TLS_VERIFY,
		"have the server's certificate renewed, or name who signed it (upstream-ca)" },
	{ ERR_TLS_TIMEOUT, "raise tls-timeout if the server is far away or busy" },
	{ ERR_NO_PORTS,
		"keep connections (connections: pool, a longer idle-for; odd-bodies: any, if "
		"GETs have bodies that the server reads): each that is closed takes a port for "
		"60 s; or connect from several addresses (source)" },
	{ ERR_NO_FDS, "raise the process's limit of open files (ulimit -n)" },
	{ ERR_NO_MEMORY, "lower clients or limit, or give the host more memory" },
	{ ERR_ACCESS,
		"let the process connect there (permissions of the socket, firewall)" },
	{ ERR_RES_HEAD_LARGE, "have the server send a smaller head" },
	{ ERR_RES_TRUNCATED, "the server broke off its answer: look into its log" },
	{ ERR_GATHER, "see the parts of the answer: what is missing says why" },
	{ ERR_PART_STATUS,
		"see the parts of the answer: which one failed, and look into its server's "
		"log; or make it optional" },
	{ ERR_PART_LARGE, "ask for less: a part may have 1 MiB, all together 4 MiB" },
	{ ERR_GATHER_FULL, "ask again when fewer gathered answers are under way" },
	{ ERR_NO_ROUTE, "ask for another path, or add a route for this one" },
	{ ERR_LOOP, "let the upstream lead elsewhere: it comes back here" },
	{ ERR_EGRESS_CLIENT, "allow this client (forward-clients)" },
	{ ERR_EGRESS_DENIED, "ask for another host, or change forward-deny" },
	{ ERR_EGRESS_UNLISTED, "allow the host (forward-allow)" },
	{ ERR_EGRESS_PORT, "allow the port (forward-allow HOST:PORT)" },
	{ ERR_EGRESS_ADDRESS,
		"allow the host with its network (forward-allow HOST@NETWORK)" },
	{ ERR_EGRESS_OWN, "ask for another host: this one is weir itself" },
	{ ERR_EGRESS_FULL, "ask again when fewer hosts are in use" },
	{ ERR_STOPPING, "ask again: another process will answer" },
	{ ERR_REQ_TIMEOUT,
		"send the request faster, or raise client-head-for or client-body-for" },
	{ ERR_REQ_PATH,
		"write the path as it is meant: no dot segments, no // and no escapes where "
		"none are needed" },
	{ ERR_REQ_PIECES, "send the path and query that the route's parts are made of" },
	{ ERR_REQ_BODY_LARGE,
		"send less: gathered calls take 64 KiB of a body, for it is held whole and "
		"sent to each" },
	{ ERR_REQ_TARGET_LONG, "put less into the path and query, and more into a body" },
	{ ERR_REQ_HEAD_LARGE, "send fewer fields, or shorter ones (cookies, tokens)" },
	{ ERR_REQ_DEADLINE, "write Weir-Timeout with a unit: 800ms" },
};

/* Where the limit is found out: nobody can raise it. */
static const struct advice found_out_advices[] = {
	{ ERR_QUEUE_FULL, "send less, or let more wait (queue)" },
	{ ERR_QUEUE_TIMEOUT, "send less, or let calls wait longer (queue-for)" },
	{ ERR_LATE, "send less, or give calls more time (timeout, queue-for)" },
	{ ERR_SHED, "send less; if abandoned calls hold the slots, see drain-share" },
};

/* Where nothing is let through: nothing that callers or weir's bounds are would help. */
static const enum err shut_reasons[] = { ERR_QUEUE_FULL, ERR_QUEUE_TIMEOUT, ERR_LATE,
	ERR_FUTILE, ERR_SHED };
static const char shut_advice[] =
	"look at the server: it refuses every call, and the admin shows its words; weir "
	"tries it five times a second and goes on as soon as it takes one";

static bool is_shut_reason(enum err why)
{
	for (size_t i = 0; i < ARRAY_LEN(shut_reasons); i++)
		if (shut_reasons[i] == why)
			return true;
	return false;
}

static const char *find(const struct advice *from, size_t n, enum err why)
{
	for (size_t i = 0; i < n; i++)
		if (from[i].why == why)
			return from[i].text;
	return NULL;
}

const char *explain_advice(enum err why, enum explain_limit limit)
{
	const char *text = NULL;
	if (limit == EXPLAIN_SHUT && is_shut_reason(why))
		return shut_advice;
	if (limit != EXPLAIN_GIVEN)
		text = find(found_out_advices, ARRAY_LEN(found_out_advices), why);
	if (!text)
		text = find(advices, ARRAY_LEN(advices), why);
	if (text)
		return text;
	switch (err_fault(why)) {
	case FAULT_CLIENT:
		return "correct the request";
	case FAULT_UPSTREAM:
		return "have the server's answer corrected: words in the admin's JSON show "
		       "what came";
	case FAULT_LOCAL:
		return "look at the host weir runs on";
	case FAULT_POLICY:
		return "see the limits of this route in the admin's JSON";
	case FAULT_NOBODY:
		break;
	}
	return "nothing has to be changed";
}

/* --- why, in one sentence --- */

static enum explain_limit limit_of(const struct explain_record *r)
{
	return explain_limit(r->limit_because != NULL, r->limit);
}

static void add_limit(struct text *t, const struct explain_record *r)
{
	if (r->limit == SLOTS_NO_LIMIT) {
		text_add(t, "there is no limit");
		return;
	}
	if (limit_of(r) == EXPLAIN_SHUT) {
		text_addf(t, "%s (for ", r->limit_because);
		text_add_duration(t, r->limit_for);
		text_add(t, ")");
		return;
	}
	text_addf(t, "%u of %s%u %ss were in use", r->used,
		r->limit_because ? "a found-out limit of " : "", r->limit,
		r->unit == SLOT_UNIT_CONNECTION ? "connection" : "request");
	if (!r->limit_because)
		return;
	text_addf(t, " (%s, for ", r->limit_because);
	text_add_duration(t, r->limit_for);
	text_add(t, ")");
}

static void add_span(struct text *t, ns_t span)
{
	if (span == NS_NEVER)
		text_add(t, "no bound");
	else
		text_add_duration(t, span);
}

/* Where most of its time went. */
static void add_longest(struct text *t, const struct explain_record *r)
{
	const struct explain_spans *s = &r->spans;
	const struct {
		ns_t span;
		const char *text;
	} parts[] = { { s->queue, "waiting for a slot" }, { s->connect, "connecting" },
		{ s->tls, "in the TLS handshake" },
		{ s->first_byte, s->body == NS_NEVER
					 ? "waiting for an answer"
					 : "until the server began its answer" },
		{ s->body, "in the answer's body" } };
	size_t most = 0;
	for (size_t i = 1; i < ARRAY_LEN(parts); i++)
		if (parts[i].span != NS_NEVER &&
			(parts[most].span == NS_NEVER ||
				parts[i].span > parts[most].span))
			most = i;
	if (parts[most].span == NS_NEVER || parts[most].span == 0)
		return;
	text_add(t, r->past ? "; of its last attempt " : "; of its time ");
	add_span(t, parts[most].span);
	text_addf(t, " passed %s", parts[most].text);
}

/* Over a bound of its upstream's. */
static bool is_of_time(const struct explain_record *r)
{
	return r->bound > 0 && r->bound != NS_NEVER;
}

static void add_parts(struct text *t, const struct explain_record *r)
{
	if (r->parts_missing)
		text_addf(t, "of %u parts %u may be missing, and %s", r->parts,
			r->parts_missing, r->parts_missing == 1 ? "is" : "are");
	else
		text_addf(t, "all %u parts are there", r->parts);
	if (r->part[0])
		text_addf(t, "; the last was %s", r->part);
}

void explain_why(struct text *t, const struct explain_record *r)
{
	if (r->ours && r->part[0])
		text_addf(t, "part %s: ", r->part);
	if (r->why != ERR_OK)
		text_add(t, err_text(r->why));
	else if (r->ours)
		text_add(t,
			"Max-Forwards is 0: who gets that answers, and passes it to nobody");
	else if (r->parts)
		add_parts(t, r);
	else
		text_addf(t, "the upstream answered %u", r->status);
	if (r->why == ERR_DEADLINE) {
		text_add(t, " of ");
		add_span(t, r->timeout);
	} else if (r->why == ERR_QUEUE_FULL) {
		text_addf(t, ": %llu may wait, and ", (unsigned long long)r->queue_max);
		add_limit(t, r);
	} else if (r->why == ERR_QUEUE_TIMEOUT) {
		text_add(t, " (");
		add_span(t, r->queue_for);
		text_add(t, "): ");
		add_limit(t, r);
	} else if (r->why == ERR_PAUSED && r->paused_for) {
		text_add(t, ": ");
		if (r->plea.by != RETRY_AFTER_NONE) {
			text_add(t, "it answered ");
			brake_plea_text(t, &r->plea);
			text_add(t, ", ");
		}
		add_span(t, r->paused_for);
		text_add(t, " of waiting was left");
	} else if (r->why == ERR_FUTILE) {
		text_add(t, " (");
		add_span(t, r->timeout);
		text_add(t, "): ");
		add_limit(t, r);
	} else if (r->why == ERR_SHED) {
		text_addf(t, " (drain-share %g%%): ", r->drain_share * 100);
		add_limit(t, r);
	} else if (is_of_time(r)) {
		text_add(t, ": ");
		add_span(t, r->bound);
	} else if (r->why == ERR_LATE) {
		text_add(t, ": ");
		add_limit(t, r);
	}
	if (r->past)
		text_addf(t, "; it had been sent %u time%s before", r->past,
			r->past == 1 ? "" : "s");
	if (r->verdict != RETRY_GO && r->verdict != RETRY_POINTLESS)
		text_addf(t, "; it was not sent again: %s", retry_text(r->verdict));
	if (r->has_call)
		add_longest(t, r);
}

/* --- as JSON --- */

static void text_json(struct json *j, const char *key, const char *text)
{
	json_cstr(j, key, text[0] ? text : NULL);
}

static void spans_json(struct json *j, const struct explain_record *r)
{
	const struct explain_spans none = { NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER,
		NS_NEVER };
	const struct explain_spans *s = r->has_call ? &r->spans : &none;
	json_object(j, "spent");
	json_ms(j, "total_ms", r->ended_at - r->begun_at);
	json_ms(j, "queue_ms", s->queue);
	json_ms(j, "connect_ms", s->connect);
	json_ms(j, "tls_ms", s->tls);
	json_ms(j, "first_byte_ms", s->first_byte);
	json_ms(j, "body_ms", s->body);
	json_end(j);
}

static void limits_json(struct json *j, const struct explain_record *r)
{
	json_object(j, "limits");
	json_ms(j, "timeout_ms", r->timeout);
	if (r->limit == SLOTS_NO_LIMIT)
		json_null(j, "limit");
	else
		json_int(j, "limit", r->limit);
	json_cstr(j, "limit_from", r->limit_because ? "auto" : "configuration");
	json_cstr(j, "limit_because", r->limit_because);
	json_ms(j, "limit_for_ms", r->limit_because ? r->limit_for : NS_NEVER);
	json_int(j, "used", r->used);
	json_int(j, "waiting", (int64_t)r->waiting);
	json_int(j, "queue", (int64_t)r->queue_max);
	json_ms(j, "queue_for_ms", r->queue_for);
	json_ms(j, "paused_ms", r->paused_for);
	json_int(j, "endpoints", r->endpoints);
	json_int(j, "endpoints_out", r->endpoints_out);
	json_cstr(j, "abandon", r->abandon);
	json_ms(j, "longest_ms", r->longest ? r->longest : NS_NEVER);
	json_end(j);
}

static void try_json(struct json *j, const struct call_try *t)
{
	static const char *const nexts[] = { [CALL_REPLAYED] = "replayed",
		[CALL_RETRIED] = "retried",
		[CALL_HEDGED] = "hedged",
		[CALL_REQUEUED] = "requeued" };
	ns_t end = t->ended_at;
	json_object(j, NULL);
	if (t->why == ERR_OK)
		json_int(j, "status", t->status);
	else
		json_null(j, "status");
	json_cstr(j, "reason", t->why == ERR_OK ? NULL : err_label(t->why));
	json_cstr(j, "then", nexts[t->next]);
	json_ms(j, "queue_ms", (t->granted_at ? t->granted_at : end) - t->queued_at);
	json_ms(j, "connect_ms",
		t->granted_at ? (t->sent_at ? t->sent_at : end) - t->granted_at
			      : NS_NEVER);
	json_ms(j, "server_ms", t->sent_at ? end - t->sent_at : NS_NEVER);
	json_end(j);
}

/* Those before the last one, the oldest first. */
static void tries_json(struct json *j, const struct explain_record *r)
{
	uint32_t first = r->past > CALL_TRIES ? (uint32_t)r->past - CALL_TRIES : 0;
	json_array(j, "earlier");
	for (uint32_t i = first; i < r->past; i++)
		try_json(j, &r->tries[i % CALL_TRIES]);
	json_end(j);
}

void explain_json(struct json *j, const struct explain_record *r, ns_t now)
{
	struct text why;
	text_init(&why);
	explain_why(&why, r);
	text_json(j, "id", r->id);
	text_json(j, "weir_id", r->weir_id);
	json_ms(j, "ended_ms_ago", now - r->ended_at);
	text_json(j, "method", r->method);
	text_json(j, "target", r->target);
	text_json(j, "upstream", r->upstream);
	text_json(j, "part", r->part);
	if (r->status)
		json_int(j, "status", r->status);
	else
		json_null(j, "status");
	json_cstr(j, "decided_by", r->ours ? "weir" : "upstream");
	json_cstr(j, "reason", r->why != ERR_OK ? err_label(r->why) : NULL);
	json_str(j, "why", text_slice(&why));
	json_cstr(j, "do", r->why != ERR_OK ? explain_advice(r->why, limit_of(r)) : NULL);
	spans_json(j, r);
	if (r->upstream[0])
		limits_json(j, r);
	else
		json_null(j, "limits");
	json_bool(j, "reused", r->reused);
	json_bool(j, "replayed", r->replayed);
	tries_json(j, r);
	json_cstr(j, "not_retried",
		r->verdict == RETRY_GO ? NULL : retry_label(r->verdict));
	text_fini(&why);
}
