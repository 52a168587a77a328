#include "lab/result.h"

#include <stdio.h>

#include "base/text.h"

#define SCHEMA "weir.lab/2"
#define PATH_BYTES 200

/* Where in the document; paths are put together in its own space. */
struct at {
	const struct json_doc *doc;
	size_t act, v;
	char path[PATH_BYTES];
};

static const char *in_act(struct at *at, const char *path)
{
	snprintf(at->path, PATH_BYTES, "acts[%zu].%s", at->act, path);
	return at->path;
}

static const char *in_variant(struct at *at, const char *path)
{
	snprintf(
		at->path, PATH_BYTES, "acts[%zu].variants[%zu].%s", at->act, at->v, path);
	return at->path;
}

static char *text_at(const struct at *at, const char *path)
{
	struct slice s;
	return json_get_str(at->doc, path, &s) ? slice_dup(s) : NULL;
}

static int64_t int_at(const struct at *at, const char *path)
{
	int64_t n;
	return json_get_int(at->doc, path, &n) && n >= 0 ? n : 0;
}

static bool is_at(const struct at *at, const char *path, const char *word)
{
	struct slice s;
	return json_get_str(at->doc, path, &s) && slice_eq(s, slice_of(word));
}

static struct lab_measure measure_at(struct at *at, const char *key)
{
	static const char *const parts[] = { "median", "low", "high" };
	double values[ARRAY_LEN(parts)] = { 0 };
	char path[64];
	bool known = true;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(path, sizeof(path), "figures.%s.%s", key, parts[i]);
		known = known && json_get_real(at->doc, in_variant(at, path), &values[i]);
	}
	return (struct lab_measure){ known, values[0], values[1], values[2] };
}

/* Groups. */

/* Whether the act itself differs from point to point, not only its variants. */
static bool act_is_swept(struct at *at)
{
	return json_is_null_at(at->doc, in_act(at, "rate")) ||
	       json_is_null_at(at->doc, in_act(at, "calls")) ||
	       json_is_null_at(at->doc, in_act(at, "limit")) ||
	       json_is_null_at(at->doc, in_act(at, "latency"));
}

static bool is_first_of_name(struct at *at)
{
	size_t mine = at->v;
	char *name = text_at(at, in_variant(at, "name"));
	bool first = true;
	for (at->v = 0; at->v < mine && first; at->v++)
		first = !is_at(at, in_variant(at, "name"), name ? name : "");
	at->v = mine;
	mem_free(name);
	return first;
}

static size_t names_of(struct at *at, size_t variants)
{
	size_t n = 0;
	for (at->v = 0; at->v < variants; at->v++)
		n += is_first_of_name(at);
	return n;
}

/* The values of those parameters that all variants sweep, in one text: alike in variants
 * that can be compared. */
static char *shared_point(struct at *at, size_t names)
{
	struct text t;
	char path[64];
	bool of_act = names > 1 || act_is_swept(at);
	size_t n = json_len(at->doc, in_act(at, "sweep"));
	text_init(&t);
	text_add_char(&t, ';');
	for (size_t i = 0; of_act && i < n; i++) {
		struct slice name, value;
		snprintf(path, sizeof(path), "sweep[%zu].variants", i);
		if (json_len(at->doc, in_act(at, path)) < names)
			continue;
		snprintf(path, sizeof(path), "sweep[%zu].name", i);
		if (!json_get_str(at->doc, in_act(at, path), &name) || name.len > 80 ||
			memchr(name.ptr, '"', name.len))
			continue;
		char key[128];
		snprintf(key, sizeof(key), "point[\"%.*s\"]", SLICE_ARG(name));
		if (json_get_str(at->doc, in_variant(at, key), &value))
			text_add_slice(&t, value);
		text_add_char(&t, ';');
	}
	return text_take(&t);
}

static void group_all(struct lab_act_figures *a, struct at *at)
{
	size_t names = names_of(at, a->n);
	char **points = mem_zalloc((a->n + 1) * sizeof(*points));
	for (at->v = 0; at->v < a->n; at->v++) {
		size_t v = at->v;
		points[v] = shared_point(at, names);
		a->v[v].group = (uint32_t)v;
		for (size_t i = 0; i < v; i++) {
			if (!strcmp(points[i], points[v])) {
				a->v[v].group = a->v[i].group;
				break;
			}
		}
	}
	for (size_t i = 0; i < a->n; i++)
		mem_free(points[i]);
	mem_free(points);
}

/* Variants. */

static void figures_init(struct lab_figures *f, struct at *at)
{
	*f = (struct lab_figures){ 0 };
	f->label = text_at(at, in_variant(at, "label"));
	if (!f->label)
		f->label = mem_strdup("?");
	f->is_fault = is_at(at, in_variant(at, "role"), "fault");
	f->valid = json_get_bool(at->doc, in_variant(at, "valid"), &f->valid) && f->valid;
	f->invalid_why = text_at(at, in_variant(at, "invalid_why"));
#define X(field, key) f->field = measure_at(at, key);
	LAB_MEASURES(X)
#undef X
	f->words = text_at(at, in_variant(at, "words[0].text"));
	f->words_count = int_at(at, in_variant(at, "words[0].count"));
	f->words_status = int_at(at, in_variant(at, "words[0].status"));
	f->error = text_at(at, in_variant(at, "runs[0].load.errors[0].kind"));
	f->error_count = int_at(at, in_variant(at, "runs[0].load.errors[0].count"));
	f->error_status = int_at(at, in_variant(at, "runs[0].load.errors[0].status"));
}

void lab_act_figures_init(
	struct lab_act_figures *a, const struct json_doc *doc, size_t act)
{
	struct at at = { .doc = doc, .act = act };
	*a = (struct lab_act_figures){ .title = text_at(&at, in_act(&at, "title")),
		.repetitions = int_at(&at, in_act(&at, "repetitions")),
		.n = json_len(doc, in_act(&at, "variants")) };
	if (!a->title)
		a->title = mem_strdup("?");
	a->v = mem_zalloc((a->n + 1) * sizeof(*a->v));
	for (at.v = 0; at.v < a->n; at.v++)
		figures_init(&a->v[at.v], &at);
	group_all(a, &at);
}

void lab_act_figures_fini(struct lab_act_figures *a)
{
	for (size_t i = 0; i < a->n; i++) {
		mem_free(a->v[i].label);
		mem_free(a->v[i].invalid_why);
		mem_free(a->v[i].words);
		mem_free(a->v[i].error);
	}
	mem_free(a->v);
	mem_free(a->title);
	*a = (struct lab_act_figures){ 0 };
}

size_t lab_result_acts(const struct json_doc *doc)
{
	return json_len(doc, "acts");
}

bool lab_result_check(const struct json_doc *doc, struct problem *p)
{
	struct slice schema;
	if (!json_get_str(doc, "schema", &schema))
		return problem_set(p, "it names no schema: not a result of weir lab");
	if (!slice_eq(schema, SLICE(SCHEMA)))
		return problem_set(p, "its schema is %.*s, and this weir reads %s",
			(int)(schema.len < 40 ? schema.len : 40), schema.ptr, SCHEMA);
	return true;
}
