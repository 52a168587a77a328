/*
 * conf: a YAML file as a tree in which every value knows its place, and a list of all that
 * is wrong with it. (libyaml is conf.c's alone; what the keys mean is the reader's.)
 *
 * MODEL   A node is nothing (an empty value, ~ or null), a text (numbers too: units are the
 *         reader's), a list or a map. Complaints are collected, by this file and by its
 *         reader alike, and shown together in the order of the file.
 * RULES   1. After a fault of syntax there is no tree (conf_root is a node of nothing): what
 *            comes behind such a fault cannot be told from it.
 *         2. At most CONF_BYTES_MAX, CONF_NODES_MAX and CONF_DEPTH_MAX; of complaints the
 *            first CONF_COMPLAINTS_MAX are kept, all are counted.
 *         3. Anchors, aliases, tags and second documents are refused: what is written is
 *            what is meant.
 * OWNS    the conf owns nodes, texts and complaints until conf_free.
 */
#ifndef WEIR_BASE_CONF_H
#define WEIR_BASE_CONF_H

#include "base/err.h"
#include "base/text.h"

#define CONF_BYTES_MAX (1 << 20)
#define CONF_NODES_MAX 16384
#define CONF_DEPTH_MAX 16
#define CONF_COMPLAINTS_MAX 100

struct conf;

enum conf_kind { CONF_NONE, CONF_TEXT, CONF_LIST, CONF_MAP };

/* Both from 1; columns count characters. Line 0: no place in particular. */
struct conf_place {
	uint32_t line, column;
};

struct conf_node {
	enum conf_kind kind;
	struct conf_place at;
	const char *key; /* in a map */
	struct conf_place key_at;
	const char *text; /* CONF_TEXT */
	bool plain;       /* the same, without quotes: may be meant as a number */
	uint32_t count;   /* children of a list or map, in the order of the file */
	struct conf_node *first, *last, *next;
};

#define CONF_EACH(parent, n) \
	for (const struct conf_node *n = (parent)->first; n; n = n->next)

/* NULL and a problem: the file cannot be read. What is wrong inside it is complained of. */
MUST_USE struct conf *conf_load(const char *file, struct problem *p);
/* The same from memory; `name` is what complaints begin with. */
MUST_USE struct conf *conf_parse(const char *name, struct slice text);
void conf_free(struct conf **c);
const struct conf_node *conf_root(const struct conf *c);
const char *conf_name(const struct conf *c);

/* The value of that key, or NULL. */
const struct conf_node *conf_get(const struct conf_node *map, const char *key);

/* The same at the same place counts once. */
void conf_complain(struct conf *c, struct conf_place at, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* Complains unless the node is of this kind; `what` ("a list of routes") is in its place. */
MUST_USE bool conf_want(struct conf *c, const struct conf_node *node, enum conf_kind kind,
	const char *what);
/* Complains of a key that is none of `names`, with the one that was likely meant. */
void conf_unknown_key(struct conf *c, const struct conf_node *child,
	const char *const *names, size_t n);

/* A node and all in it as JSON: what stands without quotes and is a number, true or false is
 * that; nothing is null; the rest are strings. */
void conf_json(const struct conf_node *node, struct text *out);

uint32_t conf_complaints(const struct conf *c);
/* "file:line:column: what is wrong", each followed by the line itself and a caret. */
void conf_show(const struct conf *c, struct text *out);

#endif
