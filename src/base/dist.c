/*
 * A distribution is a small tree in an array: node 0 is the root, a mix (and what
 * goes by turns) names its first part, parts are chained. Parsing keeps its own stack of open
 * mixes; sampling walks down.
 */
#include "base/dist.h"
#include "base/ascii.h"
#include "base/units.h"

#include <math.h>
#include <stdarg.h>

#define NODES_MAX 64
#define DEPTH_MAX 8
#define NONE UINT8_MAX
#define SAMPLE_MAX 1e18        /* ns, 31 years: tails end here, far from overflow */
#define SHARE_SLACK 1e-6       /* 3 * 33.3333% is not 100 %; 0.1 + 0.2 + 0.7 is */
#define Z99 2.3263478740408408 /* quantile 0.99 of the standard normal */

enum dist_kind {
	DIST_FIXED,
	DIST_UNIFORM,
	DIST_EXPONENTIAL,
	DIST_NORMAL,
	DIST_LOGNORMAL,
	DIST_MIX,
	DIST_TURNS,
	DIST_KINDS,
};

static const char *const kind_names[DIST_KINDS] = {
	[DIST_FIXED] = "fixed",
	[DIST_UNIFORM] = "uniform",
	[DIST_EXPONENTIAL] = "exponential",
	[DIST_NORMAL] = "normal",
	[DIST_LOGNORMAL] = "lognormal",
	[DIST_MIX] = "mix",
	[DIST_TURNS] = "turns",
};

/* How each is written, for messages; and how many durations it takes. */
static const struct {
	const char *form;
	unsigned args;
} kind_forms[DIST_KINDS] = {
	[DIST_FIXED] = { "fixed(50ms)", 1 },
	[DIST_UNIFORM] = { "uniform(3s, 5s)", 2 },
	[DIST_EXPONENTIAL] = { "exponential(50ms)", 1 },
	[DIST_NORMAL] = { "normal(50ms, 10ms)", 2 },
	[DIST_LOGNORMAL] = { "lognormal(50ms, 200ms)", 2 },
	[DIST_MIX] = { "mix(80%: 50ms, 20%: 3s)", 0 },
	[DIST_TURNS] = { "turns(50ms, 50ms, 3s)", 0 },
};

struct node {
	enum dist_kind kind;
	uint8_t next;  /* next part of the same mix, or NONE */
	uint8_t first; /* of a mix or of turns */
	uint8_t parts; /* how many it has */
	double share;  /* of the mix it is a part of */
	ns_t args[2];
};

struct dist {
	char *source; /* as the user wrote it */
	unsigned count;
	struct node nodes[NODES_MAX];
};

struct open_mix {
	uint8_t node, last; /* its newest part, or NONE */
	size_t at;          /* where it began, for messages */
	double shares;
};

struct parser {
	struct slice src;
	size_t at;
	struct dist *d;
	struct open_mix open[DEPTH_MAX];
	unsigned depth;
	double share; /* of the part that comes next */
	struct problem *problem;
};

/* Says where; `at` counts from 0, people from 1. */
PRINTF_LIKE(3, 4) static bool fail(struct parser *p, size_t at, const char *fmt, ...)
{
	char what[sizeof(p->problem->text)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return problem_set(p->problem, "column %zu: %s", at + 1, what);
}

static void skip_spaces(struct parser *p)
{
	while (p->at < p->src.len &&
		(p->src.ptr[p->at] == ' ' || p->src.ptr[p->at] == '\t'))
		p->at++;
}

static char peek(struct parser *p)
{
	skip_spaces(p);
	return p->at < p->src.len ? p->src.ptr[p->at] : '\0';
}

/* What stands here up to the next delimiter, trimmed; moves behind it. */
static struct slice read_word(struct parser *p)
{
	skip_spaces(p);
	size_t from = p->at;
	while (p->at < p->src.len && !strchr("(),:", p->src.ptr[p->at]))
		p->at++;
	return slice_trim(slice_cut(p->src, from, p->at - from));
}

static bool expect(struct parser *p, char c, const char *after)
{
	char found = peek(p);
	if (found == c) {
		p->at++;
		return true;
	}
	if (p->at >= p->src.len)
		return fail(p, p->at, "'%c' is missing after %s", c, after);
	return fail(p, p->at, "'%c' after %s, where '%c' should be", found, after, c);
}

static bool read_duration(struct parser *p, ns_t *out)
{
	struct problem why = { "" };
	skip_spaces(p);
	size_t from = p->at;
	struct slice word = read_word(p);

	if (word.len == 0)
		return fail(p, from, "a duration is missing: write one such as 50ms");
	if (!units_duration(word, out, &why))
		return fail(p, from, "%s", why.text);
	if (*out == NS_NEVER || (double)*out > SAMPLE_MAX)
		return fail(p, from, "'%.*s' is too long", SLICE_ARG(word));
	return true;
}

static bool check_args(struct parser *p, const struct node *n, size_t from)
{
	if (n->kind == DIST_UNIFORM && n->args[0] > n->args[1])
		return fail(p, from, "uniform goes from the shorter to the longer");
	if (n->kind == DIST_LOGNORMAL && (n->args[0] == 0 || n->args[0] > n->args[1]))
		return fail(p, from,
			"lognormal takes its median, above 0, and its p99, not below the median");
	return true;
}

static double sigma_of(const struct node *n)
{
	return log((double)n->args[1] / (double)n->args[0]) / Z99;
}

static bool read_args(struct parser *p, struct node *n, size_t from)
{
	const char *name = kind_names[n->kind], *form = kind_forms[n->kind].form;
	unsigned want = kind_forms[n->kind].args;

	for (unsigned i = 0; i < want; i++) {
		if (i && peek(p) != ',')
			return fail(
				p, p->at, "%s takes %u durations: %s", name, want, form);
		p->at += i > 0;
		if (!read_duration(p, &n->args[i]))
			return false;
	}
	if (peek(p) == ',')
		return fail(p, p->at, "%s takes %u duration%s: %s", name, want,
			want == 1 ? "" : "s", form);
	return expect(p, ')', "the last duration") && check_args(p, n, from);
}

static bool unknown_kind(struct parser *p, struct slice name, size_t from)
{
	const char *meant = units_nearest(name, kind_names, DIST_KINDS);
	if (meant)
		return fail(p, from, "unknown distribution '%.*s': did you mean %s?",
			SLICE_ARG(name), meant);
	return fail(p, from,
		"unknown distribution '%.*s': write a duration, fixed, uniform, exponential, "
		"normal, lognormal, mix or turns",
		SLICE_ARG(name));
}

static bool find_kind(struct slice name, enum dist_kind *kind)
{
	for (size_t i = 0; i < DIST_KINDS; i++) {
		if (slice_eq(slice_of(kind_names[i]), name)) {
			*kind = (enum dist_kind)i;
			return true;
		}
	}
	return false;
}

/* Gives the next node its place in the innermost open mix. */
static struct node *add_node(struct parser *p, size_t from)
{
	struct dist *d = p->d;
	if (d->count == NODES_MAX) {
		fail(p, from, "more than %d parts", NODES_MAX);
		return NULL;
	}
	uint8_t index = (uint8_t)d->count++;
	struct node *n = &d->nodes[index];
	*n = (struct node){ .next = NONE, .first = NONE, .share = p->share };
	if (p->depth) {
		struct open_mix *mix = &p->open[p->depth - 1];
		if (mix->last == NONE)
			d->nodes[mix->node].first = index;
		else
			d->nodes[mix->last].next = index;
		mix->last = index;
	}
	return n;
}

/* "20%:" before a part of a mix. */
static bool read_share(struct parser *p)
{
	struct problem why = { "" };
	skip_spaces(p);
	size_t from = p->at;
	struct slice word = read_word(p);

	if (word.len == 0)
		return fail(
			p, from, "a share is missing: write mix(80%%: 50ms, 20%%: 3s)");
	if (!units_share(word, &p->share, &why))
		return fail(p, from, "%s", why.text);
	p->open[p->depth - 1].shares += p->share;
	return expect(p, ':', "the share");
}

/* What stands before a part's distribution: nothing where parts take turns. */
static bool read_part_begin(struct parser *p)
{
	const struct open_mix *mix = &p->open[p->depth - 1];
	return p->d->nodes[mix->node].kind == DIST_TURNS || read_share(p);
}

static bool open_mix(struct parser *p, size_t from)
{
	if (p->depth == DEPTH_MAX)
		return fail(p, from, "mixes more than %d deep", DEPTH_MAX);
	p->open[p->depth++] = (struct open_mix){
		.node = (uint8_t)(p->d->count - 1), .last = NONE, .at = from
	};
	return read_part_begin(p);
}

static bool close_mix(struct parser *p)
{
	const struct open_mix *mix = &p->open[p->depth - 1];
	struct node *n = &p->d->nodes[mix->node];

	for (uint8_t i = n->first; i != NONE; i = p->d->nodes[i].next)
		n->parts++;
	if (n->kind == DIST_MIX && fabs(mix->shares - 1) > SHARE_SLACK)
		return fail(p, mix->at,
			"the shares of this mix add up to %.6g%%, not 100%%",
			mix->shares * 100);
	p->depth--;
	return true;
}

/* One distribution, or the beginning of a mix. `whole`: it is complete. */
static bool read_part(struct parser *p, bool *whole)
{
	skip_spaces(p);
	size_t from = p->at;
	struct slice word = read_word(p);
	struct node *n = add_node(p, from);

	*whole = true;
	if (!n)
		return false;
	if (peek(p) != '(') {
		p->at = from;
		n->kind = DIST_FIXED;
		if (word.len && !ascii_is_digit(word.ptr[0]))
			return find_kind(word, &n->kind)
				       ? fail(p, from, "write %s",
						 kind_forms[n->kind].form)
				       : unknown_kind(p, word, from);
		return read_duration(p, &n->args[0]);
	}
	if (!find_kind(word, &n->kind))
		return unknown_kind(p, word, from);
	p->at++;
	if (n->kind == DIST_MIX || n->kind == DIST_TURNS) {
		*whole = false;
		return open_mix(p, from);
	}
	return read_args(p, n, from);
}

/* After a whole part: closes mixes, or goes on to the next part. `more`: one follows. */
static bool read_after(struct parser *p, bool *more)
{
	*more = false;
	while (p->depth && peek(p) == ')') {
		p->at++;
		if (!close_mix(p))
			return false;
	}
	if (p->depth) {
		*more = true;
		if (peek(p) != ',')
			return expect(p, ')', "a part of the mix");
		p->at++;
		return read_part_begin(p);
	}
	if (peek(p) != '\0' || p->at < p->src.len)
		return fail(p, p->at, "'%.*s' is too much",
			SLICE_ARG(slice_cut(p->src, p->at, 32)));
	return true;
}

static bool parse_all(struct parser *p)
{
	bool whole, more = true;
	while (more) {
		if (!read_part(p, &whole))
			return false;
		if (whole && !read_after(p, &more))
			return false;
	}
	return true;
}

struct dist *dist_parse(struct slice s, struct problem *problem)
{
	struct dist *d = mem_zalloc(sizeof(*d));
	struct parser p = { .src = s, .d = d, .share = 1, .problem = problem };

	d->source = slice_dup(slice_trim(s));
	if (!parse_all(&p))
		dist_free(&d);
	return d;
}

void dist_free(struct dist **d)
{
	if (!*d)
		return;
	mem_free((*d)->source);
	mem_free(*d);
	*d = NULL;
}

/* The part that a draw u in [0, 1) falls on; rounding in the shares goes to the last. */
static const struct node *pick_part(
	const struct dist *d, const struct node *mix, double u)
{
	const struct node *part = &d->nodes[mix->first];
	while (part->next != NONE && u >= part->share) {
		u -= part->share;
		part = &d->nodes[part->next];
	}
	return part;
}

/* Box and Muller's method. */
static double standard_normal(struct rng *r)
{
	double radius = sqrt(rng_exponential(r, 2));
	return radius * cos(2 * M_PI * rng_unit(r));
}

static ns_t to_ns(double ns)
{
	return ns <= 0 ? 0 : (ns_t)llrint(fmin(ns, SAMPLE_MAX));
}

/* The part whose turn it is; *nth becomes how often it had its turn before. */
static const struct node *next_part(
	const struct dist *d, const struct node *turns, uint64_t *nth)
{
	const struct node *part = &d->nodes[turns->first];
	for (uint64_t i = *nth % turns->parts; i > 0; i--)
		part = &d->nodes[part->next];
	*nth /= turns->parts;
	return part;
}

/* The node that is no mix and no turns. */
static const struct node *walk_down(const struct dist *d, struct rng *r, uint64_t nth)
{
	const struct node *n = &d->nodes[0];
	while (n->kind == DIST_MIX || n->kind == DIST_TURNS)
		n = n->kind == DIST_MIX ? pick_part(d, n, rng_unit(r))
					: next_part(d, n, &nth);
	return n;
}

ns_t dist_sample(const struct dist *d, struct rng *r, uint64_t nth)
{
	const struct node *n = walk_down(d, r, nth);
	double a = (double)n->args[0], b = (double)n->args[1];

	switch (n->kind) {
	case DIST_FIXED:
		return n->args[0];
	case DIST_UNIFORM:
		return n->args[0] +
		       (ns_t)rng_below(r, (uint64_t)(n->args[1] - n->args[0]) + 1);
	case DIST_EXPONENTIAL:
		return to_ns(rng_exponential(r, a));
	case DIST_NORMAL:
		return to_ns(a + b * standard_normal(r));
	case DIST_LOGNORMAL:
		return to_ns(a * exp(sigma_of(n) * standard_normal(r)));
	case DIST_MIX:
	case DIST_TURNS:
	case DIST_KINDS:
		break;
	}
	NEVER_HERE();
}

void text_add_dist(struct text *t, const struct dist *d)
{
	text_add(t, d->source);
}
