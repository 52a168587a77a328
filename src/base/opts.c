#include "base/opts.h"

#include "base/ascii.h"

#define CHOICES_MAX 16
#define OPTIONS_MAX OPT_ROWS_MAX
#define NAME_BYTES 64
#define HELP_COLUMN_MAX 34 /* longer option names get a line of their own */

static bool takes_value(const struct opt *o)
{
	return o->kind != OPT_flag && o->kind != OPT_group;
}

static const struct opt *find_option(const struct verb *verb, struct slice name)
{
	for (size_t i = 0; i < verb->opt_count; i++) {
		const struct opt *o = &verb->opts[i];
		if (o->kind != OPT_group && slice_eq(slice_of(o->name), name))
			return o;
	}
	return NULL;
}

/* "drain|reset|close" into slices; how many. */
static size_t split_choices(const char *meta, struct slice *words)
{
	struct slice rest = slice_of(meta);
	size_t n = 0;
	while (rest.len) {
		CHECK(n < CHOICES_MAX);
		words[n] = slice_cut(rest, 0, slice_find(rest, '|'));
		rest = slice_cut(rest, words[n].len + 1, SIZE_MAX);
		n++;
	}
	return n;
}

/* "a, b or c" */
static void add_alternatives(struct text *t, const struct slice *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		text_add(t, i == 0 ? "" : i + 1 < n ? ", " : " or ");
		text_add_slice(t, words[i]);
	}
}

/* A word that is nearly one that may stand for a number is told so. */
static bool is_word(struct slice s, const char *const *words, size_t n, struct problem *p)
{
	const char *meant = NULL;
	/* A number is never meant as a word. */
	if (s.len && (s.ptr[0] < '0' || s.ptr[0] > '9'))
		meant = units_nearest(s, words, n);
	if (!meant || slice_eq(s, slice_of(meant)))
		return true;
	return problem_set(
		p, "unknown value '%.*s': did you mean %s?", SLICE_ARG(s), meant);
}

static bool parse_count(struct slice s, uint64_t *field, struct problem *p)
{
	static const char *const words[] = { "none" };
	return is_word(s, words, ARRAY_LEN(words), p) && units_count(s, field, p);
}

static bool parse_duration(struct slice s, ns_t *field, struct problem *p)
{
	static const char *const words[] = { "none" };
	return is_word(s, words, ARRAY_LEN(words), p) && units_duration(s, field, p);
}

static bool parse_limit(struct slice s, uint64_t *field, struct problem *p)
{
	static const char *const words[] = { "auto", "none" };
	if (slice_eq(s, SLICE("auto"))) {
		*field = OPTS_AUTO;
		return true;
	}
	struct problem why = { "" };
	return is_word(s, words, ARRAY_LEN(words), p) &&
	       (units_count(s, field, &why) || problem_set(p, "%s, or auto", why.text));
}

static bool parse_choice(
	const struct opt *o, struct slice value, int *out, struct problem *p)
{
	struct slice words[CHOICES_MAX];
	char copies[CHOICES_MAX][NAME_BYTES];
	const char *names[CHOICES_MAX] = { NULL };
	size_t n = split_choices(o->meta, words);

	for (size_t i = 0; i < n; i++) {
		if (slice_eq(words[i], value)) {
			*out = (int)i;
			return true;
		}
		snprintf(copies[i], sizeof(copies[i]), "%.*s", SLICE_ARG(words[i]));
		names[i] = copies[i];
	}
	const char *meant = units_nearest(value, names, n);
	if (meant)
		return problem_set(p, "unknown value '%.*s': did you mean %s?",
			SLICE_ARG(value), meant);
	struct text all;
	text_init(&all);
	add_alternatives(&all, words, n);
	if (value.len)
		problem_set(
			p, "unknown value '%.*s': write %s", SLICE_ARG(value), all.ptr);
	else
		problem_set(p, "empty: write %s", all.ptr);
	text_fini(&all);
	return false;
}

static bool add_text(struct opt_texts *texts, const char *value, struct problem *p)
{
	if (texts->n == OPT_TEXTS_MAX)
		return problem_set(p, "at most %d can be given", OPT_TEXTS_MAX);
	texts->v[texts->n++] = value;
	return true;
}

/* Defaults, files and the environment say it by a word; on the command line a flag has none. */
static bool parse_flag(struct slice s, bool *out, struct problem *p)
{
	*out = slice_eq(s, SLICE("yes")) || slice_eq(s, SLICE("true"));
	return *out || slice_eq(s, SLICE("no")) || slice_eq(s, SLICE("false")) ||
	       problem_set(p, "'%.*s': write yes or no", SLICE_ARG(s));
}

static bool set_value(
	const struct opt *o, const char *value, void *field, struct problem *p)
{
	struct slice s = slice_of(value);

	/* A variable that is not set: as a text it would count as not given. */
	if (!s.len && (o->kind == OPT_text || o->kind == OPT_texts))
		return problem_set(p, "empty: write %s, or leave it out", o->meta);
	switch (o->kind) {
	case OPT_group:
		break;
	case OPT_flag:
		return parse_flag(s, field, p);
	case OPT_text:
		*(const char **)field = value;
		return true;
	case OPT_texts:
		return add_text(field, value, p);
	case OPT_duration:
		return parse_duration(s, field, p);
	case OPT_size:
		return units_size(s, field, p);
	case OPT_count:
		return parse_count(s, field, p);
	case OPT_limit:
		return parse_limit(s, field, p);
	case OPT_rate:
		return units_rate(s, field, p);
	case OPT_share:
		return units_share(s, field, p);
	case OPT_choice:
		return parse_choice(o, s, field, p);
	}
	NEVER_HERE();
}

bool opts_set(const struct opt *o, const char *value, void *options, struct problem *p)
{
	return set_value(o, value, (char *)options + o->offset, p);
}

/* Texts get theirs only after the command line was read, if it gave none: the user's
 * replace the default, they do not join it. */
static void set_defaults(const struct verb *verb, char *options, bool texts)
{
	for (size_t i = 0; i < verb->opt_count; i++) {
		const struct opt *o = &verb->opts[i];
		if (o->kind == OPT_group || !o->dflt || !o->dflt[0] ||
			texts != (o->kind == OPT_texts))
			continue;
		const struct opt_texts *given = (void *)(options + o->offset);
		if (texts && given->n)
			continue;
		struct problem p = { "" };
		bool good = set_value(o, o->dflt, options + o->offset, &p);
		if (!good)
			fprintf(stderr, "weir: default of --%s: %s\n", o->name, p.text);
		CHECK(good);
	}
}

/* The known name that is nearest, of all options or of the flags alone. */
static const char *nearest_name(
	const struct verb *verb, struct slice name, bool only_flags)
{
	const char *names[OPTIONS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < verb->opt_count; i++) {
		enum opt_kind kind = verb->opts[i].kind;
		if (kind == OPT_group || (only_flags && kind != OPT_flag))
			continue;
		CHECK(n < OPTIONS_MAX - 1);
		names[n++] = verb->opts[i].name;
	}
	if (!only_flags)
		names[n++] = "help";
	return units_nearest(name, names, n);
}

static bool unknown_option(const struct verb *verb, struct slice name, struct problem *p)
{
	bool negated = slice_starts(name, SLICE("no-"));
	struct slice plain = negated ? slice_cut(name, 3, SIZE_MAX) : SLICE_NONE;

	if (find_option(verb, plain))
		return problem_set(p, "unknown option '--%.*s': --%.*s takes a value",
			SLICE_ARG(name), SLICE_ARG(plain));
	const char *meant = negated ? nearest_name(verb, plain, true) : NULL;
	if (meant)
		return problem_set(p, "unknown option '--%.*s': did you mean --no-%s?",
			SLICE_ARG(name), meant);
	meant = nearest_name(verb, name, false);
	if (meant)
		return problem_set(p, "unknown option '--%.*s': did you mean --%s?",
			SLICE_ARG(name), meant);
	return problem_set(p, "unknown option '--%.*s'", SLICE_ARG(name));
}

/* The command line as it is read. */
struct reader {
	const struct verb *verb;
	char **argv;
	int argc, at;
	char *options;
	struct problem *problem;
	struct opt_froms froms;
};

/* From a stronger source texts replace, they do not join. */
static void mark_from(struct reader *r, const struct opt *o, enum opt_from from)
{
	uint8_t *before = &r->froms.of[o - r->verb->opts];
	if (o->kind == OPT_texts && *before < from)
		((struct opt_texts *)(void *)(r->options + o->offset))->n = 0;
	*before = (uint8_t)from;
}

static bool set_flag(struct reader *r, const struct opt *o, const char *equals, bool on)
{
	if (equals)
		return problem_set(r->problem,
			"--%s takes no value: write --%s or --no-%s", o->name, o->name,
			o->name);
	*(bool *)(void *)(r->options + o->offset) = on;
	mark_from(r, o, OPT_FROM_ARGV);
	return true;
}

static bool set_option(struct reader *r, const struct opt *o, const char *equals)
{
	struct problem why = { "" };
	const char *value = equals ? equals + 1 : NULL;

	if (!value && r->at < r->argc && strncmp(r->argv[r->at], "--", 2) != 0)
		value = r->argv[r->at++];
	if (!value)
		return problem_set(
			r->problem, "--%s needs a value (%s)", o->name, o->meta);
	mark_from(r, o, OPT_FROM_ARGV);
	if (set_value(o, value, r->options + o->offset, &why))
		return true;
	return problem_set(r->problem, "--%s: %s", o->name, why.text);
}

/* An argument that begins with "--". */
static bool read_option(struct reader *r, const char *arg)
{
	struct slice name = slice_of(arg + 2);
	name = slice_cut(name, 0, slice_find(name, '='));
	const char *equals = arg[2 + name.len] ? arg + 2 + name.len : NULL;
	const struct opt *o = find_option(r->verb, name);

	if (o && takes_value(o))
		return set_option(r, o, equals);
	if (o)
		return set_flag(r, o, equals, true);
	if (slice_starts(name, SLICE("no-")))
		o = find_option(r->verb, slice_cut(name, 3, SIZE_MAX));
	if (o && o->kind == OPT_flag)
		return set_flag(r, o, equals, false);
	return unknown_option(r->verb, name, r->problem);
}

/* --- the environment --- */

void opts_env_name(const char *prefix, const struct opt *o, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s%s", prefix, o->name);
	for (char *at = buf; *at; at++) {
		if (*at == '-')
			*at = '_';
		else
			*at = ascii_upper(*at);
	}
}

static bool read_environment(struct reader *r)
{
	for (size_t i = 0; r->verb->env && i < r->verb->opt_count; i++) {
		const struct opt *o = &r->verb->opts[i];
		char name[2 * NAME_BYTES];
		struct problem why = { "" };
		if (o->kind == OPT_group)
			continue;
		opts_env_name(r->verb->env, o, name, sizeof(name));
		const char *value = getenv(name);
		if (!value || !value[0])
			continue;
		mark_from(r, o, OPT_FROM_ENV);
		if (!opts_set(o, value, r->options, &why))
			return problem_set(r->problem, "%s: %s", name, why.text);
	}
	return true;
}

/* The known variable that it may be meant for; false: it is one, or like none. */
static bool nearest_env(const struct verb *verb, struct slice given,
	char names[][2 * NAME_BYTES], const char **nearest)
{
	const char *known[OPTIONS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < verb->opt_count; i++) {
		if (verb->opts[i].kind == OPT_group)
			continue;
		opts_env_name(verb->env, &verb->opts[i], names[n], 2 * NAME_BYTES);
		if (slice_eq(given, slice_of(names[n])))
			return false;
		known[n] = names[n] + strlen(verb->env);
		n++;
	}
	struct slice own = slice_cut(given, strlen(verb->env), SIZE_MAX);
	/* Kubernetes and Docker's links set ..._PORT for a service of that name. */
	*nearest = slice_eq(own, SLICE("PORT")) ? NULL : units_nearest(own, known, n);
	return *nearest != NULL;
}

void opts_env_mistaken(const struct verb *verb, char *const *environ, struct text *out)
{
	char(*names)[2 * NAME_BYTES] = mem_alloc(OPTIONS_MAX * sizeof(*names));
	for (; verb->env && *environ; environ++) {
		struct slice name = slice_of(*environ);
		const char *nearest;
		name = slice_cut(name, 0, slice_find(name, '='));
		if (slice_starts(name, slice_of(verb->env)) &&
			nearest_env(verb, name, names, &nearest))
			text_addf(out,
				"weir %s: %.*s is no option and is ignored: did you mean "
				"%s%s?\n",
				verb->name, SLICE_ARG(name), verb->env, nearest);
	}
	mem_free(names);
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

enum opts_outcome opts_parse(const struct verb *verb, int argc, char **argv,
	void *options, struct opt_texts *words, struct problem *p)
{
	struct reader r = { verb, argv, argc, 0, options, p, { { 0 } } };
	bool only_words = false;

	*words = (struct opt_texts){ .n = 0 };
	memset(options, 0, verb->options_size);
	CHECK(verb->opt_count <= OPT_ROWS_MAX);
	set_defaults(verb, options, false);
	bool good_env = read_environment(&r);
	while (r.at < argc) {
		const char *arg = argv[r.at++];
		if (only_words || arg[0] != '-' || arg[1] == '\0') {
			struct problem why = { "" };
			if (add_text(words, arg, &why))
				continue;
			problem_set(p, "'%s' is one word too many: %s", arg, why.text);
			return OPTS_BAD;
		}
		if (is_help(arg))
			return OPTS_HELP;
		if (strcmp(arg, "--") == 0) {
			only_words = true;
			continue;
		}
		if (arg[1] != '-') {
			problem_set(p, "unknown option '%s': options begin with --", arg);
			return OPTS_BAD;
		}
		if (!read_option(&r, arg))
			return OPTS_BAD;
	}
	if (!good_env)
		return OPTS_BAD;
	set_defaults(verb, options, true);
	if (verb->froms_offset)
		memcpy((char *)options + verb->froms_offset, &r.froms, sizeof(r.froms));
	return OPTS_RUN;
}

static size_t display_width(struct slice s)
{
	size_t width = 0;
	for (size_t i = 0; i < s.len; i++)
		width += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return width;
}

/* Words broken into lines of at most `width` columns, each begun at column `indent`. */
static void add_wrapped(struct text *out, struct slice s, size_t indent, size_t width)
{
	size_t column = indent;
	bool begins = true;

	text_pad(out, indent);
	while (s.len) {
		struct slice word = slice_cut(s, 0, slice_find(s, ' '));
		s = slice_cut(s, word.len + 1, SIZE_MAX);
		size_t word_width = display_width(word);
		if (!word_width)
			continue;
		if (!begins && column + 1 + word_width > width) {
			text_add_char(out, '\n');
			text_pad(out, indent);
			column = indent;
			begins = true;
		}
		if (!begins)
			text_add_char(out, ' ');
		text_add_slice(out, word);
		column += word_width + !begins;
		begins = false;
	}
	text_add_char(out, '\n');
}

static void add_option_name(struct text *out, const struct opt *o)
{
	bool on = o->kind == OPT_flag && o->dflt && o->dflt[0];
	text_addf(out, "  --%s%s", on ? "[no-]" : "", o->name);
	if (takes_value(o) && o->meta && o->meta[0])
		text_addf(out, " %s", o->meta);
}

/* Where the help texts begin: behind the longest name that is not too long. */
static size_t help_column(const struct verb *verb)
{
	size_t column = 0;
	struct text name;

	text_init(&name);
	for (size_t i = 0; i < verb->opt_count; i++) {
		if (verb->opts[i].kind == OPT_group)
			continue;
		text_reset(&name);
		add_option_name(&name, &verb->opts[i]);
		size_t width = display_width(text_slice(&name)) + 2;
		if (width <= HELP_COLUMN_MAX && width > column)
			column = width;
	}
	text_fini(&name);
	return column ? column : HELP_COLUMN_MAX;
}

static void add_option(struct text *out, const struct opt *o, size_t column, size_t width)
{
	struct text help;
	size_t begin = out->len;

	add_option_name(out, o);
	if (display_width(slice_cut(text_slice(out), begin, SIZE_MAX)) + 2 > column)
		text_add_char(out, '\n');
	text_init(&help);
	text_add(&help, o->help);
	if (o->dflt && o->dflt[0])
		text_addf(&help, " (default: %s)", o->dflt);
	add_wrapped(out, text_slice(&help), column, width);
	text_fini(&help);
}

void opts_help(const struct verb *verb, struct text *out, size_t width)
{
	size_t column = help_column(verb);

	text_addf(out, "usage: %s\n\n", verb->usage);
	add_wrapped(out, slice_of(verb->about), 0, width);
	for (size_t i = 0; i < verb->opt_count; i++) {
		const struct opt *o = &verb->opts[i];
		if (o->kind == OPT_group)
			text_addf(out, "\n%s:\n", o->name);
		else
			add_option(out, o, column, width);
	}
	if (verb->example && verb->example[0])
		text_addf(out, "\nexample:\n%s\n", verb->example);
}
