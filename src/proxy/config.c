/* Reading: command line, environment and file into levels of options. What the values mean
 * together is config_check.c's. */
#include "proxy/config.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "proxy/config_internal.h"

#define FAULT_BYTES 384

/* --- complaints --- */

static size_t row_of(const char *name)
{
	size_t row = 0;
	while (row < (size_t)PROXY_OPT_COUNT &&
		(proxy_opts[row].kind == OPT_group || strcmp(proxy_opts[row].name, name)))
		row++;
	return row;
}

/* The value of an option in a map; that of limit-max may be in `limit: {auto, max: N}`. */
static const struct conf_node *option_node(const struct conf_node *map, const char *name)
{
	const struct conf_node *node = conf_get(map, name);
	const struct conf_node *limit = conf_get(map, "limit");
	if (!node && limit && limit->kind == CONF_MAP && !strcmp(name, "limit-max"))
		node = conf_get(limit, "max");
	return node;
}

/* Where in the file the value stands that this level goes by. */
static const struct conf_node *level_node(
	const struct config_level *at, const char *name, uint32_t item)
{
	const struct conf_node *node = NULL;
	for (size_t i = 0; i < ARRAY_LEN(at->maps) && !node; i++)
		if (at->maps[i])
			node = option_node(at->maps[i], name);
	if (!node && at->maps[0] && strcmp(name, "upstream") == 0)
		node = conf_get(at->maps[0], "url");
	if (!node || node->kind != CONF_LIST || !node->first)
		return node;
	node = node->first;
	while (item-- > 0 && node->next)
		node = node->next;
	return node;
}

void config_complain(struct config *c, struct config_option option, const char *fmt, ...)
{
	const struct config_level *at = option.at;
	char text[FAULT_BYTES], variable[CONFIG_NAME_MAX + sizeof(PROXY_ENV)];
	const struct conf_node *node = NULL;
	size_t row = row_of(option.name);
	CHECK(row < (size_t)PROXY_OPT_COUNT);
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	enum opt_from from = (enum opt_from)at->opt.froms.of[row];
	if (from == OPT_FROM_ENV) {
		opts_env_name(PROXY_ENV, &proxy_opts[row], variable, sizeof(variable));
		problem_set(&c->problem, "%s%s", variable, text);
	} else if (from == OPT_FROM_ARGV || !c->conf) {
		problem_set(&c->problem, "--%s%s", option.name, text);
	} else {
		bool url = conf_get(at->maps[0], "url") &&
			   !strcmp(option.name, "upstream");
		if (from == OPT_FROM_FILE)
			node = level_node(at, option.name, option.item);
		conf_complain(c->conf, node ? node->at : at->maps[0]->at, "%s%s",
			url ? "url" : option.name, text);
	}
}

/* --- one option of the file --- */

static const char *kind_expects(enum opt_kind kind)
{
	switch (kind) {
	case OPT_group:
		break;
	case OPT_flag:
		return "yes or no";
	case OPT_text:
		return "a single value";
	case OPT_texts:
		return "a value or a list of values";
	case OPT_duration:
		return "a duration, such as 800ms";
	case OPT_size:
		return "a size, such as 64KiB";
	case OPT_count:
		return "a count, such as 900";
	case OPT_limit:
		return "a count, such as 900, or auto, or {auto, max: 900}";
	case OPT_rate:
		return "a rate, such as 700/s";
	case OPT_share:
		return "a share, such as 50%";
	case OPT_choice:
		return "one word";
	}
	NEVER_HERE();
}

static bool set_text(struct config *c, const struct opt *o, const struct conf_node *node,
	const char *key, struct proxy_options *opt)
{
	struct problem why = { "" };
	if (!conf_want(c->conf, node, CONF_TEXT, kind_expects(o->kind)))
		return false;
	if (opts_set(o, node->text, opt, &why))
		return true;
	conf_complain(c->conf, node->at, "%s: %s", key, why.text);
	return false;
}

static void set_option(struct config *c, const struct opt *o,
	const struct conf_node *node, struct proxy_options *opt)
{
	struct proxy_options changed = *opt;
	uint8_t *from = &changed.froms.of[o - proxy_opts];
	bool good = true;
	if (o->kind == OPT_texts)
		((struct opt_texts *)(void *)((char *)&changed + o->offset))->n = 0;
	if (o->kind == OPT_texts && node->kind == CONF_LIST) {
		if (node->count == 0)
			conf_complain(
				c->conf, node->at, "%s: the list is empty", node->key);
		CONF_EACH(node, item)
		good &= set_text(c, o, item, node->key, &changed);
	} else {
		good = set_text(c, o, node, node->key, &changed);
	}
	/* Checked in any case, taken only where nothing stronger stands. */
	if (!good || *from > OPT_FROM_FILE)
		return;
	*from = OPT_FROM_FILE;
	*opt = changed;
}

/* {auto, max: N}: two options in one. */
static void set_limit(struct config *c, const struct conf_node *map, bool max_beside,
	struct proxy_options *opt)
{
	static const char *const names[] = { "auto", "max" };
	const struct conf_node *word = conf_get(map, "auto"), *max = conf_get(map, "max");
	CONF_EACH(map, child)
	{
		if (child != word && child != max)
			conf_unknown_key(c->conf, child, names, ARRAY_LEN(names));
	}
	if (!word) {
		conf_complain(c->conf, map->at,
			"limit: a map here says auto, as in {auto, max: 900}; a count "
			"stands alone");
		return;
	}
	if (word->kind != CONF_NONE && !(word->kind == CONF_TEXT && !word->text[0]))
		conf_complain(c->conf, word->at,
			"auto has no value of its own: {auto, max: 900}");
	if (max && max_beside)
		conf_complain(c->conf, max->at,
			"max is said twice: limit-max stands beside this limit");
	struct conf_node said = *word;
	said.kind = CONF_TEXT;
	said.text = "auto";
	set_option(c, &proxy_opts[row_of("limit")], &said, opt);
	if (max)
		set_option(c, &proxy_opts[row_of("limit-max")], max, opt);
}

/* --- one map of the file --- */

/* What may stand in a map of the file: the options of its scope and within, and these. */
struct section {
	enum proxy_scope scope;
	const char *what;
	const char *const *words;
	size_t word_count;
};

static const char *const root_words[] = { "upstreams", "routes" };
static const char *const upstream_words[] = { "url" };
static const char *const route_words[] = { "host", "path", "method", "upstream" };
static const struct section root_section = { PROXY_SCOPE_PROCESS, "a file", root_words,
	ARRAY_LEN(root_words) };
static const struct section upstream_section = { PROXY_SCOPE_UPSTREAM, "an upstream",
	upstream_words, ARRAY_LEN(upstream_words) };
static const struct section route_section = { PROXY_SCOPE_ROUTE, "a route", route_words,
	ARRAY_LEN(route_words) };

static const char *scope_home(enum proxy_scope scope)
{
	switch (scope) {
	case PROXY_SCOPE_COMMAND:
		return "on the command line";
	case PROXY_SCOPE_PROCESS:
		return "at the file's top";
	case PROXY_SCOPE_UPSTREAM:
	case PROXY_SCOPE_ROUTE:
		return "in an upstream";
	}
	NEVER_HERE();
}

static void unknown_key(
	struct config *c, const struct section *s, const struct conf_node *child)
{
	const char *names[OPT_ROWS_MAX + 8];
	size_t n = 0;
	for (size_t i = 0; i < s->word_count; i++)
		names[n++] = s->words[i];
	for (size_t i = 0; i < (size_t)PROXY_OPT_COUNT; i++)
		if (proxy_opts[i].kind != OPT_group && proxy_opt_scope(i) >= s->scope)
			names[n++] = proxy_opts[i].name;
	conf_unknown_key(c->conf, child, names, n);
}

static bool is_word(const struct section *s, const char *key)
{
	for (size_t i = 0; i < s->word_count; i++)
		if (strcmp(s->words[i], key) == 0)
			return true;
	return false;
}

/* `gather` of a route as a map is no option: config_gather.c's. */
static bool is_parts(const struct section *s, const struct conf_node *child)
{
	return s == &route_section && child->kind == CONF_MAP &&
	       strcmp(child->key, "gather") == 0;
}

/* The options of a map into its level; unknown keys and those out of place are told. */
static void read_section(
	struct config *c, const struct section *s, struct config_level *at)
{
	CONF_EACH(at->maps[0], child)
	{
		if (is_word(s, child->key) || is_parts(s, child))
			continue;
		size_t row = row_of(child->key);
		if (row == (size_t)PROXY_OPT_COUNT)
			unknown_key(c, s, child);
		else if (proxy_opt_scope(row) < s->scope)
			conf_complain(c->conf, child->key_at,
				"'%s' does not belong in %s: write it %s", child->key,
				s->what, scope_home(proxy_opt_scope(row)));
		else if (proxy_opts[row].kind == OPT_limit && child->kind == CONF_MAP)
			set_limit(c, child, conf_get(at->maps[0], "limit-max") != NULL,
				&at->opt);
		else
			set_option(c, &proxy_opts[row], child, &at->opt);
	}
}

/* A level inside `outer`. */
static void level_init(struct config_level *at, const struct config_level *outer,
	const struct conf_node *map)
{
	size_t n = 0;
	at->opt = outer->opt;
	if (map)
		at->maps[n++] = map;
	for (size_t i = 0; n < ARRAY_LEN(at->maps) && outer->maps[i]; i++)
		at->maps[n++] = outer->maps[i];
}

/* --- upstreams --- */

bool config_is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "0123456789-_.");
	return n > 0 && n <= CONFIG_NAME_MAX && s[n] == '\0';
}

static void read_upstream(struct config *c, const struct conf_node *node)
{
	struct config_upstream *u = &c->upstreams[c->upstream_count++];
	static const char url_row[] = "upstream";
	u->name = node->key;
	if (!config_is_name(node->key))
		conf_complain(c->conf, node->key_at,
			"'%s' is no name: letters, digits, - _ and . make one, %d at most",
			node->key, CONFIG_NAME_MAX);
	if (!conf_want(c->conf, node, CONF_MAP, "a map with at least url:")) {
		c->upstream_count--;
		return;
	}
	level_init(&u->at, &c->at, node);
	read_section(c, &upstream_section, &u->at);
	const struct conf_node *url = conf_get(node, "url");
	size_t row = row_of(url_row);
	u->at.opt.upstream.n = 0;
	u->at.opt.froms.of[row] = OPT_FROM_DEFAULT;
	if (url)
		set_option(c, &proxy_opts[row], url, &u->at.opt);
	else
		conf_complain(c->conf, node->key_at,
			"%s has no url: where does it send its calls?", node->key);
}

static void read_upstreams(struct config *c, const struct conf_node *node)
{
	if (!conf_want(c->conf, node, CONF_MAP, "a map of upstreams by name"))
		return;
	if (c->at.opt.upstream.n)
		config_complain(c, (struct config_option){ &c->at, "upstream", 0 },
			": there are `upstreams` in the file: give one or the other");
	if (node->count == 0)
		conf_complain(c->conf, node->at, "upstreams: there is none");
	if (node->count > PROXY_UPSTREAMS_MAX) {
		conf_complain(c->conf, node->at, "upstreams: more than %d",
			PROXY_UPSTREAMS_MAX);
		return;
	}
	c->upstreams = mem_zalloc((node->count + 1) * sizeof(*c->upstreams));
	CONF_EACH(node, child)
	read_upstream(c, child);
}

static void add_only_upstream(struct config *c)
{
	mem_free(c->upstreams); /* of a map with none that is good */
	c->upstreams = mem_zalloc(sizeof(*c->upstreams));
	c->upstream_count = 1;
	c->upstreams->name = "default";
	level_init(&c->upstreams->at, &c->at, NULL);
}

/* --- routes --- */

bool config_find_upstream(struct config *c, const struct conf_node *node, uint32_t *index)
{
	const char *names[PROXY_UPSTREAMS_MAX];
	if (!conf_want(c->conf, node, CONF_TEXT, "the name of an upstream"))
		return false;
	for (uint32_t i = 0; i < c->upstream_count; i++) {
		names[i] = c->upstreams[i].name;
		if (strcmp(names[i], node->text) == 0) {
			*index = i;
			return true;
		}
	}
	const char *meant = units_nearest(slice_of(node->text), names, c->upstream_count);
	if (meant)
		conf_complain(c->conf, node->at,
			"there is no upstream '%s': did you mean %s?", node->text, meant);
	else
		conf_complain(c->conf, node->at, "there is no upstream '%s'", node->text);
	return false;
}

static void route_upstream(
	struct config *c, struct config_route *r, const struct conf_node *route)
{
	const struct conf_node *node = conf_get(route, "upstream");
	if (node)
		(void)!config_find_upstream(c, node, &r->upstream);
	else if (c->upstream_count > 1 && !config_gather_map(route))
		conf_complain(c->conf, route->at,
			"upstream is missing: which of the %u takes these requests?",
			c->upstream_count);
}

/* What a route begins with. Its upstream's options, unless each part names its own. */
static const struct config_level *route_outer(const struct config *c,
	const struct config_route *r, const struct conf_node *route)
{
	if (config_gather_map(route) && !conf_get(route, "upstream"))
		return &c->at;
	return &c->upstreams[r->upstream].at;
}

static void route_methods(
	struct config *c, struct config_route *r, const struct conf_node *node)
{
	static const char what[] = "a method or a list of methods";
	if (node->kind != CONF_LIST) {
		if (conf_want(c->conf, node, CONF_TEXT, what))
			r->methods[r->method_count++] = node->text;
		return;
	}
	if (node->count == 0 || node->count > PROXY_METHODS_MAX) {
		conf_complain(c->conf, node->at, "method: between 1 and %d of them",
			PROXY_METHODS_MAX);
		return;
	}
	CONF_EACH(node, item)
	if (conf_want(c->conf, item, CONF_TEXT, "a method"))
		r->methods[r->method_count++] = item->text;
}

static const char *route_text(struct config *c, const struct conf_node *route,
	const char *key, const char *what)
{
	const struct conf_node *node = conf_get(route, key);
	if (!node || !conf_want(c->conf, node, CONF_TEXT, what))
		return NULL;
	return node->text;
}

static void read_route(struct config *c, const struct conf_node *node)
{
	const struct conf_node *method, *parts;
	if (!conf_want(c->conf, node, CONF_MAP,
		    "a route as { path: /v1/*, upstream: NAME }"))
		return;
	struct config_route *r = &c->routes[c->route_count++];
	route_upstream(c, r, node);
	level_init(&r->at, route_outer(c, r, node), node);
	read_section(c, &route_section, &r->at);
	r->host = route_text(c, node, "host", "a host, such as api.local or \"*.local\"");
	r->path = route_text(c, node, "path", "a path, such as /v1/*");
	if ((method = conf_get(node, "method")))
		route_methods(c, r, method);
	if ((parts = config_gather_map(node)))
		config_read_gather(c, r, parts);
}

static void read_routes(struct config *c, const struct conf_node *node)
{
	if (!conf_want(c->conf, node, CONF_LIST, "a list of routes"))
		return;
	if (node->count == 0)
		conf_complain(c->conf, node->at, "routes: there is none");
	if (node->count > PROXY_ROUTES_MAX) {
		conf_complain(
			c->conf, node->at, "routes: more than %d", PROXY_ROUTES_MAX);
		return;
	}
	c->routes = mem_zalloc((node->count + 1) * sizeof(*c->routes));
	CONF_EACH(node, child)
	read_route(c, child);
}

static void add_only_route(struct config *c)
{
	if (c->upstream_count > 1 && !conf_get(c->at.maps[0], "routes"))
		conf_complain(c->conf, c->at.maps[0]->at,
			"routes are missing: which requests go to which of the %u "
			"upstreams?",
			c->upstream_count);
	mem_free(c->routes);
	c->routes = mem_zalloc(sizeof(*c->routes));
	c->route_count = 1;
	level_init(&c->routes->at, &c->upstreams[0].at, NULL);
}

/* --- the whole --- */

bool config_is_forward_only(const struct config *c)
{
	const struct proxy_options *o = &c->at.opt;
	const struct conf_node *root = c->at.maps[0];
	return o->forward_listen.n && !o->listen.n && !o->upstream.n &&
	       !(root && (conf_get(root, "upstreams") || conf_get(root, "routes")));
}

static void read_file(struct config *c)
{
	const struct conf_node *root = conf_root(c->conf);
	c->at.maps[0] = root;
	if (root->kind == CONF_NONE && conf_complaints(c->conf))
		return; /* of its syntax */
	if (root->kind != CONF_NONE &&
		!conf_want(c->conf, root, CONF_MAP, "a map of keys"))
		return;
	read_section(c, &root_section, &c->at);
	const struct conf_node *upstreams = conf_get(root, "upstreams");
	const struct conf_node *routes = conf_get(root, "routes");
	if (upstreams)
		read_upstreams(c, upstreams);
	if (config_is_forward_only(c)) {
		config_check(c);
		return;
	}
	if (!c->upstream_count)
		add_only_upstream(c);
	if (routes)
		read_routes(c, routes);
	if (!c->route_count)
		add_only_route(c);
	config_check(c);
}

static struct config *config_alloc(const struct proxy_options *given)
{
	struct config *c = mem_zalloc(sizeof(*c));
	atomic_init(&c->refs, 1);
	c->at.opt = *given;
	return c;
}

struct config *config_of(const struct proxy_options *given, struct conf *conf)
{
	struct config *c = config_alloc(given);
	c->conf = conf;
	read_file(c);
	return c;
}

struct config *config_read(const struct proxy_options *given)
{
	struct problem why = { "" };
	struct conf *conf = given->config ? conf_load(given->config, &why) : NULL;
	if (conf)
		return config_of(given, conf);
	struct config *c = config_alloc(given);
	c->problem = why;
	c->unreadable = given->config != NULL;
	if (c->unreadable)
		return c;
	if (!config_is_forward_only(c)) {
		add_only_upstream(c);
		add_only_route(c);
	}
	config_check(c);
	return c;
}

struct config *config_ref(struct config *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void config_unref(struct config **cp)
{
	struct config *c = *cp;
	*cp = NULL;
	if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	mem_free(c->upstreams);
	for (uint32_t i = 0; i < c->route_count; i++)
		config_free_gather(&c->routes[i].parts);
	mem_free(c->routes);
	conf_free(&c->conf);
	mem_free(c);
}

bool config_is_good(const struct config *c)
{
	return !c->problem.text[0] && (!c->conf || !conf_complaints(c->conf));
}

void config_show(const struct config *c, struct text *out)
{
	if (c->problem.text[0])
		text_addf(out, "%s\n", c->problem.text);
	if (c->conf)
		conf_show(c->conf, out);
}
