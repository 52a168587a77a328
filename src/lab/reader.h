/*
 * reader: values out of a scenario file: looked for level by level, swept, with $names
 * filled in, and checked; what is wrong is complained of at its place.
 *
 * MODEL   A level is a map of the file; of several the first that has the key counts (a
 *         variant's, then its act's, then the file's). Where a single value belongs, a
 *         list of values is an axis of the sweep: a reader stands at one of them, and
 *         reader_advance goes to the next point, the last axis met moving fastest. So what
 *         is read must be read anew at each point, in the same order.
 * RULES   1. A value that is wrong is complained of, and reads as if it were not there.
 * OWNS    strings it makes (reader_keep) live as long as the args it was given.
 */
#ifndef WEIR_LAB_READER_H
#define WEIR_LAB_READER_H

#include "base/conf.h"
#include "base/opts.h"
#include "lab/args.h"
#include "lab/pairs.h"

#define READER_AXES_MAX 8
#define READER_LEVELS_MAX 6

struct reader_levels {
	const struct conf_node *map[READER_LEVELS_MAX]; /* the strongest first */
	uint32_t n;
};

struct reader_axis {
	const struct conf_node *list;
	uint32_t index;
};

struct reader {
	struct conf *conf;
	struct args *kept;
	struct reader_levels let;  /* maps of the file's own $names */
	struct lab_pairs *figures; /* $names that weir knows */
	struct reader_axis axis[READER_AXES_MAX];
	uint32_t n_axes;
};

/* A value at this point of the sweep. */
struct reader_value {
	const char *text;
	const char *key; /* of its map */
	struct conf_place at;
};

void reader_init(struct reader *r, struct conf *conf, struct args *kept,
	struct lab_pairs *figures);
const char *reader_keep(struct reader *r, const char *text);

void reader_add_level(struct reader_levels *l, const struct conf_node *map);
/* The levels below `l` that are under `key`; one that is no map is complained of. */
void reader_below(struct reader *r, struct reader_levels *below,
	const struct reader_levels *l, const char *key);
/* NULL: no level has it. */
const struct conf_node *reader_find(const struct reader_levels *l, const char *key);

/* The next point; false: there is none, and all axes are forgotten. */
MUST_USE bool reader_advance(struct reader *r);
/* Name and value of each axis at this point. */
void reader_point(const struct reader *r, struct lab_pairs *point);

/* Each leaves *out alone when the key is absent or its value is wrong. */
void reader_word(struct reader *r, const struct reader_levels *l, const char *key,
	const char **out);
void reader_duration(
	struct reader *r, const struct reader_levels *l, const char *key, ns_t *out);
/* `none` is UINT64_MAX. */
void reader_count(
	struct reader *r, const struct reader_levels *l, const char *key, uint64_t *out);
void reader_rate(
	struct reader *r, const struct reader_levels *l, const char *key, double *out);
/* Index of the word. */
void reader_choice(struct reader *r, const struct reader_levels *l, const char *key,
	const char *const *words, int *out);

/* Words end with NULL. Complains of keys of `map` that are none of them. */
void reader_check_keys(
	struct reader *r, const struct conf_node *map, const char *const *words);

/* A map of names and values (an environment), over all levels. */
void reader_map(struct reader *r, const struct reader_levels *l, struct lab_pairs *out);

/*
 * What of `l` is an option of a verb, checked as the verb does, as "--name" and value.
 * `own`: keys that are read otherwise; `taken`: options that are the lab's to set.
 */
struct reader_options {
	const char *verb;
	const char *const *own, *const *taken;
};
void reader_options(struct reader *r, const struct reader_levels *l,
	const struct reader_options *which, struct lab_pairs *out);

/* A list of texts: the node itself, its items, and items written as maps of one key
 * ("10s: rate=320/s" without quotes). */
void reader_list(struct reader *r, const struct conf_node *node, struct lab_pairs *out);

#endif
