/* What is found, as a person reads it. */
#include "base/units.h"
#include "watch/report.h"
#include "base/wrap.h"

enum { INDENT = 10 };

static const char *colour_of(enum warning_level level, const struct report_style *style)
{
	if (!style->colour)
		return "";
	switch (level) {
	case LEVEL_NOTE:
		return "\033[2m";
	case LEVEL_WARNING:
		return "\033[33m";
	case LEVEL_CRITICAL:
		break;
	}
	return "\033[31m";
}

/* Those whose connections were seen to end so, or the others; how many. */
static uint32_t add_users(
	struct text *t, const struct cause *c, bool theirs, const char *before)
{
	const struct users_of_place *u = c->users;
	uint32_t n = 0;

	for (uint32_t i = 0; u && i < u->n; i++) {
		if ((c->whose >> i & 1) == theirs)
			text_addf(t, "%s%s (%d%s)", n++ ? ", " : before, u->v[i].comm,
				(int)u->v[i].pid, u->v[i].more ? " and others" : "");
	}
	return n;
}

/* "to 10.0.0.2:8080, by node (4711)" */
static void add_place(struct text *t, const struct cause *c)
{
	text_add(t, c->place->side == SIDE_OUT ? "to " : "accepted at ");
	text_add_end(t, &c->place->at);
	if (add_users(t, c, true, ", by ") && c->users->more)
		text_add(t, " and others");
	if (add_users(t, c, false, "; "))
		text_add(t, " had connections there, too");
	text_add(t, ": ");
}

static void add_wrapped(struct text *t, const struct text *words, size_t width)
{
	text_add_wrapped(t, words->ptr ? words->ptr : "", INDENT, width);
}

static void add_cause(struct text *t, const struct cause *c, size_t width,
	const struct report_style *style)
{
	const char *off = style->colour ? "\033[0m" : "";
	struct text words;

	text_init(&words);
	text_addf(t, "%s%-*s%s", colour_of(c->level, style), INDENT,
		warning_level_name(c->level), off);
	add_place(&words, c);
	text_add(&words, c->text);
	add_wrapped(t, &words, width);
	if (c->words) {
		text_reset(&words);
		text_addf(&words, "it says: %u ", (unsigned)c->words->status);
		text_add(&words, c->words->text);
		text_pad(t, INDENT);
		add_wrapped(t, &words, width);
	}
	for (uint32_t i = 0; i < c->n_cures; i++) {
		text_reset(&words);
		text_add(&words, "cure");
		if (c->cures[i].runtime != RUNTIME_UNKNOWN)
			text_addf(&words, " (%s)", runtime_title(c->cures[i].runtime));
		text_add(&words, ": ");
		text_add(&words, c->cures[i].text);
		text_pad(t, INDENT);
		add_wrapped(t, &words, width);
	}
	text_fini(&words);
}

static void add_heard(struct text *t, const struct heard_words *w, size_t width)
{
	struct text words;

	text_init(&words);
	text_add_count(&words, w->count);
	text_add(&words, w->count == 1 ? " time " : " times ");
	text_add_end(&words, &w->at);
	text_addf(&words, ": %u ", (unsigned)w->status);
	text_add(&words, w->text);
	if (w->refusal)
		text_addf(&words, " (%s says so when it is full)", w->refusal);
	text_add_wrapped(t, words.ptr, 2, width);
	text_fini(&words);
}

static void add_unheard(struct text *t, uint64_t untold, uint64_t lost, size_t width)
{
	struct text words;

	text_init(&words);
	if (untold) {
		text_add(&words, "... and ");
		text_add_count(&words, untold);
		text_add(&words, untold == 1 ? " answer of other words"
					     : " answers of other words");
		text_add_wrapped(t, words.ptr, 2, width);
		text_reset(&words);
	}
	if (lost) {
		text_add_count(&words, lost);
		text_add(&words,
			" segments with such words or a hello of TLS were dropped by the kernel: "
			"counts are least counts.");
		text_add_wrapped(t, words.ptr, 2, width);
	}
	text_fini(&words);
}

void watch_report_heard(struct text *t, const struct heard *h, uint32_t top,
	const struct report_style *style)
{
	const struct heard_words *v[HEARD_MAX];
	size_t width = text_wrap_width(style->columns);
	uint32_t n = h ? heard_sorted(h, v) : 0;
	uint64_t untold = h ? h->dropped : 0;

	if (!h || (!n && !h->lost))
		return;
	text_addf(t, "\n%serror answers that went by%s\n", style->colour ? "\033[1m" : "",
		style->colour ? "\033[0m" : "");
	for (uint32_t i = 0; i < n; i++) {
		if (i < top)
			add_heard(t, v[i], width);
		else
			untold += v[i]->count;
	}
	add_unheard(t, untold, h->lost, width);
}

static void add_ruled_out(struct text *t, const struct causes *c, const char *bold,
	const char *off, size_t width)
{
	for (uint32_t i = 0; i < c->n_out; i++) {
		if (!i)
			text_addf(t, "\n%snot the cause%s\n", bold, off);
		text_add(t, "- ");
		text_add_wrapped(t, c->out[i].text, 2, width);
	}
}

void watch_report_causes(struct text *t, const struct causes *c,
	const struct report_levels *levels, const struct report_style *style)
{
	const char *bold = style->colour ? "\033[1m" : "";
	const char *off = style->colour ? "\033[0m" : "";
	size_t width = text_wrap_width(style->columns);
	uint32_t told = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		if (c->v[i].level < levels->low || c->v[i].level > levels->high)
			continue;
		if (!told++)
			text_addf(t, "\n%sdiagnosis%s\n", bold, off);
		add_cause(t, &c->v[i], width, style);
	}
	if (levels->low != LEVEL_NOTE)
		return;
	if (c->left_out)
		text_addf(t, "%s... and %u causes more\n", told ? "" : "\n",
			(unsigned)c->left_out);
	add_ruled_out(t, c, bold, off, width);
}
