#include "tests/unit/base/unit.h"
#include "watch/report.h"

static void put(struct heard *h, const char *words, uint64_t count, const char *refusal)
{
	struct heard_words *w = &h->v[h->n++];

	*w = (struct heard_words){ .status = 503, .count = count, .refusal = refusal };
	assert_true(diag_end_parse("10.0.0.2", 80, &w->at));
	snprintf(w->text, sizeof(w->text), "%s", words);
}

static void assert_heard(const struct heard *h, uint32_t top, const char *want)
{
	struct text t;

	text_init(&t);
	watch_report_heard(&t, h, top, &(struct report_style){ .columns = 80 });
	assert_string_equal(t.ptr ? t.ptr : "", want);
	text_fini(&t);
}

static void words_are_told_by_worth_and_those_untold_are_counted(void **state)
{
	struct heard h = { 0 };

	(void)state;
	assert_heard(NULL, 10, "");
	assert_heard(&h, 10, "");
	put(&h, "no", 2, NULL);
	put(&h, "down", 1500, NULL);
	put(&h, "full", 1, "haproxy");
	assert_heard(&h, 3,
		"\nerror answers that went by\n"
		"1 time 10.0.0.2:80: 503 full (haproxy says so when it is full)\n"
		"1,500 times 10.0.0.2:80: 503 down\n"
		"2 times 10.0.0.2:80: 503 no\n");
	h.dropped = 7;
	assert_heard(&h, 1,
		"\nerror answers that went by\n"
		"1 time 10.0.0.2:80: 503 full (haproxy says so when it is full)\n"
		"... and 1,509 answers of other words\n");
}

static struct causes causes_of(struct place *p)
{
	struct causes c = { .n = 2, .left_out = 3 };

	*p = (struct place){ .side = SIDE_OUT };
	assert_true(diag_end_parse("10.0.0.2", 80, &p->at));
	c.v[0] = (struct cause){ .level = LEVEL_WARNING, .place = p, .text = "bad" };
	c.v[1] = (struct cause){ .level = LEVEL_NOTE, .place = p, .text = "odd" };
	return c;
}

static void assert_causes(
	enum warning_level low, enum warning_level high, const char *want)
{
	static struct place p;
	struct causes c = causes_of(&p);
	struct text t;

	text_init(&t);
	watch_report_causes(&t, &c, &(struct report_levels){ low, high },
		&(struct report_style){ .columns = 80 });
	assert_string_equal(t.ptr ? t.ptr : "", want);
	text_fini(&t);
}

static void causes_left_out_are_told_once(void **state)
{
	(void)state;
	assert_causes(LEVEL_WARNING, LEVEL_CRITICAL,
		"\ndiagnosis\nwarning   to 10.0.0.2:80: bad\n");
	assert_causes(LEVEL_NOTE, LEVEL_NOTE,
		"\ndiagnosis\nnote      to 10.0.0.2:80: odd\n... and 3 causes more\n");
	assert_causes(LEVEL_CRITICAL, LEVEL_CRITICAL, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words_are_told_by_worth_and_those_untold_are_counted),
		TEST(causes_left_out_are_told_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
