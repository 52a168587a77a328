/* The walk over the bytes of a head: where each element ends, and whether its bytes may be
 * there at all. */
#include "proto/h1_lex.h"
#include "proto/h1_span.h"

/* RFC 9112 2.2: "at least one empty line" is to be ignored; more is an attack or a bug. */
#define BLANK_LINES_MAX 2
/* RFC 9112 3: a method longer than any we could serve gets 501. The longest registered one
 * has 17 bytes. */
#define METHOD_MAX 64
/* Before a response's colon. They are read again with every piece that comes. */
#define BLANKS_MAX 16

static enum h1_result syntax(struct h1_lex *x)
{
	return h1_fail(x, x->response ? ERR_RES_SYNTAX : ERR_REQ_SYNTAX);
}

static void enter(struct h1_lex *x, enum h1_step step, const char *at)
{
	x->step = (uint8_t)step;
	x->run = x->at = at;
}

static struct slice between(const char *from, const char *to)
{
	return (struct slice){ from, (size_t)(to - from) };
}

static enum h1_result lex_blank_lines(struct h1_lex *x)
{
	while (x->at < x->end && *x->at == '\r') {
		if (x->blank_lines == BLANK_LINES_MAX)
			return syntax(x);
		if (x->end - x->at < 2)
			return H1_PARTIAL;
		if (x->at[1] != '\n')
			return syntax(x);
		x->at += 2;
		x->blank_lines++;
	}
	if (x->at == x->end)
		return H1_PARTIAL;
	enter(x, H1_STEP_METHOD, x->at);
	return H1_DONE;
}

/* RFC 9112 3: method SP request-target SP HTTP-version CRLF, one SP exactly. */
static enum h1_result lex_method(struct h1_lex *x)
{
	x->at = h1_span_token(x->at, x->end);
	if (x->at - x->run > METHOD_MAX)
		return h1_fail(x, ERR_REQ_METHOD);
	if (x->at == x->end)
		return H1_PARTIAL;
	if (*x->at != ' ' || x->at == x->run)
		return syntax(x);
	x->head->method_text = between(x->run, x->at);
	enter(x, H1_STEP_TARGET, x->at + 1);
	return H1_DONE;
}

static enum h1_result lex_target(struct h1_lex *x)
{
	x->at = h1_span_target(x->at, x->end);
	if ((size_t)(x->at - x->run) > x->target_max)
		return h1_fail(x, ERR_REQ_TARGET_LONG);
	if (x->at == x->end)
		return H1_PARTIAL;
	if (*x->at != ' ' || x->at == x->run)
		return syntax(x);
	x->head->target = between(x->run, x->at);
	enter(x, H1_STEP_VERSION, x->at + 1);
	return H1_DONE;
}

/* Compares the element with a pattern in which '#' stands for a digit. */
static enum h1_result match(struct h1_lex *x, struct slice pattern)
{
	size_t have = (size_t)(x->end - x->run);
	for (size_t i = 0; i < pattern.len; i++) {
		if (i == have)
			return H1_PARTIAL;
		char want = pattern.ptr[i], is = x->run[i];
		if (want == '#' ? !h1_is(is, H1_CLASS_DIGIT) : is != want)
			return syntax(x);
	}
	return H1_DONE;
}

/* RFC 9112 2.3: HTTP-version = "HTTP/" DIGIT "." DIGIT, case-sensitive. RFC 9110 2.5: a
 * higher minor version is treated as the highest we know. */
static uint8_t minor_of(const char *version)
{
	return version[7] != '0';
}

static enum h1_result lex_version(struct h1_lex *x)
{
	const struct slice usual = SLICE("HTTP/1.1\r\n");
	if (x->end - x->run < 10 || memcmp(x->run, usual.ptr, 10) != 0) {
		enum h1_result r = match(x, SLICE("HTTP/#.#\r\n"));
		if (r != H1_DONE)
			return r;
	}
	if (x->run[5] != '1')
		return h1_fail(x, ERR_REQ_VERSION);
	x->head->minor = minor_of(x->run);
	enter(x, H1_STEP_NAME, x->run + 10);
	return H1_DONE;
}

/* RFC 9112 4: status-line = HTTP-version SP status-code SP [ reason-phrase ] CRLF. Without a reason
 * servers leave its space out, too. */
static enum h1_result lex_status(struct h1_lex *x)
{
	const struct slice pattern = SLICE("HTTP/#.# ###");
	enum h1_result r = match(x, pattern);
	if (r != H1_DONE)
		return r;
	const char *s = x->run, *behind = s + pattern.len;
	if (behind == x->end)
		return H1_PARTIAL;
	if (*behind != ' ' && *behind != '\r')
		return syntax(x);
	int code = (s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0');
	/* RFC 9110 15: what is not within 100 to 599 is invalid. */
	if (s[5] != '1' || code < 100 || code > 599)
		return syntax(x);
	x->head->minor = minor_of(s);
	x->head->status = (uint16_t)code;
	enter(x, H1_STEP_REASON, behind + (*behind == ' '));
	return H1_DONE;
}

/* A run of value bytes up to its CRLF (RFC 9112 2.2: never a bare CR, never a bare LF). */
static enum h1_result lex_to_crlf(struct h1_lex *x)
{
	const char *p = h1_span_value(x->at, x->end);
	x->at = p;
	if (p == x->end)
		return H1_PARTIAL;
	if (*p != '\r')
		return syntax(x);
	if (p + 1 == x->end)
		return H1_PARTIAL;
	return p[1] == '\n' ? H1_DONE : syntax(x);
}

static enum h1_result lex_reason(struct h1_lex *x)
{
	enum h1_result r = lex_to_crlf(x);
	if (r != H1_DONE)
		return r;
	x->head->reason = between(x->run, x->at);
	enter(x, H1_STEP_NAME, x->at + 2);
	return H1_DONE;
}

static enum h1_result lex_head_end(struct h1_lex *x)
{
	if (x->run + 1 == x->end)
		return H1_PARTIAL;
	if (x->run[1] != '\n')
		return syntax(x);
	enter(x, H1_STEP_END, x->run + 2);
	return H1_DONE;
}

/*
 * RFC 9112 5.1: white space before the colon is a fault of a request's, but in a response a
 * proxy takes it away. Not behind a name that frames, which others may have read otherwise. `at`
 * stays at the end of the name; NULL: a fault; x->end: no colon yet.
 */
static const char *find_colon(struct h1_lex *x)
{
	const char *p = x->at;
	if (x->response && h1_is_ows(*p) && !h1_is_framing(between(x->run, p)))
		while (p < x->end && p - x->at < BLANKS_MAX && h1_is_ows(*p))
			p++;
	return p == x->end || *p == ':' ? p : NULL;
}

/*
 * RFC 9112 5: field-line = field-name ":" OWS field-value OWS. No line that begins with white
 * space (5.2 obs-fold, 2.2), no empty name: these are bytes that are no token.
 */
static enum h1_result lex_name(struct h1_lex *x)
{
	x->at = h1_span_token(x->at, x->end);
	if (x->at == x->end)
		return H1_PARTIAL;
	if (x->at == x->run)
		return *x->at == '\r' ? lex_head_end(x) : syntax(x);
	const char *colon = find_colon(x);
	if (colon == x->end)
		return H1_PARTIAL;
	if (!colon)
		return syntax(x);
	if (x->fields == x->fields_max)
		return h1_fail(x, x->response ? ERR_RES_HEAD_LARGE : ERR_REQ_HEAD_LARGE);
	struct h1_field *f = &x->head->fields[x->fields];
	f->name = between(x->run, x->at);
	enter(x, H1_STEP_VALUE, colon + 1);
	return H1_DONE;
}

static enum h1_result lex_value(struct h1_lex *x)
{
	enum h1_result r = lex_to_crlf(x);
	if (r != H1_DONE)
		return r;
	const char *from = x->run, *to = x->at;
	while (from < to && h1_is_ows(*from))
		from++;
	while (from < to && h1_is_ows(to[-1]))
		to--;
	x->head->fields[x->fields++].value = between(from, to);
	enter(x, H1_STEP_NAME, x->at + 2);
	return H1_DONE;
}

/* Names what was read, in one place, once the slices of the whole head are there. */
static void name_fields(struct h1_lex *x)
{
	struct h1_head *head = x->head;
	uint64_t seen = 0;
	head->field_count = x->fields;
	for (size_t i = 0; i < head->field_count; i++) {
		struct h1_field *f = &head->fields[i];
		enum h1_field_id id = h1_field_id_of(f->name);
		f->id = (uint8_t)id;
		f->hop = h1_field_is_hop(id);
		x->mistakable |= id == H1_FIELD_OTHER && h1_passes_for_framing(f->name);
		x->doubled |= seen & h1_bit(id);
		seen |= h1_bit(id);
	}
	head->seen = seen;
}

static enum h1_result lex_fields(struct h1_lex *x)
{
	enum h1_result r = H1_DONE;
	while (r == H1_DONE && x->step != H1_STEP_END)
		r = x->step == H1_STEP_NAME ? lex_name(x) : lex_value(x);
	if (r == H1_DONE && x->whole)
		name_fields(x);
	return r;
}

static void rewind_to_start(struct h1_lex *x)
{
	x->blank_lines = 0;
	x->fields = 0;
	x->whole = true;
	enter(x, H1_STEP_START, x->base);
}

static enum h1_result lex_request_line(struct h1_lex *x)
{
	enum h1_result r = H1_DONE;
	if (x->step == H1_STEP_START)
		r = lex_blank_lines(x);
	if (r == H1_DONE && x->step == H1_STEP_METHOD)
		r = lex_method(x);
	if (r == H1_DONE && x->step == H1_STEP_TARGET)
		r = lex_target(x);
	if (r == H1_DONE && x->step == H1_STEP_VERSION)
		r = lex_version(x);
	return r;
}

enum h1_result h1_lex_request(struct h1_lex *x)
{
	if (x->step <= H1_STEP_VERSION) {
		enum h1_result r = lex_request_line(x);
		if (r != H1_DONE)
			return r;
		if (!x->whole) {
			/* The slices of an earlier call are gone: read the line again,
			 * once. */
			rewind_to_start(x);
			r = lex_request_line(x);
			CHECK(r == H1_DONE);
		}
		if (!h1_read_target(x->head))
			return syntax(x);
	}
	return lex_fields(x);
}

enum h1_result h1_lex_response(struct h1_lex *x)
{
	enum h1_result r = H1_DONE;
	if (x->step == H1_STEP_START)
		enter(x, H1_STEP_STATUS, x->at);
	if (x->step == H1_STEP_STATUS)
		r = lex_status(x);
	if (r == H1_DONE && x->step == H1_STEP_REASON)
		r = lex_reason(x);
	return r == H1_DONE ? lex_fields(x) : r;
}
