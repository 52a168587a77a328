#include "origin/change.h"

#include "base/units.h"

static const char *const full_words[] = { "fasthttp", "503", "429", "reset", "stall" };
static const char *const hangup_words[] = { "never", "at-write", "at-once" };
static const char *const names[] = { "limit", "latency", "workers", "full", "hangup",
	"fault" };

const char *origin_full_word(enum origin_full full)
{
	CHECK((size_t)full < ARRAY_LEN(full_words));
	return full_words[full];
}

const char *origin_hangup_word(enum origin_hangup hangup)
{
	CHECK((size_t)hangup < ARRAY_LEN(hangup_words));
	return hangup_words[hangup];
}

static bool is_word(struct slice s, const char *word)
{
	return slice_eq(s, slice_of(word));
}

static bool parse_count(
	struct slice value, const char *name, uint64_t *out, struct problem *p)
{
	struct problem why = { 0 };
	if (units_count(value, out, &why)) /* `none` is ORIGIN_NONE */
		return true;
	return problem_set(p, "%s: %s", name, why.text);
}

static bool parse_word(struct slice value, const char *name, const char *const *words,
	size_t n, size_t *index, struct problem *p)
{
	struct text list;
	for (size_t i = 0; i < n; i++) {
		if (is_word(value, words[i])) {
			*index = i;
			return true;
		}
	}
	text_init(&list);
	for (size_t i = 0; i < n; i++)
		text_addf(&list, "%s%s",
			i == 0      ? ""
			: i + 1 < n ? ", "
				    : " or ",
			words[i]);
	problem_set(p, "%s: '%.*s' is not one of %s", name, SLICE_ARG(value), list.ptr);
	text_fini(&list);
	return false;
}

static bool parse_latency(struct slice value, struct dist **out, struct problem *p)
{
	struct problem why = { 0 };
	struct dist *dist = dist_parse(value, &why);
	if (!dist)
		return problem_set(p, "latency: %s", why.text);
	*out = dist;
	return true;
}

static bool parse_workers(struct slice value, uint64_t *out, struct problem *p)
{
	if (!parse_count(value, "workers", out, p))
		return false;
	if (*out == 0)
		return problem_set(p, "workers: with 0 nothing is ever answered: write 1 "
				      "or more, or none");
	return true;
}

static bool parse_fault(struct slice value, struct spoil *out, struct problem *p)
{
	struct problem why = { 0 };
	if (spoil_parse(value, out, &why))
		return true;
	return problem_set(p, "fault: %s", why.text);
}

static bool once(bool *seen, const char *name, struct problem *p)
{
	if (*seen)
		return problem_set(p, "%s is given twice: keep one", name);
	*seen = true;
	return true;
}

bool change_add(
	struct change *c, struct slice name, struct slice value, struct problem *p)
{
	const char *near;
	bool has_latency = c->latency != NULL;
	size_t index = 0;

	if (is_word(name, "limit"))
		return once(&c->has_limit, "limit", p) &&
		       parse_count(value, "limit", &c->limit, p);
	if (is_word(name, "workers"))
		return once(&c->has_workers, "workers", p) &&
		       parse_workers(value, &c->workers, p);
	if (is_word(name, "latency"))
		return once(&has_latency, "latency", p) &&
		       parse_latency(value, &c->latency, p);
	if (is_word(name, "fault"))
		return once(&c->has_spoil, "fault", p) &&
		       parse_fault(value, &c->spoil, p);
	if (is_word(name, "full")) {
		if (!once(&c->has_full, "full", p) ||
			!parse_word(value, "full", full_words, ARRAY_LEN(full_words),
				&index, p))
			return false;
		c->full = (enum origin_full)index;
		return true;
	}
	if (is_word(name, "hangup")) {
		if (!once(&c->has_hangup, "hangup", p) ||
			!parse_word(value, "hangup", hangup_words,
				ARRAY_LEN(hangup_words), &index, p))
			return false;
		c->hangup = (enum origin_hangup)index;
		return true;
	}
	near = units_nearest(name, names, ARRAY_LEN(names));
	return problem_set(p,
		"'%.*s' cannot be set%s%s%s: there are limit, latency, workers, full, "
		"hangup and fault",
		SLICE_ARG(name), near ? " (did you mean '" : "", near ? near : "",
		near ? "'?)" : "");
}

void change_fini(struct change *c)
{
	if (c->latency)
		dist_free(&c->latency);
}

/* The next word of *rest; blanks inside parentheses belong to it. False at the end. */
static bool next_word(struct slice *rest, struct slice *word)
{
	size_t depth = 0, end = 0;

	*rest = slice_trim(*rest);
	for (; end < rest->len; end++) {
		char c = rest->ptr[end];
		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if ((c == ' ' || c == '\t') && depth == 0)
			break;
	}
	*word = slice_cut(*rest, 0, end);
	*rest = slice_cut(*rest, end, rest->len);
	return word->len > 0;
}

static bool parse_words(struct slice rest, struct change *change, struct problem *p)
{
	struct slice word;
	bool any = false;

	while (next_word(&rest, &word)) {
		size_t eq = slice_find(word, '=');
		if (eq == word.len)
			return problem_set(p, "'%.*s' sets nothing: write name=value",
				SLICE_ARG(word));
		if (!change_add(change, slice_cut(word, 0, eq),
			    slice_cut(word, eq + 1, word.len), p))
			return false;
		any = true;
	}
	return any || problem_set(p, "nothing is set: write name=value after the colon");
}

static bool parse_time(struct slice s, ns_t *at, struct problem *p)
{
	if (!units_duration(s, at, p))
		return false;
	return *at != NS_NEVER || problem_set(p, "it would never come");
}

bool phase_parse(struct slice s, struct phase *out, struct problem *p)
{
	struct problem why = { 0 };
	size_t colon = slice_find(s, ':');

	*out = (struct phase){ 0 };
	if (colon == s.len)
		problem_set(&why, "no colon after the time");
	else if (parse_time(slice_trim(slice_cut(s, 0, colon)), &out->at, &why) &&
		 parse_words(slice_cut(s, colon + 1, s.len), &out->change, &why))
		return true;
	change_fini(&out->change);
	return problem_set(p,
		"phase '%.*s': %s (a phase is written '10s: latency=uniform(3s, 5s) "
		"limit=500')",
		SLICE_ARG(s), why.text);
}
