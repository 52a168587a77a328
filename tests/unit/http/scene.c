#include "scene.h"

#define AT "10.0.0.2:80"
#define FIRST_WRITE "HTTP/1.1 503 Service Unavailable\r\n"
#define SECOND_WRITE \
	"Connection: close\r\nServer: fasthttp\r\n" \
	"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n" \
	"Content-Length: 73\r\n\r\n" \
	"The connection cannot be served because Server.Concurrency limit " \
	"exceeded"

struct upstream_cfg scene_upstream(void)
{
	struct upstream_cfg cfg = caller_upstream(4);
	cfg.queue_for = NS_S;
	cfg.endpoint_count = 1;
	raw_addr(AT, &cfg.endpoints[0]);
	return cfg;
}

/* --- the server --- */

static void on_raw_timer(struct timer *t)
{
	struct raw *r = CONTAINER_OF(t, struct raw, timer);
	struct scene *s = r->server->ctx;
	if (r->ctx) {
		raw_close(r, s->how);
		return;
	}
	raw_say(r, s->answer);
	if (s->close_in == NS_NEVER)
		return;
	ns_t in = s->close_in;
	if (s->close_jitter)
		in += (ns_t)rng_below(&s->rng, (uint64_t)s->close_jitter);
	if (in == 0) {
		raw_close(r, s->how);
		return;
	}
	r->ctx = s; /* the next time it closes */
	io_timer_set(s->bed.far, t, ns_add(io_now(s->bed.far), in));
}

static void on_raw_closed(struct raw *r)
{
	struct scene *s = r->server->ctx;
	io_timer_stop(s->bed.far, &r->timer);
	s->open--;
}

static void refuse(struct raw *r)
{
	raw_say(r, FIRST_WRITE);
	raw_say(r, SECOND_WRITE);
	raw_close(r, IO_CLOSE_FIN);
}

static void on_raw_accept(struct raw_server *server, struct raw *r)
{
	struct scene *s = server->ctx;
	r->timer.on_fire = on_raw_timer;
	r->on_closed = on_raw_closed;
	s->open++;
	if (s->open > s->peak)
		s->peak = s->open;
	if (s->refuses)
		refuse(r);
}

/* Each empty line ends a request: what the tests send to it has no body, or does not matter. */
static void on_raw_bytes(struct raw *r)
{
	struct scene *s = r->server->ctx;
	const char *end;
	if (r->end != ERR_AGAIN) {
		if (s->close_in == NS_NEVER)
			raw_close(r, IO_CLOSE_FIN);
		return;
	}
	while ((end = memmem(
			r->in.ptr + r->parsed, r->in.len - r->parsed, "\r\n\r\n", 4))) {
		r->parsed = (size_t)(end - r->in.ptr) + 4;
		s->requests++;
		r->ctx = NULL;
		if (s->answer && s->answer_in)
			io_timer_set(s->bed.far, &r->timer,
				ns_add(io_now(s->bed.far), s->answer_in));
		else if (s->answer)
			on_raw_timer(&r->timer);
	}
}

void scene_init(
	struct scene *s, const struct sim_cfg *sim, const struct upstream_cfg *cfg)
{
	static const struct sim_cfg plain = { .seed = 1 };
	const struct worker_cfg few = { .clients = 1, .servers = 8 };
	const struct upstream_cfg dflt = scene_upstream();
	*s = (struct scene){ .answer = ANSWER, .close_in = NS_NEVER };
	rng_init(&s->rng, 7);
	bed_init(&s->bed, sim ? sim : &plain, &few);
	s->server.on_accept = on_raw_accept;
	s->server.on_bytes = on_raw_bytes;
	s->server.ctx = s;
	raw_server_listen(&s->server, s->bed.far, AT);
	s->up = upstream_new(&s->bed.worker, cfg ? cfg : &dflt);
}

void scene_close_raws(struct scene *s)
{
	LIST_EACH (&s->server.conns, n, after)
		raw_close(CONTAINER_OF(n, struct raw, node), IO_CLOSE_FIN);
}

void scene_fini(struct scene *s)
{
	upstream_free(&s->up);
	scene_close_raws(s);
	raw_server_fini(&s->server);
	bed_fini(&s->bed);
}

void scene_end(struct scene *s, struct job *j)
{
	job_fini(j);
	scene_fini(s);
}

uint32_t scene_in(const struct scene *s, enum slot_state state)
{
	return upstream_slots(s->up)->in[state].len;
}

uint32_t scene_used(const struct scene *s)
{
	return slots_used(upstream_slots(s->up));
}

void fill(struct text *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_add_char(t, (char)('a' + i % 23));
}
