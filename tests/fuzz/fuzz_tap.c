/* Any bytes as packets that go by, each behind its length (two bytes): what is heard is
 * bounded, and may be shown on a terminal. */
#include "fuzz.h"
#include "watch/heard.h"

/* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069. */
static bool turns_line(struct slice s)
{
	const unsigned char *b = (const unsigned char *)s.ptr;
	unsigned c = (unsigned)(b[0] & 0xf) << 12 | (unsigned)(b[1] & 0x3f) << 6 |
		     (unsigned)(b[2] & 0x3f);

	return c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

static void check_shown(const char *text)
{
	struct slice s = slice_of(text);

	CHECK(s.len < HEARD_TEXT);
	while (s.len) {
		size_t n = slice_utf8_len(s);

		CHECK(n > 0);
		CHECK((unsigned char)s.ptr[0] >= ' ' && s.ptr[0] != 0x7f);
		CHECK(n != 2 || (unsigned char)s.ptr[0] != 0xc2 ||
			(unsigned char)s.ptr[1] >= 0xa0);
		CHECK(n != 3 || !turns_line(s));
		s = slice_cut(s, n, s.len - n);
	}
}

static void check_heard(const struct heard *h)
{
	CHECK(h->n <= HEARD_MAX && h->n_tls <= HEARD_TLS_MAX);
	for (uint32_t i = 0; i < h->n; i++) {
		const struct heard_words *w = &h->v[i];

		CHECK(w->count > 0 && w->status >= 400 && w->status <= 999);
		check_shown(w->text);
		CHECK(heard_at(h, &w->at) == NULL ||
			diag_end_eq(&heard_at(h, &w->at)->at, &w->at));
	}
}

static void take(struct heard *h, struct slice packet)
{
	char *copy = fuzz_prefix(packet, packet.len);
	struct tap_piece p;

	if (tap_parse((struct slice){ copy, packet.len }, &p)) {
		CHECK(p.bytes.len > 0 && p.bytes.ptr >= copy);
		CHECK(p.bytes.ptr + p.bytes.len <= copy + packet.len);
		heard_piece(h, &p);
	}
	mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	struct heard *h = mem_zalloc(sizeof(*h));

	while (in.len >= 2) {
		size_t len = (size_t)((uint8_t)in.ptr[0] << 8 | (uint8_t)in.ptr[1]);
		struct slice packet = slice_cut(in, 2, len);

		take(h, packet);
		in = slice_cut(in, 2 + packet.len, in.len);
	}
	check_heard(h);
	mem_free(h);
	return 0;
}
