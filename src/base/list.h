/*
 * list: intrusive, doubly linked, counted. State = which list an object is on, so counts
 * are list lengths and a limit and its gauge can never disagree.
 *
 * COST    16 bytes an object; every operation O(1).
 * RULES   1. A node is on at most one list.
 *         2. list_remove takes the list it is on.
 */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

#include "base/base.h"

struct list_node {
	struct list_node *next, *prev; /* next == NULL: on no list */
};

struct list {
	struct list_node head;
	uint32_t len;
};

static inline void list_init(struct list *l)
{
	l->head.next = l->head.prev = &l->head;
	l->len = 0;
}

static inline bool list_on(const struct list_node *n)
{
	return n->next != NULL;
}

static inline void list_link(struct list *l, struct list_node *n, struct list_node *prev)
{
	CHECK(n->next == NULL);
	n->prev = prev;
	n->next = prev->next;
	prev->next->prev = n;
	prev->next = n;
	l->len++;
}

static inline void list_push_front(struct list *l, struct list_node *n)
{
	list_link(l, n, &l->head);
}

static inline void list_push_back(struct list *l, struct list_node *n)
{
	list_link(l, n, l->head.prev);
}

static inline void list_remove(struct list *l, struct list_node *n)
{
	CHECK(n->next != NULL && l->len > 0);
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
	l->len--;
}

static inline struct list_node *list_front(const struct list *l)
{
	return l->len ? l->head.next : NULL;
}

static inline struct list_node *list_back(const struct list *l)
{
	return l->len ? l->head.prev : NULL;
}

static inline struct list_node *list_pop_front(struct list *l)
{
	struct list_node *n = list_front(l);
	if (n)
		list_remove(l, n);
	return n;
}

/* Safe against removal of `n` itself inside the body. */
#define LIST_EACH(l, n, after) \
	for (struct list_node *n = (l)->head.next, *after = n->next; n != &(l)->head; \
		n = after, after = n->next)

#endif
