/* Any bytes as a request head: see fuzz_head.h; and what is accepted, written anew, reads
 * the same to a second parser. */
#include "fuzz.h"
#include "fuzz_head.h"
#include "strict.h"

static char buf[1 << 20];

static bool has_body(const struct h1_head *h)
{
	return h->body == H1_BODY_CHUNKED ||
	       (h->body == H1_BODY_LENGTH && h->content_length);
}

static void check_same_framing(const struct h1_head *h, const struct strict *s)
{
	CHECK(strlen(s->method) == h->method_text.len &&
		memcmp(s->method, h->method_text.ptr, h->method_text.len) == 0);
	CHECK(s->chunked == (h->body == H1_BODY_CHUNKED));
	if (h->method != H1_CONNECT)
		CHECK((s->lengths == 1) == (h->body == H1_BODY_LENGTH));
	if (s->lengths)
		CHECK(s->length == h->content_length);
}

/* What the parser accepts, the second reads alike. */
static void check_input(const struct outcome *o, struct slice in)
{
	struct strict s;
	size_t blank = 0;
	while (in.ptr[blank] == '\r')
		blank += 2;
	CHECK(strict_request(in.ptr + blank, in.len - blank, &s));
	CHECK(s.head_bytes + blank == o->used);
	CHECK(s.fields == o->head.field_count);
	check_same_framing(&o->head, &s);
}

static void check_written(const struct outcome *o)
{
	const struct h1_head *h = &o->head;
	struct strict s;
	struct wire w;
	wire_init(&w, buf, sizeof buf);
	h1_put_request_line(
		&w, h->method_text, h->form == H1_FORM_AUTHORITY ? h->target : h->path);
	h1_put_field(&w, SLICE("Host"), h->authority);
	h1_put_fields(&w, h, 0);
	h1_put_framing(&w, (enum h1_body)h->body, h->content_length);
	h1_put_end(&w);
	CHECK(!w.over);
	memset(w.ptr + w.len, 'x', 16); /* what follows is not the head's */
	CHECK(strict_request(w.ptr, w.len + 16, &s));
	CHECK(s.head_bytes == w.len);
	CHECK(s.hosts == 1 && s.fields <= h->field_count + 1u);
	check_same_framing(h, &s);
	CHECK(has_body(h) == (s.chunked || (s.lengths && s.length)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole;
	struct slice in = { (const char *)data, size };
	const uint64_t h = fuzz_hash(in);
	struct fuzz_head f = { .in = in };
	fuzz_head_run(&f, &whole);
	if (whole.r == H1_DONE) {
		check_input(&whole, in);
		check_written(&whole);
	}
	/* Once more with limits that bite. */
	f.limits = (struct h1_limits){
		.head_bytes = (uint32_t)(h % 200) + 1,
		.target_bytes = (uint32_t)(h >> 8) % 50 + 1,
		.fields = (uint16_t)((h >> 16) % 8 + 1),
	};
	fuzz_head_run(&f, &whole);
	if (whole.r == H1_DONE)
		CHECK(whole.used <= f.limits.head_bytes &&
			whole.head.target.len <= f.limits.target_bytes &&
			whole.head.field_count <= f.limits.fields);
	return 0;
}
