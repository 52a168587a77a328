#include "http/books.h"

#include <pthread.h>
#include <stdatomic.h>

struct books {
	pthread_mutex_t lock; /* over accounts */
	_Atomic uint32_t refs;
	struct accounts accounts;
};

static void lock(struct accounts *a)
{
	CHECK(pthread_mutex_lock(&CONTAINER_OF(a, struct books, accounts)->lock) == 0);
}

static void unlock(struct accounts *a)
{
	CHECK(pthread_mutex_unlock(&CONTAINER_OF(a, struct books, accounts)->lock) == 0);
}

struct books *books_new(void)
{
	struct books *b = mem_zalloc(sizeof(*b));
	CHECK(pthread_mutex_init(&b->lock, NULL) == 0);
	b->refs = 1;
	accounts_init(&b->accounts);
	b->accounts.lock = lock;
	b->accounts.unlock = unlock;
	return b;
}

void books_ref(struct books *b)
{
	b->refs++;
}

void books_unref(struct books **bp)
{
	struct books *b = *bp;
	*bp = NULL;
	if (!b || --b->refs > 0)
		return;
	accounts_fini(&b->accounts);
	pthread_mutex_destroy(&b->lock);
	mem_free(b);
}

struct accounts *books_accounts(struct books *b)
{
	return &b->accounts;
}
