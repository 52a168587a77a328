#include "tests/sim/api.h"

#define FIRST_WRITE "HTTP/1.1 503 Service Unavailable\r\n"
#define WORDS "The connection cannot be served because Server.Concurrency limit exceeded"
#define REST \
	"Server: fasthttp\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" \
	"Content-Type: text/plain\r\nContent-Length: 73\r\n\r\n" WORDS

/* What a connection is at. */
enum { AT_IDLE, AT_TURN, AT_WORK, AT_PARTING, AT_BACKLOG, AT_GONE };

/* What the answer under way will be. */
enum fate { FATE_WHOLE, FATE_RESET, FATE_CUT, FATE_HALF_CLOSE };

struct at {
	struct raw *conn;
	struct list_node turn;
	int what;
	enum fate fate;
	bool holds_slot;
	uint32_t handled;
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

static void take_waiting(struct api *a);

static void on_left(struct timer *t)
{
	struct leave *l = CONTAINER_OF(t, struct leave, timer);
	struct api *a = l->api;
	a->used--;
	list_remove(&a->leaving, &l->node);
	mem_free(l);
	take_waiting(a);
}

static void slot_take(struct api *a)
{
	a->used++;
	if (a->used > a->peak)
		a->peak = a->used;
	if (a->on_take)
		a->on_take(a);
}

/* The FIN is out already; the worker gives its slot back a little later. */
static void slot_leave(struct api *a, ns_t in)
{
	struct leave *l = mem_zalloc(sizeof(*l));
	if (a->cfg.free_in)
		in = ns_add(in, (ns_t)rng_below(&a->rng, (uint64_t)a->cfg.free_in));
	l->api = a;
	l->timer.on_fire = on_left;
	list_push_back(&a->leaving, &l->node);
	io_timer_set(a->loop, &l->timer, ns_add(io_now(a->loop), in));
}

static void on_closed(struct raw *r)
{
	struct at *at = r->ctx;
	io_timer_stop(api_of(r)->loop, &r->timer);
	if (list_on(&at->turn))
		list_remove(&api_of(r)->turns, &at->turn);
	at->what = AT_GONE;
	if (at->holds_slot)
		slot_leave(api_of(r), 0);
	at->holds_slot = false;
}

/* --- requests --- */

static bool is_quick(struct api *a)
{
	const struct api_cfg *cfg = &a->cfg;
	if (cfg->slow_each)
		return ++a->begun % cfg->slow_each != 0;
	return cfg->quick > 0 && rng_unit(&a->rng) < cfg->quick;
}

static ns_t draw_time(struct api *a)
{
	const struct api_cfg *cfg = &a->cfg;
	if (cfg->mean_for)
		return (ns_t)rng_exponential(&a->rng, (double)cfg->mean_for);
	if (is_quick(a))
		return cfg->quick_for;
	return cfg->min_for +
	       (ns_t)rng_below(&a->rng, (uint64_t)(cfg->max_for - cfg->min_for) + 1);
}

static enum fate draw_fate(struct api *a)
{
	const struct api_cfg *cfg = &a->cfg;
	double to_resets = cfg->resets, to_cuts = to_resets + cfg->cuts;
	if (to_cuts + cfg->half_closes <= 0)
		return FATE_WHOLE;
	double drawn = rng_unit(&a->rng);
	if (drawn < to_resets)
		return FATE_RESET;
	if (drawn < to_cuts)
		return FATE_CUT;
	return drawn < to_cuts + cfg->half_closes ? FATE_HALF_CLOSE : FATE_WHOLE;
}

static uint32_t id_count(const struct api *a)
{
	return a->cfg.ids ? a->cfg.ids : API_IDS;
}

static void count_id(struct api *a, const char *head)
{
	const char *slash = strchr(head, '/');
	CHECK(memcmp(head, "GET /", 5) == 0 || memcmp(head, "POST /", 6) == 0);
	unsigned long id = strtoul(slash + 1, NULL, 10);
	CHECK(id < id_count(a));
	if (a->handled[id] < UINT8_MAX)
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

/* Requests whose turn it is. */
static void work(struct api *a)
{
	struct list_node *n;
	while ((!a->cfg.workers || a->running < a->cfg.workers) &&
		(n = list_pop_front(&a->turns))) {
		struct at *at = CONTAINER_OF(n, struct at, turn);
		a->running++;
		at->handled++;
		at->what = AT_WORK;
		io_timer_set(
			a->loop, &at->conn->timer, ns_add(io_now(a->loop), draw_time(a)));
	}
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
	at->fate = draw_fate(a);
	if (a->cfg.by_request)
		slot_take(a);
	at->what = AT_TURN;
	io_timer_stop(a->loop, &r->timer);
	list_push_back(&a->turns, &at->turn);
	work(a);
}

#define CLOSING "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nok\n"
#define KEEPING "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

static void answer(struct raw *r)
{
	struct api *a = api_of(r);
	struct at *at = r->ctx;
	const uint32_t last = a->cfg.close_each ? 1 : a->cfg.requests_max;
	const bool says = last && at->handled >= last;
	bool close = says || r->end != ERR_AGAIN;
	if (at->fate == FATE_CUT) {
		a->cut++;
		raw_send(r, slice_cut(SLICE(KEEPING), 0, sizeof(KEEPING) - 3));
	}
	if (at->fate == FATE_RESET || at->fate == FATE_CUT) {
		raw_close(r, IO_CLOSE_RESET);
		return;
	}
	a->answered += r->end == ERR_AGAIN;
	raw_say(r, says ? CLOSING : KEEPING);
	if (close) {
		raw_close(r, IO_CLOSE_FIN);
	} else if (at->fate == FATE_HALF_CLOSE) {
		at->what = AT_PARTING;
		raw_shutdown(r);
	} else {
		await_next(r);
	}
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
	answer(r);
	work(a);
}

/* While a handler runs. */
static void on_hang_up(struct raw *r)
{
	struct api *a = api_of(r);
	struct at *at = r->ctx;
	bool stands_in = a->cfg.stands_in;
	if (!stands_in && !(a->cfg.notices > 0 && rng_unit(&a->rng) < a->cfg.notices))
		return;
	a->running--;
	if (stands_in) {
		slot_leave(a, r->timer.at - io_now(a->loop));
		at->holds_slot = false;
	} else if (a->cfg.by_request) {
		a->used--;
	}
	raw_close(r, IO_CLOSE_FIN);
}

static void on_bytes(struct raw *r)
{
	struct at *at = r->ctx;
	if (at->what == AT_IDLE)
		await_next(r);
	else if (at->what == AT_WORK && r->end != ERR_AGAIN)
		on_hang_up(r);
	else if ((at->what == AT_PARTING || at->what == AT_BACKLOG) &&
		 r->end != ERR_AGAIN)
		raw_close(r, IO_CLOSE_FIN);
}

/* Connections in the backlog, the oldest first. */
static void take_waiting(struct api *a)
{
	for (uint32_t k = 0; a->cfg.stalls && k < a->server_count; k++) {
		LIST_EACH (&a->servers[k].conns, n, after) {
			struct raw *r = CONTAINER_OF(n, struct raw, node);
			struct at *at = r->ctx;
			if (a->used >= a->cfg.limit)
				return;
			if (at->what != AT_BACKLOG)
				continue;
			at->holds_slot = true;
			slot_take(a);
			await_next(r);
		}
	}
}

/* Those that have closed are not kept: there may be many in a day. */
static void sweep(struct raw_server *s, const struct raw *but)
{
	struct list_node *next;
	for (struct list_node *n = list_front(&s->conns); n; n = next) {
		struct raw *r = CONTAINER_OF(n, struct raw, node);
		next = n->next == &s->conns.head ? NULL : n->next;
		if (r == but || io_is_open(&r->sock))
			continue;
		list_remove(&s->conns, n);
		mem_free(r->ctx);
		raw_fini(r);
		mem_free(r);
	}
}

static void on_accept(struct raw_server *s, struct raw *r)
{
	struct api *a = s->ctx;
	struct at *at = mem_zalloc(sizeof(*at));
	sweep(s, r);
	r->ctx = at;
	at->conn = r;
	r->timer.on_fire = on_timer;
	r->on_closed = on_closed;
	a->accepted++;
	if (a->cfg.stalls && a->used >= a->cfg.limit) {
		at->what = AT_BACKLOG;
		return;
	}
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

void api_listen(struct api *a, struct io_loop *loop, const char *at)
{
	CHECK(a->server_count < API_SERVERS);
	uint32_t k = a->server_count++;
	a->hosts[k] = loop;
	a->at[k] = at;
	a->servers[k] = (struct raw_server){
		.on_accept = on_accept, .on_bytes = on_bytes, .ctx = a
	};
	raw_server_listen(&a->servers[k], loop, at);
}

static void on_up_again(struct timer *t)
{
	struct api *a = CONTAINER_OF(t, struct api, up_again);
	uint32_t n = a->server_count;
	a->server_count = 0;
	while (a->server_count < n)
		api_listen(a, a->hosts[a->server_count], a->at[a->server_count]);
}

void api_init(
	struct api *a, struct io_loop *loop, const char *at, const struct api_cfg *cfg)
{
	*a = (struct api){ .cfg = *cfg, .loop = loop };
	rng_init(&a->rng, cfg->seed);
	list_init(&a->leaving);
	list_init(&a->turns);
	a->handled = mem_zalloc(id_count(a));
	a->up_again.on_fire = on_up_again;
	api_listen(a, loop, at);
}

/* All that a dying process leaves. */
static void die(struct api *a, enum io_close how)
{
	struct list_node *n;
	for (uint32_t k = 0; k < a->server_count; k++) {
		LIST_EACH (&a->servers[k].conns, c, after) {
			struct raw *r = CONTAINER_OF(c, struct raw, node);
			struct at *at = r->ctx;
			if (at->what == AT_WORK) {
				a->running--;
				a->used -= a->cfg.by_request;
			}
			raw_close(r, how);
		}
	}
	while ((n = list_front(&a->leaving))) {
		struct leave *l = CONTAINER_OF(n, struct leave, node);
		io_timer_stop(a->loop, &l->timer);
		on_left(&l->timer);
	}
	for (uint32_t k = 0; k < a->server_count; k++) {
		sweep(&a->servers[k], NULL);
		raw_server_fini(&a->servers[k]);
	}
	io_timer_stop(a->loop, &a->up_again);
}

void api_restart(struct api *a, enum io_close how, ns_t down_for)
{
	if (timer_is_set(&a->up_again))
		return; /* it is down */
	die(a, how);
	CHECK(a->used == 0 && a->running == 0);
	io_timer_set(a->loop, &a->up_again, ns_add(io_now(a->loop), down_for));
}

void api_fini(struct api *a)
{
	if (timer_is_set(&a->up_again))
		a->server_count = 0;
	die(a, IO_CLOSE_FIN);
	mem_free(a->handled);
}
