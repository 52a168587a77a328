#include "watch/heard.h"

#include "base/ascii.h"
#include "flow/refusal.h"
#include "obs/fold.h"
#include "obs/mask.h"

/* Counting. */

/* NULL: there is none. */
static struct heard_words *room(struct heard *h)
{
	struct heard_words *least = NULL;

	if (h->n < HEARD_MAX)
		return &h->v[h->n++];
	for (uint32_t i = 0; i < HEARD_MAX; i++) {
		struct heard_words *w = &h->v[i];

		if (!w->refusal &&
			(!least || w->count < least->count ||
				(w->count == least->count && w->last < least->last)))
			least = w;
	}
	if (least)
		h->dropped += least->count;
	return least;
}

static void add(
	struct heard *h, const struct diag_end *at, uint16_t status, const char *text)
{
	char folded[HEARD_TEXT];
	struct slice words = slice_of(text);
	struct heard_words *w;
	uint64_t hash;

	h->said++;
	hash = slice_hash((struct slice){ folded, fold(words, folded) });
	for (uint32_t i = 0; i < h->n; i++) {
		w = &h->v[i];
		if (w->status == status && w->folded == hash && diag_end_eq(&w->at, at)) {
			w->count++;
			w->last = h->said;
			return;
		}
	}
	w = room(h);
	if (!w) {
		h->dropped++;
		return;
	}
	*w = (struct heard_words){
		.at = *at,
		.status = status,
		.folded = hash,
		.refusal = refusal_match(status, words),
		.count = 1,
		.last = h->said,
	};
	snprintf(w->text, HEARD_TEXT, "%s", text);
}

static void said(struct heard *h, const struct diag_end *at, uint16_t status,
	struct slice body, struct slice reason)
{
	char text[HEARD_TEXT], masked[2 * HEARD_TEXT];
	struct wire w;

	text_tidy(body.len ? body : reason, text, sizeof(text));
	wire_init(&w, masked, sizeof(masked));
	mask_text(&w, slice_of(text));
	text_tidy((struct slice){ masked, w.len }, text, sizeof(text));
	add(h, at, status, text);
}

/* Reading. */

/* What it begins with; `most`: as much, or more. */
static size_t hex_of(struct slice s, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len && n < most; i++) {
		int digit = ascii_hex(s.ptr[i]);

		if (digit < 0)
			break;
		n = n * 16 + (size_t)digit;
	}
	return n < most ? n : most;
}

/* Chunks put together, as many as there are (RFC 9112 7.1). */
static size_t unchunk(struct slice in, char *out, size_t cap)
{
	size_t len = 0;

	while (in.len) {
		size_t line = slice_find(in, '\n');
		size_t size = hex_of(in, in.len);
		struct slice data = slice_cut(in, line + 1, size);

		if (line == in.len || !size)
			break;
		data.len = data.len < cap - len ? data.len : cap - len;
		memcpy(out + len, data.ptr, data.len);
		len += data.len;
		in = slice_cut(in, line + 1 + size + 2, in.len);
	}
	return len;
}

/* The body in what follows the status line, put together in `buf`, of HEARD_TEXT; *ended: the
 * fields do. Of a coded one, nothing. */
static struct slice body_of(struct slice rest, char *buf, bool *ended)
{
	const char *end = rest.len ? memmem(rest.ptr, rest.len, "\r\n\r\n", 4) : NULL;
	bool chunked = false;

	*ended = end || slice_starts(rest, SLICE("\r\n"));
	if (!end)
		return *ended ? slice_cut(rest, 2, rest.len) : SLICE_NONE;
	while (rest.ptr < end) {
		size_t len = slice_find(rest, '\n');
		struct slice line = slice_cut(rest, 0, len), name, value;
		size_t colon = slice_find(line, ':');

		name = slice_cut(line, 0, colon);
		value = slice_trim(slice_cut(line, colon + 1, line.len));
		if (slice_eq_nocase(name, SLICE("content-encoding")))
			return SLICE_NONE;
		chunked = chunked || (slice_eq_nocase(name, SLICE("transfer-encoding")) &&
					     slice_starts(value, SLICE("chunked")));
		rest = slice_cut(rest, len + 1, rest.len);
	}
	rest = slice_cut(rest, 2, rest.len); /* the empty line */
	return chunked ? (struct slice){ buf, unchunk(rest, buf, HEARD_TEXT) } : rest;
}

/* Its other half did not come. */
static void half_alone(struct heard *h, struct heard_half *half)
{
	if (half->from.port)
		said(h, &half->from, half->status, SLICE_NONE, slice_of(half->reason));
	half->from.port = 0;
}

void heard_settle(struct heard *h, bool all)
{
	for (uint32_t i = 0; i < HEARD_HALVES; i++) {
		if (all || h->halves[i].ripe)
			half_alone(h, &h->halves[i]);
		h->halves[i].ripe = true;
	}
}

static void keep_half(
	struct heard *h, const struct tap_piece *p, uint16_t status, struct slice reason)
{
	struct heard_half *half = &h->halves[h->next_half];

	h->next_half = (h->next_half + 1) % HEARD_HALVES;
	half_alone(h, half);
	*half = (struct heard_half){ .from = p->from, .to = p->to, .status = status };
	text_tidy(reason, half->reason, sizeof(half->reason));
}

static void other_half(struct heard *h, const struct tap_piece *p)
{
	for (uint32_t i = 0; i < HEARD_HALVES; i++) {
		struct heard_half *half = &h->halves[i];
		char buf[HEARD_TEXT];
		bool ended;

		if (!half->from.port || !diag_end_eq(&half->from, &p->from) ||
			!diag_end_eq(&half->to, &p->to))
			continue;
		said(h, &p->from, half->status, body_of(p->bytes, buf, &ended),
			slice_of(half->reason));
		half->from.port = 0;
		return;
	}
}

/* "HTTP/1.1 503 Service Unavailable" */
static void answer(struct heard *h, const struct tap_piece *p)
{
	const char *s = p->bytes.ptr;
	size_t line = slice_find(p->bytes, '\n');
	struct slice reason, rest, body;
	char buf[HEARD_TEXT];
	uint16_t status;
	bool ended;

	if (p->bytes.len < 13 || s[8] != ' ' || !ascii_is_digit(s[9]) ||
		!ascii_is_digit(s[10]) || !ascii_is_digit(s[11]))
		return;
	status = (uint16_t)((s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0'));
	if (status < 400)
		return;
	reason = slice_cut(p->bytes, 12, line > 12 ? line - 12 : 0);
	rest = slice_cut(p->bytes, line + 1, p->bytes.len);
	body = body_of(rest, buf, &ended);
	if (ended)
		said(h, &p->from, status, body, reason);
	else
		keep_half(h, p, status, reason);
}

static void hello(struct heard *h, const struct diag_end *to)
{
	if (!heard_tls(h, to) && h->n_tls < HEARD_TLS_MAX)
		h->tls[h->n_tls++] = *to;
}

void heard_piece(struct heard *h, const struct tap_piece *p)
{
	if (slice_starts(p->bytes, SLICE("HTTP/1.")))
		answer(h, p);
	else if (p->bytes.len > 5 && p->bytes.ptr[0] == 0x16)
		hello(h, &p->to);
	else
		other_half(h, p);
}

/* Telling. */

static int most_first(const void *a, const void *b)
{
	const struct heard_words *x = *(const struct heard_words *const *)a;
	const struct heard_words *y = *(const struct heard_words *const *)b;

	if (!x->refusal != !y->refusal)
		return x->refusal ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x < y ? -1 : 1;
}

uint32_t heard_sorted(const struct heard *h, const struct heard_words *v[HEARD_MAX])
{
	for (uint32_t i = 0; i < h->n; i++)
		v[i] = &h->v[i];
	if (h->n)
		qsort(v, h->n, sizeof(*v), most_first);
	return h->n;
}

const struct heard_words *heard_at(const struct heard *h, const struct diag_end *at)
{
	const struct heard_words *v[HEARD_MAX];
	uint32_t n = heard_sorted(h, v);

	for (uint32_t i = 0; i < n; i++) {
		if (diag_end_eq(&v[i]->at, at) &&
			(v[i]->refusal || v[i]->status == 429 || v[i]->status >= 500))
			return v[i];
	}
	return NULL;
}

bool heard_tls(const struct heard *h, const struct diag_end *at)
{
	for (uint32_t i = 0; i < h->n_tls; i++) {
		if (diag_end_eq(&h->tls[i], at))
			return true;
	}
	return false;
}
