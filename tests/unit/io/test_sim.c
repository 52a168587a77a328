/* What only the simulated world has: its clock, ports, states of closing, faults. */
#include "io/sim.h"
#include "tests/unit/base/unit.h"

#define CONNS 200

struct side {
	struct io_sock s;
	enum err connected, end;
	uint64_t got;
	ns_t ready_at;
	bool keeps; /* what comes is left where it is */
};

struct world {
	struct sim *sim;
	struct io_loop *a, *b;
	struct io_listener l;
	struct side client[CONNS], server[CONNS];
	uint32_t accepted;
	bool is_closed; /* nobody accepts */
};

static void on_side(struct io_sock *s, unsigned bits)
{
	struct side *side = CONTAINER_OF(s, struct side, s);
	uint8_t buf[4096];
	size_t n;

	(void)bits;
	side->ready_at = io_now(s->loop);
	if (s->connecting) {
		side->connected = io_connect_result(s);
		io_want(s, side->connected == ERR_OK ? IO_READ : 0);
		return;
	}
	if (side->keeps) {
		io_want(s, 0);
		return;
	}
	while ((side->end = io_read(s, buf, sizeof(buf), &n)) == ERR_OK)
		side->got += n;
	if (side->end != ERR_AGAIN)
		io_want(s, 0);
}

static void on_accept(struct io_sock *s, unsigned bits)
{
	struct world *w = CONTAINER_OF(s, struct world, l.sock);

	(void)bits;
	while (w->accepted < CONNS) {
		struct side *side = &w->server[w->accepted];
		side->s.on_ready = on_side;
		side->end = ERR_AGAIN;
		if (io_accept(&w->l, &side->s, NULL) != ERR_OK)
			return;
		io_want(&side->s, IO_READ);
		w->accepted++;
	}
}

static struct world *world_new(const struct sim_cfg *cfg, int backlog)
{
	const struct io_listen_cfg listen = { .backlog = backlog };
	struct world *w = mem_zalloc(sizeof(*w));
	struct problem p = { 0 };
	struct addr at;

	w->sim = sim_new(cfg);
	w->a = sim_host(w->sim, "10.0.0.1");
	w->b = sim_host(w->sim, "10.0.0.2");
	assert_true(addr_parse(SLICE("10.0.0.2:80"), &at, &p));
	assert_int_equal(io_listen(w->b, &w->l, &at, &listen, &p), ERR_OK);
	w->l.sock.on_ready = on_accept;
	io_want(&w->l.sock, IO_READ);
	return w;
}

static void world_free(struct world *w)
{
	for (size_t i = 0; i < CONNS; i++) {
		io_close(&w->client[i].s, IO_CLOSE_FIN);
		io_close(&w->server[i].s, IO_CLOSE_FIN);
	}
	io_listener_close(&w->l);
	sim_free(&w->sim);
	mem_free(w);
}

static enum err start(struct world *w, uint32_t i)
{
	struct side *c = &w->client[i];

	c->s.on_ready = on_side;
	c->connected = c->end = ERR_AGAIN;
	enum err e = io_connect(w->a, &c->s, &w->l.at, NULL);
	if (e == ERR_OK)
		io_want(&c->s, IO_WRITE);
	return e;
}

static void run_for(struct world *w, ns_t wait)
{
	(void)sim_run(w->sim, sim_now(w->sim) + wait);
}

static void open_conns(struct world *w, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(start(w, i), ERR_OK);
	run_for(w, 100 * NS_MS);
	assert_int_equal(w->accepted, n);
}

static struct sim_counts counts(struct world *w, const struct io_loop *host)
{
	struct sim_counts c;
	sim_count(w->sim, host, &c);
	return c;
}

static void put(struct side *side, size_t len)
{
	static uint8_t zeros[8192];
	struct iovec v = { zeros, len };
	size_t n;

	assert_true(len <= sizeof(zeros));
	assert_int_equal(io_writev(&side->s, &v, 1, &n), ERR_OK);
	assert_int_equal(n, len);
}

static void time_wait_stands_on_the_first_closer(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	(void)state;

	open_conns(w, 2);
	assert_int_equal(counts(w, w->a).established, 2);
	assert_int_equal(counts(w, w->b).established, 2);
	io_close(&w->client[0].s, IO_CLOSE_FIN);
	io_close(&w->server[1].s, IO_CLOSE_FIN);
	run_for(w, 10 * NS_MS);
	assert_int_equal(counts(w, w->a).fin_wait2, 1);
	assert_int_equal(counts(w, w->a).close_wait, 1);
	assert_int_equal(counts(w, w->b).fin_wait2, 1);
	assert_int_equal(counts(w, w->b).close_wait, 1);
	assert_int_equal(w->server[0].end, ERR_EOF);
	io_close(&w->server[0].s, IO_CLOSE_FIN);
	io_close(&w->client[1].s, IO_CLOSE_FIN);
	run_for(w, 10 * NS_MS);
	assert_int_equal(counts(w, w->a).time_wait, 1);
	assert_int_equal(counts(w, w->b).time_wait, 1);
	assert_int_equal(counts(w, w->a).ports_used, 1);
	run_for(w, 59 * NS_S);
	assert_int_equal(counts(w, w->a).time_wait, 1);
	run_for(w, NS_S);
	assert_int_equal(counts(w, w->a).time_wait, 0);
	assert_int_equal(counts(w, w->b).time_wait, 0);
	assert_int_equal(counts(w, w->a).ports_used, 0);
	assert_int_equal(counts(w, w->a).resets_sent + counts(w, w->b).resets_sent, 0);
	world_free(w);
}

static void closing_at_once_leaves_time_wait_on_both(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	(void)state;

	open_conns(w, 1);
	io_close(&w->client[0].s, IO_CLOSE_FIN);
	io_close(&w->server[0].s, IO_CLOSE_FIN);
	run_for(w, 10 * NS_MS);
	assert_int_equal(counts(w, w->a).time_wait, 1);
	assert_int_equal(counts(w, w->b).time_wait, 1);
	world_free(w);
}

static void a_late_answer_meets_fin_wait2_and_resets(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	(void)state;

	open_conns(w, 1);
	put(&w->client[0], 100);
	run_for(w, NS_MS);
	io_close(&w->client[0].s, IO_CLOSE_FIN); /* it has timed out */
	run_for(w, NS_S);
	assert_int_equal(counts(w, w->a).fin_wait2, 1);
	put(&w->server[0], 100);
	run_for(w, NS_MS);
	assert_int_equal(counts(w, w->a).fin_wait2, 0);
	assert_int_equal(counts(w, w->a).time_wait, 0);
	assert_int_equal(counts(w, w->a).resets_sent, 1);
	assert_int_equal(counts(w, w->b).close_wait, 0);
	struct iovec v = { "x", 1 };
	size_t n;
	assert_int_equal(io_writev(&w->server[0].s, &v, 1, &n), ERR_PIPE);
	world_free(w);
}

static void orphaned_fin_wait2_ends_after_a_minute(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	(void)state;

	open_conns(w, 1);
	io_close(&w->client[0].s, IO_CLOSE_FIN);
	run_for(w, 59 * NS_S);
	assert_int_equal(counts(w, w->a).fin_wait2, 1);
	run_for(w, 2 * NS_S);
	assert_int_equal(counts(w, w->a).fin_wait2, 0);
	assert_int_equal(counts(w, w->a).time_wait, 0);
	assert_int_equal(counts(w, w->b).close_wait, 1); /* the server has not closed */
	world_free(w);
}

static void a_reset_leaves_nothing_on_either_side(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	(void)state;

	open_conns(w, 1);
	io_close(&w->client[0].s, IO_CLOSE_RESET);
	assert_int_equal(counts(w, w->a).ports_used, 0);
	run_for(w, NS_MS);
	assert_int_equal(w->server[0].end, ERR_RESET);
	struct sim_counts c = counts(w, w->b);
	assert_int_equal(c.established + c.time_wait + c.fin_wait2 + c.close_wait, 0);
	world_free(w);
}

static void a_lost_reset_leaves_the_other_end_open(void **state)
{
	struct sim_cfg cfg = { .seed = 1, .lose_rst = 1 };
	struct world *w = world_new(&cfg, 0);
	(void)state;

	open_conns(w, 1);
	io_close(&w->client[0].s, IO_CLOSE_RESET);
	run_for(w, 3600 * NS_S);
	assert_int_equal(w->server[0].end, ERR_AGAIN);
	assert_int_equal(counts(w, w->b).established, 1);
	put(&w->server[0], 10); /* told to go away: at first in vain, then heard */
	run_for(w, NS_S);
	assert_int_equal(counts(w, w->b).established, 1);
	cfg.lose_rst = 0;
	sim_set(w->sim, &cfg);
	run_for(w, 2 * NS_S);
	assert_int_equal(w->server[0].end, ERR_RESET);
	world_free(w);
}

static void a_shut_window_is_probed(void **state)
{
	struct sim_cfg cfg = { .seed = 1, .lose_rst = 1, .buf_bytes = 4096 };
	struct world *w = world_new(&cfg, 0);
	(void)state;

	open_conns(w, 1);
	io_want(&w->server[0].s, 0);
	put(&w->client[0], 4096); /* all that the server will take unread */
	run_for(w, NS_S);
	put(&w->client[0], 100);
	io_close(&w->server[0].s, IO_CLOSE_RESET); /* and the RST is lost */
	run_for(w, 150 * NS_MS);
	cfg.lose_rst = 0;
	sim_set(w->sim, &cfg);
	assert_int_equal(w->client[0].end, ERR_AGAIN);
	run_for(w, NS_S);
	assert_int_equal(w->client[0].end, ERR_RESET);
	world_free(w);
}

static void a_client_that_gave_up_is_told_of_again(void **state)
{
	struct sim_cfg cfg = { .seed = 1, .lose_rst = 1 };
	struct world *w = world_new(&cfg, 0);
	(void)state;

	assert_int_equal(start(w, 0), ERR_OK);
	run_for(w, 150 * NS_US); /* the SYN is there, the SYN-ACK is not yet */
	io_close(&w->client[0].s, IO_CLOSE_FIN);
	run_for(w, NS_S / 2);
	assert_int_equal(counts(w, w->a).resets_sent, 1);
	cfg.lose_rst = 0;
	sim_set(w->sim, &cfg);
	assert_false(sim_run(w->sim, 100 * NS_S));
	assert_int_equal(counts(w, w->a).resets_sent, 2);
	assert_int_equal(w->accepted, 0);
	world_free(w);
}

static void a_host_reaches_itself(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	struct problem p = { 0 };
	struct addr to;
	(void)state;

	assert_true(addr_parse(SLICE("127.0.0.1:80"), &to, &p));
	w->client[0].s.on_ready = on_side;
	assert_int_equal(io_connect(w->b, &w->client[0].s, &to, NULL), ERR_OK);
	io_want(&w->client[0].s, IO_WRITE);
	run_for(w, NS_S);
	assert_int_equal(w->client[0].connected, ERR_OK);
	assert_int_equal(w->accepted, 1);
	assert_int_equal(counts(w, w->b).established, 2);
	world_free(w);
}

static void what_is_never_acknowledged_fails_in_the_end(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1, .lose_rst = 1 }, 0);
	(void)state;

	open_conns(w, 1);
	io_close(&w->client[0].s, IO_CLOSE_RESET);
	put(&w->server[0], 10);
	run_for(w, 3600 * NS_S);
	assert_int_equal(w->server[0].end, ERR_CONNECT_TIMEOUT);
	world_free(w);
}

static void ports_run_out_per_destination(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1, .ports = 5 }, 0);
	struct io_listener other = { 0 };
	struct problem p = { 0 };
	struct addr at;
	(void)state;

	open_conns(w, 5);
	assert_int_equal(start(w, 5), ERR_NO_PORTS);
	assert_false(io_is_open(&w->client[5].s));
	assert_int_equal(counts(w, w->a).ports_used, 5);
	assert_true(addr_parse(SLICE("10.0.0.2:81"), &at, &p));
	assert_int_equal(io_listen(w->b, &other, &at, NULL, &p), ERR_OK);
	w->client[6].s.on_ready = on_side;
	assert_int_equal(io_connect(w->a, &w->client[6].s, &at, NULL), ERR_OK);
	io_close(&w->client[6].s, IO_CLOSE_FIN);
	io_listener_close(&other);
	assert_true(addr_parse(SLICE("10.0.0.9:0"), &at, &p)); /* an alias of this host */
	assert_int_equal(io_connect(w->a, &w->client[7].s, &w->l.at, &at), ERR_OK);
	assert_true(addr_parse(SLICE("10.0.0.2:0"), &at, &p)); /* not one of its own */
	assert_int_equal(io_connect(w->a, &w->client[8].s, &w->l.at, &at), ERR_SOCKET);
	io_close(&w->client[0].s, IO_CLOSE_FIN);
	io_close(&w->server[0].s, IO_CLOSE_FIN);
	run_for(w, NS_S);
	assert_int_equal(start(w, 5), ERR_NO_PORTS); /* TIME_WAIT holds it */
	run_for(w, 60 * NS_S);
	assert_int_equal(start(w, 5), ERR_OK);
	world_free(w);
}

static void a_servers_time_wait_is_recycled(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1, .ports = 1 }, 0);
	(void)state;

	open_conns(w, 1);
	io_close(&w->server[0].s, IO_CLOSE_FIN);
	run_for(w, NS_MS);
	io_close(&w->client[0].s, IO_CLOSE_FIN);
	run_for(w, NS_MS);
	assert_int_equal(counts(w, w->b).time_wait, 1);
	assert_int_equal(start(w, 1), ERR_OK);
	run_for(w, NS_MS);
	assert_int_equal(w->client[1].connected, ERR_OK);
	assert_int_equal(counts(w, w->b).time_wait, 0);
	world_free(w);
}

static void a_port_comes_back_while_the_server_still_holds_it(void **state)
{
	struct sim_cfg cfg = { .seed = 1, .ports = 1, .lose_rst = 1 };
	struct world *w = world_new(&cfg, 0);
	(void)state;

	open_conns(w, 1);
	io_close(&w->client[0].s, IO_CLOSE_RESET);
	assert_int_equal(start(w, 1), ERR_OK);
	run_for(w, 500 * NS_MS); /* the server's end of the old one dies of the new SYN */
	assert_int_equal(w->server[0].end, ERR_RESET);
	assert_int_equal(w->client[1].connected, ERR_AGAIN);
	run_for(w, NS_S);
	assert_int_equal(w->client[1].connected, ERR_OK);
	world_free(w);
}

static void a_full_backlog_delays_by_a_second(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 2);
	(void)state;

	io_want(&w->l.sock, 0);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(start(w, i), ERR_OK);
	run_for(w, 900 * NS_MS);
	assert_int_equal(counts(w, w->b).established, 3); /* one more than asked for */
	assert_int_equal(w->client[4].connected, ERR_AGAIN);
	io_want(&w->l.sock, IO_READ);
	run_for(w, 200 * NS_MS);
	assert_int_equal(w->accepted, 5);
	assert_true(w->client[4].ready_at >= NS_S);
	world_free(w);
}

static void nobody_answers_a_syn(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 1);
	(void)state;

	io_want(&w->l.sock, 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(start(w, i), ERR_OK);
	run_for(w, 126 * NS_S);
	assert_int_equal(w->client[2].connected, ERR_AGAIN);
	run_for(w, 2 * NS_S);
	assert_int_equal(w->client[2].connected, ERR_CONNECT_TIMEOUT);
	world_free(w);
}

static void connecting_takes_a_round_trip(void **state)
{
	struct world *w = world_new(
		&(struct sim_cfg){ .seed = 1, .latency = 3 * NS_MS }, 0);
	struct problem p = { 0 };
	struct addr at;
	(void)state;

	assert_int_equal(start(w, 0), ERR_OK);
	run_for(w, NS_S);
	assert_int_equal(w->client[0].connected, ERR_OK);
	assert_true(w->client[0].ready_at == 6 * NS_MS);
	assert_true(io_rtt(&w->client[0].s) == 6 * NS_MS);
	w->client[1].s.on_ready = w->client[2].s.on_ready = on_side;
	assert_true(addr_parse(SLICE("10.0.0.2:81"), &at, &p)); /* no listener */
	assert_int_equal(io_connect(w->a, &w->client[1].s, &at, NULL), ERR_OK);
	assert_true(addr_parse(SLICE("10.0.0.3:81"), &at, &p)); /* no host */
	assert_int_equal(io_connect(w->a, &w->client[2].s, &at, NULL), ERR_OK);
	io_want(&w->client[1].s, IO_WRITE);
	io_want(&w->client[2].s, IO_WRITE);
	run_for(w, 10 * NS_MS);
	assert_int_equal(w->client[1].connected, ERR_REFUSED);
	assert_true(w->client[1].ready_at == NS_S + 6 * NS_MS);
	assert_int_equal(io_connect_result(&w->client[2].s), ERR_AGAIN);
	run_for(w, 3 * NS_S);
	assert_int_equal(w->client[2].connected, ERR_UNREACHABLE);
	world_free(w);
}

static void descriptors_and_writes_are_bounded(void **state)
{
	struct sim_cfg cfg = { .seed = 1, .fd_max = 2, .write_max = 3 };
	struct world *w = world_new(&cfg, 0);
	struct iovec v = { "hello", 5 };
	size_t n;
	(void)state;

	assert_int_equal(start(w, 0), ERR_OK);
	assert_int_equal(start(w, 1), ERR_OK);
	assert_int_equal(start(w, 2), ERR_NO_FDS);
	run_for(w, NS_MS);
	assert_int_equal(io_writev(&w->client[0].s, &v, 1, &n), ERR_OK);
	assert_int_equal(n, 3);
	assert_int_equal(w->accepted, 1); /* the listener is one of the two */
	world_free(w);
}

static void a_cut_resets_what_is_between_two_hosts(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	struct io_loop *third = sim_host(w->sim, "10.0.0.3");
	(void)state;

	open_conns(w, 3);
	assert_int_equal(sim_cut(w->sim, w->a, third), 0);
	assert_int_equal(sim_cut(w->sim, w->b, w->a), 3);
	run_for(w, NS_MS);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(w->client[i].end, ERR_RESET);
		assert_int_equal(w->server[i].end, ERR_RESET);
	}
	assert_int_equal(sim_cut(w->sim, w->a, NULL), 0);
	world_free(w);
}

static void the_run_ends_when_nothing_is_left(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	(void)state;

	assert_false(sim_run(w->sim, 10 * NS_S));
	open_conns(w, 1);
	io_close(&w->client[0].s, IO_CLOSE_FIN);
	io_close(&w->server[0].s, IO_CLOSE_FIN);
	assert_true(sim_now(w->sim) == 10 * NS_S + 100 * NS_MS);
	assert_true(sim_run(w->sim, 20 * NS_S)); /* TIME_WAIT will end */
	assert_true(sim_now(w->sim) == 20 * NS_S);
	assert_false(sim_run(w->sim, NS_NEVER));
	assert_int_equal(counts(w, w->a).time_wait, 0);
	world_free(w);
}

/* Everything that depends on chance, into one number. */
static uint64_t play(uint64_t seed)
{
	struct sim_cfg cfg = { .seed = seed, .jitter = 5 * NS_MS, .lose_rst = 0.5 };
	struct world *w = world_new(&cfg, 3);
	uint64_t trace = seed;
	struct rng rng;

	rng_init(&rng, seed);
	for (uint32_t i = 0; i < CONNS; i++) {
		assert_int_equal(start(w, i), ERR_OK);
		run_for(w, (ns_t)rng_below(&rng, 3 * NS_MS));
		struct side *c = &w->client[rng_below(&rng, i + 1)];
		if (!io_is_open(&c->s) || c->connected != ERR_OK)
			continue;
		if (rng_below(&rng, 2))
			put(c, 1 + rng_below(&rng, 100));
		else
			io_close(&c->s,
				rng_below(&rng, 2) ? IO_CLOSE_FIN : IO_CLOSE_RESET);
	}
	run_for(w, 10 * NS_S);
	for (uint32_t i = 0; i < CONNS; i++) {
		const struct side *c = &w->client[i], *s = &w->server[i];
		uint64_t word = s->got ^ (uint64_t)s->ready_at ^
				((uint64_t)c->ready_at << 20) ^ ((uint64_t)s->end << 56);
		trace = rng_mix(trace, word);
	}
	world_free(w);
	return trace;
}

static void a_run_is_a_function_of_its_seed(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 20; seed++)
		assert_true(play(seed) == play(seed));
	assert_false(play(1) == play(2));
}

/* A crowd that connects, writes, reads, shuts and closes at random, both sides. */
struct fuzz {
	struct world *w;
	struct rng rng;
	uint64_t sent[2][CONNS],
		got[2][CONNS]; /* by the client's side, by the server's */
};

static struct side *fuzz_side(struct fuzz *f, uint32_t who, uint32_t i)
{
	return who ? &f->w->server[i] : &f->w->client[i];
}

static void fuzz_write(struct fuzz *f, uint32_t who, uint32_t i)
{
	uint8_t buf[3000];
	size_t len = 1 + rng_below(&f->rng, sizeof(buf)), n;
	struct iovec v = { buf, len };

	for (size_t k = 0; k < len; k++)
		buf[k] = (uint8_t)((f->sent[who][i] + k) * 11 + who);
	if (io_writev(&fuzz_side(f, who, i)->s, &v, 1, &n) == ERR_OK)
		f->sent[who][i] += n;
}

static void fuzz_read(struct fuzz *f, uint32_t who, uint32_t i)
{
	uint8_t buf[3000];
	size_t n;

	(void)!io_read(&fuzz_side(f, who, i)->s, buf, 1 + rng_below(&f->rng, 3000), &n);

	for (size_t k = 0; k < n; k++)
		assert_int_equal(buf[k], (uint8_t)((f->got[who][i] + k) * 11 + !who));
	f->got[who][i] += n;
}

static void fuzz_step(struct fuzz *f)
{
	uint32_t who = (uint32_t)rng_below(&f->rng, 2);
	uint32_t i = (uint32_t)rng_below(&f->rng, CONNS);
	struct io_sock *s = &fuzz_side(f, who, i)->s;
	uint64_t what = rng_below(&f->rng, 100);

	if (rng_below(&f->rng, 10) == 0) {
		run_for(f->w, (ns_t)rng_below(&f->rng, NS_MS));
	} else if (s->connecting) {
		if (what < 2)
			io_close(s, IO_CLOSE_FIN);
	} else if (!io_is_open(s)) {
		if (!who && f->sent[0][i] == 0 && f->got[0][i] == 0)
			(void)!start(f->w, i);
	} else if (what < 45) {
		fuzz_write(f, who, i);
	} else if (what < 90) {
		fuzz_read(f, who, i);
	} else if (what < 97) {
		(void)!io_shutdown(s);
	} else {
		io_close(s, what < 99 ? IO_CLOSE_FIN : IO_CLOSE_RESET);
	}
}

static void is_empty(struct world *w, const struct io_loop *host)
{
	struct sim_counts c = counts(w, host);
	assert_int_equal(c.established + c.time_wait + c.fin_wait2 + c.close_wait, 0);
	assert_int_equal(c.ports_used, 0);
}

static void fuzz(uint64_t seed)
{
	struct sim_cfg cfg = { .seed = seed,
		.jitter = seed % 3 ? NS_MS : 0,
		.lose_rst = seed % 2 ? 0.7 : 0,
		.buf_bytes = seed % 5 ? 0 : 4096,
		.ports = seed % 7 ? 0 : 40,
		.write_max = seed % 4 ? 0 : 700 };
	struct fuzz *f = mem_zalloc(sizeof(*f));

	f->w = world_new(&cfg, seed % 2 ? 5 : 0);
	rng_init(&f->rng, seed);
	for (uint32_t i = 0; i < CONNS; i++) /* read by fuzz_read only */
		f->w->server[i].keeps = f->w->client[i].keeps = true;
	for (uint32_t i = 0; i < 20000; i++)
		fuzz_step(f);
	for (uint32_t i = 0; i < CONNS; i++) {
		io_close(&f->w->client[i].s, IO_CLOSE_FIN);
		io_close(&f->w->server[i].s, IO_CLOSE_FIN);
	}
	io_listener_close(&f->w->l);
	uint64_t got = 0;
	for (uint32_t i = 0; i < CONNS; i++)
		got += f->got[0][i] + f->got[1][i];
	if (got < 100 * 1000) /* it was no crowd */
		fail_msg("seed %lu: only %lu bytes", (unsigned long)seed,
			(unsigned long)got);
	assert_false(sim_run(f->w->sim, NS_NEVER));
	is_empty(f->w, f->w->a); /* in any of the ways to get there */
	is_empty(f->w, f->w->b);
	world_free(f->w);
	mem_free(f);
}

static void whatever_happens_nothing_is_left(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++)
		fuzz(seed);
}

static void spin(struct io_defer *d);

struct spinner {
	struct io_defer defer;
	struct io_loop *loop;
	uint64_t turns;
};

static void spin(struct io_defer *d)
{
	struct spinner *s = CONTAINER_OF(d, struct spinner, defer);
	s->turns++;
	io_defer(s->loop, d);
}

static void spinning_takes_time(void **state)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	struct spinner s = { .defer.fn = spin, .loop = w->a };
	(void)state;

	io_defer(w->a, &s.defer);
	assert_true(sim_run(w->sim, NS_MS));
	assert_true(s.turns > 900 && s.turns < 1100);
	io_defer_cancel(w->a, &s.defer);
	world_free(w);
}

static void leave_a_socket_open(void)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	sim_free(&w->sim);
}

static void free_a_host(void)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	io_loop_free(&w->a);
}

static void run_a_host(void)
{
	struct world *w = world_new(&(struct sim_cfg){ .seed = 1 }, 0);
	io_loop_run(w->a);
}

static void misuse_is_told(void **state)
{
	(void)state;
	assert_true(aborts(leave_a_socket_open));
	assert_true(aborts(free_a_host));
	assert_true(aborts(run_a_host));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(time_wait_stands_on_the_first_closer),
		TEST(closing_at_once_leaves_time_wait_on_both),
		TEST(a_late_answer_meets_fin_wait2_and_resets),
		TEST(orphaned_fin_wait2_ends_after_a_minute),
		TEST(a_reset_leaves_nothing_on_either_side),
		TEST(a_lost_reset_leaves_the_other_end_open),
		TEST(a_shut_window_is_probed),
		TEST(a_client_that_gave_up_is_told_of_again),
		TEST(a_host_reaches_itself),
		TEST(what_is_never_acknowledged_fails_in_the_end),
		TEST(ports_run_out_per_destination),
		TEST(a_servers_time_wait_is_recycled),
		TEST(a_port_comes_back_while_the_server_still_holds_it),
		TEST(a_full_backlog_delays_by_a_second),
		TEST(nobody_answers_a_syn),
		TEST(connecting_takes_a_round_trip),
		TEST(descriptors_and_writes_are_bounded),
		TEST(a_cut_resets_what_is_between_two_hosts),
		TEST(the_run_ends_when_nothing_is_left),
		TEST(a_run_is_a_function_of_its_seed),
		TEST(whatever_happens_nothing_is_left),
		TEST(spinning_takes_time),
		TEST(misuse_is_told),
	};
	return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
