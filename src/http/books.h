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
#include "flow/holds.h"

struct books;

struct books *books_new(void);
void books_ref(struct books *b);
void books_unref(struct books **b);
struct accounts *books_accounts(struct books *b);
/* Under the lock of the accounts. Made when first asked for: 27 KiB, which only a limit is worth. */
struct holds *books_holds(struct books *b, ns_t half_life);

#endif
