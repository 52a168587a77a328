#include "tests/unit/watch/scene.h"

static bool is_ruled_out(const struct scene *s, const char *id)
{
	for (uint32_t i = 0; i < s->c.n_out; i++) {
		if (!strcmp(s->c.out[i].id, id))
			return true;
	}
	return false;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_what_was_counted_is_ruled_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
