#include "http/books.h"

#include "base/joint.h"

struct books {
	struct joint joint; /* its lock is over accounts */
	struct accounts accounts;
	struct holds *holds; /* NULL: nobody has asked for it */
};

static void lock(struct accounts *a)
{
	joint_lock(&CONTAINER_OF(a, struct books, accounts)->joint);
}

static void unlock(struct accounts *a)
{
	joint_unlock(&CONTAINER_OF(a, struct books, accounts)->joint);
}

struct books *books_new(void)
{
	struct books *b = mem_zalloc(sizeof(*b));
	joint_init(&b->joint);
	accounts_init(&b->accounts);
	b->accounts.lock = lock;
	b->accounts.unlock = unlock;
	return b;
}

void books_ref(struct books *b)
{
	joint_ref(&b->joint);
}

void books_unref(struct books **bp)
{
	struct books *b = *bp;
	*bp = NULL;
	if (!b || !joint_unref(&b->joint))
		return;
	accounts_fini(&b->accounts);
	mem_free(b->holds);
	mem_free(b);
}

struct accounts *books_accounts(struct books *b)
{
	return &b->accounts;
}

struct holds *books_holds(struct books *b, ns_t half_life)
{
	if (!b->holds) {
		b->holds = mem_zalloc(sizeof(*b->holds));
		holds_init(b->holds, half_life);
	}
	return b->holds;
}
