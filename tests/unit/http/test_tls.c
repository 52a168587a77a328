/* Both sides of the engine over TLS: calls of an upstream at 10.0.0.1, answered by a server at
 * 10.0.0.2, or by a conn that is scripted. */
#include "bed.h"
#include "app.h"
#include "caller.h"
#include "flow/cutoff.h"
#include "http/tuner.h"
#include "http/upstream_internal.h"
#include "pair.h"
#include "tests/unit/conn/certs.h"

#define AT "10.0.0.2:443"

struct scene {
	struct bed bed;
	struct worker far; /* the server's */
	struct certs certs;
	struct cert cert;
	struct tls_server *tls;
	struct app app;
	struct upstream *up;
};

static struct tls_client *new_client(struct scene *s, ns_t handshake_for)
{
	struct problem p = { "" };
	struct tls_client *c = tls_client_new(
		&(struct tls_client_cfg){
			.ca_file = s->certs.ca.ptr, .handshake_for = handshake_for },
		&p);
	if (!c)
		fail_msg("%s", p.text);
	return c;
}

static struct upstream_cfg upstream_defaults(void)
{
	struct upstream_cfg cfg = { .endpoint_count = 1,
		.limit = 4,
		.drain_share = 1,
		.queue_max = 100,
		.queue_for = NS_S,
		.connect_for = NS_S,
		.drain_for = 10 * NS_S,
		.ghost_for = NS_S,
		.settle_for = 20 * NS_MS,
		.idle_for = 30 * NS_S,
		.names = { SLICE("api.test:443") } };
	raw_addr(AT, &cfg.endpoints[0]);
	return cfg;
}

static void scene_upstream(struct scene *s, struct upstream_cfg cfg)
{
	cfg.tls = new_client(s, 2 * NS_S);
	s->up = upstream_new(&s->bed.worker, &cfg);
	tls_client_unref(&cfg.tls); /* its peers hold it */
}

static void scene_server(struct scene *s, struct server_cfg cfg)
{
	cfg.tls = s->tls;
	app_init(&s->app, &s->far, cfg, AT);
}

static void scene_init(struct scene *s, const struct sim_cfg *sim)
{
	struct problem p = { "" };
	memset(s, 0, sizeof(*s));
	bed_init(&s->bed, sim, &(struct worker_cfg){ 0 });
	worker_init(&s->far, s->bed.far, &(struct worker_cfg){ 0 });
	certs_init(&s->certs);
	certs_make(&s->certs, &s->cert,
		&(struct cert_is){ .names = "DNS:api.test", .days = 9 });
	s->tls = tls_server_new(
		&(struct tls_server_cfg){ { s->cert.cert.ptr, s->cert.key.ptr },
			.handshake_for = 5 * NS_S },
		&p);
	assert_non_null(s->tls);
}

static void scene_fini(struct scene *s)
{
	upstream_free(&s->up);
	if (s->app.server)
		app_fini(&s->app);
	tls_server_unref(&s->tls);
	cert_fini(&s->cert);
	certs_fini(&s->certs);
	worker_fini(&s->far);
	bed_fini(&s->bed);
}

static struct job *run_job(struct scene *s, struct job *j, const char *path)
{
	job_init(j, s->up, "GET", path);
	assert_int_equal(job_submit(j, NS_NEVER), ERR_OK);
	bed_run(&s->bed, 20 * NS_S);
	return j;
}

static void assert_pattern(const struct text *t, size_t len)
{
	assert_int_equal(t->len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(t->ptr[i], app_pattern(i));
}

static const struct tls_counts *seen(const struct scene *s)
{
	return upstream_tls_counts(s->up);
}

/* --- */

static void test_calls_share_a_connection(void **state)
{
	struct scene s;
	struct job j;
	(void)state;
	scene_init(&s, &(struct sim_cfg){ .seed = 1 });
	scene_upstream(&s, upstream_defaults());
	scene_server(&s, (struct server_cfg){ .idle_for = 100 * NS_S });
	for (int i = 0; i < 3; i++) {
		job_init(&j, s.up, "GET", "/now");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, NS_S);
		assert_int_equal(j.why, ERR_OK);
		assert_slice(text_slice(&j.in), "now");
		job_fini(&j);
	}
	assert_int_equal(seen(&s)->handshakes, 1);
	assert_int_equal(upstream_stats(s.up)->reused, 2);
	/* its idle end: close_notify before the reset, so the server saw an orderly end */
	bed_run(&s.bed, 60 * NS_S);
	assert_int_equal(upstream_stats(s.up)->closed_idle, 1);
	assert_int_equal(server_conn_count(s.app.server), 0);
	assert_int_equal(s.app.ends, 3);
	run_job(&s, &j, "/now");
	assert_int_equal(j.why, ERR_OK);
	assert_int_equal(seen(&s)->resumed, 1);
	job_fini(&j);
	scene_fini(&s);
}

static void bodies(const struct sim_cfg *sim)
{
	static const char *const paths[] = { "/stream?700000", "/fixed?700000" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct scene s;
		struct job down, up;
		scene_init(&s, sim);
		scene_upstream(&s, upstream_defaults());
		scene_server(&s, (struct server_cfg){ 0 });
		s.app.quiet = true;
		job_init(&down, s.up, "GET", paths[i]);
		job_init(&up, s.up, "POST", "/echo");
		up.chunked = i == 0;
		down.sip = 30000;
		for (size_t k = 0; k < 600000; k++)
			text_add_char(&up.body, app_pattern(k));
		assert_int_equal(job_submit(&down, NS_NEVER), ERR_OK);
		assert_int_equal(job_submit(&up, NS_NEVER), ERR_OK);
		for (int turns = 0; turns < 100000 && down.why == ERR_AGAIN; turns++) {
			bed_run(&s.bed, NS_MS);
			if (down.why == ERR_AGAIN)
				call_resume(&down.call);
		}
		bed_run(&s.bed, 100 * NS_S);
		assert_int_equal(down.why, ERR_OK);
		assert_int_equal(up.why, ERR_OK);
		assert_pattern(&down.in, 700000);
		assert_pattern(&up.in, 600000);
		job_fini(&down);
		job_fini(&up);
		scene_fini(&s);
	}
}

static void test_bodies_both_ways(void **state)
{
	(void)state;
	bodies(&(struct sim_cfg){ .seed = 1 });
	bodies(&(struct sim_cfg){ .seed = 2, .buf_bytes = 3000 });
	bodies(&(struct sim_cfg){ .seed = 3, .write_max = 700, .jitter = NS_MS });
}

/* An answer cut short is broken for the caller, however its length is said. */
static void test_half_an_answer(void **state)
{
	struct scene s;
	struct job j;
	(void)state;
	scene_init(&s, &(struct sim_cfg){ .seed = 1 });
	scene_upstream(&s, upstream_defaults());
	scene_server(&s, (struct server_cfg){ 0 });
	run_job(&s, &j, "/half?100000");
	assert_true(j.why == ERR_RESET || j.why == ERR_RES_TRUNCATED);
	job_fini(&j);
	scene_fini(&s);
}

/* --- a scripted server: one conn that says bytes and ends as told --- */

struct script {
	struct conn conn;
	struct io_listener listener;
	struct tls_server *tls;
	const char *says;
	bool notify, said, refuses;
};

static void on_script_ready(struct conn *c, unsigned bits)
{
	struct script *t = CONTAINER_OF(c, struct script, conn);
	char buf[1000];
	size_t n;
	(void)bits;
	if (conn_connected(c) != ERR_OK)
		return;
	enum err e = conn_read(c, buf, sizeof(buf), &n);
	if (e != ERR_OK && (e != ERR_AGAIN || !t->refuses))
		return;
	struct iovec iov = { (void *)(uintptr_t)t->says, strlen(t->says) };
	assert_int_equal(conn_writev(c, &iov, 1, &n), ERR_OK);
	t->said = true;
	if (!t->notify) /* as somebody on the way would */
		assert_int_equal(io_shutdown(&c->sock), ERR_OK);
	else
		conn_close(c, IO_CLOSE_FIN);
	if (conn_is_open(c))
		conn_want(c, 0);
}

static void on_script_listener(struct io_sock *sock, unsigned bits)
{
	struct io_listener *l = CONTAINER_OF(sock, struct io_listener, sock);
	struct script *t = CONTAINER_OF(l, struct script, listener);
	(void)bits;
	conn_close(&t->conn, IO_CLOSE_RESET);
	assert_int_equal(conn_accept(&t->conn, l, NULL), ERR_OK);
	t->conn.on_ready = on_script_ready;
	tls_accept(&t->conn, t->tls);
	conn_want(&t->conn, t->refuses ? IO_READ | IO_WRITE : IO_READ);
}

static enum err scripted(const char *says, bool notify, bool refuses, struct text *in)
{
	struct scene s;
	struct script t = { .says = says, .notify = notify, .refuses = refuses };
	struct problem p = { "" };
	struct addr at;
	struct job j;
	scene_init(&s, &(struct sim_cfg){ .seed = 1 });
	scene_upstream(&s, upstream_defaults());
	raw_addr(AT, &at);
	t.tls = s.tls;
	t.listener.sock.on_ready = on_script_listener;
	assert_int_equal(io_listen(s.bed.far, &t.listener, &at, NULL, &p), ERR_OK);
	io_want(&t.listener.sock, IO_READ);
	run_job(&s, &j, "/x");
	assert_true(t.said);
	text_add_slice(in, text_slice(&j.in));
	enum err why = j.why;
	job_fini(&j);
	conn_close(&t.conn, IO_CLOSE_RESET);
	io_listener_close(&t.listener);
	scene_fini(&s);
	return why;
}

static void test_a_body_until_close_needs_close_notify(void **state)
{
	struct text in;
	(void)state;
	text_init(&in);
	const char *open_ended = "HTTP/1.1 200 OK\r\n\r\nhello";
	assert_int_equal(scripted(open_ended, true, false, &in), ERR_OK);
	assert_text(&in, "hello");
	assert_int_equal(scripted(open_ended, false, false, &in), ERR_RES_TRUNCATED);
	text_reset(&in);
	/* where the message says its length the forged end changes nothing */
	const char *counted = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	assert_int_equal(scripted(counted, false, false, &in), ERR_OK);
	assert_text(&in, "hello");
	const char *chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			      "5\r\nhello\r\n0\r\n\r\n";
	assert_int_equal(scripted(chunked, false, false, &in), ERR_OK);
	assert_text(&in, "hello");
	text_fini(&in);
}

/* A refusal that the server writes unasked, as soon as the handshake is over. */
static void test_a_refusal_before_the_request(void **state)
{
	struct text in;
	(void)state;
	text_init(&in);
	const char *words = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
			    "Content-Length: 4\r\n\r\nfull";
	assert_int_equal(scripted(words, true, true, &in), ERR_OK);
	assert_text(&in, "full");
	text_fini(&in);
}

/* --- connections that are not served --- */

static void test_turned_away_after_the_handshake(void **state)
{
	struct scene s;
	struct job j;
	(void)state;
	scene_init(&s, &(struct sim_cfg){ .seed = 1 });
	scene_upstream(&s, upstream_defaults());
	scene_server(&s, (struct server_cfg){ 0 });
	s.app.refuse = true;
	run_job(&s, &j, "/now");
	assert_int_equal(j.why, ERR_RES_SYNTAX); /* "no slot": it came through, whole */
	assert_int_equal(seen(&s)->handshakes, 1);
	assert_int_equal(s.app.requests, 0);
	assert_int_equal(s.app.closes, 0);
	assert_int_equal(server_conn_count(s.app.server), 0);
	job_fini(&j);
	/* one that never shakes hands is dropped in time */
	struct raw mute;
	struct addr at;
	raw_addr(AT, &at);
	raw_init(&mute);
	raw_connect(&mute, s.bed.near, &at);
	bed_run(&s.bed, NS_S);
	assert_int_equal(server_conn_count(s.app.server), 1);
	bed_run(&s.bed, 10 * NS_S);
	assert_int_equal(server_conn_count(s.app.server), 0);
	raw_fini(&mute);
	scene_fini(&s);
}

/* --- failures are told, with their detail --- */

static const char *detail_of(struct scene *s, enum err why)
{
	struct job j;
	run_job(s, &j, "/now");
	assert_int_equal(j.why, why);
	job_fini(&j);
	return s->up ? s->up->detail : "";
}

static void test_a_certificate_that_does_not_verify(void **state)
{
	struct scene s;
	struct upstream_cfg cfg = upstream_defaults();
	(void)state;
	scene_init(&s, &(struct sim_cfg){ .seed = 1 });
	cfg.names[0] = SLICE("www.test:443");
	scene_upstream(&s, cfg);
	scene_server(&s, (struct server_cfg){ 0 });
	assert_string_equal(detail_of(&s, ERR_TLS_VERIFY),
		"certificate of www.test: hostname mismatch");
	assert_int_equal(s.app.requests, 0);
	assert_int_equal(upstream_stats(s.up)->connects_failed, 1);
	bed_run(&s.bed, NS_S); /* what settled has settled */
	assert_int_equal(slots_used(upstream_slots(s.up)), 0);
	scene_fini(&s);
}

static void test_a_server_that_does_not_shake_hands(void **state)
{
	struct scene s;
	struct raw_server mute = { .ctx = NULL };
	(void)state;
	scene_init(&s, &(struct sim_cfg){ .seed = 1 });
	struct upstream_cfg cfg = upstream_defaults();
	cfg.connect_for = 500 * NS_MS; /* the socket's: TLS has its own 2 s */
	scene_upstream(&s, cfg);
	raw_server_listen(&mute, s.bed.far, AT);
	assert_string_equal(detail_of(&s, ERR_TLS_TIMEOUT),
		"TLS with api.test: no handshake within 2 s");
	raw_server_fini(&mute);
	scene_fini(&s);
}

static uint32_t in_state(const struct scene *s, enum slot_state state)
{
	return upstream_slots(s->up)->in[state].len;
}

/* Up to where its caller was told that no hands were shaken. */
static void shake_in_vain(
	struct scene *s, struct raw_server *mute, enum upstream_abandon abandon)
{
	struct upstream_cfg cfg = upstream_defaults();
	struct job j;
	cfg.abandon = abandon;
	scene_init(s, &(struct sim_cfg){ .seed = 1 });
	scene_upstream(s, cfg);
	raw_server_listen(mute, s->bed.far, AT);
	job_init(&j, s->up, "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	while (!j.ends)
		bed_run(&s->bed, NS_MS);
	assert_int_equal(j.why, ERR_TLS_TIMEOUT);
	job_fini(&j);
}

/* By then its slot has come back. */
static void end_within(struct scene *s, struct raw_server *mute, ns_t span)
{
	bed_run(&s->bed, span);
	assert_int_equal(slots_used(upstream_slots(s->up)), 0);
	raw_server_fini(mute);
	scene_fini(s);
}

/* The server has counted it as it accepted it, and will not see its end before it looks. */
static void test_what_shook_no_hands_is_held(void **state)
{
	const char *const looks[] = { "a word of TLS", NULL };
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct scene s;
		struct raw_server mute = { .ctx = NULL };
		shake_in_vain(&s, &mute, ABANDON_DRAIN);
		bed_run(&s.bed, 3 * NS_S);
		assert_int_equal(in_state(&s, SLOT_DRAINING), 1);
		if (looks[i])
			raw_say(raw_server_nth(&mute, 0), looks[i]);
		else
			raw_close(raw_server_nth(&mute, 0), IO_CLOSE_FIN);
		bed_run(&s.bed, 10 * NS_MS);
		assert_int_equal(in_state(&s, SLOT_SETTLING), 1);
		if (looks[i])
			assert_int_equal(raw_server_nth(&mute, 0)->end, ERR_RESET);
		end_within(&s, &mute, 30 * NS_MS);
	}
}

/* As one that never answers a call. */
static void test_what_never_looks_is_a_ghost_in_the_end(void **state)
{
	struct scene s;
	struct raw_server mute = { .ctx = NULL };
	(void)state;
	shake_in_vain(&s, &mute, ABANDON_AUTO);
	bed_run(&s.bed, 10 * NS_S);
	assert_int_equal(in_state(&s, SLOT_GHOST), 1);
	assert_int_equal(raw_server_nth(&mute, 0)->end, ERR_RESET);
	end_within(&s, &mute, 2 * NS_S);
}

/* A server that is known to see who goes has seen it soon. */
static void test_what_shook_no_hands_is_reset_where_asked(void **state)
{
	struct scene s;
	struct raw_server mute = { .ctx = NULL };
	(void)state;
	shake_in_vain(&s, &mute, ABANDON_RESET);
	assert_int_equal(in_state(&s, SLOT_SETTLING), 1);
	end_within(&s, &mute, 30 * NS_MS);
}

static void hang_up(struct raw_server *server, struct raw *r)
{
	(void)server;
	raw_close(r, IO_CLOSE_FIN);
}

/* A server that is full may say so by ending the handshake. */
static void test_cut_off_in_the_handshake(void **state)
{
	struct scene s;
	struct raw_server full = { .on_accept = hang_up };
	struct upstream_cfg cfg = upstream_defaults();
	struct job j;
	(void)state;
	scene_init(&s, &(struct sim_cfg){ .seed = 1, .latency = 10 * NS_MS });
	cfg.limit_auto = true;
	scene_upstream(&s, cfg);
	scene_server(&s, (struct server_cfg){ 0 });
	bed_run(&s.bed, NS_S); /* instants are above 0 */
	job_init(&j, s.up, "GET", "/now");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(j.why, ERR_OK);
	job_fini(&j);
	app_fini(&s.app);
	bed_run(&s.bed, 100 * NS_MS);
	raw_server_listen(&full, s.bed.far, AT);
	for (int i = 0; i < CUTOFF_SURE; i++) {
		assert_false(
			tuner_is_cut(upstream_tuner(s.up), worker_now(&s.bed.worker)));
		job_init(&j, s.up, "GET", "/now");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 100 * NS_MS);
		assert_int_equal(j.why, ERR_TLS_HANDSHAKE);
		job_fini(&j);
	}
	assert_true(tuner_is_cut(upstream_tuner(s.up), worker_now(&s.bed.worker)));
	raw_server_fini(&full);
	scene_fini(&s);
}

/* A caller that leaves during the handshake leaves a connection for the pool. */
static void test_abandoned_during_the_handshake(void **state)
{
	struct scene s;
	struct job j;
	(void)state;
	scene_init(&s, &(struct sim_cfg){ .seed = 1, .latency = 10 * NS_MS });
	scene_upstream(&s, upstream_defaults());
	scene_server(&s, (struct server_cfg){ .idle_for = 100 * NS_S });
	job_init(&j, s.up, "GET", "/now");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 30 * NS_MS); /* the socket is there, TLS is not */
	job_abandon(&j);
	bed_run(&s.bed, NS_S);
	assert_int_equal(upstream_slots(s.up)->in[SLOT_IDLE].len, 1);
	assert_int_equal(j.ends, 0);
	job_fini(&j);
	run_job(&s, &j, "/now");
	assert_int_equal(j.why, ERR_OK);
	assert_int_equal(seen(&s)->handshakes, 1);
	job_fini(&j);
	scene_fini(&s);
}

/* Whose handshake takes longer than a connection at rest is given is served all the same. */
static void test_a_handshake_under_way_as_the_server_drains(void **state)
{
	struct scene s;
	struct job j;
	(void)state;
	scene_init(&s, &(struct sim_cfg){ .seed = 1, .latency = 300 * NS_MS });
	struct upstream_cfg cfg = upstream_defaults();
	cfg.connect_for = 5 * NS_S;
	scene_upstream(&s, cfg);
	scene_server(
		&s, (struct server_cfg){ .idle_for = 100 * NS_S, .head_for = 10 * NS_S });
	job_init(&j, s.up, "GET", "/now");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	for (int i = 0; i < 100 && !server_conn_count(s.app.server); i++)
		bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(server_conn_count(s.app.server), 1);
	assert_int_equal(server_tls_counts(s.app.server)->handshakes, 0);
	server_drain(s.app.server);
	bed_run(&s.bed, 10 * NS_S);
	assert_int_equal(j.why, ERR_OK);
	assert_int_equal(server_conn_count(s.app.server), 0);
	job_fini(&j);
	scene_fini(&s);
}

/* Calls under way end on the connections they are on; new ones find the new certificate. */
static void test_certificates_change_under_calls(void **state)
{
	struct scene s;
	struct job j[4];
	struct problem p = { "" };
	(void)state;
	scene_init(&s, &(struct sim_cfg){ .seed = 1 });
	scene_upstream(&s, upstream_defaults());
	scene_server(&s, (struct server_cfg){ 0 });
	for (size_t i = 0; i < 4; i++) {
		job_init(&j[i], s.up, "GET", "/later?500");
		assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
		bed_run(&s.bed, 100 * NS_MS);
		struct tls_server *next = tls_server_new(
			&(struct tls_server_cfg){ { s.cert.cert.ptr, s.cert.key.ptr },
				.handshake_for = NS_S },
			&p);
		struct upstream_cfg cfg = upstream_defaults();
		server_set_tls(s.app.server, next);
		tls_server_unref(&next);
		cfg.tls = new_client(&s, NS_S);
		upstream_reconfigure(s.up, &cfg);
		tls_client_unref(&cfg.tls);
	}
	bed_run(&s.bed, 20 * NS_S);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(j[i].why, ERR_OK);
		job_fini(&j[i]);
	}
	scene_fini(&s);
}

/* Calls in turn of two threads' upstreams under a limit of one: it has its TLS with it, unless
 * the other thread speaks as another client. */
static void take_turns(bool same_client, int turns, uint64_t handshakes)
{
	struct scene s;
	scene_init(&s, &(struct sim_cfg){ .seed = 1 });
	scene_server(&s, (struct server_cfg){ .idle_for = 1000 * NS_S });
	struct tls_client *client[SEATS] = { new_client(&s, 0), NULL };
	struct upstream_cfg cfg = upstream_defaults();
	struct pair pair;
	struct job j;
	client[1] = same_client ? client[0] : new_client(&s, 0);
	pair_init(&pair, &s.bed, &(struct worker_cfg){ 0 });
	cfg.limit = 1;
	for (uint32_t i = 0; i < SEATS; i++) {
		cfg.tls = client[i];
		pair_start(&pair, cfg, i);
	}
	tls_client_unref(&client[0]);
	if (!same_client)
		tls_client_unref(&client[1]);
	for (int i = 0; i < turns; i++) {
		s.up = pair.up[i % 2];
		assert_int_equal(run_job(&s, &j, "/now")->why, ERR_OK);
		job_fini(&j);
	}
	uint64_t moves = upstream_stats(pair.up[0])->adopted +
			 upstream_stats(pair.up[1])->adopted;
	assert_int_equal(moves, same_client ? turns - 1 : 0);
	assert_int_equal(share_used(pair.share), 1);
	s.up = NULL;
	pair_fini(&pair);
	assert_int_equal(server_tls_counts(s.app.server)->handshakes, handshakes);
	scene_fini(&s);
}

static void test_moves_with_its_tls(void **state)
{
	(void)state;
	take_turns(true, 5, 1);
}

static void test_not_to_another_client(void **state)
{
	(void)state;
	take_turns(false, 3, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_calls_share_a_connection),
		TEST(test_bodies_both_ways),
		TEST(test_half_an_answer),
		TEST(test_a_body_until_close_needs_close_notify),
		TEST(test_a_refusal_before_the_request),
		TEST(test_turned_away_after_the_handshake),
		TEST(test_a_certificate_that_does_not_verify),
		TEST(test_a_server_that_does_not_shake_hands),
		TEST(test_what_shook_no_hands_is_held),
		TEST(test_what_never_looks_is_a_ghost_in_the_end),
		TEST(test_what_shook_no_hands_is_reset_where_asked),
		TEST(test_cut_off_in_the_handshake),
		TEST(test_abandoned_during_the_handshake),
		TEST(test_certificates_change_under_calls),
		TEST(test_a_handshake_under_way_as_the_server_drains),
		TEST(test_moves_with_its_tls),
		TEST(test_not_to_another_client),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
