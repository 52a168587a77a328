/* Any bytes as a response head, to GET, HEAD and CONNECT: see fuzz_head.h; and what is
 * accepted, written anew, reads the same to a second parser. */
#include "fuzz.h"
#include "fuzz_head.h"
#include "proto/retry_after.h"
#include "strict.h"

static char buf[1 << 20];

static void check_same_framing(const struct h1_head *h, const struct strict *s)
{
	if (h->body == H1_BODY_CHUNKED)
		CHECK(s->codings == 1 && s->chunked && s->lengths == 0);
	if (h->body == H1_BODY_LENGTH)
		CHECK(s->lengths == 1 && s->codings == 0 &&
			s->length == h->content_length);
	if (h->body == H1_BODY_CLOSE)
		CHECK(s->lengths == 0 && s->codings == 0 && !h->keep_alive);
}

static void check_input(const struct outcome *o, struct slice in)
{
	struct strict s;
	/* A tunnel's framing fields are ignored, whatever they say. */
	if (o->head.body == H1_BODY_TUNNEL)
		return;
	CHECK(strict_response(in.ptr, in.len, &s));
	CHECK(s.head_bytes == o->used && s.fields == o->head.field_count);
	CHECK(s.status == o->head.status && s.http10 == (o->head.minor == 0));
	check_same_framing(&o->head, &s);
}

/* Whatever it says about when to come again: a time that makes sense, or none. */
static void check_retry_after(const struct outcome *o)
{
	const struct retry_after r = retry_after_of(&o->head, 1767225600);
	CHECK(r.in >= 0 && r.in <= RETRY_AFTER_MOST);
	CHECK((r.in > 0) == (r.by != RETRY_AFTER_NONE));
}

static void check_written(const struct outcome *o)
{
	const struct h1_head *h = &o->head;
	struct strict s;
	struct wire w;
	wire_init(&w, buf, sizeof buf);
	h1_put_status_line(&w, h->status, h->reason);
	h1_put_fields(&w, h, 0);
	h1_put_framing(&w, (enum h1_body)h->body, h->content_length);
	h1_put_end(&w);
	CHECK(!w.over);
	memset(w.ptr + w.len, 'x', 16);
	CHECK(strict_response(w.ptr, w.len + 16, &s));
	CHECK(s.head_bytes == w.len && s.status == h->status);
	check_same_framing(h, &s);
	if (h->body != H1_BODY_LENGTH && h->body != H1_BODY_CHUNKED)
		CHECK(s.lengths == 0 && s.codings == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum h1_method methods[] = { H1_GET, H1_HEAD, H1_CONNECT };
	static struct outcome whole;
	struct slice in = { (const char *)data, size };
	const uint64_t h = fuzz_hash(in);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct fuzz_head f = { .in = in, .response = true, .asked = methods[i] };
		if (i == 2)
			f.limits = (struct h1_limits){ .head_bytes = (uint32_t)(h % 200) +
								     1,
				.fields = (uint16_t)((h >> 16) % 8 + 1) };
		fuzz_head_run(&f, &whole);
		if (whole.r != H1_DONE)
			continue;
		check_input(&whole, in);
		check_written(&whole);
		check_retry_after(&whole);
	}
	return 0;
}
