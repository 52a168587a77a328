/*
 * main: the front page, and the verb that argv names.
 *
 * Exit status: 0 done, 1 could not be done, 2 misuse (a message on stderr says what and where).
 */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/opts.h"

enum { EXIT_MISUSE = 2 };

#define PAGE_COLUMNS 90 /* where the terminal does not say */

#define VERB(name) extern const struct verb name##_verb;
#include "cli/verbs.def"
#undef VERB

static const struct verb *const verbs[] = {
#define VERB(name) &name##_verb,
#include "cli/verbs.def"
#undef VERB
	NULL,
};

const struct verb *verb_named(const char *name)
{
	for (const struct verb *const *v = verbs; *v; v++) {
		if (!strcmp((*v)->name, name))
			return *v;
	}
	return NULL;
}

static size_t page_width(void)
{
	struct winsize size = { 0 };
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < 40)
		return PAGE_COLUMNS;
	return size.ws_col < 120 ? size.ws_col : 120;
}

/* What did not reach the reader was not done: a full disk must not look like success. */
static int flush_stdout(int status)
{
	bool failed = fflush(stdout) != 0;
	if (!failed && !ferror(stdout))
		return status;
	if (errno != EPIPE) /* a reader that has seen enough (`| head`) knows */
		fprintf(stderr, "weir: cannot write to standard output: %s\n",
			strerror(errno));
	return status ? status : EXIT_FAILURE;
}

static int show_text(struct text *t)
{
	if (t->len)
		fwrite(t->ptr, 1, t->len, stdout);
	text_fini(t);
	return EXIT_SUCCESS;
}

/* The example's first command, with the lines it goes on in. */
static void add_first_command(struct text *t, struct slice example)
{
	const char *indent = "  ";

	for (bool goes_on = true; goes_on && example.len; indent = "      ") {
		struct slice line = slice_cut(example, 0, slice_find(example, '\n'));
		example = slice_cut(example, line.len + 1, SIZE_MAX);
		line = slice_trim(line);
		goes_on = line.len && line.ptr[line.len - 1] == '\\';
		text_add(t, indent);
		text_add_slice(t, line);
		text_add_char(t, '\n');
	}
}

static int show_front_page(void)
{
	struct text t;
	text_init(&t);
	text_add(&t, "weir: calls an HTTP API that is slow, limited and not yours, "
		     "no faster than it can take\n\n");
	text_add(&t, "usage: weir VERB [options]\n\n");
	for (const struct verb *const *v = verbs; *v; v++) {
		text_addf(&t, "  %s", (*v)->name);
		text_pad(&t, 12);
		text_addf(&t, "%s\n", (*v)->summary);
	}
	text_add(&t, "\n  weir VERB --help    the verb's options, and lines to paste\n"
		     "  weir --version      this build\n");
	text_add(&t, "\nfor example:\n\n");
	for (const struct verb *const *v = verbs; *v; v++)
		add_first_command(&t, slice_of((*v)->example));
	return show_text(&t);
}

static int show_version(void)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "weir %s\nverbs:", WEIR_VERSION);
	for (const struct verb *const *v = verbs; *v; v++)
		text_addf(&t, " %s", (*v)->name);
	text_add_char(&t, '\n');
	return show_text(&t);
}

static int show_verb_help(const struct verb *verb)
{
	struct text t;
	text_init(&t);
	opts_help(verb, &t, page_width());
	return show_text(&t);
}

static int unknown_verb(const char *word)
{
	struct slice given = slice_of(word);
	const char *names[ARRAY_LEN(verbs)];
	size_t n = 0;
	for (const struct verb *const *v = verbs; *v; v++)
		names[n++] = (*v)->name;
	const char *nearest = units_nearest(given, names, n);
	bool option = slice_starts(given, SLICE("-"));
	fprintf(stderr, "weir: unknown %s '%s'", option ? "option" : "verb", word);
	if (nearest && !option)
		fprintf(stderr, ": did you mean %s?", nearest);
	fprintf(stderr, "\n  `weir --help` lists what there is\n");
	return EXIT_MISUSE;
}

static void warn_environment(const struct verb *verb)
{
	struct text t;
	text_init(&t);
	opts_env_mistaken(verb, environ, &t);
	if (t.len)
		fputs(t.ptr, stderr);
	text_fini(&t);
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
	struct opt_texts words = { .n = 0 };
	struct problem problem = { "" };
	void *options = mem_zalloc(verb->options_size);
	int status = EXIT_MISUSE;

	switch (opts_parse(verb, argc, argv, options, &words, &problem)) {
	case OPTS_RUN:
		warn_environment(verb);
		status = verb->main(options, &words);
		break;
	case OPTS_HELP:
		status = show_verb_help(verb);
		break;
	case OPTS_BAD:
		fprintf(stderr, "weir %s: %s\n  `weir %s --help` lists the options\n",
			verb->name, problem.text, verb->name);
		break;
	}
	mem_free(options);
	return status;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
}

static bool is_version(const char *word)
{
	return !strcmp(word, "version") || !strcmp(word, "--version") ||
	       !strcmp(word, "-V");
}

static int dispatch(int argc, char **argv)
{
	if (argc < 2)
		return show_front_page();
	const char *word = argv[1];
	if (is_help(word) && argc < 3)
		return show_front_page();
	if (is_version(word))
		return show_version();
	bool help = is_help(word);
	const struct verb *verb = verb_named(help ? argv[2] : word);
	if (!verb)
		return unknown_verb(help ? argv[2] : word);
	return help ? show_verb_help(verb) : run_verb(verb, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
	/* A peer that closed is an error of that write, not the end of the program. */
	signal(SIGPIPE, SIG_IGN);
	return flush_stdout(dispatch(argc, argv));
}
