#include "made.h"

struct fix {
	struct snap snap, peer;
	struct tally tally;
	struct diag_ports ports;
};

static int setup(void **state)
{
	struct fix *f = mem_zalloc(sizeof(*f));

	snap_init(&f->snap);
	snap_init(&f->peer);
	tally_init(&f->tally);
	f->ports = range_of("32768 60999", "");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	tally_fini(&f->tally);
	snap_fini(&f->peer);
	snap_fini(&f->snap);
	mem_free(f);
	return 0;
}

static void make(struct fix *f, ns_t now)
{
	tally_make(&f->tally, &f->snap, &f->ports, NULL, now);
}

static void sums_agree(const struct fix *f)
{
	uint32_t all = 0, out = 0;

	for (int side = 0; side < SIDE_COUNT; side++) {
		const struct tally_side *s = &f->tally.side[side];
		uint32_t states = 0, firsts = 0;

		for (int i = 0; i < DIAG_STATE_COUNT; i++)
			states += s->by_state[i];
		for (int i = 0; i < FIRST_COUNT; i++)
			firsts += s->by_first[i];
		assert_int_equal(states, s->total);
		assert_int_equal(firsts, s->total);
		all += s->total;
	}
	assert_int_equal(all, f->snap.len);
	for (uint32_t i = 0; i < f->tally.n_dests; i++)
		out += f->tally.dests[i].total;
	assert_int_equal(out, f->tally.side[SIDE_OUT].total);
}

static void side_follows_the_local_port(void **state)
{
	struct fix *f = *state;

	put_listener(&f->snap, end("::", 9090));
	put(&f->snap, end("10.0.0.1", 9090), end("10.0.0.9", 50000), DIAG_ESTABLISHED);
	put(&f->snap, end("10.0.0.1", 40000), end("10.0.0.2", 80), DIAG_TIME_WAIT);
	put(&f->snap, end("10.0.0.1", 1023), end("10.0.0.2", 80), DIAG_ESTABLISHED);
	make(f, NS_S);
	assert_int_equal(f->tally.side[SIDE_IN].total, 1);
	assert_int_equal(f->tally.side[SIDE_OUT].total, 1);
	assert_int_equal(f->tally.side[SIDE_UNSURE].total, 1);
	assert_int_equal(f->tally.listeners[0].total, 1);
	assert_int_equal(f->tally.listeners[0].by_state[DIAG_ESTABLISHED], 1);
	sums_agree(f);
}

/* Accepted connections stay `in` after their listener went, also one of the range; but
 * such a port is not `in` for ever. */
static void a_port_that_listened_is_remembered(void **state)
{
	struct fix *f = *state;
	struct diag_end low = end("10.0.0.1", 8080), high = end("10.0.0.1", 40001);

	put_listener(&f->snap, low);
	put_listener(&f->snap, high);
	make(f, NS_S);
	snap_reset(&f->snap);
	put(&f->snap, low, end("10.0.0.9", 50000), DIAG_TIME_WAIT);
	put(&f->snap, high, end("10.0.0.9", 50000), DIAG_TIME_WAIT);
	make(f, 60 * NS_S);
	assert_int_equal(f->tally.side[SIDE_IN].total, 2);
	assert_int_equal(f->tally.n_listeners, 0);
	make(f, 600 * NS_S);
	assert_int_equal(f->tally.side[SIDE_IN].total, 1);
	assert_int_equal(f->tally.side[SIDE_OUT].total, 1);
	sums_agree(f);
}

static void the_state_says_who_closed_first(void **state)
{
	static const struct {
		enum diag_state state;
		enum tally_first first;
	} rows[] = {
		{ DIAG_SYN_SENT, FIRST_OPEN },
		{ DIAG_SYN_RECV, FIRST_OPEN },
		{ DIAG_ESTABLISHED, FIRST_OPEN },
		{ DIAG_FIN_WAIT1, FIRST_LOCAL },
		{ DIAG_FIN_WAIT2, FIRST_LOCAL },
		{ DIAG_TIME_WAIT, FIRST_LOCAL_OR_BOTH },
		{ DIAG_CLOSE_WAIT, FIRST_PEER },
		{ DIAG_LAST_ACK, FIRST_PEER },
		{ DIAG_CLOSING, FIRST_BOTH },
	};
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put(&f->snap, end("10.0.0.1", (uint16_t)(40000 + i)), end("10.0.0.2", 80),
			rows[i].state);
	}
	make(f, NS_S);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
			f->tally.side[SIDE_OUT].state_first[rows[i].state][rows[i].first],
			1);
	}
	sums_agree(f);
}

static void orphaned_fin_wait2_is_marked(void **state)
{
	struct fix *f = *state;
	struct diag_end to = end("10.0.0.2", 80);
	struct diag_sock s = sock_of(end("10.0.0.1", 40000), to, DIAG_FIN_WAIT2);

	s.inode = 0;
	snap_add(&f->snap, &s);
	put(&f->snap, end("10.0.0.1", 40002), to, DIAG_FIN_WAIT2);
	make(f, NS_S);
	assert_int_equal(f->tally.side[SIDE_OUT].by_state[DIAG_FIN_WAIT2], 2);
	assert_int_equal(f->tally.side[SIDE_OUT].orphan_fin_wait2, 1);
	assert_int_equal(f->tally.dests[0].orphan_fin_wait2, 1);
}

static void ports_are_counted_per_source_and_destination(void **state)
{
	struct fix *f = *state;
	struct diag_end a = end("10.0.0.2", 80), b = end("10.0.0.3", 80);

	f->ports = range_of("40000 40009", "40008");
	put_listener(&f->snap, end("0.0.0.0", 40007));
	put(&f->snap, end("10.0.0.1", 40000), a, DIAG_TIME_WAIT);
	put(&f->snap, end("10.0.0.1", 40001), a, DIAG_ESTABLISHED);
	put(&f->snap, end("10.0.0.1", 40002), a, DIAG_FIN_WAIT2);
	put(&f->snap, end("10.0.0.1", 40000), b, DIAG_ESTABLISHED);
	put(&f->snap, end("10.0.0.4", 40000), a, DIAG_ESTABLISHED);
	make(f, NS_S);
	assert_int_equal(f->tally.n_dests, 3);
	assert_int_equal(f->tally.usable, 8); /* 10, one reserved, one listens */
	assert_int_equal(f->tally.usable_first, 4);
	assert_true(diag_end_eq(&f->tally.dests[0].to, &a));
	assert_int_equal(f->tally.dests[0].used, 3);
	assert_int_equal(f->tally.dests[0].left, 5);
	assert_int_equal(f->tally.dests[0].used_first, 2);
	assert_int_equal(f->tally.dests[0].cliff_left, 2);
	assert_int_equal(f->tally.dests[1].used, 1);
	sums_agree(f);
}

static void a_full_range_leaves_nothing(void **state)
{
	struct fix *f = *state;

	f->ports = range_of("40000 40009", "");
	for (uint16_t port = 40000; port <= 40009; port++)
		put(&f->snap, end("10.0.0.1", port), end("10.0.0.2", 80), DIAG_TIME_WAIT);
	make(f, NS_S);
	assert_int_equal(f->tally.dests[0].left, 0);
	assert_int_equal(f->tally.dests[0].cliff_left, 0);
	assert_int_equal(f->tally.dests[0].used, 10);
}

/* tcp_tw_reuse = 2, as kernels have it, gives ports towards loopback again after a second. */
static void ports_that_are_given_again_are_left(void **state)
{
	static const uint32_t left_ms[] = { 60000, 59001, 59000, 30000 };
	static const char *const hosts[] = { "127.0.0.1", "10.0.0.2" };
	static const enum diag_reuse reuses[] = { DIAG_REUSE_NONE, DIAG_REUSE_LOOPBACK,
		DIAG_REUSE_ALL };
	static const uint32_t again[][2] = { { 0, 0 }, { 2, 0 }, { 2, 2 } };
	struct fix *f = *state;

	f->ports = range_of("40000 40009", "");
	f->ports.reuse_after_ms = 1000;
	for (size_t i = 0; i < ARRAY_LEN(left_ms) * 2; i++) {
		struct diag_sock s = sock_of(end("10.0.0.1", (uint16_t)(40000 + i / 2)),
			end(hosts[i % 2], 80), DIAG_TIME_WAIT);
		s.expires_ms = left_ms[i / 2];
		snap_add(&f->snap, &s);
		s.local.port = (uint16_t)(s.local.port + 5);
		s.state = DIAG_ESTABLISHED; /* of these none is */
		snap_add(&f->snap, &s);
	}
	for (size_t r = 0; r < ARRAY_LEN(reuses); r++) {
		f->ports.reuse = reuses[r];
		make(f, (ns_t)(r + 1) * NS_S);
		for (uint32_t i = 0; i < 2; i++) {
			const struct tally_dest *d = &f->tally.dests[i];
			uint32_t n = again[r][!diag_ip_is_loopback(&d->to)];

			assert_int_equal(d->used, 8);
			assert_int_equal(d->reusable, n);
			assert_int_equal(d->left, 2 + n);
			assert_int_equal(d->cliff_left, 1 + n / 2);
		}
	}
}

static void many_destinations_are_kept_apart_and_sorted(void **state)
{
	struct fix *f = *state;
	uint32_t total = 0;

	for (uint16_t port = 1; port <= 1000; port++) {
		for (uint16_t k = 0; k < port % 7 + 1; k++)
			put(&f->snap, end("10.0.0.1", (uint16_t)(33000 + k)),
				end("10.0.0.2", port), DIAG_ESTABLISHED);
	}
	make(f, NS_S);
	make(f, 2 * NS_S); /* a second time alike */
	assert_int_equal(f->tally.n_dests, 1000);
	for (uint32_t i = 0; i < f->tally.n_dests; i++) {
		const struct tally_dest *d = &f->tally.dests[i];

		assert_int_equal(d->total, d->to.port % 7 + 1);
		assert_true(i == 0 || f->tally.dests[i - 1].total >= d->total);
		total += d->total;
	}
	assert_int_equal(total, f->snap.len);
}

static void fresh_time_wait_is_that_of_the_last_ten_seconds(void **state)
{
	static const uint32_t left_ms[] = { 60000, 50001, 50000, 49000, 10 };
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(left_ms); i++) {
		struct diag_sock s = sock_of(end("10.0.0.1", (uint16_t)(40000 + i)),
			end("10.0.0.2", 80), DIAG_TIME_WAIT);
		s.expires_ms = left_ms[i];
		snap_add(&f->snap, &s);
	}
	make(f, NS_S);
	assert_int_equal(f->tally.dests[0].fresh_time_wait, 2);
	assert_int_equal(f->tally.side[SIDE_OUT].fresh_time_wait, 2);
}

/* A late answer is reset, and takes the orphan with it. */
static void an_orphan_lasts_once_it_is_ten_seconds_old(void **state)
{
	static const uint32_t left_ms[] = { 60000, 50001, 50000, 40001, 40000, 10 };
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(left_ms); i++) {
		struct diag_sock s = sock_of(end("10.0.0.1", (uint16_t)(40000 + i)),
			end("10.0.0.2", 80), DIAG_FIN_WAIT2);
		s.inode = 0;
		s.expires_ms = left_ms[i];
		snap_add(&f->snap, &s);
		s.local.port = (uint16_t)(s.local.port + 10);
		s.state = DIAG_TIME_WAIT;
		snap_add(&f->snap, &s);
	}
	make(f, NS_S);
	assert_int_equal(f->tally.dests[0].orphan_fin_wait2, 6);
	assert_int_equal(f->tally.dests[0].lasting_orphans, 2);
	assert_int_equal(f->tally.dests[0].fresh_time_wait, 2);
}

static void half_open_is_whose_syn_was_answered_again(void **state)
{
	struct fix *f = *state;

	put_listener(&f->snap, end("10.0.0.1", 8080));
	for (uint8_t resent = 0; resent < 3; resent++) {
		struct diag_sock s = sock_of(end("10.0.0.1", 8080),
			end("10.0.0.9", (uint16_t)(50000 + resent)), DIAG_SYN_RECV);
		s.resent = resent;
		snap_add(&f->snap, &s);
		s.remote.port = (uint16_t)(s.remote.port + 10);
		s.state = DIAG_ESTABLISHED; /* an answer that goes again is none */
		snap_add(&f->snap, &s);
	}
	make(f, NS_S);
	assert_int_equal(f->tally.side[SIDE_IN].by_state[DIAG_SYN_RECV], 3);
	assert_int_equal(f->tally.side[SIDE_IN].half_open, 2);
	assert_int_equal(f->tally.side[SIDE_OUT].half_open, 0);
	assert_int_equal(f->tally.listeners[0].half_open, 2);
}

static void a_syn_that_went_again_is_unanswered(void **state)
{
	struct fix *f = *state;

	for (uint8_t resent = 0; resent < 3; resent++) {
		struct diag_sock s = sock_of(end("10.0.0.1", (uint16_t)(40000 + resent)),
			end("10.0.0.2", 80), DIAG_SYN_SENT);
		s.resent = resent;
		snap_add(&f->snap, &s);
		s.local.port = (uint16_t)(s.local.port + 10);
		s.state = DIAG_ESTABLISHED; /* a request that goes again is none */
		snap_add(&f->snap, &s);
	}
	make(f, NS_S);
	assert_int_equal(f->tally.dests[0].unanswered, 2);
}

/* The join. */

static enum tally_first joined(struct fix *f, enum diag_state here, enum diag_state there)
{
	struct diag_end a = end("10.0.0.1", 40000), b = end("10.0.0.2", 80);
	const struct snap *peers[] = { &f->peer };
	const struct tally_peers in_sight = { peers, 1 };

	snap_reset(&f->snap);
	snap_reset(&f->peer);
	put(&f->snap, a, b, here);
	put(&f->peer, b, end("10.0.0.9", 41000), DIAG_ESTABLISHED); /* the peer owns b */
	if (there != DIAG_UNKNOWN)
		put(&f->peer, b, a, there);
	return tally_first_joined(snap_find(&f->snap, &a, &b), &f->snap, &in_sight);
}

static void time_wait_on_both_ends_is_both_at_once(void **state)
{
	struct fix *f = *state;

	assert_int_equal(joined(f, DIAG_TIME_WAIT, DIAG_TIME_WAIT), FIRST_BOTH);
	assert_int_equal(joined(f, DIAG_TIME_WAIT, DIAG_CLOSING), FIRST_BOTH);
	assert_int_equal(joined(f, DIAG_FIN_WAIT1, DIAG_FIN_WAIT1), FIRST_BOTH);
	assert_int_equal(joined(f, DIAG_TIME_WAIT, DIAG_LAST_ACK), FIRST_LOCAL);
	assert_int_equal(joined(f, DIAG_TIME_WAIT, DIAG_UNKNOWN), FIRST_LOCAL);
	assert_int_equal(joined(f, DIAG_FIN_WAIT2, DIAG_CLOSE_WAIT), FIRST_LOCAL);
	assert_int_equal(joined(f, DIAG_CLOSE_WAIT, DIAG_FIN_WAIT2), FIRST_PEER);
}

/* Dumps of different times must not prove what neither shows. */
static void an_end_that_still_looks_open_decides_nothing(void **state)
{
	assert_int_equal(
		joined(*state, DIAG_TIME_WAIT, DIAG_ESTABLISHED), FIRST_LOCAL_OR_BOTH);
}

static void a_host_without_the_address_decides_nothing(void **state)
{
	struct fix *f = *state;
	struct diag_end a = end("10.0.0.1", 40000), b = end("10.0.0.2", 80);
	const struct snap *peers[] = { &f->peer };
	const struct tally_peers in_sight = { peers, 1 };

	put(&f->snap, a, b, DIAG_TIME_WAIT);
	put(&f->peer, end("10.0.0.3", 80), a, DIAG_TIME_WAIT);
	assert_int_equal(
		tally_first_joined(snap_find(&f->snap, &a, &b), &f->snap, &in_sight),
		FIRST_LOCAL_OR_BOTH);
}

static void loopback_is_joined_with_itself(void **state)
{
	struct fix *f = *state;
	struct diag_end server = end("127.0.0.1", 8080);

	put_listener(&f->snap, server);
	put(&f->snap, end("127.0.0.1", 40000), server, DIAG_TIME_WAIT);
	put(&f->snap, end("127.0.0.1", 40002), server, DIAG_TIME_WAIT);
	put(&f->snap, server, end("127.0.0.1", 40002), DIAG_TIME_WAIT);
	make(f, NS_S);
	assert_int_equal(f->tally.side[SIDE_OUT].by_first[FIRST_LOCAL], 1);
	assert_int_equal(f->tally.side[SIDE_OUT].by_first[FIRST_BOTH], 1);
	assert_int_equal(f->tally.side[SIDE_IN].by_first[FIRST_BOTH], 1);
	sums_agree(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AROUND(side_follows_the_local_port),
		TEST_AROUND(a_port_that_listened_is_remembered),
		TEST_AROUND(the_state_says_who_closed_first),
		TEST_AROUND(orphaned_fin_wait2_is_marked),
		TEST_AROUND(ports_are_counted_per_source_and_destination),
		TEST_AROUND(a_full_range_leaves_nothing),
		TEST_AROUND(many_destinations_are_kept_apart_and_sorted),
		TEST_AROUND(fresh_time_wait_is_that_of_the_last_ten_seconds),
		TEST_AROUND(an_orphan_lasts_once_it_is_ten_seconds_old),
		TEST_AROUND(half_open_is_whose_syn_was_answered_again),
		TEST_AROUND(ports_that_are_given_again_are_left),
		TEST_AROUND(a_syn_that_went_again_is_unanswered),
		TEST_AROUND(time_wait_on_both_ends_is_both_at_once),
		TEST_AROUND(an_end_that_still_looks_open_decides_nothing),
		TEST_AROUND(a_host_without_the_address_decides_nothing),
		TEST_AROUND(loopback_is_joined_with_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
