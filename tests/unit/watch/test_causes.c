#include "tests/unit/watch/scene.h"

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

static void a_refusal_has_the_servers_words(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_REFUSED, 20);
	heard_there(&s, 503, 2);
	heard_there(&s, 429, 9);
	assert_cause(&s, "refused");
	assert_ptr_equal(s.c.v[0].words, &s.heard.v[1]);
	scene_init(&s, SIDE_OUT);
	closed_by_us(&s, 50, 0, 0);
	heard_there(&s, 503, 2);
	assert_cause(&s, "no-keep-alive");
	assert_null(s.c.v[0].words); /* nothing to do with it */
}

static void a_refusals_words_stand_beside_it_alone(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_REFUSED, 60);
	closes(&s, CLOSE_PEER, WHY_AFTER_ANSWER, 40);
	s.place.by_peer.n[PLACE_ONCE] = 40;
	heard_there(&s, 503, 60);
	causes_find(&s.c, &s.from);
	assert_int_equal(s.c.n, 2);
	assert_ptr_equal(s.c.v[0].words, &s.heard.v[0]);
	assert_string_equal(cause_name(s.c.v[1].id), "server-closes-each");
	assert_null(s.c.v[1].words);
	scene_init(&s, SIDE_OUT);
	closes(&s, CLOSE_PEER, WHY_AFTER_ANSWER, 40);
	s.place.by_peer.n[PLACE_ONCE] = 40;
	heard_there(&s, 500, 3);
	assert_cause(&s, "server-closes-each");
	assert_null(s.c.v[0].words); /* a fault now and then */
	s.heard.v[0].count = 38;
	assert_cause(&s, "server-closes-each");
	assert_non_null(s.c.v[0].words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_healthy_place_has_no_cause),
		TEST(one_look_tells_no_cause),
		TEST(few_closes_are_no_warning_and_fewer_no_cause),
		TEST(the_worst_are_kept_wherever_they_come),
		TEST(a_refusal_has_the_servers_words),
		TEST(a_refusals_words_stand_beside_it_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
