/* lab: the verb. Exit status 0: the runs took place, and what was expected holds; 1: it
 * does not, or something could not be had, or a program failed; 2: misuse. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "lab/compare.h"
#include "lab/embed.h"
#include "lab/library.h"
#include "lab/out.h"
#include "lab/plan.h"
#include "lab/session.h"
#include "lab/tmp.h"

enum { EXIT_MISUSE = 2 };

static const struct opt options[] = {
#define OPT(kind, field, name, meta, dflt, help) \
	{ OPT_##kind, name, meta, dflt, help, offsetof(struct lab_options, field) },
#define GROUP(title) { OPT_group, title, NULL, NULL, NULL, 0 },
#include "lab/options.def"
#undef OPT
#undef GROUP
};

static int complain(const struct problem *p, int status)
{
	fprintf(stderr, "weir lab: %s\n", p->text);
	return status;
}

static int print(struct text *t)
{
	if (t->len)
		fwrite(t->ptr, 1, t->len, stdout);
	text_fini(t);
	return EXIT_SUCCESS;
}

/* weir lab list */

static int list_main(void)
{
	/* As the files have them, whatever the command line says of a run. */
	const struct lab_options as_they_are = { .act = "all",
		.run_for = NS_NEVER,
		.scale = 1,
		.repeat = UINT64_MAX,
		.parallel = UINT64_MAX };
	const char *name;
	struct text t, wrong;
	text_init(&t);
	text_init(&wrong);
	for (size_t i = 0; (name = library_name(i)); i++) {
		struct library_item item;
		CHECK(library_find(&item, name, NULL));
		struct lab_scenario *s = scenario_read(
			&item.source, &as_they_are, &wrong);
		CHECK(s); /* a test reads them all */
		text_addf(&t, "%s: %s\n", s->name, s->title ? s->title : "");
		for (uint32_t a = 0; a < s->n_acts; a++) {
			const char *last = "";
			text_addf(&t, "  act %s:", s->acts[a].name);
			for (uint32_t k = 0; k < s->acts[a].n; k++) {
				const char *variant = s->acts[a].cases[k].name;
				if (strcmp(variant, last) != 0)
					text_addf(&t, " %s", variant);
				last = variant;
			}
			text_add_char(&t, '\n');
		}
		scenario_free(&s);
		library_item_fini(&item);
	}
	text_fini(&wrong);
	return print(&t);
}

/* weir lab show NAME */

static void show_command(
	struct text *t, const char *who, const struct args *a, const struct args *env)
{
	text_addf(t, "      %-11s", who);
	if (env->n) {
		text_add_args(t, env);
		text_add_char(t, ' ');
	}
	text_add_args(t, a);
	text_add_char(t, '\n');
}

static void show_case(struct text *t, const struct lab_act *act, const struct lab_case *c)
{
	/* Names as one would type them: the real paths exist while a lab runs. */
	const struct lab_tools tools = { "weir", "node", "lab/middlewares/node.js",
		"./middleware", "./fasthttp", "lab/servers/node.js", "nginx", "haproxy",
		"lab/middlewares/python.py", "cert.pem", "key.pem" };
	struct lab_plan plan;
	lab_plan_init(&plan, &(struct lab_plan_of){ c, &tools, ".", act->seed });
	text_addf(
		t, "    %s%s%s\n", c->label, c->what ? ": " : "", c->what ? c->what : "");
	show_command(t, "server", &plan.server, &plan.server_env);
	show_command(t, "middleware", &plan.middle, &plan.middle_env);
	show_command(t, "client", &plan.client, &plan.client_env);
	lab_plan_fini(&plan);
}

static bool is_only(const struct lab_options *o, const char *name)
{
	struct slice rest = slice_of(o->only ? o->only : name), item;
	while (slice_next_item(&rest, &item)) {
		if (slice_eq(item, slice_of(name)))
			return true;
	}
	return false;
}

static int show_main(const struct lab_session *s)
{
	const struct lab_scenario *sc = s->scenario;
	struct problem p = { "" };
	struct text t;
	text_init(&t);
	if (!lab_session_check(s, &p))
		return complain(&p, EXIT_MISUSE);
	if (s->options->yaml) {
		text_add(&t, sc->text);
		return print(&t);
	}
	text_addf(&t, "%s%s%s\n", sc->name, sc->title ? ": " : "",
		sc->title ? sc->title : "");
	for (uint32_t i = 0; i < sc->n_acts; i++) {
		const struct lab_act *act = &sc->acts[i];
		text_addf(&t, "\n  act %s%s%s%s%s\n", act->name, act->title ? ", " : "",
			act->title ? act->title : "", act->about ? ". " : "",
			act->about ? act->about : "");
		for (uint32_t k = 0; k < act->n; k++) {
			if (is_only(s->options, act->cases[k].name))
				show_case(&t, act, &act->cases[k]);
		}
		for (uint32_t k = 0; k < act->n_expects; k++)
			text_addf(&t, "    expected: %s\n", act->expects[k].text);
	}
	return print(&t);
}

/* weir lab new [FILE] */

static int new_main(const char *file)
{
	struct problem p = { "" };
	if (!file) {
		fputs(lab_embed_new, stdout);
		return EXIT_SUCCESS;
	}
	FILE *f = fopen(file, "wxe");
	if (!f) {
		problem_set(&p, "%s: %s%s", file, strerror(errno),
			errno == EEXIST ? ": it is kept; write another name" : "");
		return complain(&p, EXIT_FAILURE);
	}
	bool ok = fputs(lab_embed_new, f) >= 0;
	ok = fclose(f) == 0 && ok;
	if (!ok) {
		problem_set(&p, "%s: cannot be written whole", file);
		return complain(&p, EXIT_FAILURE);
	}
	printf("Written: %s. Next: weir lab run %s\n", file, file);
	return EXIT_SUCCESS;
}

/* weir lab run NAME */

/* Children inherit the soft limit; the hard one is the machine's word. */
static bool raise_files(const struct lab_session *s, struct problem *p)
{
	struct rlimit limit;
	uint64_t need = lab_session_files(s);
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return problem_set(
			p, "cannot read the limit of open files: %s", strerror(errno));
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < need) {
		limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > need
					 ? need
					 : limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			return problem_set(p, "cannot raise the limit of open files: %s",
				strerror(errno));
	}
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < need)
		return problem_set(p,
			"a program of this lab may need %llu open files, and the hard limit "
			"is %llu: raise it (ulimit -Hn), or what fits is --scale %d%%",
			(unsigned long long)need, (unsigned long long)limit.rlim_max,
			(int)((double)limit.rlim_max * s->options->scale * 90 /
				(double)need));
	return true;
}

/* Ends as the signal would have ended us, so that a shell sees it. */
static int end_by(int sig)
{
	fputs("\nweir lab: interrupted; its processes and hosts are gone\n", stderr);
	signal(sig, SIG_DFL);
	raise(sig);
	return EXIT_FAILURE;
}

static int run_caged(struct lab_session *s)
{
	struct problem p = { "" };
	struct lab_tmp tmp;
	struct cage cage;
	int caught = 0;
	lab_tmp_sweep();
	if (!lab_tmp_init(&tmp, &p))
		return complain(&p, EXIT_FAILURE);
	s->dir = tmp.path;
	s->cage = &cage;
	int status = EXIT_FAILURE;
	if (cage_start(&cage, lab_session_main, s, &p))
		status = cage_wait(&cage, &caught);
	else
		complain(&p, status);
	lab_tmp_fini(&tmp);
	if (caught)
		return end_by(caught);
	if (status > 128)
		fprintf(stderr, "weir lab: ended by %s\n", strsignal(status - 128));
	return status > 128 ? EXIT_FAILURE : status;
}

static bool check_out(const char *dir, struct problem *p)
{
	struct problem why = { "" };
	return lab_out_check(dir, &why) || problem_set(p, "--out: %s", why.text);
}

static int run_main(struct lab_session *s)
{
	struct problem p = { "" };
	if (!lab_session_check(s, &p))
		return complain(&p, EXIT_MISUSE);
	if (!lab_session_can_run(s, &p) || !check_out(s->options->out, &p) ||
		!raise_files(s, &p))
		return complain(&p, EXIT_FAILURE);
	return run_caged(s);
}

/* 0/s is also what stands there when nothing is said. */
static bool rate_is_given(const struct lab_options *o)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (options[i].kind == OPT_rate)
			return o->froms.of[i] == OPT_FROM_ARGV;
	}
	return false;
}

/* Values that would leave nothing to run, or too much. */
static bool check_amounts(const struct lab_options *o, struct problem *p)
{
	if (o->scale <= 0)
		return problem_set(p, "--scale 0%%: nothing would run");
	if (o->run_for <= 0)
		return problem_set(p, "--for 0ms: nothing would run");
	if (o->run_for > LAB_RUN_MAX && o->run_for != NS_NEVER)
		return problem_set(p, "--for: a day at most, such as 30s");
	if (o->rate > LAB_RATE_MAX)
		return problem_set(p, "--rate: at most 1,000,000/s");
	if (!(o->rate > 0) && rate_is_given(o))
		return problem_set(p, "--rate 0/s: nothing would run");
	if (!o->repeat || (o->repeat > 100 && o->repeat != UINT64_MAX))
		return problem_set(p, "--repeat: between 1 and 100");
	if (!o->parallel)
		return problem_set(p, "--parallel 0: nothing would run");
	return true;
}

/* run and show: reads the scenario first. */
static int with_scenario(const struct lab_options *o, const struct opt_texts *words)
{
	bool run = !strcmp(words->v[0], "run");
	struct lab_session s = { .options = o, .words = words };
	struct library_item item;
	struct problem p = { "" };
	struct text wrong;
	if (!check_amounts(o, &p) || !library_find(&item, words->v[1], &p))
		return complain(&p, EXIT_MISUSE);
	text_init(&wrong);
	struct lab_scenario *scenario = scenario_read(&item.source, o, &wrong);
	int status = EXIT_MISUSE;
	s.scenario = scenario;
	if (!scenario)
		fputs(wrong.ptr, stderr);
	else
		status = run ? run_main(&s) : show_main(&s);
	scenario_free(&scenario);
	library_item_fini(&item);
	text_fini(&wrong);
	return status;
}

enum action { ACT_RUN, ACT_SHOW, ACT_LIST, ACT_NEW, ACT_REPORT, ACT_COMPARE, ACT_COUNT };

struct action_words {
	const char *name, *usage;
	uint32_t least, most; /* words behind it */
};

static const struct action_words actions[ACT_COUNT] = {
	[ACT_RUN] = { "run", "run which scenario? `weir lab run incident`, for one", 1,
		1 },
	[ACT_SHOW] = { "show", "show which scenario? `weir lab show incident`, for one",
		1, 1 },
	[ACT_LIST] = { "list", "list takes no words", 0, 0 },
	[ACT_NEW] = { "new", "new takes one file at most", 0, 1 },
	[ACT_REPORT] = { "report", "report takes one folder at most", 0, 1 },
	[ACT_COMPARE] = { "compare",
		"compare which? Two results: weir lab compare before/ after/", 2, 2 },
};

static int misuse(const char *text)
{
	fprintf(stderr, "weir lab: %s\n", text);
	return EXIT_MISUSE;
}

static int unknown_action(const char *word)
{
	const char *names[ACT_COUNT];
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		names[i] = actions[i].name;
	const char *near = units_nearest(slice_of(word), names, ARRAY_LEN(names));
	fprintf(stderr,
		"weir lab: there is no '%s'%s%s%s: run NAME, show NAME, list, new [FILE], report [DIR] "
		"or compare A B\n",
		word, near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
	return EXIT_MISUSE;
}

/* weir lab report DIR */

static int report_main(const char *dir)
{
	struct problem p = { "" };
	if (!lab_out_again(dir, &p))
		return complain(&p, EXIT_FAILURE);
	printf("Written: %s/report.html and report.md\n", dir);
	return EXIT_SUCCESS;
}

static int lab_main(const void *opts, const struct opt_texts *words)
{
	const struct lab_options *o = opts;
	size_t i = 0;
	if (!words->n)
		return misuse(
			"say what: run NAME, show NAME, list, new [FILE], report [DIR] or "
			"compare A B");
	while (i < ACT_COUNT && strcmp(actions[i].name, words->v[0]) != 0)
		i++;
	if (i == ACT_COUNT)
		return unknown_action(words->v[0]);
	if (words->n - 1 < actions[i].least || words->n - 1 > actions[i].most)
		return misuse(actions[i].usage);
	switch ((enum action)i) {
	case ACT_RUN:
	case ACT_SHOW:
		return with_scenario(o, words);
	case ACT_LIST:
		return list_main();
	case ACT_NEW:
		return new_main(words->n > 1 ? words->v[1] : NULL);
	case ACT_REPORT:
		return report_main(words->n > 1 ? words->v[1] : o->out);
	case ACT_COMPARE:
		return compare_main(words->v[1], words->v[2]);
	case ACT_COUNT:
		break;
	}
	NEVER_HERE();
}

extern const struct verb lab_verb;
const struct verb lab_verb = {
	.name = "lab",
	.summary =
		"the proof: replays an incident between real hosts, with cures side by side",
	.usage = "weir lab run NAME|FILE [options] | show NAME|FILE [options] | list\n"
		 "       weir lab new [FILE] | report [DIR] | compare DIR DIR",
	.about =
		"Makes client, middleware and server as network namespaces joined by wires, runs "
		"each variant of the middleware against the same arrivals, samples the sockets "
		"on all hosts twice a second, prints what came of it and judges the lines that "
		"the scenario expects to hold. Scenarios are YAML files (weir-scenario(5)); some "
		"come with weir. Writes samples.json, report.html and report.md. Needs root, or a kernel that "
		"lets users make user namespaces; leaves nothing behind.",
	.example =
		"  weir lab run incident\n"
		"  weir lab run incident --origin fasthttp --act overload\n"
		"  weir lab run incident --middleware 'node app.js' --only naive,yours,weir\n"
		"  weir lab new mine.yaml && weir lab run mine.yaml\n"
		"  weir lab compare before/ after/",
	.opts = options,
	.opt_count = ARRAY_LEN(options),
	.options_size = sizeof(struct lab_options),
	.froms_offset = offsetof(struct lab_options, froms),
	.main = lab_main,
};
