#include "io/mail.h"

/* All loops of a world are one thread's: a letter is a deferred call of its reader's loop. */
struct io_mailbox {
	struct io_loop *loop;
	struct io_defer bell;
	struct io_letter *first, **end;
};

static void read_all(struct io_mailbox *m)
{
	struct io_letter *l = m->first;
	m->first = NULL;
	m->end = &m->first;
	while (l) {
		struct io_letter *next = l->next;
		l->next = NULL;
		l->on_read(l);
		l = next;
	}
}

static void on_bell(struct io_defer *d)
{
	read_all(CONTAINER_OF(d, struct io_mailbox, bell));
}

struct io_mailbox *io_mailbox_new(struct io_loop *loop)
{
	struct io_mailbox *m = mem_zalloc(sizeof(*m));
	m->loop = loop;
	m->bell.fn = on_bell;
	m->end = &m->first;
	return m;
}

void io_mailbox_free(struct io_mailbox **handle)
{
	struct io_mailbox *m = *handle;
	if (!m)
		return;
	while (m->first)
		read_all(m);
	io_defer_cancel(m->loop, &m->bell);
	mem_free(m);
	*handle = NULL;
}

void io_mail(struct io_mailbox *to, struct io_letter *l)
{
	CHECK(l->on_read);
	l->next = NULL;
	*to->end = l;
	to->end = &l->next;
	io_defer(to->loop, &to->bell);
}
