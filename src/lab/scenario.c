/* Reading a scenario: its acts, their variants at each point, and the lines they must
 * hold. What one case holds: case.c. */
#include "lab/scenario.h"

#include <math.h>

#include "lab/case.h"

#define ACT_WORDS \
	"title", "about", "callers", "server", "calls", "variants", "expect", "repeat", \
		"warm-up", "seed", "at-once", "hosts", "links", "sysctls", "pool", \
		"let", "full"

static const char *const act_words[] = { ACT_WORDS, NULL };
static const char *const file_words[] = { "acts", ACT_WORDS, NULL };
static const char *const full_words[] = { "callers", "server", "calls", "repeat",
	"warm-up", "seed", "at-once", "hosts", "links", "sysctls", "pool", "let", NULL };

const char *lab_program_name(enum lab_program p)
{
	static const char *const names[] = { "weir", "nginx", "haproxy", "node", "go",
		"python", "command" };
	return names[p];
}

const char *lab_server_program_name(enum lab_server_program p)
{
	return lab_server_words[p];
}

const char *lab_role_name(enum lab_role r)
{
	return lab_role_words[r];
}

/* What is being read. */
struct scene {
	struct lab_scenario *s;
	const struct lab_options *options;
	const struct conf_node *file;
	struct reader_levels levels; /* of the act */
};

static const char *plain_text(
	struct scene *c, const struct conf_node *map, const char *key)
{
	const struct conf_node *node = conf_get(map, key);
	if (!node || !conf_want(c->s->conf, node, CONF_TEXT, "a text"))
		return NULL;
	return node->text;
}

static void add_full(struct scene *c, const struct conf_node *map, struct reader *r)
{
	const struct conf_node *full = conf_get(map, "full");
	if (!full || !conf_want(c->s->conf, full, CONF_MAP, "a map of keys"))
		return;
	reader_check_keys(r, full, full_words);
	if (c->options->full)
		reader_add_level(&c->levels, full);
}

static bool is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "0123456789-_");
	return n > 0 && n <= 40 && s[n] == '\0';
}

static void check_name(struct scene *c, const struct conf_node *node, const char *of)
{
	if (!is_name(node->key))
		conf_complain(c->s->conf, node->key_at,
			"'%s' is no name of %s: letters, digits, - and _ make one, 40 at "
			"most",
			node->key, of);
}

/* --- variants --- */

static struct lab_case *new_case(struct lab_act *a)
{
	a->cases = mem_realloc(a->cases, (a->n + 1) * sizeof(*a->cases));
	memset(&a->cases[a->n], 0, sizeof(*a->cases));
	return &a->cases[a->n++];
}

static void read_variant(
	struct scene *c, struct lab_act *a, const struct case_source *source)
{
	struct lab_pairs figures;
	struct reader r;
	uint32_t points = 0;
	pairs_init(&figures);
	reader_init(&r, c->s->conf, &c->s->kept, &figures);
	do {
		figures.n = 0;
		if (++points > LAB_POINTS_MAX || a->n == LAB_CASES_MAX) {
			conf_complain(c->s->conf, source->at,
				points > LAB_POINTS_MAX
					? "%s: its sweep makes more than %d points"
					: "%s: with it the act has more than %d rows",
				source->name,
				points > LAB_POINTS_MAX ? LAB_POINTS_MAX : LAB_CASES_MAX);
			break;
		}
		case_read(new_case(a), &r, source);
	} while (reader_advance(&r));
	pairs_fini(&figures);
}

static void read_variants(struct scene *c, struct lab_act *a)
{
	const struct conf_node *map = reader_find(&c->levels, "variants");
	struct case_source source = {
		.levels = c->levels, .options = c->options, .dir_of = c->s->source.file
	};
	if (!map) {
		conf_complain(c->s->conf, c->levels.map[0]->at,
			"variants are missing: what stands in the middle?");
		return;
	}
	if (!conf_want(c->s->conf, map, CONF_MAP, "a map of variants by name"))
		return;
	if (map->count == 0 || map->count >= LAB_VARIANTS_MAX)
		conf_complain(c->s->conf, map->at, "variants: between 1 and %d of them",
			LAB_VARIANTS_MAX - 1);
	CONF_EACH(map, child)
	{
		check_name(c, child, "a variant");
		source.map = child;
		source.name = child->key;
		source.at = child->key_at;
		if (conf_want(c->s->conf, child, CONF_MAP,
			    "a map, such as { weir: { limit: 100 } }"))
			read_variant(c, a, &source);
		source.map = NULL;
		source.name = "yours";
		if (child == map->first && c->options->middleware)
			read_variant(c, a, &source);
	}
}

/* --- expectations --- */

static const char *case_name(const void *of, uint32_t i)
{
	return ((const struct lab_act *)of)->cases[i].name;
}

static const struct lab_pairs *case_point(const void *of, uint32_t i)
{
	return &((const struct lab_act *)of)->cases[i].point;
}

static void read_expects(struct scene *c, struct lab_act *a)
{
	const struct conf_node *list = reader_find(&c->levels, "expect");
	struct expect_world world = { a->n, case_name, case_point, NULL, a };
	if (!list || !conf_want(c->s->conf, list, CONF_LIST, "a list of lines"))
		return;
	a->expects = mem_zalloc((list->count + 1) * sizeof(*a->expects));
	CONF_EACH(list, item)
	{
		struct problem p = { "" };
		struct conf_place at = item->at;
		uint32_t column;
		if (!conf_want(c->s->conf, item, CONF_TEXT,
			    "a line such as weir.refused == 0"))
			continue;
		struct lab_expect *e = &a->expects[a->n_expects++];
		bool ok = expect_parse(e, item->text, &world, &column, &p);
		e->line = item->at.line;
		at.column += column - 1 + !item->plain;
		if (!ok)
			conf_complain(c->s->conf, at, "%s", p.text);
	}
}

/* --- acts --- */

static void read_counts(struct scene *c, struct lab_act *a, struct reader *r)
{
	a->repeat = a->seed = 1;
	a->at_once = UINT64_MAX;
	reader_count(r, &c->levels, "repeat", &a->repeat);
	reader_count(r, &c->levels, "seed", &a->seed);
	reader_count(r, &c->levels, "at-once", &a->at_once);
	if (r->n_axes)
		conf_complain(c->s->conf, r->axis[0].list->at, "%s cannot be swept",
			r->axis[0].list->key);
	if (a->repeat < 1 || a->repeat > 100)
		conf_complain(c->s->conf, reader_find(&c->levels, "repeat")->at,
			"repeat: between 1 and 100 times");
	if (a->at_once < 1)
		conf_complain(c->s->conf, reader_find(&c->levels, "at-once")->at,
			"at-once: 1 at least");
	if (c->options->repeat != UINT64_MAX)
		a->repeat = c->options->repeat;
	if (c->options->parallel != UINT64_MAX)
		a->at_once = c->options->parallel;
}

static void read_act(struct scene *c, struct lab_act *a, const struct conf_node *map)
{
	struct lab_pairs none;
	struct reader r;
	pairs_init(&none);
	reader_init(&r, c->s->conf, &c->s->kept, &none);
	c->levels.n = 0;
	reader_check_keys(&r, map, map == c->file ? file_words : act_words);
	add_full(c, map, &r);
	reader_add_level(&c->levels, map);
	if (map != c->file) {
		add_full(c, c->file, &r);
		reader_add_level(&c->levels, c->file);
		a->title = plain_text(c, map, "title");
		a->about = plain_text(c, map, "about");
	}
	read_counts(c, a, &r);
	read_variants(c, a);
	if (!conf_complaints(c->s->conf))
		read_expects(c, a);
}

static bool is_wanted(const struct lab_options *o, const char *name, uint32_t number)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", number);
	return !strcmp(o->act, "all") || !strcmp(o->act, name) || !strcmp(o->act, text);
}

static void act_fini(struct lab_act *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		case_fini(&a->cases[i]);
	for (uint32_t i = 0; i < a->n_expects; i++)
		expect_fini(&a->expects[i]);
	mem_free(a->cases);
	mem_free(a->expects);
}

/* Acts that --act leaves out are read all the same: the file is checked whole. */
static void read_acts(struct scene *c, const struct conf_node *acts)
{
	uint32_t number = 0;
	if (!conf_want(c->s->conf, acts, CONF_MAP, "a map of acts by name"))
		return;
	if (acts->count == 0 || acts->count > LAB_ACTS_MAX) {
		conf_complain(c->s->conf, acts->at, "acts: between 1 and %d of them",
			LAB_ACTS_MAX);
		return;
	}
	c->s->acts = mem_zalloc(acts->count * sizeof(*c->s->acts));
	CONF_EACH(acts, child)
	{
		struct lab_act *a = &c->s->acts[c->s->n_acts];
		check_name(c, child, "an act");
		a->name = child->key;
		if (conf_want(c->s->conf, child, CONF_MAP, "a map of keys"))
			read_act(c, a, child);
		if (is_wanted(c->options, child->key, ++number)) {
			c->s->n_acts++;
		} else {
			act_fini(a);
			memset(a, 0, sizeof(*a));
		}
	}
}

static void read_file(struct scene *c)
{
	const struct conf_node *acts = conf_get(c->file, "acts");
	struct conf *conf = c->s->conf;
	c->s->title = plain_text(c, c->file, "title");
	c->s->about = plain_text(c, c->file, "about");
	if (acts) {
		struct lab_pairs none = { NULL, 0, 0 };
		struct reader r;
		reader_init(&r, conf, &c->s->kept, &none);
		reader_check_keys(&r, c->file, file_words);
		read_acts(c, acts);
		return;
	}
	c->s->acts = mem_zalloc(sizeof(*c->s->acts));
	c->s->acts[0].name = c->s->name;
	read_act(c, &c->s->acts[0], c->file);
	c->s->n_acts = is_wanted(c->options, c->s->name, 1);
	if (!c->s->n_acts)
		act_fini(&c->s->acts[0]);
}

struct lab_scenario *scenario_read(const struct lab_source *source,
	const struct lab_options *options, struct text *wrong)
{
	struct lab_scenario *s = mem_zalloc(sizeof(*s));
	s->name = mem_strdup(source->name);
	s->text = mem_strdup(source->text);
	s->source = (struct lab_source){ s->name, source->file, s->text };
	args_init(&s->kept);
	s->conf = conf_parse(
		source->file ? source->file : source->name, slice_of(s->text));
	struct scene c = { .s = s, .options = options, .file = conf_root(s->conf) };
	if (!conf_complaints(s->conf) &&
		conf_want(s->conf, c.file, CONF_MAP, "a scenario: a map of keys"))
		read_file(&c);
	if (!conf_complaints(s->conf))
		return s;
	conf_show(s->conf, wrong);
	scenario_free(&s);
	return NULL;
}

void scenario_free(struct lab_scenario **sp)
{
	struct lab_scenario *s = *sp;
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n_acts; i++)
		act_fini(&s->acts[i]);
	mem_free(s->acts);
	conf_free(&s->conf);
	args_fini(&s->kept);
	mem_free(s->name);
	mem_free(s->text);
	mem_free(s);
	*sp = NULL;
}
