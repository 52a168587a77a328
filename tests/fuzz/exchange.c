#include "exchange.h"

#include "exchange_stream.h"
#include "tests/sim/stage.h"

#define CLIENTS 2
#define MOVES_MAX 400
#define NUMBERS 512 /* of requests; more than moves */
#define ASKED_MAX 64
#define REST_FOR \
	(NUMBERS * 6 * NS_S) /* past every deadline, one request after the other */

/* --- what may be chosen --- */

#define COMMON \
	"--timeout 5s --client-idle-for 9s --idle-for 9s --drain-for 3s --ghost-for 3s "
static const char *const options[] = {
	COMMON,
	COMMON "--limit 1",
	COMMON "--limit 2 --connections close",
	COMMON "--limit 2 --connections pretend",
	COMMON "--limit 2 --abandon reset",
	COMMON "--limit 2 --abandon close --close-idle fin",
	COMMON "--limit 1 --limit-unit request",
	COMMON "--limit 3 --gather 2",
	COMMON "--limit 2 --gather 2 --connections pretend",
	COMMON "--limit 1 --queue 0",
	COMMON "--limit 1 --settle-for 0ms --queue-for 50ms",
};

static const uint32_t buf_sizes[] = { 65536, 4096, 700, 65536 };
static const uint32_t write_sizes[] = { 0, 0, 1, 1000 };
static const ns_t waits[] = { NS_US, 30 * NS_US, 100 * NS_US, 150 * NS_US, 250 * NS_US,
	NS_MS, 5 * NS_MS, 25 * NS_MS, 400 * NS_MS, 2 * NS_S, 6 * NS_S };

/* %u: a number of its own. Bodies that the server's or client's moves go on with. */
static const char *const requests[] = {
	"GET /%u HTTP/1.1\r\nHost: h\r\n\r\n",
	"HEAD /%u HTTP/1.1\r\nHost: h\r\n\r\n",
	"POST /%u HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
	"POST /%u HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
	"PUT /%u HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
	"GET /%u HTTP/1.0\r\n\r\n",
	"GET /%u HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"GET /%u HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
	"POST /%u HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
	"POST /%u HTTP/1.1\r\nHost: h\r\nContent-Length: 30000\r\n\r\n", /* and no body yet */
	"POST /%u HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET /%u HTTP/1.1\r\nHost: h\r\nX: ", /* no end yet */
	"POST /%u HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
	"GET /%u HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET /%u HTTP/1.1\n\n",
	"OPTIONS /%u HTTP/1.1\r\nHost: h\r\n\r\n",
	"PATCH /%u HTTP/1.1\r\nHost: h\r\n\r\n",
};

/* X-Whole: how long the body is if nothing breaks it. */
static const char *const answers[] = {
	"HTTP/1.1 200 OK\r\nX-Whole: 5\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nX-Whole: 7\r\nTransfer-Encoding: chunked\r\n\r\n"
	"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX-Whole: 5\r\nContent-Length: 5\r\n\r\nhe",
	"HTTP/1.1 200 OK\r\nX-Whole: 7\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	"HTTP/1.1 200 OK\r\n\r\nuntil the end",
	"HTTP/1.0 200 OK\r\nX-Whole: 2\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 204 No Content\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\n",
	"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
	"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nX-Whole: 4\r\n"
	"Content-Length: 4\r\n\r\nfull",
	"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Whole: 2\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nX-Whole: 5\r\nContent-Length: 5\r\n\r\nhello!", /* one too many */
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
	"SSH-2.0-OpenSSH\r\n",
	"HTTP/1.1 200 OK\r\nX-Whole: 90000\r\nContent-Length: 90000\r\n\r\n", /* body: MORE */
	"HTTP/1.1 200 OK\r\nX-Y: ",
};

/* --- the scene --- */

struct peer {
	struct raw raw;
	bool used;
	bool left; /* by its own move */
};

struct scene {
	struct sim *sim;
	struct io_loop *client_host, *proxy_host, *server_host;
	struct proxy_options opt;
	struct upstream_cfg upstream;
	struct proxy proxy;
	struct addr listen;
	struct peer clients[CLIENTS];
	struct raw_server server;
	unsigned number; /* of the next request */
	int automatic;   /* -1: not */
	bool says_raw;   /* the server spoke out of turn: no conclusion from X-Whole */
	/* by number */
	bool unsafe[NUMBERS];     /* not idempotent */
	bool broken_off[NUMBERS]; /* the client never finished it */
};

static struct scene *scene_of(struct raw *r)
{
	return r->server->ctx;
}

/* Requests that are whole at the server and have no answer yet get the automatic one. */
static void on_server_bytes(struct raw *r)
{
	struct scene *s = scene_of(r);
	struct message m;
	enum stream_end end;
	for (;;) {
		struct slice rest = slice_cut(text_slice(&r->in), r->parsed, SIZE_MAX);
		if (!stream_message(rest, NULL, &m, &end) || !m.whole)
			return;
		r->parsed += m.bytes;
		if (s->automatic >= 0)
			raw_say(r, answers[s->automatic]);
		else
			r->number++;
	}
}

static void on_accept(struct raw_server *server, struct raw *r)
{
	(void)server;
	r->number = 0; /* requests waiting */
}

static uint8_t next(struct slice *in)
{
	if (in->len == 0)
		return 0;
	uint8_t b = (uint8_t)in->ptr[0];
	*in = slice_cut(*in, 1, SIZE_MAX);
	return b;
}

static void scene_init(struct scene *s, struct slice *in)
{
	struct problem p = { "" };
	uint8_t net = next(in);
	const struct sim_cfg sim = { .seed = net,
		.jitter = net & 1 ? 60 * NS_US : 0,
		.buf_bytes = buf_sizes[net >> 1 & 3],
		.write_max = write_sizes[net >> 3 & 3] };
	memset(s, 0, sizeof(*s));
	s->automatic = -1;
	s->sim = sim_new(&sim);
	s->client_host = sim_host(s->sim, "10.0.0.1");
	s->proxy_host = sim_host(s->sim, "10.0.0.2");
	s->server_host = sim_host(s->sim, "10.0.0.3");
	stage_options(&s->opt, options[next(in) % ARRAY_LEN(options)]);
	proxy_fill_upstream(&s->opt, &s->upstream);
	raw_addr("10.0.0.3:80", &s->upstream.endpoints[0]);
	s->upstream.endpoint_count = 1;
	s->proxy.opt = &s->opt;
	proxy_make(&s->proxy, s->proxy_host, &s->upstream, 8);
	if (net >> 5 & 1) /* slabs that run out: 1 to 8 buffers, 1 to 4 heads */
		s->proxy.worker.bufs.max = 1 + (net >> 6) * 2u + (net & 1);
	if ((net >> 5 & 3) == 2)
		s->proxy.worker.heads.max = 1 + (net >> 7);
	raw_addr("10.0.0.2:8080", &s->listen);
	CHECK(server_listen(s->proxy.server, &s->listen, &p));
	s->server.on_accept = on_accept;
	s->server.on_bytes = on_server_bytes;
	s->server.ctx = s;
	raw_server_listen(&s->server, s->server_host, "10.0.0.3:80");
	for (int i = 0; i < CLIENTS; i++) {
		raw_init(&s->clients[i].raw);
		s->clients[i].raw.keeps = true;
	}
}

/* --- moves --- */

static void say_payload(struct raw *r, size_t n)
{
	char bytes[1000];
	memset(bytes, 'p', sizeof(bytes));
	for (; n > 0; n -= n < sizeof(bytes) ? n : sizeof(bytes))
		raw_send(r,
			(struct slice){ bytes, n < sizeof(bytes) ? n : sizeof(bytes) });
}

static void client_asks(struct scene *s, struct peer *c, uint8_t arg)
{
	char text[400];
	const char *form = requests[arg % ARRAY_LEN(requests)];
	if (!c->used) {
		c->used = true;
		raw_connect(&c->raw, s->client_host, &s->listen);
	}
	const char *number = strstr(form, "%u");
	snprintf(text, sizeof(text), "%.*s%u%s", (int)(number - form), form, s->number,
		number + 2);
	s->unsafe[s->number] = form[0] == 'P' && form[1] != 'U';
	s->number++;
	raw_say(&c->raw, text);
}

static void client_moves(struct scene *s, enum exchange_move move, uint8_t arg)
{
	struct peer *c = &s->clients[arg & 1];
	arg >>= 1;
	char text[8] = { (char)arg, 0 };
	if (move == CLIENT_ASKS)
		client_asks(s, c, arg);
	else if (!c->used)
		return;
	else if (move == CLIENT_BODY)
		say_payload(&c->raw, (size_t)1 << (arg % 16));
	else if (move == CLIENT_CHUNK)
		raw_say(&c->raw, "4\r\nabcd\r\n");
	else if (move == CLIENT_LAST_CHUNK)
		raw_say(&c->raw, "0\r\n\r\n");
	else if (move == CLIENT_RAW)
		raw_send(&c->raw, (struct slice){ text, 1 });
	else if (move == CLIENT_EARS)
		raw_set_deaf(&c->raw, !c->raw.deaf);
	else if (move == CLIENT_CLOSES && io_is_open(&c->raw.sock)) {
		c->left = true;
		raw_close(&c->raw, arg & 1 ? IO_CLOSE_RESET : IO_CLOSE_FIN);
	}
}

/* The server's open connection number n, round and round. */
static struct raw *server_conn(struct scene *s, uint32_t n)
{
	struct raw *open[16];
	uint32_t count = 0;
	LIST_EACH (&s->server.conns, node, after) {
		struct raw *r = CONTAINER_OF(node, struct raw, node);
		if (io_is_open(&r->sock) && count < ARRAY_LEN(open))
			open[count++] = r;
	}
	return count ? open[n % count] : NULL;
}

static void server_moves(struct scene *s, enum exchange_move move, uint8_t arg)
{
	struct raw *r = server_conn(s, arg & 3);
	uint8_t what = arg >> 2;
	char text[2] = { (char)arg, 0 };
	if (move == SERVER_AUTO)
		s->automatic = arg % 8 ? -1 : (arg >> 3) % (int)ARRAY_LEN(answers);
	if (!r)
		return;
	if (move == SERVER_ANSWERS && r->number > 0) {
		r->number--;
		raw_say(r, answers[what % ARRAY_LEN(answers)]);
	} else if (move == SERVER_SAYS) {
		s->says_raw = true;
		raw_say(r, answers[what % ARRAY_LEN(answers)]);
	} else if (move == SERVER_MORE) {
		say_payload(r, (size_t)1 << (what % 17));
		s->says_raw = true;
	} else if (move == SERVER_RAW) {
		s->says_raw = true;
		raw_send(r, (struct slice){ text, 1 });
	} else if (move == SERVER_CLOSES) {
		raw_close(r, what & 1 ? IO_CLOSE_RESET : IO_CLOSE_FIN);
	} else if (move == SERVER_EARS) {
		raw_set_deaf(r, !r->deaf);
	}
}

static void make_move(struct scene *s, uint8_t what, uint8_t arg)
{
	enum exchange_move move = (enum exchange_move)(what % MOVES);
	if (move >= WAIT)
		(void)sim_run(s->sim, sim_now(s->sim) + waits[arg % ARRAY_LEN(waits)]);
	else if (move >= SERVER_ANSWERS)
		server_moves(s, move, arg);
	else
		client_moves(s, move, arg);
}

/* --- what must hold --- */

/* The number behind the '/' of a request line; NUMBERS: none of ours. */
static unsigned request_number(const struct message *m)
{
	const char *slash = memchr(m->at, '/', m->head.head_bytes);
	unsigned long number = slash ? strtoul(slash + 1, NULL, 10) : NUMBERS;
	return number < NUMBERS ? (unsigned)number : NUMBERS;
}

/* What a client asked: the methods, how many, and whether the last thing it said is no whole
 * request. */
struct asked {
	char methods[ASKED_MAX][80];
	unsigned n;
	bool broken_off;
};

static void read_requests(struct scene *s, const struct peer *c, struct asked *a)
{
	struct slice rest = text_slice(&c->raw.said);
	struct message m;
	enum stream_end end;
	a->n = 0;
	while (a->n < ASKED_MAX) {
		/* RFC 9112 2.2: empty lines before a request are skipped */
		for (int n = 0; n < 2 && slice_starts(rest, SLICE("\r\n")); n++)
			rest = slice_cut(rest, 2, SIZE_MAX);
		if (!stream_message(rest, NULL, &m, &end))
			break;
		snprintf(a->methods[a->n++], sizeof(a->methods[0]), "%s", m.head.method);
		if (!m.whole && request_number(&m) < NUMBERS)
			s->broken_off[request_number(&m)] = true;
		if (!m.whole)
			break;
		rest = slice_cut(rest, m.bytes, SIZE_MAX);
	}
	a->broken_off = rest.len > 0;
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

static void check_client(struct scene *s, struct peer *c, struct exchange_tally *tally)
{
	struct asked asked;
	struct slice rest = text_slice(&c->raw.in);
	struct message m;
	enum stream_end end = STREAM_CLEAN;
	unsigned got = 0;
	read_requests(s, c, &asked);
	/* with a fault in the last request there is one answer more: the engine's refusal */
	while (got < ASKED_MAX) {
		const char *method = got < asked.n ? asked.methods[got] : "GET";
		if (!stream_message(rest, method, &m, &end))
			break;
		CHECK(end != STREAM_BAD);
		check_answer(s, &m, method);
		if (!m.whole) {
			rest = SLICE_NONE;
			break;
		}
		got += m.head.status >= 200;
		tally->good += m.head.status == 200;
		rest = slice_cut(rest, m.bytes, SIZE_MAX);
	}
	CHECK(end != STREAM_BAD);
	CHECK(got <= asked.n + asked.broken_off);
	tally->asked += asked.n;
	tally->answered += got;
	bool over = c->left || c->raw.end != ERR_AGAIN;
	CHECK(over || got >= asked.n);
	CHECK(over || end == STREAM_CLEAN);
}

static void check_servers(struct scene *s, struct exchange_tally *tally)
{
	unsigned seen[NUMBERS] = { 0 };
	LIST_EACH (&s->server.conns, n, after) {
		struct raw *r = CONTAINER_OF(n, struct raw, node);
		struct slice rest = text_slice(&r->in);
		struct message m;
		enum stream_end end;
		while (stream_message(rest, NULL, &m, &end)) {
			unsigned number = request_number(&m);
			CHECK(end != STREAM_BAD && number < s->number);
			CHECK(!m.whole || !s->broken_off[number]); /* rule 6 */
			seen[number]++;
			tally->forwarded++;
			CHECK(seen[number] <=
				(s->unsafe[number] ? 1 : 2) * s->opt.gather);
			rest = slice_cut(rest, m.whole ? m.bytes : rest.len, SIZE_MAX);
		}
		CHECK(end != STREAM_BAD);
	}
}

static void check_gauges(struct scene *s)
{
	const struct proxy *p = &s->proxy;
	const struct slots *slots = upstream_slots(p->upstream);
	CHECK(p->exchanges_now == 0);
	CHECK(p->forwards.out == 0);
	CHECK(upstream_queue(p->upstream)->waiting == 0);
	CHECK(slots_used(slots) == 0);
	CHECK(slots->limit == SLOTS_NO_LIMIT || slots->peak <= slots->limit);
	CHECK(p->worker.bufs.out == 0);
	CHECK(p->worker.heads.out == 0);
	CHECK(p->worker.slots.out == 0);
	CHECK(p->worker.cconns.out == 0);
	CHECK(server_conn_count(p->server) == 0);
}

/* Everybody hears again, and all deadlines pass. */
static void come_to_rest(struct scene *s)
{
	for (int i = 0; i < CLIENTS; i++)
		raw_set_deaf(&s->clients[i].raw, false);
	LIST_EACH (&s->server.conns, n, after)
		raw_set_deaf(CONTAINER_OF(n, struct raw, node), false);
	(void)sim_run(s->sim, sim_now(s->sim) + REST_FOR);
}

void exchange_run(struct slice input, struct exchange_tally *tally)
{
	struct scene *s = mem_alloc(sizeof(*s));
	scene_init(s, &input);
	for (int moves = 0; input.len > 0 && moves < MOVES_MAX; moves++) {
		uint8_t what = next(&input);
		make_move(s, what, next(&input));
	}
	come_to_rest(s);
	check_gauges(s);
	for (int i = 0; i < CLIENTS; i++) {
		if (s->clients[i].used)
			check_client(s, &s->clients[i], tally);
		raw_fini(&s->clients[i].raw);
	}
	check_servers(s, tally);
	const struct upstream_stats *stats = upstream_stats(s->proxy.upstream);
	tally->replayed += stats->replayed;
	tally->abandoned += stats->abandoned;
	tally->drained += stats->drained;
	tally->reused += stats->reused;
	proxy_unmake(&s->proxy);
	raw_server_fini(&s->server);
	sim_free(&s->sim);
	mem_free(s);
}
