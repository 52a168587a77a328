/* Sockets: the same on both loops, over TCP and unix:. */
#include "tests/unit/io/bed.h"

#define IN_CAP (64 * 1024)

/* One side of a connection, or a listener's accept. */
struct peer {
	struct io_sock s;
	bool drains; /* reads all that comes, until the end */
	bool stops;  /* takes back what it wants when called */
	uint32_t calls;
	unsigned bits;           /* all that was told */
	enum err connected, end; /* ERR_AGAIN: not yet */
	uint64_t got;            /* bytes read, which must be the pattern's */
};

struct scene {
	struct bed bed;
	struct io_listener l;
	struct peer client, server;
	struct addr peer_addr;
	uint32_t accept_calls;
	enum err accepted;
};

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 7 + at / 251);
}

static void drain(struct peer *p)
{
	static uint8_t buf[IN_CAP];
	size_t n;

	while ((p->end = io_read(&p->s, buf, sizeof(buf), &n)) == ERR_OK) {
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf[i], pattern(p->got + i));
		p->got += n;
	}
	if (p->end != ERR_AGAIN)
		io_want(&p->s, 0);
}

static void on_peer(struct io_sock *s, unsigned bits)
{
	struct peer *p = CONTAINER_OF(s, struct peer, s);

	assert_int_equal(bits & ~s->wanted, 0);
	assert_int_not_equal(bits, 0);
	p->calls++;
	p->bits |= bits;
	if (s->connecting) {
		p->connected = io_connect_result(s);
		if (p->connected != ERR_AGAIN)
			io_want(s, 0);
	} else if (p->stops) {
		io_want(s, 0);
	} else if (p->drains && (bits & IO_READ)) {
		drain(p);
	}
}

static struct peer peer_new(void)
{
	return (struct peer){
		.s.on_ready = on_peer, .connected = ERR_AGAIN, .end = ERR_AGAIN
	};
}

static void on_accept(struct io_sock *s, unsigned bits)
{
	struct scene *sc = CONTAINER_OF(s, struct scene, l.sock);

	assert_int_equal(bits, IO_READ);
	sc->accept_calls++;
	if (!io_is_open(&sc->server.s))
		sc->accepted = io_accept(&sc->l, &sc->server.s, &sc->peer_addr);
}

static void scene_listen(struct scene *sc, enum bed_kind kind)
{
	struct problem p = { 0 };
	struct addr at;

	memset(sc, 0, sizeof(*sc));
	bed_init(&sc->bed);
	bed_addr(&sc->bed, kind, &at);
	sc->client = peer_new();
	sc->server = peer_new();
	sc->accepted = ERR_AGAIN;
	assert_int_equal(io_listen(sc->bed.server, &sc->l, &at, NULL, &p), ERR_OK);
	assert_string_equal(p.text, "");
	sc->l.sock.on_ready = on_accept;
	io_want(&sc->l.sock, IO_READ);
}

static bool is_connected(const void *arg)
{
	const struct scene *sc = arg;
	return sc->client.connected == ERR_OK && io_is_open(&sc->server.s);
}

static void scene_open(struct scene *sc, enum bed_kind kind)
{
	scene_listen(sc, kind);
	assert_int_equal(
		io_connect(sc->bed.client, &sc->client.s, &sc->l.at, NULL), ERR_OK);
	assert_int_equal(sc->client.calls, 0); /* rule 1 */
	if (sc->client.s.connecting)
		io_want(&sc->client.s, IO_WRITE);
	else
		sc->client.connected = io_connect_result(&sc->client.s);
	bed_until(&sc->bed, is_connected, sc);
	assert_int_equal(sc->accepted, ERR_OK);
	sc->client.calls = sc->client.bits = 0;
}

static void scene_close(struct scene *sc)
{
	io_close(&sc->client.s, IO_CLOSE_FIN);
	io_close(&sc->server.s, IO_CLOSE_FIN);
	io_listener_close(&sc->l);
	bed_fini(&sc->bed);
}

static enum bed_kind kind_of(void **state)
{
	return *(enum bed_kind *)*state;
}

/* Writes so many bytes of the pattern from `at` on; returns how many were taken. */
static size_t put(struct peer *p, uint64_t at, size_t len, enum err *why)
{
	static uint8_t buf[IN_CAP];
	struct iovec iov[2];
	size_t n;

	assert_true(len <= sizeof(buf));
	for (size_t i = 0; i < len; i++)
		buf[i] = pattern(at + i);
	iov[0] = (struct iovec){ buf, len / 3 };
	iov[1] = (struct iovec){ buf + len / 3, len - len / 3 };
	*why = io_writev(&p->s, iov, 2, &n);
	assert_true(*why == ERR_OK ? n >= 1 : n == 0);
	return n;
}

static void must_put(struct peer *p, uint64_t at, size_t len)
{
	enum err why;
	assert_int_equal(put(p, at, len, &why), len);
	assert_int_equal(why, ERR_OK);
}

static void drains(struct peer *p)
{
	p->drains = true;
	io_want(&p->s, IO_READ);
}

static bool has_ended(const void *arg)
{
	const struct peer *p = arg;
	return p->end != ERR_AGAIN;
}

static bool has_ten(const void *arg)
{
	const struct peer *p = arg;
	return p->got >= 10;
}

static bool was_told(const void *arg)
{
	const struct peer *p = arg;
	return p->calls > 0;
}

static void connect_accept_and_both_ways(void **state)
{
	struct scene sc;
	struct addr local, remote;

	scene_open(&sc, kind_of(state));
	drains(&sc.client);
	drains(&sc.server);
	must_put(&sc.client, 0, 10);
	bed_until(&sc.bed, has_ten, &sc.server);
	must_put(&sc.server, 0, 10);
	bed_until(&sc.bed, has_ten, &sc.client);
	assert_true(io_local_addr(&sc.client.s, &local));
	assert_true(io_local_addr(&sc.server.s, &remote));
	assert_true(addr_eq(&remote, &sc.l.at));
	if (kind_of(state) == BED_TCP) {
		assert_true(addr_eq(&local, &sc.peer_addr));
		assert_int_not_equal(addr_port(&local), 0);
		assert_true(io_rtt(&sc.client.s) > 0);
	} else {
		assert_true(addr_is_unix(&sc.peer_addr));
		assert_true(io_rtt(&sc.client.s) == 0);
	}
	scene_close(&sc);
}

static bool is_quiet(const void *arg)
{
	struct peer *p = *(struct peer *const *)arg;
	uint32_t unread, unacked;

	assert_int_equal(io_queued(&p->s, &unread, &unacked), ERR_OK);
	return unacked == 0;
}

static void queued_bytes_are_counted(void **state)
{
	struct scene sc;
	uint32_t unread, unacked;
	const struct peer *client;

	scene_open(&sc, kind_of(state));
	must_put(&sc.client, 0, 10);
	io_want(&sc.server.s, IO_READ);
	bed_until(&sc.bed, was_told, &sc.server);
	assert_int_equal(io_queued(&sc.server.s, &unread, &unacked), ERR_OK);
	assert_int_equal(unread, 10);
	assert_int_equal(unacked, 0);
	io_want(&sc.server.s, 0);
	client = &sc.client;
	bed_until(&sc.bed, is_quiet, &client);
	sc.server.end = ERR_AGAIN;
	drain(&sc.server);
	assert_int_equal(io_queued(&sc.server.s, &unread, &unacked), ERR_OK);
	assert_int_equal(unread, 0);
	scene_close(&sc);
}

static bool can_write(const void *arg)
{
	const struct peer *p = arg;
	return p->bits & IO_WRITE;
}

static uint64_t fill(struct peer *p, uint64_t at)
{
	enum err why = ERR_OK;
	uint64_t start = at;

	while (why == ERR_OK)
		at += put(p, at, IN_CAP, &why);
	assert_int_equal(why, ERR_AGAIN);
	return at - start;
}

static void a_full_buffer_stops_the_writer(void **state)
{
	struct scene sc;
	uint64_t sent = 0;

	scene_open(&sc, kind_of(state));
	sent += fill(&sc.client, 0);
	assert_true(sent > 1000);
	for (uint32_t i = 0; i < 1000;
		i++) { /* until what the other end takes is full too */
		bed_settle(&sc.bed);
		uint64_t more = fill(&sc.client, sent);
		sent += more;
		if (more == 0)
			break;
	}
	io_want(&sc.client.s, IO_WRITE);
	bed_settle(&sc.bed);
	assert_int_equal(sc.client.bits, 0); /* nobody reads */
	for (uint32_t round = 0; round < 3; round++) {
		drains(&sc.server);
		bed_until(&sc.bed, can_write, &sc.client);
		io_want(&sc.client.s, 0);
		io_want(&sc.server.s, 0);
		sent += fill(&sc.client, sent);
		sc.client.bits = 0;
		io_want(&sc.client.s, IO_WRITE);
	}
	io_close(&sc.client.s, IO_CLOSE_FIN);
	drains(&sc.server);
	bed_until(&sc.bed, has_ended, &sc.server);
	assert_int_equal(sc.server.end, ERR_EOF);
	assert_true(sc.server.got == sent);
	scene_close(&sc);
}

static void fin_comes_after_the_bytes(void **state)
{
	struct scene sc;

	scene_open(&sc, kind_of(state));
	must_put(&sc.client, 0, 1000);
	io_close(&sc.client.s, IO_CLOSE_FIN);
	assert_false(io_is_open(&sc.client.s));
	drains(&sc.server);
	bed_until(&sc.bed, has_ended, &sc.server);
	assert_int_equal(sc.server.end, ERR_EOF);
	assert_int_equal(sc.server.got, 1000);
	scene_close(&sc);
}

static void a_half_closed_connection_still_answers(void **state)
{
	struct scene sc;
	enum err why;

	scene_open(&sc, kind_of(state));
	drains(&sc.client);
	drains(&sc.server);
	must_put(&sc.client, 0, 10);
	assert_int_equal(io_shutdown(&sc.client.s), ERR_OK);
	assert_int_equal(put(&sc.client, 10, 1, &why), 0);
	assert_int_equal(why, ERR_PIPE);
	bed_until(&sc.bed, has_ended, &sc.server);
	assert_int_equal(sc.server.end, ERR_EOF);
	assert_int_equal(sc.server.got, 10);
	must_put(&sc.server, 0, 500);
	io_close(&sc.server.s, IO_CLOSE_FIN);
	bed_until(&sc.bed, has_ended, &sc.client);
	assert_int_equal(sc.client.end, ERR_EOF);
	assert_int_equal(sc.client.got, 500);
	scene_close(&sc);
}

static void closing_with_unread_bytes_resets(void **state)
{
	struct scene sc;

	scene_open(&sc, kind_of(state));
	must_put(&sc.client, 0, 10);
	io_want(&sc.server.s, IO_READ);
	bed_until(&sc.bed, was_told, &sc.server);
	io_close(&sc.server.s, IO_CLOSE_FIN);
	drains(&sc.client);
	bed_until(&sc.bed, has_ended, &sc.client);
	assert_int_equal(sc.client.end, ERR_RESET);
	assert_int_equal(sc.client.got, 0);
	scene_close(&sc);
}

static void a_reset_on_purpose(void **state)
{
	struct scene sc;
	bool is_tcp = kind_of(state) == BED_TCP; /* unix: knows no SO_LINGER */

	scene_open(&sc, kind_of(state));
	drains(&sc.client);
	io_close(&sc.server.s, IO_CLOSE_RESET);
	bed_until(&sc.bed, has_ended, &sc.client);
	assert_int_equal(sc.client.end, is_tcp ? ERR_RESET : ERR_EOF);
	assert_true(sc.client.bits & IO_READ);
	scene_close(&sc);
}

static void bytes_before_a_reset_are_read_first(void **state)
{
	struct scene sc;
	uint8_t buf[64];
	size_t n;
	bool is_tcp = kind_of(state) == BED_TCP;

	scene_open(&sc, kind_of(state));
	must_put(&sc.client, 0, 10);
	io_want(&sc.server.s, IO_READ);
	bed_until(&sc.bed, was_told, &sc.server);
	io_close(&sc.client.s, IO_CLOSE_RESET);
	bed_settle(&sc.bed);
	assert_int_equal(io_read(&sc.server.s, buf, 4, &n), ERR_OK);
	assert_int_equal(n, 4);
	assert_int_equal(io_read(&sc.server.s, buf, sizeof(buf), &n), ERR_OK);
	assert_int_equal(n, 6);
	assert_int_equal(io_read(&sc.server.s, buf, sizeof(buf), &n),
		is_tcp ? ERR_RESET : ERR_EOF);
	assert_int_equal(n, 0);
	assert_int_equal(io_read(&sc.server.s, buf, sizeof(buf), &n), ERR_EOF);
	scene_close(&sc);
}

static void a_writer_learns_that_the_reader_left(void **state)
{
	struct scene sc;
	enum err why = ERR_OK;

	scene_open(&sc, kind_of(state));
	io_close(&sc.server.s, IO_CLOSE_FIN);
	bed_settle(&sc.bed);
	if (kind_of(state) == BED_TCP) { /* the first is answered by RST */
		must_put(&sc.client, 0, 10);
		bed_settle(&sc.bed);
	}
	assert_int_equal(put(&sc.client, 10, 10, &why), 0);
	assert_int_equal(why, ERR_PIPE);
	scene_close(&sc);
}

static bool connect_is_over(const void *arg)
{
	const struct peer *p = arg;
	return p->connected != ERR_AGAIN;
}

static void nobody_listens(void **state)
{
	struct scene sc;
	struct addr gone;

	scene_listen(&sc, kind_of(state));
	gone = sc.l.at;
	io_listener_close(&sc.l);
	enum err e = io_connect(sc.bed.client, &sc.client.s, &gone, NULL);
	if (e == ERR_OK) {
		io_want(&sc.client.s, IO_WRITE);
		bed_until(&sc.bed, connect_is_over, &sc.client);
		e = sc.client.connected;
		assert_int_equal(io_connect_result(&sc.client.s), e); /* and again */
	} else {
		assert_false(io_is_open(&sc.client.s));
	}
	assert_int_equal(e, ERR_REFUSED);
	scene_close(&sc);
}

static void a_connect_can_be_given_up(void **state)
{
	struct scene sc;

	scene_listen(&sc, kind_of(state));
	assert_int_equal(io_connect(sc.bed.client, &sc.client.s, &sc.l.at, NULL), ERR_OK);
	io_want(&sc.client.s, IO_WRITE);
	io_close(&sc.client.s, IO_CLOSE_RESET);
	io_close(&sc.client.s, IO_CLOSE_RESET); /* not open: fine */
	bed_settle(&sc.bed);
	assert_int_equal(sc.client.calls, 0);
	scene_close(&sc);
}

static void only_what_is_wanted_is_told(void **state)
{
	struct scene sc;

	scene_open(&sc, kind_of(state));
	must_put(&sc.client, 0, 10);
	bed_settle(&sc.bed);
	assert_int_equal(sc.server.calls, 0); /* nothing was wanted */
	io_want(&sc.server.s, IO_READ);
	assert_int_equal(sc.server.calls, 0); /* rule 1 */
	bed_settle(&sc.bed);
	assert_true(sc.server.calls > 3); /* level-like: it has not read */
	sc.server.stops = true;
	bed_until(&sc.bed, was_told, &sc.server);
	bed_settle(&sc.bed);
	uint32_t calls = sc.server.calls;
	bed_settle(&sc.bed);
	assert_int_equal(sc.server.calls, calls);
	assert_int_equal(sc.server.bits, IO_READ);
	sc.server.stops = false;
	sc.server.bits = 0;
	io_want(&sc.server.s, IO_READ | IO_WRITE);
	bed_settle(&sc.bed);
	assert_int_equal(sc.server.bits, IO_READ | IO_WRITE);
	scene_close(&sc);
}

static void dropping_and_wanting_again_loses_nothing(void **state)
{
	struct scene sc;

	scene_open(&sc, kind_of(state));
	io_want(&sc.server.s, IO_READ);
	io_want(&sc.server.s, 0); /* lazily: still armed */
	must_put(&sc.client, 0, 10);
	bed_settle(&sc.bed);
	assert_int_equal(sc.server.calls, 0);
	drains(&sc.server);
	bed_until(&sc.bed, has_ten, &sc.server);
	scene_close(&sc);
}

/* Both are due in one turn; whichever is called first closes and frees both. */
struct pair {
	struct peer *both[2];
	uint32_t calls;
};

static struct pair *the_pair; /* the test's: reached from callbacks of freed objects */

static void close_both(struct io_sock *s, unsigned bits)
{
	(void)s;
	(void)bits;
	the_pair->calls++;
	for (size_t i = 0; i < 2; i++) {
		io_close(&the_pair->both[i]->s, IO_CLOSE_FIN);
		mem_free(the_pair->both[i]);
		the_pair->both[i] = NULL;
	}
}

static bool was_called(const void *arg)
{
	const struct pair *p = arg;
	return p->calls > 0;
}

static void storage_may_go_at_once(void **state)
{
	struct scene sc;
	struct pair pair = { 0 };

	the_pair = &pair;
	scene_listen(&sc, kind_of(state));
	for (size_t i = 0; i < 2; i++) {
		pair.both[i] = mem_zalloc(sizeof(struct peer));
		*pair.both[i] = peer_new();
		assert_int_equal(
			io_connect(sc.bed.client, &pair.both[i]->s, &sc.l.at, NULL),
			ERR_OK);
		io_want(&pair.both[i]->s, IO_WRITE);
		pair.both[i]->s.on_ready = close_both;
	}
	bed_until(&sc.bed, was_called, &pair);
	bed_settle(&sc.bed);
	assert_int_equal(pair.calls, 1);
	scene_close(&sc);
}

static void a_held_port_is_told(void **state)
{
	struct scene sc;
	struct io_listener second = { 0 };
	struct problem p = { 0 };
	struct text at;

	scene_listen(&sc, kind_of(state));
	assert_int_equal(
		io_listen(sc.bed.server, &second, &sc.l.at, NULL, &p), ERR_ADDR_IN_USE);
	assert_false(io_is_open(&second.sock));
	text_init(&at);
	text_add_addr(&at, &sc.l.at);
	assert_non_null(strstr(p.text, at.ptr));
	assert_non_null(strstr(p.text, "already in use"));
	text_fini(&at);
	scene_close(&sc);
}

#define CROWD 4

struct crowd {
	struct scene sc;
	struct peer clients[CROWD], servers[CROWD];
	uint32_t accepted, full;
	ns_t full_at[8];
};

static void on_crowd(struct io_sock *s, unsigned bits)
{
	struct crowd *c = CONTAINER_OF(s, struct crowd, sc.l.sock);
	enum err e;

	(void)bits;
	while (c->accepted < CROWD) {
		e = io_accept(&c->sc.l, &c->servers[c->accepted].s, NULL);
		if (e == ERR_NO_FDS && c->full < ARRAY_LEN(c->full_at)) {
			c->full_at[c->full++] = io_now(c->sc.bed.server);
			assert_int_equal(
				io_accept(&c->sc.l, &c->servers[c->accepted].s, NULL),
				ERR_NO_FDS); /* it rests */
		}
		if (e != ERR_OK)
			return;
		c->accepted++;
	}
}

static bool rested_twice(const void *arg)
{
	const struct crowd *c = arg;
	return c->full >= 3;
}

static bool all_are_in(const void *arg)
{
	const struct crowd *c = arg;
	return c->accepted == CROWD;
}

static void out_of_descriptors_nobody_is_dropped(void **state)
{
	static struct crowd c;

	memset(&c, 0, sizeof(c));
	scene_listen(&c.sc, kind_of(state));
	c.sc.l.sock.on_ready = on_crowd;
	for (size_t i = 0; i < CROWD; i++) {
		c.clients[i] = peer_new();
		c.servers[i] = peer_new();
		assert_int_equal(
			io_connect(c.sc.bed.client, &c.clients[i].s, &c.sc.l.at, NULL),
			ERR_OK);
	}
	bed_limit_fds(&c.sc.bed, 1, 2);
	bed_until(&c.sc.bed, rested_twice, &c);
	assert_int_equal(c.accepted, 2);
	for (uint32_t i = 1; i < 3; i++) /* no spinning */
		assert_true(c.full_at[i] - c.full_at[i - 1] >= 10 * NS_MS);
	bed_limit_fds(&c.sc.bed, 3, UINT32_MAX);
	bed_until(&c.sc.bed, all_are_in, &c);
	for (size_t i = 0; i < CROWD; i++) {
		must_put(&c.servers[i], 0, 10);
		assert_int_equal(io_connect_result(&c.clients[i].s), ERR_OK);
		drains(&c.clients[i]);
		bed_until(&c.sc.bed, has_ten, &c.clients[i]);
		io_close(&c.clients[i].s, IO_CLOSE_FIN);
		io_close(&c.servers[i].s, IO_CLOSE_FIN);
	}
	scene_close(&c.sc);
}

static void a_resting_listener_can_be_closed(void **state)
{
	static struct crowd c;

	memset(&c, 0, sizeof(c));
	scene_listen(&c.sc, kind_of(state));
	c.sc.l.sock.on_ready = on_crowd;
	c.clients[0] = peer_new();
	assert_int_equal(
		io_connect(c.sc.bed.client, &c.clients[0].s, &c.sc.l.at, NULL), ERR_OK);
	bed_limit_fds(&c.sc.bed, 1, 0);
	while (c.full == 0)
		bed_settle(&c.sc.bed);
	io_listener_close(&c.sc.l);
	io_close(&c.clients[0].s, IO_CLOSE_FIN);
	scene_close(&c.sc);
}

static void a_listener_closed_in_its_callback(struct io_sock *s, unsigned bits)
{
	struct scene *sc = CONTAINER_OF(s, struct scene, l.sock);
	(void)bits;
	sc->accept_calls++;
	io_listener_close(&sc->l);
}

static void closing_a_listener_resets_who_waits(void **state)
{
	struct scene sc;

	scene_listen(&sc, kind_of(state));
	sc.l.sock.on_ready = a_listener_closed_in_its_callback;
	assert_int_equal(io_connect(sc.bed.client, &sc.client.s, &sc.l.at, NULL), ERR_OK);
	sc.client.drains = true;
	if (sc.client.s.connecting) {
		io_want(&sc.client.s, IO_WRITE);
		bed_until(&sc.bed, connect_is_over, &sc.client);
	}
	if (sc.client.connected == ERR_RESET) { /* so soon that it was still connecting */
		sc.client.end = ERR_RESET;
	} else {
		io_want(&sc.client.s, IO_READ);
		bed_until(&sc.bed, has_ended, &sc.client);
	}
	assert_int_equal(sc.accept_calls, 1);
	assert_int_equal(sc.client.end, ERR_RESET);
	scene_close(&sc);
}

/* With bytes and a FIN that come while it is on no loop. */
static void a_connection_changes_its_loop(void **state)
{
	struct scene sc;
	struct peer there = peer_new();
	struct io_sock loose;

	scene_open(&sc, kind_of(state));
	io_want(&sc.client.s, IO_READ);
	io_detach(&sc.client.s, &loose);
	assert_false(io_is_open(&sc.client.s));
	must_put(&sc.server, 0, 10);
	assert_int_equal(io_shutdown(&sc.server.s), ERR_OK);
	bed_settle(&sc.bed);
	assert_int_equal(sc.client.calls, 0);
	assert_int_equal(io_attach(sc.bed.server, &there.s, &loose), ERR_OK);
	assert_ptr_equal(there.s.loop, sc.bed.server);
	drains(&there);
	bed_until(&sc.bed, has_ended, &there);
	assert_int_equal(there.got, 10);
	assert_int_equal(there.end, ERR_EOF);
	drains(&sc.server);
	must_put(&there, 0, 10);
	bed_until(&sc.bed, has_ten, &sc.server);
	io_close(&there.s, IO_CLOSE_FIN);
	scene_close(&sc);
}

static enum bed_kind tcp = BED_TCP, local = BED_UNIX;

#define BOTH(fn) \
	{ #fn " tcp", fn, NULL, NULL, &tcp }, \
	{ \
#fn " unix", fn, NULL, NULL, &local \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(connect_accept_and_both_ways),
		BOTH(queued_bytes_are_counted),
		BOTH(a_full_buffer_stops_the_writer),
		BOTH(fin_comes_after_the_bytes),
		BOTH(a_half_closed_connection_still_answers),
		BOTH(closing_with_unread_bytes_resets),
		BOTH(a_reset_on_purpose),
		BOTH(bytes_before_a_reset_are_read_first),
		BOTH(a_writer_learns_that_the_reader_left),
		BOTH(nobody_listens),
		BOTH(a_connect_can_be_given_up),
		BOTH(only_what_is_wanted_is_told),
		BOTH(dropping_and_wanting_again_loses_nothing),
		BOTH(storage_may_go_at_once),
		BOTH(a_connection_changes_its_loop),
		BOTH(a_held_port_is_told),
		BOTH(out_of_descriptors_nobody_is_dropped),
		BOTH(a_resting_listener_can_be_closed),
		BOTH(closing_a_listener_resets_who_waits),
	};
	return cmocka_run_group_tests_name(bed_name, tests, NULL, NULL);
}
