#include "io/sim/event.h"

#define ARITY 4

void events_init(struct event_queue *q)
{
	*q = (struct event_queue){ 0 };
	slab_init(&q->events, sizeof(struct event), 0);
}

void events_fini(struct event_queue *q)
{
	for (uint32_t i = 0; i < q->len; i++)
		slab_give(&q->events, q->heap[i].event);
	slab_fini(&q->events);
	mem_free(q->heap);
	*q = (struct event_queue){ 0 };
}

static bool is_before(const struct event_entry *a, const struct event_entry *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void events_post(struct event_queue *q, const struct event *e)
{
	struct event_entry entry = { e->at, q->order++, slab_take(&q->events) };

	*entry.event = *e;
	if (q->len == q->cap) {
		q->cap = q->cap ? q->cap * 2 : 256;
		q->heap = mem_realloc(q->heap, q->cap * sizeof(*q->heap));
	}
	uint32_t i = q->len++;
	while (i > 0 && is_before(&entry, &q->heap[(i - 1) / ARITY])) {
		q->heap[i] = q->heap[(i - 1) / ARITY];
		i = (i - 1) / ARITY;
	}
	q->heap[i] = entry;
}

/* Puts `entry` into the hole at the top. */
static void sift_down(struct event_queue *q, struct event_entry entry)
{
	uint32_t i = 0;

	for (;;) {
		uint32_t first = i * ARITY + 1, least = first;
		if (first >= q->len)
			break;
		for (uint32_t c = first + 1; c < first + ARITY && c < q->len; c++)
			if (is_before(&q->heap[c], &q->heap[least]))
				least = c;
		if (!is_before(&q->heap[least], &entry))
			break;
		q->heap[i] = q->heap[least];
		i = least;
	}
	q->heap[i] = entry;
}

struct event events_pop(struct event_queue *q)
{
	CHECK(q->len > 0);
	struct event e = *q->heap[0].event;

	slab_give(&q->events, q->heap[0].event);
	q->len--;
	if (q->len > 0)
		sift_down(q, q->heap[q->len]);
	return e;
}
