#include "tests/unit/io/bed.h"

#define LIMIT (10 * NS_S)

const char bed_name[] = "uv";

struct world {
	char dir[64];
	uint32_t names;
	struct rlimit limit;
};

void bed_init(struct bed *b)
{
	struct world *w = mem_zalloc(sizeof(*w));

	memcpy(w->dir, "/tmp/weir-io-XXXXXX", sizeof("/tmp/weir-io-XXXXXX"));
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &w->limit), 0);
	b->twin = w;
	b->client = b->server = io_loop_new(NULL);
}

void bed_fini(struct bed *b)
{
	struct world *w = b->twin;

	io_loop_free(&b->client);
	assert_null(b->client);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &w->limit), 0);
	assert_int_equal(rmdir(w->dir), 0); /* no socket file is left */
	mem_free(w);
}

void bed_addr(struct bed *b, enum bed_kind kind, struct addr *out)
{
	struct world *w = b->twin;
	struct problem p = { 0 };
	struct text t;

	text_init(&t);
	if (kind == BED_UNIX)
		text_addf(&t, "unix:%s/%u", w->dir, w->names++);
	else
		text_add(&t, "127.0.0.1:0");
	assert_true(addr_parse(text_slice(&t), out, &p));
	text_fini(&t);
}

struct watch {
	struct io_turn_hook hook;
	struct timer limit;
	struct io_loop *loop;
	bool (*done)(const void *arg);
	const void *arg;
};

static void ask(struct io_turn_hook *h)
{
	struct watch *w = CONTAINER_OF(h, struct watch, hook);
	if (w->done(w->arg))
		io_loop_stop(w->loop);
}

static void too_late(struct timer *t)
{
	(void)t;
	fail_msg("it has not happened within the time");
}

void bed_until(struct bed *b, bool (*done)(const void *arg), const void *arg)
{
	struct watch w = { .hook.fn = ask,
		.limit.on_fire = too_late,
		.loop = b->client,
		.done = done,
		.arg = arg };

	if (done(arg))
		return;
	io_turn_hook_add(b->client, &w.hook);
	io_timer_set(b->client, &w.limit, io_clock(b->client) + LIMIT);
	io_loop_run(b->client);
	io_timer_stop(b->client, &w.limit);
	io_turn_hook_remove(b->client, &w.hook);
	assert_true(done(arg));
}

struct turns {
	struct io_defer defer;
	struct io_loop *loop;
	uint32_t left;
};

static void next_turn(struct io_defer *d)
{
	struct turns *t = CONTAINER_OF(d, struct turns, defer);
	if (--t->left == 0)
		io_loop_stop(t->loop);
	else
		io_defer(t->loop, d);
}

/* On loopback the other end has it when the system call returns: some turns tell all. */
void bed_settle(struct bed *b)
{
	struct turns t = { .defer.fn = next_turn, .loop = b->client, .left = 20 };

	io_defer(b->client, &t.defer);
	io_loop_run(b->client);
}

void bed_run_out(struct bed *b)
{
	io_loop_run(b->client);
}

/* The lowest free number must be at the limit: those below it are filled first. */
void bed_limit_fds(struct bed *b, uint32_t open, uint32_t more)
{
	(void)open; /* the kernel knows */
	struct world *w = b->twin;
	struct rlimit limit = w->limit;
	int fds[256];
	uint32_t n = 0;

	if (more != UINT32_MAX) {
		assert_true(more < ARRAY_LEN(fds));
		while (n <= more)
			assert_true((fds[n++] = dup(STDERR_FILENO)) >= 0);
		limit.rlim_cur = (rlim_t)fds[n - 1];
	}
	while (n > 0)
		close(fds[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
