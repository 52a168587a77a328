#include "watch/aged.h"

enum { OLD_MS = 1000 };

struct reading {
	struct diag_visitor visitor;
	struct aged *aged;
};

static bool is_open(enum diag_state s)
{
	return s == DIAG_ESTABLISHED || s == DIAG_CLOSE_WAIT;
}

static void count(struct aged_part *p, const struct diag_sock *s, uint32_t bytes)
{
	if (!p->n++ || bytes > p->most)
		*p = (struct aged_part){ p->n, p->bytes, bytes, *s };
	p->bytes += bytes;
}

static void on_sock(struct diag_visitor *v, const struct diag_sock *s)
{
	struct aged *a = CONTAINER_OF(v, struct reading, visitor)->aged;

	if (!s->has_info)
		return;
	a->close_wait += s->state == DIAG_CLOSE_WAIT && s->info.last_ack_ms >= OLD_MS;
	if (s->state == DIAG_ESTABLISHED && s->inode && s->rqueue &&
		s->info.last_recv_ms >= OLD_MS)
		count(&a->unread, s, s->rqueue);
	if (is_open(s->state) && s->timer == DIAG_TIMER_PROBE &&
		s->info.last_sent_ms >= OLD_MS)
		count(&a->untaken, s, s->wqueue);
}

static void on_restart(struct diag_visitor *v)
{
	*CONTAINER_OF(v, struct reading, visitor)->aged = (struct aged){ 0 };
}

/* The states of which some may be old; 0: none. */
static uint32_t states_to_ask(const struct snap *snap)
{
	uint32_t close_wait = 0, unread = 0, untaken = 0, i = 0;
	const struct snap_sock *s;

	while ((s = snap_next(snap, &i))) {
		close_wait += s->state == DIAG_CLOSE_WAIT;
		unread += s->state == DIAG_ESTABLISHED && s->inode && s->rqueue;
		untaken += is_open((enum diag_state)s->state) &&
			   s->timer == DIAG_TIMER_PROBE;
	}
	return (close_wait >= AGED_CLOSE_WAIT_MIN || untaken ? DIAG_BIT(DIAG_CLOSE_WAIT)
							     : 0) |
	       (unread >= AGED_UNREAD_MIN || untaken ? DIAG_BIT(DIAG_ESTABLISHED) : 0);
}

bool aged_read(struct aged *a, struct diag *diag, const struct snap *snap)
{
	struct reading r = { { on_sock, on_restart }, a };
	const struct diag_ask ask = { .states = states_to_ask(snap), .info = true };
	struct diag_report dump;

	*a = (struct aged){ 0 };
	return ask.states && diag_dump(diag, &ask, &r.visitor, &dump) == ERR_OK;
}
