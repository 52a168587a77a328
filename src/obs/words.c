#include "obs/words.h"
#include "obs/fold.h"

#define ENTRIES 64

struct words {
	uint32_t len;
	bool sorted; /* `ranks` is in order of frequency */
	uint64_t dropped;
	uint8_t ranks[ENTRIES]; /* row numbers */
	struct words_entry rows[ENTRIES];
};

struct words *words_new(void)
{
	return mem_zalloc(sizeof(struct words));
}

void words_free(struct words **w)
{
	mem_free(*w);
	*w = NULL;
}

/* What makes an entry. */
struct key {
	enum err kind;
	uint16_t status;
	bool coded;
	/* Two codings of one text need not be the same bytes: nothing of them counts. */
	struct slice text, folded;
	uint64_t signature;
};

/* Into `buf`, of WORDS_TEXT_BYTES. */
static struct slice folded(struct slice text, char *buf)
{
	return (struct slice){ buf, fold(text, buf) };
}

/* FNV-1a over kind, status and the folded text: looked at before the texts are compared. */
static uint64_t signature_of(const struct key *k)
{
	const uint64_t prime = 0x100000001b3ULL;
	uint64_t h = slice_hash(k->folded);

	h = (h ^ (uint64_t)k->kind) * prime;
	h = (h ^ k->status) * prime;
	h = (h ^ k->coded) * prime;
	return h;
}

static struct slice entry_text(const struct words_entry *e)
{
	return (struct slice){ e->text, e->text_len };
}

static bool is_of(const struct words_entry *e, const struct key *k)
{
	char buf[WORDS_TEXT_BYTES];
	return e->signature == k->signature && e->kind == k->kind &&
	       e->status == k->status && e->coded == k->coded &&
	       (k->coded || slice_eq(entry_text(e), k->text) ||
		       slice_eq(folded(entry_text(e), buf), k->folded));
}

static struct words_entry *find_entry(struct words *w, const struct key *k)
{
	for (uint32_t i = 0; i < w->len; i++)
		if (is_of(&w->rows[i], k))
			return &w->rows[i];
	return NULL;
}

/* Who leaves when the ledger is full: the rarest; of several the one silent for longest. */
static struct words_entry *evict(struct words *w)
{
	struct words_entry *worst = &w->rows[0];
	for (uint32_t i = 1; i < w->len; i++) {
		struct words_entry *e = &w->rows[i];
		if (e->count < worst->count ||
			(e->count == worst->count && e->last < worst->last))
			worst = e;
	}
	w->dropped += worst->count;
	return worst;
}

/* That of the key; a new one begins at `now`, with a count of 0 and no sample. */
static struct words_entry *take_entry(struct words *w, struct key *k, ns_t now)
{
	char buf[WORDS_TEXT_BYTES];
	k->folded = k->coded ? SLICE_NONE : folded(k->text, buf);
	k->signature = signature_of(k);
	struct words_entry *e = find_entry(w, k);

	w->sorted = false;
	if (e)
		return e;
	e = w->len < ENTRIES ? &w->rows[w->len++] : evict(w);
	*e = (struct words_entry){ .signature = k->signature,
		.kind = k->kind,
		.status = k->status,
		.coded = k->coded,
		.first = now,
		.last = now,
		.text_len = (uint16_t)k->text.len };
	if (k->text.len)
		memcpy(e->text, k->text.ptr, k->text.len);
	return e;
}

struct words_sample *words_add(struct words *w, enum err kind, uint16_t status,
	struct slice text, uint32_t marks, ns_t now)
{
	struct key k = { .kind = kind,
		.status = status,
		.coded = (marks & WORDS_CODED) != 0,
		.text = slice_cut(text, 0, WORDS_TEXT_BYTES) };
	struct words_entry *e = take_entry(w, &k, now);
	e->last = now;
	e->refusal |= (marks & WORDS_REFUSAL) != 0;
	return e->count++ == 0 ? &e->sample : NULL;
}

static void count_more(struct words_entry *e, const struct words_many *many)
{
	e->count += many->count;
	e->first = ns_min(e->first, many->first);
	e->last = ns_max(e->last, many->last);
	e->refusal |= (many->marks & WORDS_REFUSAL) != 0;
}

void words_add_many(struct words *w, const struct words_many *many)
{
	struct key k = { .kind = many->kind,
		.status = many->status,
		.coded = (many->marks & WORDS_CODED) != 0,
		.text = slice_cut(many->text, 0, WORDS_TEXT_BYTES) };
	count_more(take_entry(w, &k, many->first), many);
}

void words_add_dropped(struct words *w, uint64_t n)
{
	w->dropped += n;
}

void words_merge(struct words *w, const struct words *from)
{
	for (uint32_t i = 0; i < from->len; i++) {
		const struct words_entry *f = &from->rows[i];
		struct key k = { .kind = f->kind,
			.status = f->status,
			.coded = f->coded,
			.text = entry_text(f) };
		struct words_entry *e = take_entry(w, &k, f->first);
		if (!e->sample.method[0] || f->first < e->first)
			e->sample = f->sample;
		count_more(e, &(struct words_many){ .count = f->count,
				      .first = f->first,
				      .last = f->last,
				      .marks = f->refusal ? WORDS_REFUSAL : 0 });
	}
	w->dropped += from->dropped;
}

/* Most frequent first; of equals the one seen first. */
static bool ranks_before(const struct words_entry *a, const struct words_entry *b)
{
	return a->count != b->count ? a->count > b->count : a->first < b->first;
}

static void sort_ranks(struct words *w)
{
	for (uint32_t i = 0; i < w->len; i++) {
		uint32_t at = i;
		while (at > 0 && ranks_before(&w->rows[i], &w->rows[w->ranks[at - 1]])) {
			w->ranks[at] = w->ranks[at - 1];
			at--;
		}
		w->ranks[at] = (uint8_t)i;
	}
	w->sorted = true;
}

const struct words_entry *words_nth(struct words *w, uint32_t n)
{
	if (n >= w->len)
		return NULL;
	if (!w->sorted)
		sort_ranks(w);
	return &w->rows[w->ranks[n]];
}

uint64_t words_dropped(const struct words *w)
{
	return w->dropped;
}

/* "Name: value\n" each: an array, for a name may be there twice. */
static void fields_json(struct json *j, const char *key, const char *fields)
{
	struct slice rest = slice_of(fields);
	json_array(j, key);
	while (rest.len) {
		size_t end = slice_find(rest, '\n');
		json_str(j, NULL, slice_cut(rest, 0, end));
		rest = slice_cut(rest, end + 1, SIZE_MAX);
	}
	json_end(j);
}

static void known_json(struct json *j, const char *key, const char *text)
{
	json_cstr(j, key, text[0] ? text : NULL);
}

static void sample_json(struct json *j, const struct words_sample *s)
{
	json_object(j, "sample");
	json_cstr(j, "method", s->method);
	json_cstr(j, "target", s->target);
	known_json(j, "id", s->id);
	known_json(j, "upstream", s->upstream);
	known_json(j, "endpoint", s->endpoint);
	fields_json(j, "request_fields", s->request);
	fields_json(j, "response_fields", s->response);
	json_end(j);
}

/* UTF-8; the last sequence may be cut by our bound. */
static bool is_utf8(const struct words_entry *e)
{
	struct slice rest = entry_text(e);
	while (rest.len) {
		size_t n = slice_utf8_len(rest);
		if (!n)
			return rest.len < 4 && e->text_len == WORDS_TEXT_BYTES;
		rest = slice_cut(rest, n, SIZE_MAX);
	}
	return true;
}

/* As text, where that is what it is; what a string of JSON cannot tell is there as bytes. */
static void text_json(struct json *j, const struct words_entry *e)
{
	if (e->text_len && !e->coded)
		json_str(j, "text", entry_text(e));
	else
		json_null(j, "text");
	if (e->coded ? e->text_len > 0 : !is_utf8(e))
		json_base64(j, "base64", entry_text(e));
}

static void entry_json(struct json *j, const struct words_entry *e, ns_t start)
{
	json_cstr(j, "kind", e->kind == ERR_OK ? "status" : err_label(e->kind));
	if (e->status)
		json_int(j, "status", e->status);
	else
		json_null(j, "status");
	json_int(j, "count", (int64_t)e->count);
	json_ms(j, "first_ms", e->first - start);
	json_ms(j, "last_ms", e->last - start);
	text_json(j, e);
	json_bool(j, "refusal", e->refusal);
	if (e->sample.method[0])
		sample_json(j, &e->sample);
}

void words_json(struct json *j, const char *key, struct words *w, ns_t start)
{
	const struct words_entry *e;

	json_array(j, key);
	for (uint32_t n = 0; (e = words_nth(w, n)); n++) {
		json_object(j, NULL);
		entry_json(j, e, start);
		json_end(j);
	}
	json_end(j);
}
