#include "io/sim.h"
#include "tests/unit/io/bed.h"

#define LIMIT (10 * NS_S)

const char bed_name[] = "sim";

struct world {
	struct sim *sim;
	struct sim_cfg cfg;
	uint32_t names;
};

void bed_init(struct bed *b)
{
	struct world *w = mem_zalloc(sizeof(*w));

	w->cfg = (struct sim_cfg){ .seed = 1 };
	w->sim = sim_new(&w->cfg);
	b->twin = w;
	b->client = sim_host(w->sim, "10.0.0.1");
	b->server = sim_host(w->sim, "10.0.0.2");
}

void bed_fini(struct bed *b)
{
	struct world *w = b->twin;

	sim_free(&w->sim);
	assert_null(w->sim);
	mem_free(w);
}

void bed_addr(struct bed *b, enum bed_kind kind, struct addr *out)
{
	struct world *w = b->twin;
	struct problem p = { 0 };
	struct text t;

	text_init(&t);
	if (kind == BED_UNIX)
		text_addf(&t, "unix:name-%u", w->names++);
	else
		text_add(&t, "10.0.0.2:0");
	assert_true(addr_parse(text_slice(&t), out, &p));
	text_fini(&t);
}

struct watch {
	struct io_turn_hook hook;
	bool (*done)(const void *arg);
	const void *arg;
	bool is_done;
};

static void ask(struct io_turn_hook *h)
{
	struct watch *w = CONTAINER_OF(h, struct watch, hook);
	w->is_done |= w->done(w->arg);
}

void bed_until(struct bed *b, bool (*done)(const void *arg), const void *arg)
{
	struct world *w = b->twin;
	ns_t limit = sim_now(w->sim) + LIMIT;
	struct watch client = { .hook.fn = ask, .done = done, .arg = arg };
	struct watch server = client;

	io_turn_hook_add(b->client, &client.hook);
	io_turn_hook_add(b->server, &server.hook);
	while (!done(arg) && !client.is_done && !server.is_done) {
		if (sim_now(w->sim) >= limit || !sim_run(w->sim, sim_now(w->sim) + NS_US))
			break;
	}
	io_turn_hook_remove(b->client, &client.hook);
	io_turn_hook_remove(b->server, &server.hook);
	assert_true(done(arg));
}

void bed_settle(struct bed *b)
{
	struct world *w = b->twin;
	(void)sim_run(w->sim, sim_now(w->sim) + 5 * NS_MS);
}

void bed_run_out(struct bed *b)
{
	struct world *w = b->twin;
	assert_false(sim_run(w->sim, NS_NEVER));
}

void bed_limit_fds(struct bed *b, uint32_t open, uint32_t more)
{
	struct world *w = b->twin;

	w->cfg.fd_max = more == UINT32_MAX ? 0 : open + more;
	sim_set(w->sim, &w->cfg);
}
