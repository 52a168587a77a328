#include "tests/unit/base/unit.h"
#include "base/conf.h"
#include "lab/embed.h"
#include "lab/library.h"

static struct lab_options options;

static int plain(void **state)
{
	(void)state;
	options = (struct lab_options){ .run_for = NS_NEVER,
		.scale = 1,
		.act = "all",
		.repeat = UINT64_MAX,
		.parallel = UINT64_MAX };
	return 0;
}

static struct lab_scenario *read_text(const char *text)
{
	struct text wrong;
	text_init(&wrong);
	struct lab_scenario *s = scenario_read(
		&(struct lab_source){ "t", NULL, text }, &options, &wrong);
	if (!s)
		fail_msg("%s", wrong.ptr);
	text_fini(&wrong);
	return s;
}

#define HEAD "callers: { rate: 10/s }\n"

static const char *option(const struct lab_case *c, const char *name)
{
	const struct lab_pair *p = pairs_find(&c->options, name);
	return p ? p->value : NULL;
}

static void test_levels(void **state)
{
	(void)state;
	struct lab_scenario *s = read_text(
		"callers: { rate: 10/s, patience: 1s, connections: close }\n"
		"server: { limit: 5 }\n"
		"calls: 2\n"
		"acts:\n"
		"  one:\n"
		"    callers: { patience: 2s }\n"
		"    variants:\n"
		"      a: { weir: {} }\n"
		"      b: { weir: {}, callers: { patience: 3s }, server: { limit: 6 } }\n"
		"  two:\n"
		"    calls: 4\n"
		"    variants: { c: { weir: { limit: $limit } } }\n");
	assert_int_equal(s->n_acts, 2);
	const struct lab_case *a = &s->acts[0].cases[0], *b = &s->acts[0].cases[1];
	const struct lab_case *c = &s->acts[1].cases[0];
	assert_true(a->callers.patience == 2 * NS_S && b->callers.patience == 3 * NS_S);
	assert_true(c->callers.patience == NS_S);
	assert_int_equal(a->server.limit, 5);
	assert_int_equal(b->server.limit, 6);
	assert_int_equal(a->calls, 2);
	assert_int_equal(c->calls, 4);
	assert_string_equal(option(c, "limit"), "5");
	assert_string_equal(
		pairs_find(&b->callers.options, "connections")->value, "close");
	scenario_free(&s);
}

static void test_sweeps(void **state)
{
	(void)state;
	struct lab_scenario *s = read_text(
		HEAD "let: { d: [1s, 2s], unused: [1, 2] }\n"
		     "server: { limit: [10, 20] }\n"
		     "variants:\n"
		     "  a: { weir: { timeout: [none, 300ms] } }\n"
		     "  b: { weir: { timeout: $d, queue-for: $d } }\n"
		     "  c: { weir: { limit: $limit } }\n");
	const struct lab_act *act = &s->acts[0];
	static const char *const labels[] = { "a limit=10 timeout=none",
		"a limit=10 timeout=300ms", "a limit=20 timeout=none",
		"a limit=20 timeout=300ms", "b limit=10 d=1s", "b limit=10 d=2s",
		"b limit=20 d=1s", "b limit=20 d=2s", "c limit=10", "c limit=20" };
	assert_int_equal(act->n, ARRAY_LEN(labels));
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		assert_string_equal(act->cases[i].label, labels[i]);
	assert_string_equal(option(&act->cases[7], "timeout"), "2s");
	assert_string_equal(option(&act->cases[7], "queue-for"), "2s");
	assert_int_equal(act->cases[9].server.limit, 20);
	assert_string_equal(option(&act->cases[9], "limit"), "20");
	scenario_free(&s);
}

static void test_full_is_the_strongest_when_asked_for(void **state)
{
	static const char text[] = "callers: { rate: 10/s, for: 5s }\nrepeat: 1\n"
				   "full: { callers: { for: 1m }, repeat: 5 }\n"
				   "variants: { a: { weir: {} } }\n";
	(void)state;
	struct lab_scenario *s = read_text(text);
	assert_true(s->acts[0].cases[0].callers.run_for == 5 * NS_S);
	assert_int_equal(s->acts[0].repeat, 1);
	scenario_free(&s);
	options.full = true;
	s = read_text(text);
	assert_true(s->acts[0].cases[0].callers.run_for == 60 * NS_S);
	assert_int_equal(s->acts[0].repeat, 5);
	scenario_free(&s);
}

static void test_phases(void **state)
{
	(void)state;
	struct lab_scenario *s = read_text(
		"callers:\n  rate: 10/s\n  phase: [\"5s: rate=20/s\", 7s: rate=0.5/s]\n"
		"server: { phase: [2s: latency=3s limit=4] }\n"
		"variants: { a: { weir: {} } }\n");
	const struct lab_callers *c = &s->acts[0].cases[0].callers;
	assert_int_equal(c->n_phases, 2);
	assert_true(c->phases[0].at == 5 * NS_S && c->phases[0].rate == 20);
	assert_true(c->phases[1].at == 7 * NS_S && c->phases[1].rate == 0.5);
	assert_string_equal(
		pairs_find(&s->acts[0].cases[0].server.options, "phase")->value,
		"2s: latency=3s limit=4");
	scenario_free(&s);
}

static void test_acts_by_name_or_number(void **state)
{
	struct library_item item;
	(void)state;
	assert_true(library_find(&item, "incident", NULL));
	static const char *const words[] = { "pool", "2" };
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct text wrong;
		text_init(&wrong);
		options.act = words[i];
		struct lab_scenario *s = scenario_read(&item.source, &options, &wrong);
		assert_non_null(s);
		assert_int_equal(s->n_acts, 1);
		assert_string_equal(s->acts[0].name, "pool");
		scenario_free(&s);
		text_fini(&wrong);
	}
}

/* Those that weir brings along, and the one to start from, have no fault, in both forms. */
static void test_the_library(void **state)
{
	const char *name;
	struct text wrong;
	(void)state;
	text_init(&wrong);
	for (int full = 0; full < 2; full++) {
		options.full = full;
		for (size_t i = 0; (name = library_name(i)); i++) {
			struct library_item item;
			assert_true(library_find(&item, name, NULL));
			struct lab_scenario *s = scenario_read(
				&item.source, &options, &wrong);
			if (!s)
				fail_msg("%s", wrong.ptr);
			assert_non_null(s->title);
			for (uint32_t a = 0; a < s->n_acts; a++)
				assert_true(s->acts[a].n_expects > 0);
			scenario_free(&s);
			library_item_fini(&item);
		}
	}
	struct lab_scenario *s = read_text(lab_embed_new);
	assert_true(s->acts[0].n > 3 && s->acts[0].n_expects > 0);
	scenario_free(&s);
	text_fini(&wrong);
}

static void test_names_of_scenarios(void **state)
{
	struct library_item item;
	struct problem p = { "" };
	(void)state;
	assert_false(library_find(&item, "incidnet", &p));
	assert_non_null(strstr(p.text, "did you mean 'incident'"));
	p.text[0] = '\0';
	assert_false(library_find(&item, "./nowhere.yaml", &p));
	assert_non_null(strstr(p.text, "./nowhere.yaml: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_levels, plain),
		cmocka_unit_test_setup(test_sweeps, plain),
		cmocka_unit_test_setup(test_full_is_the_strongest_when_asked_for, plain),
		cmocka_unit_test_setup(test_phases, plain),
		cmocka_unit_test_setup(test_acts_by_name_or_number, plain),
		cmocka_unit_test_setup(test_the_library, plain),
		cmocka_unit_test_setup(test_names_of_scenarios, plain),
	};
	return cmocka_run_group_tests_name("lab/scenario", tests, NULL, NULL);
}
