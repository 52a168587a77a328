#include "tests/sim/api.h"

#define FIRST_WRITE "HTTP/1.1 503 Service Unavailable\r\n"
#define WORDS "The connection cannot be served because Server.Concurrency limit exceeded"
#define REST \
	"Server: fasthttp\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" \
	"Content-Type: text/plain\r\nContent-Length: 73\r\n\r\n" WORDS

/* What a connection is at. */
enum { AT_IDLE, AT_WORK, AT_GONE };

struct at {
	int what;
	bool holds_slot;
};

static struct api *api_of(const struct raw *r)
{
	return r->server->ctx;
}

/* --- slots --- */

struct leave {
	struct list_node node;
	struct timer timer;
	struct api *api;
};

static void on_left(struct timer *t)
{
	struct leave *l = CONTAINER_OF(t, struct leave, timer);
	l->api->used--;
	list_remove(&l->api->leaving, &l->node);
	mem_free(l);
}

static void slot_take(struct api *a)
{
	a->used++;
	if (a->used > a->peak)
		a->peak = a->used;
}

/* The FIN is out already; the worker gives its slot back a little later. */
static void slot_leave(struct api *a)
{
	struct leave *l = mem_zalloc(sizeof(*l));
	ns_t in = a->cfg.free_in ? (ns_t)rng_below(&a->rng, (uint64_t)a->cfg.free_in) : 0;
	l->api = a;
	l->timer.on_fire = on_left;
	list_push_back(&a->leaving, &l->node);
	io_timer_set(a->loop, &l->timer, ns_add(io_now(a->loop), in));
}

static void on_closed(struct raw *r)
{
	struct at *at = r->ctx;
	io_timer_stop(api_of(r)->loop, &r->timer);
	at->what = AT_GONE;
	if (at->holds_slot)
		slot_leave(api_of(r));
	at->holds_slot = false;
}

/* --- requests --- */

static ns_t draw_time(struct api *a)
{
	const struct api_cfg *cfg = &a->cfg;
	if (cfg->quick > 0 && rng_unit(&a->rng) < cfg->quick)
		return cfg->quick_for;
	return cfg->min_for +
	       (ns_t)rng_below(&a->rng, (uint64_t)(cfg->max_for - cfg->min_for) + 1);
}

static void count_id(struct api *a, const char *head)
{
	unsigned long id = strtoul(head + sizeof("GET /") - 1, NULL, 10);
	CHECK(memcmp(head, "GET /", 5) == 0 && id < API_IDS);
	a->handled[id]++;
}

static void arm_idle(struct raw *r)
{
	struct api *a = api_of(r);
	if (a->cfg.idle_max)
		io_timer_set(a->loop, &r->timer,
			ns_add(io_now(a->loop),
				(ns_t)rng_below(&a->rng, (uint64_t)a->cfg.idle_max)));
}

/* The next request's head, if it is here whole. */
static const char *next_head(struct raw *r)
{
	struct slice rest = slice_cut(text_slice(&r->in), r->parsed, SIZE_MAX);
	const char *end = rest.len ? memmem(rest.ptr, rest.len, "\r\n\r\n", 4) : NULL;
	if (!end)
		return NULL;
	r->parsed += (size_t)(end - rest.ptr) + 4;
	api_of(r)->requests++;
	return rest.ptr;
}

/* Handles the next request, or waits for it. */
static void await_next(struct raw *r)
{
	struct api *a = api_of(r);
	struct at *at = r->ctx;
	const char *head;
	at->what = AT_IDLE;
	arm_idle(r);
	while ((head = next_head(r)) && a->cfg.by_request && a->used >= a->cfg.limit) {
		a->refused++;
		raw_say(r, FIRST_WRITE);
		raw_say(r, REST);
	}
	if (!head) {
		if (r->end != ERR_AGAIN)
			raw_close(r, IO_CLOSE_FIN);
		return;
	}
	count_id(a, head);
	if (a->cfg.by_request)
		slot_take(a);
	a->running++;
	at->what = AT_WORK;
	io_timer_set(a->loop, &r->timer, ns_add(io_now(a->loop), draw_time(a)));
}

static void on_timer(struct timer *t)
{
	struct raw *r = CONTAINER_OF(t, struct raw, timer);
	struct api *a = api_of(r);
	struct at *at = r->ctx;
	if (at->what == AT_IDLE) {
		raw_close(r, IO_CLOSE_FIN);
		return;
	}
	a->running--;
	if (a->cfg.by_request)
		a->used--;
	a->answered += r->end == ERR_AGAIN;
	raw_say(r,
		a->cfg.close_each
			? "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n"
			  "\r\nok\n"
			: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
	if (a->cfg.close_each || r->end != ERR_AGAIN)
		raw_close(r, IO_CLOSE_FIN);
	else
		await_next(r);
}

static void on_bytes(struct raw *r)
{
	struct at *at = r->ctx;
	/* while a handler runs nothing is seen, the end included */
	if (at->what == AT_IDLE)
		await_next(r);
}

static void on_accept(struct raw_server *s, struct raw *r)
{
	struct api *a = s->ctx;
	struct at *at = mem_zalloc(sizeof(*at));
	r->ctx = at;
	r->timer.on_fire = on_timer;
	r->on_closed = on_closed;
	a->accepted++;
	if (!a->cfg.by_request && a->used >= a->cfg.limit) {
		a->refused++;
		raw_say(r, FIRST_WRITE);
		raw_say(r, "Connection: close\r\n" REST);
		raw_close(r, IO_CLOSE_FIN);
		return;
	}
	if (!a->cfg.by_request) {
		at->holds_slot = true;
		slot_take(a);
	}
	await_next(r);
}

void api_init(
	struct api *a, struct io_loop *loop, const char *at, const struct api_cfg *cfg)
{
	*a = (struct api){ .cfg = *cfg, .loop = loop };
	rng_init(&a->rng, cfg->seed);
	list_init(&a->leaving);
	a->server.on_accept = on_accept;
	a->server.on_bytes = on_bytes;
	a->server.ctx = a;
	raw_server_listen(&a->server, loop, at);
}

void api_fini(struct api *a)
{
	struct list_node *n;
	LIST_EACH (&a->server.conns, c, after) {
		struct raw *r = CONTAINER_OF(c, struct raw, node);
		raw_close(r, IO_CLOSE_FIN);
		mem_free(r->ctx);
	}
	while ((n = list_front(&a->leaving))) {
		struct leave *l = CONTAINER_OF(n, struct leave, node);
		io_timer_stop(a->loop, &l->timer);
		on_left(&l->timer);
	}
	raw_server_fini(&a->server);
}
