#include "watch/proofs.h"
#include "watch/ruled_out.h"

static const char *const names[CAUSE_ID_COUNT] = {
#define CAUSE(id, name, level) [CAUSE_ID_##id] = name,
#define CURE(id, runtime, text)
#include "watch/causes.def"
#undef CAUSE
#undef CURE
};

const char *cause_name(enum cause_id id)
{
	CHECK(id < CAUSE_ID_COUNT);
	return names[id];
}

static int worst_first(const void *a, const void *b)
{
	const struct cause *x = a, *y = b;

	if (x->level != y->level)
		return (int)y->level - (int)x->level;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return (int)x->id - (int)y->id;
}

void causes_find(struct causes *c, const struct causes_from *from)
{
	struct finding f = { .into = c, .from = from };

	c->n = c->left_out = c->n_out = 0;
	ruled_out_find(c, from);
	if (!from->places)
		return;
	f.scratch = hist_new();
	for (uint32_t i = 0; i < from->places->n; i++) {
		f.p = from->places->v[i];
		if (f.p->side == SIDE_OUT)
			proofs_outgoing(&f);
		else
			proofs_accepted(&f);
	}
	hist_free(&f.scratch);
	if (c->n)
		qsort(c->v, c->n, sizeof(c->v[0]), worst_first);
}
