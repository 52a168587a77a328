#include "tests/unit/base/unit.h"
#include "watch/ends.h"

#define AGE (500 * NS_MS)

struct scene {
	struct closes closes;
	struct places places;
	struct ends ends;
	struct diag_sock record;
};

static void scene_init(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	closes_init(&s->closes);
	s->closes.ages[SIDE_OUT][WHY_IDLE] = hist_new();
	places_init(&s->places);
	ends_init(&s->ends);
	s->record.has_info = true;
	assert_true(diag_end_parse("10.0.0.1", 40000, &s->record.local));
	assert_true(diag_end_parse("10.0.0.2", 80, &s->record.remote));
}

static void scene_fini(struct scene *s)
{
	ends_fini(&s->ends);
	places_fini(&s->places);
	closes_fini(&s->closes);
}

/* One that is counted, and may be the end of its program. */
static void closes_at(struct scene *s, int32_t pid, enum close_why why, ns_t at)
{
	if (why == WHY_IDLE)
		hist_record(s->closes.ages[SIDE_OUT][why], AGE);
	places_death(&s->places, &(struct place_close){ &s->record, SIDE_OUT, at, false },
		&(struct close_verdict){ CLOSE_LOCAL, why, AGE });
	ends_put(&s->ends, &(struct ends_close){
				   .pid = pid,
				   .at = at,
				   .close = { SIDE_OUT, s->record.remote, why, AGE,
					   place_use_of(&s->record.info),
					   place_is_tied(&s->record.info) },
			   });
}

static void settle(struct scene *s)
{
	ends_settle(&s->ends, &s->closes, &s->places);
}

/* Above any pid there is: it has ended. */
enum { GONE = INT32_MAX };

static void what_a_program_held_as_it_ended_is_taken_back(void **state)
{
	const struct place *p;
	struct scene s;

	(void)state;
	scene_init(&s);
	for (int i = 0; i < 3; i++)
		closes_at(&s, GONE, WHY_IDLE, 0);
	closes_at(&s, getpid(), WHY_IDLE, 0);
	s.record.info.last_recv_ms = 500; /* the question came later */
	closes_at(&s, getpid(), WHY_IDLE, 0);
	p = s.places.v[0];
	assert_int_equal(p->idle_tied, 4);
	assert_int_equal(p->tied.n, 4);
	settle(&s);
	assert_int_equal(p->idle.n, 2);
	assert_int_equal(p->idle_few, 2);
	assert_int_equal(p->idle_tied, 1);
	assert_int_equal(p->tied.n, 1);
	assert_int_equal(s.ends.n, 2); /* it may end yet */
	settle(&s);
	assert_int_equal(s.ends.n, 0);
	assert_int_equal(p->idle.n, 2);
	scene_fini(&s);
}

/* Those of several that end at once are mixed, whatever their pids. */
static void each_program_has_its_own_last_moment(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s);
	s.record.rqueue = 1000;
	for (int i = 0; i < 5; i++) {
		closes_at(&s, GONE, WHY_UNREAD, i * NS_MS);
		closes_at(&s, GONE - 256, WHY_UNREAD, i * NS_MS);
	}
	closes_at(&s, GONE - 512, WHY_UNREAD, 5 * NS_S); /* its one call */
	settle(&s);
	assert_int_equal(s.places.v[0]->unread_ended, 10);
	assert_int_equal(s.places.v[0]->unread.n, 1);
	scene_fini(&s);
}

/* Its idle connections are closed as well; who only gives up keeps them. */
static void calls_that_were_open_as_the_program_ended_are_counted(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s);
	closes_at(&s, GONE, WHY_NO_ANSWER, 0); /* given up */
	for (int i = 0; i < 5; i++)
		closes_at(&s, GONE, WHY_NO_ANSWER, 5 * NS_S);
	closes_at(&s, GONE, WHY_IDLE, 5 * NS_S + NS_MS);
	for (int i = 0; i < 7; i++)
		closes_at(&s, GONE - 1, WHY_NO_ANSWER, 5 * NS_S);
	settle(&s);
	assert_int_equal(s.places.v[0]->gave_up_ended, 5);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_program_held_as_it_ended_is_taken_back),
		TEST(calls_that_were_open_as_the_program_ended_are_counted),
		TEST(each_program_has_its_own_last_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
