#include "io/turn.h"

void turn_init(struct io_turn *t)
{
	*t = (struct io_turn){ 0 };
	list_init(&t->hooks);
	list_init(&t->defers);
}

void turn_fini(struct io_turn *t)
{
	CHECK(t->defers.len == 0);
	CHECK(t->hooks.len == 0);
}

void turn_defer(struct io_turn *t, struct io_defer *d)
{
	CHECK(d->fn);
	if (!list_on(&d->node))
		list_push_back(&t->defers, &d->node);
}

void turn_defer_cancel(struct io_turn *t, struct io_defer *d)
{
	if (list_on(&d->node))
		list_remove(&t->defers, &d->node);
}

void turn_hook_add(struct io_turn *t, struct io_turn_hook *h)
{
	CHECK(h->fn);
	list_push_back(&t->hooks, &h->node);
}

void turn_hook_remove(struct io_turn *t, struct io_turn_hook *h)
{
	if (!list_on(&h->node))
		return;
	if (t->next_hook == &h->node)
		t->next_hook = h->node.next;
	list_remove(&t->hooks, &h->node);
}

static void run_defers(struct io_turn *t)
{
	if (t->defers.len == 0)
		return;
	list_push_back(&t->defers, &t->round_end);
	for (;;) {
		struct list_node *n = t->defers.head.next;
		list_remove(&t->defers, n);
		if (n == &t->round_end)
			return;
		struct io_defer *d = CONTAINER_OF(n, struct io_defer, node);
		d->fn(d);
	}
}

void turn_run(struct io_turn *t)
{
	t->next_hook = t->hooks.head.next;
	while (t->next_hook != &t->hooks.head) {
		struct io_turn_hook *h = CONTAINER_OF(
			t->next_hook, struct io_turn_hook, node);
		t->next_hook = h->node.next;
		h->fn(h);
	}
	t->next_hook = NULL;
	run_defers(t);
}
