#include "outcome.h"

static void begin(struct outcome *o, struct slice in)
{
	memset(o, 0xa5, sizeof *o);
	o->base = in.ptr;
}

void outcome_of_request(struct outcome *o, struct h1_scan *scan, struct slice in,
	const struct h1_limits *limits)
{
	begin(o, in);
	o->r = h1_parse_request(scan, in, limits, &o->head, &o->used, &o->why);
}

void outcome_of_response(struct outcome *o, struct h1_scan *scan, struct slice in,
	const struct h1_limits *limits, enum h1_method asked)
{
	begin(o, in);
	o->r = h1_parse_response(scan, in, limits, asked, &o->head, &o->used, &o->why);
}

/* Equal offsets; texts that are not in the buffer ("/", "*") are the same constant. */
static bool same_slice(
	const struct outcome *a, struct slice x, const struct outcome *b, struct slice y)
{
	if (x.len != y.len)
		return false;
	if (x.len == 0)
		return true;
	if (x.ptr < a->base || x.ptr >= a->base + a->used)
		return x.ptr == y.ptr;
	return x.ptr - a->base == y.ptr - b->base;
}

static bool same_numbers(const struct h1_head *a, const struct h1_head *b)
{
	return a->method == b->method && a->form == b->form && a->status == b->status &&
	       a->minor == b->minor && a->body == b->body &&
	       a->keep_alive == b->keep_alive && a->upgrade == b->upgrade &&
	       a->expect_continue == b->expect_continue &&
	       a->content_length == b->content_length &&
	       a->field_count == b->field_count && a->seen == b->seen;
}

static bool same_fields(const struct outcome *a, const struct outcome *b)
{
	for (size_t i = 0; i < a->head.field_count; i++) {
		const struct h1_field *f = &a->head.fields[i], *g = &b->head.fields[i];
		if (!same_slice(a, f->name, b, g->name) ||
			!same_slice(a, f->value, b, g->value) || f->id != g->id ||
			f->hop != g->hop)
			return false;
	}
	return true;
}

static bool same_head(const struct outcome *a, const struct outcome *b)
{
	const struct h1_head *x = &a->head, *y = &b->head;
	return same_numbers(x, y) && same_slice(a, x->method_text, b, y->method_text) &&
	       same_slice(a, x->target, b, y->target) &&
	       same_slice(a, x->path, b, y->path) &&
	       same_slice(a, x->authority, b, y->authority) &&
	       same_slice(a, x->reason, b, y->reason) && same_fields(a, b);
}

bool outcome_same(const struct outcome *a, const struct outcome *b)
{
	if (a->r != b->r)
		return false;
	if (a->r == H1_DONE)
		return a->used == b->used && same_head(a, b);
	return a->r == H1_PARTIAL || a->why == b->why;
}
