/* load: the verb. Exit status 0: the run took place, whatever its requests met. */
#include "load/merge.h"
#include "load/probe.h"
#include "load/run.h"

static int complain(const struct problem *p, int status)
{
	fprintf(stderr, "weir load: %s\n", p->text);
	return status;
}

static void show(const struct load_result *r, bool json)
{
	struct text out;

	text_init(&out);
	if (json)
		load_report_json(&out, r);
	else
		load_report_text(&out, r);
	fwrite(out.ptr, 1, out.len, stdout);
	text_fini(&out);
	const char *why = report_invalid_why(r);
	if (why && json)
		fprintf(stderr, "weir load: NOT VALID: %s\n", why);
}

static int load_checked(struct load_plan *plan)
{
	struct problem p = { "" };
	struct load_result result = { .runs = 1 };
	struct tally *tally = NULL;
	struct calllog log;

	if (!plan_resolve(plan, &p))
		return complain(&p, EXIT_FAILURE);
	probe_family(plan);
	if (!calllog_open(&log, plan->opts->log, &p))
		return complain(&p, EXIT_FAILURE);
	if (!run_load(plan, &result, &tally, &log, &p) || !calllog_close(&log, &p)) {
		tally_free(&tally);
		return complain(&p, EXIT_FAILURE);
	}
	show(&result, plan->opts->json);
	tally_free(&tally);
	return EXIT_SUCCESS;
}

/* Nothing is sent, so what steers requests would be lost. */
static bool only_of_merge(const struct load_options *o, struct problem *p)
{
	static const char *const fits[] = { "merge", "json", "quiet" };

	for (size_t i = 0; i < LOAD_OPTS; i++) {
		const char *name = load_opts[i].name;
		bool is_one = load_opts[i].kind == OPT_group;
		for (size_t k = 0; k < ARRAY_LEN(fits); k++)
			is_one |= strcmp(name, fits[k]) == 0;
		if (!is_one && load_is_given(o, name))
			return problem_set(
				p, "--merge sends nothing: leave --%s out", name);
	}
	return true;
}

static bool merge_all(struct merge *m, const struct opt_texts *files, struct problem *p)
{
	if (!files->n)
		return problem_set(
			p, "--merge: no files: write weir load --merge a.json b.json");
	for (uint32_t i = 0; i < files->n; i++) {
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(files->v[k], files->v[i]))
				return problem_set(
					p, "--merge: %s is given twice", files->v[i]);
		if (!merge_add(m, files->v[i], p))
			return false;
	}
	merge_end(m);
	return true;
}

static int merge_main(const struct load_options *o, const struct opt_texts *files)
{
	struct problem p = { "" };
	struct merge m;
	int status = EXIT_SUCCESS;

	merge_init(&m);
	if (only_of_merge(o, &p) && merge_all(&m, files, &p))
		show(&m.result, o->json);
	else
		status = complain(&p, 2);
	merge_fini(&m);
	return status;
}

static int load_main(const void *opts, const struct opt_texts *words)
{
	struct problem p = { "" };
	struct load_plan plan;
	int status;

	if (((const struct load_options *)opts)->merge)
		return merge_main(opts, words);
	if (plan_check(&plan, opts, words, &p))
		status = load_checked(&plan);
	else
		status = complain(&p, 2);
	plan_fini(&plan);
	return status;
}

extern const struct verb load_verb;
const struct verb load_verb = {
	.name = "load",
	.summary = "the client: requests on a schedule, and latency that does not lie",
	.usage = "weir load --rate RATE [options] URL | --merge FILE...",
	.about =
		"Starts requests when the schedule says so, however slow the answers are (open "
		"loop), and counts each latency from the intended start, so that a stall counts "
		"for all who waited in it. URL is http[s]://HOST[:PORT]/PATH or unix:PATH. Says how "
		"late it was itself, and calls the run invalid when that was too much, or when "
		"file descriptors ran out.",
	.example = "weir load --rate 700/s --for 30s http://127.0.0.1:8080/\n"
		   "weir load --rate 160/s --arrivals poisson --patience 6s --json "
		   "http://127.0.0.1:8080/\n"
		   "weir load --rate 'steps(100/s, 200/s, 300/s)' --for 30s "
		   "http://127.0.0.1:8080/\n"
		   "weir load --merge --json a.json b.json c.json\n"
		   "weir load --rate 300/s --as requests-get http://127.0.0.1:9000/",
	.opts = load_opts,
	.opt_count = LOAD_OPTS,
	.options_size = sizeof(struct load_options),
	.froms_offset = offsetof(struct load_options, froms),
	.main = load_main,
};
