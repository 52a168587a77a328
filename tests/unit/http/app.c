#include "app.h"

#include "tests/unit/base/unit.h"

#define PIECE 5000

struct job {
	struct app *app;
	struct sconn *conn;
	struct text body;
	struct timer timer;
	uint64_t arg; /* the number behind the '?' */
	uint64_t sent, size;
	bool streaming, whole;
};

char app_pattern(uint64_t at)
{
	return (char)('a' + at % 23);
}

static bool targets(const struct sconn *c, const char *name)
{
	struct slice path = sconn_head(c)->path;
	return slice_eq(slice_cut(path, 0, slice_find(path, '?')), slice_of(name));
}

static void job_free(struct job *j)
{
	io_timer_stop(j->app->worker->loop, &j->timer);
	text_fini(&j->body);
	mem_free(j);
}

static void job_in(struct job *j, ns_t for_ns)
{
	struct worker *w = j->app->worker;
	io_timer_set(w->loop, &j->timer, ns_add(worker_now(w), for_ns));
}

static bool begin(struct job *j, uint16_t status, enum h1_body framing, uint64_t length)
{
	struct wire w;
	assert_true(sconn_begin(j->conn, status, SLICE_NONE, &w));
	return sconn_head_end(j->conn, &w, framing, length);
}

static void echo(struct job *j)
{
	struct answer a = { .status = 200, .body = text_slice(&j->body) };
	if (a.body.len <= 12288) {
		sconn_answer(j->conn, &a);
		return;
	}
	assert_true(begin(j, 200, H1_BODY_LENGTH, a.body.len));
	j->streaming = true;
	j->size = a.body.len;
}

/* Goes on with the streamed answer; on_drain comes back here. */
static void stream(struct job *j)
{
	char piece[PIECE];
	while (j->sent < j->size) {
		size_t n = j->size - j->sent < PIECE ? j->size - j->sent : PIECE;
		for (size_t i = 0; i < n; i++)
			piece[i] = j->body.len ? j->body.ptr[j->sent + i]
					       : app_pattern(j->sent + i);
		size_t took = sconn_data(j->conn, (struct slice){ piece, n });
		j->sent += took;
		if (took < n)
			return;
	}
	j->streaming = false;
	sconn_end(j->conn);
}

static void half(struct job *j)
{
	char piece[PIECE] = { 0 };
	assert_true(begin(j, 200, H1_BODY_LENGTH, j->arg));
	uint64_t left = j->arg / 2;
	while (left > 0) {
		size_t n = left < PIECE ? left : PIECE;
		if (sconn_data(j->conn, (struct slice){ piece, n }) < n)
			break;
		left -= n;
	}
	sconn_flush(j->conn);
	struct sconn *c = j->conn;
	j->app->open--;
	job_free(j);
	sconn_abort(c);
}

static void pad(struct job *j)
{
	struct text value;
	struct wire w;
	text_init(&value);
	for (uint64_t i = 0; i < j->arg; i++)
		text_add_char(&value, app_pattern(i));
	assert_true(sconn_begin(j->conn, 200, SLICE_NONE, &w));
	h1_put_field(&w, SLICE("Pad"), text_slice(&value));
	text_fini(&value);
	if (sconn_head_end(j->conn, &w, H1_BODY_CHUNKED, 0)) {
		sconn_end(j->conn);
		return;
	}
	struct sconn *c = j->conn;
	j->app->open--;
	job_free(j);
	sconn_abort(c);
}

static void answer(struct job *j)
{
	struct wire w;
	if (targets(j->conn, "/echo") || targets(j->conn, "/later") ||
		targets(j->conn, "/sip")) {
		echo(j);
	} else if (targets(j->conn, "/stream") || targets(j->conn, "/fixed")) {
		bool chunked = targets(j->conn, "/stream");
		j->size = j->arg;
		assert_true(begin(
			j, 200, chunked ? H1_BODY_CHUNKED : H1_BODY_LENGTH, j->arg));
		j->streaming = true;
	} else if (targets(j->conn, "/half")) {
		half(j);
		return;
	} else if (targets(j->conn, "/pad")) {
		pad(j);
		return;
	} else if (targets(j->conn, "/none")) {
		assert_true(begin(j, 204, H1_BODY_NONE, 0));
		sconn_end(j->conn);
	} else if (targets(j->conn, "/interim")) {
		assert_true(sconn_begin(j->conn, 103, SLICE("Early Hints"), &w));
		h1_put_field(&w, SLICE("Link"), SLICE("</x>"));
		sconn_interim(j->conn, &w);
		sconn_answer(j->conn,
			&(struct answer){ .status = 200, .body = SLICE("done") });
	}
	if (j->streaming)
		stream(j);
}

static void on_timer(struct timer *t)
{
	struct job *j = CONTAINER_OF(t, struct job, timer);
	if (targets(j->conn, "/sip") && !j->whole)
		sconn_body_resume(j->conn);
	else
		answer(j);
}

static void say_no(struct server *s, struct conn *c)
{
	struct iovec iov = { (char[]){ "no slot\n" }, 8 };
	size_t put;
	(void)s;
	assert_int_equal(conn_writev(c, &iov, 1, &put), ERR_OK);
}

static bool on_accept(struct server *s, struct conn *c, const struct addr *peer)
{
	struct app *a = server_ctx(s);
	(void)peer;
	if (a->refuse && !conn_is_shaking(c))
		say_no(s, c);
	return !a->refuse;
}

static void on_request(struct sconn *c, const struct h1_head *head)
{
	struct app *a = server_ctx(sconn_server(c));
	struct job *j = mem_zalloc(sizeof(*j));
	assert_ptr_equal(head, sconn_head(c));
	text_addf(&a->log, "req %.*s %.*s\n", SLICE_ARG(head->method_text),
		SLICE_ARG(head->target));
	a->open++;
	a->requests++;
	a->mark = sconn_mark(c);
	j->app = a;
	j->conn = c;
	j->timer.on_fire = on_timer;
	text_init(&j->body);
	size_t mark = slice_find(head->path, '?');
	for (size_t i = mark + 1; i < head->path.len; i++)
		j->arg = j->arg * 10 + (uint64_t)(head->path.ptr[i] - '0');
	sconn_set_ctx(c, j);
	if (targets(c, "/now"))
		sconn_answer(c, &(struct answer){ .status = 200, .body = SLICE("now") });
	else
		sconn_continue(c);
}

static size_t on_body(struct sconn *c, struct slice data)
{
	struct app *a = server_ctx(sconn_server(c));
	struct job *j = sconn_ctx(c);
	assert_true(data.len > 0);
	if (!a->quiet)
		text_addf(&a->log, "body %.*s\n", SLICE_ARG(data));
	if (targets(c, "/early")) {
		sconn_answer(
			c, &(struct answer){ .status = 200, .body = SLICE("early") });
		return data.len;
	}
	size_t n = data.len;
	if (targets(c, "/sip") && n > j->arg) {
		n = j->arg;
		job_in(j, NS_MS);
	}
	text_add_slice(&j->body, slice_cut(data, 0, n));
	return n;
}

static void on_body_end(struct sconn *c)
{
	struct app *a = server_ctx(sconn_server(c));
	struct job *j = sconn_ctx(c);
	text_add(&a->log, "body-end\n");
	assert_true(sconn_body_done(c));
	j->whole = true;
	if (targets(c, "/later"))
		job_in(j, (ns_t)j->arg * NS_MS);
	else if (!targets(c, "/never"))
		answer(j);
}

static void on_drain(struct sconn *c)
{
	struct job *j = sconn_ctx(c);
	assert_true(j->streaming);
	stream(j);
}

static bool on_hangup(struct sconn *c)
{
	struct app *a = server_ctx(sconn_server(c));
	text_add(&a->log, "hangup\n");
	return !a->ignore_hangup;
}

static void on_end(struct sconn *c, enum err why)
{
	struct app *a = server_ctx(sconn_server(c));
	struct job *j = sconn_ctx(c);
	assert_non_null(j);
	assert_true(a->open > 0);
	a->open--;
	a->ends++;
	text_addf(&a->log, "end %s\n", err_label(why));
	job_free(j);
}

static void on_close(struct sconn *c)
{
	struct app *a = server_ctx(sconn_server(c));
	a->closes++;
	text_add(&a->log, "close\n");
}

static const struct server_ops app_ops = {
	.on_accept = on_accept,
	.on_turned_away = say_no,
	.on_request = on_request,
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_drain = on_drain,
	.on_hangup = on_hangup,
	.on_end = on_end,
	.on_close = on_close,
};

void app_init(struct app *a, struct worker *w, struct server_cfg cfg, const char *at)
{
	struct problem p = { "" };
	struct addr addr;
	*a = (struct app){ .worker = w };
	text_init(&a->log);
	cfg.ops = &app_ops;
	cfg.ctx = a;
	if (!cfg.head_for)
		cfg.head_for = 2 * NS_S;
	if (!cfg.idle_for)
		cfg.idle_for = 5 * NS_S;
	a->server = server_new(w, &cfg);
	assert_true(addr_parse(slice_of(at), &addr, &p));
	assert_true(server_listen(a->server, &addr, &p));
}

void app_fini(struct app *a)
{
	server_free(&a->server);
	assert_int_equal(a->open, 0);
	text_fini(&a->log);
}
