/*
 * figures: what a run comes to, by name; made from figures.def.
 */
#ifndef WEIR_LAB_FIGURES_H
#define WEIR_LAB_FIGURES_H

#include "base/text.h"

enum figure_unit { FIGURE_COUNT, FIGURE_RATE, FIGURE_SHARE, FIGURE_TIME };

enum figure_id {
#define FIGURE(name, unit, about) FIG_##name,
#include "lab/figures.def"
#undef FIGURE
	FIGURES
};

struct figure {
	const char *name, *key, *about; /* key: as JSON has it, with _ms behind times */
	enum figure_unit unit;
};

extern const struct figure figure_table[FIGURES];

const char *figure_unit_name(enum figure_unit u); /* "count", "rate", "share", "ms" */
/* FIGURES: none of that name. */
enum figure_id figure_find(struct slice name);

/* Values of all figures: counts, per second, 0 to 1, and seconds; NAN: not known. */
struct figures {
	double of[FIGURES];
};

void figures_init(struct figures *f); /* all unknown */
/* As people read it: 12,345, 253/s, 53%, 4.18 s. */
void text_add_figure(struct text *t, enum figure_id id, double value);

/* Medians of several runs, and their spread. */
struct spread {
	double median, low, high; /* NAN: known of none */
};
struct spread figure_spread(
	const struct figures *const *runs, uint32_t n, enum figure_id id);

#endif
