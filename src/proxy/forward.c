/*
 * forward: one request in, one call out, streamed both ways with back-pressure.
 *
 * The client's side ends in sconn's on_end; the call's side in on_end of call, or in
 * call_abandon. The forward is freed when both are over.
 */
#include "proxy/forward.h"

void forward_end(struct forward *f)
{
	struct proxy *p = f->proxy;
	io_timer_stop(p->worker.loop, &f->timer);
	f->x.queued_for = access_queued_for(p, &f->call);
	f->x.attempts = call_attempts(&f->call);
	p->tunnels_now -= f->x.tunnel;
	exchange_end(p, &f->x, f->client);
	if (f->offer)
		mem_free(f->offer);
	text_fini(&f->kept);
	mem_free(f->held_back);
	slab_give(&p->forwards, f);
}

/* An answer that breaks before anything of it has gone out can still be said to be broken: else
 * the client would see a close without a word, and might ask again by itself. */
static void forward_take_back(struct forward *f)
{
	if (!sconn_take_back(f->client))
		return;
	f->answering = false;
	f->proxy->answers[f->x.status]--;
	f->x.status = 0;
	f->x.bytes_out = 0;
}

void forward_fail(struct forward *f, enum err why)
{
	struct proxy *p = f->proxy;
	struct sconn *client = f->client;
	io_timer_stop(p->worker.loop, &f->timer);
	call_abandon(&f->call, f->x.route->upstream);
	f->finished = true;
	if (f->answering)
		forward_take_back(f);
	if (!f->answering) {
		proxy_answer_detail(p, client, f->x.route, why, f->call.detail);
		return;
	}
	p->reasons[why]++;
	f->x.why = why;
	forward_end(f);
	sconn_abort(client);
}

/* --- the call --- */

/* With the rest of the body, which is still to come from the client. What is there already goes out
 * with what is written now. */
static void forward_go_on(struct forward *f)
{
	if (sconn_body_done(f->client)) {
		call_end(&f->call);
		return;
	}
	sconn_continue(f->client);
	sconn_body_pull(f->client);
}

static void on_call_ready(struct call *call)
{
	struct forward *f = call_forward(call);
	const struct h1_head *head = sconn_head(f->client);
	enum h1_body framing = (enum h1_body)head->body;
	if (!proxy_put_request(f->x.route, call, f->client, framing, head->content_length,
		    f->until)) {
		forward_fail(f, ERR_REQ_HEAD_LARGE);
		return;
	}
	f->head_sent = true;
	f->resent = 0;
	if (forward_resend(f))
		forward_go_on(f);
}

/* Content-Length of an answer that has no body of its own: to HEAD, and 304. */
static uint64_t head_length(const struct h1_head *head, enum h1_body *framing)
{
	struct slice value;
	uint64_t length = 0;
	const struct h1_field *field = h1_field_find(head, H1_FIELD_CONTENT_LENGTH);
	*framing = (enum h1_body)head->body;
	if (head->body == H1_BODY_LENGTH)
		return head->content_length;
	if (head->body != H1_BODY_NONE)
		return 0;
	*framing = field ? H1_BODY_LENGTH : H1_BODY_NONE;
	value = field ? field->value : SLICE_NONE;
	for (size_t i = 0; i < value.len; i++)
		length = length * 10 + (uint64_t)(value.ptr[i] - '0');
	return length;
}

static void forward_interim(struct forward *f, const struct h1_head *head)
{
	struct wire w;
	/* Who waits for 100 gets weir's own. RFC 9110 15.2: nobody else asked for this one. */
	bool ours = head->status == 100 && sconn_head(f->client)->expect_continue;
	if (ours || !sconn_begin(f->client, head->status, head->reason, &w))
		return;
	h1_put_fields(&w, head, 0);
	way_put_answer(&w, &f->x.route->plan->way, head);
	sconn_interim(f->client, &w);
}

static void on_call_head(struct call *call, const struct h1_head *head)
{
	struct forward *f = call_forward(call);
	struct wire w;
	enum h1_body framing;
	if (head->status == 101) {
		tunnel_switch(f, head);
		return;
	}
	if (head->status < 200) {
		forward_interim(f, head);
		return;
	}
	uint64_t length = head_length(head, &framing);
	capture_head(&f->capture, call, head, f->x.route->plan->opt);
	if (f->held_back)
		forward_drop_held(f);
	if ((head->status >= 500 || head->status == 429) && forward_hold_back(f, head))
		return;
	/* What is left of the request is taken, but no other one after it. */
	if (!sconn_body_done(f->client))
		sconn_set_close(f->client);
	bool ok = sconn_begin(f->client, head->status, head->reason, &w);
	if (ok) {
		proxy_put_answer_fields(&w, f->x.route, head);
		tunnel_put_required(f, head, &w);
		if (f->x.route->server_timing)
			explain_put_fields(&w, f->proxy, &f->x);
		ok = sconn_head_end(f->client, &w, framing, length);
	}
	if (!ok) {
		forward_fail(f, ERR_RES_HEAD_LARGE);
		return;
	}
	f->answering = true;
	f->x.status = head->status;
	proxy_count_answer(f->proxy, head->status);
}

static size_t on_call_data(struct call *call, struct slice data)
{
	struct forward *f = call_forward(call);
	size_t taken = data.len;
	if (f->held_back)
		forward_hold_more(f, data);
	else
		taken = sconn_data(f->client, data);
	f->x.bytes_out += f->held_back ? 0 : taken;
	capture_add(&f->capture, slice_cut(data, 0, taken));
	return taken;
}

static void on_call_drain(struct call *call)
{
	struct forward *f = call_forward(call);
	if (f->resent == f->kept.len)
		sconn_body_resume(f->client);
	else if (forward_resend(f))
		forward_go_on(f);
}

static void on_call_flush(struct call *call)
{
	struct forward *f = call_forward(call);
	if (!f->held_back)
		sconn_flush(f->client);
}

static void on_call_end(struct call *call, enum err why)
{
	struct forward *f = call_forward(call);
	if (why != ERR_OK)
		capture_detail(&f->capture, call->detail);
	if (!call->gave_up)
		proxy_note(f->x.route, f->client, why, &f->capture);
	if ((why != ERR_OK || f->held_back) && forward_again(f, why))
		return;
	if (why != ERR_OK && !(call->gave_up && f->held_back)) {
		forward_fail(f, why);
		return;
	}
	io_timer_stop(f->proxy->worker.loop, &f->timer);
	if (f->held_back) {
		forward_give_held(f);
		return;
	}
	f->finished = true;
	sconn_end(f->client);
}

static const struct call_ops forward_call_ops = {
	.on_ready = on_call_ready,
	.on_head = on_call_head,
	.on_data = on_call_data,
	.on_drain = on_call_drain,
	.on_flush = on_call_flush,
	.on_end = on_call_end,
};

/* --- the client --- */

static void on_deadline(struct timer *t)
{
	struct forward *f = CONTAINER_OF(t, struct forward, timer);
	/* With the server ready for more of it, the request itself is late. */
	bool late = f->head_sent && !f->held && !sconn_body_done(f->client);
	forward_fail(f, late && !f->answering ? ERR_REQ_TIMEOUT : ERR_DEADLINE);
}

static size_t on_body(struct sconn *client, struct slice data)
{
	struct forward *f = client_forward(client);
	/* Answered already, by us or early by the server: the rest is drained. */
	if (!f || f->finished || f->call.state == CALL_OVER)
		return data.len;
	/* Not while it waits to be sent once more: what is kept then goes first. */
	bool now = f->head_sent && f->call.state == CALL_SENDING &&
		   f->resent == f->kept.len;
	size_t taken = now ? call_data(&f->call, data) : 0;
	forward_keep_more(f, slice_cut(data, 0, taken));
	f->held = taken < data.len;
	return taken;
}

static void on_body_end(struct sconn *client)
{
	struct forward *f = client_forward(client);
	/* A request without a body ends in on_call_ready, which comes later. */
	if (f && f->head_sent && f->resent == f->kept.len && !f->finished &&
		f->call.state == CALL_SENDING)
		call_end(&f->call);
}

static void on_drain(struct sconn *client)
{
	struct forward *f = client_forward(client);
	if (f)
		call_resume(&f->call);
}

static void on_end(struct sconn *client, enum err why)
{
	struct forward *f = client_forward(client);
	if (!f)
		return;
	proxy_note_client(f->proxy, why, f->answering || f->finished);
	call_abandon(&f->call, f->x.route->upstream);
	forward_end(f);
}

static const struct server_ops forward_ops = {
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_drain = on_drain,
	.on_end = on_end,
};

/* --- how it begins --- */

struct forward *forward_new(
	struct proxy *p, struct sconn *client, const struct route *r, ns_t begun_at)
{
	struct forward *f = slab_take_raw(&p->forwards);
	if (!f) {
		proxy_answer_reason(p, client, r, ERR_NO_MEMORY);
		return NULL;
	}
	memset(f, 0, offsetof(struct forward, capture.text));
	exchange_begin(p, &f->x, &forward_ops, r, begun_at);
	f->x.call = &f->call;
	f->proxy = p;
	f->client = client;
	f->timer.on_fire = on_deadline;
	sconn_set_ctx(client, f);
	return f;
}

void forward_submit(struct forward *f, ns_t until)
{
	struct call *calls[] = { &f->call };
	f->until = until;
	account_call(f->x.route, f->client, &f->call);
	enum err why = upstream_submit(f->x.route->upstream, calls, 1, until);
	if (why == ERR_OK)
		io_timer_set(f->proxy->worker.loop, &f->timer, until);
	else
		forward_fail(f, why);
}

void forward_request(struct proxy *p, struct sconn *client, const struct h1_head *head,
	const struct route *r, ns_t begun_at)
{
	ns_t until = NS_NEVER;
	enum err why = proxy_check_request(r, client, begun_at, &until);
	if (why != ERR_OK) {
		proxy_answer_reason(p, client, r, why);
		return;
	}
	struct forward *f = forward_new(p, client, r, begun_at);
	if (!f)
		return;
	f->call.ops = &forward_call_ops;
	f->call.method = (enum h1_method)head->method;
	forward_keep(f, head);
	if (head->upgrade)
		why = tunnel_offer(f, head);
	if (why == ERR_OK)
		forward_submit(f, until);
	else
		forward_fail(f, why);
}

void proxy_init_exchanges(struct proxy *p, uint32_t max)
{
	slab_init(&p->forwards, sizeof(struct forward), max);
}
