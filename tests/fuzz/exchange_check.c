/* What must hold: the rules of exchange.h. */
#include <math.h>

#include "exchange_scene.h"
#include "exchange_stream.h"

#define ASKED_MAX 64

static bool head_has(const struct message *m, const char *text)
{
	return memmem(m->at, m->head.head_bytes, text, strlen(text)) != NULL;
}

static bool is_connect(const struct message *m)
{
	return strcmp(m->head.method, "CONNECT") == 0;
}

/* What comes behind such a request is a tunnel's, if one is made. */
static bool may_be_tunnel(const struct message *m)
{
	return is_connect(m) || (!m->head.http10 && head_has(m, "\r\nUpgrade: ") &&
					head_has(m, "\r\nConnection: upgrade\r\n"));
}

/* The number in a request line; NUMBERS: none of ours. */
static unsigned request_number(const struct message *m)
{
	static const char http[] = "http://h";
	const char *target = memchr(m->at, ' ', m->head.head_bytes);
	if (!target++)
		return NUMBERS;
	if (strncmp(target, http, sizeof(http) - 1) == 0)
		target += sizeof(http) - 1;
	if (*target != (is_connect(m) ? 'n' : '/'))
		return NUMBERS;
	unsigned long number = strtoul(target + 1, NULL, 10);
	return number < NUMBERS ? (unsigned)number : NUMBERS;
}

/* Bytes that were sent by this side, of those it was given. */
static struct slice written(const struct raw *r)
{
	size_t left = r->out.len - r->out_at;
	return slice_cut(text_slice(&r->said), 0, r->said.len - left);
}

static bool starts(struct slice whole, struct slice part)
{
	return part.len == 0 || slice_starts(whole, part);
}

/* --- the client's side --- */

/* None of the requests that lie here may be read by the proxy. */
static void mark_nobodys(struct scene *s, struct slice said)
{
	for (size_t i = 0; i + 2 < said.len; i++) {
		if (said.ptr[i] != ' ' ||
			(said.ptr[i + 1] != '/' && said.ptr[i + 1] != 'n'))
			continue;
		char *end;
		unsigned long number = strtoul(said.ptr + i + 2, &end, 10);
		if (end > said.ptr + i + 2 && number < NUMBERS)
			s->nobodys[number] = true;
	}
}

/* What is being read of a client: its requests, and the answers it got. */
struct talk {
	struct scene *s;
	struct peer *c;
	struct slice said, got;
	struct message request, answer;
	enum stream_end end;
	unsigned asked, answered;
	bool over; /* no HTTP follows */
};

/* False: no whole head is left. */
static bool next_request(struct talk *t)
{
	enum stream_end end;
	if (t->over || t->asked == ASKED_MAX)
		return false;
	/* RFC 9112 2.2: empty lines before a request are skipped */
	for (int n = 0; n < 2 && slice_starts(t->said, SLICE("\r\n")); n++)
		t->said = slice_cut(t->said, 2, SIZE_MAX);
	if (!stream_message(t->said, NULL, &t->request, &end))
		return false;
	t->asked++;
	unsigned number = request_number(&t->request);
	if (!t->request.whole && number < NUMBERS)
		t->s->broken_off[number] = true;
	t->over = !t->request.whole;
	if (!t->over)
		t->said = slice_cut(t->said, t->request.bytes, SIZE_MAX);
	return true;
}

static uint64_t whole_length(const struct message *m)
{
	static const char field[] = "\r\nX-Whole: ";
	const char *at = memmem(m->at, m->head.head_bytes, field, sizeof(field) - 1);
	return at ? strtoull(at + sizeof(field) - 1, NULL, 10) : UINT64_MAX;
}

/* The payload of a whole body. */
static size_t payload(const struct message *m)
{
	if (!m->head.codings)
		return m->body.len;
	char *out = mem_alloc(m->body.len + 1);
	size_t n = 0;
	CHECK(strict_chunked(m->body.ptr, m->body.len, out, &n) == m->body.len);
	mem_free(out);
	return n;
}

static void check_answer(
	const struct scene *s, const struct message *m, const char *asked)
{
	CHECK(m->head.status >= 100 && m->head.status < 600);
	if (s->says_raw || s->opt.gather > 1 || !m->whole || strcmp(asked, "HEAD") == 0)
		return;
	uint64_t length = whole_length(m);
	if (length != UINT64_MAX)
		CHECK(payload(m) == length); /* rule 5 */
}

static bool is_switch(const char *asked, const struct message *m)
{
	unsigned status = m->head.status;
	return status == 101 ||
	       (strcmp(asked, "CONNECT") == 0 && status >= 200 && status < 300);
}

/* The next answer that is final, or switches. */
static bool next_answer(struct talk *t, const char *asked)
{
	struct message *m = &t->answer;
	while (stream_message(t->got, asked, m, &t->end)) {
		CHECK(t->end != STREAM_BAD);
		check_answer(t->s, m, asked);
		bool switches = is_switch(asked, m);
		if (switches)
			t->end = STREAM_CLEAN;
		if (!m->whole && !switches) {
			t->got = SLICE_NONE;
			return false;
		}
		size_t bytes = switches ? m->head.head_bytes : m->bytes;
		t->got = slice_cut(t->got, bytes, SIZE_MAX);
		if (switches || m->head.status >= 200)
			return true;
	}
	CHECK(t->end != STREAM_BAD);
	return false;
}

/* Rule 7: only what was asked for, in a manner that is passed on. */
static void check_switch(const struct talk *t)
{
	if (is_connect(&t->request)) {
		CHECK(t->answer.head.status == 200);
		CHECK(!t->answer.head.lengths && !t->answer.head.codings);
		return;
	}
	CHECK(may_be_tunnel(&t->request) && t->request.body.len == 0);
	if (head_has(&t->answer, "\r\nUpgrade: y/1\r\n"))
		CHECK(head_has(&t->request, ", y/1\r\n"));
	else
		CHECK(head_has(&t->request, "Upgrade: x\r\n") &&
			head_has(&t->answer, "\r\nUpgrade: x\r\n"));
}

/* A request that may become a tunnel, and how it was answered, if it was. */
static void note_tunnel(struct talk *t, bool answered, struct exchange_tally *tally)
{
	unsigned number = request_number(&t->request);
	bool made = answered && is_switch(t->request.head.method, &t->answer);
	bool closes = answered && head_has(&t->answer, "\r\nConnection: close\r\n");
	CHECK(number < NUMBERS || !made);
	if (number == NUMBERS) /* what is none of ours is refused */
		return;
	if (made)
		check_switch(t);
	t->over = made || closes || !answered;
	t->s->tunnels[number] = (struct tunnel){ t->c, is_connect(&t->request), made,
		t->said, made ? t->got : SLICE_NONE };
	if (made || closes)
		mark_nobodys(t->s, t->said);
	tally->tunnels += made;
	tally->refused_tunnels += answered && !made;
	tally->tunnelled += made ? t->got.len : 0;
	CHECK(made || !answered || closes || !is_connect(&t->request));
}

static void check_client(struct scene *s, struct peer *c, struct exchange_tally *tally)
{
	struct talk t = { .s = s,
		.c = c,
		.said = text_slice(&c->raw.said),
		.got = text_slice(&c->raw.in) };
	bool answered = true;
	while (next_request(&t)) {
		answered = answered && next_answer(&t, t.request.head.method);
		t.answered += answered;
		tally->good += answered && t.answer.head.status == 200;
		if (may_be_tunnel(&t.request) && t.request.whole)
			note_tunnel(&t, answered, tally);
	}
	bool tunnel = answered && t.asked && is_switch(t.request.head.method, &t.answer);
	/* with a fault in the last request there is one answer more: the engine's refusal */
	if (answered && !tunnel && next_answer(&t, "GET")) {
		CHECK(t.said.len > 0);
		t.answered++;
		CHECK(!next_answer(&t, "GET"));
	}
	tally->asked += t.asked;
	tally->answered += t.answered;
	bool over = c->left || c->raw.end != ERR_AGAIN;
	CHECK(over || t.answered >= t.asked);
	CHECK(over || t.end == STREAM_CLEAN);
	CHECK(over || !tunnel); /* each has its end: rule 9 */
}

/* --- the server's side --- */

static bool ended_cleanly(const struct raw *r)
{
	return r->end == ERR_EOF && !r->broken;
}

/* A connection that carries this tunnel, if these are its bytes both ways (rule 8). What ended
 * cleanly, ended whole. */
static bool carries(
	const struct tunnel *t, const struct raw *r, struct slice got, struct slice said)
{
	size_t before = t->client->raw.said.len - t->said.len;
	struct slice sent = slice_cut(written(&t->client->raw), before, SIZE_MAX);
	if (!starts(t->said, got) || !starts(said, t->got))
		return false;
	if (ended_cleanly(r) && got.len != sent.len)
		return false;
	return !ended_cleanly(&t->client->raw) || said.len == t->got.len;
}

/* Where, in what the server said, the answer to its nth request switches; SIZE_MAX: nowhere. */
static size_t switch_at(const struct raw *r, char (*methods)[80], unsigned nth)
{
	struct slice said = written(r);
	struct message m;
	enum stream_end end;
	for (unsigned i = 0; i <= nth && stream_message(said, methods[i], &m, &end);) {
		bool switches = m.head.status == 101;
		if (switches && i == nth)
			return (size_t)(said.ptr - r->said.ptr) + m.head.head_bytes;
		if (!m.whole || switches)
			break;
		said = slice_cut(said, m.bytes, SIZE_MAX);
		i += m.head.status >= 200;
	}
	return SIZE_MAX;
}

/* What of a server's connection has been read. */
struct served {
	struct raw *r;
	struct slice rest;
	char methods[ASKED_MAX][80];
	unsigned n;
};

/* The request just read may have become a tunnel: what follows it then is no HTTP. */
static bool is_tunnel(const struct served *v, const struct tunnel *t)
{
	static const char line[] = "HTTP/1.1 101 ";
	struct slice said = written(v->r);
	if (!t->client)
		return false;
	/* the client that was not told any more may have been sent this far */
	bool might = said.len && memmem(said.ptr, said.len, line, sizeof(line) - 1);
	if (t->made || (might && v->rest.len > 0 && starts(t->said, v->rest))) {
		CHECK(starts(t->said, v->rest));
		return true;
	}
	return false;
}

static void check_forwarded(struct scene *s, const struct message *m, unsigned *seen)
{
	unsigned number = request_number(m);
	CHECK(number < s->number && !s->nobodys[number]);
	CHECK(!m->whole || !s->broken_off[number]); /* rule 6 */
	seen[number]++;
	bool hedges = strcmp(s->opt.hedge_after, "off") != 0;
	uint64_t most = s->unsafe[number] ? 1 : 2 + s->opt.retries + hedges;
	CHECK(seen[number] <= most * s->opt.gather);
}

/* Rule 3: what the server was sent beyond one request a call. */
static void check_budget(const struct scene *s, const unsigned *seen)
{
	double extra = 0, calls = (double)upstream_stats(s->proxy.upstream)->admitted;
	for (unsigned i = 0; i < s->number; i++)
		if (seen[i] > s->opt.gather)
			extra += seen[i] - (double)s->opt.gather;
	CHECK(extra <= fmax(RETRY_SHARE * calls, RETRY_LENT) + RETRY_TRUST + CLIENTS);
}

static void check_server(struct scene *s, struct raw *r, unsigned *seen, bool *carried)
{
	struct served v = { .r = r, .rest = text_slice(&r->in) };
	struct message m;
	enum stream_end end;
	if (slice_starts(v.rest, SLICE(GREETING)) &&
		memchr(v.rest.ptr, '\n', v.rest.len)) {
		unsigned long n = strtoul(v.rest.ptr + sizeof(GREETING) - 1, NULL, 10);
		CHECK(n < NUMBERS && !s->nobodys[n]);
		/* NULL: it lies behind another one whose answer the client did not read */
		CHECK(!s->tunnels[n].client || starts(s->tunnels[n].said, v.rest));
		return;
	}
	/* a part of a greeting */
	if (v.rest.len > 0 && v.rest.ptr[0] == GREETING[0])
		return;
	while (stream_message(v.rest, NULL, &m, &end)) {
		check_forwarded(s, &m, seen);
		CHECK(v.n < ASKED_MAX);
		snprintf(v.methods[v.n++], sizeof(v.methods[0]), "%s", m.head.method);
		v.rest = slice_cut(v.rest, m.whole ? m.bytes : v.rest.len, SIZE_MAX);
		unsigned number = request_number(&m);
		if (!is_tunnel(&v, &s->tunnels[number]))
			continue;
		size_t at = switch_at(r, v.methods, v.n - 1);
		if (at != SIZE_MAX && carries(&s->tunnels[number], r, v.rest,
					      slice_cut(written(r), at, SIZE_MAX)))
			carried[number] = true;
		return;
	}
	CHECK(end != STREAM_BAD);
}

static bool is_carried_raw(const struct scene *s, const struct tunnel *t)
{
	LIST_EACH (&s->server.conns, n, after) {
		const struct raw *r = CONTAINER_OF(n, struct raw, node);
		if (carries(t, r, text_slice(&r->in), written(r)))
			return true;
	}
	return false;
}

static void check_servers(struct scene *s, struct exchange_tally *tally)
{
	unsigned seen[NUMBERS] = { 0 };
	bool carried[NUMBERS] = { false };
	LIST_EACH (&s->server.conns, n, after)
		check_server(s, CONTAINER_OF(n, struct raw, node), seen, carried);
	check_budget(s, seen);
	for (unsigned i = 0; i < s->number; i++) {
		const struct tunnel *t = &s->tunnels[i];
		tally->forwarded += seen[i];
		if (t->made)
			CHECK(t->raw ? is_carried_raw(s, t) : carried[i] || s->guesses);
	}
}

static void check_gauges(struct scene *s)
{
	const struct proxy *p = &s->proxy;
	const struct slots *slots = upstream_slots(p->upstream);
	CHECK(p->exchanges_now == 0);
	CHECK(p->tunnels_now == 0);
	CHECK(p->forwards.out == 0);
	CHECK(upstream_queue(p->upstream)->waiting == 0);
	CHECK(slots_used(slots) == 0);
	CHECK(slots->limit == SLOTS_NO_LIMIT || slots->peak <= slots->limit);
	CHECK(p->worker.bufs.out == 0);
	CHECK(p->worker.bulks.out == 0);
	CHECK(p->worker.heads.out == 0);
	CHECK(p->worker.slots.out == 0);
	CHECK(p->worker.cconns.out == 0);
	CHECK(server_conn_count(p->server) == 0);
}

void exchange_check(struct scene *s, struct exchange_tally *tally)
{
	check_gauges(s);
	for (int i = 0; i < CLIENTS; i++)
		if (s->clients[i].used)
			check_client(s, &s->clients[i], tally);
	check_servers(s, tally);
}
