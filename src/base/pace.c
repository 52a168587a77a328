#include "base/pace.h"
#include "base/units.h"

#define FORMS "ramp(10/s, 1000/s) or steps(100/s, 200/s)"

static const char *const kind_names[] = { [PACE_RAMP] = "ramp", [PACE_STEPS] = "steps" };

static bool find_kind(struct slice name, struct pace *out, struct problem *p)
{
	const char *const names[] = { kind_names[PACE_RAMP], kind_names[PACE_STEPS] };

	for (int kind = PACE_RAMP; kind <= PACE_STEPS; kind++) {
		if (!slice_eq(name, slice_of(kind_names[kind])))
			continue;
		out->kind = (enum pace_kind)kind;
		return true;
	}
	const char *meant = units_nearest(name, names, ARRAY_LEN(names));
	if (meant)
		return problem_set(p,
			"'%.*s' is no way for a rate to go: did you mean %s?",
			SLICE_ARG(name), meant);
	return problem_set(
		p, "'%.*s' is no way for a rate to go: write " FORMS, SLICE_ARG(name));
}

/* One rate of those in the brackets; `at`: where it stands in what the user wrote, from 0. */
static bool add_rate(struct pace *out, struct slice word, size_t at, struct problem *p)
{
	struct problem why = { "" };

	while (word.len && *word.ptr == ' ') {
		word = slice_cut(word, 1, SIZE_MAX);
		at++;
	}
	word = slice_trim(word);
	if (!word.len)
		return problem_set(
			p, "column %zu: a rate is missing: write " FORMS, at + 1);
	if (out->count == PACE_RATES_MAX)
		return problem_set(
			p, "column %zu: more than %d rates", at + 1, PACE_RATES_MAX);
	if (!units_rate(word, &out->rates[out->count], &why))
		return problem_set(p, "column %zu: %s", at + 1, why.text);
	out->count++;
	return true;
}

static bool read_rates(struct slice s, size_t at, struct pace *out, struct problem *p)
{
	for (;;) {
		size_t until = at;
		while (until < s.len && !strchr(",()", s.ptr[until]))
			until++;
		if (until == s.len)
			return problem_set(p,
				"column %zu: ')' is missing after the last rate",
				until + 1);
		if (s.ptr[until] == '(')
			return problem_set(p,
				"column %zu: '(' where a rate should be: write " FORMS,
				until + 1);
		if (!add_rate(out, slice_cut(s, at, until - at), at, p))
			return false;
		at = until + 1;
		if (s.ptr[until] == ',')
			continue;
		if (at < s.len)
			return problem_set(p, "column %zu: '%.*s' is too much", at + 1,
				SLICE_ARG(slice_cut(s, at, 32)));
		return true;
	}
}

bool pace_parse(struct slice s, struct pace *out, struct problem *p)
{
	size_t open = slice_find(s, '(');

	*out = (struct pace){ .kind = PACE_FLAT };
	if (open == s.len) {
		out->count = 1;
		return units_rate(s, &out->rates[0], p);
	}
	const size_t tab = slice_find(s, '\t');
	if (tab < s.len)
		return problem_set(p, "column %zu: a tab: write a blank", tab + 1);
	if (!find_kind(slice_trim(slice_cut(s, 0, open)), out, p) ||
		!read_rates(s, open + 1, out, p))
		return false;
	if (out->kind == PACE_RAMP && out->count < 2)
		return problem_set(
			p, "ramp takes two rates or more: write ramp(10/s, 1000/s)");
	return true;
}

double pace_mean(const struct pace *p)
{
	double sum = 0;

	for (uint32_t i = 0; i < pace_parts(p); i++)
		sum += (p->rates[i] + pace_end(p, i)) / 2;
	return sum / pace_parts(p);
}

double pace_max(const struct pace *p)
{
	double most = 0;

	for (uint32_t i = 0; i < p->count; i++)
		most = p->rates[i] > most ? p->rates[i] : most;
	return most;
}
