/* The records are those that Linux 6.18 told for each shape of close, made deterministic
 * over loopback. */
#include "made.h"

struct row {
	const char *shape;
	enum tally_side_id side;
	uint32_t rqueue, wqueue;
	struct diag_info info;
	enum diag_state own; /* what stands under the tuple when asked */
	enum close_first first;
	enum close_why why;
};

/* last sent, last received, acked, received, sent, data segments out and in */
#define INFO(ls, lr, ba, br, bs, out, in) \
	{ \
		.last_sent_ms = ls, .last_recv_ms = lr, .bytes_acked = ba, \
		.bytes_received = br, .bytes_sent = bs, .segs_out = 4, .segs_in = 4, \
		.data_segs_out = out, .data_segs_in = in, .rtt_us = 100 \
	}

static const struct row rows[] = {
	{ "client closes after the answer", SIDE_OUT, 1, 0,
		INFO(0, 0, 102, 301, 100, 1, 1), DIAG_TIME_WAIT, CLOSE_LOCAL_OR_BOTH,
		WHY_AFTER_ANSWER },
	{ "and its server", SIDE_IN, 0, 0, INFO(0, 0, 301, 101, 300, 1, 1), DIAG_UNKNOWN,
		CLOSE_PEER, WHY_AFTER_ANSWER },
	{ "server closes after its answer", SIDE_IN, 1, 0,
		INFO(0, 0, 301, 101, 300, 1, 1), DIAG_TIME_WAIT, CLOSE_LOCAL_OR_BOTH,
		WHY_AFTER_ANSWER },
	{ "and its client", SIDE_OUT, 0, 0, INFO(0, 0, 102, 301, 100, 1, 1), DIAG_UNKNOWN,
		CLOSE_PEER, WHY_AFTER_ANSWER },
	{ "client gives up", SIDE_OUT, 0, 0, INFO(544, 544, 102, 0, 100, 1, 0),
		DIAG_FIN_WAIT2, CLOSE_LOCAL, WHY_NO_ANSWER },
	{ "client gives up on a used connection", SIDE_OUT, 0, 0,
		INFO(544, 900, 202, 300, 200, 2, 1), DIAG_FIN_WAIT2, CLOSE_LOCAL,
		WHY_NO_ANSWER },
	{ "server whose caller gave up", SIDE_IN, 1, 30, INFO(24, 72, 0, 101, 30, 1, 1),
		DIAG_UNKNOWN, CLOSE_RESET, WHY_PEER_RESET },
	{ "server refuses, request unread", SIDE_IN, 100, 0,
		INFO(0, 20, 150, 100, 150, 1, 1), DIAG_UNKNOWN, CLOSE_RESET,
		WHY_REFUSED },
	{ "client that read the refusal", SIDE_OUT, 0, 0,
		INFO(40, 20, 101, 150, 100, 1, 1), DIAG_UNKNOWN, CLOSE_RESET,
		WHY_PEER_RESET },
	{ "client that left something unread", SIDE_OUT, 50, 0,
		INFO(40, 20, 101, 150, 100, 1, 1), DIAG_UNKNOWN, CLOSE_RESET,
		WHY_UNREAD },
	{ "server refuses, then the request comes", SIDE_IN, 0, 0,
		INFO(20, 20, 151, 0, 150, 1, 1), DIAG_UNKNOWN, CLOSE_LOCAL, WHY_REFUSED },
	{ "server whose caller resets while it works", SIDE_IN, 0, 0,
		INFO(40, 40, 0, 26, 0, 0, 1), DIAG_UNKNOWN, CLOSE_RESET, WHY_PEER_RESET },
	{ "client that leaves its whole answer unread", SIDE_OUT, 150, 0,
		INFO(100, 99, 101, 150, 100, 1, 1), DIAG_UNKNOWN, CLOSE_RESET,
		WHY_UNREAD },
	{ "client gives up, then the answer comes", SIDE_OUT, 0, 0,
		INFO(500, 501, 102, 0, 100, 1, 1), DIAG_UNKNOWN, CLOSE_LOCAL,
		WHY_NO_ANSWER },
	{ "client that never sent is refused", SIDE_OUT, 0, 0,
		INFO(0, 0, 2, 151, 0, 0, 1), DIAG_UNKNOWN, CLOSE_PEER, WHY_REFUSED },
	{ "and its server", SIDE_IN, 1, 0, INFO(0, 0, 151, 1, 150, 1, 0), DIAG_TIME_WAIT,
		CLOSE_LOCAL_OR_BOTH, WHY_REFUSED },
	{ "client that leaves after the greeting", SIDE_OUT, 1, 0,
		INFO(9, 9, 2, 151, 0, 0, 1), DIAG_TIME_WAIT, CLOSE_LOCAL_OR_BOTH,
		WHY_UNKNOWN },
	{ "and its server", SIDE_IN, 0, 0, INFO(9, 9, 151, 1, 150, 1, 0), DIAG_UNKNOWN,
		CLOSE_PEER, WHY_UNKNOWN },
	{ "client that never sent, reset", SIDE_OUT, 0, 0, INFO(9, 9, 1, 150, 0, 0, 1),
		DIAG_UNKNOWN, CLOSE_RESET, WHY_REFUSED },
	{ "client reaps an idle connection", SIDE_OUT, 1, 0,
		INFO(5000, 5000, 302, 901, 300, 3, 3), DIAG_TIME_WAIT,
		CLOSE_LOCAL_OR_BOTH, WHY_IDLE },
	{ "server reaps an idle connection", SIDE_OUT, 0, 0,
		INFO(5004, 5004, 302, 901, 300, 3, 3), DIAG_UNKNOWN, CLOSE_PEER,
		WHY_IDLE },
	{ "a connection nobody used", SIDE_OUT, 1, 0, INFO(70, 70, 2, 1, 0, 0, 0),
		DIAG_TIME_WAIT, CLOSE_LOCAL_OR_BOTH, WHY_UNUSED },
	{ "client says goodbye after the answer", SIDE_OUT, 1, 0,
		INFO(0, 12, 202, 301, 200, 2, 1), DIAG_TIME_WAIT, CLOSE_LOCAL_OR_BOTH,
		WHY_AFTER_ANSWER },
	{ "and its server", SIDE_IN, 0, 0, INFO(12, 0, 301, 201, 300, 1, 2), DIAG_UNKNOWN,
		CLOSE_PEER, WHY_AFTER_ANSWER },
	{ "client says goodbye after a silence", SIDE_OUT, 1, 0,
		INFO(0, 900, 202, 301, 200, 2, 1), DIAG_TIME_WAIT, CLOSE_LOCAL_OR_BOTH,
		WHY_SILENCE },
	{ "and its server", SIDE_IN, 0, 0, INFO(900, 0, 301, 201, 300, 1, 2),
		DIAG_UNKNOWN, CLOSE_PEER, WHY_SILENCE },
	{ "server drops what was asked", SIDE_OUT, 0, 0,
		INFO(90, 900, 202, 301, 200, 2, 1), DIAG_UNKNOWN, CLOSE_PEER,
		WHY_NO_ANSWER },
	{ "server drops what may be a goodbye", SIDE_OUT, 0, 0,
		INFO(0, 900, 202, 301, 200, 2, 1), DIAG_UNKNOWN, CLOSE_PEER,
		WHY_UNKNOWN },
	{ "client asks, and is gone at once", SIDE_OUT, 0, 0,
		INFO(4, 4, 102, 0, 100, 1, 0), DIAG_FIN_WAIT2, CLOSE_LOCAL,
		WHY_NO_ANSWER },
	{ "client asks at once again, and gives up", SIDE_OUT, 0, 0,
		INFO(544, 544, 302, 300, 300, 3, 2), DIAG_FIN_WAIT2, CLOSE_LOCAL,
		WHY_SILENCE },
	{ "or its first question went in two", SIDE_OUT, 0, 0,
		INFO(544, 544, 302, 300, 300, 2, 1), DIAG_FIN_WAIT2, CLOSE_LOCAL,
		WHY_SILENCE },
	{ "all its questions went in two", SIDE_OUT, 0, 0,
		INFO(544, 544, 602, 900, 600, 6, 3), DIAG_TIME_WAIT, CLOSE_LOCAL_OR_BOTH,
		WHY_IDLE },
	{ "a quick server answered each", SIDE_OUT, 0, 0,
		INFO(544, 544, 302, 900, 300, 3, 3), DIAG_TIME_WAIT, CLOSE_LOCAL_OR_BOTH,
		WHY_IDLE },
	{ "side not known, FIN or SYN", SIDE_UNSURE, 0, 0,
		INFO(0, 0, 101, 301, 100, 1, 1), DIAG_UNKNOWN, CLOSE_UNKNOWN,
		WHY_UNKNOWN },
	{ "side not known, FIN and SYN", SIDE_UNSURE, 0, 0,
		INFO(0, 0, 102, 301, 100, 1, 1), DIAG_UNKNOWN, CLOSE_PEER, WHY_UNKNOWN },
};

static struct diag_sock record_of(const struct row *r)
{
	struct diag_sock s = sock_of(
		end("10.0.0.1", 40000), end("10.0.0.2", 80), DIAG_CLOSE);

	s.inode = 0;
	s.rqueue = r->rqueue;
	s.wqueue = r->wqueue;
	s.has_info = true;
	s.info = r->info;
	return s;
}

static void each_shape_of_close_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		const struct diag_sock s = record_of(r);
		const struct close_found found = { .own = r->own };
		struct close_verdict v = closes_judge(&s, r->side, &found);

		if (v.first != r->first || v.why != r->why)
			fail_msg("%s: %s, %s", r->shape, close_first_name(v.first),
				close_why_name(v.why));
	}
}

/* The kernel takes the ages when its queue of work gets there. */
static void ages_count_from_the_end_not_from_when_the_record_was_made(void **state)
{
	struct diag_sock s = record_of(&rows[0]);
	const struct close_found found = { .own = DIAG_TIME_WAIT };
	struct close_verdict v;

	(void)state;
	s.info.last_sent_ms = s.info.last_recv_ms = 740;
	s.info.last_ack_ms = 730;
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).why, WHY_AFTER_ANSWER);
	s.info.last_sent_ms = s.info.last_recv_ms = 5730;
	v = closes_judge(&s, SIDE_OUT, &found);
	assert_int_equal(v.why, WHY_IDLE);
	assert_int_equal(v.age, 5 * NS_S);
}

/* Whose peer stays open, acknowledges a FIN late: the wait was over before. */
static void a_late_acknowledgement_of_the_fin_is_no_part_of_the_wait(void **state)
{
	struct diag_sock s = record_of(&rows[0]);
	struct close_found found = { .own = DIAG_FIN_WAIT2 };

	(void)state;
	s.info = (struct diag_info){ .last_sent_ms = 345,
		.last_recv_ms = 345,
		.bytes_sent = 100,
		.bytes_acked = 102,
		.data_segs_out = 1,
		.segs_out = 4,
		.segs_in = 3,
		.min_rtt_us = 2000,
		.busy_us = 44000 };
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).age, 303 * NS_MS);
	s.info.busy_us = 4000; /* at once */
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).age, 343 * NS_MS);
	s.info.busy_us = 0; /* an old kernel */
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).age, 345 * NS_MS);
	s.info.data_segs_out = 5;
	s.info.busy_us = 900000; /* what answers came with is busy, too */
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).age, 303 * NS_MS);
	found.own = DIAG_TIME_WAIT;
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).age, 345 * NS_MS);
}

static void who_connected_has_its_syn_acknowledged(void **state)
{
	struct diag_sock s = record_of(&rows[0]);

	(void)state;
	s.info = (struct diag_info){ .bytes_sent = 100, .bytes_acked = 102 };
	assert_int_equal(closes_side(&s, DIAG_TIME_WAIT), SIDE_OUT);
	assert_int_equal(closes_side(&s, DIAG_FIN_WAIT2), SIDE_OUT);
	assert_int_equal(
		closes_side(&s, DIAG_UNKNOWN), SIDE_UNSURE); /* no FIN, perhaps */
	s.info.bytes_acked = 101;
	assert_int_equal(closes_side(&s, DIAG_TIME_WAIT), SIDE_IN);
	s.info.bytes_acked = 100;
	assert_int_equal(closes_side(&s, DIAG_TIME_WAIT), SIDE_UNSURE);
}

static void retransmitted_bytes_do_not_hide_the_fin(void **state)
{
	struct diag_sock s = record_of(&rows[1]);
	const struct close_found none = { .own = DIAG_UNKNOWN };

	(void)state;
	s.info.bytes_sent += 300;
	s.info.bytes_retrans = 300;
	assert_int_equal(closes_judge(&s, SIDE_IN, &none).first, CLOSE_PEER);
}

/* The kernel forgets all but the local port, and leaves the peer's window in the queue. */
static void an_abort_is_told_from_a_connect_that_failed(void **state)
{
	struct diag_sock s = record_of(&rows[0]);
	const struct close_found none = { .own = DIAG_UNKNOWN };
	struct close_verdict v;
	struct closes c;

	(void)state;
	s.info = (struct diag_info){ .last_recv_ms = 2298184 };
	s.local = end("0.0.0.0", 40000);
	s.remote = end("10.0.0.2", 0);
	s.wqueue = 65538;
	assert_true(closes_is_connection(&s, SIDE_OUT));
	v = closes_judge(&s, SIDE_OUT, &none);
	assert_int_equal(v.first, CLOSE_RESET);
	assert_int_equal(v.why, WHY_ABORT);
	s.wqueue = 3; /* connect refused */
	assert_false(closes_is_connection(&s, SIDE_OUT));
	s.wqueue = 0; /* a listener */
	assert_false(closes_is_connection(&s, SIDE_OUT));
	/* A non-blocking connect that failed keeps its counts; no SYN was acknowledged. */
	s = record_of(&rows[0]);
	s.info = (struct diag_info){ .segs_out = 1, .segs_in = 1 };
	closes_init(&c);
	(void)closes_death(&c, &s, SIDE_OUT, &none);
	assert_int_equal(c.total, 0);
	assert_int_equal(c.never_open, 1);
	closes_fini(&c);
}

static void the_other_end_decides_between_one_and_both(void **state)
{
	const struct diag_sock s = record_of(&rows[0]);
	struct close_found found = { .own = DIAG_TIME_WAIT, .mirror_in_sight = true };

	(void)state;
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).first, CLOSE_LOCAL);
	found.mirror = DIAG_LAST_ACK;
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).first, CLOSE_LOCAL);
	found.mirror = DIAG_TIME_WAIT;
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).first, CLOSE_BOTH);
	found.mirror = DIAG_CLOSING;
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).first, CLOSE_BOTH);
}

/* A client under TLS closes first; the server's goodbye meets its FIN_WAIT2 and draws a reset,
 * which ends both. */
static void nobody_was_first_where_nothing_is_left_of_either(void **state)
{
	const struct diag_sock s = record_of(&rows[3]);
	struct close_found found = { .mirror_in_sight = true };

	(void)state;
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).first, CLOSE_RESET);
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).why, WHY_AFTER_ANSWER);
	found.mirror = DIAG_TIME_WAIT;
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).first, CLOSE_PEER);
	found = (struct close_found){ .mirror_in_sight = false };
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).first, CLOSE_PEER);
}

/* Out of sight, the record of a side that was first and got late data is like that of a side
 * whose peer was first. */
static void the_kernels_count_decides_where_nothing_is_in_sight(void **state)
{
	static const enum close_first firsts[] = { [LATE_NOT_ASKED] = CLOSE_PEER,
		[LATE_NONE] = CLOSE_PEER,
		[LATE_SOME] = CLOSE_UNKNOWN,
		[LATE_ALL] = CLOSE_LOCAL };
	struct diag_sock s = record_of(&rows[3]), aborted = s;
	struct close_found found = { .own = DIAG_UNKNOWN };

	(void)state;
	assert_int_equal(closes_late_part(&s, SIDE_OUT, &found), LATE_PART_OPEN);
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		found.late = (enum close_late)i;
		assert_int_equal(closes_judge(&s, SIDE_OUT, &found).first, firsts[i]);
	}
	s.rqueue = 1; /* the peer's FIN, unread */
	assert_int_equal(closes_late_part(&s, SIDE_OUT, &found), LATE_PART_NO);
	assert_int_equal(closes_judge(&s, SIDE_OUT, &found).first, CLOSE_PEER);
	s.rqueue = 0;
	s.info.bytes_received = 0; /* no FIN at all */
	assert_int_equal(closes_late_part(&s, SIDE_OUT, &found), LATE_PART_EXPLAINED);
	found.own = DIAG_TIME_WAIT;
	assert_int_equal(closes_late_part(&s, SIDE_OUT, &found), LATE_PART_NO);
	found.own = DIAG_UNKNOWN;
	s.info.bytes_acked--; /* our FIN was not acknowledged */
	assert_int_equal(closes_late_part(&s, SIDE_OUT, &found), LATE_PART_NO);
	aborted.info = (struct diag_info){ .last_recv_ms = 5 };
	aborted.wqueue = 65538;
	assert_int_equal(
		closes_late_part(&aborted, SIDE_OUT, &found), LATE_PART_EXPLAINED);
}

/* So often; the last one's verdict. */
static struct close_verdict die(
	struct closes *c, const struct diag_sock *s, enum diag_state left, uint32_t times)
{
	const struct close_found found = { .own = left };
	struct close_verdict v = { .why = WHY_UNKNOWN };

	while (times-- > 0)
		v = closes_death(c, s, SIDE_OUT, &found);
	return v;
}

static void each_connection_counts_once_and_others_not(void **state)
{
	struct diag_sock s = record_of(&rows[0]);
	struct closes c;

	(void)state;
	closes_init(&c);
	(void)die(&c, &s, DIAG_TIME_WAIT, 3);
	s.remote.port = 0; /* bound, and closed */
	(void)die(&c, &s, DIAG_TIME_WAIT, 1);
	assert_int_equal(c.total, 3);
	assert_int_equal(c.never_open, 1);
	assert_int_equal(closes_sum_first(&c, SIDE_OUT, CLOSE_LOCAL_OR_BOTH), 3);
	assert_int_equal(closes_sum_why(&c, SIDE_OUT, WHY_AFTER_ANSWER), 3);
	closes_fini(&c);
}

static void what_the_kernel_counted_and_nobody_told_shows(void **state)
{
	const struct diag_sock s = record_of(&rows[0]);
	struct diag_counters k = { .tw = 100 };
	struct closes c;

	(void)state;
	closes_init(&c);
	closes_counters(&c, &k);
	assert_int_equal(closes_unseen_local(&c), 0);
	(void)die(&c, &s, DIAG_TIME_WAIT, 1);
	k.tw = 105;
	closes_counters(&c, &k);
	assert_int_equal(closes_unseen_local(&c), 4);
	closes_fini(&c);
}

static void ages_that_cluster_show_the_timeout(void **state)
{
	struct diag_sock s = record_of(&rows[4]);
	struct closes c;
	ns_t at = 0;

	(void)state;
	closes_init(&c);
	assert_false(closes_cluster(c.ages[SIDE_OUT][WHY_NO_ANSWER], &at));
	s.info.last_sent_ms = 4; /* asked, and gone at once */
	(void)die(&c, &s, DIAG_FIN_WAIT2, 5);
	assert_false(closes_cluster(c.ages[SIDE_OUT][WHY_NO_ANSWER], &at));
	closes_reset(&c);
	for (uint32_t i = 0; i < 20; i++) {
		s.info.last_sent_ms = 500 + i * 2;
		(void)die(&c, &s, DIAG_FIN_WAIT2, 1);
	}
	assert_true(closes_cluster(c.ages[SIDE_OUT][WHY_NO_ANSWER], &at));
	assert_in_range(at, 499 * NS_MS, 506 * NS_MS);
	for (uint32_t i = 0; i < 20; i++) {
		s.info.last_sent_ms = 1000 + i * 200;
		(void)die(&c, &s, DIAG_FIN_WAIT2, 1);
	}
	assert_false(closes_cluster(c.ages[SIDE_OUT][WHY_NO_ANSWER], &at));
	closes_fini(&c);
}

/* All that a program holds closes when it ends, and would look like a timeout. */
static void the_end_of_a_program_is_no_timeout(void **state)
{
	struct diag_sock s = record_of(&rows[0]);
	struct closes c;
	ns_t at = 0;

	(void)state;
	s.info.last_sent_ms = s.info.last_recv_ms = 300;
	closes_init(&c);
	const struct close_verdict v = die(&c, &s, DIAG_TIME_WAIT, 5);
	assert_true(closes_cluster(c.ages[SIDE_OUT][WHY_IDLE], &at));
	closes_idle_back(&c, SIDE_OUT, v.age);
	assert_false(closes_cluster(c.ages[SIDE_OUT][WHY_IDLE], &at));
	assert_int_equal(closes_sum_why(&c, SIDE_OUT, WHY_IDLE), 5);
	closes_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_shape_of_close_is_told),
		TEST(ages_count_from_the_end_not_from_when_the_record_was_made),
		TEST(a_late_acknowledgement_of_the_fin_is_no_part_of_the_wait),
		TEST(who_connected_has_its_syn_acknowledged),
		TEST(retransmitted_bytes_do_not_hide_the_fin),
		TEST(an_abort_is_told_from_a_connect_that_failed),
		TEST(the_other_end_decides_between_one_and_both),
		TEST(nobody_was_first_where_nothing_is_left_of_either),
		TEST(the_kernels_count_decides_where_nothing_is_in_sight),
		TEST(each_connection_counts_once_and_others_not),
		TEST(what_the_kernel_counted_and_nobody_told_shows),
		TEST(ages_that_cluster_show_the_timeout),
		TEST(the_end_of_a_program_is_no_timeout),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
