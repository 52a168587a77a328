/* The server's own words, on their way into the ledger: with the exchange they came in, masked. */
#include "flow/refusal.h"
#include "obs/mask.h"
#include "proxy/proxy.h"

void capture_begin(struct capture *c, uint16_t status)
{
	c->status = status >= 400 ? status : 0;
	c->coded = false;
	c->len = 0;
	c->endpoint[0] = c->fields[0] = '\0';
}

void capture_add(struct capture *c, struct slice data)
{
	size_t room = sizeof(c->text) - c->len;
	size_t n = data.len < room ? data.len : room;
	if (!c->status || n == 0)
		return;
	memcpy(c->text + c->len, data.ptr, n);
	c->len = (uint16_t)(c->len + n);
}

void capture_detail(struct capture *c, struct slice detail)
{
	if (c->status)
		return; /* the server's own words are better */
	c->len = (uint16_t)(detail.len < sizeof(c->text) ? detail.len : sizeof(c->text));
	if (c->len)
		memcpy(c->text, detail.ptr, c->len);
}

/* One byte of `out` stays for the NUL. */
static struct wire wire_in(char *out, size_t cap)
{
	struct wire w;
	wire_init(&w, out, cap - 1);
	return w;
}

static void close_text(struct wire *w)
{
	w->ptr[w->len] = '\0';
}

static void put_text(char *out, size_t cap, struct slice s)
{
	struct wire w = wire_in(out, cap);
	wire_put_slice(&w, slice_cut(s, 0, cap - 1));
	close_text(&w);
}

static void put_fields(
	char *out, size_t cap, const struct h1_head *head, const struct proxy_options *o)
{
	struct wire w = wire_in(out, cap);
	for (uint16_t i = 0; i < head->field_count; i++) {
		const struct h1_field *f = &head->fields[i];
		mask_field(&w, f->name, f->value, o->ledger_query == LEDGER_KEEP);
	}
	close_text(&w);
}

bool capture_is_coded(const struct h1_head *head)
{
	const struct h1_field *coding = h1_field_named(head, SLICE("Content-Encoding"));
	return coding && !slice_eq_nocase(coding->value, SLICE("identity"));
}

void capture_head(struct capture *c, const struct call *call, const struct h1_head *head,
	const struct proxy_options *o)
{
	capture_begin(c, head->status);
	if (LIKELY(!c->status))
		return;
	c->coded = capture_is_coded(head);
	put_text(c->endpoint, sizeof(c->endpoint), call_endpoint(call));
	put_fields(c->fields, sizeof(c->fields), head, o);
}

static void fill_sample(struct words_sample *s, const struct route *r,
	const struct sconn *client, const struct capture *c)
{
	const struct h1_head *head = sconn_head(client);
	const struct h1_field *id = h1_field_find(head, H1_FIELD_X_REQUEST_ID);
	const struct proxy_options *o = r->plan->opt;
	struct wire w = wire_in(s->target, sizeof(s->target));
	mask_target(&w, head->target, o->ledger_query == LEDGER_KEEP);
	close_text(&w);
	put_text(s->method, sizeof(s->method), head->method_text);
	put_text(s->id, sizeof(s->id), id ? id->value : SLICE_NONE);
	put_text(s->upstream, sizeof(s->upstream), slice_of(r->name));
	put_fields(s->request, sizeof(s->request), head, o);
	if (!c->status)
		return;
	put_text(s->endpoint, sizeof(s->endpoint), slice_of(c->endpoint));
	put_text(s->response, sizeof(s->response), slice_of(c->fields));
}

void proxy_note(const struct route *r, const struct sconn *client, enum err why,
	const struct capture *c)
{
	struct proxy *p = r->plan->proxy;
	struct slice text = { c->text, c->len };
	struct words_sample *sample = NULL;
	if (c->status) {
		bool refusal = refusal_match(c->status, text) != NULL;
		if (refusal)
			upstream_note_refusal(r->upstream);
		uint32_t marks = (refusal ? WORDS_REFUSAL : 0U) |
				 (c->coded ? WORDS_CODED : 0U);
		sample = words_add(
			p->words, ERR_OK, c->status, text, marks, proxy_now(p));
	} else if (why != ERR_OK && err_fault(why) == FAULT_UPSTREAM) {
		sample = words_add(p->words, why, 0, text, 0, proxy_now(p));
	}
	if (sample)
		fill_sample(sample, r, client, c);
}
