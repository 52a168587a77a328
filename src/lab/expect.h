/*
 * expect: lines that must hold, parsed and judged. Pure.
 *
 *   line     = sum compare sum         compare: == != < <= > >=
 *   sum      = product { + - product }
 *   product  = factor { * / factor }
 *   factor   = number [unit] | VARIANT [ "[" NAME=VALUE { , NAME=VALUE } "]" ] . FIGURE
 *
 * MODEL   A value is a number and a power of time: counts and shares are 0, durations 1
 *         (in seconds), rates -1 (per second). Sums are of one power, and so are the two
 *         sides; so 60s * naive.closes is a count.
 *         At which points a line must hold: at every combination of the values of the
 *         parameters that its variants sweep and [..] does not fix; two variants that
 *         share a parameter are taken at the same value of it.
 * RULES   1. A line that parses names variants, points and figures that there are.
 * OWNS    names inside a line, until expect_fini; the text stays the caller's.
 */
#ifndef WEIR_LAB_EXPECT_H
#define WEIR_LAB_EXPECT_H

#include "base/err.h"
#include "lab/args.h"
#include "lab/figures.h"
#include "lab/pairs.h"

#define EXPECT_TERMS_MAX 8
#define EXPECT_FACTORS_MAX 4

struct expect_factor {
	bool divides, is_figure;
	double number;
	const char *variant;
	struct lab_pairs at; /* [NAME=VALUE] */
	enum figure_id figure;
	int power;
};

struct expect_term {
	bool minus;
	struct expect_factor factor[EXPECT_FACTORS_MAX];
	uint32_t n;
};

struct expect_sum {
	struct expect_term term[EXPECT_TERMS_MAX];
	uint32_t n;
	int power;
	bool shares; /* all its figures are shares */
};

enum expect_compare { EXPECT_EQ, EXPECT_NE, EXPECT_LT, EXPECT_LE, EXPECT_GT, EXPECT_GE };

struct lab_expect {
	const char *text;
	uint32_t line;
	enum expect_compare compare;
	struct expect_sum left, right;
	struct args names; /* of variants and points */
};

/* What a line may speak of: the variants of its act at their points, and their figures. */
struct expect_world {
	uint32_t n;
	const char *(*name)(const void *of, uint32_t i);
	const struct lab_pairs *(*point)(const void *of, uint32_t i);
	double (*figure)(const void *of, uint32_t i, enum figure_id f); /* NAN: unknown */
	const void *of;
};

enum expect_outcome { EXPECT_HELD, EXPECT_FAILED, EXPECT_UNKNOWN };

struct expect_verdict {
	enum expect_outcome outcome;
	double left, right;     /* at the point nearest to failing; NAN: unknown */
	struct lab_pairs point; /* free parameters there; pairs_fini */
	char *why;              /* unless it held: a sentence; mem_free */
};

/* False and a problem; *column (from 1) says where in the text. The world's figures are
 * not asked. Then too expect_fini. */
MUST_USE bool expect_parse(struct lab_expect *e, const char *text,
	const struct expect_world *world, uint32_t *column, struct problem *p);
void expect_fini(struct lab_expect *e);

void expect_judge(struct expect_verdict *v, const struct lab_expect *e,
	const struct expect_world *world);
void expect_verdict_fini(struct expect_verdict *v);
/* "count", "rate", "share" or "s": what both sides are. */
const char *expect_unit(const struct lab_expect *e);

#endif
