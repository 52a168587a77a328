#include "origin/origin.h"

#include <inttypes.h>
#include <unistd.h>

#include "origin/full.h"

#define FILLER_BYTES 16384 /* what is offered to the engine at once */
/* Written in one go before others get their turn; a reader on this host takes any amount. */
#define ANSWER_BUDGET_BYTES (256 * 1024)
/* With hangup at-write an answer comes in so many pieces at most, this far apart at least. */
#define STREAM_PIECES_MAX 50
#define STREAM_GAP_MIN (10 * NS_MS)
#define TRICKLE_PIECES_MAX 50
#define TRICKLE_GAP (100 * NS_MS)
#define CUT_LOOK (2 * NS_MS) /* from one look whether half has arrived to the next */
#define GARBAGE "\x01\x02 this is no field\r\n" /* where the head has its first one */

/* A connection that holds no slot, and what is to become of it: its conn_ctx. */
struct turned_away {
	enum origin_full how;
};

struct origin {
	struct worker *worker;
	struct server *server;
	struct model model;
	struct slab calls;
	struct timer phase;
	struct turned_away turned_away[FULL_STALL + 1];
	struct slice server_name;
	uint64_t body_bytes, room;
	ns_t started_at;
	bool stopping;
	char filler[FILLER_BYTES + 2]; /* "ok\n" again and again */
};

/* One request at work: its sconn's ctx. */
struct work {
	struct model_call call;
	struct origin *origin;
	struct sconn *sconn;
	struct timer timer;
	ns_t started_at;
	bool has_begun;         /* the head is out */
	enum spoil_how spoilt;  /* once the handler has ended */
	uint32_t pieces, piece; /* of a streamed answer: all, and written so far */
	uint64_t due, sent;     /* of the body */
};

static struct work *work_of(struct model_call *call)
{
	return CONTAINER_OF(call, struct work, call);
}

static void run_turns(struct origin *o);

/* --- the end of a call --- */

/* Its worker may be free now: run_turns is due. */
static void work_leave(struct work *work, bool answered)
{
	struct origin *o = work->origin;

	io_timer_stop(o->worker->loop, &work->timer);
	model_leave(&o->model, &work->call, answered);
	slab_give(&o->calls, work);
}

static void work_drop(struct work *work, void (*end)(struct sconn *c))
{
	struct sconn *c = work->sconn;

	sconn_set_ctx(c, NULL);
	end(c);
	work_leave(work, false);
}

static void work_abort(struct work *work)
{
	work_drop(work, sconn_abort);
}

/* --- answering --- */

/* In the order in which fasthttp writes them. False: the call is gone. */
static bool work_begin_answer(struct work *work, enum h1_body framing)
{
	struct origin *o = work->origin;
	struct wire w;

	work->has_begun = true;
	if (!sconn_begin(work->sconn, 200, SLICE_NONE, &w)) {
		work_abort(work);
		return false;
	}
	if (work->spoilt == SPOIL_GARBAGE)
		WIRE_LIT(&w, GARBAGE);
	if (o->server_name.len)
		h1_put_field(&w, SLICE("Server"), o->server_name);
	h1_put_field(&w, SLICE("Date"), worker_date(o->worker));
	if (o->body_bytes)
		h1_put_field(
			&w, SLICE("Content-Type"), SLICE("text/plain; charset=utf-8"));
	if (!sconn_head_end(work->sconn, &w, framing, o->body_bytes)) {
		work_abort(work);
		return false;
	}
	return true;
}

/* What is due of an answer that is to be cut has been written: a reset would destroy what is still
 * on its way. Who takes none of it has the slot, as with any answer, until it leaves. */
static void work_cut(struct work *work)
{
	struct origin *o = work->origin;

	if (sconn_has_arrived(work->sconn))
		work_abort(work);
	else
		io_timer_set(
			o->worker->loop, &work->timer, worker_now(o->worker) + CUT_LOOK);
}

/* Writes what is due, as far as the socket and the budget let it. */
static void work_pump(struct work *work)
{
	struct origin *o = work->origin;
	uint64_t budget = ANSWER_BUDGET_BYTES;

	while (work->sent < work->due) {
		uint64_t want = work->due - work->sent;
		if (want > FILLER_BYTES)
			want = FILLER_BYTES;
		if (want > budget) {
			/* while the handler runs, the next piece's timer goes on with it */
			if (work->call.stage == STAGE_ANSWERING)
				io_timer_set(o->worker->loop, &work->timer,
					worker_now(o->worker));
			return;
		}
		size_t took = sconn_data(
			work->sconn, (struct slice){ o->filler + work->sent % 3, want });
		work->sent += took;
		budget -= took;
		if (took < want)
			return; /* on_drain follows */
	}
	if (work->call.stage != STAGE_ANSWERING || work->due < o->body_bytes) {
		sconn_flush(work->sconn);
		if (work->spoilt == SPOIL_CUT)
			work_cut(work);
		return;
	}
	io_timer_stop(o->worker->loop, &work->timer); /* on_drain came before it */
	model_answered(&o->model, &work->call);
	sconn_end(work->sconn);
}

/* --- what is spoilt --- */

/* The next piece of what comes little by little, and the time of the one after it. */
static void work_trickle(struct work *work)
{
	struct origin *o = work->origin;

	work->piece++;
	work->due = o->body_bytes * work->piece / work->pieces;
	if (work->due < work->sent) /* a stream has brought more of it by now */
		work->due = work->sent;
	if (work->piece < work->pieces)
		io_timer_set(o->worker->loop, &work->timer,
			worker_now(o->worker) + TRICKLE_GAP);
	work_pump(work);
}

/* A piece that the socket or the budget did not take at once. */
static void work_go_on(struct work *work)
{
	struct origin *o = work->origin;

	if (work->spoilt == SPOIL_TRICKLE && work->piece < work->pieces)
		io_timer_set(o->worker->loop, &work->timer,
			worker_now(o->worker) + TRICKLE_GAP);
	work_pump(work);
}

static void work_trickle_begin(struct work *work)
{
	uint64_t pieces = work->origin->body_bytes;

	work->pieces = pieces < TRICKLE_PIECES_MAX ? (uint32_t)pieces
						   : TRICKLE_PIECES_MAX;
	work->piece = 0;
	if (!work->pieces)
		work->pieces = 1;
	work_trickle(work);
}

/* The head has been written. Half of the body, more if a stream has brought it; then no more. */
static void work_stop_halfway(struct work *work)
{
	work->due = work->origin->body_bytes / 2;
	if (work->due < work->sent)
		work->due = work->sent;
	work_pump(work);
}

/* Its head would be all of it: nothing could be missing. */
static bool work_is_bodiless(const struct work *work)
{
	const struct h1_head *head = sconn_head(work->sconn);
	return !work->origin->body_bytes || (head && head->method == H1_HEAD);
}

/* What is left of a fault where the handler has been writing, or there is no body. */
static enum spoil_how work_spoil(const struct work *work, enum spoil_how how)
{
	const bool bodiless = work_is_bodiless(work);

	if (how == SPOIL_GARBAGE && work->has_begun)
		how = SPOIL_CUT; /* a good head is out */
	if (how == SPOIL_TRICKLE && bodiless)
		return SPOIL_NOT;
	return how == SPOIL_CUT && bodiless ? SPOIL_CLOSE : how;
}

static void work_answer(struct work *work)
{
	switch (work->spoilt) {
	case SPOIL_NOT:
	case SPOIL_GARBAGE:
		work->due = work->origin->body_bytes;
		work_pump(work);
		break;
	case SPOIL_TRICKLE:
		work_trickle_begin(work);
		break;
	case SPOIL_CUT:
	case SPOIL_STALL:
		work_stop_halfway(work);
		break;
	case SPOIL_RESET:
	case SPOIL_CLOSE:
		break; /* has no answer: work_end */
	}
}

static void work_end(struct work *work)
{
	struct origin *o = work->origin;

	work->spoilt = work_spoil(work, model_worked(&o->model, &work->call));
	if (work->spoilt == SPOIL_RESET)
		work_drop(work, sconn_reset);
	else if (work->spoilt == SPOIL_CLOSE)
		work_abort(work);
	else if (work->spoilt == SPOIL_STALL && work_is_bodiless(work))
		return; /* on_hangup ends it */
	else if (work->has_begun || work_begin_answer(work, H1_BODY_LENGTH))
		work_answer(work);
}

/* --- the handler's time --- */

static ns_t piece_at(const struct work *work, uint32_t nth)
{
	return work->started_at +
	       (ns_t)((double)work->call.work_for * nth / work->pieces);
}

static void work_next_piece(struct work *work)
{
	struct origin *o = work->origin;

	work->piece++;
	if (work->piece == work->pieces) {
		work_end(work);
		run_turns(o);
		return;
	}
	work->due = o->body_bytes / work->pieces * work->piece;
	io_timer_set(o->worker->loop, &work->timer, piece_at(work, work->piece + 1));
	work_pump(work);
}

static void on_work_timer(struct timer *t)
{
	struct work *work = CONTAINER_OF(t, struct work, timer);

	if (work->call.stage != STAGE_ANSWERING)
		work_next_piece(work);
	else if (work->spoilt == SPOIL_TRICKLE && work->sent == work->due)
		work_trickle(work);
	else
		work_go_on(work);
}

/* What a streaming handler does: the head at once, the body little by little. */
static bool work_open_stream(struct work *work)
{
	struct origin *o = work->origin;
	uint64_t pieces = (uint64_t)(work->call.work_for / STREAM_GAP_MIN);

	if (pieces > STREAM_PIECES_MAX)
		pieces = STREAM_PIECES_MAX;
	if (pieces > o->body_bytes)
		pieces = o->body_bytes;
	if (pieces > 1)
		work->pieces = (uint32_t)pieces;
	if (!work_begin_answer(work, H1_BODY_CLOSE))
		return false;
	sconn_flush(work->sconn);
	return true;
}

static void work_start(struct work *work)
{
	struct origin *o = work->origin;

	work->started_at = worker_now(o->worker);
	work->pieces = 1;
	if (work->call.work_for == 0) {
		work_end(work);
		return;
	}
	if (o->model.hangup == HANGUP_AT_WRITE && !work_open_stream(work))
		return;
	io_timer_set(o->worker->loop, &work->timer, piece_at(work, 1));
}

/* Starts every call that may start, also those that an end inside the loop makes way for. */
static void run_turns(struct origin *o)
{
	struct model_call *call;

	if (o->stopping)
		return;
	while ((call = model_next(&o->model)))
		work_start(work_of(call));
}

/* --- connections and requests --- */

static void write_refusal(struct origin *o, struct conn *c)
{
	char rest[1024];
	struct wire w;
	struct iovec iov = { .iov_base = (char[]){ FULL_FIRST_WRITE },
		.iov_len = sizeof(FULL_FIRST_WRITE) - 1 };
	size_t put = 0;

	wire_init(&w, rest, sizeof(rest));
	full_put_rest(&w, o->server_name, worker_date(o->worker));
	CHECK(!w.over);
	/* a fresh socket takes all of it; one that is reset already needs none */
	if (conn_writev(c, &iov, 1, &put) != ERR_OK)
		return;
	iov = (struct iovec){ rest, w.len };
	if (conn_writev(c, &iov, 1, &put) != ERR_OK)
		return;
}

static bool on_accept(struct server *s, struct conn *c, const struct addr *peer)
{
	struct origin *o = server_ctx(s);
	enum origin_full how = o->model.full;

	(void)peer;
	if (model_accept(&o->model))
		return true;
	switch (how) {
	case FULL_FASTHTTP:
		if (!conn_is_shaking(c)) /* else on_turned_away */
			write_refusal(o, c);
		return false;
	case FULL_RESET:
		conn_close(c, IO_CLOSE_RESET);
		return false;
	case FULL_503:
	case FULL_429:
	case FULL_STALL:
		break;
	}
	sconn_set_conn_ctx(sconn_of(c), &o->turned_away[how]);
	return true;
}

/* As fasthttp has it: the handshake comes first, within the accept. */
static void on_turned_away(struct server *s, struct conn *c)
{
	write_refusal(server_ctx(s), c);
}

static void on_close(struct sconn *c)
{
	struct origin *o = server_ctx(sconn_server(c));

	if (!sconn_conn_ctx(c))
		model_close(&o->model);
}

/*
 * Whatever else is asked gets the one answer there is. But 2xx to CONNECT would begin a tunnel, and
 * its body be read as bytes of that (RFC 9110 9.3.6); TRACE wants its own head back (9.3.8).
 */
static enum err judge(const struct sconn *c, const struct h1_head *head)
{
	if (head->method == H1_CONNECT || head->method == H1_TRACE)
		return ERR_REQ_METHOD;
	return sconn_is_misdirected(c) ? ERR_REQ_MISDIRECTED : ERR_OK;
}

static void on_request(struct sconn *c, const struct h1_head *head)
{
	char fields[64];
	struct wire w;
	const enum err why = judge(c, head);

	if (why == ERR_OK) {
		sconn_continue(c);
		return;
	}
	wire_init(&w, fields, sizeof(fields));
	h1_put_field(&w, SLICE("Weir-Reason"), slice_of(err_label(why)));
	CHECK(!w.over);
	sconn_answer(c, &(struct answer){
				.status = err_status(why),
				.type = SLICE("text/plain"),
				.fields = { fields, w.len },
				.body = slice_of(err_text(why)),
				.close = true,
			});
}

static size_t on_body(struct sconn *c, struct slice data)
{
	(void)c;
	return data.len;
}

static void answer_full(
	struct origin *o, struct sconn *c, const struct full_answer *full, bool close)
{
	char fields[1024];
	struct wire w;

	wire_init(&w, fields, sizeof(fields));
	if (o->server_name.len)
		h1_put_field(&w, SLICE("Server"), o->server_name);
	wire_put_slice(&w, full->fields);
	CHECK(!w.over);
	sconn_answer(c, &(struct answer){
				.status = full->status,
				.type = SLICE("text/plain"),
				.fields = { fields, w.len },
				.body = full->body,
				.close = close,
			});
}

/* Of a request that finds no slot; of a connection, what is left to do when it has sent one. */
static void refuse(struct origin *o, struct sconn *c, enum origin_full how, bool close)
{
	struct full_answer full;

	switch (how) {
	case FULL_FASTHTTP:
	case FULL_503:
	case FULL_429:
		full = full_answer(how);
		answer_full(o, c, &full, close);
		break;
	case FULL_RESET:
		sconn_reset(c);
		break;
	case FULL_STALL: /* never answered: on_hangup ends it */
		break;
	}
}

static void begin_call(struct origin *o, struct sconn *c)
{
	struct work *work = slab_take(&o->calls);

	work->origin = o;
	work->sconn = c;
	work->timer.on_fire = on_work_timer;
	if (!model_arrive(&o->model, &work->call)) {
		slab_give(&o->calls, work);
		refuse(o, c, o->model.full, false);
		return;
	}
	sconn_set_ctx(c, work);
	run_turns(o);
}

static void on_body_end(struct sconn *c)
{
	struct origin *o = server_ctx(sconn_server(c));
	const struct turned_away *away = sconn_conn_ctx(c);

	if (away)
		refuse(o, c, away->how, true);
	else
		begin_call(o, c);
}

static void on_drain(struct sconn *c)
{
	struct work *work = sconn_ctx(c);

	if (work)
		work_pump(work);
}

static bool on_hangup(struct sconn *c)
{
	struct work *work = sconn_ctx(c);

	/* What is stalled has nothing more to write, and so would never learn of it. */
	return !work || model_hang_up(&work->origin->model, &work->call) ||
	       (work->spoilt == SPOIL_STALL && work->call.stage == STAGE_ANSWERING);
}

static void on_end(struct sconn *c, enum err why)
{
	struct work *work = sconn_ctx(c);
	struct origin *o = server_ctx(sconn_server(c));

	if (!work)
		return;
	work_leave(work, why == ERR_OK && work->spoilt != SPOIL_GARBAGE);
	run_turns(o);
}

static const struct server_ops origin_server_ops = {
	.on_accept = on_accept,
	.on_turned_away = on_turned_away,
	.on_request = on_request,
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_drain = on_drain,
	.on_hangup = on_hangup,
	.on_end = on_end,
	.on_close = on_close,
};

/* --- phases --- */

static void arm_phase(struct origin *o)
{
	io_timer_set(o->worker->loop, &o->phase,
		ns_add(o->started_at, model_next_phase(&o->model)));
}

static void on_phase(struct timer *t)
{
	struct origin *o = CONTAINER_OF(t, struct origin, phase);

	if (model_run_phases(&o->model, worker_now(o->worker) - o->started_at))
		run_turns(o);
	arm_phase(o);
}

void origin_add_phase(struct origin *o, struct phase *phase)
{
	model_add_phase(&o->model, phase);
	arm_phase(o);
}

/* --- life --- */

struct origin *origin_new(
	struct worker *w, const struct origin_cfg *cfg, const struct model_cfg *model)
{
	struct origin *o = mem_zalloc(sizeof(*o));
	struct server_cfg server = {
		.ops = &origin_server_ops,
		.ctx = o,
		.tls = cfg->tls,
		.head_for = NS_NEVER, /* fasthttp's ReadTimeout: none by default */
		.idle_for = cfg->idle_for,
		.max_requests = cfg->max_requests,
		.close_after = cfg->close_after,
		.close_each = cfg->close_each,
		.abrupt_close = true,
	};

	o->worker = w;
	o->server_name = cfg->server_name;
	o->body_bytes = cfg->body_bytes;
	o->room = cfg->room;
	o->started_at = worker_now(w);
	o->phase.on_fire = on_phase;
	for (int i = 0; i <= FULL_STALL; i++)
		o->turned_away[i].how = (enum origin_full)i;
	for (size_t i = 0; i < sizeof(o->filler); i++)
		o->filler[i] = "ok\n"[i % 3];
	slab_init(&o->calls, sizeof(struct work),
		0); /* one a connection: bounded by those */
	model_init(&o->model, model);
	o->server = server_new(w, &server);
	return o;
}

void origin_free(struct origin **op)
{
	struct origin *o = *op;

	if (!o)
		return;
	o->stopping = true;
	server_free(&o->server);
	io_timer_stop(o->worker->loop, &o->phase);
	model_fini(&o->model);
	slab_fini(&o->calls);
	mem_free(o);
	*op = NULL;
}

bool origin_listen(struct origin *o, const struct addr *at, struct problem *p)
{
	return server_listen(o->server, at, p);
}

const struct addr *origin_addr(const struct origin *o, uint32_t nth)
{
	return server_addr(o->server, nth);
}

const struct model *origin_model(const struct origin *o)
{
	return &o->model;
}

bool origin_check_limit(uint64_t limit, uint64_t room, struct problem *p)
{
	if (limit == ORIGIN_NONE || limit < room)
		return true;
	return problem_set(p,
		"limit: %" PRIu64
		" connections need more file descriptors than this process "
		"may have: at most %" PRIu64 " fit (ulimit -Hn says how many there are)",
		limit, room - 1);
}

/* --- admin --- */

static void put_count(struct json *j, const char *key, uint64_t n)
{
	if (n == ORIGIN_NONE)
		json_null(j, key);
	else
		json_int(j, key, (int64_t)n);
}

static void put_settings(struct json *j, const struct model *m)
{
	struct text latency, fault;

	text_init(&latency);
	text_init(&fault);
	text_add_dist(&latency, m->latency);
	text_add_spoil(&fault, &m->spoil);
	put_count(j, "limit", m->limit);
	json_cstr(j, "limit_unit", m->unit == UNIT_REQUEST ? "request" : "connection");
	json_str(j, "latency", text_slice(&latency));
	json_cstr(j, "full", origin_full_word(m->full));
	json_cstr(j, "hangup", origin_hangup_word(m->hangup));
	put_count(j, "workers", m->workers);
	json_str(j, "fault", text_slice(&fault));
	text_fini(&fault);
	text_fini(&latency);
}

static void put_slots(struct json *j, const struct model *m)
{
	json_object(j, "slots");
	json_int(j, "used", (int64_t)m->used);
	json_int(j, "peak", (int64_t)m->peak);
	json_int(j, "idle", (int64_t)model_idle(m));
	json_int(j, "running", m->heard.len);
	json_int(j, "abandoned", m->abandoned.len);
	json_int(j, "over", (int64_t)m->over);
	json_end(j);
}

static void admin_status(void *ctx, struct json *j)
{
	const struct origin *o = ctx;
	const struct model *m = &o->model;

	json_cstr(j, "schema", "weir.origin/1");
	json_int(j, "pid", getpid());
	json_ms(j, "uptime_ms", worker_now(o->worker) - o->started_at);
	put_settings(j, m);
	put_slots(j, m);
	json_int(j, "queue", m->stages[STAGE_WAITING].len);
	json_int(j, "accepted", (int64_t)m->accepted);
	json_int(j, "refused", (int64_t)m->refused);
	json_int(j, "requests", (int64_t)m->requests);
	json_int(j, "answered", (int64_t)m->answered);
	json_int(j, "hangups", (int64_t)m->hangups);
	json_int(j, "faults", (int64_t)m->spoiled);
}

static bool admin_set(
	void *ctx, const struct admin_pair *pairs, uint32_t n, struct problem *p)
{
	struct origin *o = ctx;
	struct change change = { 0 };
	bool is_good = true;

	for (uint32_t i = 0; i < n && is_good; i++)
		is_good = change_add(&change, pairs[i].name, pairs[i].value, p);
	if (is_good && change.has_limit)
		is_good = origin_check_limit(change.limit, o->room, p);
	if (is_good) {
		model_apply(&o->model, &change);
		run_turns(o);
	}
	change_fini(&change);
	return is_good;
}

const struct admin_ops origin_admin_ops = {
	.status = admin_status,
	.set = admin_set,
};
