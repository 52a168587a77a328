#include "attr/places.h"
#include "made.h"

static struct diag_sock used(uint32_t times)
{
	struct diag_sock s = sock_of(
		end("10.0.0.1", 40000), end("10.0.0.2", 80), DIAG_CLOSE);

	s.has_info = true;
	s.info.data_segs_out = times;
	s.info.data_segs_in = times + 2; /* a long answer */
	return s;
}

static void death(struct places *p, const struct diag_sock *s, enum tally_side_id side,
	enum close_first first, enum close_why why)
{
	places_death(p, &(struct place_close){ s, side, 0, false },
		&(struct close_verdict){ first, why, 500 * NS_MS });
}

static void closes_are_counted_where_they_were(void **state)
{
	const struct diag_end server = end("10.0.0.2", 80), own = end("10.0.0.1", 40000);
	struct diag_sock s = used(1);
	struct places p;

	(void)state;
	places_init(&p);
	death(&p, &s, SIDE_OUT, CLOSE_LOCAL, WHY_AFTER_ANSWER);
	death(&p, &s, SIDE_OUT, CLOSE_LOCAL_OR_BOTH, WHY_AFTER_ANSWER);
	death(&p, &s, SIDE_IN, CLOSE_PEER, WHY_AFTER_ANSWER);
	death(&p, &s, SIDE_UNSURE, CLOSE_PEER, WHY_UNKNOWN);
	s.remote.port = 0; /* an abort forgets it */
	death(&p, &s, SIDE_OUT, CLOSE_RESET, WHY_ABORT);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.elsewhere, 2);
	assert_int_equal(places_find(&p, SIDE_OUT, &server)->total, 2);
	assert_int_equal(
		place_local(places_find(&p, SIDE_OUT, &server), WHY_AFTER_ANSWER), 2);
	assert_int_equal(places_find(&p, SIDE_IN, &own)->total, 1);
	assert_null(places_find(&p, SIDE_IN, &server));
	places_fini(&p);
}

static void how_often_connections_were_used_is_kept(void **state)
{
	static const uint32_t times[] = { 1, 1, 3, 100, 100, 101 };
	const struct place_uses *u;
	struct places p;

	(void)state;
	places_init(&p);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct diag_sock s = used(times[i]);

		death(&p, &s, SIDE_OUT, CLOSE_PEER, WHY_AFTER_ANSWER);
	}
	u = &p.v[0]->by_peer;
	assert_int_equal(u->n[PLACE_ONCE], 2);
	assert_int_equal(u->n[PLACE_FEW], 1);
	assert_int_equal(u->n[PLACE_MANY], 3);
	assert_int_equal(u->alike, 1);
	assert_int_equal(u->alike_uses, 3);
	assert_int_equal(p.v[0]->by_us.n[PLACE_ONCE], 0);
	assert_true(p.v[0]->reused && p.v[0]->reused_many);
	places_fini(&p);
}

static enum place_use use_of(uint32_t out, uint64_t sent, uint32_t in, uint64_t received)
{
	return place_use_of(&(struct diag_info){ .data_segs_out = out,
		.bytes_sent = sent,
		.data_segs_in = in,
		.bytes_received = received,
		.mss = 1448 });
}

/* One exchange of 10 KB each way is 7 segments each way; so are 7 small ones. */
static void what_went_in_pieces_proves_no_second_use(void **state)
{
	const struct diag_end server = end("10.0.0.2", 80);
	struct diag_sock s = used(7);
	struct places p;

	(void)state;
	assert_int_equal(use_of(7, 10000, 7, 10000), PLACE_PIECES);
	assert_int_equal(use_of(7, 10136, 7, 10137), PLACE_PIECES); /* all are full */
	assert_int_equal(use_of(1, 200, 70, 100000), PLACE_ONCE);
	assert_int_equal(use_of(7, 10000, 20, 2000), PLACE_PIECES); /* said bit by bit */
	assert_int_equal(use_of(7, 1400, 7, 2100), PLACE_MANY);
	assert_int_equal(use_of(3, 2500, 3, 900), PLACE_FEW);
	assert_int_equal(use_of(0, 0, 0, 0), PLACE_ONCE);
	assert_int_equal(use_of(2, 9000000, 2, 9000000), PLACE_PIECES);

	places_init(&p);
	s.info.mss = 1448;
	s.info.data_segs_in = 7;
	s.info.bytes_sent = s.info.bytes_received = 10000;
	death(&p, &s, SIDE_OUT, CLOSE_LOCAL, WHY_AFTER_ANSWER);
	place_saw_used(places_find(&p, SIDE_OUT, &server), &s.info);
	assert_int_equal(p.v[0]->by_us.n[PLACE_PIECES], 1);
	assert_false(p.v[0]->reused || p.v[0]->reused_many);
	places_fini(&p);
}

static void a_greeting_left_unread_is_counted_by_itself(void **state)
{
	struct diag_sock s = used(0);
	struct places p;

	(void)state;
	places_init(&p);
	death(&p, &s, SIDE_OUT, CLOSE_RESET, WHY_REFUSED);
	s.rqueue = 90;
	death(&p, &s, SIDE_OUT, CLOSE_RESET, WHY_REFUSED);
	death(&p, &s, SIDE_OUT, CLOSE_RESET, WHY_UNREAD);
	death(&p, &s, SIDE_IN, CLOSE_RESET, WHY_REFUSED);
	assert_int_equal(p.v[0]->greeted, 1);
	assert_int_equal(p.v[1]->greeted, 0);
	places_fini(&p);
}

static void a_reset_after_the_only_answer_is_told_from_others(void **state)
{
	struct diag_sock refused = used(1), goodbye = used(3), mute = used(1);
	struct places p;

	(void)state;
	places_init(&p);
	refused.info.last_sent_ms = 30;
	refused.info.last_recv_ms = 28;
	goodbye.info.last_sent_ms = 2;
	goodbye.info.last_recv_ms = 3;
	mute.info.last_sent_ms = 3;
	mute.info.last_recv_ms = 5000; /* idle until it asked */
	death(&p, &refused, SIDE_OUT, CLOSE_RESET, WHY_PEER_RESET);
	death(&p, &goodbye, SIDE_OUT, CLOSE_RESET, WHY_PEER_RESET);
	death(&p, &mute, SIDE_OUT, CLOSE_RESET, WHY_PEER_RESET);
	assert_int_equal(p.v[0]->reset_answered, 1);
	assert_int_equal(p.v[0]->reset_goodbye, 1);
	assert_int_equal(p.v[0]->reset_idle, 1);
	assert_int_equal(p.v[0]->peer_idle.ms[0], 5000);
	assert_int_equal(p.v[0]->count[CLOSE_RESET][WHY_PEER_RESET], 3);
	places_fini(&p);
}

/* Nothing had come from a server that resets right away, or in a moment, what watch had seen. */
static void other_resets_are_kept_with_their_time(void **state)
{
	struct diag_sock mute = used(1), busy = used(3);
	struct close_verdict reset = { CLOSE_RESET, WHY_PEER_RESET, 500 * NS_MS };
	struct places p;

	(void)state;
	places_init(&p);
	mute.info.data_segs_in = 0;
	death(&p, &mute, SIDE_OUT, CLOSE_RESET, WHY_PEER_RESET);
	assert_int_equal(p.v[0]->reset_unanswered, 1);
	mute.info.data_segs_in = 1;
	mute.info.data_segs_out = 0;
	death(&p, &mute, SIDE_OUT, CLOSE_RESET, WHY_PEER_RESET); /* a greeting came */
	assert_int_equal(p.v[0]->reset_unanswered, 1);
	busy.info.last_sent_ms = 200;
	busy.info.last_recv_ms = 300;
	for (int i = 0; i < 4; i++)
		places_death(&p,
			&(struct place_close){ &busy, SIDE_OUT, i * NS_S, i < 3 },
			&reset);
	assert_int_equal(p.v[0]->reset_seen.n, 3);
	assert_int_equal(p.v[0]->reset_seen.first, 0);
	assert_int_equal(p.v[0]->reset_seen.last, 2 * NS_S);
	assert_int_equal(p.v[0]->reset_recent, 0);
	busy.info.last_sent_ms = 100;
	places_death(
		&p, &(struct place_close){ &busy, SIDE_OUT, 5 * NS_S, true }, &reset);
	assert_int_equal(p.v[0]->reset_recent, 1);
	assert_int_equal(p.v[0]->reset_unanswered, 1);
	places_fini(&p);
}

static uint64_t idle_goodbyes_of(
	uint32_t sent_ms, uint32_t recv_ms, uint32_t unread, enum tally_side_id side)
{
	struct diag_sock s = used(3);
	struct places p;
	uint64_t n;

	places_init(&p);
	s.rqueue = unread;
	s.info.last_sent_ms = sent_ms;
	s.info.last_recv_ms = recv_ms;
	death(&p, &s, side, CLOSE_RESET, WHY_UNREAD);
	n = p.v[0]->idle_goodbye;
	assert_int_equal(p.v[0]->unread_goodbye, unread <= 40);
	assert_int_equal(p.v[0]->goodbye.n, n);
	assert_true(!n || p.v[0]->goodbye.ms[0] == sent_ms - recv_ms);
	places_fini(&p);
	return n;
}

/* Sent, received: how long before the close. */
static void a_goodbye_behind_a_slow_answer_is_not_idle(void **state)
{
	(void)state;
	assert_int_equal(idle_goodbyes_of(9000, 4000, 32, SIDE_OUT), 1);
	assert_int_equal(idle_goodbyes_of(9000, 101, 32, SIDE_OUT), 1);
	assert_int_equal(idle_goodbyes_of(9000, 100, 32, SIDE_OUT), 0);
	assert_int_equal(idle_goodbyes_of(9000, 8500, 32, SIDE_OUT), 0); /* an answer's */
	assert_int_equal(idle_goodbyes_of(9000, 4000, 41, SIDE_OUT), 0);
	assert_int_equal(idle_goodbyes_of(9000, 4000, 32, SIDE_IN), 0);
}

static void ages_show_a_timeout_and_are_taken_back(void **state)
{
	struct hist *scratch = hist_new();
	struct cluster found[CLUSTERS_MAX];
	struct diag_sock s = used(2);
	struct place_end end = { SIDE_OUT, s.remote, WHY_IDLE, 500 * NS_MS,
		place_use_of(&s.info), place_is_tied(&s.info) };
	struct places p;

	(void)state;
	places_init(&p);
	for (int i = 0; i < 3 * AGES_KEPT; i++)
		death(&p, &s, SIDE_OUT, CLOSE_LOCAL, WHY_IDLE);
	assert_int_equal(p.v[0]->idle.n, AGES_KEPT);
	assert_int_equal(ages_clusters(&p.v[0]->idle, scratch, found), 1);
	assert_in_range(found[0].at, 500 * NS_MS, 501 * NS_MS);
	for (int i = 0; i < AGES_KEPT - 3; i++)
		places_end(&p, &end);
	end.age = 7 * NS_S; /* there is none */
	places_end(&p, &end);
	assert_int_equal(p.v[0]->idle.n, 3);
	assert_int_equal(p.v[0]->tied.n, 3);
	assert_int_equal(ages_clusters(&p.v[0]->idle, scratch, found), 0);
	death(&p, &s, SIDE_OUT, CLOSE_LOCAL, WHY_IDLE);
	assert_int_equal(p.v[0]->idle.n, 4);
	places_fini(&p);
	hist_free(&scratch);
}

static void the_end_of_a_program_is_not_its_manner(void **state)
{
	static const uint32_t times[] = { 1, 3, 100 };
	const struct place_uses *u;
	struct places p;

	(void)state;
	places_init(&p);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct diag_sock s = used(times[i]);
		struct place_end end = { SIDE_OUT, s.remote, WHY_AFTER_ANSWER, 0,
			PLACE_ONCE, false };

		end.use = place_use_of(&s.info);
		places_end(&p, &end); /* nothing to take back yet */
		death(&p, &s, SIDE_OUT, CLOSE_LOCAL, WHY_AFTER_ANSWER);
		death(&p, &s, SIDE_OUT, CLOSE_LOCAL, WHY_AFTER_ANSWER);
		places_end(&p, &end);
	}
	u = &p.v[0]->by_us;
	/* One call is all that such a program makes. */
	assert_int_equal(u->n[PLACE_ONCE], 2);
	assert_int_equal(u->n[PLACE_FEW], 1);
	assert_int_equal(u->n[PLACE_MANY], 1);
	places_fini(&p);
}

static void places_are_bounded(void **state)
{
	struct diag_sock s = used(1);
	struct places p;

	(void)state;
	places_init(&p);
	for (uint16_t i = 0; i < PLACES_MAX + 10; i++) {
		s.remote.port = 1 + i;
		death(&p, &s, SIDE_OUT, CLOSE_PEER, WHY_IDLE);
	}
	assert_int_equal(p.n, PLACES_MAX);
	assert_int_equal(p.elsewhere, 10);
	places_fini(&p);
}

static struct diag_sock connect_that_failed(uint32_t sent, uint32_t received)
{
	struct diag_sock s = sock_of(
		end("10.0.0.1", 40000), end("10.0.0.2", 80), DIAG_CLOSE);

	s.has_info = true;
	s.info.segs_out = sent;
	s.info.segs_in = received;
	return s;
}

static void a_connect_that_fails_is_no_close(void **state)
{
	struct diag_sock refused = connect_that_failed(1, 1);
	struct diag_sock unanswered = connect_that_failed(1, 0);
	struct diag_sock resent = connect_that_failed(3, 0);
	struct diag_sock forgot = connect_that_failed(0, 0);
	struct places p;

	(void)state;
	places_init(&p);
	places_connect(&p, &refused, SIDE_OUT);
	places_connect(&p, &unanswered, SIDE_OUT);
	places_connect(&p, &resent, SIDE_OUT);
	places_connect(&p, &forgot, SIDE_OUT); /* never went out */
	places_connect(&p, &refused, SIDE_IN);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.v[0]->total, 0);
	assert_int_equal(p.v[0]->connects_refused, 1);
	assert_int_equal(p.v[0]->connects_unanswered, 2);
	assert_int_equal(p.v[0]->connects_resent, 1);
	for (uint16_t port = 1; port <= PLACES_MAX; port++) {
		refused.remote.port = port;
		places_connect(&p, &refused, SIDE_OUT);
	}
	assert_int_equal(p.n, PLACES_MAX / 2); /* the rest is for connections */
	places_fini(&p);
}

/* The question is 2 s old, the caller's FIN came 300 ms after it. */
static void who_resets_an_answer_had_left_or_had_not(void **state)
{
	struct diag_sock s = used(1);
	struct cluster times[CLUSTERS_MAX];
	struct hist *scratch = hist_new();
	struct places p;

	(void)state;
	places_init(&p);
	s.wqueue = 137;
	s.info.data_segs_in = 1;
	s.info.last_recv_ms = 2000;
	s.info.last_ack_ms = 1700;
	for (int i = 0; i < 10; i++)
		death(&p, &s, SIDE_IN, CLOSE_RESET, WHY_PEER_RESET);
	assert_int_equal(p.v[0]->reset_left, 10);
	assert_int_equal(ages_clusters(&p.v[0]->peer_left, scratch, times), 1);
	assert_in_range(times[0].at, 298 * NS_MS, 302 * NS_MS);
	s.info.last_ack_ms = 2000; /* nothing came after the question */
	death(&p, &s, SIDE_IN, CLOSE_RESET, WHY_PEER_RESET);
	s.info.last_ack_ms = 0; /* it took a part of the answer */
	death(&p, &s, SIDE_IN, CLOSE_RESET, WHY_PEER_RESET);
	assert_int_equal(p.v[0]->reset_left, 10);
	s.info.last_ack_ms = 1700;
	s.info.data_segs_out = 9; /* of a stream, it had eight */
	s.info.bytes_acked = 800;
	death(&p, &s, SIDE_IN, CLOSE_RESET, WHY_PEER_RESET);
	assert_int_equal(p.v[0]->reset_left, 10);
	s.info.bytes_sent = 1233;
	s.info.bytes_retrans = 137; /* a probe */
	death(&p, &s, SIDE_IN, CLOSE_RESET, WHY_PEER_RESET);
	assert_int_equal(p.v[0]->reset_resent, 0);
	s.info.data_segs_out = 8 + 3;
	s.info.bytes_sent = (8 + 3) * 137;
	s.info.bytes_retrans = 3 * 137; /* the network was away */
	death(&p, &s, SIDE_IN, CLOSE_RESET, WHY_PEER_RESET);
	assert_int_equal(p.v[0]->reset_resent, 1);
	s.info.last_ack_ms = 100; /* it was not */
	death(&p, &s, SIDE_IN, CLOSE_RESET, WHY_PEER_RESET);
	assert_int_equal(p.v[0]->reset_resent, 1);
	places_fini(&p);
	hist_free(&scratch);
}

static void what_was_seen_late_has_no_age(void **state)
{
	struct diag_sock s = used(3);
	struct places p;

	(void)state;
	places_init(&p);
	for (int i = 0; i < 10; i++)
		places_death(&p, &(struct place_close){ &s, SIDE_OUT, i * NS_MS, true },
			&(struct close_verdict){ CLOSE_PEER, WHY_IDLE, NS_NEVER });
	assert_int_equal(p.v[0]->total, 10);
	assert_int_equal(p.v[0]->peer_idle.n, 0);
	assert_int_equal(p.v[0]->by_peer_used.n, 0);
	places_death(&p, &(struct place_close){ &s, SIDE_OUT, 20 * NS_MS, true },
		&(struct close_verdict){ CLOSE_PEER, WHY_IDLE, NS_S });
	places_death(&p, &(struct place_close){ &s, SIDE_OUT, 30 * NS_MS, true },
		&(struct close_verdict){ CLOSE_PEER, WHY_IDLE, NS_S });
	assert_int_equal(p.v[0]->peer_idle.n, 2);
	assert_int_equal(p.v[0]->peer_idle_once, 0);
	assert_int_equal(p.v[0]->by_peer_used.first, 20 * NS_MS);
	assert_int_equal(p.v[0]->by_peer_used.last, 30 * NS_MS);
	places_death(&p, &(struct place_close){ &s, SIDE_OUT, 40 * NS_MS, false },
		&(struct close_verdict){ CLOSE_PEER, WHY_IDLE, NS_S });
	assert_int_equal(
		p.v[0]->by_peer_used.n, 2); /* a short one, one after the other */
	places_death(&p, &(struct place_close){ &s, SIDE_OUT, 50 * NS_MS, true },
		&(struct close_verdict){ CLOSE_PEER, WHY_UNKNOWN, NS_S });
	places_death(&p, &(struct place_close){ &s, SIDE_OUT, 60 * NS_MS, true },
		&(struct close_verdict){ CLOSE_PEER, WHY_NO_ANSWER, NS_S });
	assert_int_equal(p.v[0]->by_peer_used.n, 3); /* who closed at once with it */
	assert_int_equal(p.v[0]->by_peer_used.last, 50 * NS_MS);
	places_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(closes_are_counted_where_they_were),
		TEST(how_often_connections_were_used_is_kept),
		TEST(what_went_in_pieces_proves_no_second_use),
		TEST(a_greeting_left_unread_is_counted_by_itself),
		TEST(a_reset_after_the_only_answer_is_told_from_others),
		TEST(other_resets_are_kept_with_their_time),
		TEST(a_goodbye_behind_a_slow_answer_is_not_idle),
		TEST(ages_show_a_timeout_and_are_taken_back),
		TEST(the_end_of_a_program_is_not_its_manner),
		TEST(places_are_bounded),
		TEST(a_connect_that_fails_is_no_close),
		TEST(who_resets_an_answer_had_left_or_had_not),
		TEST(what_was_seen_late_has_no_age),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
