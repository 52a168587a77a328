#include "io/signals.h"

#include <signal.h>

#include "io/uv/uv_loop.h"

static const int watched[] = { SIGTERM, SIGINT, SIGHUP };

/* libuv needs its handles until the end of the turn in which they were closed. */
struct watch {
	struct io_signals *owner; /* NULL: unwatched */
	struct io_loop *loop;
	uv_signal_t signals[ARRAY_LEN(watched)];
	uint32_t open;
};

static void on_uv_signal(uv_signal_t *signal, int signum)
{
	struct watch *w = signal->data;
	uv_turn_start(w->loop);
	if (w->owner)
		w->owner->on_signal(w->owner, signum);
}

void io_signals_watch(struct io_loop *loop, struct io_signals *s)
{
	struct watch *w = mem_zalloc(sizeof(*w));

	CHECK(!s->loop && s->on_signal);
	w->owner = s;
	w->loop = loop;
	s->loop = loop;
	s->twin = w;
	loop->signal_count++;
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	for (size_t i = 0; i < ARRAY_LEN(watched); i++) {
		uv_signal_t *h = &w->signals[i];
		CHECK(uv_signal_init(&loop->uv, h) == 0);
		CHECK(uv_signal_start(h, on_uv_signal, watched[i]) == 0);
		uv_unref((uv_handle_t *)h);
		h->data = w;
		w->open++;
	}
}

static void on_closed(uv_handle_t *h)
{
	struct watch *w = h->data;
	if (--w->open == 0)
		mem_free(w);
}

void io_signals_unwatch(struct io_signals *s)
{
	struct watch *w = s->twin;

	if (!s->loop)
		return;
	s->loop->signal_count--;
	w->owner = NULL;
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		uv_close((uv_handle_t *)&w->signals[i], on_closed);
	s->loop = NULL;
	s->twin = NULL;
}
