/* The one file that knows libyaml. */
#include "base/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include <yaml.h>

#include "base/arena.h"
#include "base/units.h"

#define CONF_ARENA_BYTES \
	(32 << 20) /* nodes and texts of the largest file that is taken */
#define COMPLAINT_BYTES 512
#define SHOWN_CHARS 100 /* of a line that is wrong */

struct complaint {
	struct conf_place at;
	uint32_t order;
	char text[COMPLAINT_BYTES];
};

struct conf {
	char *name, *bytes;
	struct arena arena;
	struct slice source; /* of `bytes` */
	struct conf_node root;
	uint32_t nodes;
	uint32_t complained;
	bool broken; /* rule 1 */
	struct complaint *complaints;
};

/* --- complaints --- */

static uint32_t kept(const struct conf *c)
{
	return c->complained < CONF_COMPLAINTS_MAX ? c->complained : CONF_COMPLAINTS_MAX;
}

/* One value may be looked at for several that inherit it. */
static bool complained_already(
	const struct conf *c, struct conf_place at, const char *text)
{
	for (uint32_t i = 0; i < kept(c); i++) {
		const struct complaint *it = &c->complaints[i];
		if (it->at.line == at.line && it->at.column == at.column &&
			strcmp(it->text, text) == 0)
			return true;
	}
	return false;
}

void conf_complain(struct conf *c, struct conf_place at, const char *fmt, ...)
{
	va_list args;
	uint32_t n = c->complained;
	char text[COMPLAINT_BYTES];
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (complained_already(c, at, text))
		return;
	c->complained++;
	if (n >= CONF_COMPLAINTS_MAX)
		return;
	if (!c->complaints)
		c->complaints = mem_zalloc(CONF_COMPLAINTS_MAX * sizeof(*c->complaints));
	c->complaints[n].at = at;
	c->complaints[n].order = n;
	memcpy(c->complaints[n].text, text, sizeof(text));
}

uint32_t conf_complaints(const struct conf *c)
{
	return c->complained;
}

static const char *kind_text(enum conf_kind kind)
{
	switch (kind) {
	case CONF_NONE:
		return "nothing";
	case CONF_TEXT:
		return "a single value";
	case CONF_LIST:
		return "a list";
	case CONF_MAP:
		return "a map of keys";
	}
	NEVER_HERE();
}

bool conf_want(struct conf *c, const struct conf_node *node, enum conf_kind kind,
	const char *what)
{
	if (node->kind == kind)
		return true;
	conf_complain(c, node->at, "%s%sexpected %s, not %s", node->key ? node->key : "",
		node->key ? ": " : "", what, kind_text(node->kind));
	return false;
}

void conf_unknown_key(
	struct conf *c, const struct conf_node *child, const char *const *names, size_t n)
{
	const char *meant = units_nearest(slice_of(child->key), names, n);
	if (meant)
		conf_complain(c, child->key_at, "unknown key '%s': did you mean %s?",
			child->key, meant);
	else
		conf_complain(c, child->key_at, "unknown key '%s'", child->key);
}

/* --- showing them --- */

static int by_place(const void *a, const void *b)
{
	const struct complaint *x = a, *y = b;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.column != y->at.column)
		return x->at.column < y->at.column ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* Bytes of the line break at the front of s, as YAML 1.1 has them; 0: none is there. */
static size_t break_bytes(struct slice s)
{
	static const struct slice breaks[] = { { "\r\n", 2 }, { "\n", 1 }, { "\r", 1 },
		{ "\xc2\x85", 2 }, { "\xe2\x80\xa8", 3 }, { "\xe2\x80\xa9", 3 } };
	for (size_t i = 0; i < ARRAY_LEN(breaks); i++)
		if (slice_starts(s, breaks[i]))
			return breaks[i].len;
	return 0;
}

static size_t line_bytes(struct slice s)
{
	size_t n = 0;
	while (n < s.len && !break_bytes(slice_cut(s, n, SIZE_MAX)))
		n++;
	return n;
}

static struct slice source_line(const struct conf *c, uint32_t line)
{
	struct slice rest = c->source;
	for (uint32_t i = 1; i < line && rest.len; i++) {
		rest = slice_cut(rest, line_bytes(rest), SIZE_MAX);
		rest = slice_cut(rest, break_bytes(rest), SIZE_MAX);
	}
	return slice_cut(rest, 0, line_bytes(rest));
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Offset of the character number `n` (from 0), or the end. */
static size_t char_offset(struct slice s, size_t n)
{
	size_t at = 0;
	while (at < s.len && (n > 0 || is_continuation(s.ptr[at]))) {
		at++;
		if (at < s.len && !is_continuation(s.ptr[at]))
			n--;
	}
	return at;
}

/* As it is shown, in as many columns as it has characters. */
static void add_plain(struct text *out, struct slice s)
{
	while (s.len) {
		size_t n = slice_utf8_len(s);
		if (text_shown_len(s))
			text_add_slice(out, slice_cut(s, 0, n));
		else
			text_add_char(out, n == 1 ? ' ' : '?');
		s = slice_cut(s, n ? n : 1, SIZE_MAX);
	}
}

/* The line and a caret below the place; of a long line the part around it. */
static void show_line(const struct conf *c, struct conf_place at, struct text *out)
{
	struct slice line = source_line(c, at.line);
	size_t column = at.column > 0 ? at.column - 1 : 0;
	bool fits = char_offset(line, SHOWN_CHARS) == line.len;
	size_t skip = !fits && column > SHOWN_CHARS - 20 ? column - (SHOWN_CHARS - 20)
							 : 0;
	line = slice_cut(line, char_offset(line, skip), SIZE_MAX);
	line = slice_cut(line, 0, char_offset(line, SHOWN_CHARS));
	if (slice_trim(line).len == 0)
		return;
	text_addf(out, "%5u | ", at.line);
	add_plain(out, line);
	text_addf(out, "\n      | %*s^\n", (int)(column - skip), "");
}

void conf_show(const struct conf *c, struct text *out)
{
	uint32_t n = kept(c);
	if (n == 0)
		return;
	struct complaint *sorted = mem_alloc(n * sizeof(*sorted));
	memcpy(sorted, c->complaints, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_place);
	for (uint32_t i = 0; i < n; i++) {
		const struct complaint *it = &sorted[i];
		text_addf(out, "%s:", c->name);
		if (it->at.line)
			text_addf(out, "%u:%u:", it->at.line, it->at.column);
		text_add_char(out, ' ');
		add_plain(out, slice_of(it->text));
		text_add_char(out, '\n');
		if (it->at.line)
			show_line(c, it->at, out);
	}
	if (c->complained > n)
		text_addf(out, "%s: and %u more\n", c->name, c->complained - n);
	mem_free(sorted);
}

/* --- the tree --- */

const struct conf_node *conf_get(const struct conf_node *map, const char *key)
{
	if (map->kind != CONF_MAP)
		return NULL;
	CONF_EACH(map, child)
	if (strcmp(child->key, key) == 0)
		return child;
	return NULL;
}

/* What is being read. */
struct builder {
	struct conf *conf;
	yaml_parser_t yaml;
	struct conf_node *open[CONF_DEPTH_MAX];
	uint32_t depth;
	const char *key; /* of the value to come; NULL: a map waits for a key */
	struct conf_place key_at;
	bool has_root;
};

static struct conf_place place(const yaml_mark_t *mark)
{
	return (struct conf_place){ (uint32_t)mark->line + 1,
		(uint32_t)mark->column + 1 };
}

/* Rule 1: reading ends here. */
#define build_fault(b, at, ...) \
	((b)->conf->broken = true, conf_complain((b)->conf, at, __VA_ARGS__), false)

static struct conf_node *build_parent(const struct builder *b)
{
	return b->depth ? b->open[b->depth - 1] : NULL;
}

static bool build_key(struct builder *b, const char *text, struct conf_place at)
{
	const struct conf_node *before = conf_get(build_parent(b), text);
	if (before)
		conf_complain(b->conf, at, "'%s' is given twice: first in line %u", text,
			before->key_at.line);
	b->key = text;
	b->key_at = at;
	return true;
}

/* A node under the innermost open one; NULL: a bound was met. */
static struct conf_node *build_node(
	struct builder *b, enum conf_kind kind, struct conf_place at)
{
	struct conf_node *parent = build_parent(b), *node = &b->conf->root;
	if (parent)
		node = arena_zalloc(&b->conf->arena, sizeof(*node));
	if (!node || ++b->conf->nodes > CONF_NODES_MAX) {
		(void)build_fault(b, at, "more than %d values", CONF_NODES_MAX);
		return NULL;
	}
	*node = (struct conf_node){
		.kind = kind, .at = at, .key = b->key, .key_at = b->key_at
	};
	b->key = NULL;
	if (!parent)
		return node;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->count++;
	return node;
}

static bool build_wants_key(const struct builder *b)
{
	const struct conf_node *parent = build_parent(b);
	return parent && parent->kind == CONF_MAP && !b->key;
}

static bool is_nothing(const yaml_event_t *e, const char *text)
{
	return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!text[0] || !strcmp(text, "~") || !strcmp(text, "null"));
}

static bool build_scalar(struct builder *b, const yaml_event_t *e)
{
	struct slice s = { (const char *)e->data.scalar.value, e->data.scalar.length };
	struct conf_place at = place(&e->start_mark);
	if (e->data.scalar.anchor || e->data.scalar.tag)
		return build_fault(b, at, "anchors and tags are not understood here");
	if (slice_find(s, '\0') < s.len)
		return build_fault(b, at, "a NUL in a value");
	char *text = arena_dup(&b->conf->arena, s);
	if (!text)
		return build_fault(b, at, "the file is too large");
	if (build_wants_key(b))
		return build_key(b, text, at);
	struct conf_node *node = build_node(
		b, is_nothing(e, text) ? CONF_NONE : CONF_TEXT, at);
	if (node) {
		node->text = text;
		node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	}
	return node != NULL;
}

static bool build_open(
	struct builder *b, enum conf_kind kind, const yaml_event_t *e, bool decorated)
{
	struct conf_place at = place(&e->start_mark);
	if (decorated)
		return build_fault(b, at, "anchors and tags are not understood here");
	if (build_wants_key(b))
		return build_fault(
			b, at, "a key must be a word, not %s", kind_text(kind));
	if (b->depth == CONF_DEPTH_MAX)
		return build_fault(b, at, "nested deeper than %d", CONF_DEPTH_MAX);
	struct conf_node *node = build_node(b, kind, at);
	if (!node)
		return false;
	b->open[b->depth++] = node;
	return true;
}

static bool build_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return build_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return build_open(b, CONF_LIST, e,
			e->data.sequence_start.anchor || e->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return build_open(b, CONF_MAP, e,
			e->data.mapping_start.anchor || e->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return true;
	case YAML_ALIAS_EVENT:
		return build_fault(b, place(&e->start_mark),
			"*%s is an alias in YAML, and those are not understood here: write "
			"the value out, or quote it",
			(const char *)e->data.alias.anchor);
	case YAML_DOCUMENT_START_EVENT:
		if (b->has_root)
			return build_fault(b, place(&e->start_mark),
				"a second document: only one is read");
		b->has_root = true;
		return true;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return true;
	}
	NEVER_HERE();
}

/* Bytes that are no text have an offset, not a mark. */
static struct conf_place offset_place(const struct conf *c, size_t offset)
{
	struct conf_place at = { 1, 1 };
	size_t i = 0;
	while (i < offset && i < c->source.len) {
		size_t n = break_bytes(slice_cut(c->source, i, SIZE_MAX));
		if (n)
			at = (struct conf_place){ at.line + 1, 1 };
		else if (!is_continuation(c->source.ptr[i]))
			at.column++;
		i += n ? n : 1;
	}
	return at;
}

static char source_char(const struct conf *c, struct conf_place at)
{
	struct slice line = source_line(c, at.line);
	size_t offset = char_offset(line, at.column - 1);
	return offset < line.len ? line.ptr[offset] : '\0';
}

static void build_syntax_fault(struct builder *b)
{
	const yaml_parser_t *y = &b->yaml;
	struct conf_place at = place(&y->problem_mark);
	const char *what = y->problem ? y->problem : "not YAML";
	if (y->error == YAML_READER_ERROR) {
		at = offset_place(b->conf, y->problem_offset);
		(void)build_fault(b, at, "not text in UTF-8: %s", what);
	} else if (y->error == YAML_MEMORY_ERROR) {
		(void)build_fault(b, at, "out of memory");
	} else if (y->context && strstr(y->context, "scanning an alias")) {
		at = place(&y->context_mark);
		(void)build_fault(b, at,
			"a value that begins with * must be quoted, as \"*.example.com\"");
	} else if (source_char(b->conf, at) == '\t') {
		(void)build_fault(b, at, "a tab: YAML is indented with spaces");
	} else if (y->context) {
		(void)build_fault(b, at, "%s (%s that begins in line %zu)", what,
			y->context, y->context_mark.line + 1);
	} else {
		(void)build_fault(b, at, "%s", what);
	}
}

static void build(struct builder *b)
{
	bool more = true;
	while (more) {
		yaml_event_t e;
		if (!yaml_parser_parse(&b->yaml, &e)) {
			build_syntax_fault(b);
			return;
		}
		more = e.type != YAML_STREAM_END_EVENT;
		if (!build_event(b, &e))
			more = false;
		yaml_event_delete(&e);
	}
}

struct conf *conf_parse(const char *name, struct slice text)
{
	struct conf *c = mem_zalloc(sizeof(*c));
	struct builder b = { .conf = c };
	c->name = mem_strdup(name);
	c->bytes = slice_dup(text);
	c->source = (struct slice){ c->bytes, text.len };
	c->root.at = (struct conf_place){ 1, 1 };
	arena_init(&c->arena, CONF_ARENA_BYTES);
	if (text.len > CONF_BYTES_MAX) {
		c->broken = true;
		conf_complain(c, (struct conf_place){ 0, 0 }, "larger than %d bytes",
			CONF_BYTES_MAX);
		return c;
	}
	CHECK(yaml_parser_initialize(&b.yaml));
	yaml_parser_set_encoding(&b.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&b.yaml, (const unsigned char *)c->source.ptr, c->source.len);
	build(&b);
	yaml_parser_delete(&b.yaml);
	if (c->broken)
		c->root = (struct conf_node){ .at = { 1, 1 } };
	return c;
}

struct conf *conf_load(const char *file, struct problem *p)
{
	FILE *in = fopen(file, "re");
	char *bytes = NULL;
	struct conf *c = NULL;
	if (!in) {
		problem_set(p, "%s: %s", file, strerror(errno));
		return NULL;
	}
	/* One byte more than is taken tells that there is more. */
	bytes = mem_alloc(CONF_BYTES_MAX + 1);
	size_t n = fread(bytes, 1, CONF_BYTES_MAX + 1, in);
	if (ferror(in))
		problem_set(p, "%s: %s", file, strerror(errno));
	else
		c = conf_parse(file, (struct slice){ bytes, n });
	mem_free(bytes);
	fclose(in);
	return c;
}

void conf_free(struct conf **cp)
{
	struct conf *c = *cp;
	if (!c)
		return;
	arena_fini(&c->arena);
	mem_free(c->name);
	mem_free(c->bytes);
	mem_free(c->complaints);
	mem_free(c);
	*cp = NULL;
}

const struct conf_node *conf_root(const struct conf *c)
{
	return &c->root;
}

const char *conf_name(const struct conf *c)
{
	return c->name;
}
