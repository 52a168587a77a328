#include "lab/session.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "io/cage.h"
#include "lab/progress.h"
#include "lab/report.h"
#include "lab/tools.h"

#define POLL_EVERY (50 * NS_MS)
#define SAMPLE_EVERY (500 * NS_MS)
#define PAGE_COLUMNS 170 /* where the output is no terminal: the widest table in one */

struct session {
	const struct lab_session *of;
	struct lab_progress progress;
	struct lab_toolbox box;
	struct lab_result result;
};

static bool act_is_wanted(const struct lab_options *o, const struct lab_act *act)
{
	return o->act == LAB_ACT_ALL || (uint32_t)o->act == act->number;
}

/* The variants of an act that can run here; what cannot is told in `missing` (may be
 * NULL). */
static bool cast_of(const struct lab_session *s, const struct lab_act *act,
	struct lab_cast *cast, struct args *missing, struct problem *p)
{
	struct lab_cast all;
	cast->n = 0;
	if (!lab_cast_init(&all, s->scenario, act, s->options, p))
		return false;
	for (uint32_t i = 0; i < all.n; i++) {
		const struct lab_variant *v = &all.v[i];
		const char *needs = v->program == LAB_NODE ? "node"
				    : v->program == LAB_GO ? "go"
							   : NULL;
		if (!needs || lab_has_program(needs))
			cast->v[cast->n++] = *v;
		else if (missing)
			args_addf(missing, "%s (`%s` is not installed)", v->name, needs);
	}
	return true;
}

bool lab_session_check(const struct lab_session *s, struct problem *p)
{
	uint32_t found = 0;
	for (size_t i = 0; i < s->scenario->n_acts; i++) {
		struct lab_cast cast;
		if (!act_is_wanted(s->options, &s->scenario->acts[i]))
			continue;
		if (!cast_of(s, &s->scenario->acts[i], &cast, NULL, p))
			return false;
		found += cast.n;
	}
	if (!found)
		return problem_set(p,
			"--only %s --act %u: nothing is left to run; `weir lab show %s` lists "
			"what there is",
			s->options->only ? s->options->only : "(all)",
			(unsigned)s->options->act, s->scenario->name);
	return true;
}

uint64_t lab_session_files(const struct lab_session *s)
{
	uint64_t most = 0;
	for (size_t i = 0; i < s->scenario->n_acts; i++) {
		if (!act_is_wanted(s->options, &s->scenario->acts[i]))
			continue;
		struct lab_setting set = lab_setting_of(
			&s->scenario->acts[i], s->options);
		uint64_t files = lab_plan_files(&set);
		most = files > most ? files : most;
	}
	return most;
}

/* What `say` callbacks print through: they know no session. */
static void say(const char *what)
{
	fprintf(stderr, "weir lab: %s\n", what);
}

static int fail(const struct lab_trouble *why)
{
	fprintf(stderr, "weir lab: %s\n", why->p.text);
	if (why->said.len)
		fprintf(stderr, "It said:\n%s\n", why->said.ptr);
	return EXIT_FAILURE;
}

static bool make_tools(struct session *s, struct lab_trouble *why)
{
	const struct lab_session *of = s->of;
	struct lab_wants wants = { .fasthttp = of->options->origin ==
					       LAB_ORIGIN_FASTHTTP };
	for (size_t i = 0; i < of->scenario->n_acts; i++) {
		struct lab_cast cast;
		if (!act_is_wanted(of->options, &of->scenario->acts[i]))
			continue;
		if (!cast_of(of, &of->scenario->acts[i], &cast, NULL, &why->p))
			return false;
		for (uint32_t k = 0; k < cast.n; k++) {
			wants.node |= cast.v[k].program == LAB_NODE;
			wants.go |= cast.v[k].program == LAB_GO;
		}
	}
	return lab_tools_init(
		&s->box, of->dir, &wants, of->options->quiet ? NULL : say, why);
}

static void pause_until(ns_t at)
{
	struct timespec ts = { at / NS_S, at % NS_S };
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Polls and samples until all of the batch are over. Samples of different runs are spread
 * over the half second, so that they do not stop the callers all at once. */
static void watch(struct session *s, struct lab_run *runs, uint32_t n)
{
	const struct lab_run *shown[LAB_VARIANTS_MAX];
	ns_t due[LAB_VARIANTS_MAX], now = lab_clock();
	uint32_t running = n;
	for (uint32_t i = 0; i < n; i++) {
		shown[i] = &runs[i];
		due[i] = now + SAMPLE_EVERY * (i + 1) / n;
	}
	for (ns_t tick = now + POLL_EVERY; running; tick += POLL_EVERY) {
		pause_until(tick);
		running = 0;
		for (uint32_t i = 0; i < n; i++) {
			now = lab_clock();
			lab_run_poll(&runs[i], now);
			if (now >= due[i])
				lab_run_sample(&runs[i]);
			while (now >= due[i])
				due[i] += SAMPLE_EVERY;
			running += runs[i].state == LAB_RUN_RUNNING;
		}
		lab_progress_show(&s->progress, shown, n, now);
		tick = ns_max(
			tick, lab_clock() - POLL_EVERY); /* late: do not race after */
	}
	lab_progress_clear(&s->progress);
}

/* Prepares, starts and watches `n` variants at once. */
static bool run_batch(struct session *s, struct lab_run *runs,
	const struct lab_plan_of *of, uint32_t n, struct lab_trouble *why)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!lab_run_init(&runs[i], &of[i], why))
			return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!lab_run_start(&runs[i], &why->p))
			return false;
	}
	watch(s, runs, n);
	cage_clear(); /* what a middleware may have started and left */
	return true;
}

/* How long what is still to come takes, when `batches` of this act are left. */
static ns_t left_after(const struct session *s, const struct lab_act *act,
	uint32_t batches, uint32_t at_once)
{
	const struct lab_session *of = s->of;
	ns_t sum = 0;
	for (size_t i = 0; i < of->scenario->n_acts; i++) {
		const struct lab_act *a = &of->scenario->acts[i];
		struct lab_cast cast;
		if (!act_is_wanted(of->options, a) || a->number < act->number ||
			!cast_of(of, a, &cast, NULL, NULL))
			continue;
		struct lab_setting set = lab_setting_of(a, of->options);
		uint32_t n = a == act ? batches : (cast.n + at_once - 1) / at_once;
		sum += (set.run_for + ns_min(set.patience, set.wait_for)) * n;
	}
	return sum;
}

static uint32_t parallel_of(const struct lab_options *o)
{
	uint64_t n = o->parallel;
	return n == 0 || n > LAB_VARIANTS_MAX ? LAB_VARIANTS_MAX : (uint32_t)n;
}

static bool run_act(struct session *s, struct lab_act_result *a,
	const struct lab_cast *cast, struct lab_trouble *why)
{
	struct lab_plan_of of[LAB_VARIANTS_MAX];
	char *dirs[LAB_VARIANTS_MAX] = { NULL };
	uint32_t at_once = parallel_of(s->of->options);
	bool ok = true;
	for (uint32_t i = 0; i < cast->n; i++) {
		struct text t;
		text_init(&t);
		text_addf(&t, "%s/%u-%u", s->of->dir, a->act->number, i);
		dirs[i] = text_take(&t);
		of[i] = (struct lab_plan_of){ .act = a->act,
			.variant = &cast->v[i],
			.options = s->of->options,
			.tools = &s->box.tools,
			.dir = dirs[i] };
	}
	for (uint32_t i = 0; ok && i < cast->n; i += at_once) {
		uint32_t n = cast->n - i < at_once ? cast->n - i : at_once;
		uint32_t batches = (cast->n - i - n + at_once - 1) / at_once;
		s->progress.after_for = left_after(s, a->act, batches, at_once);
		ok = run_batch(s, &a->runs[i], &of[i], n, why);
	}
	for (uint32_t i = 0; i < cast->n; i++)
		mem_free(dirs[i]);
	return ok;
}

static size_t page_columns(void)
{
	struct winsize size = { 0 };
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < 60)
		return PAGE_COLUMNS;
	return size.ws_col;
}

static void show_act(const struct session *s, const struct lab_act_result *a)
{
	struct text t;
	if (s->of->options->json)
		return;
	text_init(&t);
	if (a != s->result.acts)
		text_add_char(&t, '\n');
	lab_report_text(&t, a, page_columns());
	fwrite(t.ptr, 1, t.len, stdout);
	fflush(stdout);
	text_fini(&t);
}

static bool one_act(struct session *s, const struct lab_act *act, struct lab_trouble *why)
{
	struct lab_act_result *a = &s->result.acts[s->result.n_acts];
	struct lab_cast cast;
	*a = (struct lab_act_result){ .act = act,
		.set = lab_setting_of(act, s->of->options) };
	args_init(&a->missing);
	if (!cast_of(s->of, act, &cast, &a->missing, &why->p))
		return false;
	if (!cast.n)
		return true;
	a->cast = cast; /* runs point into it */
	a->n = cast.n;
	a->runs = mem_zalloc(cast.n * sizeof(*a->runs));
	a->rows = mem_zalloc(cast.n * sizeof(*a->rows));
	s->result.n_acts++;
	if (!run_act(s, a, &a->cast, why))
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		lab_row_init(&a->rows[i], &a->runs[i]);
	lab_story_init(&a->story, a->rows, a->n);
	show_act(s, a);
	return true;
}

static bool finish(struct session *s, struct lab_trouble *why)
{
	const struct lab_options *o = s->of->options;
	struct text t;
	if (!lab_report_write(o->out, &s->result, &why->p))
		return false;
	if (!o->json) {
		printf("\nWritten: %s/samples.json and %s/table.md\n", o->out, o->out);
		return true;
	}
	text_init(&t);
	lab_report_json(&t, &s->result);
	fwrite(t.ptr, 1, t.len, stdout);
	text_fini(&t);
	return true;
}

static void result_fini(struct lab_result *r)
{
	for (uint32_t i = 0; i < ARRAY_LEN(r->acts); i++) {
		struct lab_act_result *a = &r->acts[i];
		for (uint32_t k = 0; k < a->n; k++)
			lab_run_fini(&a->runs[k]);
		lab_story_fini(&a->story);
		args_fini(&a->missing);
		mem_free(a->runs);
		mem_free(a->rows);
	}
}

static bool all_ended_well(const struct lab_result *r)
{
	for (uint32_t i = 0; i < r->n_acts; i++) {
		for (uint32_t k = 0; k < r->acts[i].n; k++) {
			if (r->acts[i].runs[k].note)
				return false;
		}
	}
	return true;
}

int lab_session_main(void *arg)
{
	struct session s = { .of = arg };
	struct lab_trouble why = { 0 };
	struct timespec wall;
	clock_gettime(CLOCK_REALTIME, &wall);
	s.result.scenario = s.of->scenario;
	s.result.options = s.of->options;
	s.result.started_at_ms = wall.tv_sec * 1000 + wall.tv_nsec / NS_MS;
	lab_progress_init(&s.progress, s.of->options->quiet);
	bool ok = make_tools(&s, &why);
	for (size_t i = 0; ok && i < s.of->scenario->n_acts; i++) {
		if (act_is_wanted(s.of->options, &s.of->scenario->acts[i]))
			ok = one_act(&s, &s.of->scenario->acts[i], &why);
	}
	ok = ok && finish(&s, &why);
	int status = ok ? EXIT_SUCCESS : fail(&why);
	if (ok && !all_ended_well(&s.result))
		status = EXIT_FAILURE;
	result_fini(&s.result);
	lab_tools_fini(&s.box);
	text_fini(&why.said);
	return status;
}
