#include "base/units.h"

#include "base/ascii.h"

#define DIGITS_MAX 18 /* of a whole number that is certain to fit */

/* A number split from its unit: digits, perhaps a point and digits, then anything. */
struct number {
	uint64_t whole;
	struct slice fraction; /* digits after the point */
	struct slice digits;   /* as written */
	struct slice unit;
};

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit duration_units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 }, /* U+00B5 micro sign */
	{ "\xce\xbcs", 1000 }, /* U+03BC Greek mu, which looks the same */
	{ "ms", NS_MS },
	{ "s", NS_S },
	{ "m", 60 * NS_S },
	{ "min", 60 * NS_S },
	{ "h", 3600 * NS_S },
	{ "d", 24 * 3600 * NS_S },
};

static const struct unit size_units[] = {
	{ "B", 1 },
	{ "kB", 1000 },
	{ "MB", 1000 * 1000 },
	{ "GB", 1000 * 1000 * 1000 },
	{ "TB", 1000ull * 1000 * 1000 * 1000 },
	{ "KiB", 1ull << 10 },
	{ "MiB", 1ull << 20 },
	{ "GiB", 1ull << 30 },
	{ "TiB", 1ull << 40 },
};

static const struct unit count_units[] = {
	{ "", 1 },
	{ "k", 1000 },
	{ "M", 1000 * 1000 },
	{ "G", 1000 * 1000 * 1000 },
};

static const struct unit rate_units[] = {
	{ "/s", 1 },
	{ "/m", 60 },
	{ "/min", 60 },
	{ "/h", 3600 },
};

static const struct unit *find_unit(const struct unit *units, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq(slice_of(units[i].name), name))
			return &units[i];
	return NULL;
}

static size_t span_digits(struct slice s, size_t from)
{
	while (from < s.len && (ascii_is_digit(s.ptr[from]) || s.ptr[from] == '_'))
		from++;
	return from;
}

/* '_' only between digits. */
static bool underscores_fit(struct slice digits)
{
	for (size_t i = 0; i < digits.len; i++)
		if (digits.ptr[i] == '_' && (i == 0 || i + 1 == digits.len ||
						    !ascii_is_digit(digits.ptr[i - 1])))
			return false;
	return true;
}

static bool whole_of(struct slice digits, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < digits.len; i++)
		if (digits.ptr[i] != '_' &&
			(__builtin_mul_overflow(*out, 10, out) ||
				__builtin_add_overflow(
					*out, (uint64_t)(digits.ptr[i] - '0'), out)))
			return false;
	return true;
}

/* "1,000", "1,5s", "1e3", "0x10": what stands behind the digits belongs to the number as others
 * write it. No unit begins so, and what stands before it alone would be another value. */
static bool is_written_otherwise(struct slice s, size_t end)
{
	if (end + 1 >= s.len || !ascii_is_digit(s.ptr[end + 1]))
		return false;
	return s.ptr[end] == ',' || s.ptr[end] == 'e' || s.ptr[end] == 'E' ||
	       s.ptr[end] == 'x';
}

/* `like` shows what was expected: "800ms". */
static bool split_number(
	struct slice s, struct number *n, const char *like, struct problem *p)
{
	if (s.len == 0)
		return problem_set(p, "empty: write a number such as %s", like);
	if (s.ptr[0] == '-')
		return problem_set(p, "'%.*s' is negative: write one such as %s",
			SLICE_ARG(s), like);
	size_t whole_end = span_digits(s, 0), end = whole_end;
	struct slice whole = slice_cut(s, 0, whole_end);
	n->fraction = SLICE_NONE;
	if (end < s.len && s.ptr[end] == '.') {
		end = span_digits(s, whole_end + 1);
		n->fraction = slice_cut(s, whole_end + 1, end - whole_end - 1);
		if (n->fraction.len == 0 ||
			slice_find(n->fraction, '_') < n->fraction.len)
			return problem_set(p, "'%.*s' is not a number such as %s",
				SLICE_ARG(s), like);
	}
	if (whole.len == 0 || !underscores_fit(whole))
		return problem_set(
			p, "'%.*s' is not a number such as %s", SLICE_ARG(s), like);
	if (is_written_otherwise(s, end))
		return problem_set(p,
			"'%.*s': write plain digits, with a point before a fraction, such as "
			"%s",
			SLICE_ARG(s), like);
	if (!whole_of(whole, &n->whole))
		return problem_set(p, "'%.*s' is too large", SLICE_ARG(s));
	n->digits = slice_cut(s, 0, end);
	n->unit = slice_trim(slice_cut(s, end, SIZE_MAX));
	return true;
}

/* n * factor, exact where the result is whole, else cut towards zero. */
static bool scale(const struct number *n, uint64_t factor, uint64_t max, uint64_t *out)
{
	uint64_t part = 0;
	/* From the last digit, so that each division by ten is exact if the result is. */
	for (size_t i = n->fraction.len; i-- > 0;)
		part = (part + (uint64_t)(n->fraction.ptr[i] - '0') * factor) / 10;
	return !__builtin_mul_overflow(n->whole, factor, out) &&
	       !__builtin_add_overflow(*out, part, out) && *out <= max;
}

static bool fraction_is_zero(const struct number *n)
{
	for (size_t i = 0; i < n->fraction.len; i++)
		if (n->fraction.ptr[i] != '0')
			return false;
	return true;
}

static bool is_zero(const struct number *n)
{
	return n->whole == 0 && fraction_is_zero(n);
}

/* Correctly rounded as long as there are at most 15 digits, which is more than people
 * write. */
static double real_of(const struct number *n, double divisor)
{
	double value = (double)n->whole;
	for (size_t i = 0; i < n->fraction.len && i < DIGITS_MAX; i++) {
		value = value * 10 + (n->fraction.ptr[i] - '0');
		divisor *= 10;
	}
	return value / divisor;
}

bool units_duration(struct slice s, ns_t *out, struct problem *p)
{
	struct number n;
	uint64_t ns;

	if (slice_eq(s, SLICE("none"))) {
		*out = NS_NEVER;
		return true;
	}
	if (!split_number(s, &n, "800ms", p))
		return false;
	if (n.unit.len == 0 && !is_zero(&n))
		return problem_set(p, "'%.*s' has no unit: write %.*sms or %.*ss",
			SLICE_ARG(s), SLICE_ARG(n.digits), SLICE_ARG(n.digits));
	struct slice name = n.unit.len ? n.unit : SLICE("s");
	const struct unit *u = find_unit(duration_units, ARRAY_LEN(duration_units), name);
	if (!u)
		return problem_set(p,
			"'%.*s': unknown unit '%.*s': write ns, us, ms, s, m, h or d",
			SLICE_ARG(s), SLICE_ARG(n.unit));
	if (!scale(&n, u->factor, NS_NEVER - 1, &ns))
		return problem_set(p, "'%.*s' is too long", SLICE_ARG(s));
	if (ns == 0 && !is_zero(&n))
		return problem_set(p, "'%.*s' is shorter than 1ns", SLICE_ARG(s));
	*out = (ns_t)ns;
	return true;
}

static bool size_unit_problem(struct slice s, const struct number *n, struct problem *p)
{
	if (n->unit.len == 0)
		return problem_set(p,
			"'%.*s' has no unit: write %.*sB, %.*sKiB or %.*sMiB",
			SLICE_ARG(s), SLICE_ARG(n->digits), SLICE_ARG(n->digits),
			SLICE_ARG(n->digits));
	return problem_set(p,
		"'%.*s': unknown unit '%.*s': write B, KiB, MiB, GiB (1024) or kB, MB, GB (1000)",
		SLICE_ARG(s), SLICE_ARG(n->unit));
}

bool units_size(struct slice s, uint64_t *out, struct problem *p)
{
	struct number n;
	uint64_t bytes;

	if (!split_number(s, &n, "64KiB", p))
		return false;
	struct slice name = n.unit.len || !is_zero(&n) ? n.unit : SLICE("B");
	const struct unit *u = find_unit(size_units, ARRAY_LEN(size_units), name);
	if (!u)
		return size_unit_problem(s, &n, p);
	if (u->factor == 1 && !fraction_is_zero(&n))
		return problem_set(
			p, "'%.*s' is not a whole number of bytes", SLICE_ARG(s));
	if (!scale(&n, u->factor, UINT64_MAX - 1, &bytes))
		return problem_set(p, "'%.*s' is too large", SLICE_ARG(s));
	*out = bytes;
	return true;
}

bool units_rate(struct slice s, double *per_second, struct problem *p)
{
	struct number n;

	if (!split_number(s, &n, "700/s", p))
		return false;
	if (n.unit.len == 0)
		return problem_set(p, "'%.*s' has no unit: write %.*s/s or %.*s/m",
			SLICE_ARG(s), SLICE_ARG(n.digits), SLICE_ARG(n.digits));
	const struct unit *u = find_unit(rate_units, ARRAY_LEN(rate_units), n.unit);
	if (!u)
		return problem_set(p,
			"'%.*s': unknown unit '%.*s': write %.*s/s, %.*s/m or %.*s/h",
			SLICE_ARG(s), SLICE_ARG(n.unit), SLICE_ARG(n.digits),
			SLICE_ARG(n.digits), SLICE_ARG(n.digits));
	*per_second = real_of(&n, (double)u->factor);
	return true;
}

bool units_share(struct slice s, double *share, struct problem *p)
{
	struct number n;

	if (!split_number(s, &n, "20%", p))
		return false;
	if (n.unit.len == 0)
		return problem_set(p,
			"'%.*s' has no unit: write a share as percent, such as 20%%",
			SLICE_ARG(s));
	if (!slice_eq(n.unit, SLICE("%")))
		return problem_set(p, "'%.*s': unknown unit '%.*s': write %.*s%%",
			SLICE_ARG(s), SLICE_ARG(n.unit), SLICE_ARG(n.digits));
	double value = real_of(&n, 100);
	if (value > 1)
		return problem_set(p, "'%.*s' is more than 100%%", SLICE_ARG(s));
	*share = value;
	return true;
}

bool units_count(struct slice s, uint64_t *out, struct problem *p)
{
	struct number n;
	uint64_t count;

	if (slice_eq(s, SLICE("none"))) {
		*out = UINT64_MAX;
		return true;
	}
	if (!split_number(s, &n, "1000", p))
		return false;
	const struct unit *u = find_unit(count_units, ARRAY_LEN(count_units), n.unit);
	if (!u)
		return problem_set(p,
			"'%.*s': '%.*s' does not belong to a count: write %.*s or %.*sk",
			SLICE_ARG(s), SLICE_ARG(n.unit), SLICE_ARG(n.digits),
			SLICE_ARG(n.digits));
	if (n.fraction.len && u->factor == 1)
		return problem_set(p, "'%.*s' is not a whole number", SLICE_ARG(s));
	if (!scale(&n, u->factor, UINT64_MAX - 1, &count))
		return problem_set(p, "'%.*s' is too large", SLICE_ARG(s));
	*out = count;
	return true;
}

/* value / unit to three significant digits; an exact one goes without zeros at its end. */
static void add_three_digits(struct text *t, uint64_t value, uint64_t unit)
{
	unsigned places = value / unit >= 100 ? 0 : value / unit >= 10 ? 1 : 2;
	uint64_t scale10 = places == 0 ? 1 : places == 1 ? 10 : 100;
	uint64_t whole = value / unit, rest = value % unit * scale10;
	uint64_t steps = whole * scale10 + rest / unit + (rest % unit >= (unit + 1) / 2);
	bool exact = rest % unit == 0;

	/* 9.996 is 10.0, not 10.00. */
	while (places && ((exact && steps % 10 == 0) || steps >= 1000)) {
		steps /= 10;
		scale10 /= 10;
		places--;
	}
	text_addf(t, "%llu", (unsigned long long)(steps / scale10));
	if (places)
		text_addf(
			t, ".%0*llu", (int)places, (unsigned long long)(steps % scale10));
}

static uint64_t round_three_digits(uint64_t value)
{
	uint64_t step = 1;
	while (value / step >= 1000)
		step *= 10;
	return (value + step / 2) / step * step;
}

static void add_pair(
	struct text *t, uint64_t value, uint64_t per_large, const char *large, char small)
{
	text_addf(t, "%llu%s", (unsigned long long)(value / per_large), large);
	if (value % per_large)
		text_addf(t, " %llu%c", (unsigned long long)(value % per_large), small);
}

void text_add_duration(struct text *t, ns_t d)
{
	if (d == NS_NEVER) {
		text_add(t, "none");
		return;
	}
	if (d < 0)
		text_add_char(t, '-');
	uint64_t ns = d < 0 ? -(uint64_t)d : (uint64_t)d;
	uint64_t rounded = round_three_digits(ns); /* 999.6 us is 1.00 ms */
	uint64_t seconds = ns / NS_S + (ns % NS_S >= NS_S / 2);
	if (ns == 0)
		text_add(t, "0");
	else if (rounded < 1000)
		text_addf(t, "%llu ns", (unsigned long long)ns);
	else if (rounded < NS_MS)
		add_three_digits(t, ns, NS_US), text_add(t, " \xc2\xb5s");
	else if (rounded < NS_S)
		add_three_digits(t, ns, NS_MS), text_add(t, " ms");
	else if (rounded < 60 * NS_S)
		add_three_digits(t, ns, NS_S), text_add(t, " s");
	else if (seconds < 3600)
		add_pair(t, seconds, 60, "m", 's');
	else
		add_pair(t, (seconds + 30) / 60, 60, "h", 'm');
}

void text_add_size(struct text *t, uint64_t bytes)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t i = 0;
	while (i + 1 < ARRAY_LEN(names) && bytes >> (10 * (i + 1)))
		i++;
	if (i == 0)
		text_addf(t, "%llu", (unsigned long long)bytes);
	else
		add_three_digits(t, bytes, (uint64_t)1 << (10 * i));
	text_addf(t, " %s", names[i]);
}

void text_add_count(struct text *t, uint64_t n)
{
	char digits[24];
	size_t len = (size_t)snprintf(
		digits, sizeof(digits), "%llu", (unsigned long long)n);
	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			text_add_char(t, ',');
		text_add_char(t, digits[i]);
	}
}

void text_add_counted(struct text *t, uint64_t n, const char *one, const char *many)
{
	text_add_count(t, n);
	text_addf(t, " %s", n == 1 ? one : many);
}

void text_add_number(struct text *t, double n)
{
	if (n >= 999.5) /* which %.3g would write as 1e+03 */
		text_add_count(t, (uint64_t)(n + 0.5));
	else
		text_addf(t, "%.3g", n);
}

#define WORD_MAX 64

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;
	return ab < c ? ab : c;
}

/* Optimal string alignment distance: insert, delete, replace, swap neighbours. */
static size_t edit_distance(struct slice a, struct slice b)
{
	size_t rows[3][WORD_MAX + 1]; /* the last three of the usual table */
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t k = 0; k <= b.len; k++)
		above[k] = k;
	for (size_t i = 1; i <= a.len; i++) {
		row[0] = i;
		for (size_t k = 1; k <= b.len; k++) {
			size_t differ = a.ptr[i - 1] != b.ptr[k - 1];
			row[k] = min3(
				above[k] + 1, row[k - 1] + 1, above[k - 1] + differ);
			if (i > 1 && k > 1 && a.ptr[i - 1] == b.ptr[k - 2] &&
				a.ptr[i - 2] == b.ptr[k - 1])
				row[k] = min3(row[k], before[k - 2] + 1, SIZE_MAX);
		}
		size_t *spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b.len];
}

const char *units_nearest(struct slice word, const char *const *words, size_t n)
{
	const char *nearest = NULL;
	size_t best = word.len < 3 ? 2 : word.len < 6 ? 3 : 4; /* must be less */

	if (word.len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct slice other = slice_of(words[i]);
		if (other.len > WORD_MAX)
			continue;
		size_t distance = edit_distance(word, other);
		/* As many edits as letters is another word. */
		if (distance < best && distance < word.len) {
			best = distance;
			nearest = words[i];
		}
	}
	return nearest;
}

bool units_is_slip(struct slice word, const char *meant)
{
	struct slice other = slice_of(meant);

	if (word.len > WORD_MAX || other.len > WORD_MAX)
		return false;
	return slice_eq_nocase(word, other) || edit_distance(word, other) == 1;
}
