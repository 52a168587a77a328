#include "io/mail.h"

#include <stdatomic.h>

#include "io/uv/uv_loop.h"

struct io_mailbox {
	uv_async_t bell;
	struct io_loop *loop;
	_Atomic(struct io_letter *) last; /* newest first; NULL: empty */
};

/* Oldest first. */
static struct io_letter *take_all(struct io_mailbox *m)
{
	struct io_letter *l = atomic_exchange_explicit(
		&m->last, NULL, memory_order_acquire);
	struct io_letter *first = NULL;
	while (l) {
		struct io_letter *before = l->next;
		l->next = first;
		first = l;
		l = before;
	}
	return first;
}

static bool read_all(struct io_mailbox *m)
{
	struct io_letter *l = take_all(m);
	bool any = l != NULL;
	while (l) {
		struct io_letter *next = l->next;
		l->next = NULL;
		l->on_read(l);
		l = next;
	}
	return any;
}

static void on_bell(uv_async_t *bell)
{
	struct io_mailbox *m = CONTAINER_OF(bell, struct io_mailbox, bell);
	uv_turn_start(m->loop);
	(void)read_all(m);
}

struct io_mailbox *io_mailbox_new(struct io_loop *loop)
{
	struct io_mailbox *m = mem_zalloc(sizeof(*m));
	m->loop = loop;
	atomic_init(&m->last, NULL);
	CHECK(uv_async_init(&loop->uv, &m->bell, on_bell) == 0);
	uv_unref((uv_handle_t *)&m->bell);
	return m;
}

static void on_closed(uv_handle_t *h)
{
	mem_free(CONTAINER_OF(h, struct io_mailbox, bell));
}

void io_mailbox_free(struct io_mailbox **handle)
{
	struct io_mailbox *m = *handle;
	if (!m)
		return;
	while (read_all(m))
		;
	uv_close((uv_handle_t *)&m->bell, on_closed);
	*handle = NULL;
}

/* Who finds letters there need not ring: who put the first one does. */
void io_mail(struct io_mailbox *to, struct io_letter *l)
{
	struct io_letter *last = atomic_load_explicit(&to->last, memory_order_relaxed);
	CHECK(l->on_read);
	do {
		l->next = last;
	} while (!atomic_compare_exchange_weak_explicit(
		&to->last, &last, l, memory_order_release, memory_order_relaxed));
	if (!last)
		CHECK(uv_async_send(&to->bell) == 0);
}
