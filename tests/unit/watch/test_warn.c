#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watch/report.h"

/* The one warning of a host where so many sockets are in CLOSE_WAIT. */
static struct warning close_wait_of(uint32_t n, const uint32_t *old)
{
	static const struct diag_counters counters;
	const struct diag_report dump = { .whole = true };
	struct tally tally = { 0 };
	struct report r = {
		.tally = &tally,
		.counters = &counters,
		.dump = &dump,
		.close_wait_old = old,
	};

	tally.side[SIDE_IN].by_state[DIAG_CLOSE_WAIT] = n;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_string_equal(r.warnings.v[0].id, "close-wait");
	return r.warnings.v[0];
}

static void a_crowd_in_close_wait_is_a_fault_when_it_is_old(void **state)
{
	const uint32_t young = REPORT_CLOSE_WAIT_MANY - 1, old = REPORT_CLOSE_WAIT_MANY;
	struct warning w = close_wait_of(120, &young);

	(void)state;
	assert_int_equal(w.level, LEVEL_NOTE);
	assert_string_equal(w.text,
		"120 sockets are in CLOSE_WAIT: the peer has hung up, the program here has "
		"not closed. All but 99 have been so for less than a second.");
	w = close_wait_of(120, &old);
	assert_int_equal(w.level, LEVEL_WARNING);
	assert_string_equal(w.text,
		"120 sockets are in CLOSE_WAIT: the peer has hung up, the program here has "
		"not closed. It works on answers nobody waits for, or forgets to close.");
}

static void of_ages_that_are_not_known_nothing_is_said(void **state)
{
	struct warning w = close_wait_of(120, NULL);

	(void)state;
	assert_int_equal(w.level, LEVEL_NOTE);
	assert_string_equal(w.text,
		"120 sockets are in CLOSE_WAIT: the peer has hung up, the program here has "
		"not closed.");
}

/* The one warning of an interval in which so many connects began and failed. */
static struct warning connects_of(uint64_t began, uint64_t failed)
{
	const struct diag_counters before = { .active_opens = 100, .attempt_fails = 10 };
	const struct diag_counters counters = { .active_opens = 100 + began,
		.attempt_fails = 10 + failed };
	const struct diag_report dump = { .whole = true };
	struct tally tally = { 0 };
	struct report r = {
		.tally = &tally,
		.counters = &counters,
		.before = &before,
		.dump = &dump,
	};

	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_string_equal(r.warnings.v[0].id, "connects-failed");
	return r.warnings.v[0];
}

static void connects_that_callers_left_half_open_are_not_blamed_here(void **state)
{
	struct warning w = connects_of(7, 7);

	(void)state;
	assert_int_equal(w.level, LEVEL_WARNING);
	assert_string_equal(w.text,
		"7 connects, made here or by callers, failed in this interval: refused, as "
		"where nobody listens or a firewall says so, or broken off before the "
		"connection was open.");
	assert_int_equal(connects_of(0, 400).level, LEVEL_NOTE); /* a scan */
	assert_int_equal(connects_of(300, 4).level, LEVEL_NOTE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_in_close_wait_is_a_fault_when_it_is_old),
		cmocka_unit_test(
			connects_that_callers_left_half_open_are_not_blamed_here),
		cmocka_unit_test(of_ages_that_are_not_known_nothing_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
