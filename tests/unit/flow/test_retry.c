/* What is sent again, and how much of it there may be. */
#include "flow/retry.h"
#include "base/rng.h"
#include "tests/unit/base/unit.h"

#define ALL (RETRY_ON_CONNECT | RETRY_ON_RESET)

static struct retry retry;

static int setup(void **state)
{
	(void)state;
	retry_init(&retry, 1);
	retry.cfg = (struct retry_cfg){ .on = ALL, .max = 2, .share = RETRY_SHARE };
	return 0;
}

/* A GET that was sent and reset before anything of its answer came. */
static struct retry_ask a_reset(void)
{
	return (struct retry_ask){ .why = ERR_RESET,
		.idempotent = true,
		.whole = true,
		.sent = true,
		.left = NS_NEVER };
}

static enum retry_verdict ask(struct retry_ask q)
{
	return retry_ask(&retry, &q, 0);
}

static void test_the_case_it_is_for(void **state)
{
	(void)state;
	assert_int_equal(ask(a_reset()), RETRY_GO);
}

/* --- safe --- */

static void test_post_never(void **state)
{
	(void)state;
	struct retry_ask q = a_reset();
	q.idempotent = false;
	assert_int_equal(ask(q), RETRY_UNSAFE);
	q.why = ERR_EOF;
	assert_int_equal(ask(q), RETRY_UNSAFE);
	q.why = ERR_REFUSED; /* nothing was sent: any method may go again */
	q.sent = q.whole = false;
	assert_int_equal(ask(q), RETRY_GO);
}

static void test_a_body_that_is_gone(void **state)
{
	(void)state;
	struct retry_ask q = a_reset();
	q.whole = false;
	assert_int_equal(ask(q), RETRY_BODY_GONE);
}

static void test_half_an_answer(void **state)
{
	(void)state;
	struct retry_ask q = a_reset();
	q.heard = true;
	assert_int_equal(ask(q), RETRY_BEGUN);
}

static void test_each_error_in_its_class(void **state)
{
	(void)state;
	const struct {
		enum err why;
		uint32_t on;
	} rows[] = { { ERR_REFUSED, RETRY_ON_CONNECT },
		{ ERR_UNREACHABLE, RETRY_ON_CONNECT },
		{ ERR_CONNECT_TIMEOUT, RETRY_ON_CONNECT },
		{ ERR_TLS_HANDSHAKE, RETRY_ON_CONNECT },
		{ ERR_TLS_TIMEOUT, RETRY_ON_CONNECT }, { ERR_RESET, RETRY_ON_RESET },
		{ ERR_EOF, RETRY_ON_RESET }, { ERR_PIPE, RETRY_ON_RESET },
		{ ERR_TLS_BROKEN, RETRY_ON_RESET },
		{ ERR_FIRST_BYTE, RETRY_ON_FIRST_BYTE }, { ERR_TLS_VERIFY, 0 },
		{ ERR_NO_PORTS, 0 }, { ERR_NO_FDS, 0 }, { ERR_NO_MEMORY, 0 },
		{ ERR_DEADLINE, 0 }, { ERR_LATE, 0 }, { ERR_QUEUE_FULL, 0 },
		{ ERR_STOPPING, 0 }, { ERR_RES_SYNTAX, 0 }, { ERR_RES_TRUNCATED, 0 },
		{ ERR_IDLE, 0 }, { ERR_REQ_HEAD_LARGE, 0 } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct retry_ask q = a_reset();
		q.why = rows[i].why;
		retry.cfg.on = UINT32_MAX;
		assert_int_equal(ask(q), rows[i].on ? RETRY_GO : RETRY_POINTLESS);
		retry.cfg.on = rows[i].on;
		assert_int_equal(ask(q), rows[i].on ? RETRY_GO : RETRY_POINTLESS);
		retry.cfg.on = ~rows[i].on;
		assert_int_equal(ask(q), rows[i].on ? RETRY_OFF : RETRY_POINTLESS);
	}
}

static void test_statuses_by_configuration_alone(void **state)
{
	(void)state;
	struct retry_ask q = a_reset();
	q.why = ERR_OK;
	q.heard = true; /* held back from the caller */
	q.status = 503;
	assert_int_equal(ask(q), RETRY_OFF);
	retry.cfg.on = RETRY_ON_503;
	assert_int_equal(ask(q), RETRY_GO);
	q.told_to_wait = true;
	assert_int_equal(ask(q), RETRY_TOLD);
	q.told_to_wait = false;
	q.idempotent = false;
	assert_int_equal(ask(q), RETRY_UNSAFE);
	q.status = 500;
	assert_int_equal(ask(q), RETRY_POINTLESS);
}

static void test_so_often_and_no_more(void **state)
{
	(void)state;
	struct retry_ask q = a_reset();
	q.again = 1;
	assert_int_equal(ask(q), RETRY_GO);
	q.again = 2;
	assert_int_equal(ask(q), RETRY_SPENT);
	retry.cfg.max = 0;
	assert_int_equal(ask(a_reset()), RETRY_OFF);
}

static void test_words(void **state)
{
	(void)state;
	struct slice wrong;
	uint32_t on = 0;
	assert_true(retry_parse_on(SLICE("connect,reset"), &on, &wrong));
	assert_int_equal(on, ALL);
	assert_true(retry_parse_on(SLICE("none"), &on, &wrong));
	assert_int_equal(on, 0);
	assert_true(retry_parse_on(SLICE("502,503,504,first-byte"), &on, &wrong));
	assert_int_equal(
		on, RETRY_ON_502 | RETRY_ON_503 | RETRY_ON_504 | RETRY_ON_FIRST_BYTE);
	assert_false(retry_parse_on(SLICE(""), &on, &wrong));
	assert_false(retry_parse_on(SLICE("connect,"), &on, &wrong));
	assert_true(retry_parse_on(SLICE("connect, reset"), &on, &wrong));
	assert_int_equal(on, ALL);
	assert_false(retry_parse_on(SLICE("reset, 500"), &on, &wrong));
	assert_true(slice_eq(wrong, SLICE("500")));
	assert_false(retry_parse_on(SLICE("reset,none"), &on, &wrong));
	assert_true(slice_eq(wrong, SLICE("none")));
}

/* --- worth it --- */

static void test_not_into_a_server_that_refuses(void **state)
{
	(void)state;
	struct retry_ask q = a_reset();
	retry_hold(&retry, NS_S);
	retry_hold(&retry, NS_MS); /* the longer one stands */
	assert_int_equal(retry_ask(&retry, &q, NS_S - 1), RETRY_REFUSING);
	assert_int_equal(retry_ask_hedge(&retry, NS_NEVER, NS_S - 1), RETRY_REFUSING);
	assert_int_equal(retry_ask(&retry, &q, NS_S), RETRY_GO);
}

static void test_time(void **state)
{
	(void)state;
	struct retry_ask q = a_reset();
	q.left = NS_MS;
	assert_int_equal(ask(q), RETRY_GO); /* nothing is known yet */
	q.wait = NS_MS;
	assert_int_equal(ask(q), RETRY_TOO_LATE);
	for (int i = 0; i < 100; i++)
		retry_note_answer(&retry, i % 5 == 0 ? 4 * NS_S : 50 * NS_MS);
	q.left = 100 * NS_MS; /* most answers make that, whatever one in five takes */
	assert_int_equal(ask(q), RETRY_GO);
	q.left = 40 * NS_MS;
	assert_int_equal(ask(q), RETRY_TOO_LATE);
	assert_int_equal(retry_ask_hedge(&retry, q.left, 0), RETRY_TOO_LATE);
	q.left = NS_NEVER;
	assert_int_equal(ask(q), RETRY_GO);
}

static void test_waits(void **state)
{
	(void)state;
	assert_int_equal(retry_wait(&retry, 1, true), 0);
	ns_t least = NS_NEVER, most = 0;
	for (int i = 0; i < 100; i++) {
		ns_t wait = retry_wait(&retry, 1, false);
		least = ns_min(least, wait);
		most = ns_max(most, wait);
		assert_true(wait >= RETRY_WAIT / 2 && wait <= RETRY_WAIT);
		wait = retry_wait(&retry, 2, false);
		assert_true(wait >= RETRY_WAIT && wait <= 2 * RETRY_WAIT);
		wait = retry_wait(&retry, 30, false);
		assert_true(wait >= RETRY_WAIT_MAX / 2 && wait <= RETRY_WAIT_MAX);
		retry_draw(&retry, true);
	}
	/* spread over all of it */
	assert_true(least < RETRY_WAIT / 2 + RETRY_WAIT / 50);
	assert_true(most > RETRY_WAIT - RETRY_WAIT / 50);
}

/* --- the budget --- */

/* So many calls, all of which fail, again and again. */
static uint64_t extras_of(uint64_t calls)
{
	uint64_t extras = 0;
	struct retry_ask q = a_reset();
	for (uint64_t i = 0; i < calls; i++) {
		retry_note_call(&retry);
		for (q.again = 0; ask(q) == RETRY_GO; q.again++) {
			retry_draw(&retry, true);
			extras++;
		}
	}
	return extras;
}

/* However few or many they are a second: time has no part in it. */
static void test_amplification_of_an_outage(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 1000000; n = n * 3 / 2 + 1) {
		setup(NULL);
		uint64_t extras = extras_of(n);
		assert_true(extras <= (n > 50 ? n / 5 : RETRY_LENT));
		assert_true(extras + (uint64_t)RETRY_TRUST + 1 >= n / 5);
	}
}

static void test_few_calls_are_helped_too(void **state)
{
	(void)state;
	assert_int_equal(extras_of(5), RETRY_LENT); /* each twice */
	/* until it is paid back, and as much is there for replays */
	assert_int_equal(extras_of(99), 0);
	assert_int_equal(extras_of(1), 1);
	setup(NULL);
	retry.cfg.share = 0;
	assert_int_equal(extras_of(100), 0);
}

/* Hours of peace are no credit for a storm. */
static void test_saved_budget_is_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < 1000000; i++)
		retry_note_call(&retry);
	uint64_t extras = extras_of(100);
	assert_true(extras <= RETRY_SAVED + 20 + 1);
	assert_true(extras >= RETRY_SAVED);
}

static void test_many_threads_are_lent_as_much_as_one(void **state)
{
	(void)state;
	const uint32_t seats[] = { 1, 2, 3, 8, 10, 64 };
	for (size_t i = 0; i < ARRAY_LEN(seats); i++) {
		retry_init(&retry, seats[i]);
		assert_true(retry.lent >= 1);
		assert_true(retry.lent * seats[i] < RETRY_LENT + seats[i]);
	}
}

static void test_replays_draw_on_the_same(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		retry_note_call(&retry);
	assert_false(retry_doubts(&retry));
	for (int i = 0; i < 10; i++) {
		assert_true(retry_trusts(&retry));
		retry_draw_replay(&retry);
		assert_true(retry_doubts(&retry));
	}
	assert_false(retry_trusts(&retry));
	/* 20 for 100 calls, of which 10 are gone, and what could have been lent is too */
	uint64_t extras = 0;
	for (; retry_ask_hedge(&retry, NS_NEVER, 0) == RETRY_GO; extras++)
		retry_draw(&retry, true);
	assert_int_equal(extras, 10);
}

/* A server that closes each kept connection when it is used: one call in five finds out. */
static void test_trust_comes_back_slowly(void **state)
{
	(void)state;
	uint64_t replays = 0;
	for (uint64_t calls = 1; calls <= 10000; calls++) {
		retry_note_call(&retry);
		if (!retry_trusts(&retry))
			continue;
		retry_draw_replay(&retry);
		replays++;
		assert_true(replays <= (calls > 50 ? calls / 5 : RETRY_LENT));
	}
	assert_true(replays >= 10000 / 6);
}

/* The server has seen none of them: they are no reason to keep no connections. */
static void test_retries_of_what_was_not_sent(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		retry_note_call(&retry);
		retry_draw(&retry, false);
	}
	assert_true(retry_trusts(&retry));
	setup(NULL);
	for (int i = 0; i < 10; i++) {
		retry_note_call(&retry);
		retry_draw(&retry, true);
	}
	assert_false(retry_trusts(&retry));
}

/* Retries and replays by turns, from each first mixture of them: they stay within one share. */
static void test_replays_and_retries_together(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct rng rng;
		uint64_t extras = 0, retries = 0, often = seed % 11;
		rng_init(&rng, seed);
		setup(NULL);
		for (uint64_t calls = 1; calls <= 1000; calls++) {
			retry_note_call(&retry);
			bool dead = retry_trusts(&retry) && rng_below(&rng, 10) < often;
			if (dead)
				retry_draw_replay(&retry);
			bool again = rng_below(&rng, 4) &&
				     retry_ask_hedge(&retry, NS_NEVER, 0) == RETRY_GO;
			if (again)
				retry_draw(&retry, true);
			extras += dead + again;
			retries += again;
			assert_true(extras <= (calls > 50 ? calls / 5 : RETRY_LENT));
		}
		assert_true(retries > 0);
	}
}

static void test_verdicts_are_told(void **state)
{
	(void)state;
	for (int i = 0; i < RETRY_VERDICTS; i++) {
		assert_true(strlen(retry_label((enum retry_verdict)i)) > 0);
		assert_true(
			i == RETRY_GO || strlen(retry_text((enum retry_verdict)i)) > 0);
	}
}

/* --- refused while a limit is found out --- */

static enum retry_verdict ask_refused(struct retry_ask q)
{
	return retry_ask_refused(&retry, &q);
}

static void test_refused_unread(void **state)
{
	(void)state;
	struct retry_ask q = { .status = 503, .left = NS_NEVER };
	assert_int_equal(ask_refused(q), RETRY_GO); /* whatever the method */
	retry.cfg.max = 0;
	retry.cfg.share = 0; /* the server got no request: it is no extra */
	assert_int_equal(ask_refused(q), RETRY_GO);
	q.refused = RETRY_REFUSED;
	assert_int_equal(ask_refused(q), RETRY_REFUSING);
	q.refused = 0;
	q.takes_none = true;
	assert_int_equal(ask_refused(q), RETRY_REFUSING);
	q.takes_none = false;
	q.told_to_wait = true;
	assert_int_equal(ask_refused(q), RETRY_TOLD);
}

static void test_refused_when_read(void **state)
{
	(void)state;
	struct retry_ask q = a_reset();
	q.why = ERR_OK;
	q.status = 429;
	q.heard = true; /* the refusal */
	assert_int_equal(ask_refused(q), RETRY_GO);
	q.whole = false;
	assert_int_equal(ask_refused(q), RETRY_BODY_GONE);
	q.idempotent = false;
	assert_int_equal(ask_refused(q), RETRY_UNSAFE);
	q = a_reset();
	for (uint32_t i = 0; i < RETRY_LENT; i++)
		retry_draw(&retry, true);
	assert_int_equal(ask_refused(q), RETRY_NO_BUDGET);
	q.sent = false;
	assert_int_equal(ask_refused(q), RETRY_GO);
	retry.cfg.max = 0;
	q.sent = true;
	assert_int_equal(ask_refused(q), RETRY_OFF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SETUP(test_the_case_it_is_for),
		TEST_SETUP(test_post_never),
		TEST_SETUP(test_a_body_that_is_gone),
		TEST_SETUP(test_half_an_answer),
		TEST_SETUP(test_each_error_in_its_class),
		TEST_SETUP(test_statuses_by_configuration_alone),
		TEST_SETUP(test_so_often_and_no_more),
		TEST_SETUP(test_words),
		TEST_SETUP(test_not_into_a_server_that_refuses),
		TEST_SETUP(test_time),
		TEST_SETUP(test_waits),
		TEST_SETUP(test_amplification_of_an_outage),
		TEST_SETUP(test_few_calls_are_helped_too),
		TEST_SETUP(test_saved_budget_is_bounded),
		TEST_SETUP(test_many_threads_are_lent_as_much_as_one),
		TEST_SETUP(test_replays_draw_on_the_same),
		TEST_SETUP(test_trust_comes_back_slowly),
		TEST_SETUP(test_replays_and_retries_together),
		TEST_SETUP(test_retries_of_what_was_not_sent),
		TEST_SETUP(test_verdicts_are_told),
		TEST_SETUP(test_refused_unread),
		TEST_SETUP(test_refused_when_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
