/* `gather` of a route as a map: the parts its requests become. */
#include "proxy/config_internal.h"

static const char *const as_words[] = {
	[CONFIG_AS_JSON] = "json",
	[CONFIG_AS_MULTIPART] = "multipart",
	[CONFIG_AS_ACCEPT] = "accept",
};
static const char *const gather_words[] = { "as", "parts" };
static const char *const part_words[] = { "method", "path", "upstream", "optional",
	"default" };
/* HEAD brings nothing to merge. */
static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };

const struct conf_node *config_gather_map(const struct conf_node *route)
{
	const struct conf_node *node = conf_get(route, "gather");
	return node && node->kind == CONF_MAP ? node : NULL;
}

static void check_words(
	struct config *c, const struct conf_node *map, const char *const *words, size_t n)
{
	CONF_EACH(map, child)
	{
		size_t i = 0;
		while (i < n && strcmp(words[i], child->key) != 0)
			i++;
		if (i == n)
			conf_unknown_key(c->conf, child, words, n);
	}
}

/* One of `words`, or `dflt` where the key is not there or something else stands. */
static size_t one_of(struct config *c, const struct conf_node *node,
	const char *const *words, size_t n, size_t dflt)
{
	if (!node || !conf_want(c->conf, node, CONF_TEXT, "one word"))
		return dflt;
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], node->text) == 0)
			return i;
	const char *meant = units_nearest(slice_of(node->text), words, n);
	struct text all;
	text_init(&all);
	for (size_t i = 0; i < n; i++)
		text_addf(&all, "%s%s", i ? ", " : "", words[i]);
	if (meant)
		conf_complain(c->conf, node->at, "%s: unknown '%s': did you mean %s?",
			node->key, node->text, meant);
	else
		conf_complain(c->conf, node->at, "%s: unknown '%s': one of %s", node->key,
			node->text, all.ptr);
	text_fini(&all);
	return dflt;
}

static bool is_yes(struct config *c, const struct conf_node *node)
{
	static const char *const words[] = { "yes", "no", "true", "false" };
	return node && one_of(c, node, words, ARRAY_LEN(words), 1) % 2 == 0;
}

/* --- a part --- */

static void part_path(struct config *c, const struct config_route *r,
	struct config_part *part, const struct conf_node *map)
{
	const struct conf_node *node = conf_get(map, "path");
	struct problem why = { "" };
	size_t len = r->path ? strlen(r->path) : 0;
	if (!node) {
		conf_complain(c->conf, map->at,
			"path is missing: what does this part ask for? For example "
			"/users/{1}");
		return;
	}
	if (!conf_want(c->conf, node, CONF_TEXT, "a path, such as \"/users/{1}\""))
		return;
	if (!template_parse(&part->path, node->text, &why))
		conf_complain(c->conf, node->at, "path: %s", why.text);
	else if (part->path.needs_rest && (!len || r->path[len - 1] != '*'))
		conf_complain(c->conf, node->at,
			"path: {1} and {*} are of what * stands for in the route's path, "
			"and that %s",
			r->path ? "has no * at its end" : "is not there");
}

static void part_upstream(struct config *c, const struct conf_node *route,
	struct config_part *part, const struct conf_node *map)
{
	const struct conf_node *node = conf_get(map, "upstream");
	if (node)
		(void)!config_find_upstream(c, node, &part->upstream);
	else if (c->upstream_count > 1 && !conf_get(route, "upstream"))
		conf_complain(c->conf, map->at,
			"upstream is missing: which of the %u has this part?",
			c->upstream_count);
}

static void part_failure(
	struct config *c, struct config_part *part, const struct conf_node *map)
{
	const struct conf_node *optional = conf_get(map, "optional");
	const struct conf_node *instead = conf_get(map, "default");
	struct text json;
	part->optional = is_yes(c, optional);
	if (!instead)
		return;
	if (optional && !part->optional)
		conf_complain(c->conf, instead->at,
			"default: what stands for a missing part makes it optional, and "
			"`optional` says no");
	part->optional = true;
	text_init(&json);
	conf_json(instead, &json);
	part->instead = text_take(&json);
}

static void read_part(
	struct config *c, struct config_route *r, const struct conf_node *node)
{
	struct config_part *part = &r->parts->parts[r->parts->count];
	if (!config_is_name(node->key))
		conf_complain(c->conf, node->key_at,
			"'%s' is no name: letters, digits, - _ and . make one, %d at most",
			node->key, CONFIG_NAME_MAX);
	if (!conf_want(c->conf, node, CONF_MAP, "a map with at least path:"))
		return;
	r->parts->count++;
	part->name = node->key;
	part->at = node->key_at;
	part->upstream = r->upstream;
	check_words(c, node, part_words, ARRAY_LEN(part_words));
	part->method = methods[one_of(
		c, conf_get(node, "method"), methods, ARRAY_LEN(methods), 0)];
	part_path(c, r, part, node);
	part_upstream(c, r->at.maps[0], part, node);
	part_failure(c, part, node);
}

/* --- all parts --- */

/* Those of one upstream are admitted together. */
static void check_limits(struct config *c, const struct config_gather *g)
{
	for (uint32_t u = 0; u < c->upstream_count; u++) {
		const struct proxy_options *o = &c->upstreams[u].at.opt;
		uint64_t limit = o->limit == OPTS_AUTO ? o->limit_max : o->limit;
		uint64_t need = 0;
		for (uint32_t i = 0; i < g->count; i++) {
			if (g->parts[i].upstream != u || ++need != limit + 1)
				continue;
			conf_complain(c->conf, g->parts[i].at,
				"more parts of '%s' than its limit of %llu: they can never "
				"be admitted together",
				c->upstreams[u].name, (unsigned long long)limit);
		}
	}
}

static void name_upstreams(const struct config *c, struct config_gather *g)
{
	struct text names;
	text_init(&names);
	for (uint32_t i = 0; i < g->count; i++) {
		uint32_t seen = 0;
		while (g->parts[seen].upstream != g->parts[i].upstream)
			seen++;
		if (seen == i)
			text_addf(&names, "%s%s", i ? "," : "",
				c->upstreams[g->parts[i].upstream].name);
	}
	g->upstreams = text_take(&names);
}

void config_read_gather(
	struct config *c, struct config_route *r, const struct conf_node *map)
{
	const struct conf_node *parts = conf_get(map, "parts");
	r->at.opt.gather = 1; /* whatever is said outside */
	check_words(c, map, gather_words, ARRAY_LEN(gather_words));
	struct config_gather *g = r->parts = mem_zalloc(sizeof(*g));
	g->as = (enum config_as)one_of(
		c, conf_get(map, "as"), as_words, ARRAY_LEN(as_words), CONFIG_AS_JSON);
	if (!parts) {
		conf_complain(c->conf, map->at,
			"parts are missing: what is gathered? For example parts: { user: { "
			"path: \"/users/{1}\" } }");
		return;
	}
	if (!conf_want(c->conf, parts, CONF_MAP, "a map of parts by name"))
		return;
	if (parts->count == 0 || parts->count > PROXY_PARTS_MAX) {
		conf_complain(c->conf, parts->at, "parts: between 1 and %d of them",
			PROXY_PARTS_MAX);
		return;
	}
	g->parts = mem_zalloc(parts->count * sizeof(*g->parts));
	CONF_EACH(parts, child)
	read_part(c, r, child);
	check_limits(c, g);
	name_upstreams(c, g);
	if (g->count)
		r->upstream = g->parts[0].upstream;
}

void config_free_gather(struct config_gather **gp)
{
	struct config_gather *g = *gp;
	*gp = NULL;
	if (!g)
		return;
	for (uint32_t i = 0; i < g->count; i++)
		mem_free(g->parts[i].instead);
	mem_free(g->parts);
	mem_free(g->upstreams);
	mem_free(g);
}
