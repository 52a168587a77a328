#include "flow/quantile.h"

#include <stdlib.h>

void quantile_init(struct quantile *q, double p)
{
	*q = (struct quantile){ .p = p };
}

static int by_value(const void *a, const void *b)
{
	const ns_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void begin(struct quantile *q, ns_t value)
{
	q->first[q->seen++] = value;
	if (q->seen < QUANTILE_KNOWN)
		return;
	qsort(q->first, QUANTILE_KNOWN, sizeof(q->first[0]), by_value);
	q->at = (double)q->first[(size_t)(q->p * QUANTILE_KNOWN)];
}

void quantile_add(struct quantile *q, ns_t value)
{
	value = ns_max(value, 1);
	if (q->seen < QUANTILE_KNOWN)
		begin(q, value);
	else if ((double)value > q->at)
		q->at *= 1 + QUANTILE_STEP * q->p;
	else if ((double)value < q->at)
		q->at *= 1 - QUANTILE_STEP * (1 - q->p);
}
