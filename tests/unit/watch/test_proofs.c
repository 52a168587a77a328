#include "tests/unit/watch/scene.h"

static void none_used_again_is_no_keep_alive(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	seen_there(&s, RUNTIME_GO);
	closed_by_us(&s, 1000, 0, 0);
	assert_cause(&s, "no-keep-alive");
	assert_int_equal(s.c.v[0].level, LEVEL_WARNING);
	assert_int_equal(s.c.v[0].n_cures, 1);
	assert_int_equal(s.c.v[0].cures[0].runtime, RUNTIME_GO);
	assert_string_equal(s.c.v[0].text,
		"1,000 of 1,000 connections that ended were closed by this side right after an "
		"answer; none was used for a second exchange.");
}

static void others_used_again_is_a_pool_without_room(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 1000, 0, 0);
	s.place.reused = true;
	assert_cause(&s, "pool-overflow");
	seen_there(&s, RUNTIME_NODE);
	s.user.v[0].more = true; /* another process may be the one that reuses */
	assert_cause(&s, "closed-after-answer");
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 600, 400, 0);
	assert_cause(&s, "pool-overflow");
}

/* One of a hundred that was used again is a race of two threads, no pool. */
static void hardly_any_used_again_is_no_pool(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 990, 10, 0);
	assert_cause(&s, "no-keep-alive");
	assert_non_null(strstr(s.c.v[0].text, "hardly any"));
}

/* A client for each job: others are no other than these. */
static void closed_after_as_many_exchanges_each_is_no_pool(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 0, 0, 1000);
	s.place.by_us.alike = 990;
	s.place.by_us.alike_uses = 7;
	assert_cause(&s, "closed-after-answer");
	assert_non_null(strstr(s.c.v[0].text, "about 7 exchanges"));
	s.place.by_us.alike = 100;
	assert_cause(&s, "pool-overflow");
}

/* Beside it, node: whose connections ended once it was told to stop. */
static void seen_beside(struct scene *s)
{
	seen_there(s, RUNTIME_PYTHON);
	s->user.v[0].closes.here[WHY_AFTER_ANSWER] = 900;
	s->user.v[1] = (struct user){ .pid = 8,
		.runtime = RUNTIME_NODE,
		.ended = true,
		.reused = true,
		.reused_many = true };
	s->user.v[1].closes.here[WHY_AFTER_ANSWER] = 5;
	s->user.n = 2;
	s->place.reused = s->place.reused_many = true;
}

static void who_reuses_is_not_who_closes(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 1000, 0, 0);
	seen_beside(&s);
	assert_cause(&s, "no-keep-alive");
	assert_int_equal(s.c.v[0].whose, 1);
	assert_int_equal(s.c.v[0].n_cures, 1);
	assert_int_equal(s.c.v[0].cures[0].runtime, RUNTIME_PYTHON);
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 1000, 0, 1); /* the other's, whose work is done */
	seen_beside(&s);
	assert_cause(&s, "no-keep-alive");
	assert_non_null(strstr(s.c.v[0].text, "hardly any was used for a second"));
	s.user.v[0].reused = true;
	assert_cause(&s, "pool-overflow");
	s.user.v[1].closes.here[WHY_AFTER_ANSWER] = 900;
	assert_cause(&s, "closed-after-answer");
	assert_int_equal(s.c.v[0].whose, 3);
	assert_int_equal(s.c.v[0].n_cures, 2);
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 600, 0,
		400); /* too many to be another's that is not known to close */
	seen_beside(&s);
	assert_cause(&s, "pool-overflow");
}

/* Each cause has its own programs, and any where it is not known whose such closes were. */
static void each_cause_names_whose_closes_it_tells_of(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_LOCAL, WHY_NO_ANSWER, 100);
	seen_beside(&s);
	assert_cause(&s, "given-up");
	assert_int_equal(s.c.v[0].whose, 3);
	s.user.v[1].closes.here[WHY_NO_ANSWER] = 1;
	assert_cause(&s, "given-up");
	assert_int_equal(s.c.v[0].whose, 2);
}

static void calls_open_as_a_program_ended_are_no_warning(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_LOCAL, WHY_NO_ANSWER, 20);
	s.place.gave_up_ended = 5;
	assert_cause(&s, "given-up");
	assert_int_equal(s.c.v[0].level, LEVEL_WARNING);
	assert_non_null(strstr(s.c.v[0].text, "5 of them as their program ended"));
	s.place.gave_up_ended = 20;
	assert_cause(&s, "given-up");
	assert_int_equal(s.c.v[0].level, LEVEL_NOTE);
}

static void callers_dropped_as_a_program_ended_are_no_warning(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_IN);
	closes(&s, CLOSE_LOCAL, WHY_NO_ANSWER, 20);
	assert_cause(&s, "drops-callers");
	assert_int_equal(s.c.v[0].level, LEVEL_WARNING);
	assert_null(strstr(s.c.v[0].text, "ended."));
	s.place.gave_up_ended = 20;
	assert_cause(&s, "drops-callers");
	assert_int_equal(s.c.v[0].level, LEVEL_NOTE);
	assert_string_equal(s.c.v[0].text,
		"20 of 20 connections that ended were closed by this side with a question "
		"unanswered, 20 of them as their program ended.");
}

/* Whose unread bytes or idle ends they are tells only where TLS makes goodbyes and given-up calls of
 * them. */
static void what_tls_makes_of_closes_names_no_program_without_it(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	seen_beside(&s);
	closes(&s, CLOSE_PEER, WHY_IDLE, 50);
	s.user.v[0].closes.there[WHY_IDLE] = 50;
	s.user.v[1].closes.there[WHY_UNREAD] = 50;
	assert_cause(&s, "server-reaps-idle");
	assert_int_equal(s.c.v[0].whose, 1);
	s.heard.tls[s.heard.n_tls++] = s.place.at;
	assert_cause(&s, "server-reaps-idle");
	assert_int_equal(s.c.v[0].whose, 3);
	scene_init(&s, SIDE_OUT);
	seen_beside(&s);
	closes(&s, CLOSE_LOCAL, WHY_SILENCE, 50);
	s.user.v[0].closes.here[WHY_SILENCE] = 50;
	s.user.v[1].closes.here[WHY_IDLE] = 50;
	assert_cause(&s, "idle-or-given-up");
	assert_int_equal(s.c.v[0].whose, 1);
	s.heard.tls[s.heard.n_tls++] = s.place.at;
	assert_cause(&s, "idle-or-given-up");
	assert_int_equal(s.c.v[0].whose, 3);
}

static void a_reset_is_told_by_what_had_come_before(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 20);
	s.place.reset_seen = (struct place_span){ 20, 3 * NS_S, 3 * NS_S + 40 * NS_MS };
	assert_cause(&s, "server-resets");
	assert_string_equal(s.c.v[0].text,
		"20 of 20 connections that ended were reset by the server, or given up by the "
		"kernel, within a moment, as where it ends or is started anew.");
	s.place.reset_seen.last = 4 * NS_S;
	assert_cause(&s, "server-resets");
	assert_null(strstr(s.c.v[0].text, "within a moment"));
	s.place.reset_seen = (struct place_span){ 10, 3 * NS_S, 3 * NS_S };
	assert_cause(&s, "server-resets");
	assert_null(strstr(s.c.v[0].text, "within a moment")); /* half of them */
	s.place.reset_unanswered = 10;
	assert_cause(&s, "server-resets");
	assert_string_equal(s.c.v[0].text,
		"20 of 20 connections that ended were reset by the server, or given up by the "
		"kernel; 10 of them before it had said a word, as a full server may do.");
}

/* Some of those that were seen may be TLS's goodbyes, of which nothing is told here. */
static void under_tls_no_moment_is_told(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 30);
	s.place.reset_recent = 20;
	s.place.reset_seen = (struct place_span){ 20, 3 * NS_S, 3 * NS_S };
	s.from.heard = NULL;
	assert_cause(&s, "server-resets");
	assert_int_equal(s.c.v[0].count, 10);
	assert_null(strstr(s.c.v[0].text, "within a moment"));
}

/* Unread goodbyes that came long after the last question: under TLS a server that reaps. */
static void idle_connections_that_are_bidden_goodbye_were_reaped(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_UNREAD, 30);
	s.place.unread_goodbye = s.place.idle_goodbye = 30;
	ages_put_many(&s.place.goodbye, 30, NS_S);
	assert_null(only_cause(&s)); /* no TLS was heard: few bytes of whatever it is */
	s.heard.tls[s.heard.n_tls++] = s.place.at;
	assert_cause(&s, "server-reaps-idle");
	assert_non_null(strstr(s.c.v[0].text, "30 of 30"));
	assert_non_null(strstr(s.c.v[0].text, "while idle after about 1"));
	closes(&s, CLOSE_PEER, WHY_IDLE, 10);
	ages_put_many(&s.place.peer_idle, 10, 7 * NS_S);
	assert_cause(&s, "server-reaps-idle"); /* the goodbyes' times, when they came */
	assert_non_null(strstr(s.c.v[0].text, "while idle after about 1"));
}

/* Each with some segments both ways: one exchange under TLS, or several without. */
static void what_may_be_tls_is_left_open(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 0, 1000, 0);
	s.place.reused = true;
	assert_cause(&s, "closed-after-answer");
	s.place.reused_many = true;
	assert_cause(&s, "pool-overflow");
}

static void long_exchanges_are_not_taken_for_several(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 0, 0, 0);
	closes(&s, CLOSE_LOCAL, WHY_AFTER_ANSWER, 1000);
	s.place.by_us.n[PLACE_PIECES] = 1000;
	assert_cause(&s, "closed-after-answer");
	s.place.by_us.n[PLACE_PIECES] = 900;
	s.place.by_us.n[PLACE_ONCE] = 100;
	assert_cause(&s, "no-keep-alive");
	assert_non_null(strstr(s.c.v[0].text, "none is known to have been used"));
}

static void of_nearly_all_only_those_are_counted(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_AFTER_ANSWER, 60);
	s.place.by_peer.n[PLACE_ONCE] = 50;
	s.place.by_peer.n[PLACE_FEW] = 10;
	assert_cause(&s, "server-closes-each");
	assert_int_equal(s.c.v[0].count, 50);
	s.place.side = SIDE_IN;
	assert_cause(&s, "callers-close-each");
	assert_int_equal(s.c.v[0].count, 50);
	s.place.by_us = s.place.by_peer;
	s.place.by_peer = (struct place_uses){ 0 };
	assert_cause(&s, "closes-each-caller");
	assert_int_equal(s.c.v[0].count, 50);
}

/* MySQL, SSH and SMTP speak first; a probe leaves without a word. */
static void a_probe_that_reads_no_greeting_is_not_refused(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_REFUSED, 50);
	s.place.greeted = 50;
	assert_cause(&s, "greeting-unread");
	assert_int_equal(s.c.v[0].level, LEVEL_NOTE);
	s.place.greeted = 5;
	causes_find(&s.c, &s.from);
	assert_int_equal(s.c.n, 2);
	assert_string_equal(cause_name(s.c.v[0].id), "refused");
	assert_int_equal(s.c.v[0].count, 45);
	s.place.greeted = 50;
	heard_there(&s, 503, 2);
	s.heard.v[0].refusal = "fasthttp";
	assert_cause(&s, "refused");
	assert_int_equal(s.c.v[0].count, 50);
}

static void a_reset_after_each_answer_may_be_the_servers_way(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 40);
	s.place.reset_answered = 40;
	assert_cause(&s, "refused-or-closed");
	assert_int_equal(s.c.v[0].level, LEVEL_WARNING);
	heard_there(&s, 500, 2);
	assert_cause(&s, "refused-or-closed"); /* a fault of its own */
	s.heard.v[0].status = 503;
	assert_cause(&s, "refused");
	assert_int_equal(s.c.v[0].level, LEVEL_CRITICAL);
	heard_there(&s, 500, 3);
	assert_cause(&s, "refused"); /* which more faults do not hide */
	s.heard.v[0].at.port++;
	assert_cause(&s, "refused-or-closed"); /* another's words */
}

static void who_hears_nothing_takes_no_goodbye_for_a_reset(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 20);
	s.place.reset_recent = 20;
	assert_cause(&s, "server-resets");
	s.from.heard = NULL;
	assert_null(only_cause(&s));
}

static void a_timeout_is_told_with_its_time(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_LOCAL, WHY_NO_ANSWER, 20);
	for (int i = 0; i < 20; i++)
		ages_put(&s.place.gave_up, (500 + i) * NS_MS);
	assert_cause(&s, "given-up");
	assert_non_null(strstr(s.c.v[0].text, "given up after about 50"));
	assert_int_equal(s.c.v[0].cures[0].runtime, RUNTIME_UNKNOWN);
}

static void a_refusal_is_worst_and_no_reset(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 40);
	closes(&s, CLOSE_PEER, WHY_REFUSED, 5);
	closes(&s, CLOSE_LOCAL, WHY_NO_ANSWER, 50);
	s.place.reset_answered = 40;
	causes_find(&s.c, &s.from);
	assert_int_equal(s.c.n, 2);
	assert_string_equal(cause_name(s.c.v[0].id), "refused");
	assert_int_equal(s.c.v[0].count, 45);
	assert_string_equal(cause_name(s.c.v[1].id), "given-up");
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 40);
	s.place.reset_goodbye = 40;
	assert_null(only_cause(&s));
	s.place.reset_goodbye = 0;
	assert_cause(&s, "server-resets");
}

static void what_is_open_to_a_full_server_is_told(void **state)
{
	struct tally_dest dests[3] = { 0 };
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_REFUSED, 50);
	dests[0].to = dests[1].to = s.place.at; /* from two addresses */
	dests[0].by_state[DIAG_ESTABLISHED] = 15;
	dests[1].by_state[DIAG_ESTABLISHED] = 5;
	dests[2].by_state[DIAG_ESTABLISHED] = 70;
	s.tally.dests = dests;
	assert_cause(&s, "refused");
	assert_null(strstr(s.c.v[0].text, "Open to it"));
	s.tally.n_dests = 3;
	assert_cause(&s, "refused");
	assert_non_null(strstr(s.c.v[0].text, "refused. Open to it from here now: 20."));
}

static void a_servers_limit_on_requests_is_read_from_them(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_AFTER_ANSWER, 50);
	s.place.by_peer = (struct place_uses){
		.n = { [PLACE_MANY] = 50 }, .alike = 49, .alike_uses = 100
	};
	assert_cause(&s, "server-closes-after");
	assert_string_equal(s.c.v[0].text,
		"49 of 50 connections that ended were closed by the server, each after about "
		"100 exchanges.");
	s.place.by_peer.alike = 20;
	assert_null(only_cause(&s));
}

static void a_goodbye_left_unread_is_no_answer_left_unread(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_UNREAD, 50);
	assert_cause(&s, "answers-not-read");
	s.place.unread_goodbye = 50;
	assert_null(only_cause(&s));
}

static void where_tls_is_spoken_it_is_taken_into_account(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_LOCAL, WHY_IDLE, 20);
	s.place.idle_few = 20;
	assert_null(only_cause(&s)); /* idle, and well so */
	s.heard.tls[s.heard.n_tls++] = s.place.at;
	assert_cause(&s, "idle-or-given-up");
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 20);
	s.place.reset_recent = 20;
	assert_cause(&s, "server-resets");
	s.heard.tls[s.heard.n_tls++] = s.place.at;
	assert_cause(&s, "reset-under-tls");
	assert_int_equal(s.c.v[0].level, LEVEL_NOTE);
}

static void the_accepting_side_has_its_own_causes(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_IN);
	closes(&s, CLOSE_RESET, WHY_REFUSED, 50);
	assert_cause(&s, "refuses-callers");
	scene_init(&s, SIDE_IN);
	closes(&s, CLOSE_PEER, WHY_NO_ANSWER, 50);
	assert_cause(&s, "callers-give-up");
	scene_init(&s, SIDE_IN);
	closes(&s, CLOSE_PEER, WHY_UNUSED, 50);
	assert_cause(&s, "never-used");
	assert_int_equal(s.c.v[0].level, LEVEL_NOTE);
}

/* `Connection: close` was said; which side then is first is chance. */
static void who_is_first_of_two_that_close_is_no_second_cause(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 74, 0, 0);
	closes(&s, CLOSE_PEER, WHY_AFTER_ANSWER, 1305);
	s.place.by_peer.n[PLACE_ONCE] = 1305;
	assert_cause(&s, "server-closes-each");
	assert_int_equal(s.c.v[0].level, LEVEL_NOTE); /* few ports a minute */
	assert_string_equal(s.c.v[0].text,
		"1,379 of 1,379 connections that ended were closed after one exchange, 1,305 by "
		"the server and 74 by this side.");
	s.from.since_start_for = 5 * NS_S;
	assert_cause(&s, "server-closes-each");
	assert_int_equal(s.c.v[0].level, LEVEL_WARNING);
	closed_by_us(&s, 1400, 0, 0);
	causes_find(&s.c, &s.from);
	assert_string_equal(cause_name(s.c.v[0].id), "no-keep-alive");
}

static void a_server_that_ends_has_no_limit_on_requests(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_AFTER_ANSWER, 20);
	s.place.by_peer = (struct place_uses){
		.n = { [PLACE_MANY] = 20 }, .alike = 20, .alike_uses = 12
	};
	s.place.by_peer_used = (struct place_span){ 20, 3 * NS_S, 3 * NS_S + 40 * NS_MS };
	assert_cause(&s, "server-closes-all");
	s.place.by_peer_used.last = 9 * NS_S;
	assert_cause(&s, "server-closes-after");
	s.place.by_peer_used.last = 3 * NS_S;
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 1);
	s.place.reset_idle = 1; /* at another time: it goes on */
	assert_cause(&s, "server-closes-after");
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_IDLE, 20);
	s.place.by_peer_used = (struct place_span){ 20, 3 * NS_S, 3 * NS_S + 40 * NS_MS };
	assert_cause(&s, "server-closes-all");
	ages_put_many(&s.place.peer_idle, 20, 5 * NS_S); /* all were idle for as long */
	assert_cause(&s, "server-reaps-idle");
	assert_non_null(strstr(s.c.v[0].text, "while idle, noticed after about "));
	assert_null(strstr(s.c.v[0].text, "a second time"));
	s.place.peer_idle_once = 19; /* a client for each call */
	assert_cause(&s, "server-reaps-idle");
	assert_non_null(
		strstr(s.c.v[0].text, "; 19 of them had never been used a second time."));
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_IDLE, 20);
	s.place.by_peer_used = (struct place_span){ 6, 3 * NS_S, 3 * NS_S };
	assert_cause(&s, "server-reaps-idle"); /* of the others it is not known */
}

/* What ended at once with a close of this side is as good as idle. */
static void who_closed_first_of_all_at_once_may_be_unknown(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_IDLE, 10);
	closes(&s, CLOSE_PEER, WHY_UNKNOWN, 10);
	s.place.by_peer_used = (struct place_span){ 20, 3 * NS_S, 3 * NS_S + 40 * NS_MS };
	assert_cause(&s, "server-closes-all");
	assert_int_equal(s.c.v[0].count, 20);
	s.place.by_peer_used.n = 10; /* of half it is not known */
	assert_cause(&s, "server-reaps-idle");
}

/* One after the other, each after the same exchanges: a look shows none of them. */
static void sessions_one_after_the_other_are_no_servers_end(void **state)
{
	const char *const names[] = { "server-closes-after", "server-closes-all" };

	(void)state;
	for (int seen = 0; seen < 2; seen++) {
		struct places p;
		struct scene s;
		struct diag_sock r = { .has_info = true };

		scene_init(&s, SIDE_OUT);
		places_init(&p);
		r.remote = s.place.at;
		r.info.data_segs_out = r.info.data_segs_in = 6;
		for (int i = 0; i < 20; i++)
			places_death(&p,
				&(struct place_close){ &r, SIDE_OUT, i * NS_MS, seen },
				&(struct close_verdict){
					CLOSE_PEER, WHY_AFTER_ANSWER, NS_MS });
		s.from.places = &p;
		assert_cause(&s, names[seen]);
		places_fini(&p);
	}
}

static void connects_that_fail_are_told_by_destination(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	s.place.connects_refused = 160;
	assert_cause(&s, "connects-refused");
	assert_int_equal(s.c.v[0].of, 160);
	assert_string_equal(s.c.v[0].text,
		"160 connects failed: refused at once, as where nobody listens or a firewall says "
		"so.");
	closes(&s, CLOSE_LOCAL_OR_BOTH, WHY_IDLE, 5000);
	assert_null(only_cause(&s)); /* few among many */
	scene_init(&s, SIDE_OUT);
	s.place.connects_unanswered = 20;
	assert_cause(&s, "connects-unanswered");
	assert_non_null(
		strstr(s.c.v[0].text, " in answer: given up, or ended by an ICMP"));
	s.place.connects_resent = 12;
	assert_cause(&s, "connects-unanswered");
	assert_string_equal(s.c.v[0].text,
		"20 connects ended without a segment in answer, 12 of them after their SYN had "
		"been sent again: given up, or ended by an ICMP message (no route, a firewall's "
		"REJECT).");
}

/* A caller that asks again at once, or one whose keep-alive is as long as its patience. */
static void those_of_the_same_time_may_be_given_up_too(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_LOCAL, WHY_NO_ANSWER, 12);
	closes(&s, CLOSE_LOCAL, WHY_SILENCE, 30);
	closes(&s, CLOSE_LOCAL, WHY_IDLE, 15);
	s.place.idle_tied = 15;
	ages_put_many(&s.place.gave_up, 12, 544 * NS_MS);
	ages_put_many(&s.place.silent, 30, 540 * NS_MS);
	ages_put_many(&s.place.tied, 15, 548 * NS_MS);
	assert_cause(&s, "given-up");
	assert_int_equal(s.c.v[0].count, 12);
	assert_non_null(strstr(
		s.c.v[0].text, "; 45 more ended after the same time, idle or given up."));
	memset(&s.place.tied, 0, sizeof(s.place.tied));
	ages_put_many(&s.place.tied, 15, 4 * NS_S); /* its keep-alive */
	assert_cause(&s, "given-up");
	assert_int_equal(s.c.v[0].count, 12);
	assert_non_null(strstr(s.c.v[0].text, "; 30 more ended "));
	memset(&s.place.silent, 0, sizeof(s.place.silent));
	causes_find(&s.c, &s.from);
	assert_int_equal(s.c.n, 2);
	assert_int_equal(s.c.v[0].count, 12);
	assert_string_equal(cause_name(s.c.v[1].id), "idle-or-given-up");
	assert_null(strstr(s.c.v[0].text, " more ended "));
}

static void what_had_to_be_sent_again_is_the_networks(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 20);
	s.place.reset_resent = 20;
	assert_cause(&s, "sent-again-and-reset");
	assert_non_null(
		strstr(s.c.v[0].text, " were reset, or given up by the kernel, after "));
	scene_init(&s, SIDE_IN);
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 20);
	s.place.reset_left = 20;
	assert_cause(&s, "callers-give-up");
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_RESET, WHY_UNREAD, 50);
	s.place.unread_ended = 50;
	assert_null(only_cause(&s)); /* the end of a program is not its manner */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(none_used_again_is_no_keep_alive),
		TEST(others_used_again_is_a_pool_without_room),
		TEST(calls_open_as_a_program_ended_are_no_warning),
		TEST(idle_connections_that_are_bidden_goodbye_were_reaped),
		TEST(callers_dropped_as_a_program_ended_are_no_warning),
		TEST(what_tls_makes_of_closes_names_no_program_without_it),
		TEST(a_reset_is_told_by_what_had_come_before),
		TEST(under_tls_no_moment_is_told),
		TEST(who_closed_first_of_all_at_once_may_be_unknown),
		TEST(sessions_one_after_the_other_are_no_servers_end),
		TEST(hardly_any_used_again_is_no_pool),
		TEST(closed_after_as_many_exchanges_each_is_no_pool),
		TEST(who_reuses_is_not_who_closes),
		TEST(each_cause_names_whose_closes_it_tells_of),
		TEST(what_may_be_tls_is_left_open),
		TEST(long_exchanges_are_not_taken_for_several),
		TEST(of_nearly_all_only_those_are_counted),
		TEST(a_probe_that_reads_no_greeting_is_not_refused),
		TEST(a_reset_after_each_answer_may_be_the_servers_way),
		TEST(who_hears_nothing_takes_no_goodbye_for_a_reset),
		TEST(a_timeout_is_told_with_its_time),
		TEST(a_refusal_is_worst_and_no_reset),
		TEST(what_is_open_to_a_full_server_is_told),
		TEST(a_servers_limit_on_requests_is_read_from_them),
		TEST(a_goodbye_left_unread_is_no_answer_left_unread),
		TEST(where_tls_is_spoken_it_is_taken_into_account),
		TEST(the_accepting_side_has_its_own_causes),
		TEST(who_is_first_of_two_that_close_is_no_second_cause),
		TEST(a_server_that_ends_has_no_limit_on_requests),
		TEST(connects_that_fail_are_told_by_destination),
		TEST(those_of_the_same_time_may_be_given_up_too),
		TEST(what_had_to_be_sent_again_is_the_networks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
