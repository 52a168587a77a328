#include "lab/figures.h"

#include <math.h>

#include "base/units.h"

#define KEY_COUNT(name) #name
#define KEY_RATE(name) #name
#define KEY_SHARE(name) #name
#define KEY_TIME(name) #name "_ms"

const struct figure figure_table[FIGURES] = {
#define FIGURE(name, unit, about) { #name, KEY_##unit(name), about, FIGURE_##unit },
#include "lab/figures.def"
#undef FIGURE
};

const char *figure_unit_name(enum figure_unit u)
{
	switch (u) {
	case FIGURE_COUNT:
		return "count";
	case FIGURE_RATE:
		return "rate";
	case FIGURE_SHARE:
		return "share";
	case FIGURE_TIME:
		return "ms";
	}
	NEVER_HERE();
}

enum figure_id figure_find(struct slice name)
{
	for (int i = 0; i < FIGURES; i++) {
		if (slice_eq(name, slice_of(figure_table[i].name)))
			return i;
	}
	return FIGURES;
}

void figures_init(struct figures *f)
{
	for (int i = 0; i < FIGURES; i++)
		f->of[i] = NAN;
}

static void add_count(struct text *t, double value)
{
	if (value < 0)
		text_add_char(t, '-');
	text_add_count(t, (uint64_t)(fabs(value) + 0.5));
}

void text_add_figure(struct text *t, enum figure_id id, double value)
{
	if (isnan(value)) {
		text_add_char(t, '?');
		return;
	}
	switch (figure_table[id].unit) {
	case FIGURE_COUNT:
		add_count(t, value);
		return;
	case FIGURE_RATE:
		text_addf(t, fabs(value) < 9.95 ? "%.1f/s" : "%.0f/s", value);
		return;
	case FIGURE_SHARE:
		text_addf(t, value > 0 && value < 0.0095 ? "%.1f%%" : "%.0f%%",
			100 * value);
		return;
	case FIGURE_TIME:
		text_add_duration(t, (ns_t)(value * (double)NS_S));
		return;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct spread figure_spread(
	const struct figures *const *runs, uint32_t n, enum figure_id id)
{
	struct spread s = { NAN, NAN, NAN };
	double *known = mem_alloc((n + 1) * sizeof(*known));
	uint32_t k = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!isnan(runs[i]->of[id]))
			known[k++] = runs[i]->of[id];
	}
	if (k) {
		qsort(known, k, sizeof(*known), by_value);
		s = (struct spread){ known[(k - 1) / 2], known[0], known[k - 1] };
	}
	mem_free(known);
	return s;
}
