/* lab: the verb. Exit status 0: the runs took place, whatever they showed; 1: something
 * could not be had, or a program failed; 2: misuse. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/cage.h"
#include "lab/out.h"
#include "lab/plan.h"
#include "lab/report.h"
#include "lab/session.h"
#include "lab/tmp.h"
#include "lab/tools.h"

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
	const struct lab_scenario *s;
	struct text t;
	text_init(&t);
	for (size_t i = 0; (s = scenario_at(i)); i++) {
		text_addf(&t, "%s: %s\n", s->name, s->summary);
		for (size_t a = 0; a < s->n_acts; a++) {
			text_addf(
				&t, "  act %u, %s:", s->acts[a].number, s->acts[a].title);
			for (size_t v = 0; v < s->acts[a].n_variants; v++)
				text_addf(&t, " %s", s->acts[a].variants[v].name);
			text_add_char(&t, '\n');
		}
	}
	return print(&t);
}

/* weir lab show NAME */

static void show_command(
	struct text *t, const char *who, const struct args *a, const struct args *env)
{
	text_addf(t, "      %-11s", who);
	if (env && env->n) {
		text_add_args(t, env);
		text_add_char(t, ' ');
	}
	text_add_args(t, a);
	text_add_char(t, '\n');
}

static void show_variant(struct text *t, const struct lab_act *act,
	const struct lab_variant *v, const struct lab_options *o)
{
	/* Names as one would type them: the real paths exist while a lab runs. */
	const struct lab_tools tools = { "weir", "node", "lab/middlewares/node.js",
		"./middleware", "./fasthttp" };
	struct lab_plan plan;
	lab_plan_init(&plan, &(struct lab_plan_of){ act, v, o, &tools, "." });
	text_addf(t, "    %s: %s\n", v->name, v->what);
	show_command(t, "server", &plan.server, NULL);
	show_command(t, "middleware", &plan.middle, &plan.middle_env);
	show_command(t, "client", &plan.client, NULL);
	lab_plan_fini(&plan);
}

static int show_main(const struct lab_scenario *s, const struct lab_options *o)
{
	struct problem p = { "" };
	struct text t;
	text_init(&t);
	text_addf(&t, "%s: %s\n", s->name, s->summary);
	for (size_t i = 0; i < s->n_acts; i++) {
		const struct lab_act *act = &s->acts[i];
		struct lab_cast cast;
		if (o->act != LAB_ACT_ALL && (uint32_t)o->act != act->number)
			continue;
		if (!lab_cast_init(&cast, s, act, o, &p)) {
			text_fini(&t);
			return complain(&p, EXIT_MISUSE);
		}
		text_addf(
			&t, "\n  act %u, %s. %s\n", act->number, act->title, act->about);
		for (uint32_t v = 0; v < cast.n; v++)
			show_variant(&t, act, &cast.v[v], o);
	}
	return print(&t);
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

static bool check_installed(const struct lab_options *o, struct problem *p)
{
	const char *source = "/usr/share/gocode/src/github.com/valyala/fasthttp";
	if (o->origin != LAB_ORIGIN_FASTHTTP)
		return true;
	if (!lab_has_program("go"))
		return problem_set(p, "--origin fasthttp needs Go: apt install golang-go "
				      "golang-github-valyala-fasthttp-dev");
	if (access(source, R_OK))
		return problem_set(p,
			"--origin fasthttp needs %s: apt install "
			"golang-github-valyala-fasthttp-dev",
			source);
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

static int run_main(const struct lab_scenario *scenario, const struct lab_options *o)
{
	struct lab_session s = { .scenario = scenario, .options = o };
	struct problem p = { "" };
	if (o->scale <= 0)
		return complain((problem_set(&p, "--scale 0%%: nothing would run"), &p),
			EXIT_MISUSE);
	if (o->run_for <= 0)
		return complain((problem_set(&p, "--for 0ms: nothing would run"), &p),
			EXIT_MISUSE);
	if (!lab_session_check(&s, &p))
		return complain(&p, EXIT_MISUSE);
	if (!check_installed(o, &p) || !lab_report_check(o->out, &p) ||
		!raise_files(&s, &p))
		return complain(&p, EXIT_FAILURE);
	return run_caged(&s);
}

static int wrong_words(
	const char *what, struct slice word, const char *const *known, size_t n)
{
	const char *near = units_nearest(word, known, n);
	fprintf(stderr, "weir lab: %s '%.*s'%s%s%s\n", what, SLICE_ARG(word),
		near ? ": did you mean '" : "; see `weir lab list`", near ? near : "",
		near ? "'?" : "");
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
	static const char *const actions[] = { "run", "list", "show", "report" };
	const struct lab_options *o = opts;
	const char *names[16] = { NULL };
	size_t n = 0;
	const struct lab_scenario *s;
	if (words->n == 1 && !strcmp(words->v[0], "list"))
		return list_main();
	if (words->n == 0 || words->n > 2 ||
		(words->n == 2 && !strcmp(words->v[0], "list"))) {
		fputs("weir lab: say what: run NAME, show NAME, list or report DIR\n",
			stderr);
		return EXIT_MISUSE;
	}
	if (!strcmp(words->v[0], "report"))
		return report_main(words->n == 2 ? words->v[1] : o->out);
	bool run = !strcmp(words->v[0], "run");
	if (!run && strcmp(words->v[0], "show") != 0)
		return wrong_words("there is no", slice_of(words->v[0]), actions,
			ARRAY_LEN(actions));
	for (; n < ARRAY_LEN(names) && (s = scenario_at(n)); n++)
		names[n] = s->name;
	if (words->n < 2) {
		fprintf(stderr,
			"weir lab: %s which scenario? `weir lab %s %s`, for one\n",
			words->v[0], words->v[0], names[0]);
		return EXIT_MISUSE;
	}
	s = scenario_find(words->v[1]);
	if (!s)
		return wrong_words(
			"there is no scenario", slice_of(words->v[1]), names, n);
	return run ? run_main(s, o) : show_main(s, o);
}

extern const struct verb lab_verb;
const struct verb lab_verb = {
	.name = "lab",
	.summary =
		"the proof: replays an incident between real hosts, with cures side by side",
	.usage =
		"weir lab run NAME [options] | show NAME [options] | list | report [DIR]",
	.about =
		"Makes client, middleware and server as network namespaces joined by wires, runs "
		"each variant of the middleware against the same arrivals, samples the sockets "
		"on all hosts twice a second, and prints what came of it. Writes samples.json "
		"and table.md. Needs root, or a kernel that lets users make user namespaces; "
		"leaves nothing behind. `report` makes report.html and report.md out of the "
		"samples.json in DIR.",
	.example =
		"  weir lab run incident\n"
		"  weir lab run incident --origin fasthttp --act 1\n"
		"  weir lab run incident --middleware 'node app.js' --only naive,yours,weir\n"
		"  weir lab show incident",
	.opts = options,
	.opt_count = ARRAY_LEN(options),
	.options_size = sizeof(struct lab_options),
	.main = lab_main,
};
