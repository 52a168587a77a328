#include "lab/reader.h"

#define NAMES_MAX 64 /* that a "did you mean" chooses from */

void reader_init(
	struct reader *r, struct conf *conf, struct args *kept, struct lab_pairs *figures)
{
	*r = (struct reader){ .conf = conf, .kept = kept, .figures = figures };
}

const char *reader_keep(struct reader *r, const char *text)
{
	args_add(r->kept, text);
	return r->kept->v[r->kept->n - 1];
}

/* --- levels --- */

void reader_add_level(struct reader_levels *l, const struct conf_node *map)
{
	if (!map || map->kind != CONF_MAP)
		return;
	CHECK(l->n < READER_LEVELS_MAX);
	l->map[l->n++] = map;
}

void reader_below(struct reader *r, struct reader_levels *below,
	const struct reader_levels *l, const char *key)
{
	below->n = 0;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct conf_node *node = conf_get(l->map[i], key);
		if (node && conf_want(r->conf, node, CONF_MAP, "a map of keys"))
			reader_add_level(below, node);
	}
}

const struct conf_node *reader_find(const struct reader_levels *l, const char *key)
{
	const struct conf_node *found = NULL;
	for (uint32_t i = 0; i < l->n && !found; i++)
		found = conf_get(l->map[i], key);
	return found;
}

/* --- the sweep --- */

/* Where the reader stands on the axis that `list` is; NULL: there are too many. */
static struct reader_axis *axis_of(struct reader *r, const struct conf_node *list)
{
	for (uint32_t i = 0; i < r->n_axes; i++) {
		if (r->axis[i].list == list)
			return &r->axis[i];
	}
	for (uint32_t i = 0; i < r->n_axes; i++) {
		if (!strcmp(r->axis[i].list->key, list->key))
			conf_complain(r->conf, list->at,
				"two parameters named %s are swept, here and in line %u: a "
				"point could not be named",
				list->key, r->axis[i].list->at.line);
	}
	if (r->n_axes == READER_AXES_MAX) {
		conf_complain(r->conf, list->at, "more than %d parameters are swept",
			READER_AXES_MAX);
		return NULL;
	}
	r->axis[r->n_axes] = (struct reader_axis){ .list = list };
	return &r->axis[r->n_axes++];
}

static const struct conf_node *item_at(const struct conf_node *list, uint32_t index)
{
	const struct conf_node *item = list->first;
	while (index-- > 0 && item)
		item = item->next;
	return item;
}

bool reader_advance(struct reader *r)
{
	while (r->n_axes) {
		struct reader_axis *last = &r->axis[r->n_axes - 1];
		if (++last->index < last->list->count)
			return true;
		r->n_axes--;
	}
	return false;
}

void reader_point(const struct reader *r, struct lab_pairs *point)
{
	for (uint32_t i = 0; i < r->n_axes; i++) {
		const struct conf_node *item = item_at(r->axis[i].list, r->axis[i].index);
		if (item && item->text)
			pairs_add(point, r->axis[i].list->key, item->text);
	}
}

/* The value of a node at this point of the sweep: the node itself, or an item of it. */
static const struct conf_node *pick(struct reader *r, const struct conf_node *node)
{
	const char *what = "a single value, or a list of single values to sweep";
	if (node->kind == CONF_LIST && node->count > 0) {
		struct reader_axis *axis = axis_of(r, node);
		node = axis ? item_at(node, axis->index) : NULL;
	}
	if (!node || !conf_want(r->conf, node, CONF_TEXT, what))
		return NULL;
	return node;
}

/* --- $names --- */

static void unknown_name(struct reader *r, const struct conf_node *node, const char *name)
{
	const char *known[NAMES_MAX];
	size_t n = 0;
	for (uint32_t i = 0; i < r->figures->n && n < NAMES_MAX; i++)
		known[n++] = r->figures->v[i].name;
	for (uint32_t i = 0; i < r->let.n; i++) {
		CONF_EACH(r->let.map[i], child)
		{
			if (n < NAMES_MAX)
				known[n++] = child->key;
		}
	}
	const char *near = units_nearest(slice_of(name), known, n);
	conf_complain(r->conf, node->at, "there is no $%s%s%s%s", name,
		near ? ": did you mean $" : ": name it under let:", near ? near : "",
		near ? "?" : "");
}

/* `text`, or what stands for it; NULL: it stands for nothing. */
static const char *fill(struct reader *r, const struct conf_node *node, const char *text)
{
	if (*text != '$')
		return text;
	const struct lab_pair *figure = pairs_find(r->figures, text + 1);
	const struct conf_node *let = reader_find(&r->let, text + 1);
	if (figure)
		return figure->value;
	if (!let) {
		unknown_name(r, node, text + 1);
		return NULL;
	}
	let = pick(r, let);
	return let ? let->text : NULL;
}

static bool value_of(
	struct reader *r, const struct conf_node *node, struct reader_value *v)
{
	const struct conf_node *at = pick(r, node);
	if (!at)
		return false;
	v->key = node->key;
	v->at = at->at;
	v->text = fill(r, at, at->text);
	return v->text != NULL;
}

/* --- single values --- */

/* False: absent, or wrong. */
static bool read_text(struct reader *r, const struct reader_levels *l, const char *key,
	struct reader_value *v)
{
	const struct conf_node *node = reader_find(l, key);
	return node && value_of(r, node, v);
}

static void wrong(struct reader *r, const struct reader_value *v, const struct problem *p)
{
	conf_complain(r->conf, v->at, "%s: %s", v->key, p->text);
}

void reader_word(struct reader *r, const struct reader_levels *l, const char *key,
	const char **out)
{
	struct reader_value v;
	if (read_text(r, l, key, &v))
		*out = v.text;
}

void reader_duration(
	struct reader *r, const struct reader_levels *l, const char *key, ns_t *out)
{
	struct reader_value v;
	struct problem p = { "" };
	ns_t value;
	if (!read_text(r, l, key, &v))
		return;
	if (!strcmp(v.text, "none"))
		*out = NS_NEVER;
	else if (units_duration(slice_of(v.text), &value, &p))
		*out = value;
	else
		wrong(r, &v, &p);
}

void reader_count(
	struct reader *r, const struct reader_levels *l, const char *key, uint64_t *out)
{
	struct reader_value v;
	struct problem p = { "" };
	uint64_t value;
	if (!read_text(r, l, key, &v))
		return;
	if (!strcmp(v.text, "none"))
		*out = UINT64_MAX;
	else if (units_count(slice_of(v.text), &value, &p))
		*out = value;
	else
		wrong(r, &v, &p);
}

void reader_rate(
	struct reader *r, const struct reader_levels *l, const char *key, double *out)
{
	struct reader_value v;
	struct problem p = { "" };
	double value;
	if (!read_text(r, l, key, &v))
		return;
	/* weir load has them in one word */
	if (slice_starts(slice_of(v.text), SLICE("ramp(")) ||
		slice_starts(slice_of(v.text), SLICE("steps(")))
		problem_set(&p,
			"'%s': a scenario's rate is one, such as 100/s, and phase changes it: "
			"[\"10s: rate=200/s\", \"20s: rate=400/s\"]",
			v.text);
	else if (units_rate(slice_of(v.text), &value, &p))
		*out = value;
	if (p.text[0])
		wrong(r, &v, &p);
}

void reader_choice(struct reader *r, const struct reader_levels *l, const char *key,
	const char *const *words, int *out)
{
	struct reader_value v;
	struct text all;
	size_t n = 0;
	if (!read_text(r, l, key, &v))
		return;
	text_init(&all);
	for (; words[n]; n++) {
		if (!strcmp(words[n], v.text))
			*out = (int)n;
		text_addf(&all, "%s%s", n ? ", " : "", words[n]);
	}
	const char *near = units_nearest(slice_of(v.text), words, n);
	if (!near)
		conf_complain(
			r->conf, v.at, "%s: '%s' is none of %s", v.key, v.text, all.ptr);
	else if (strcmp(near, v.text) != 0)
		conf_complain(r->conf, v.at, "%s: '%s' is none of %s: did you mean %s?",
			v.key, v.text, all.ptr, near);
	text_fini(&all);
}

/* --- maps and lists --- */

static size_t count_words(const char *const *words)
{
	size_t n = 0;
	while (words[n])
		n++;
	return n;
}

static bool is_among(const char *word, const char *const *words)
{
	while (*words && strcmp(*words, word) != 0)
		words++;
	return *words != NULL;
}

void reader_check_keys(
	struct reader *r, const struct conf_node *map, const char *const *words)
{
	CONF_EACH(map, child)
	{
		if (!is_among(child->key, words))
			conf_unknown_key(r->conf, child, words, count_words(words));
	}
}

void reader_map(struct reader *r, const struct reader_levels *l, struct lab_pairs *out)
{
	for (uint32_t i = 0; i < l->n; i++) {
		CONF_EACH(l->map[i], child)
		{
			struct reader_value v;
			if (!pairs_find(out, child->key) && value_of(r, child, &v))
				pairs_add(out, child->key, v.text);
		}
	}
}

static const char *text_of_item(struct reader *r, const struct conf_node *item)
{
	const struct conf_node *only = item->first;
	const char *what = "a single value";
	if (item->kind == CONF_MAP && item->count == 1 && only->kind == CONF_TEXT) {
		struct text t;
		text_init(&t);
		text_addf(&t, "%s: %s", only->key, only->text);
		const char *kept = reader_keep(r, t.ptr);
		text_fini(&t);
		return kept;
	}
	if (!conf_want(r->conf, item, CONF_TEXT, what))
		return NULL;
	return fill(r, item, item->text);
}

void reader_list(struct reader *r, const struct conf_node *node, struct lab_pairs *out)
{
	const char *text;
	if (node->kind != CONF_LIST) {
		if ((text = text_of_item(r, node)))
			pairs_add(out, node->key, text);
		return;
	}
	CONF_EACH(node, item)
	{
		if ((text = text_of_item(r, item)))
			pairs_add(out, node->key, text);
	}
}

/* --- options of a verb --- */

static const struct opt *option_named(const struct verb *verb, const char *name)
{
	for (size_t i = 0; i < verb->opt_count; i++) {
		const struct opt *o = &verb->opts[i];
		if (o->kind != OPT_group && !strcmp(o->name, name))
			return o;
	}
	return NULL;
}

static void unknown_option(struct reader *r, const struct conf_node *child,
	const struct verb *verb, const struct reader_options *which)
{
	const char *names[OPT_ROWS_MAX + NAMES_MAX];
	size_t n = 0;
	for (const char *const *w = which->own; *w && n < NAMES_MAX; w++)
		names[n++] = *w;
	for (size_t i = 0; i < verb->opt_count; i++) {
		const struct opt *o = &verb->opts[i];
		if (o->kind != OPT_group && !is_among(o->name, which->taken))
			names[n++] = o->name;
	}
	conf_unknown_key(r->conf, child, names, n);
}

/* One value into `scratch`, as the verb would read it. */
static bool check_option(struct reader *r, const struct opt *o,
	const struct reader_value *v, void *scratch)
{
	struct problem p = { "" };
	if (opts_set(o, v->text, scratch, &p))
		return true;
	wrong(r, v, &p);
	return false;
}

static void add_flag(
	struct reader *r, const struct opt *o, const void *scratch, struct lab_pairs *out)
{
	const bool *set = (const void *)((const char *)scratch + o->offset);
	struct text t;
	if (*set) {
		pairs_add(out, o->name, NULL);
		return;
	}
	text_init(&t);
	text_addf(&t, "no-%s", o->name);
	pairs_add(out, reader_keep(r, t.ptr), NULL);
	text_fini(&t);
}

static void add_option(struct reader *r, const struct opt *o,
	const struct conf_node *node, void *scratch, struct lab_pairs *out)
{
	struct reader_value v;
	if (o->kind == OPT_texts) {
		uint32_t from = out->n;
		reader_list(r, node, out);
		for (uint32_t i = from; i < out->n; i++) {
			v = (struct reader_value){ out->v[i].value, node->key, node->at };
			(void)!check_option(r, o, &v, scratch);
		}
		return;
	}
	if (!value_of(r, node, &v) || !check_option(r, o, &v, scratch))
		return;
	if (o->kind == OPT_flag)
		add_flag(r, o, scratch, out);
	else
		pairs_add(out, o->name, v.text);
}

static bool is_in_stronger(const struct reader_levels *l, uint32_t level, const char *key)
{
	struct reader_levels stronger = *l;
	stronger.n = level;
	return reader_find(&stronger, key) != NULL;
}

void reader_options(struct reader *r, const struct reader_levels *l,
	const struct reader_options *which, struct lab_pairs *out)
{
	const struct verb *verb = verb_named(which->verb);
	CHECK(verb);
	void *scratch = mem_zalloc(verb->options_size);
	for (uint32_t i = 0; i < l->n; i++) {
		CONF_EACH(l->map[i], child)
		{
			const struct opt *o = option_named(verb, child->key);
			if (is_among(child->key, which->own))
				continue;
			if (is_among(child->key, which->taken))
				conf_complain(r->conf, child->key_at,
					"'%s' is the lab's own to set", child->key);
			else if (!o)
				unknown_option(r, child, verb, which);
			else if (!is_in_stronger(l, i, child->key))
				add_option(r, o, child, scratch, out);
		}
	}
	mem_free(scratch);
}
