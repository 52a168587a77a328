#include "tests/threads/crew.h"

#define LOOK_EACH (2 * NS_MS)

static ns_t soon(struct hand *h, ns_t max)
{
	return io_now(h->loop) + (ns_t)rng_below(&h->rng, (uint64_t)max);
}

/* --- a call --- */

static struct task *task_of(struct call *c)
{
	return CONTAINER_OF(c, struct task_call, call)->task;
}

static void on_ready(struct call *c)
{
	struct wire w;
	CHECK(call_begin(c, SLICE("GET"), SLICE("/"), &w));
	h1_put_field(&w, SLICE("Host"), call_endpoint(c));
	CHECK(call_head_end(c, &w, H1_BODY_NONE, 0));
	call_end(c);
}

static void on_head(struct call *c, const struct h1_head *head)
{
	(void)c;
	CHECK(head->status == 200);
}

static size_t on_data(struct call *c, struct slice data)
{
	(void)c;
	return data.len;
}

/* --- a task --- */

static void task_rest(struct task *t, ns_t within)
{
	struct hand *h = t->hand;
	t->n = 0;
	if (h->left == 0) {
		h->at_work--;
		io_timer_stop(h->loop, &t->timer);
		return;
	}
	io_timer_set(h->loop, &t->timer, soon(h, within));
}

static void on_end(struct call *c, enum err why)
{
	struct task *t = task_of(c);
	struct hand *h = t->hand;
	if (why == ERR_OK)
		h->answered++;
	else
		h->failed++;
	if (++t->over == t->n)
		task_rest(t, rng_below(&h->rng, 8) ? 1 : NS_MS);
}

static const struct call_ops ops = {
	.on_ready = on_ready, .on_head = on_head, .on_data = on_data, .on_end = on_end
};

static uint32_t how_many(struct hand *h)
{
	uint32_t n = 1, max = h->crew->cfg.limit;
	if (max > CREW_TOGETHER_MAX)
		max = CREW_TOGETHER_MAX;
	if (rng_below(&h->rng, 6) == 0)
		n += (uint32_t)rng_below(&h->rng, max);
	if (n > max)
		n = max;
	return n > h->left ? (uint32_t)h->left : n;
}

static void task_begin(struct task *t)
{
	struct hand *h = t->hand;
	struct call *calls[CREW_TOGETHER_MAX];
	if (h->left == 0) {
		task_rest(t, 0);
		return;
	}
	t->n = how_many(h);
	t->over = 0;
	uint64_t caller = rng_below(&h->rng, CREW_CALLERS);
	for (uint32_t i = 0; i < t->n; i++) {
		t->calls[i] = (struct task_call){ .task = t };
		calls[i] = &t->calls[i].call;
		calls[i]->ops = &ops;
		calls[i]->method = H1_GET;
		calls[i]->replayable = true;
		calls[i]->caller_key = caller;
		calls[i]->priority = (uint8_t)(caller % CALLERS_PRIORITIES);
	}
	if (upstream_submit(h->up, calls, t->n, NS_NEVER) != ERR_OK) {
		h->refused++;
		task_rest(t, NS_MS);
		return;
	}
	h->left -= t->n;
	h->made += t->n;
	uint32_t each = h->crew->give_up_each;
	if (each && rng_below(&h->rng, each) == 0)
		io_timer_set(h->loop, &t->timer, soon(h, 3 * NS_MS));
}

/* Of those that wait together, one takes the others along. */
static void task_give_up(struct task *t)
{
	struct hand *h = t->hand;
	for (uint32_t i = 0; i < t->n; i++)
		h->given_up += t->calls[i].call.state != CALL_OVER;
	for (uint32_t i = 0; i < t->n; i++)
		call_abandon(&t->calls[i].call, h->up);
	task_rest(t, NS_MS);
}

static void on_timer(struct timer *timer)
{
	struct task *t = CONTAINER_OF(timer, struct task, timer);
	if (t->n)
		task_give_up(t);
	else
		task_begin(t);
}

/* --- a thread --- */

/* Who is done stays, for its connections may be wanted. */
static void on_look(struct timer *timer)
{
	struct hand *h = CONTAINER_OF(timer, struct hand, look);
	struct crew *c = h->crew;
	if (h->at_work == 0 && !h->is_done) {
		h->is_done = true;
		atomic_fetch_sub(&c->working, 1);
	}
	if (atomic_load(&c->working) == 0) {
		upstream_retire(h->up);
		if (upstream_is_spent(h->up))
			return;
	}
	io_timer_set(h->loop, timer, io_now(h->loop) + LOOK_EACH);
}

static void hand_start(struct hand *h)
{
	for (uint32_t i = 0; i < CREW_TASKS; i++) {
		struct task *t = &h->tasks[i];
		t->hand = h;
		t->timer.on_fire = on_timer;
		io_timer_set(h->loop, &t->timer, soon(h, NS_MS));
	}
	h->at_work = CREW_TASKS;
	h->look.on_fire = on_look;
	io_timer_set(h->loop, &h->look, io_now(h->loop) + LOOK_EACH);
}

static void *work(void *arg)
{
	struct hand *h = arg;
	struct crew *c = h->crew;
	struct worker_cfg cfg = {
		.clients = 1, .servers = 1000, .all_servers = &c->servers
	};
	struct upstream_cfg up = c->cfg;
	rng_init(&h->rng, c->seed * 1000 + h->seat);
	h->loop = io_loop_new(NULL);
	h->mail = io_mailbox_new(h->loop);
	worker_init(&h->worker, h->loop, &cfg);
	up.share = c->share;
	up.books = c->books;
	up.vitals = c->vitals;
	up.hangups = c->hangups;
	up.seat = h->seat;
	up.mail = h->mail;
	h->up = upstream_new(&h->worker, &up);
	hand_start(h);
	io_loop_run(h->loop);
	h->stats = *upstream_stats(h->up);
	upstream_free(&h->up);
	pthread_barrier_wait(&c->barrier); /* nobody mails to anybody any more */
	io_mailbox_free(&h->mail);
	worker_fini(&h->worker);
	io_loop_free(&h->loop);
	return NULL;
}

void crew_run(struct crew *c)
{
	c->share = share_new(c->hands_len);
	c->books = books_new();
	c->vitals = vitals_new();
	c->hangups = hangups_new(c->seed);
	quota_init(&c->servers, 1000);
	c->hands = mem_zalloc(c->hands_len * sizeof(c->hands[0]));
	atomic_init(&c->working, c->hands_len);
	CHECK(pthread_barrier_init(&c->barrier, NULL, c->hands_len) == 0);
	for (uint32_t i = 0; i < c->hands_len; i++) {
		struct hand *h = &c->hands[i];
		h->crew = c;
		h->seat = i;
		h->left = c->calls;
		CHECK(pthread_create(&h->thread, NULL, work, h) == 0);
	}
	for (uint32_t i = 0; i < c->hands_len; i++)
		CHECK(pthread_join(c->hands[i].thread, NULL) == 0);
	pthread_barrier_destroy(&c->barrier);
}

void crew_fini(struct crew *c)
{
	share_unref(&c->share);
	books_unref(&c->books);
	vitals_unref(&c->vitals);
	hangups_unref(&c->hangups);
	mem_free(c->hands);
}
