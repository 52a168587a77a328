#include "lab/report.h"

#include "base/units.h"
#include "lab/measure.h"
#include "lab/table.h"

#define PROSE_COLUMNS 100

/* Text. */

/* Figures that are swept stand in the rows' names. */
bool lab_act_sweeps(const struct lab_act_result *a, const char *name)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (pairs_find(&a->cases[i]->point, name))
			return true;
	}
	return false;
}

static void add_setting(struct text *t, const struct lab_act_result *a)
{
	const struct lab_case *c = a->cases[0];
	if (c->callers.command)
		text_add(t, "the user's own callers");
	else if (c->callers.replay)
		text_addf(t, "arrivals of %s", c->callers.replay);
	else if (!lab_act_sweeps(a, "rate"))
		text_addf(t, "%.4g requests/s", c->callers.rate);
	else
		text_add(t, "requests");
	text_add(t, " for ");
	text_add_duration(t, c->callers.run_for);
	if (!lab_act_sweeps(a, "calls"))
		text_addf(t, ", %llu %s out for each", (unsigned long long)c->calls,
			c->calls == 1 ? "call" : "calls");
	text_add(t, "; a server");
	if (c->server.limit != UINT64_MAX && !lab_act_sweeps(a, "limit")) {
		text_add(t, " with ");
		text_add_count(t, c->server.limit);
		text_add(t, " slots");
	}
	if (c->server.latency && !lab_act_sweeps(a, "latency"))
		text_addf(t, " that takes %s", c->server.latency);
	if (c->callers.patience != NS_NEVER) {
		text_add(t, "; callers wait ");
		text_add_duration(t, c->callers.patience);
	}
	if (a->repeat > 1)
		text_addf(t, "; medians of %u runs", a->repeat);
}

/* Of all that variants got, the most frequent words: those of the server, and others. */
struct heard {
	struct lab_words server, other; /* count 0: none */
	const char *server_to, *other_by;
};

static struct heard what_was_heard(const struct lab_act_result *a)
{
	struct heard h = { .server = { .count = 0 } };
	for (uint32_t i = 0; i < a->n; i++) {
		struct lab_words w[LAB_WORDS_MAX];
		uint32_t n = 0;
		for (uint32_t k = 0; k < a->repeat; k++)
			n = measure_words(w, n, &a->runs[i * a->repeat + k]);
		for (uint32_t k = 0; k < n; k++) {
			struct lab_words *best = w[k].server ? &h.server : &h.other;
			if (w[k].count <= best->count)
				continue;
			*best = w[k];
			*(w[k].server ? &h.server_to : &h.other_by) = a->cases[i]->label;
		}
	}
	return h;
}

static const struct lab_row *most_refused(const struct lab_act_result *a)
{
	const struct lab_row *most = NULL;
	for (uint32_t i = 0; i < a->n; i++) {
		if (row_count(&a->rows[i], FIG_refused) >
			(most ? row_count(most, FIG_refused) : 0))
			most = &a->rows[i];
	}
	return most;
}

static void add_quote(
	struct text *t, const char *how, const char *who, const struct lab_words *w)
{
	text_add_char(t, '(');
	if (w->status)
		text_addf(t, "%d, ", w->status);
	text_add_count(t, (uint64_t)w->count);
	text_addf(t, " times %s %s): \"%s\"", how, who, w->text);
}

/* A middleware may swallow what the server says and answer with a text of its own. */
static void add_words(struct text *t, const struct lab_act_result *a)
{
	struct heard h = what_was_heard(a);
	const struct lab_row *refused = most_refused(a);
	if (h.server.count) {
		text_add(t, "The server's own words ");
		add_quote(t, "to", h.server_to, &h.server);
		return;
	}
	if (refused) {
		text_add(t, "The server refused ");
		text_add_count(t, row_count(refused, FIG_refused));
		text_addf(t, " calls of %s, and its words reached no caller",
			refused->name);
	} else {
		text_addf(t, "The server refused nothing%s",
			h.other.count ? "" : " and sent no error");
	}
	if (h.other.count) {
		text_add(t, ". What callers were told ");
		add_quote(t, "by", h.other_by, &h.other);
	} else {
		text_add_char(t, '.');
	}
}

/* The first note of a case's runs. */
static const char *note_of(const struct lab_act_result *a, uint32_t i)
{
	for (uint32_t k = 0; k < a->repeat; k++) {
		if (a->runs[i * a->repeat + k].note)
			return a->runs[i * a->repeat + k].note;
	}
	return NULL;
}

/* Rows whose callers were late, on one line: it is the machine that was too busy for all. */
static void add_invalid(
	struct text *t, const struct lab_act_result *a, const char *bullet)
{
	const char *why = NULL;
	for (uint32_t i = 0; i < a->n; i++) {
		if (note_of(a, i) || a->rows[i].valid)
			continue;
		text_addf(t, "%s%s", why ? ", " : bullet, why ? "" : "(!) ");
		text_add(t, a->rows[i].name);
		why = why ? why : a->rows[i].invalid_why;
	}
	if (why)
		text_addf(t,
			": not valid: %s. Fewer variants at once (--parallel 1) or a smaller "
			"--scale fit it\n",
			why);
}

static void add_notes(struct text *t, const struct lab_act_result *a, const char *bullet)
{
	add_invalid(t, a, bullet);
	for (uint32_t i = 0; i < a->n; i++) {
		const struct lab_row *row = &a->rows[i];
		if (note_of(a, i))
			text_addf(t, "%s(!) %s\n", bullet, note_of(a, i));
		if (row_count(row, FIG_slots_over))
			text_addf(t,
				"%s%s: the server itself counted more than its limit %llu "
				"times\n",
				bullet, row->name,
				(unsigned long long)row_count(row, FIG_slots_over));
	}
	for (uint32_t i = 0; i < a->n * a->repeat; i++) {
		if (a->runs[i].hosts.note) {
			text_addf(t, "%s(!) %s\n", bullet, a->runs[i].hosts.note);
			break;
		}
	}
	for (uint32_t i = 0; i < a->missing.n; i++)
		text_addf(t, "%snot run: %s\n", bullet, a->missing.v[i]);
}

static void add_expected(
	struct text *t, const struct lab_act_result *a, const char *bullet)
{
	uint32_t held = 0;
	for (uint32_t i = 0; i < a->act->n_expects; i++)
		held += a->verdicts[i].outcome == EXPECT_HELD;
	if (!a->act->n_expects)
		return;
	text_addf(
		t, "%sexpected: %u of %u lines hold\n", bullet, held, a->act->n_expects);
	for (uint32_t i = 0; i < a->act->n_expects; i++) {
		const struct expect_verdict *v = &a->verdicts[i];
		const struct lab_expect *e = &a->act->expects[i];
		if (v->outcome != EXPECT_HELD)
			text_addf(t, "%s%s line %u, %s: %s\n", bullet,
				v->outcome == EXPECT_FAILED ? "FAILED" : "not judged",
				e->line, e->text, v->why);
	}
}

/* Breaks between words so that no line is longer than `width`, nor than one reads well. */
static void add_wrapped(struct text *t, const char *says, size_t width)
{
	size_t column = 0;
	if (width > PROSE_COLUMNS)
		width = PROSE_COLUMNS;
	while (*says) {
		size_t len = strcspn(says, " \n");
		if (column && column + 1 + len > width) {
			text_add(t, "\n  ");
			column = 2;
		} else if (column) {
			text_add_char(t, ' ');
			column++;
		}
		text_add_slice(t, (struct slice){ says, len });
		column += len;
		says += len;
		says += strspn(says, " \n");
	}
	text_add_char(t, '\n');
}

static void add_title(struct text *t, const struct lab_act_result *a)
{
	text_addf(t, "Act %s", a->act->name);
	if (a->act->title)
		text_addf(t, ": %s", a->act->title);
}

static void add_lines(struct text *t, struct text *lines, size_t width)
{
	for (char *at = lines->ptr, *end; at && (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		add_wrapped(t, at, width);
	}
	text_reset(lines);
}

void lab_report_text(struct text *t, const struct lab_act_result *a, size_t width)
{
	struct text line;
	text_init(&line);
	add_title(t, a);
	if (a->act->about)
		text_addf(t, ". %s", a->act->about);
	text_add_char(t, '\n');
	add_setting(&line, a);
	text_add_char(&line, '.');
	add_wrapped(t, line.ptr, width);
	text_add_char(t, '\n');
	text_reset(&line);
	add_words(&line, a);
	text_add(t, line.ptr);
	text_add(t, "\n\n");
	lab_table_text(t, a->rows, a->n, width);
	text_add_char(t, '\n');
	text_reset(&line);
	add_notes(&line, a, "");
	add_lines(t, &line, width);
	for (uint32_t i = 0; i < a->story.n; i++)
		add_wrapped(t, a->story.says[i], width);
	add_expected(&line, a, "");
	add_lines(t, &line, width);
	text_fini(&line);
}

bool lab_result_passed(const struct lab_result *r)
{
	for (uint32_t i = 0; i < r->n_acts; i++) {
		const struct lab_act_result *a = &r->acts[i];
		for (uint32_t k = 0; k < a->act->n_expects; k++) {
			if (a->verdicts[k].outcome == EXPECT_FAILED)
				return false;
		}
	}
	return true;
}
