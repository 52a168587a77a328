#include "lab/compare.h"

#include <math.h>
#include <sys/stat.h>

#include "base/json_read.h"
#include "lab/figures.h"

enum { EXIT_ALIKE, EXIT_APART, EXIT_CANNOT };

/* A figure of a count may differ by one without a word. */
#define COUNT_SLACK 1.0

struct comparison {
	const struct json_doc *doc[2];
	struct text out;
	uint32_t common, apart;
};

static struct json_doc *load(const char *path, struct problem *p)
{
	struct stat st;
	struct text t;
	struct slice schema;
	text_init(&t);
	text_add(&t, path);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		text_add(&t, "/samples.json");
	struct json_doc *doc = json_doc_load(t.ptr, p);
	if (doc && (!json_get_str(doc, "schema", &schema) ||
			   !slice_eq(schema, SLICE("weir.lab/2")))) {
		problem_set(p, "%s: not a result of weir lab (weir.lab/2)", t.ptr);
		json_doc_free(&doc);
	}
	text_fini(&t);
	return doc;
}

static struct slice text_at(const struct json_doc *d, const char *path)
{
	struct slice s = { "", 0 };
	return json_get_str(d, path, &s) ? s : (struct slice){ "", 0 };
}

static struct slice act_name(const struct json_doc *d, size_t a)
{
	char path[48];
	snprintf(path, sizeof(path), "acts[%zu].name", a);
	return text_at(d, path);
}

static struct slice row_label(const struct json_doc *d, size_t a, size_t v)
{
	char path[80];
	snprintf(path, sizeof(path), "acts[%zu].variants[%zu].label", a, v);
	return text_at(d, path);
}

static double number(
	const struct json_doc *d, const char *at, const char *key, const char *what)
{
	char path[192];
	double value;
	snprintf(path, sizeof(path), "%s.figures.%s.%s", at, key, what);
	return json_get_real(d, path, &value) ? value : NAN;
}

/* In the unit that figures are told in. */
static struct spread spread_at(
	const struct json_doc *d, const char *at, const struct figure *f)
{
	double by = f->unit == FIGURE_TIME ? 1000 : 1;
	return (struct spread){ number(d, at, f->key, "median") / by,
		number(d, at, f->key, "low") / by, number(d, at, f->key, "high") / by };
}

static void add_spread(struct text *t, enum figure_id id, const struct spread *s)
{
	text_add_figure(t, id, s->median);
	if (s->low == s->high || isnan(s->median))
		return;
	text_add(t, " (");
	text_add_figure(t, id, s->low);
	text_add(t, " to ");
	text_add_figure(t, id, s->high);
	text_add_char(t, ')');
}

static bool lie_apart(const struct figure *f, const struct spread s[2])
{
	double slack = f->unit == FIGURE_COUNT ? COUNT_SLACK : 0;
	return s[0].high + slack < s[1].low || s[1].high + slack < s[0].low;
}

/* The row that is called so in an act called so; false: the other result has none. */
static bool find_row(const struct json_doc *d, struct slice act, struct slice label,
	char *at, size_t cap)
{
	for (size_t a = 0; a < json_len(d, "acts"); a++) {
		char path[48];
		if (!slice_eq(act_name(d, a), act))
			continue;
		snprintf(path, sizeof(path), "acts[%zu].variants", a);
		for (size_t v = 0; v < json_len(d, path); v++) {
			if (!slice_eq(row_label(d, a, v), label))
				continue;
			snprintf(at, cap, "acts[%zu].variants[%zu]", a, v);
			return true;
		}
	}
	return false;
}

static void compare_row(struct comparison *c, const char *before, const char *after)
{
	for (int i = 0; i < FIGURES; i++) {
		struct spread s[2] = { spread_at(c->doc[0], before, &figure_table[i]),
			spread_at(c->doc[1], after, &figure_table[i]) };
		bool apart = lie_apart(&figure_table[i], s);
		if (isnan(s[0].median) && isnan(s[1].median))
			continue;
		c->apart += apart;
		text_addf(&c->out, "  %c %s", apart ? '*' : ' ', figure_table[i].name);
		text_pad(&c->out, 24);
		add_spread(&c->out, i, &s[0]);
		text_pad(&c->out, 54);
		add_spread(&c->out, i, &s[1]);
		if (s[0].median > 0 && !isnan(s[1].median)) {
			text_pad(&c->out, 84);
			text_addf(&c->out, "%+.1f%%",
				100 * (s[1].median / s[0].median - 1));
		}
		text_add_char(&c->out, '\n');
	}
}

static void compare_act(struct comparison *c, size_t a)
{
	char path[48], before[64], after[64];
	struct slice act = act_name(c->doc[0], a);
	snprintf(path, sizeof(path), "acts[%zu].variants", a);
	for (size_t v = 0; v < json_len(c->doc[0], path); v++) {
		struct slice label = row_label(c->doc[0], a, v);
		text_addf(&c->out, "%.*s: %.*s\n", SLICE_ARG(act), SLICE_ARG(label));
		snprintf(before, sizeof(before), "acts[%zu].variants[%zu]", a, v);
		if (!find_row(c->doc[1], act, label, after, sizeof(after))) {
			text_add(&c->out, "    not in the second\n");
			continue;
		}
		c->common++;
		compare_row(c, before, after);
	}
}

/* Some act of either was run once: of how its figures vary by themselves nothing is known. */
static bool is_of_one_run(const struct comparison *c)
{
	for (int i = 0; i < 2; i++) {
		for (size_t a = 0; a < json_len(c->doc[i], "acts"); a++) {
			char path[48];
			int64_t runs = 0;
			snprintf(path, sizeof(path), "acts[%zu].repetitions", a);
			if (json_get_int(c->doc[i], path, &runs) && runs < 2)
				return true;
		}
	}
	return false;
}

static int compare(struct comparison *c, const char *before, const char *after)
{
	text_addf(&c->out, "  figure");
	text_pad(&c->out, 24);
	text_add(&c->out, before);
	text_pad(&c->out, 54);
	text_add(&c->out, after);
	text_add_char(&c->out, '\n');
	for (size_t a = 0; a < json_len(c->doc[0], "acts"); a++)
		compare_act(c, a);
	if (!c->common) {
		fputs("weir lab: the two have no variant in common\n", stderr);
		return EXIT_CANNOT;
	}
	text_addf(&c->out,
		"\n%u figures lie apart (*): no run of one is within what the runs of the "
		"other spread over\n",
		c->apart);
	if (c->apart && is_of_one_run(c))
		text_add(&c->out,
			"One run does not show what is chance: any difference counts here. Take "
			"--repeat 3 or more for both.\n");
	fwrite(c->out.ptr, 1, c->out.len, stdout);
	return c->apart ? EXIT_APART : EXIT_ALIKE;
}

int compare_main(const char *before, const char *after)
{
	struct problem p = { "" };
	struct json_doc *a = load(before, &p), *b = a ? load(after, &p) : NULL;
	struct comparison c = { .doc = { a, b } };
	int status = EXIT_CANNOT;
	text_init(&c.out);
	if (b)
		status = compare(&c, before, after);
	else
		fprintf(stderr, "weir lab: %s\n", p.text);
	json_doc_free(&a);
	json_doc_free(&b);
	text_fini(&c.out);
	return status;
}
