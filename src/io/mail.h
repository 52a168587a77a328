/*
 * mail: letters from one thread to another thread's loop: the only way to it.
 *
 * MODEL   A letter is embedded in what its sender wants to be known. It is on its way from
 *         io_mail until its on_read begins; then it, and what it is embedded in, are the
 *         reader's (who may send it back, or on).
 * RULES   1. on_read runs in the mailbox's thread, never inside io_mail, and once a letter.
 *         2. Letters of one sender are read in the order sent.
 *         3. What the sender wrote before io_mail is seen by on_read.
 *         4. A mailbox does not keep its loop running.
 *         5. Nobody mails to a mailbox that is being freed: its threads agree on that first.
 *            What is left in it then is read inside io_mailbox_free.
 * CONTEXT io_mail: any thread. All else: the loop's.
 * COST    a system call for the first letter that a resting loop gets, none for the others.
 */
#ifndef WEIR_IO_MAIL_H
#define WEIR_IO_MAIL_H

#include "io/loop.h"

struct io_letter {
	struct io_letter *next; /* the mailbox's */
	void (*on_read)(struct io_letter *l);
};

struct io_mailbox;

struct io_mailbox *io_mailbox_new(struct io_loop *loop);
void io_mailbox_free(struct io_mailbox **m); /* before its loop */
void io_mail(struct io_mailbox *to, struct io_letter *l);

#endif
