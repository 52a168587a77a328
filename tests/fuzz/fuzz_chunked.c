/* Any bytes as a chunked body: the same payload and verdict at every cut and byte by byte,
 * also when payload is given back; a second decoder agrees; written anew it decodes to the
 * same. */
#include "fuzz.h"
#include "proto/h1.h"
#include "strict.h"

#define EVERY_CUT_BELOW 160
#define CUTS 8

struct run {
	struct h1_decoder d;
	enum h1_result r;
	size_t used, payload;
	uint64_t hash; /* of the payload so far */
	char *copy;    /* if not NULL, where the payload goes */
};

static struct run begin(char *copy)
{
	struct run run = { .r = H1_PARTIAL, .copy = copy };
	h1_decoder_init(&run.d, H1_BODY_CHUNKED, 0);
	return run;
}

static void take(struct run *run, struct slice data)
{
	for (size_t i = 0; i < data.len; i++) {
		if (run->copy)
			run->copy[run->payload] = data.ptr[i];
		run->hash = (run->hash ^ (uint8_t)data.ptr[i]) * 0x100000001b3;
		run->payload++;
	}
}

/* At most `most` bytes of payload are taken at a time. */
static void feed(struct run *run, struct slice bytes, size_t most)
{
	char *block = fuzz_prefix(bytes, bytes.len);
	struct slice in = { block, bytes.len };
	size_t used = 1;
	while (run->r == H1_PARTIAL && used) {
		struct slice data;
		run->r = h1_decode(&run->d, in, &used, &data);
		CHECK(used <= in.len && data.len <= used);
		CHECK(data.len == 0 || data.ptr + data.len == in.ptr + used);
		CHECK(run->d.done == (run->r == H1_DONE));
		const size_t back = data.len > most ? data.len - most : 0;
		h1_decoder_untake(&run->d, back);
		used -= back;
		take(run, slice_cut(data, 0, data.len - back));
		run->used += used;
		in = slice_cut(in, used, in.len);
	}
	CHECK(run->r != H1_PARTIAL || in.len == 0);
	mem_free(block);
}

static void check_same(const struct run *a, const struct run *b)
{
	CHECK(a->r == b->r && a->payload == b->payload && a->hash == b->hash);
	CHECK(a->r == H1_BAD || a->used == b->used);
}

static void check_cut(struct slice in, size_t cut, size_t most, const struct run *whole)
{
	struct run run = begin(NULL);
	feed(&run, slice_cut(in, 0, cut), most);
	feed(&run, slice_cut(in, cut, in.len), most);
	check_same(&run, whole);
}

static void check_cuts(struct slice in, const struct run *whole)
{
	uint64_t h = fuzz_hash(in);
	if (in.len < EVERY_CUT_BELOW) {
		for (size_t cut = 0; cut <= in.len; cut++)
			check_cut(in, cut, 1 + cut % 3, whole);
		return;
	}
	for (int i = 0; i < CUTS; i++, h = h * 6364136223846793005 + 1)
		check_cut(in, (size_t)(h >> 20) % in.len, SIZE_MAX, whole);
}

static void check_bytes(struct slice in, const struct run *whole)
{
	struct run run = begin(NULL);
	for (size_t i = 0; i < in.len; i++)
		feed(&run, slice_cut(in, i, 1), 1);
	check_same(&run, whole);
}

/* As a forwarder writes it: a chunk for each piece of at most `piece` bytes. */
static void check_written(const char *payload, size_t len, size_t piece)
{
	const size_t cap = len * 8 + 64;
	char *buf = mem_alloc(cap), *back = mem_alloc(len + 64);
	struct wire w;
	size_t n, back_len;
	wire_init(&w, buf, cap);
	for (size_t at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		h1_put_chunk_size(&w, n);
		wire_put(&w, payload + at, n);
		WIRE_LIT(&w, "\r\n");
	}
	WIRE_LIT(&w, H1_LAST_CHUNK);
	CHECK(!w.over);
	char *out = mem_alloc(w.len);
	CHECK(strict_chunked(w.ptr, w.len, out, &back_len) == w.len);
	CHECK(back_len == len && memcmp(out, payload, len) == 0);
	struct run run = begin(back);
	feed(&run, (struct slice){ w.ptr, w.len }, SIZE_MAX);
	CHECK(run.r == H1_DONE && run.payload == len && memcmp(back, payload, len) == 0);
	mem_free(out);
	mem_free(back);
	mem_free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	char *payload = mem_zalloc(size + 1), *out = mem_alloc(size + 1);
	struct run whole = begin(payload);
	size_t out_len;
	feed(&whole, in, SIZE_MAX);
	check_cuts(in, &whole);
	check_bytes(in, &whole);
	if (whole.r == H1_DONE) {
		CHECK(strict_chunked(in.ptr, in.len, out, &out_len) == whole.used);
		CHECK(out_len == whole.payload && memcmp(out, payload, out_len) == 0);
		check_written(payload, whole.payload, (size_t)(fuzz_hash(in) % 7) + 1);
	}
	mem_free(out);
	mem_free(payload);
	return 0;
}
