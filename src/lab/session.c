#include "lab/session.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/units.h"
#include "io/clock.h"
#include "lab/out.h"
#include "lab/progress.h"
#include "lab/report.h"
#include "lab/tools.h"

#define POLL_EVERY (50 * NS_MS)
#define SAMPLE_EVERY (500 * NS_MS)
#define AT_ONCE_MAX 16
#define REPEAT_MAX 100
#define PAGE_COLUMNS 170 /* where the output is no terminal: the widest table in one */

struct session {
	const struct lab_session *of;
	struct lab_progress progress;
	struct lab_toolbox box;
	struct lab_result result;
};

/* Whether `name` is one of the comma-separated names. */
static bool is_among(const char *names, const char *name)
{
	struct slice rest = slice_of(names), item;
	while (slice_next_item(&rest, &item)) {
		if (slice_eq(item, slice_of(name)))
			return true;
	}
	return false;
}

/* Whether a case is asked for and can run here; what cannot is told in `missing` (may be
 * NULL), once a variant. */
static bool is_in_cast(
	const struct lab_session *s, const struct lab_case *c, struct args *missing)
{
	if (s->options->only && !is_among(s->options->only, c->name))
		return false;
	const char *needs = lab_case_lacks(c);
	if (!needs)
		return true;
	struct text t;
	text_init(&t);
	text_addf(&t, "%s (`%s` is not installed)", c->name, needs);
	if (missing && (!missing->n || strcmp(missing->v[missing->n - 1], t.ptr) != 0))
		args_add(missing, t.ptr);
	text_fini(&t);
	return false;
}

static uint32_t cast_size(const struct lab_session *s, const struct lab_act *act)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < act->n; i++)
		n += is_in_cast(s, &act->cases[i], NULL);
	return n;
}

/* A name in --only that no act of the scenario has is a slip of the pen. */
static bool check_only(const struct lab_session *s, struct problem *p)
{
	const char *known[LAB_ACTS_MAX * LAB_VARIANTS_MAX];
	size_t n = 0;
	for (uint32_t i = 0; i < s->scenario->n_acts; i++) {
		const struct lab_act *act = &s->scenario->acts[i];
		for (uint32_t k = 0; k < act->n && n < ARRAY_LEN(known); k++) {
			if (k == 0 || strcmp(act->cases[k].name, known[n - 1]) != 0)
				known[n++] = act->cases[k].name;
		}
	}
	struct slice rest = slice_of(s->options->only), item;
	while (slice_next_item(&rest, &item)) {
		size_t k = 0;
		while (k < n && !slice_eq(item, slice_of(known[k])))
			k++;
		if (k < n)
			continue;
		const char *near = units_nearest(item, known, n);
		return problem_set(p,
			"--only: there is no variant '%.*s'%s%s%s; `weir lab show %s` "
			"lists them",
			SLICE_ARG(item), near ? ": did you mean '" : "", near ? near : "",
			near ? "'?" : "",
			s->scenario->source.file ? s->scenario->source.file
						 : s->scenario->name);
	}
	return true;
}

/* What keeps the first of those asked for from running. */
static const char *lacking(const struct lab_session *s)
{
	const char *lacks = NULL;
	for (uint32_t i = 0; i < s->scenario->n_acts && !lacks; i++) {
		const struct lab_act *act = &s->scenario->acts[i];
		for (uint32_t k = 0; k < act->n && !lacks; k++) {
			if (!s->options->only ||
				is_among(s->options->only, act->cases[k].name))
				lacks = lab_case_lacks(&act->cases[k]);
		}
	}
	return lacks;
}

static uint32_t session_size(const struct lab_session *s)
{
	uint32_t found = 0;
	for (uint32_t i = 0; i < s->scenario->n_acts; i++)
		found += cast_size(s, &s->scenario->acts[i]);
	return found;
}

bool lab_session_check(const struct lab_session *s, struct problem *p)
{
	if (!s->scenario->n_acts)
		return problem_set(p,
			"--act: there is no act '%s'; `weir lab show %s` "
			"lists them",
			s->options->act, s->scenario->name);
	if (s->options->only && !check_only(s, p))
		return false;
	if (!session_size(s) && !lacking(s))
		return problem_set(p,
			"--only %s --act %s: nothing is left to run; `weir lab show %s` "
			"lists what there is",
			s->options->only ? s->options->only : "(all)", s->options->act,
			s->scenario->name);
	return true;
}

/* Where the package in Debian has another name than the program. */
static const char *package_of(const char *program)
{
	if (!strcmp(program, "go"))
		return "golang-go";
	return strcmp(program, "node") ? program : "nodejs";
}

bool lab_session_can_run(const struct lab_session *s, struct problem *p)
{
	const char *lacks = session_size(s) ? NULL : lacking(s);
	return !lacks ||
	       problem_set(p,
		       "nothing can run here: `%s` is not installed (apt install %s)",
		       lacks, package_of(lacks));
}

uint64_t lab_session_files(const struct lab_session *s)
{
	uint64_t most = 0;
	for (uint32_t i = 0; i < s->scenario->n_acts; i++) {
		const struct lab_act *act = &s->scenario->acts[i];
		for (uint32_t k = 0; k < act->n; k++) {
			uint64_t files = lab_plan_files(&act->cases[k]);
			most = files > most ? files : most;
		}
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
	struct lab_wants wants = { false };
	for (uint32_t i = 0; i < of->scenario->n_acts; i++) {
		const struct lab_act *act = &of->scenario->acts[i];
		for (uint32_t k = 0; k < act->n; k++) {
			if (is_in_cast(of, &act->cases[k], NULL))
				lab_wants_add(&wants, &act->cases[k]);
		}
	}
	if (!lab_tools_init(
		    &s->box, of->dir, &wants, of->options->quiet ? NULL : say, why))
		return false;
	lab_tools_versions(&s->box, of->dir, &s->result.machine);
	return true;
}

static void pause_until(ns_t at)
{
	struct timespec ts = { at / NS_S, at % NS_S };
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Polls and samples until all of the batch are over. Samples of different runs are spread
 * over the half second, so that they do not stop the callers all at once. */
static void watch(struct session *s, struct lab_run *const *runs, uint32_t n)
{
	ns_t due[AT_ONCE_MAX], now = clock_now();
	uint32_t running = n;
	for (uint32_t i = 0; i < n; i++)
		due[i] = now + SAMPLE_EVERY * (i + 1) / n;
	for (ns_t tick = now + POLL_EVERY; running; tick += POLL_EVERY) {
		pause_until(tick);
		running = 0;
		for (uint32_t i = 0; i < n; i++) {
			now = clock_now();
			lab_run_poll(runs[i], now);
			if (now >= due[i])
				lab_run_sample(runs[i]);
			while (now >= due[i])
				due[i] += SAMPLE_EVERY;
			running += runs[i]->state == LAB_RUN_RUNNING;
		}
		lab_progress_show(&s->progress, runs, n, now);
		tick = ns_max(
			tick, clock_now() - POLL_EVERY); /* late: do not race after */
	}
	lab_progress_clear(&s->progress);
}

/* Of an act: which run is next, of whom. All first runs, then all second ones; each time
 * they begin with another case, so that neighbours in a batch change. */
struct order {
	const struct lab_act_result *a;
	uint32_t at_once;
};

static uint32_t nth_case(const struct order *o, uint32_t nth)
{
	uint32_t repetition = nth / o->a->n, i = nth % o->a->n;
	return (i + repetition * (1 + o->a->n / 3)) % o->a->n;
}

/* Prepares, starts and watches the runs from `nth` on, `n` of them at once. */
static bool run_batch(struct session *s, const struct order *o, uint32_t nth, uint32_t n,
	struct lab_trouble *why)
{
	struct lab_run *runs[AT_ONCE_MAX];
	const struct lab_act_result *a = o->a;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t c = nth_case(o, nth + i), repetition = (nth + i) / a->n;
		struct text dir;
		text_init(&dir);
		text_addf(&dir, "%s/%u-%u-%u", s->of->dir, s->result.n_acts, c,
			repetition + 1);
		runs[i] = &a->runs[c * a->repeat + repetition];
		bool ok = lab_run_init(runs[i],
			&(struct lab_run_of){ { a->cases[c], &s->box.tools, dir.ptr,
						      a->act->seed + repetition },
				repetition + 1 },
			why);
		text_fini(&dir);
		if (!ok)
			return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!lab_run_start(runs[i], &why->p))
			return false;
	}
	watch(s, runs, n);
	for (uint32_t i = 0; i < n; i++) {
		if (runs[i]->hosts.note)
			lab_machine_note(&s->result.machine, runs[i]->hosts.note);
	}
	cage_clear(); /* what a middleware may have started and left */
	return true;
}

static uint32_t at_once_of(const struct lab_act *act)
{
	return act->at_once > AT_ONCE_MAX ? AT_ONCE_MAX : (uint32_t)act->at_once;
}

static ns_t longest_of(const struct lab_act *act)
{
	ns_t longest = 0;
	for (uint32_t i = 0; i < act->n; i++)
		longest = ns_max(longest, lab_case_for(&act->cases[i]));
	return longest;
}

/* How long the acts behind this one take. */
static ns_t acts_after(const struct session *s, const struct lab_act *act)
{
	const struct lab_scenario *all = s->of->scenario;
	ns_t sum = 0;
	for (uint32_t i = 0; i < all->n_acts; i++) {
		const struct lab_act *a = &all->acts[i];
		uint64_t runs = cast_size(s->of, a) * a->repeat;
		uint64_t batches = (runs + at_once_of(a) - 1) / at_once_of(a);
		if (a > act)
			sum += longest_of(a) * (ns_t)batches;
	}
	return sum;
}

static bool run_act(struct session *s, struct lab_act_result *a, struct lab_trouble *why)
{
	struct order o = { a, at_once_of(a->act) };
	uint32_t all = a->n * a->repeat;
	bool ok = true;
	for (uint32_t i = 0; ok && i < all;) {
		/* A case stands once in a batch. */
		uint32_t n = all - i < o.at_once ? all - i : o.at_once;
		uint32_t left = a->n - i % a->n;
		n = n < left ? n : left;
		uint32_t batches = (all - i - n + o.at_once - 1) / o.at_once;
		s->progress.act = a->act->name;
		s->progress.after_for = acts_after(s, a->act) +
					longest_of(a->act) * batches;
		ok = run_batch(s, &o, i, n, why);
		i += n;
	}
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

static const char *case_name(const void *of, uint32_t i)
{
	return ((const struct lab_act_result *)of)->cases[i]->name;
}

static const struct lab_pairs *case_point(const void *of, uint32_t i)
{
	return &((const struct lab_act_result *)of)->cases[i]->point;
}

static double case_figure(const void *of, uint32_t i, enum figure_id f)
{
	return ((const struct lab_act_result *)of)->rows[i].f.of[f];
}

static void judge(struct lab_act_result *a)
{
	struct expect_world world = { a->n, case_name, case_point, case_figure, a };
	for (uint32_t i = 0; i < a->n; i++) {
		const struct lab_run *runs[REPEAT_MAX];
		for (uint32_t k = 0; k < a->repeat; k++)
			runs[k] = &a->runs[i * a->repeat + k];
		lab_row_init(&a->rows[i], a->cases[i], runs, a->repeat);
	}
	lab_story_init(&a->story, a->rows, a->n);
	for (uint32_t i = 0; i < a->act->n_expects; i++)
		expect_judge(&a->verdicts[i], &a->act->expects[i], &world);
}

static bool one_act(struct session *s, const struct lab_act *act, struct lab_trouble *why)
{
	struct lab_act_result *a = &s->result.acts[s->result.n_acts];
	*a = (struct lab_act_result){ .act = act, .repeat = (uint32_t)act->repeat };
	a->cases = mem_zalloc((act->n + 1) * sizeof(const struct lab_case *));
	for (uint32_t i = 0; i < act->n; i++) {
		if (is_in_cast(s->of, &act->cases[i], &a->missing))
			a->cases[a->n++] = &act->cases[i];
	}
	s->result.n_acts++;
	if (!a->n) {
		s->result.n_acts--;
		args_fini(&a->missing);
		mem_free(a->cases);
		return true;
	}
	a->runs = mem_zalloc(a->n * a->repeat * sizeof(*a->runs));
	a->rows = mem_zalloc(a->n * sizeof(*a->rows));
	a->verdicts = mem_zalloc((act->n_expects + 1) * sizeof(*a->verdicts));
	if (!run_act(s, a, why))
		return false;
	judge(a);
	show_act(s, a);
	return true;
}

static bool finish(struct session *s, struct lab_trouble *why)
{
	const struct lab_options *o = s->of->options;
	struct text t;
	text_init(&t);
	lab_report_json(&t, &s->result);
	bool ok = lab_out_write(o->out, &t, &why->p);
	if (ok && o->json)
		fwrite(t.ptr, 1, t.len, stdout);
	else if (ok)
		printf("\nWritten: %s/report.html, report.md and samples.json\n", o->out);
	text_fini(&t);
	return ok;
}

static void act_result_fini(struct lab_act_result *a)
{
	for (uint32_t k = 0; k < a->n * a->repeat; k++)
		lab_run_fini(&a->runs[k]);
	for (uint32_t k = 0; k < a->act->n_expects; k++)
		expect_verdict_fini(&a->verdicts[k]);
	lab_story_fini(&a->story);
	args_fini(&a->missing);
	mem_free(a->cases);
	mem_free(a->runs);
	mem_free(a->rows);
	mem_free(a->verdicts);
}

static bool all_ended_well(const struct lab_result *r)
{
	for (uint32_t i = 0; i < r->n_acts; i++) {
		for (uint32_t k = 0; k < r->acts[i].n * r->acts[i].repeat; k++) {
			if (r->acts[i].runs[k].note)
				return false;
		}
	}
	return true;
}

int lab_session_main(void *arg)
{
	struct session *s = mem_zalloc(sizeof(*s));
	struct lab_trouble why = { 0 };
	struct timespec wall;
	ns_t began = clock_now();
	clock_gettime(CLOCK_REALTIME, &wall);
	s->of = arg;
	s->result.scenario = s->of->scenario;
	s->result.options = s->of->options;
	s->result.words = s->of->words;
	s->result.started_at_ms = wall.tv_sec * 1000 + wall.tv_nsec / NS_MS;
	lab_machine_init(
		&s->result.machine, s->of->cage->kind == CAGE_ROOT ? "root" : "user");
	lab_progress_init(&s->progress, s->of->options->quiet);
	bool ok = make_tools(s, &why);
	for (uint32_t i = 0; ok && i < s->of->scenario->n_acts; i++)
		ok = one_act(s, &s->of->scenario->acts[i], &why);
	s->result.took_for = clock_now() - began;
	ok = ok && finish(s, &why);
	int status = ok ? EXIT_SUCCESS : fail(&why);
	if (ok && (!all_ended_well(&s->result) || !lab_result_passed(&s->result)))
		status = EXIT_FAILURE;
	for (uint32_t i = 0; i < s->result.n_acts; i++)
		act_result_fini(&s->result.acts[i]);
	lab_machine_fini(&s->result.machine);
	lab_tools_fini(&s->box);
	text_fini(&why.said);
	mem_free(s);
	return status;
}
