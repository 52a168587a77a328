#include "lab/pairs.h"

void pairs_init(struct lab_pairs *p)
{
	*p = (struct lab_pairs){ .v = NULL };
}

void pairs_fini(struct lab_pairs *p)
{
	mem_free(p->v);
	pairs_init(p);
}

void pairs_add(struct lab_pairs *p, const char *name, const char *value)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 8;
		p->v = mem_realloc(p->v, p->cap * sizeof(*p->v));
	}
	p->v[p->n++] = (struct lab_pair){ name, value };
}

const struct lab_pair *pairs_find(const struct lab_pairs *p, const char *name)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (!strcmp(p->v[i].name, name))
			return &p->v[i];
	}
	return NULL;
}
