/*
 * books: flow/accounts for an upstream, over all threads that have a seat in it, with the lock that
 * they need.
 *
 * OWNS    counted: each seat's upstream holds it.
 * CONTEXT any thread.
 */
#ifndef WEIR_HTTP_BOOKS_H
#define WEIR_HTTP_BOOKS_H

#include "flow/accounts.h"

struct books;

struct books *books_new(void);
void books_ref(struct books *b);
void books_unref(struct books **b);
struct accounts *books_accounts(struct books *b);

#endif
