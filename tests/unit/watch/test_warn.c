#include "tests/unit/base/unit.h"
#include "watch/report.h"

/* The one warning of a host where so many sockets are in CLOSE_WAIT. */
static struct warning close_wait_of(uint32_t n, const uint32_t *old)
{
	static const struct diag_counters counters;
	const struct diag_report dump = { .whole = true };
	const struct aged aged = { .close_wait = old ? *old : 0 };
	struct tally tally = { 0 };
	struct report r = {
		.tally = &tally,
		.counters = &counters,
		.dump = &dump,
		.aged = old ? &aged : NULL,
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

static struct report quiet(struct tally *tally, const struct diag_counters *now,
	const struct diag_counters *before)
{
	static const struct diag_report dump = { .whole = true };

	return (struct report){
		.tally = tally, .counters = now, .before = before, .dump = &dump
	};
}

static void few_in_close_wait_are_told_when_they_stay(void **state)
{
	static const struct diag_counters counters;
	struct aged aged = { .close_wait = AGED_CLOSE_WAIT_MIN };
	struct tally tally = { 0 };
	struct report r = quiet(&tally, &counters, NULL);

	(void)state;
	tally.side[SIDE_OUT].by_state[DIAG_CLOSE_WAIT] = 40;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 0);
	r.aged = &aged;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_int_equal(r.warnings.v[0].level, LEVEL_NOTE);
	assert_non_null(
		strstr(r.warnings.v[0].text, "10 have been so for a second or more"));
	aged.close_wait--;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 0);
}

static void what_nobody_reads_is_told_at_both_ends(void **state)
{
	static const struct diag_counters counters;
	struct aged aged = { .unread = { .n = 5, .bytes = 1234567 },
		.untaken = { .n = 1, .bytes = 89 } };
	struct tally tally = { 0 };
	struct report r = quiet(&tally, &counters, NULL);

	(void)state;
	r.aged = &aged;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 2);
	assert_string_equal(r.warnings.v[0].id, "not-reading");
	assert_int_equal(r.warnings.v[0].level, LEVEL_WARNING);
	assert_non_null(
		strstr(r.warnings.v[0].text, "5 connections hold 1,234,567 bytes"));
	assert_string_equal(r.warnings.v[1].id, "window-closed");
	assert_int_equal(r.warnings.v[1].level, LEVEL_NOTE); /* somebody paused */
	aged.unread.n = 4;
	aged.untaken.n = 5;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_int_equal(r.warnings.v[0].level, LEVEL_WARNING);
}

static void what_is_sent_again_matters_by_its_part(void **state)
{
	const struct diag_counters before = { .out_segs = 1000, .retrans_segs = 50 };
	struct diag_counters now = { .out_segs = 3000, .retrans_segs = 70 };
	struct tally tally = { 0 };
	struct report r = quiet(&tally, &now, &before);

	(void)state;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_string_equal(r.warnings.v[0].id, "sent-again");
	assert_non_null(strstr(r.warnings.v[0].text,
		"At least 20 segments were sent again in this interval (probes left out), "
		"beside 2,000 sent for the first time: "));
	now.loss_probes = 11;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 0);
	now.loss_probes = 0;
	now.out_segs = 3001;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 0);
	r.before = NULL; /* of long ago nobody wants to know */
	now.out_segs = 100;
	now.out_no_routes = 7;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 0);
	r.before = &now;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 0);
}

static void what_finds_no_route_is_told(void **state)
{
	const struct diag_counters before = { .out_no_routes = 3 };
	struct diag_counters now = { .out_no_routes = 8 };
	struct tally tally = { 0 };
	struct report r = quiet(&tally, &now, &before);

	(void)state;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_string_equal(r.warnings.v[0].id, "no-route");
	assert_int_equal(r.warnings.v[0].level, LEVEL_WARNING);
	now.out_no_routes = 4;
	report_warn(&r);
	assert_int_equal(r.warnings.v[0].level, LEVEL_NOTE);
}

/* The one warning of one destination whose ports are so used, of 400. */
static struct warning ports_of(struct tally_dest *dest)
{
	static const struct diag_counters counters;
	struct tally tally = {
		.dests = dest, .n_dests = 1, .usable = 400, .usable_first = 200
	};
	struct report r = quiet(&tally, &counters, NULL);

	assert_true(diag_end_parse("10.0.0.2", 80, &dest->to));
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	return r.warnings.v[0];
}

static void what_takes_the_ports_tells_what_gives_them_back(void **state)
{
	struct tally_dest d = { .used = 250, .left = 150, .orphan_fin_wait2 = 240 };
	struct warning w = ports_of(&d);

	(void)state;
	assert_string_equal(w.id, "connect-cliff");
	assert_non_null(strstr(w.text, "240 are orphaned FIN_WAIT2"));
	assert_non_null(strstr(
		w.text, "fewer than 3 closes/s by this side stay below half the range."));
	d.orphan_fin_wait2 = 0;
	d.by_state[DIAG_ESTABLISHED] = 240;
	w = ports_of(&d);
	assert_non_null(strstr(w.text, "240 are taken by connections that are open"));
	assert_null(strstr(w.text, "closes/s"));
	d.by_state[DIAG_ESTABLISHED] = 0;
	assert_non_null(strstr(ports_of(&d).text, "Reuse connections; fewer than 3"));
}

static void more_addresses_are_asked_for_once(void **state)
{
	struct tally_dest d = { .used = 400 };

	(void)state;
	assert_non_null(strstr(ports_of(&d).text,
		"EADDRNOTAVAIL. More source addresses help at once. Reuse connections; "));
	d.by_state[DIAG_ESTABLISHED] = 390;
	assert_non_null(strstr(ports_of(&d).text,
		"EADDRNOTAVAIL. 390 are taken by connections that are open: have fewer at "
		"once, or more source addresses."));
}

static void callers_that_are_not_heard_are_told(void **state)
{
	static const struct diag_counters counters;
	struct tally tally = { 0 };
	struct report r = quiet(&tally, &counters, NULL);

	(void)state;
	tally.side[SIDE_IN].half_open = 4;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 0);
	tally.side[SIDE_IN].half_open = 5;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_string_equal(r.warnings.v[0].id, "half-open");
	assert_string_equal(r.warnings.v[0].text,
		"5 connections are half open (SYN_RECV): their SYN was answered more than once, "
		"and the caller is not heard: packets are lost on the way to it, or its address "
		"is not its own, as in a flood of SYNs. Or (TCP_DEFER_ACCEPT) it has said "
		"nothing yet.");
}

/* It drops the acknowledgements of callers that are heard well. */
static void a_full_backlog_leaves_callers_half_open(void **state)
{
	const struct diag_counters before = { .listen_overflows = 7 };
	struct diag_counters now = before;
	struct tally_listener l = { .l = { .waiting = 129, .backlog = 128 },
		.half_open = 50 };
	struct tally tally = { .listeners = &l, .n_listeners = 1 };
	struct report r = quiet(&tally, &now, &before);

	(void)state;
	tally.side[SIDE_IN].half_open = 50;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_string_equal(r.warnings.v[0].id, "backlog-full");
	l.l.waiting = 128;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_string_equal(r.warnings.v[0].id, "half-open");
	now.listen_overflows++; /* it was, a moment ago */
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_string_equal(r.warnings.v[0].id, "listen-overflows");
}

static void one_full_backlog_hides_no_other_listeners_callers(void **state)
{
	const struct diag_counters before = { .listen_overflows = 7 };
	const struct diag_counters now = { .listen_overflows = 8 }; /* at the full one */
	struct tally_listener l[] = {
		{ .l = { .at.port = 80, .backlog = 128 }, .half_open = 20 }, /* of both */
		{ .l = { .at.port = 80, .waiting = 129, .backlog = 128 } },
		{ .l = { .at.port = 443, .backlog = 128 }, .half_open = 4 },
	};
	struct tally tally = { .listeners = l, .n_listeners = ARRAY_LEN(l) };
	struct report r = quiet(&tally, &now, &before);
	bool told = false;

	(void)state;
	tally.side[SIDE_IN].half_open = 24;
	report_warn(&r);
	for (uint32_t i = 0; i < r.warnings.n; i++)
		assert_string_not_equal(r.warnings.v[i].id, "half-open");
	l[2].half_open = 30;
	tally.side[SIDE_IN].half_open = 50;
	report_warn(&r);
	for (uint32_t i = 0; i < r.warnings.n; i++)
		told |= strstr(r.warnings.v[i].text,
				"30 connections are half open (SYN_RECV; those at a full "
				"backlog left out): ") != NULL;
	assert_true(told);
}

static void orphans_that_last_head_for_the_cliff_as_well(void **state)
{
	struct tally_dest d = {
		.used = 50,
		.left = 350,
		.cliff_left = 175,
		.fresh_time_wait = 34,
		.orphan_fin_wait2 = 16,
	};
	struct warning w;

	(void)state;
	assert_string_equal(ports_of(&d).text,
		"3.4 closes/s to 10.0.0.2:80 in the last 10 s: kept up, TIME_WAIT settles at "
		"204, past the connect cliff at 200 ports.");
	d.fresh_time_wait = 30;
	d.lasting_orphans = 4;
	w = ports_of(&d);
	assert_string_equal(w.id, "heading-for-cliff");
	assert_string_equal(w.text,
		"3.0 closes/s to 10.0.0.2:80 in the last 10 s, and 0.4 calls/s given up that "
		"it had not closed 10 s later: kept up, TIME_WAIT and orphaned FIN_WAIT2 "
		"settle at up to 204, past the connect cliff at 200 ports.");
}

static void connections_that_lie_closed_in_a_pool_are_told_by_whose_they_are(void **state)
{
	static const struct diag_counters counters;
	const struct aged aged = { .close_wait = 120 };
	struct tally_dest d = { .left = 400, .cliff_left = 200 };
	struct tally tally = {
		.dests = &d, .n_dests = 1, .usable = 400, .usable_first = 200
	};
	struct report r = quiet(&tally, &counters, NULL);

	(void)state;
	assert_true(diag_end_parse("10.0.0.2", 80, &d.to));
	d.by_state[DIAG_CLOSE_WAIT] = 120;
	tally.side[SIDE_OUT].by_state[DIAG_CLOSE_WAIT] = 120;
	r.aged = &aged;
	report_warn(&r);
	assert_int_equal(r.warnings.n, 1);
	assert_non_null(strstr(r.warnings.v[0].text, "in a pool that has not looked"));
	assert_non_null(strstr(r.warnings.v[0].text, "opened to 10.0.0.2:80."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_crowd_in_close_wait_is_a_fault_when_it_is_old),
		TEST(connects_that_callers_left_half_open_are_not_blamed_here),
		TEST(of_ages_that_are_not_known_nothing_is_said),
		TEST(few_in_close_wait_are_told_when_they_stay),
		TEST(what_nobody_reads_is_told_at_both_ends),
		TEST(what_is_sent_again_matters_by_its_part),
		TEST(what_finds_no_route_is_told),
		TEST(what_takes_the_ports_tells_what_gives_them_back),
		TEST(callers_that_are_not_heard_are_told),
		TEST(a_full_backlog_leaves_callers_half_open),
		TEST(one_full_backlog_hides_no_other_listeners_callers),
		TEST(more_addresses_are_asked_for_once),
		TEST(orphans_that_last_head_for_the_cliff_as_well),
		TEST(connections_that_lie_closed_in_a_pool_are_told_by_whose_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
