#include "proxy/template.h"

#include "base/ascii.h"
#include "base/units.h"

#define LITERAL_CHARS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~" \
	"!$&'()*+,;=:@/%"
#define QUERY_WORD "query."

/* The byte at `*at`, decoded; -1: a % with no two digits behind it. */
static int next_byte(struct slice s, size_t *at)
{
	bool coded = s.ptr[*at] == '%';
	int c = coded ? slice_percent(s, *at) : (unsigned char)s.ptr[*at];
	*at += coded ? 3 : 1;
	return c;
}

static bool is_unreserved(int c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* In a path these would be more than a segment to some server. */
static bool is_refused(const struct template_piece *piece, int c)
{
	return !piece->in_query && (c == '/' || c == '\\' || c < 0x20 || c == 0x7f);
}

/* --- reading --- */

static bool parse_literal(
	struct template *t, struct slice s, bool *in_query, struct problem *p)
{
	for (size_t i = 0; i < s.len;) {
		char c = s.ptr[i];
		if (c == '?' && !*in_query) {
			*in_query = true;
			i++;
			continue;
		}
		if (c != '?' && !memchr(LITERAL_CHARS, c, sizeof(LITERAL_CHARS) - 1))
			return problem_set(p,
				"a byte that cannot stand in a path at '%.*s': write it as "
				"%%XX",
				SLICE_ARG(slice_cut(s, i, 20)));
		if (next_byte(s, &i) < 0)
			return problem_set(p, "a %% without two digits of hex behind it");
	}
	t->pieces[t->count++] = (struct template_piece){
		.kind = TEMPLATE_TEXT, .in_query = *in_query, .text = s
	};
	return true;
}

static bool unknown_piece(struct slice name, struct problem *p)
{
	static const char *const known[] = { "query" };
	struct slice word = slice_cut(name, 0, slice_find(name, '.'));
	const char *meant = units_nearest(word, known, ARRAY_LEN(known));
	if (meant && !slice_eq(word, slice_of(meant)))
		return problem_set(p, "unknown {%.*s}: did you mean {%s%.*s}?",
			SLICE_ARG(name), meant,
			SLICE_ARG(slice_cut(name, word.len, SIZE_MAX)));
	return problem_set(p,
		"unknown {%.*s}: there are {1} to {9}, {*} and {query.NAME}",
		SLICE_ARG(name));
}

/* "." or ".." between slashes of what has been written as a path. */
static bool has_dots(struct slice path)
{
	path = slice_cut(path, 0, slice_find(path, '?'));
	while (path.len) {
		size_t end = slice_find(path, '/');
		struct slice segment = slice_cut(path, 0, end);
		if (slice_eq(segment, SLICE(".")) || slice_eq(segment, SLICE("..")))
			return true;
		path = slice_cut(path, end + 1, SIZE_MAX);
	}
	return false;
}

static bool parse_piece(
	struct template *t, struct slice s, bool in_query, struct problem *p)
{
	struct template_piece *piece = &t->pieces[t->count++];
	size_t bar = slice_find(s, '|');
	struct slice name = slice_cut(s, 0, bar);
	*piece = (struct template_piece){ .in_query = in_query, .otherwise = SLICE_NONE };
	if (bar < s.len)
		piece->otherwise = (struct slice){ s.ptr + bar + 1, s.len - bar - 1 };
	if (name.len == 1 && name.ptr[0] >= '1' && name.ptr[0] <= '9') {
		piece->kind = TEMPLATE_SEGMENT;
		piece->nth = (uint8_t)(name.ptr[0] - '1');
	} else if (slice_eq(name, SLICE("*"))) {
		piece->kind = TEMPLATE_REST;
	} else if (slice_starts(name, SLICE(QUERY_WORD)) &&
		   name.len > sizeof(QUERY_WORD) - 1) {
		piece->kind = TEMPLATE_QUERY;
		piece->text = slice_cut(name, sizeof(QUERY_WORD) - 1, SIZE_MAX);
	} else {
		return unknown_piece(name, p);
	}
	t->needs_rest |= piece->kind != TEMPLATE_QUERY;
	bool good = true;
	size_t dots = 0, bytes = 0; /* of what it comes to */
	for (size_t i = 0; i < piece->otherwise.len && good; bytes++) {
		int c = next_byte(piece->otherwise, &i);
		good = c >= 0 && !is_refused(piece, c);
		dots += c == '.';
	}
	good &= in_query || !bytes || dots < bytes || dots > 2;
	return good || problem_set(p, "{%.*s}: what is behind the | cannot stand there",
			       SLICE_ARG(s));
}

bool template_parse(struct template *t, const char *text, struct problem *p)
{
	struct slice left = slice_of(text);
	bool in_query = false;
	*t = (struct template){ .count = 0 };
	if (!slice_starts(left, SLICE("/")))
		return problem_set(p, "'%s' does not begin with /", text);
	while (left.len) {
		bool piece = left.ptr[0] == '{';
		size_t end = slice_find(left, piece ? '}' : '{');
		if (t->count == TEMPLATE_PIECES_MAX)
			return problem_set(p, "more than %d pieces", TEMPLATE_PIECES_MAX);
		if (piece && end == left.len)
			return problem_set(
				p, "'%.*s' has no } at its end", SLICE_ARG(left));
		struct slice s = slice_cut(left, piece, end - piece);
		if (piece ? !parse_piece(t, s, in_query, p)
			  : !parse_literal(t, s, &in_query, p))
			return false;
		left = slice_cut(left, end + piece, SIZE_MAX);
	}
	return true;
}

/* --- filling in --- */

struct filling {
	struct slice rest, query;
	struct text *out;
	struct problem *problem;
};

/* A value as the caller wrote it. */
static bool put_value(
	const struct filling *f, const struct template_piece *piece, struct slice value)
{
	for (size_t i = 0; i < value.len;) {
		bool plus = piece->kind == TEMPLATE_QUERY && piece->in_query &&
			    value.ptr[i] == '+';
		int c = next_byte(value, &i);
		if (c < 0)
			return problem_set(f->problem,
				"in the path or query a %% has no two digits of hex "
				"behind it");
		if (is_refused(piece, c))
			return problem_set(f->problem,
				"a piece of the path or query holds a byte that cannot "
				"stand in a path's segment");
		if (is_unreserved(c) || plus)
			text_add_char(f->out, (char)c);
		else
			text_addf(f->out, "%%%02X", (unsigned)c);
		if (f->out->len > TEMPLATE_OUT_MAX)
			return problem_set(f->problem, "the path comes out too long");
	}
	return true;
}

static bool same_decoded(struct slice wanted, struct slice name)
{
	size_t i = 0, n = 0;
	while (i < name.len && n < wanted.len) {
		int c = next_byte(name, &i);
		if (c != (unsigned char)wanted.ptr[n++])
			return false;
	}
	return i == name.len && n == wanted.len;
}

/* False: the parameter is there twice. */
static bool find_parameter(struct slice query, struct slice name, struct slice *value)
{
	bool found = false;
	*value = SLICE_NONE;
	while (query.len) {
		struct slice pair = slice_cut(query, 0, slice_find(query, '&'));
		size_t equals = slice_find(pair, '=');
		query = slice_cut(query, pair.len + 1, SIZE_MAX);
		if (!same_decoded(name, slice_cut(pair, 0, equals)))
			continue;
		if (found)
			return false;
		found = true;
		*value = slice_cut(pair, equals + 1, SIZE_MAX);
	}
	return true;
}

static struct slice nth_segment(struct slice rest, uint8_t nth)
{
	while (nth-- > 0)
		rest = slice_cut(rest, slice_find(rest, '/') + 1, SIZE_MAX);
	return slice_cut(rest, 0, slice_find(rest, '/'));
}

/* Segment by segment: an empty one in between would move those behind it. */
static bool put_rest(const struct filling *f, const struct template_piece *piece)
{
	struct slice rest = f->rest;
	while (rest.len) {
		struct slice segment = nth_segment(rest, 0);
		if (segment.len == 0)
			return problem_set(
				f->problem, "the path has an empty segment (//)");
		if (!put_value(f, piece, segment))
			return false;
		if (segment.len < rest.len)
			text_add(f->out, piece->in_query ? "%2F" : "/");
		rest = slice_cut(rest, segment.len + 1, SIZE_MAX);
	}
	return true;
}

/* What the caller gives for a piece; empty: nothing. */
static bool find_value(
	const struct filling *f, const struct template_piece *piece, struct slice *value)
{
	switch (piece->kind) {
	case TEMPLATE_TEXT:
		break;
	case TEMPLATE_REST:
		*value = f->rest;
		return true;
	case TEMPLATE_SEGMENT:
		*value = nth_segment(f->rest, piece->nth);
		return true;
	case TEMPLATE_QUERY:
		return find_parameter(f->query, piece->text, value) ||
		       problem_set(f->problem, "the query has %.*s twice",
			       SLICE_ARG(piece->text));
	}
	NEVER_HERE();
}

static bool put_missing(const struct filling *f, const struct template_piece *piece)
{
	if (piece->otherwise.ptr)
		return put_value(f, piece, piece->otherwise);
	if (piece->kind == TEMPLATE_QUERY)
		return problem_set(
			f->problem, "the query has no %.*s", SLICE_ARG(piece->text));
	return problem_set(f->problem, "the path has too few segments");
}

static bool put_piece(const struct filling *f, const struct template_piece *piece)
{
	struct slice value;
	if (piece->kind == TEMPLATE_TEXT) {
		text_add_slice(f->out, piece->text);
		return true;
	}
	if (!find_value(f, piece, &value))
		return false;
	if (value.len == 0)
		return put_missing(f, piece);
	return piece->kind == TEMPLATE_REST ? put_rest(f, piece)
					    : put_value(f, piece, value);
}

bool template_expand(const struct template *t, struct slice rest, struct slice query,
	struct text *out, struct problem *p)
{
	const struct filling f = { rest, query, out, p };
	size_t from = out->len;
	for (uint32_t i = 0; i < t->count; i++)
		if (!put_piece(&f, &t->pieces[i]))
			return false;
	if (has_dots(slice_cut(text_slice(out), from, SIZE_MAX)))
		return problem_set(p, "the path has a segment that is . or ..");
	return out->len - from <= TEMPLATE_OUT_MAX ||
	       problem_set(p, "the path comes out too long");
}
