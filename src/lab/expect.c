/* Reading a line. Judging it: expect_judge.c. */
#include "lab/expect.h"

#include <math.h>

#include "base/ascii.h"
#include "base/units.h"

#define NAMES_MAX 64

struct parser {
	struct lab_expect *e;
	const struct expect_world *world;
	const char *at;
	struct problem *p;
};

static void skip_spaces(struct parser *s)
{
	while (*s->at == ' ' || *s->at == '\t')
		s->at++;
}

/* A - that stands close belongs to the name. */
static bool is_name_char(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '-';
}

static struct slice take_name(struct parser *s)
{
	const char *from = s->at;
	while (is_name_char(*s->at))
		s->at++;
	return (struct slice){ from, (size_t)(s->at - from) };
}

static const char *keep(struct parser *s, struct slice name)
{
	struct args *names = &s->e->names;
	args_addf(names, "%.*s", SLICE_ARG(name));
	return names->v[names->n - 1];
}

/* --- numbers --- */

/* Digits, then a unit; "/s" and "/m" belong to it when they stand close. */
static struct slice take_number(struct parser *s)
{
	const char *from = s->at;
	while (ascii_is_digit(*s->at) || *s->at == '.' || *s->at == '_')
		s->at++;
	while (ascii_is_letter(*s->at) || *s->at == '%')
		s->at++;
	if (s->at[0] == '/' && strchr("smh", s->at[1]) && s->at[1] &&
		!is_name_char(s->at[2]))
		s->at += 2;
	return (struct slice){ from, (size_t)(s->at - from) };
}

static bool parse_number(struct parser *s, struct expect_factor *f)
{
	struct slice n = take_number(s);
	size_t digits = 0;
	char plain[64], *end;
	ns_t d;
	uint64_t count;
	while (digits < n.len && !ascii_is_letter(n.ptr[digits]) &&
		n.ptr[digits] != '%' && n.ptr[digits] != '/')
		digits++;
	if (digits == n.len && slice_find(n, '_') == n.len) {
		snprintf(plain, sizeof(plain), "%.*s", SLICE_ARG(n));
		f->number = strtod(plain, &end);
		return !*end || problem_set(s->p, "'%s' is no number", plain);
	}
	if (slice_find(n, '/') < n.len) {
		f->power = -1;
		return units_rate(n, &f->number, s->p);
	}
	if (n.ptr[n.len - 1] == '%')
		return units_share(n, &f->number, s->p);
	if (units_count(n, &count, &(struct problem){ "" })) {
		f->number = (double)count;
		return true;
	}
	if (!units_duration(n, &d, s->p))
		return false;
	f->power = 1;
	f->number = (double)d / (double)NS_S;
	return true;
}

/* --- figures --- */

static bool unknown(struct parser *s, const char *what, struct slice word,
	const char *const *names, size_t n)
{
	const char *near = units_nearest(word, names, n);
	return problem_set(s->p, "there is no %s '%.*s'%s%s%s", what, SLICE_ARG(word),
		near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
}

static bool find_variant(struct parser *s, struct slice word)
{
	const char *names[NAMES_MAX];
	size_t n = 0;
	for (uint32_t i = 0; i < s->world->n; i++) {
		const char *name = s->world->name(s->world->of, i);
		if (slice_eq(word, slice_of(name)))
			return true;
		if (n < NAMES_MAX && (n == 0 || strcmp(names[n - 1], name) != 0))
			names[n++] = name;
	}
	return unknown(s, "variant", word, names, n);
}

/* Whether any point of the variant fits what is fixed so far; complains of what does not. */
static bool find_point(
	struct parser *s, const struct expect_factor *f, const struct lab_pair *fixed)
{
	const char *names[NAMES_MAX];
	size_t n = 0;
	bool swept = false;
	for (uint32_t i = 0; i < s->world->n; i++) {
		if (strcmp(s->world->name(s->world->of, i), f->variant) != 0)
			continue;
		const struct lab_pair *has = pairs_find(
			s->world->point(s->world->of, i), fixed->name);
		if (!has)
			continue;
		swept = true;
		if (!strcmp(has->value, fixed->value))
			return true;
		if (n < NAMES_MAX && (n == 0 || strcmp(names[n - 1], has->value) != 0))
			names[n++] = has->value;
	}
	if (!swept)
		return problem_set(
			s->p, "%s does not sweep '%s'", f->variant, fixed->name);
	struct text all;
	text_init(&all);
	for (size_t i = 0; i < n; i++)
		text_addf(&all, "%s%s", i ? ", " : "", names[i]);
	problem_set(s->p, "%s is never run with %s=%s, but with %s", f->variant,
		fixed->name, fixed->value, all.ptr);
	text_fini(&all);
	return false;
}

/* [NAME=VALUE, ...] */
static bool parse_point(struct parser *s, struct expect_factor *f)
{
	s->at++;
	for (;;) {
		skip_spaces(s);
		struct slice name = take_name(s);
		skip_spaces(s);
		if (!name.len || *s->at != '=')
			return problem_set(s->p, "expected NAME=VALUE in the brackets");
		s->at++;
		size_t len = strcspn(s->at, ",]");
		struct slice value = slice_trim((struct slice){ s->at, len });
		pairs_add(&f->at, keep(s, name), keep(s, value));
		if (!find_point(s, f, &f->at.v[f->at.n - 1]))
			return false;
		s->at += len;
		if (*s->at == ',') {
			s->at++;
			continue;
		}
		if (*s->at != ']')
			return problem_set(s->p, "the bracket is not closed");
		s->at++;
		return true;
	}
}

static bool parse_figure(struct parser *s, struct expect_factor *f)
{
	const char *from = s->at;
	struct slice variant = take_name(s);
	f->is_figure = true;
	if (!find_variant(s, variant)) {
		s->at = from;
		return false;
	}
	f->variant = keep(s, variant);
	if (*s->at == '[' && !parse_point(s, f))
		return false;
	if (*s->at != '.')
		return problem_set(s->p, "which figure of %s? write %s.good, for one",
			f->variant, f->variant);
	s->at++;
	from = s->at;
	struct slice name = take_name(s);
	f->figure = figure_find(name);
	if (f->figure == FIGURES) {
		const char *names[FIGURES];
		for (int i = 0; i < FIGURES; i++)
			names[i] = figure_table[i].name;
		s->at = from;
		return unknown(s, "figure", name, names, FIGURES);
	}
	switch (figure_table[f->figure].unit) {
	case FIGURE_COUNT:
	case FIGURE_SHARE:
		break;
	case FIGURE_RATE:
		f->power = -1;
		break;
	case FIGURE_TIME:
		f->power = 1;
		break;
	}
	return true;
}

/* --- the line --- */

static bool parse_factor(struct parser *s, struct expect_factor *f)
{
	skip_spaces(s);
	pairs_init(&f->at);
	if (ascii_is_digit(*s->at) || *s->at == '.')
		return parse_number(s, f);
	if (ascii_is_letter(*s->at) || *s->at == '_')
		return parse_figure(s, f);
	if (*s->at == '(')
		return problem_set(s->p, "there are no brackets: write the products out");
	return problem_set(s->p, "expected a figure, such as weir.good, or a number");
}

static bool parse_term(struct parser *s, struct expect_term *t, int *power)
{
	*power = 0;
	for (bool divides = false;;) {
		if (t->n == EXPECT_FACTORS_MAX)
			return problem_set(s->p, "more than %d factors in a product",
				EXPECT_FACTORS_MAX);
		struct expect_factor *f = &t->factor[t->n++];
		f->divides = divides;
		if (!parse_factor(s, f))
			return false;
		*power += divides ? -f->power : f->power;
		skip_spaces(s);
		if (*s->at != '*' && *s->at != '/')
			return true;
		divides = *s->at++ == '/';
	}
}

static const char *power_name(int power)
{
	return power == 0    ? "a count"
	       : power == 1  ? "a duration"
	       : power == -1 ? "a rate"
			     : "neither a count, a duration nor a rate";
}

static bool parse_sum(struct parser *s, struct expect_sum *sum)
{
	for (bool minus = false;;) {
		int power;
		const char *from = s->at;
		if (sum->n == EXPECT_TERMS_MAX)
			return problem_set(
				s->p, "more than %d terms in a sum", EXPECT_TERMS_MAX);
		struct expect_term *t = &sum->term[sum->n++];
		t->minus = minus;
		if (!parse_term(s, t, &power))
			return false;
		if (sum->n > 1 && power != sum->power) {
			s->at = from;
			return problem_set(s->p, "%s is added to %s", power_name(power),
				power_name(sum->power));
		}
		sum->power = power;
		skip_spaces(s);
		if (*s->at != '+' && *s->at != '-')
			return true;
		minus = *s->at++ == '-';
	}
}

static bool parse_compare(struct parser *s)
{
	static const struct {
		const char *text;
		enum expect_compare is;
	} all[] = { { "==", EXPECT_EQ }, { "!=", EXPECT_NE }, { "<=", EXPECT_LE },
		{ ">=", EXPECT_GE }, { "<", EXPECT_LT }, { ">", EXPECT_GT } };
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (strncmp(s->at, all[i].text, strlen(all[i].text)) != 0)
			continue;
		s->e->compare = all[i].is;
		s->at += strlen(all[i].text);
		return true;
	}
	if (*s->at == '=')
		return problem_set(s->p, "'=' compares nothing: write ==");
	return problem_set(s->p,
		*s->at ? "expected one of == != < <= > >=, or an operator"
		       : "it compares nothing: write == != < <= > or >= and what with");
}

static bool are_shares(const struct expect_sum *sum)
{
	bool any = false;
	for (uint32_t i = 0; i < sum->n; i++) {
		for (uint32_t k = 0; k < sum->term[i].n; k++) {
			const struct expect_factor *f = &sum->term[i].factor[k];
			if (!f->is_figure)
				continue;
			if (figure_table[f->figure].unit != FIGURE_SHARE)
				return false;
			any = true;
		}
	}
	return any;
}

static bool parse_line(struct parser *s)
{
	struct lab_expect *e = s->e;
	if (!parse_sum(s, &e->left) || !parse_compare(s))
		return false;
	const char *from = s->at;
	if (!parse_sum(s, &e->right))
		return false;
	if (*s->at)
		return problem_set(
			s->p, "'%s' is too much: one comparison a line", s->at);
	/* 0 is 0 of anything. */
	const struct expect_factor *only = &e->right.term[0].factor[0];
	bool zero = e->right.n == 1 && e->right.term[0].n == 1 && !only->is_figure &&
		    only->number == 0;
	if (e->left.power != e->right.power && !zero) {
		s->at = from;
		return problem_set(s->p, "%s is compared with %s",
			power_name(e->left.power), power_name(e->right.power));
	}
	e->left.shares = are_shares(&e->left);
	e->right.shares = are_shares(&e->right);
	return true;
}

bool expect_parse(struct lab_expect *e, const char *text,
	const struct expect_world *world, uint32_t *column, struct problem *p)
{
	struct parser s = { e, world, text, p };
	*e = (struct lab_expect){ .text = text };
	args_init(&e->names);
	bool ok = parse_line(&s);
	*column = (uint32_t)(s.at - text) + 1;
	return ok;
}

static void sum_fini(struct expect_sum *sum)
{
	for (uint32_t i = 0; i < sum->n; i++) {
		for (uint32_t k = 0; k < sum->term[i].n; k++)
			pairs_fini(&sum->term[i].factor[k].at);
	}
}

void expect_fini(struct lab_expect *e)
{
	sum_fini(&e->left);
	sum_fini(&e->right);
	args_fini(&e->names);
}

const char *expect_unit(const struct lab_expect *e)
{
	if (e->left.power == 1)
		return "s";
	if (e->left.power == -1)
		return "rate";
	return e->left.shares ? "share" : "count";
}
