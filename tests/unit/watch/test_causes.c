#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watch/causes.h"

/* One place, and what is found there within a minute. */
struct scene {
	struct place place;
	struct place *of_places[1];
	struct places places;
	struct users_of_place user;
	struct users users;
	struct heard heard;
	struct tally tally;
	struct diag_counters before, now;
	struct causes_from from;
	struct causes c;
};

static void scene_init(struct scene *s, enum tally_side_id side)
{
	memset(s, 0, sizeof(*s));
	s->place.side = side;
	assert_true(diag_end_parse("10.0.0.2", 8080, &s->place.at));
	s->of_places[0] = &s->place;
	s->places = (struct places){ .v = s->of_places, .n = 1 };
	s->tally.usable = 28232;
	s->tally.usable_first = 14116;
	s->from = (struct causes_from){
		.places = &s->places,
		.users = &s->users,
		.heard = &s->heard,
		.tally = &s->tally,
		.before = &s->before,
		.now = &s->now,
		.since_start_for = 60 * NS_S,
	};
}

static void seen_there(struct scene *s, enum runtime runtime)
{
	s->user = (struct users_of_place){
		.side = s->place.side, .at = s->place.at, .n = 1
	};
	s->user.v[0] = (struct user){ .pid = 7, .runtime = runtime, .ended = true };
	s->users = (struct users){ .v = &s->user, .n = 1 };
}

static void closes(
	struct scene *s, enum close_first first, enum close_why why, uint32_t n)
{
	s->place.count[first][why] += n;
	s->place.total += n;
}

static void closed_by_us(struct scene *s, uint32_t once, uint32_t few, uint32_t many)
{
	closes(s, CLOSE_LOCAL_OR_BOTH, WHY_AFTER_ANSWER, once + few + many);
	s->place.by_us = (struct place_uses){
		.n = { [PLACE_ONCE] = once, [PLACE_FEW] = few, [PLACE_MANY] = many }
	};
}

/* The one cause there is; NULL: there is none. */
static const struct cause *only_cause(struct scene *s)
{
	causes_find(&s->c, &s->from);
	assert_true(s->c.n <= 1);
	return s->c.n ? &s->c.v[0] : NULL;
}

static void assert_cause(struct scene *s, const char *name)
{
	assert_non_null(only_cause(s));
	assert_string_equal(cause_name(s->c.v[0].id), name);
}

static bool is_ruled_out(const struct scene *s, const char *id)
{
	for (uint32_t i = 0; i < s->c.n_out; i++) {
		if (!strcmp(s->c.out[i].id, id))
			return true;
	}
	return false;
}

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
	s.heard.v[0] = (struct heard_words){
		.at = s.place.at, .status = 503, .refusal = "fasthttp", .count = 2
	};
	s.heard.n = 1;
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
	s.heard.v[0] = (struct heard_words){
		.at = s.place.at, .status = 500, .count = 2
	};
	s.heard.n = 1;
	assert_cause(&s, "refused-or-closed"); /* a fault of its own */
	s.heard.v[0].status = 503;
	assert_cause(&s, "refused");
	assert_int_equal(s.c.v[0].level, LEVEL_CRITICAL);
	s.heard.v[1] = (struct heard_words){
		.at = s.place.at, .status = 500, .count = 3
	};
	s.heard.n = 2;
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

static void the_worst_are_kept_wherever_they_come(void **state)
{
	enum { PLACES = CAUSES_MAX + 6 };
	static struct place place[PLACES];
	struct place *of_places[PLACES];
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	for (uint32_t i = 0; i < PLACES; i++) {
		place[i] = s.place;
		place[i].side = SIDE_IN;
		place[i].count[CLOSE_PEER][WHY_UNUSED] = place[i].total = 100 + i;
		of_places[i] = &place[i];
	}
	place[PLACES - 1].side = SIDE_OUT; /* the last, and critical */
	place[PLACES - 1].count[CLOSE_PEER][WHY_REFUSED] = place[PLACES - 1].total;
	s.places = (struct places){ .v = of_places, .n = PLACES };
	causes_find(&s.c, &s.from);
	assert_int_equal(s.c.n, CAUSES_MAX);
	assert_int_equal(s.c.left_out, PLACES - CAUSES_MAX);
	assert_string_equal(cause_name(s.c.v[0].id), "refused");
	for (uint32_t i = 1; i < CAUSES_MAX; i++)
		assert_int_equal(s.c.v[i].count, 100 + PLACES - 1 - i);
}

static void few_closes_are_no_warning_and_fewer_no_cause(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 100, 0, 0);
	assert_cause(&s, "no-keep-alive");
	assert_int_equal(s.c.v[0].level, LEVEL_NOTE);
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 4, 0, 0);
	assert_null(only_cause(&s));
}

static void a_healthy_place_has_no_cause(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_LOCAL_OR_BOTH, WHY_IDLE, 5000); /* its own keep-alive's end */
	closes(&s, CLOSE_PEER, WHY_NO_ANSWER, 3);        /* a restart */
	assert_null(only_cause(&s));
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 0, 4, 100); /* used many times each */
	assert_null(only_cause(&s));
	scene_init(&s, SIDE_IN);
	closes(&s, CLOSE_PEER, WHY_IDLE, 5000);
	closes(&s, CLOSE_RESET, WHY_PEER_RESET, 5000);
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

static void a_refusal_has_the_servers_words(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_REFUSED, 20);
	s.heard.v[0] = (struct heard_words){
		.at = s.place.at, .status = 503, .count = 2
	};
	s.heard.v[1] = (struct heard_words){
		.at = s.place.at, .status = 429, .count = 9
	};
	s.heard.n = 2;
	assert_cause(&s, "refused");
	assert_ptr_equal(s.c.v[0].words, &s.heard.v[1]);
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 50, 0, 0);
	s.heard.v[0].at = s.place.at;
	s.heard.n = 1;
	assert_cause(&s, "no-keep-alive");
	assert_null(s.c.v[0].words); /* nothing to do with it */
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

static void only_what_was_counted_is_ruled_out(void **state)
{
	struct tally_dest dest = { .left = 28000, .cliff_left = 14000 };
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	assert_null(only_cause(&s));
	assert_int_equal(s.c.n_out, 0); /* nothing went on */
	s.now.active_opens = s.now.tw = 10;
	dest.by_state[DIAG_TIME_WAIT] = 10;
	s.tally.dests = &dest;
	s.tally.n_dests = 1;
	assert_null(only_cause(&s));
	assert_true(is_ruled_out(&s, "time-wait"));
	assert_true(is_ruled_out(&s, "packet-loss"));
	assert_true(is_ruled_out(&s, "kernel-limits"));
	assert_false(is_ruled_out(&s, "backlog")); /* nobody listens */
	s.now.retrans_segs = s.now.tw_overflow = 1;
	dest.cliff_left = 7000; /* more than half way */
	assert_null(only_cause(&s));
	assert_int_equal(s.c.n_out, 0);
}

static void one_look_tells_no_cause(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 1000, 0, 0);
	s.from.places = NULL;
	s.from.before = NULL;
	assert_null(only_cause(&s));
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
	for (int i = 0; i < 20; i++)
		ages_put(&s.place.peer_idle, 5 * NS_S); /* all were idle for as long */
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
	for (int i = 0; i < 12; i++)
		ages_put(&s.place.gave_up, 544 * NS_MS);
	for (int i = 0; i < 30; i++)
		ages_put(&s.place.silent, 540 * NS_MS);
	for (int i = 0; i < 15; i++)
		ages_put(&s.place.tied, 548 * NS_MS);
	assert_cause(&s, "given-up");
	assert_int_equal(s.c.v[0].count, 12);
	assert_non_null(strstr(
		s.c.v[0].text, "; 45 more ended after the same time, idle or given up."));
	memset(&s.place.tied, 0, sizeof(s.place.tied));
	for (int i = 0; i < 15; i++)
		ages_put(&s.place.tied, 4 * NS_S); /* its keep-alive */
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

static void a_refusals_words_stand_beside_it_alone(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_REFUSED, 60);
	closes(&s, CLOSE_PEER, WHY_AFTER_ANSWER, 40);
	s.place.by_peer.n[PLACE_ONCE] = 40;
	s.heard.v[0] = (struct heard_words){
		.at = s.place.at, .status = 503, .count = 60
	};
	s.heard.n = 1;
	causes_find(&s.c, &s.from);
	assert_int_equal(s.c.n, 2);
	assert_ptr_equal(s.c.v[0].words, &s.heard.v[0]);
	assert_string_equal(cause_name(s.c.v[1].id), "server-closes-each");
	assert_null(s.c.v[1].words);
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_AFTER_ANSWER, 40);
	s.place.by_peer.n[PLACE_ONCE] = 40;
	s.heard.v[0] = (struct heard_words){
		.at = s.place.at, .status = 500, .count = 3
	};
	s.heard.n = 1;
	assert_cause(&s, "server-closes-each");
	assert_null(s.c.v[0].words); /* a fault now and then */
	s.heard.v[0].count = 38;
	assert_cause(&s, "server-closes-each");
	assert_non_null(s.c.v[0].words);
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
		cmocka_unit_test(none_used_again_is_no_keep_alive),
		cmocka_unit_test(others_used_again_is_a_pool_without_room),
		cmocka_unit_test(what_may_be_tls_is_left_open),
		cmocka_unit_test(long_exchanges_are_not_taken_for_several),
		cmocka_unit_test(of_nearly_all_only_those_are_counted),
		cmocka_unit_test(a_probe_that_reads_no_greeting_is_not_refused),
		cmocka_unit_test(a_reset_after_each_answer_may_be_the_servers_way),
		cmocka_unit_test(who_hears_nothing_takes_no_goodbye_for_a_reset),
		cmocka_unit_test(the_worst_are_kept_wherever_they_come),
		cmocka_unit_test(few_closes_are_no_warning_and_fewer_no_cause),
		cmocka_unit_test(a_healthy_place_has_no_cause),
		cmocka_unit_test(a_timeout_is_told_with_its_time),
		cmocka_unit_test(a_refusal_is_worst_and_no_reset),
		cmocka_unit_test(what_is_open_to_a_full_server_is_told),
		cmocka_unit_test(a_servers_limit_on_requests_is_read_from_them),
		cmocka_unit_test(a_goodbye_left_unread_is_no_answer_left_unread),
		cmocka_unit_test(where_tls_is_spoken_it_is_taken_into_account),
		cmocka_unit_test(a_refusal_has_the_servers_words),
		cmocka_unit_test(the_accepting_side_has_its_own_causes),
		cmocka_unit_test(only_what_was_counted_is_ruled_out),
		cmocka_unit_test(one_look_tells_no_cause),
		cmocka_unit_test(who_is_first_of_two_that_close_is_no_second_cause),
		cmocka_unit_test(a_server_that_ends_has_no_limit_on_requests),
		cmocka_unit_test(connects_that_fail_are_told_by_destination),
		cmocka_unit_test(those_of_the_same_time_may_be_given_up_too),
		cmocka_unit_test(a_refusals_words_stand_beside_it_alone),
		cmocka_unit_test(what_had_to_be_sent_again_is_the_networks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
