/*
 * opts: one table row an option; it feeds the command line, --help, the manual and its
 * check.
 *
 * A verb's folder holds options.def with rows
 *     OPT(kind, field, "name", "META", "default", "one line of help")
 * in the order --help shows them, and GROUP("Title") rows between. The struct is made
 * from it too:
 *     struct proxy_options {
 *     #define OPT(kind, field, name, meta, dflt, help) OPT_FIELD_##kind field;
 *     #define GROUP(title)
 *     #include "proxy/options.def"
 *     };
 * Kinds and the C type of their field:
 *     flag      bool               --name, --no-name; its default is "yes", "no" or ""
 *     text      const char *       NULL when no default
 *     texts     struct opt_texts   may be given several times
 *     duration  ns_t               `none` is NS_NEVER
 *     size      uint64_t           bytes
 *     count     uint64_t           `none` is UINT64_MAX
 *     limit     uint64_t           as count; `auto` is OPTS_AUTO
 *     rate      double             per second
 *     share     double             0..1, written as percent
 *     choice    int                META lists the words, as "drain|reset|close"; the value
 *                                  is the index
 * The default is text and is parsed like the user's; "" means zero, NULL or false.
 *
 * A verb with an `env` takes each option from the environment as well: the prefix and the
 * name in capitals, - as _ (WEIR_PROXY_QUEUE_FOR). An empty variable counts as none. What
 * stands on the command line wins.
 *
 * OWNS   text fields point into argv or into the table.
 */
#ifndef WEIR_BASE_OPTS_H
#define WEIR_BASE_OPTS_H

#include "base/err.h"
#include "base/units.h"

#define OPT_TEXTS_MAX 16
#define OPTS_AUTO (UINT64_MAX - 1)
#define OPT_ROWS_MAX 128 /* of one table, groups too */

struct opt_texts {
	const char *v[OPT_TEXTS_MAX];
	uint32_t n;
};

enum opt_kind {
	OPT_group,
	OPT_flag,
	OPT_text,
	OPT_texts,
	OPT_duration,
	OPT_size,
	OPT_count,
	OPT_limit,
	OPT_rate,
	OPT_share,
	OPT_choice,
};

#define OPT_FIELD_flag bool
#define OPT_FIELD_text const char *
#define OPT_FIELD_texts struct opt_texts
#define OPT_FIELD_duration ns_t
#define OPT_FIELD_size uint64_t
#define OPT_FIELD_count uint64_t
#define OPT_FIELD_limit uint64_t
#define OPT_FIELD_rate double
#define OPT_FIELD_share double
#define OPT_FIELD_choice int

struct opt {
	enum opt_kind kind;
	const char *name, *meta, *dflt, *help; /* for a group: name is its title */
	size_t offset;
};

/* Where a value came from: of two the stronger stands. */
enum opt_from { OPT_FROM_DEFAULT, OPT_FROM_FILE, OPT_FROM_ENV, OPT_FROM_ARGV };

/* By row of the table. */
struct opt_froms {
	uint8_t of[OPT_ROWS_MAX]; /* enum opt_from */
};

/*
 * What a verb shows the command line. Words that are not options go to `words`, at most
 * OPT_TEXTS_MAX. main: options are parsed and hold defaults; returns the exit status.
 */
struct verb {
	const char *name, *summary; /* one line for `weir --help` */
	const char *usage;          /* "weir proxy --upstream URL [options]" */
	const char *about;          /* a paragraph for `weir VERB --help` */
	const char *example;        /* lines that can be pasted */
	const struct opt *opts;
	size_t opt_count;
	size_t options_size; /* sizeof(struct <verb>_options) */
	const char *env;     /* "WEIR_PROXY_"; NULL: the environment is not read */
	/* Of a struct opt_froms in the options, to be filled; 0: there is none. */
	size_t froms_offset;
	int (*main)(const void *options, const struct opt_texts *words);
};

/* A verb of this program, NULL: it has none of that name. The table is the program's
 * (cli/main.c), so a test brings its own. */
const struct verb *verb_named(const char *name);

enum opts_outcome { OPTS_RUN, OPTS_HELP, OPTS_BAD };

/*
 * argv without the program and verb names. --name=value and --name value; `--` ends
 * options. Unknown names and values out of their kind give OPTS_BAD and a problem with
 * the nearest known name. So does an empty text.
 */
MUST_USE enum opts_outcome opts_parse(const struct verb *verb, int argc, char **argv,
	void *options, struct opt_texts *words, struct problem *p);
/* One value as text into the options: a flag takes yes, no, true or false; texts are added
 * to. False and a problem that does not name the option. */
MUST_USE bool opts_set(
	const struct opt *o, const char *value, void *options, struct problem *p);
/* "WEIR_PROXY_QUEUE_FOR", cut at `cap`. */
void opts_env_name(const char *prefix, const struct opt *o, char *buf, size_t cap);
/* Of `environ`, variables that look like one of the verb's that is written wrong: a line each. What
 * is like none is somebody else's (a container's names of services). */
void opts_env_mistaken(const struct verb *verb, char *const *environ, struct text *out);
/* The --help page, at most `width` columns wide. */
void opts_help(const struct verb *verb, struct text *out, size_t width);

#endif
