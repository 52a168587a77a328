/*
 * An error answer that is kept back while its call is sent again, or until it is known to be a
 * refusal for want of slots, whose call goes back to the queue. The client gets it, if there
 * will be no other: with the status, fields and body it came with.
 *
 * What is held is small: answers whose Content-Length is up to HELD_BODY_BYTES, and that with
 * their fields fit into one buffer, as error answers of servers and proxies do. Any other is
 * passed on at once, and its call is not sent again.
 */
#include "proxy/forward.h"

#define HELD_BODY_BYTES 12288 /* sconn_answer's bound */
/* Fields and body: beside what else a head has they fit into the client's buffer, should its
 * socket take nothing. */
#define HELD_BYTES (WORKER_BUF_BYTES - 1024)
#define HELD_FIELDS_BYTES 8192
#define HELD_EXPLAINED_BYTES 512 /* what is added at the end */
#define HELD_REASON_BYTES 128    /* of a longer one the rest is left out */

struct held {
	uint16_t status;
	uint16_t fields_len, body_len, reason_len;
	char reason[HELD_REASON_BYTES];
	char fields[HELD_FIELDS_BYTES + HELD_EXPLAINED_BYTES];
	char body[HELD_BODY_BYTES];
};

/* Known before it comes; else more than may be held. */
static uint64_t body_len(const struct h1_head *head)
{
	if (head->body == H1_BODY_NONE)
		return 0;
	return head->body == H1_BODY_LENGTH ? head->content_length : UINT64_MAX;
}

static bool may_hold(struct forward *f, const struct h1_head *head)
{
	bool small = body_len(head) <= HELD_BODY_BYTES;
	bool whole = sconn_body_done(f->client) || !f->head_sent;
	return small && f->call.method != H1_HEAD && whole &&
	       call_may_go_again(&f->call, f->x.route->upstream);
}

bool forward_hold_back(struct forward *f, const struct h1_head *head)
{
	struct wire w;
	if (LIKELY(!may_hold(f, head)))
		return false;
	struct held *h = mem_alloc(sizeof(*h));
	wire_init(&w, h->fields, HELD_FIELDS_BYTES);
	proxy_put_answer_fields(&w, f->x.route, head);
	if (w.over || w.len + body_len(head) > HELD_BYTES) {
		mem_free(h);
		return false;
	}
	h->status = head->status;
	const struct slice reason = slice_cut(head->reason, 0, sizeof(h->reason));
	h->reason_len = (uint16_t)reason.len;
	if (reason.len)
		memcpy(h->reason, reason.ptr, reason.len);
	h->fields_len = (uint16_t)w.len;
	h->body_len = 0;
	f->held_back = h;
	return true;
}

void forward_hold_more(struct forward *f, struct slice data)
{
	struct held *h = f->held_back;
	CHECK(h->body_len + data.len <= sizeof(h->body));
	memcpy(h->body + h->body_len, data.ptr, data.len);
	h->body_len = (uint16_t)(h->body_len + data.len);
}

/* What an answer has that is passed on at once. */
static void put_explained(struct forward *f, struct held *h)
{
	struct wire w;
	if (!f->x.route->server_timing)
		return;
	wire_init(&w, h->fields + h->fields_len, sizeof(h->fields) - h->fields_len);
	explain_put_fields(&w, f->proxy, &f->x);
	CHECK(!w.over);
	h->fields_len = (uint16_t)(h->fields_len + w.len);
}

void forward_give_held(struct forward *f)
{
	struct held *h = f->held_back;
	put_explained(f, h);
	const struct answer a = { .status = h->status,
		.reason = { h->reason, h->reason_len },
		.fields = { h->fields, h->fields_len },
		.dated = true,
		.body = { h->body, h->body_len } };
	f->answering = f->finished = true;
	f->x.status = h->status;
	f->x.bytes_out = h->body_len;
	proxy_count_answer(f->proxy, h->status);
	sconn_answer(f->client, &a);
	forward_drop_held(f);
}

void forward_drop_held(struct forward *f)
{
	mem_free(f->held_back);
	f->held_back = NULL;
}
