#include "exchange_scene.h"
#include "exchange_stream.h"
#include "http/server_internal.h"

#define MOVES_MAX 400
#define REST_FOR \
	(NUMBERS * 6 * NS_S) /* past every deadline, one request after the other */

/* --- what may be chosen --- */

#define COMMON \
	"--timeout 5s --client-idle-for 9s --idle-for 9s --drain-for 3s --ghost-for 3s " \
	"--tunnel-idle-for 8s "
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
	COMMON "--limit 1 --retries 0",
	COMMON "--limit 3 --hedge-after 10ms",
	COMMON "--hedge-after 5ms --abandon reset",
	COMMON "--retries 4 --retry-on connect,reset,first-byte,502,503,504 "
	       "--first-byte-timeout 300ms",
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
	"GET /%u HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
	"CONNECT n%u:80 HTTP/1.1\r\nHost: n%u:80\r\n\r\n", /* greets */
	"GET /%u HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c, y/1\r\n"
	"Upgrade: x\r\n\r\n",
	"GET /%u HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
	"GET /%u HTTP/1.1\r\nHost: h\r\nUpgrade: x y\r\nConnection: upgrade\r\n\r\n",
	"POST /%u HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n"
	"Content-Length: 5\r\n\r\nhello",
	"POST /%u HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n"
	"Content-Length: 0\r\n\r\n",
	"GET /%u HTTP/1.0\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
	"GET /%u HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\n\r\n",
	"CONNECT n%u:80 HTTP/1.1\r\nHost: n%u:80\r\nUpgrade: x\r\n"
	"Connection: upgrade\r\n\r\n",
	/* absolute form */
	"GET http://h/%u HTTP/1.1\r\nHost: h\r\n\r\n",
	/* idempotent, with a body */
	"PUT /%u HTTP/1.1\r\nHost: h\r\nContent-Length: 30000\r\n\r\n",
	"PUT /%u HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
	"DELETE /%u HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
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
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: y/1\r\nConnection: upgrade\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
	"early words",
	"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
	"SSH-2.0-OpenSSH\r\n",
	"HTTP/1.1 200 OK\r\nX-Whole: 90000\r\nContent-Length: 90000\r\n\r\n", /* body: MORE */
	"HTTP/1.1 200 OK\r\nX-Y: ",
};

/* --- the scene --- */

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
	r->keeps = true;
}

/* CONNECT, as if every target were let through. */
static void on_request(struct sconn *client, const struct h1_head *head)
{
	struct proxy *p = server_ctx(sconn_server(client));
	if (head->method == H1_CONNECT)
		tunnel_request(p, client, head, plan_route(p->plan, head), proxy_now(p));
	else
		proxy_ops.on_request(client, head);
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
	stage_options(&s->opt, s->words, options[next(in) % ARRAY_LEN(options)]);
	proxy_fill_upstream(&s->opt, &s->upstream);
	raw_addr("10.0.0.3:80", &s->upstream.endpoints[0]);
	s->upstream.endpoint_count = 1;
	s->proxy.opt = &s->opt;
	proxy_make(&s->proxy, s->proxy_host, &s->upstream, 8);
	s->ops = proxy_ops;
	s->ops.on_request = on_request;
	s->proxy.server->cfg.ops = &s->ops;
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

static void say_payload(struct scene *s, struct raw *r, size_t n)
{
	char bytes[1000];
	while (n > 0) {
		size_t part = n < sizeof(bytes) ? n : sizeof(bytes);
		for (size_t i = 0; i < part; i++, s->payload++)
			bytes[i] = (char)('a' + (s->payload ^ s->payload >> 5 ^
							s->payload >> 11) %
							26);
		raw_send(r, (struct slice){ bytes, part });
		n -= part;
	}
}

static void client_asks(struct scene *s, struct peer *c, uint8_t arg)
{
	struct text t;
	const char *form = requests[arg % ARRAY_LEN(requests)], *at;
	if (!c->used) {
		c->used = true;
		raw_connect(&c->raw, s->client_host, &s->listen);
	}
	text_init(&t);
	s->unsafe[s->number] = form[0] == 'P' && form[1] != 'U';
	c->greets = form[0] == 'C';
	c->number = s->number;
	for (at = form; (at = strstr(form, "%u")); form = at + 2)
		text_addf(&t, "%.*s%u", (int)(at - form), form, s->number);
	text_add(&t, form);
	raw_send(&c->raw, text_slice(&t));
	text_fini(&t);
	s->number++;
}

static void client_greets(struct peer *c)
{
	char text[40];
	snprintf(text, sizeof(text), GREETING "%u\n", c->number);
	raw_say(&c->raw, text);
	c->greets = false;
}

static void client_moves(struct scene *s, enum exchange_move move, uint8_t arg)
{
	struct peer *c = &s->clients[arg & 1];
	arg >>= 1;
	char text[8] = { (char)arg, 0 };
	if (c->greets)
		client_greets(c);
	if (move == CLIENT_ASKS)
		client_asks(s, c, arg);
	else if (!c->used)
		return;
	else if (move == CLIENT_BODY)
		say_payload(s, &c->raw, (size_t)1 << (arg % 16));
	else if (move == CLIENT_CHUNK)
		raw_say(&c->raw, "4\r\nabcd\r\n");
	else if (move == CLIENT_LAST_CHUNK)
		raw_say(&c->raw, "0\r\n\r\n");
	else if (move == CLIENT_RAW)
		raw_send(&c->raw, (struct slice){ text, 1 });
	else if (move == CLIENT_EARS)
		raw_set_deaf(&c->raw, !c->raw.deaf);
	else if (move == CLIENT_SHUTS) {
		c->left = true;
		raw_shutdown(&c->raw);
	} else if (move == CLIENT_CLOSES && io_is_open(&c->raw.sock)) {
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
		s->says_raw = s->guesses = true;
		raw_say(r, answers[what % ARRAY_LEN(answers)]);
	} else if (move == SERVER_MORE) {
		say_payload(s, r, (size_t)1 << (what % 17));
		s->says_raw = true;
	} else if (move == SERVER_RAW) {
		s->says_raw = true;
		raw_send(r, (struct slice){ text, 1 });
	} else if (move == SERVER_CLOSES) {
		raw_close(r, what & 1 ? IO_CLOSE_RESET : IO_CLOSE_FIN);
	} else if (move == SERVER_SHUTS) {
		raw_shutdown(r);
	} else if (move == SERVER_EARS) {
		raw_set_deaf(r, !r->deaf);
	}
}

static void make_move(struct scene *s, uint8_t what, uint8_t arg)
{
	enum exchange_move move = (enum exchange_move)(what % MOVES);
	if (move == WAIT || move == WAIT_TOO)
		(void)sim_run(s->sim, sim_now(s->sim) + waits[arg % ARRAY_LEN(waits)]);
	else if (move >= SERVER_ANSWERS && move != CLIENT_SHUTS)
		server_moves(s, move, arg);
	else
		client_moves(s, move, arg);
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
	exchange_check(s, tally);
	for (int i = 0; i < CLIENTS; i++)
		raw_fini(&s->clients[i].raw);
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
