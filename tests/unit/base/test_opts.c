#include "unit.h"

#include "base/opts.h"

struct test_options {
	int before; /* so that no offset is 0 */
#define OPT(kind, field, name, meta, dflt, help) OPT_FIELD_##kind field;
#define GROUP(title)
#include "test_opts.def"
#undef OPT
#undef GROUP
	struct opt_froms froms;
};

static const struct opt rows[] = {
#define OPT(kind, field, name, meta, dflt, help) \
	{ OPT_##kind, name, meta, dflt, help, offsetof(struct test_options, field) },
#define GROUP(title) { OPT_group, title, "", "", "", 0 },
#include "test_opts.def"
#undef OPT
#undef GROUP
};

static const struct verb verb = {
	.name = "proxy",
	.summary = "the middleware",
	.usage = "weir proxy --upstream URL [options]",
	.about = "Takes calls and makes them, so many at once and no more.",
	.example = "  weir proxy --upstream http://127.0.0.1:9000",
	.opts = rows,
	.opt_count = ARRAY_LEN(rows),
	.options_size = sizeof(struct test_options),
};

struct parsed {
	enum opts_outcome outcome;
	struct test_options o;
	struct opt_texts words;
	struct problem p;
};

#define PARSE(...) \
	parse((char *[]){ NULL, __VA_ARGS__ }, \
		ARRAY_LEN(((char *[]){ NULL, __VA_ARGS__ })))

/* argv[0] only keeps the array from being empty. */
static struct parsed parse(char **argv, size_t n)
{
	struct parsed r = { .p = { "" } };
	memset(&r.o, 0xa5, sizeof(r.o)); /* parsing sets every field */
	r.outcome = opts_parse(&verb, (int)n - 1, argv + 1, &r.o, &r.words, &r.p);
	assert_int_equal(r.outcome == OPTS_BAD, r.p.text[0] != '\0');
	return r;
}

static enum opt_from from_of(const struct parsed *r, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return (enum opt_from)r->o.froms.of[i];
	fail();
	return OPT_FROM_DEFAULT;
}

/* With TEST_... in the environment, and each value's source noted. */
static struct parsed parse_env(char **argv, size_t n)
{
	struct verb with = verb;
	struct parsed r = { .p = { "" } };
	with.env = "TEST_OPTS_";
	with.froms_offset = offsetof(struct test_options, froms);
	r.outcome = opts_parse(&with, (int)n, argv, &r.o, &r.words, &r.p);
	return r;
}

static void test_environment(void **state)
{
	(void)state;
	char *none[] = { NULL };
	char *argv[] = { "--limit", "7", "--listen", ":3", "--listen=:4", "--json" };
	setenv("TEST_OPTS_LIMIT", "5", 1);
	setenv("TEST_OPTS_LISTEN", ":2", 1);
	setenv("TEST_OPTS_KEEP_ALIVE", "no", 1);
	setenv("TEST_OPTS_JSON", "false", 1);
	setenv("TEST_OPTS_BUFFER", "", 1);
	setenv("TEST_OPTS_UNKNOWN", "x", 1);
	struct parsed r = parse_env(none, 0);
	assert_int_equal(r.outcome, OPTS_RUN);
	assert_int_equal(r.o.limit, 5);
	assert_int_equal(r.o.listen.n, 1);
	assert_false(r.o.keep_alive || r.o.json);
	assert_int_equal(r.o.buffer, 65536);
	assert_int_equal(from_of(&r, "limit"), OPT_FROM_ENV);
	assert_int_equal(from_of(&r, "buffer"), OPT_FROM_DEFAULT);
	r = parse_env(argv, ARRAY_LEN(argv));
	assert_int_equal(r.outcome, OPTS_RUN);
	assert_int_equal(r.o.limit, 7);
	assert_true(r.o.json);
	assert_int_equal(r.o.listen.n, 2); /* they replace, they do not join */
	assert_string_equal(r.o.listen.v[0], ":3");
	assert_int_equal(from_of(&r, "limit"), OPT_FROM_ARGV);
	assert_int_equal(from_of(&r, "json"), OPT_FROM_ARGV);
	assert_int_equal(from_of(&r, "keep-alive"), OPT_FROM_ENV);
	setenv("TEST_OPTS_KEEP_ALIVE", "perhaps", 1);
	r = parse_env(none, 0);
	assert_int_equal(r.outcome, OPTS_BAD);
	assert_string_equal(r.p.text, "TEST_OPTS_KEEP_ALIVE: 'perhaps': write yes or no");
	/* no verb without a prefix reads any of it */
	r = PARSE();
	assert_true(r.o.limit == UINT64_MAX);
	unsetenv("TEST_OPTS_LIMIT");
	unsetenv("TEST_OPTS_LISTEN");
	unsetenv("TEST_OPTS_KEEP_ALIVE");
	unsetenv("TEST_OPTS_JSON");
	unsetenv("TEST_OPTS_BUFFER");
	unsetenv("TEST_OPTS_UNKNOWN");
}

static void test_variables_that_are_written_wrong(void **state)
{
	(void)state;
	struct verb with = verb;
	struct text said;
	char *given[] = { (char[]){ "TEST_OPTS_LIMIT=5" },
		(char[]){ "TEST_OPTS_LIMITT=5" }, (char[]){ "TEST_OPTS_DRAIN_SHAR=1%" },
		(char[]){ "TEST_OPTS_PORT_8080_TCP=x" },
		(char[]){ "TEST_OPTS_PORT=tcp://x" }, (char[]){ "LIMITT=5" },
		(char[]){ "TEST_OPTS_" }, NULL };
	text_init(&said);
	opts_env_mistaken(&with, given, &said);
	assert_int_equal(said.len, 0); /* it reads none */
	with.env = "TEST_OPTS_";
	opts_env_mistaken(&with, given, &said);
	assert_string_equal(said.ptr,
		"weir proxy: TEST_OPTS_LIMITT is no option and is ignored: did you mean "
		"TEST_OPTS_LIMIT?\n"
		"weir proxy: TEST_OPTS_DRAIN_SHAR is no option and is ignored: did you mean "
		"TEST_OPTS_DRAIN_SHARE?\n");
	text_fini(&said);
}

static void test_set_and_names(void **state)
{
	(void)state;
	struct test_options o = { 0 };
	struct problem p = { "" };
	char name[64];
	const struct opt *flag = NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].name, "keep-alive") == 0)
			flag = &rows[i];
	assert_true(opts_set(flag, "true", &o, &p) && o.keep_alive);
	assert_true(opts_set(flag, "no", &o, &p) && !o.keep_alive);
	assert_false(opts_set(flag, "1", &o, &p));
	opts_env_name("X_", flag, name, sizeof(name));
	assert_string_equal(name, "X_KEEP_ALIVE");
}

static void test_defaults(void **state)
{
	(void)state;
	struct parsed r = PARSE();
	assert_int_equal(r.outcome, OPTS_RUN);
	assert_null(r.o.upstream);
	assert_int_equal(r.o.listen.n, 0);
	assert_int_equal(r.o.header.n, 1);
	assert_string_equal(r.o.header.v[0], "A: b");
	assert_int_equal(r.o.timeout, 800 * NS_MS);
	assert_true(r.o.limit == UINT64_MAX);
	assert_int_equal(r.o.buffer, 65536);
	assert_true(r.o.rate == 0);
	assert_true(r.o.drain_share == 1);
	assert_int_equal(r.o.abandon, 1);
	assert_true(r.o.keep_alive);
	assert_false(r.o.json);
	assert_int_equal(r.words.n, 0);
}

static void test_values(void **state)
{
	(void)state;
	struct parsed r = PARSE("--upstream", "http://a", "--timeout=1.5s", "--limit",
		"1k", "word", "--listen", ":1", "--listen=:2", "--rate", "160/s",
		"--drain-share=20%", "--abandon", "close", "--no-keep-alive", "--json",
		"--buffer", "1MiB", "--header", "C: d", "-", "--", "--limit", "-x");
	assert_int_equal(r.outcome, OPTS_RUN);
	assert_string_equal(r.o.upstream, "http://a");
	assert_int_equal(r.o.timeout, 1500 * NS_MS);
	assert_int_equal(r.o.limit, 1000);
	assert_int_equal(r.o.listen.n, 2);
	assert_string_equal(r.o.listen.v[0], ":1");
	assert_string_equal(r.o.listen.v[1], ":2");
	assert_true(r.o.rate == 160);
	assert_true(r.o.drain_share == 0.2);
	assert_int_equal(r.o.abandon, 2);
	assert_false(r.o.keep_alive);
	assert_true(r.o.json);
	assert_int_equal(r.o.buffer, 1 << 20);
	assert_int_equal(r.o.header.n, 1); /* instead of the default */
	assert_string_equal(r.o.header.v[0], "C: d");
	assert_int_equal(r.words.n, 4);
	assert_string_equal(r.words.v[0], "word");
	assert_string_equal(r.words.v[1], "-");
	assert_string_equal(r.words.v[2], "--limit");
	assert_string_equal(r.words.v[3], "-x");
}

static void test_edge_values(void **state)
{
	(void)state;
	struct parsed r = PARSE("--timeout", "none", "--limit", "1", "--limit", "2",
		"--keep-alive", "--no-json", "--json");
	assert_int_equal(r.outcome, OPTS_RUN);
	assert_int_equal(r.o.timeout, NS_NEVER);
	assert_int_equal(r.o.limit, 2); /* the last one counts */
	assert_true(r.o.keep_alive && r.o.json);
	r = PARSE("--upstream=--odd=value");
	assert_string_equal(r.o.upstream, "--odd=value");
	r = PARSE("--upstream", "-v");
	assert_string_equal(r.o.upstream, "-v");
}

static void test_help_asked(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--help").outcome, OPTS_HELP);
	assert_int_equal(PARSE("--limit", "5", "-h", "--bogus").outcome, OPTS_HELP);
	assert_int_equal(PARSE("--", "--help").outcome, OPTS_RUN);
}

#define BAD(problem, ...) \
	do { \
		struct parsed bad_ = PARSE(__VA_ARGS__); \
		assert_string_equal(bad_.p.text, problem); \
		assert_int_equal(bad_.outcome, OPTS_BAD); \
	} while (0)

static void test_problems(void **state)
{
	(void)state;
	BAD("--timeout: '800' has no unit: write 800ms or 800s", "--timeout", "800");
	BAD("--timeout: '800' has no unit: write 800ms or 800s", "--timeout=800");
	BAD("--timeout: empty: write a number such as 800ms", "--timeout=");
	BAD("--upstream: empty: write URL, or leave it out", "--upstream", "");
	BAD("unknown option '--timout': did you mean --timeout?", "--timout", "5s");
	BAD("unknown option '--timout': did you mean --timeout?", "--timout=5s");
	BAD("unknown option '--hepl': did you mean --help?", "--hepl");
	BAD("unknown option '--frobnicate'", "--frobnicate");
	BAD("unknown option '--no-limit': --limit takes a value", "--no-limit");
	BAD("unknown option '--no-keepalive': did you mean --no-keep-alive?",
		"--no-keepalive");
	BAD("unknown option '-x': options begin with --", "-x");
	BAD("--limit needs a value (N)", "--limit");
	BAD("--limit needs a value (N)", "--limit", "--timeout", "5s");
	BAD("--limit: '-5' is negative: write one such as 1000, or auto", "--limit",
		"-5");
	BAD("--json takes no value: write --json or --no-json", "--json=yes");
	BAD("--json takes no value: write --json or --no-json", "--no-json=1");
	BAD("--abandon: unknown value 'drian': did you mean drain?", "--abandon",
		"drian");
	BAD("--abandon: unknown value 'keep-it': write drain, reset or close",
		"--abandon", "keep-it");
	BAD("--limit: unknown value 'autoo': did you mean auto?", "--limit", "autoo");
	BAD("--abandon: empty: write drain, reset or close", "--abandon=");
	BAD("--rate: '160' has no unit: write 160/s or 160/m", "--rate", "160");
	BAD("unknown option '--'", "--=5");
}

static void test_too_many(void **state)
{
	(void)state;
	char name[] = "--listen", value[] = "word";
	char *argv[2 * (OPT_TEXTS_MAX + 1)];
	struct test_options o;
	struct opt_texts words;
	struct problem p = { "" };

	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = i % 2 ? value : name;
	assert_int_equal(
		opts_parse(&verb, 2 * OPT_TEXTS_MAX, argv, &o, &words, &p), OPTS_RUN);
	assert_int_equal(o.listen.n, OPT_TEXTS_MAX);
	assert_int_equal(
		opts_parse(&verb, ARRAY_LEN(argv), argv, &o, &words, &p), OPTS_BAD);
	assert_string_equal(p.text, "--listen: at most 16 can be given");
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = value;
	p.text[0] = '\0';
	assert_int_equal(
		opts_parse(&verb, OPT_TEXTS_MAX, argv, &o, &words, &p), OPTS_RUN);
	assert_int_equal(
		opts_parse(&verb, OPT_TEXTS_MAX + 1, argv, &o, &words, &p), OPTS_BAD);
	assert_string_equal(
		p.text, "'word' is one word too many: at most 16 can be given");
}

static const char help_page[] =
	"usage: weir proxy --upstream URL [options]\n"
	"\n"
	"Takes calls and makes them, so many at once and no more.\n"
	"\n"
	"Where:\n"
	"  --upstream URL               the API, as http://host:port\n"
	"  --listen ADDR                where to listen (several allowed)\n"
	"  --header FIELD               added to each request (default: A: b)\n"
	"\n"
	"How much:\n"
	"  --timeout DURATION           the whole budget of a request, from its first\n"
	"                               byte in to the last byte of its answer (default:\n"
	"                               800ms)\n"
	"  --limit N                    calls at once (default: none)\n"
	"  --buffer SIZE                bytes held back (default: 64KiB)\n"
	"  --rate RATE                  requests a second\n"
	"  --drain-share PERCENT        how much of the cap may drain (default: 100%)\n"
	"  --abandon drain|reset|close  what becomes of a call nobody waits for (default:\n"
	"                               reset)\n"
	"\n"
	"Manners:\n"
	"  --[no-]keep-alive            reuse connections (default: yes)\n"
	"  --json                       one JSON document\n"
	"  --a-very-long-name-for-an-option DURATION\n"
	"                               which gets a line of its own (default: 0)\n"
	"\n"
	"example:\n"
	"  weir proxy --upstream http://127.0.0.1:9000\n";

static void test_help_page(void **state)
{
	(void)state;
	struct text t;
	text_init(&t);
	opts_help(&verb, &t, 80);
	assert_text(&t, help_page);
	for (size_t width = 60; width < 130; width += 7) {
		opts_help(&verb, &t, width);
		struct slice rest = text_slice(&t);
		while (rest.len) {
			size_t end = slice_find(rest, '\n');
			assert_true(end <= width);
			rest = slice_cut(rest, end + 1, SIZE_MAX);
		}
		text_reset(&t);
	}
	text_fini(&t);
}

static void bad_default(void)
{
	static const struct opt bad[] = { { OPT_duration, "t", "D", "5", "", 0 } };
	const struct verb v = {
		.name = "x", .opts = bad, .opt_count = 1, .options_size = 8
	};
	ns_t o;
	struct opt_texts words;
	if (opts_parse(&v, 0, NULL, &o, &words, NULL) == OPTS_BAD)
		_exit(1);
}

static void test_bad_default(void **state)
{
	(void)state;
	assert_true(aborts(bad_default));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_environment),
		TEST(test_variables_that_are_written_wrong),
		TEST(test_set_and_names),
		TEST(test_values),
		TEST(test_edge_values),
		TEST(test_help_asked),
		TEST(test_problems),
		TEST(test_too_many),
		TEST(test_help_page),
		TEST(test_bad_default),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
