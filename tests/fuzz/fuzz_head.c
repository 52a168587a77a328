#include "fuzz_head.h"

#include "fuzz.h"

#define EVERY_CUT_BELOW 160
#define CUTS 8

/* The first `len` bytes in a block of their own. The outcome must not be read through after
 * the block is freed, so its base and slices are only compared as offsets. */
static char *look(
	const struct fuzz_head *f, struct h1_scan *scan, size_t len, struct outcome *o)
{
	char *copy = fuzz_prefix(f->in, len);
	struct slice in = { copy, len };
	if (f->response)
		outcome_of_response(o, scan, in, &f->limits, f->asked);
	else
		outcome_of_request(o, scan, in, &f->limits);
	CHECK(o->used <= len);
	return copy;
}

static void check_cut(const struct fuzz_head *f, size_t cut, const struct outcome *whole)
{
	static struct outcome part;
	struct h1_scan scan = { 0 };
	mem_free(look(f, &scan, cut, &part));
	if (part.r != H1_PARTIAL) {
		CHECK(outcome_same(&part, whole));
		return;
	}
	mem_free(look(f, &scan, f->in.len, &part));
	CHECK(outcome_same(&part, whole));
}

static void check_bytes(const struct fuzz_head *f, const struct outcome *whole)
{
	static struct outcome part;
	struct h1_scan scan = { 0 };
	/* Long heads in larger steps: each step copies all. */
	const size_t step = f->in.len / 512 + 1;
	size_t len = 0;
	for (;;) {
		mem_free(look(f, &scan, len, &part));
		if (part.r != H1_PARTIAL || len == f->in.len)
			break;
		len = len + step < f->in.len ? len + step : f->in.len;
	}
	CHECK(outcome_same(&part, whole));
}

static void check_inside(const struct outcome *o, struct slice s)
{
	CHECK(s.len == 0 || (s.ptr >= o->base && s.ptr + s.len <= o->base + o->used));
}

static void check_slices(const struct outcome *o)
{
	const struct h1_head *h = &o->head;
	CHECK(h->field_count <= H1_FIELDS_MAX);
	check_inside(o, h->method_text);
	check_inside(o, h->target);
	check_inside(o, h->authority);
	check_inside(o, h->reason);
	for (size_t i = 0; i < h->field_count; i++) {
		CHECK(h1_is_token(h->fields[i].name));
		CHECK(h->fields[i].id < H1_FIELD_COUNT);
		check_inside(o, h->fields[i].name);
		check_inside(o, h->fields[i].value);
	}
}

void fuzz_head_run(const struct fuzz_head *f, struct outcome *whole)
{
	struct h1_scan scan = { 0 };
	if (f->response)
		outcome_of_response(whole, &scan, f->in, &f->limits, f->asked);
	else
		outcome_of_request(whole, &scan, f->in, &f->limits);
	if (whole->r == H1_DONE)
		check_slices(whole);
	uint64_t h = fuzz_hash(f->in);
	if (f->in.len < EVERY_CUT_BELOW) {
		for (size_t cut = 0; cut <= f->in.len; cut++)
			check_cut(f, cut, whole);
	} else {
		for (int i = 0; i < CUTS; i++, h = h * 6364136223846793005 + 1)
			check_cut(f, (size_t)(h >> 20) % f->in.len, whole);
	}
	check_bytes(f, whole);
}
