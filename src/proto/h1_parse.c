/* Heads: the walk, then the judgement of what was found. */
#include "proto/h1_lex.h"

#define HEAD_BYTES 32768u
#define TARGET_BYTES 8192u
#define FIELDS 100u

static uint32_t or_default(uint32_t limit, uint32_t if_zero)
{
	return limit ? limit : if_zero;
}

static struct h1_lex open_lex(const struct h1_scan *scan, struct slice in,
	const struct h1_limits *limits, struct h1_head *head)
{
	static const struct h1_limits defaults = { 0 };
	const struct h1_limits *l = limits ? limits : &defaults;
	const uint32_t fields = or_default(l->fields, FIELDS);
	const uint32_t head_bytes = or_default(l->head_bytes, HEAD_BYTES);
	const char *base = in.len ? in.ptr : ""; /* of no bytes ptr may be NULL */
	CHECK(scan->at <= in.len);
	return (struct h1_lex){
		.base = base,
		.end = base + (in.len < head_bytes ? in.len : head_bytes),
		.at = base + scan->at,
		.run = base + scan->run,
		.head = head,
		.target_max = or_default(l->target_bytes, TARGET_BYTES),
		.fields = scan->fields,
		.fields_max = (uint16_t)(fields < H1_FIELDS_MAX ? fields : H1_FIELDS_MAX),
		.step = scan->step,
		.blank_lines = scan->blank_lines,
		.whole = scan->step == H1_STEP_START,
		.why = ERR_OK,
	};
}

static void keep(struct h1_scan *scan, const struct h1_lex *x)
{
	*scan = (struct h1_scan){
		.at = (uint32_t)(x->at - x->base),
		.blank_lines = x->blank_lines,
		.step = x->step,
		.fields = x->fields,
		.run = (uint32_t)(x->run - x->base),
	};
}

static enum h1_result walk(struct h1_lex *x)
{
	return x->response ? h1_lex_response(x) : h1_lex_request(x);
}

/*
 * Walks on to the end of the head. What lies beyond head_bytes is not looked at, so a head
 * that is incomplete there is too large, however much of it is here.
 */
static enum h1_result find_head(struct h1_scan *scan, struct h1_lex *x, bool clamped)
{
	enum h1_result r = walk(x);
	if (r == H1_PARTIAL && clamped)
		return h1_fail(x, x->response ? ERR_RES_HEAD_LARGE : ERR_REQ_HEAD_LARGE);
	if (r != H1_DONE) {
		keep(scan, x);
		return r;
	}
	if (!x->whole) {
		/* It came in pieces and is known to be good: read it once more as one, for
		 * the slices. */
		const char *end = x->at;
		x->at = x->run = x->base;
		x->step = H1_STEP_START;
		x->fields = x->blank_lines = 0;
		x->whole = true;
		r = walk(x);
		CHECK(r == H1_DONE && x->at == end);
	}
	return r;
}

static enum err judge_request(struct h1_lex *x)
{
	struct h1_options options = { 0 };
	if (!h1_read_host(x->head, x->doubled))
		return ERR_REQ_HOST;
	if (x->mistakable)
		return ERR_REQ_FRAMING;
	enum err e = h1_read_connection(x->head, &options);
	return e == ERR_OK ? h1_frame_request(x->head, x->doubled, &options) : e;
}

static enum err judge_response(struct h1_lex *x, enum h1_method asked)
{
	struct h1_options options = { 0 };
	enum err e = h1_read_connection(x->head, &options);
	if (e != ERR_OK)
		return e == ERR_REQ_HEAD_LARGE ? ERR_RES_HEAD_LARGE : ERR_RES_SYNTAX;
	return h1_frame_response(x->head, x->doubled, &options, asked);
}

static enum h1_result finish(struct h1_scan *scan, const struct h1_lex *x, enum err e,
	size_t *used, enum err *why)
{
	*why = e;
	if (e != ERR_OK)
		return H1_BAD;
	*used = (size_t)(x->at - x->base);
	*scan = (struct h1_scan){ 0 };
	return H1_DONE;
}

enum h1_result h1_parse_request(struct h1_scan *scan, struct slice in,
	const struct h1_limits *limits, struct h1_head *head, size_t *used, enum err *why)
{
	struct h1_lex x = open_lex(scan, in, limits, head);
	const uint32_t max = or_default(limits ? limits->head_bytes : 0, HEAD_BYTES);
	*used = 0;
	enum h1_result r = find_head(scan, &x, in.len >= max);
	*why = x.why;
	if (r != H1_DONE)
		return r;
	head->status = 0;
	head->reason = SLICE_NONE;
	return finish(scan, &x, judge_request(&x), used, why);
}

/* rule zero: seven parameters, so that it stays the twin of h1_parse_request. */
enum h1_result h1_parse_response(struct h1_scan *scan, struct slice in,
	const struct h1_limits *limits, enum h1_method asked, struct h1_head *head,
	size_t *used, enum err *why)
{
	struct h1_lex x = open_lex(scan, in, limits, head);
	const uint32_t max = or_default(limits ? limits->head_bytes : 0, HEAD_BYTES);
	x.response = true;
	*used = 0;
	enum h1_result r = find_head(scan, &x, in.len >= max);
	*why = x.why;
	if (r != H1_DONE)
		return r;
	head->method = H1_OTHER;
	head->form = H1_FORM_ORIGIN;
	head->method_text = head->target = head->path = head->authority = SLICE_NONE;
	return finish(scan, &x, judge_response(&x, asked), used, why);
}
