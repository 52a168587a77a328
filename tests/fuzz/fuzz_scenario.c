/* Any bytes as a scenario: each fault has its place in the file; what has none can be
 * planned, its lines can be judged, and reading it once more says the same. */
#include <math.h>

#include "fuzz.h"
#include "lab/plan.h"

#define ARRIVALS_MAX 1e4 /* more of them show nothing new */

static struct lab_options options_by(uint64_t choice)
{
	return (struct lab_options){ .act = "all",
		.run_for = NS_NEVER,
		.scale = choice & 1 ? 0.25 : 1,
		.full = choice & 2,
		.middleware = choice & 4 ? "./mine" : NULL,
		.repeat = UINT64_MAX,
		.parallel = UINT64_MAX };
}

static void check_case(const struct lab_act *a, const struct lab_case *c)
{
	const struct lab_tools tools = { .weir = "weir",
		.node = "node",
		.node_js = "node.js",
		.go_middleware = "./middleware",
		.fasthttp = "./fasthttp",
		.node_server = "server.js",
		.nginx = "nginx",
		.haproxy = "haproxy",
		.python_py = "middle.py",
		.cert = "server.pem",
		.key = "server.key" };
	double seconds = (double)c->callers.run_for / (double)NS_S;
	double arrivals = c->callers.rate * seconds;
	struct lab_plan plan;
	struct text t;
	for (uint32_t i = 0; i < c->callers.n_phases; i++)
		arrivals += c->callers.phases[i].rate * seconds;
	lab_plan_init(&plan, &(struct lab_plan_of){ c, &tools, ".", a->seed });
	CHECK(plan.server.n && plan.middle.n && plan.client.n);
	CHECK(plan.n_files <= LAB_PLAN_FILES);
	lab_plan_fini(&plan);
	CHECK(slice_starts(slice_of(c->label), slice_of(c->name)));
	CHECK(lab_plan_files(c) > 0);
	text_init(&t);
	if (arrivals <= ARRIVALS_MAX)
		text_add_arrivals(&t, &c->callers, a->seed);
	text_fini(&t);
}

static const char *case_name(const void *of, uint32_t i)
{
	return ((const struct lab_act *)of)->cases[i].name;
}

static const struct lab_pairs *case_point(const void *of, uint32_t i)
{
	return &((const struct lab_act *)of)->cases[i].point;
}

/* Some are zero, some are not known. */
static double case_figure(const void *of, uint32_t i, enum figure_id f)
{
	uint32_t n = (i * FIGURES + f) % 7;
	(void)of;
	return n == 6 ? (double)NAN : n;
}

static void check_expect(const struct lab_act *a, const struct lab_expect *e)
{
	const struct expect_world world = { a->n, case_name, case_point, case_figure, a };
	struct expect_verdict v;
	expect_judge(&v, e, &world);
	CHECK((v.outcome == EXPECT_HELD) == !v.why);
	CHECK(expect_unit(e));
	expect_verdict_fini(&v);
}

static void check_good(const struct lab_scenario *s)
{
	CHECK(s->n_acts > 0 && s->n_acts <= LAB_ACTS_MAX);
	for (uint32_t i = 0; i < s->n_acts; i++) {
		const struct lab_act *a = &s->acts[i];
		CHECK(a->n > 0 && a->n <= LAB_CASES_MAX);
		CHECK(a->repeat >= 1 && a->at_once >= 1);
		for (uint32_t k = 0; k < a->n; k++)
			check_case(a, &a->cases[k]);
		for (uint32_t k = 0; k < a->n_expects; k++)
			check_expect(a, &a->expects[k]);
	}
}

static struct lab_scenario *read_once(
	const struct lab_options *o, const char *in, struct text *wrong)
{
	const struct lab_source source = { "x", NULL, in };
	struct lab_scenario *s = scenario_read(&source, o, wrong);
	CHECK(!s == (wrong->len > 0));
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A file is read as a string: what stands behind a zero byte is not seen. */
	struct slice all = { (const char *)data, size };
	struct slice in = slice_cut(all, 0, slice_find(all, '\0'));
	struct lab_options o = options_by(fuzz_hash(in));
	struct text text, first, second;
	text_init(&text);
	text_init(&first);
	text_init(&second);
	text_add_slice(&text, in);
	text_add(&text, "");
	struct lab_scenario *a = read_once(&o, text.ptr, &first);
	struct lab_scenario *b = read_once(&o, text.ptr, &second);
	CHECK(slice_eq(text_slice(&first), text_slice(&second)));
	if (a)
		check_good(a);
	else
		fuzz_check_complaints(text_slice(&first), in);
	scenario_free(&a);
	scenario_free(&b);
	text_fini(&text);
	text_fini(&first);
	text_fini(&second);
	return 0;
}
