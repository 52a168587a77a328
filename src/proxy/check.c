/* weir check: a configuration file looked at, and nothing else. */
#include "proxy/crew.h"

enum { EXIT_GOOD = 0, EXIT_WRONG = 1, EXIT_MISUSE = 2 };

/* As if only the file spoke: no command line, no environment. */
static void plain_options(struct proxy_options *o, const char *file)
{
	struct verb plain = proxy_verb;
	struct opt_texts words;
	struct problem p = { "" };
	plain.env = NULL;
	CHECK(opts_parse(&plain, 0, NULL, o, &words, &p) == OPTS_RUN);
	o->config = file;
}

static int check_file(const char *file)
{
	struct proxy_options o;
	struct text said;
	plain_options(&o, file);
	struct config *c = config_read(&o);
	bool good = config_is_good(c);
	int status = good ? EXIT_GOOD : c->unreadable ? EXIT_MISUSE : EXIT_WRONG;
	text_init(&said);
	if (good) {
		text_addf(&said, "%s: ok: ", file);
		text_add_config(&said, c);
		text_add_char(&said, '\n');
	} else {
		config_show(c, &said);
	}
	fprintf(good ? stdout : stderr, "%s%s", c->unreadable ? "weir check: " : "",
		said.ptr);
	text_fini(&said);
	config_unref(&c);
	return status;
}

static int check_main(const void *options, const struct opt_texts *words)
{
	int status = EXIT_GOOD;
	(void)options;
	if (!words->n) {
		fprintf(stderr, "weir check: which file? Write weir check weir.yaml\n");
		return EXIT_MISUSE;
	}
	for (uint32_t i = 0; i < words->n; i++) {
		int one = check_file(words->v[i]);
		status = one > status ? one : status;
	}
	return status;
}

const struct verb check_verb = {
	.name = "check",
	.summary = "a configuration of weir proxy looked at: every fault, with its place",
	.usage = "weir check FILE...",
	.about =
		"Reads the file as weir proxy --config does and says all that is wrong with "
		"it at once: file, line and column, the line itself, and what was likely "
		"meant. Nothing is started, and no name is looked up. Exit status 0: all is "
		"well; 1: something is wrong; 2: the file cannot be read.",
	.example = "weir check weir.yaml",
	.main = check_main,
};
