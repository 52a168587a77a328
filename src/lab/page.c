#include "lab/page.h"

#include "base/json.h"
#include "base/units.h"
#include "lab/embed.h"
#include "lab/markdown.h"
#include "lab/result.h"
#include "lab/verdict.h"

#define DATA_MARK "@DATA@"
#define MARKDOWN_MARK "<!-- weir lab -->\n"

/* HTML. */

static void verdict_json(struct json *j, const struct lab_verdict *v)
{
	json_object(j, NULL);
	json_cstr(j, "invalid", v->invalid);
	json_cstr(j, "wrong", v->wrong);
	json_cstr(j, "shows", v->shows);
	json_cstr(j, "cures", v->cures);
	json_end(j);
}

static void data_json(struct text *t, const struct json_doc *doc)
{
	char *whole = json_dump_at(doc, "");
	struct json j;
	json_init(&j, t, false);
	json_object(&j, NULL);
	json_array(&j, "verdicts");
	for (size_t i = 0; i < lab_result_acts(doc); i++) {
		struct lab_act_figures a;
		struct lab_verdict v;
		lab_act_figures_init(&a, doc, i);
		lab_verdict_init(&v, &a);
		verdict_json(&j, &v);
		lab_verdict_fini(&v);
		lab_act_figures_fini(&a);
	}
	json_end(&j);
	json_raw(&j, "result", slice_of(whole));
	json_end(&j);
	mem_free(whole);
}

/* In JSON `<` stands in strings alone, where \u003c is the same. */
static void add_embedded(struct text *t, struct slice json)
{
	size_t from = 0;
	for (size_t i = 0; i < json.len; i++) {
		if (json.ptr[i] != '<')
			continue;
		text_add_slice(t, slice_cut(json, from, i - from));
		text_add(t, "\\u003c");
		from = i + 1;
	}
	text_add_slice(t, slice_cut(json, from, json.len - from));
}

void lab_page_html(struct text *t, const struct json_doc *result)
{
	const char *mark = strstr(lab_embed_page, DATA_MARK);
	struct text data;
	CHECK(mark);
	text_init(&data);
	data_json(&data, result);
	text_add_slice(
		t, (struct slice){ lab_embed_page, (size_t)(mark - lab_embed_page) });
	add_embedded(t, text_slice(&data));
	text_add(t, mark + strlen(DATA_MARK));
	text_fini(&data);
}

/* Markdown. */

static void add_count(struct text *t, struct lab_measure m)
{
	if (m.known)
		text_add_count(t, m.median > 0 ? (uint64_t)(m.median + 0.5) : 0);
	else
		text_add_char(t, '?');
}

static void add_wait(struct text *t, struct lab_measure m)
{
	if (m.known)
		text_add_duration(t, (ns_t)(m.median * (double)NS_MS));
	else
		text_add_char(t, '?');
}

static void add_share(struct text *t, struct lab_measure m)
{
	if (m.known)
		text_addf(t, "%.0f%%", 100 * m.median);
	else
		text_add_char(t, '?');
}

struct column {
	const char *title;
	void (*add)(struct text *t, struct lab_measure m);
	size_t offset; /* of its measure */
};

#define COLUMN(title, add, field) \
	{ \
		title, add, offsetof(struct lab_figures, field) \
	}
static const struct column columns[] = {
	COLUMN("requests", add_count, started),
	COLUMN("good", add_count, good),
	COLUMN("late", add_count, late),
	COLUMN("errors", add_count, failed),
	COLUMN("calls to the server", add_count, calls),
	COLUMN("refused", add_count, refused),
	COLUMN("median", add_wait, p50),
	COLUMN("99%", add_wait, p99),
	COLUMN("longest", add_wait, max),
	COLUMN("ESTABLISHED", add_count, established),
	COLUMN("TIME_WAIT", add_count, time_wait),
	COLUMN("FIN_WAIT2", add_count, fin_wait2),
	COLUMN("closed first: middleware", add_share, closed_middleware),
	COLUMN("server", add_share, closed_server),
	COLUMN("reset", add_share, closed_reset),
	COLUMN("slots taken", add_count, slots_peak),
	COLUMN("of", add_count, slots_limit),
};

static void add_table(struct text *t, const struct lab_act_figures *a)
{
	text_add(t, "| variant ");
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		text_addf(t, "| %s ", columns[i].title);
	text_add(t, "|\n|---");
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		text_add(t, "|---:");
	text_add(t, "|\n");
	for (size_t k = 0; k < a->n; k++) {
		const char *f = (const char *)&a->v[k];
		text_add(t, "| ");
		markdown_add(t, a->v[k].label);
		text_add(t, a->v[k].valid ? " " : " (!) ");
		for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
			struct lab_measure m;
			memcpy(&m, f + columns[i].offset, sizeof(m));
			text_add(t, "| ");
			columns[i].add(t, m);
			text_add_char(t, ' ');
		}
		text_add(t, "|\n");
	}
	text_add(t, "\nSockets are the most seen towards the server, on the middleware's "
		    "host.");
	if (a->repetitions > 1)
		text_addf(t, " Figures are medians of %lld runs.",
			(long long)a->repetitions);
	text_add(t, "\n\n");
}

static void add_sentence(struct text *t, const char *label, const char *says)
{
	if (!says)
		return;
	text_add(t, label);
	markdown_add(t, says);
	text_add(t, "\n\n");
}

/* The most frequent text of all variants, verbatim. */
static void add_words(struct text *t, const struct lab_act_figures *a)
{
	const struct lab_figures *most = NULL;
	for (size_t i = 0; i < a->n; i++) {
		const struct lab_figures *f = &a->v[i];
		if (f->words && (!most || f->words_count > most->words_count))
			most = f;
	}
	if (!most) {
		text_add(t, "No error answer with a text was seen.\n\n");
		return;
	}
	text_add(t, "The words of the error answer seen most (");
	if (most->words_status > 0)
		text_addf(t, "status %lld, ", (long long)most->words_status);
	text_add_count(t, (uint64_t)most->words_count);
	text_addf(t, " %s to ", most->words_count == 1 ? "time" : "times");
	markdown_add(t, most->label);
	text_add(t, "):\n\n");
	markdown_add_block(t, most->words);
	text_add_char(t, '\n');
}

static void add_expected(struct text *t, const struct json_doc *doc, size_t act)
{
	char path[64];
	snprintf(path, sizeof(path), "acts[%zu].expect", act);
	size_t n = json_len(doc, path);
	for (size_t i = 0; i < n; i++) {
		struct slice says = SLICE_NONE;
		bool held = false, known;
		char *text;
		snprintf(path, sizeof(path), "acts[%zu].expect[%zu].held", act, i);
		known = json_get_bool(doc, path, &held);
		snprintf(path, sizeof(path), "acts[%zu].expect[%zu].text", act, i);
		if (!json_get_str(doc, path, &says))
			continue;
		text = slice_dup(says);
		text_addf(t, "- %s: ",
			!known ? "not judged"
			: held ? "held"
			       : "**did not hold**");
		markdown_add(t, text);
		text_add_char(t, '\n');
		mem_free(text);
	}
	if (n)
		text_add_char(t, '\n');
}

static void add_act(struct text *t, const struct json_doc *doc, size_t at)
{
	struct lab_act_figures a;
	struct lab_verdict v;
	lab_act_figures_init(&a, doc, at);
	lab_verdict_init(&v, &a);
	text_add(t, "## ");
	markdown_add(t, a.title);
	text_add(t, "\n\n");
	add_sentence(t, "(!) ", v.invalid);
	add_sentence(t, "**What was wrong.** ", v.wrong);
	add_sentence(t, "**What shows it.** ", v.shows);
	add_sentence(t, "**What cures it, and at what price.** ", v.cures);
	add_words(t, &a);
	add_table(t, &a);
	add_expected(t, doc, at);
	lab_verdict_fini(&v);
	lab_act_figures_fini(&a);
}

/* The text at `path`, or a question mark. */
static void add_named(struct text *t, const struct json_doc *doc, const char *path)
{
	struct slice s = SLICE("?");
	char *copy;
	if (!json_get_str(doc, path, &s))
		s = SLICE("?");
	copy = slice_dup(s);
	markdown_add(t, copy);
	mem_free(copy);
}

void lab_page_markdown(struct text *t, const struct json_doc *result)
{
	text_add(t, MARKDOWN_MARK "# weir lab: ");
	add_named(t, result, "scenario.name");
	text_add(t, "\n\n");
	add_named(t, result, "scenario.title");
	text_add(t, "\n\n");
	for (size_t i = 0; i < lab_result_acts(result); i++)
		add_act(t, result, i);
	text_add(t, "Made by weir ");
	add_named(t, result, "weir");
	text_add(t, ". Plots: report.html; the whole result: samples.json.\n");
}
