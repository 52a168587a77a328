/* Every head of the corpus: what the parser says of it, and that it says the same however
 * the bytes come. */
#include "tests/unit/base/unit.h"
#include "outcome.h"
#include "samples.h"

static const char *corpus;

/* What is parsed, and how. */
struct subject {
	const struct sample *sample;
	bool response;
	enum h1_method asked;
	struct h1_limits limits;
	struct guard *guard;
	int faults;
};

static void fault(struct subject *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fault(struct subject *s, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fprintf(stderr, "%s: ", s->sample->name);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	s->faults++;
}

/* Looks at the first `len` bytes, which end at the forbidden page. */
static void look(struct subject *s, struct h1_scan *scan, size_t len, struct outcome *o)
{
	struct slice in = guard_put(
		s->guard, (struct slice){ s->sample->bytes.ptr, len });
	if (s->response)
		outcome_of_response(o, scan, in, &s->limits, s->asked);
	else
		outcome_of_request(o, scan, in, &s->limits);
}

static void look_fresh(struct subject *s, size_t len, struct outcome *o)
{
	struct h1_scan scan = { 0 };
	look(s, &scan, len, o);
}

/* ---- what the INDEX says ---- */

static const char *body_word(const struct h1_head *head, struct text *out)
{
	static const char *const words[] = { "none", "length", "chunked", "close",
		"tunnel" };
	text_reset(out);
	text_add(out, words[head->body]);
	if (head->body == H1_BODY_LENGTH)
		text_addf(out, ":%llu", (unsigned long long)head->content_length);
	return out->ptr;
}

static void expect_slice(struct subject *s, const char *key, struct slice is)
{
	struct text want = { 0 };
	if (sample_key(s->sample, key, &want) && !slice_eq(is, text_slice(&want)))
		fault(s, "%s is '%.*s', not '%s'", key, SLICE_ARG(is), want.ptr);
	text_fini(&want);
}

static void expect_number(struct subject *s, const char *key, uint64_t is)
{
	uint64_t want = sample_number(s->sample, key, is);
	if (want != is)
		fault(s, "%s is %llu, not %llu", key, (unsigned long long)is,
			(unsigned long long)want);
}

static void expect_fields(struct subject *s, const struct h1_head *head)
{
	struct text want = { 0 }, is = { 0 };
	if (sample_key(s->sample, "hop", &want)) {
		for (size_t i = 0; i < head->field_count; i++) {
			if (!head->fields[i].hop)
				continue;
			if (is.len)
				text_add(&is, ",");
			text_add_slice(&is, head->fields[i].name);
		}
		if (!slice_eq(text_slice(&want), text_slice(&is)))
			fault(s, "hop-by-hop are %s, not %s", is.ptr, want.ptr);
	}
	if (sample_key(s->sample, "field", &want)) {
		struct slice w = text_slice(&want);
		size_t colon = slice_find(w, ':');
		const struct h1_field *f = h1_field_named(head, slice_cut(w, 0, colon));
		if (!f || !slice_eq(f->value, slice_cut(w, colon + 1, w.len)))
			fault(s, "no field %s", want.ptr);
	}
	text_fini(&want);
	text_fini(&is);
}

static void expect_head(struct subject *s, const struct outcome *o)
{
	static const char *const forms[] = { "origin", "absolute", "authority",
		"asterisk" };
	const struct h1_head *h = &o->head;
	struct text body = { 0 };
	expect_number(s, "status", h->status);
	expect_slice(s, "reason", h->reason);
	expect_slice(s, "method", h->method_text);
	expect_slice(s, "target", h->target);
	expect_slice(s, "path", h->path);
	expect_slice(s, "authority", h->authority);
	expect_slice(s, "form", slice_of(forms[h->form]));
	expect_slice(s, "body", slice_of(body_word(h, &body)));
	expect_number(s, "minor", h->minor);
	expect_number(s, "keep", h->keep_alive);
	expect_number(s, "upgrade", h->upgrade);
	expect_number(s, "expect", h->expect_continue);
	expect_number(s, "fields", h->field_count);
	expect_number(s, "length", h->content_length);
	expect_fields(s, h);
	if (!s->response && (h->status || h->reason.len))
		fault(s, "a request has a status");
	if (s->response && (h->method != H1_OTHER || h->method_text.len ||
				   h->target.len || h->path.len || h->authority.len))
		fault(s, "an answer has a method or a target");
	uint64_t used = sample_number(s->sample, "used", s->sample->bytes.len);
	if (used != o->used)
		fault(s, "used %zu, not %llu", o->used, (unsigned long long)used);
	text_fini(&body);
}

static void expect_verdict(struct subject *s, const struct outcome *o)
{
	const char *is = o->r == H1_DONE      ? "ok"
			 : o->r == H1_PARTIAL ? "partial"
					      : err_label(o->why);
	if (strcmp(is, s->sample->verdict) != 0)
		fault(s, "is %s, not %s", is, s->sample->verdict);
	else if (o->r == H1_DONE)
		expect_head(s, o);
}

/* ---- however the bytes come ---- */

/* A prefix may leave it open, or say what the whole says. */
static void check_prefix(struct subject *s, size_t len, const struct outcome *o,
	const struct outcome *whole)
{
	if (o->r != H1_PARTIAL && !outcome_same(o, whole))
		fault(s, "its first %zu bytes are judged %d (%s), all are judged %d (%s)",
			len, (int)o->r, err_label(o->why), (int)whole->r,
			err_label(whole->why));
}

static void check_two_parts(struct subject *s, const struct outcome *whole)
{
	static struct outcome part;
	const size_t len = s->sample->bytes.len;
	for (size_t cut = 0; cut <= len; cut++) {
		struct h1_scan scan = { 0 };
		look(s, &scan, cut, &part);
		check_prefix(s, cut, &part, whole);
		if (part.r != H1_PARTIAL)
			continue;
		look(s, &scan, len, &part);
		if (!outcome_same(&part, whole))
			fault(s, "differs when cut at %zu", cut);
	}
}

/* Byte by byte; returns the length at which the verdict fell. */
static size_t check_byte_by_byte(struct subject *s, const struct outcome *whole)
{
	static struct outcome part, fresh;
	struct h1_scan scan = { 0 };
	size_t len = 0;
	do {
		look(s, &scan, len, &part);
		look_fresh(s, len, &fresh);
		if (!outcome_same(&part, &fresh))
			fault(s, "byte by byte differs from at once at %zu", len);
	} while (part.r == H1_PARTIAL && len++ < s->sample->bytes.len);
	if (!outcome_same(&part, whole))
		fault(s, "byte by byte differs from the whole");
	return len;
}

static void check_sample(struct subject *s)
{
	static struct outcome whole;
	look_fresh(s, s->sample->bytes.len, &whole);
	expect_verdict(s, &whole);
	check_two_parts(s, &whole);
	size_t at = check_byte_by_byte(s, &whole);
	/* A good head is known good exactly at its last byte. */
	if (whole.r == H1_DONE && at != whole.used)
		fault(s, "was done at %zu, used %zu", at, whole.used);
}

static enum h1_method asked_by(const struct sample *sample)
{
	struct text value = { 0 };
	enum h1_method m = sample_key(sample, "asked", &value)
				   ? h1_method_of(text_slice(&value))
				   : H1_GET;
	text_fini(&value);
	return m;
}

static void check_kind(const char *kind, bool response)
{
	struct samples all;
	struct guard guard;
	int faults = 0;
	samples_load(&all, corpus, kind);
	guard_init(&guard, 65536);
	for (size_t i = 0; i < all.count; i++) {
		struct subject s = {
			.sample = &all.v[i],
			.response = response,
			.asked = asked_by(&all.v[i]),
			.limits = { sample_limit(&all.v[i], "head"),
				sample_limit(&all.v[i], "target"),
				(uint16_t)sample_limit(&all.v[i], "fields") },
			.guard = &guard,
		};
		check_sample(&s);
		faults += s.faults;
	}
	print_message("%zu samples\n", all.count);
	guard_fini(&guard);
	samples_fini(&all);
	assert_int_equal(faults, 0);
}

static void test_requests(void **state)
{
	(void)state;
	check_kind("request", false);
}

static void test_responses(void **state)
{
	(void)state;
	check_kind("response", true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests),
		TEST(test_responses),
	};
	CHECK(argc == 2);
	corpus = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
