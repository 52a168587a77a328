/* What an inbound reads into: buffers for heads, bulk buffers where payload is certain. */
#include "bed.h"
#include "http/message.h"

/* A connection that gives whatever is asked, of a text or x alone, and notes the largest and the
 * sum. */
struct tap {
	struct conn conn;
	const char *text; /* NULL: x */
	uint64_t have, largest, given;
};

static enum err tap_read(struct conn *c, void *buf, size_t cap, size_t *got)
{
	struct tap *t = CONTAINER_OF(c, struct tap, conn);
	size_t n = cap < t->have ? cap : t->have;
	*got = n;
	if (n == 0)
		return ERR_AGAIN;
	if (t->text)
		memcpy(buf, t->text + t->given, n);
	else
		memset(buf, 'x', n);
	t->have -= n;
	t->given += n;
	t->largest = n > t->largest ? n : t->largest;
	return ERR_OK;
}

static const struct conn_filter tap_filter = { .name = "tap", .read = tap_read };

struct scene {
	struct bed bed;
	struct tap tap;
	struct inbound in;
};

static void scene_init(struct scene *s, uint64_t have, enum h1_body body, uint64_t length)
{
	static const struct sim_cfg plain = { .seed = 1 };
	static const struct worker_cfg few = { .clients = 8, .servers = 8 };
	memset(s, 0, sizeof(*s));
	bed_init(&s->bed, &plain, &few);
	s->tap.conn.filter = &tap_filter;
	s->tap.conn.sock.loop = s->bed.near;
	s->tap.have = have;
	h1_decoder_init(&s->in.body, body, length);
}

static void scene_fini(struct scene *s)
{
	inbound_relax(&s->in, &s->bed.worker, true);
	assert_null(s->in.buf);
	s->tap.conn.sock.loop = NULL;
	bed_fini(&s->bed);
}

static enum err scene_fill(struct scene *s)
{
	return inbound_fill(&s->in, &s->bed.worker, &s->tap.conn);
}

/* Takes all that was read; the message may end before that. */
static uint64_t scene_eat(struct scene *s)
{
	struct slice data;
	uint64_t eaten = 0;
	while (inbound_next(&s->in, &data) != H1_BAD && data.len) {
		inbound_took(&s->in, data, data.len);
		eaten += data.len;
	}
	inbound_relax(&s->in, &s->bed.worker, false);
	return eaten;
}

/* A long body goes through bulk buffers, and not a byte behind it is read into one. */
static void test_bulk_ends_with_the_payload(void **state)
{
	(void)state;
	struct scene s;
	uint64_t length = 3 * WORKER_BULK_BYTES + WORKER_BUF_BYTES + 1, eaten = 0;
	scene_init(&s, length + 100, H1_BODY_LENGTH, length);
	while (eaten < length) {
		assert_int_equal(scene_fill(&s), ERR_OK);
		assert_true(s.tap.given <= length || !s.in.bulk);
		eaten += scene_eat(&s);
	}
	assert_int_equal(eaten, length);
	assert_int_equal(s.tap.largest, WORKER_BULK_BYTES);
	assert_int_equal(s.bed.worker.bulks.out, 0);
	scene_fini(&s);
}

/* What is not taken stays, and costs one buffer; nothing more is read into a full one. */
static void test_untaken_bulk(void **state)
{
	(void)state;
	struct scene s;
	struct slice data;
	uint64_t length = WORKER_BULK_BYTES + 1000;
	scene_init(&s, length, H1_BODY_LENGTH, length);
	assert_int_equal(scene_fill(&s), ERR_OK);
	assert_int_equal(inbound_next(&s.in, &data), H1_PARTIAL);
	assert_int_equal(data.len, WORKER_BULK_BYTES);
	inbound_took(&s.in, data, 0);
	assert_true(inbound_is_full(&s.in));
	assert_int_equal(scene_fill(&s), ERR_NO_MEMORY);
	assert_int_equal(inbound_next(&s.in, &data), H1_PARTIAL);
	inbound_took(&s.in, data, 10);
	assert_int_equal(
		scene_fill(&s), ERR_OK); /* 10 bytes of room, made by moving up */
	assert_int_equal(s.tap.given, WORKER_BULK_BYTES + 10);
	assert_int_equal(s.bed.worker.bulks.out, 1);
	assert_int_equal(s.bed.worker.bufs.out, 0);
	scene_fini(&s);
}

/* A body all of which is here but not taken: what follows it is not read into its bulk. */
static void test_untaken_end(void **state)
{
	(void)state;
	struct scene s;
	struct slice data;
	scene_init(&s, 30000 + 100, H1_BODY_LENGTH, 30000);
	assert_int_equal(scene_fill(&s), ERR_OK);
	assert_int_equal(s.tap.given, 30000);
	assert_int_equal(inbound_next(&s.in, &data), H1_PARTIAL);
	inbound_took(&s.in, data, 5);
	assert_int_equal(scene_fill(&s), ERR_NO_MEMORY);
	assert_int_equal(scene_eat(&s), 29995);
	scene_fini(&s);
}

/* Bulk buffers are few. Who gets none reads into an ordinary buffer. */
static void test_bulks_run_out(void **state)
{
	(void)state;
	struct scene s;
	void *taken[1024];
	size_t n = 0;
	scene_init(&s, WORKER_BULK_BYTES, H1_BODY_LENGTH, WORKER_BULK_BYTES);
	while (n < ARRAY_LEN(taken) && (taken[n] = slab_take_raw(&s.bed.worker.bulks)))
		n++;
	assert_true(n > 0 && n < ARRAY_LEN(taken));
	assert_int_equal(scene_fill(&s), ERR_OK);
	assert_int_equal(s.tap.given, WORKER_BUF_BYTES);
	while (n-- > 0)
		slab_give(&s.bed.worker.bulks, taken[n]);
	assert_int_equal(scene_eat(&s), WORKER_BUF_BYTES);
	assert_int_equal(scene_fill(&s), ERR_OK);
	assert_int_equal(s.tap.given, WORKER_BULK_BYTES);
	assert_int_equal(scene_eat(&s), WORKER_BULK_BYTES - WORKER_BUF_BYTES);
	scene_fini(&s);
}

/* Heads and short bodies never take one, unless the inbound is bulky. */
static void test_short_messages(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s, 100, H1_BODY_NONE, 0);
	assert_int_equal(scene_fill(&s), ERR_OK);
	assert_int_equal(s.bed.worker.bulks.out, 0);
	inbound_relax(&s.in, &s.bed.worker, true);
	h1_decoder_init(&s.in.body, H1_BODY_LENGTH, WORKER_BUF_BYTES);
	s.tap.have = 100;
	assert_int_equal(scene_fill(&s), ERR_OK);
	assert_int_equal(s.bed.worker.bulks.out, 0);
	inbound_relax(&s.in, &s.bed.worker, true);
	s.in.bulky = true;
	s.tap.have = 1000000;
	assert_int_equal(scene_fill(&s), ERR_OK);
	assert_int_equal(s.bed.worker.bulks.out, 1);
	assert_int_equal(s.tap.largest, WORKER_BULK_BYTES);
	scene_fini(&s);
}

#define CHUNKS "3\r\nabc\r\n2;x=y\r\nde\r\n4\r\nfghi\r\n0\r\nA: b\r\n\r\n"

static void scene_chunks(struct scene *s, const char *text, size_t have)
{
	scene_init(s, have, H1_BODY_CHUNKED, 0);
	s->tap.text = text;
	assert_int_equal(scene_fill(s), ERR_OK);
}

static void take_next(struct scene *s, struct text *got, size_t most)
{
	struct slice data;
	if (inbound_next(&s->in, &data) != H1_PARTIAL)
		return;
	const size_t n = data.len < most ? data.len : most;
	text_add_slice(got, slice_cut(data, 0, n));
	inbound_took(&s->in, data, n);
}

/* Wherever what has come ends, and however much of it is taken at once. */
static void test_chunks_are_joined(void **state)
{
	(void)state;
	struct scene s;
	const size_t all = strlen(CHUNKS);
	for (size_t first = 1; first <= all; first++) {
		for (size_t most = 1; most < 12; most++) {
			struct text got = { 0 };
			scene_chunks(&s, CHUNKS, first);
			for (int i = 0; i < 3; i++)
				take_next(&s, &got, most);
			s.tap.have = all - first;
			if (s.tap.have)
				assert_int_equal(scene_fill(&s), ERR_OK);
			for (int i = 0; i < 20 && !s.in.body.done; i++)
				take_next(&s, &got, most);
			assert_true(slice_eq(text_slice(&got), SLICE("abcdefghi")));
			assert_int_equal(s.in.start, s.in.end);
			text_fini(&got);
			scene_fini(&s);
		}
	}
}

/* One run of payload, though not of what is no chunk. */
static void test_join_ends(void **state)
{
	(void)state;
	struct scene s;
	struct slice data;
	scene_chunks(&s, CHUNKS, strlen(CHUNKS));
	assert_int_equal(inbound_next(&s.in, &data), H1_PARTIAL);
	assert_true(slice_eq(data, SLICE("abcdefghi")));
	inbound_took(&s.in, data, data.len);
	assert_int_equal(inbound_next(&s.in, &data), H1_DONE);
	scene_fini(&s);
	scene_chunks(&s, "3\r\nabc\r\n1\r\ndef", 14);
	assert_int_equal(inbound_next(&s.in, &data), H1_PARTIAL);
	assert_true(slice_eq(data, SLICE("abcd")));
	inbound_took(&s.in, data, data.len);
	assert_int_equal(inbound_next(&s.in, &data), H1_BAD);
	inbound_relax(&s.in, &s.bed.worker, true);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bulk_ends_with_the_payload),
		TEST(test_untaken_bulk),
		TEST(test_untaken_end),
		TEST(test_bulks_run_out),
		TEST(test_short_messages),
		TEST(test_chunks_are_joined),
		TEST(test_join_ends),
	};
	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
