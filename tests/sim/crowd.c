#include "tests/sim/crowd.h"

struct client {
	struct list_node node;
	struct raw raw;
	struct crowd *crowd;
	ns_t came_at;
	bool over, impatient;
};

static struct client *client_of(struct raw *r)
{
	return CONTAINER_OF(r, struct client, raw);
}

/* Status of a whole answer, 0 when more is to come. */
static unsigned whole_answer(struct crowd *c, struct slice in)
{
	static const char length[] = "\r\nContent-Length: ";
	const char *end = memmem(in.ptr, in.len, "\r\n\r\n", 4);
	if (!end)
		return 0;
	size_t head = (size_t)(end - in.ptr) + 4;
	const char *field = memmem(in.ptr, head, length, sizeof(length) - 1);
	CHECK(field && slice_starts(in, SLICE("HTTP/1.1 ")));
	size_t body = strtoul(field + sizeof(length) - 1, NULL, 10);
	if (in.len < head + body)
		return 0;
	c->twice += in.len > head + body;
	return (unsigned)strtoul(in.ptr + 9, NULL, 10);
}

static bool is_refusal(const struct raw *r)
{
	static const char words[] = "Server.Concurrency limit exceeded";
	return memmem(r->in.ptr, r->in.len, words, sizeof(words) - 1) != NULL;
}

static void client_end(struct client *k)
{
	struct crowd *c = k->crowd;
	k->over = true;
	c->open--;
	list_remove(&c->clients, &k->node);
	list_push_back(&c->gone, &k->node);
	io_timer_stop(c->loop, &k->raw.timer);
	raw_close(&k->raw, IO_CLOSE_FIN);
}

static void on_bytes(struct raw *r)
{
	struct client *k = client_of(r);
	struct crowd *c = k->crowd;
	unsigned status = r->in.len ? whole_answer(c, text_slice(&r->in)) : 0;
	if (k->over)
		return;
	c->refusals += status >= 400 && is_refusal(r);
	if (status == 200)
		c->good++;
	else if (status)
		c->errors[status]++;
	else if (r->end != ERR_AGAIN)
		c->broken++;
	else
		return;
	if (status && c->on_answer)
		c->on_answer(c, status, io_now(c->loop) - k->came_at);
	client_end(k);
}

static void on_impatience(struct timer *t)
{
	struct client *k = client_of(CONTAINER_OF(t, struct raw, timer));
	if (k->impatient)
		k->crowd->left++;
	else
		k->crowd->broken++;
	client_end(k);
}

static void free_gone(struct crowd *c)
{
	struct list_node *n;
	while ((n = list_pop_front(&c->gone))) {
		struct client *k = CONTAINER_OF(n, struct client, node);
		raw_fini(&k->raw);
		mem_free(k);
	}
}

/* A function of the number alone: nobody need keep who it was. */
bool crowd_posts(const struct crowd *c, uint64_t number)
{
	struct rng rng;
	if (c->cfg.posts <= 0)
		return false;
	rng_init(&rng, c->cfg.seed ^ (number * 2 + 1));
	return rng_unit(&rng) < c->cfg.posts;
}

static void arrive(struct crowd *c)
{
	struct client *k = mem_zalloc(sizeof(*k));
	char text[96];
	bool post = crowd_posts(c, c->arrived);
	raw_init(&k->raw);
	k->crowd = c;
	k->came_at = io_now(c->loop);
	k->raw.on_bytes = on_bytes;
	k->raw.timer.on_fire = on_impatience;
	list_push_back(&c->clients, &k->node);
	snprintf(text, sizeof(text), "%s /%llu HTTP/1.1\r\nHost: api\r\n%s%s\r\n",
		post ? "POST" : "GET", (unsigned long long)c->arrived,
		post ? "Content-Length: 0\r\n" : "",
		c->arrived % 2 ? "Connection: close\r\n" : "");
	c->arrived++;
	c->open++;
	raw_connect(&k->raw, c->loop, &c->to);
	raw_say(&k->raw, text);
	if (c->cfg.half_open > 0 && rng_unit(&c->rng) < c->cfg.half_open)
		raw_shutdown(&k->raw);
	ns_t for_ns = c->cfg.broken_after;
	if (rng_unit(&c->rng) < c->cfg.impatient) {
		k->impatient = true;
		for_ns = (ns_t)rng_below(&c->rng, (uint64_t)c->cfg.impatient_for);
	}
	if (k->impatient || for_ns)
		io_timer_set(c->loop, &k->raw.timer, ns_add(io_now(c->loop), for_ns));
}

static void on_arrival(struct timer *t)
{
	struct crowd *c = CONTAINER_OF(t, struct crowd, arrivals);
	ns_t now = io_now(c->loop);
	free_gone(c);
	if (now >= c->ends_at)
		return;
	if (c->arrived || now > 0)
		arrive(c);
	ns_t gap = (ns_t)rng_exponential(&c->rng, (double)NS_S / c->cfg.rate);
	io_timer_set(c->loop, t, ns_add(now, gap));
}

void crowd_init(struct crowd *c, struct io_loop *loop, const struct addr *to,
	const struct crowd_cfg *cfg)
{
	*c = (struct crowd){ .cfg = *cfg, .loop = loop, .to = *to };
	rng_init(&c->rng, cfg->seed);
	list_init(&c->clients);
	list_init(&c->gone);
	c->ends_at = ns_add(io_now(loop), cfg->for_ns);
	c->arrivals.on_fire = on_arrival;
	io_timer_set(loop, &c->arrivals, ns_add(io_now(loop), NS_MS));
}

void crowd_fini(struct crowd *c)
{
	struct list_node *n;
	io_timer_stop(c->loop, &c->arrivals);
	while ((n = list_front(&c->clients)))
		client_end(CONTAINER_OF(n, struct client, node));
	free_gone(c);
}

uint64_t crowd_errors(const struct crowd *c)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < ARRAY_LEN(c->errors); i++)
		sum += c->errors[i];
	return sum;
}
