#include "tests/unit/proxy/scene.h"

static void parse_options(struct scene *s, const char *const *options)
{
	const struct verb verb = { .name = "proxy",
		.opts = proxy_opts,
		.opt_count = PROXY_OPT_COUNT,
		.options_size = sizeof(struct proxy_options) };
	char *argv[16];
	int argc = 0;
	struct opt_texts words = { .n = 0 };
	struct problem p = { "" };
	for (; options && options[argc]; argc++)
		argv[argc] = (char *)(uintptr_t)options[argc];
	if (opts_parse(&verb, argc, argv, &s->opt, &words, &p) != OPTS_RUN)
		fail_msg("%s", p.text);
}

/* --- the server --- */

static void answer_payload(struct raw *r, uint64_t n)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
		(unsigned long long)n);
	for (uint64_t i = 0; i < n; i++)
		text_add_char(&t, (char)('a' + i % 23));
	raw_send(r, text_slice(&t));
	text_fini(&t);
}

static void on_trickle(struct timer *t)
{
	struct raw *r = CONTAINER_OF(t, struct raw, timer);
	raw_say(r, "x");
	if (--r->number)
		io_timer_set(
			r->server->listener.sock.loop, t, ns_add(t->at, 200 * NS_MS));
}

static void answer_trickle(struct raw *r, uint64_t n)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
		(unsigned long long)n);
	raw_send(r, text_slice(&t));
	text_fini(&t);
	struct io_loop *loop = r->server->listener.sock.loop;
	r->number = n;
	r->timer.on_fire = on_trickle;
	io_timer_set(loop, &r->timer, ns_add(io_now(loop), 200 * NS_MS));
}

static void on_last_chunk(struct timer *t)
{
	raw_say(CONTAINER_OF(t, struct raw, timer), "0\r\n\r\n");
}

static void answer_pieces(struct raw *r)
{
	struct io_loop *loop = r->server->listener.sock.loop;
	raw_say(r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	r->timer.on_fire = on_last_chunk;
	io_timer_set(loop, &r->timer, ns_add(io_now(loop), 20 * NS_MS));
}

/* Bytes of the request that is whole at `at`, 0: none is. */
static size_t request_len(const struct raw *r, size_t at)
{
	struct slice in = slice_cut(text_slice(&r->in), at, SIZE_MAX);
	struct h1_head head;
	struct h1_scan scan = { 0 };
	struct h1_decoder body;
	struct slice data;
	enum err why;
	size_t used = 0, piece = 0;
	if (h1_parse_request(&scan, in, &(struct h1_limits){ 0 }, &head, &used, &why) !=
		H1_DONE)
		return 0;
	h1_decoder_init(&body, (enum h1_body)head.body, head.content_length);
	while (!body.done) {
		in = slice_cut(text_slice(&r->in), at + used, SIZE_MAX);
		if (h1_decode(&body, in, &piece, &data) == H1_BAD)
			fail_msg("the proxy sent a malformed body");
		used += piece;
		if (piece == 0 && !body.done)
			return 0;
	}
	return used;
}

static void server_answer(struct raw *r, const char *request)
{
	const char *target = strchr(request, ' ');
	const char *query = strchr(request, '?');
	uint64_t n = query ? strtoull(query + 1, NULL, 10) : 0;
	assert_non_null(target);
	if (strncmp(target, " /ok", 4) == 0)
		raw_say(r, OK);
	else if (strncmp(target, " /big", 5) == 0)
		answer_payload(r, n);
	else if (strncmp(target, " /pieces", 8) == 0)
		answer_pieces(r);
	else if (strncmp(target, " /trickle", 9) == 0)
		answer_trickle(r, n);
}

static void server_on_bytes(struct raw *r)
{
	size_t len;
	if (r->end != ERR_AGAIN) {
		if (timer_is_set(&r->timer))
			io_timer_stop(r->server->listener.sock.loop, &r->timer);
		raw_close(r, IO_CLOSE_FIN);
		return;
	}
	while (r->parsed < r->in.len && (len = request_len(r, r->parsed))) {
		server_answer(r, r->in.ptr + r->parsed);
		r->parsed += len;
	}
}

/* --- the scene --- */

static void init_world(
	struct scene *s, const struct sim_cfg *sim, const char *const *options)
{
	const struct sim_cfg plain = { .seed = 1 };
	*s = (struct scene){ 0 };
	parse_options(s, options);
	s->sim = sim_new(sim ? sim : &plain);
	s->near = sim_host(s->sim, "10.0.0.1");
	s->far = sim_host(s->sim, "10.0.0.2");
	s->server.on_bytes = server_on_bytes;
	raw_server_listen(&s->server, s->far, "10.0.0.2:80");
	raw_addr("10.0.0.1:8080", &s->at);
}

static void start_whole(struct scene *s, struct config *c)
{
	struct problem p = { "" };
	uint64_t servers;
	struct plan *plan = config_is_good(c) ? plan_new(c) : NULL;
	if (!plan) {
		struct text said;
		text_init(&said);
		config_show(c, &said);
		fail_msg("%s", said.ptr);
		return;
	}
	assert_true(plan_look_up(plan, &s->proxy, s->near, &p));
	assert_true(plan_is_found(plan));
	assert_true(plan_share_files(plan, &servers, &p));
	proxy_start(&s->proxy, s->near, plan, (uint32_t)servers);
	for (uint32_t i = 0; i < plan->place_count; i++)
		assert_true(server_listen_at(s->proxy.server, &plan->places[i], &p));
}

void scene_init_whole(struct scene *s, const char *const *options)
{
	init_world(s, NULL, options);
	start_whole(s, config_read(&s->opt));
}

void scene_init_file(struct scene *s, const char *yaml)
{
	init_world(s, NULL, NULL);
	start_whole(s, config_of(&s->opt, conf_parse("weir.yaml", slice_of(yaml))));
}

void scene_init(struct scene *s, const struct sim_cfg *sim, const char *const *options)
{
	struct upstream_cfg up = { .endpoint_count = 1 };
	struct problem p = { "" };
	init_world(s, sim, options);
	up.endpoints[0] = *raw_server_addr(&s->server);
	s->proxy.opt = &s->opt;
	proxy_fill_upstream(&s->opt, &up);
	proxy_make(&s->proxy, s->near, &up, 100);
	assert_true(server_listen(s->proxy.server, &s->at, &p));
}

void scene_run(struct scene *s, ns_t for_ns)
{
	(void)sim_run(s->sim, sim_now(s->sim) + for_ns);
}

void scene_client(struct scene *s, struct raw *r, const char *text)
{
	raw_init(r);
	raw_connect(r, s->far, &s->at);
	raw_say(r, text);
}

void scene_say(struct scene *s, uint32_t nth, const char *text)
{
	struct raw *r = raw_server_nth(&s->server, nth);
	assert_non_null(r);
	raw_say(r, text);
}

uint32_t scene_count(const struct scene *s, const char *text)
{
	uint32_t count = 0;
	struct raw *r;
	for (uint32_t i = 0; (r = raw_server_nth(&s->server, i)); i++)
		for (const char *at = r->in.ptr; at && (at = strstr(at, text)); at++)
			count++;
	return count;
}

bool scene_got(const struct raw *r, const char *text)
{
	return r->in.ptr && strstr(r->in.ptr, text);
}

void scene_fini(struct scene *s)
{
	raw_server_fini(&s->server);
	scene_run(s, 5 * NS_S);
	assert_int_equal(s->proxy.exchanges_now, 0);
	proxy_unmake(&s->proxy);
	sim_free(&s->sim);
}
