#include "proxy/round.h"

static void on_read(struct io_letter *l)
{
	struct round *r = CONTAINER_OF(l, struct round, letter);
	struct hand *h = &r->crew->hands[r->at];
	if (h->proxy.server)
		r->visit(r, &h->proxy);
	if (r->at == 0) {
		r->done(r);
		return;
	}
	/* Downwards: in that order mailboxes are freed. */
	r->at--;
	io_mail(r->crew->hands[r->at].mail, &r->letter);
}

void round_begin(struct round *r, struct crew *c)
{
	r->crew = c;
	r->at = c->count - 1;
	r->letter.on_read = on_read;
	io_mail(c->hands[r->at].mail, &r->letter);
}
