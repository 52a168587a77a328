#include "unit.h"

#include "base/conf.h"

static struct conf *parse(const char *text)
{
	struct conf *c = conf_parse("x.yaml", slice_of(text));
	assert_non_null(c);
	return c;
}

static void assert_complaints(struct conf *c, const char *expected)
{
	struct text t;
	text_init(&t);
	conf_show(c, &t);
	assert_text(&t, expected);
	text_fini(&t);
	conf_free(&c);
}

static void assert_at(struct conf_place at, uint32_t line, uint32_t column)
{
	assert_int_equal(at.line, line);
	assert_int_equal(at.column, column);
}

static void test_tree_and_places(void **state)
{
	(void)state;
	struct conf *c = parse("limit: 900\n"
			       "listen: [\":8080\", unix:/run/x]\n"
			       "upstreams:\n"
			       "  api: { url: http://a:80, \"timeout\": 800ms }\n"
			       "  naïve: ~\n"
			       "  empty:\n");
	const struct conf_node *root = conf_root(c);
	assert_int_equal(conf_complaints(c), 0);
	assert_int_equal(root->kind, CONF_MAP);
	assert_int_equal(root->count, 3);
	const struct conf_node *limit = conf_get(root, "limit");
	assert_int_equal(limit->kind, CONF_TEXT);
	assert_string_equal(limit->text, "900");
	assert_at(limit->key_at, 1, 1);
	assert_at(limit->at, 1, 8);
	const struct conf_node *listen = conf_get(root, "listen");
	assert_int_equal(listen->kind, CONF_LIST);
	assert_int_equal(listen->count, 2);
	assert_string_equal(listen->first->text, ":8080");
	assert_string_equal(listen->last->text, "unix:/run/x");
	assert_null(listen->first->key);
	assert_at(listen->last->at, 2, 19);
	const struct conf_node *ups = conf_get(root, "upstreams");
	const struct conf_node *api = conf_get(ups, "api");
	assert_string_equal(conf_get(api, "url")->text, "http://a:80");
	assert_string_equal(conf_get(api, "timeout")->text, "800ms");
	assert_at(conf_get(api, "timeout")->at, 4, 39);
	assert_at(conf_get(ups, "naïve")->at, 5, 10);
	assert_int_equal(conf_get(ups, "naïve")->kind, CONF_NONE);
	assert_int_equal(conf_get(ups, "empty")->kind, CONF_NONE);
	assert_null(conf_get(ups, "other"));
	assert_null(conf_get(listen, "limit"));
	conf_free(&c);
	assert_null(c);
	conf_free(&c);
}

static void test_empty(void **state)
{
	(void)state;
	static const char *const files[] = { "", "\n\n", "# nothing\n", "---\n...\n" };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct conf *c = parse(files[i]);
		assert_int_equal(conf_complaints(c), 0);
		assert_int_equal(conf_root(c)->kind, CONF_NONE);
		conf_free(&c);
	}
}

static void test_keys(void **state)
{
	(void)state;
	static const char *const names[] = { "limit", "timeout", "queue" };
	struct conf *c = parse("limt: 1\nqueue: 2\nfrobnicate: 3\nqueue: 4\n");
	const struct conf_node *first = conf_root(c)->first;
	conf_unknown_key(c, first, names, ARRAY_LEN(names));
	conf_unknown_key(c, first, names, ARRAY_LEN(names)); /* counts once */
	conf_unknown_key(c, first->next->next, names, ARRAY_LEN(names));
	assert_int_equal(conf_complaints(c), 3);
	assert_complaints(c, "x.yaml:1:1: unknown key 'limt': did you mean limit?\n"
			     "    1 | limt: 1\n"
			     "      | ^\n"
			     "x.yaml:3:1: unknown key 'frobnicate'\n"
			     "    3 | frobnicate: 3\n"
			     "      | ^\n"
			     "x.yaml:4:1: 'queue' is given twice: first in line 2\n"
			     "    4 | queue: 4\n"
			     "      | ^\n");
}

static void test_kinds(void **state)
{
	(void)state;
	struct conf *c = parse("limit: [1, 2]\nroutes: 5\nnone:\n");
	const struct conf_node *root = conf_root(c);
	assert_false(conf_want(c, conf_get(root, "limit"), CONF_TEXT, "a number"));
	assert_false(
		conf_want(c, conf_get(root, "routes"), CONF_LIST, "a list of routes"));
	assert_false(conf_want(c, conf_get(root, "none"), CONF_MAP, "a map of keys"));
	assert_true(conf_want(c, root, CONF_MAP, "a map of keys"));
	conf_complain(c, (struct conf_place){ 0, 0 }, "listen is missing");
	assert_complaints(c,
		"x.yaml: listen is missing\n"
		"x.yaml:1:8: limit: expected a number, not a list\n"
		"    1 | limit: [1, 2]\n"
		"      |        ^\n"
		"x.yaml:2:9: routes: expected a list of routes, not a single "
		"value\n"
		"    2 | routes: 5\n"
		"      |         ^\n"
		"x.yaml:3:6: none: expected a map of keys, not nothing\n"
		"    3 | none:\n"
		"      |      ^\n");
}

struct wrong {
	const char *text, *says;
};

/* After these there is no tree. */
static void test_syntax(void **state)
{
	(void)state;
	static const struct wrong rows[] = {
		{ "a: 1\n\tb: 2\n", "x.yaml:2:1: a tab: YAML is indented with spaces\n" },
		{ "a: *b\n", "x.yaml:1:4: *b is an alias in YAML, and those are not "
			     "understood here: write the value out, or quote it\n" },
		{ "a: *.b\n", "x.yaml:1:4: a value that begins with * must be quoted, as "
			      "\"*.example.com\"\n" },
		{ "a: &b 1\n", "x.yaml:1:4: anchors and tags are not understood here\n" },
		{ "a: !!int 1\n",
			"x.yaml:1:4: anchors and tags are not understood here\n" },
		{ "a: &b [1]\n",
			"x.yaml:1:4: anchors and tags are not understood here\n" },
		{ "a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document: only one is "
				       "read\n" },
		{ "? [a]\n: 1\n", "x.yaml:1:3: a key must be a word, not a list\n" },
		{ "{a: 1}: 2\n",
			"x.yaml:1:1: a key must be a word, not a map of keys\n" },
		{ "a: \"\\0\"\n", "x.yaml:1:4: a NUL in a value\n" },
		{ "é: \xff\n", "x.yaml:1:4: not text in UTF-8: invalid leading UTF-8 "
			       "octet\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf *c = parse(rows[i].text);
		struct text t;
		text_init(&t);
		assert_int_equal(conf_complaints(c), 1);
		assert_int_equal(conf_root(c)->kind, CONF_NONE);
		conf_show(c, &t);
		size_t line = slice_find(text_slice(&t), '\n') + 1;
		assert_slice(slice_cut(text_slice(&t), 0, line), rows[i].says);
		text_fini(&t);
		conf_free(&c);
	}
}

/* Whatever libyaml says of it, there is a place and no tree. */
static void test_other_syntax(void **state)
{
	(void)state;
	static const char *const files[] = { "a: [1\n", "a: 'x\n", "a: b: c\n",
		"a:\n  b: 1\n c: 2\n", "- a\nb: 1\n", "a: }\n", "\"\\x\"", "%YAML 9.9\n",
		"a: |9x\n", "@a\n" };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct conf *c = parse(files[i]);
		struct text t;
		text_init(&t);
		assert_int_equal(conf_complaints(c), 1);
		assert_int_equal(conf_root(c)->kind, CONF_NONE);
		conf_show(c, &t);
		assert_true(slice_starts(text_slice(&t), SLICE("x.yaml:")));
		assert_true(t.ptr[7] >= '1' && t.ptr[7] <= '9');
		text_fini(&t);
		conf_free(&c);
	}
}

static void assert_refused(struct text *file, const char *says)
{
	struct conf *c = conf_parse("x.yaml", text_slice(file));
	struct text t;
	text_init(&t);
	conf_show(c, &t);
	assert_int_equal(conf_complaints(c), 1);
	assert_non_null(strstr(t.ptr, says));
	assert_int_equal(conf_root(c)->kind, CONF_NONE);
	text_fini(&t);
	conf_free(&c);
	text_reset(file);
}

static void test_bounds(void **state)
{
	(void)state;
	struct text file;
	text_init(&file);
	for (int i = 0; i < 100000; i++)
		text_add_char(&file, '[');
	assert_refused(&file, "x.yaml:1:17: nested deeper than 16");
	for (int i = 0; i < CONF_NODES_MAX + 2; i++)
		text_add(&file, "- a\n");
	assert_refused(&file, "more than 16384 values");
	while (file.len <= CONF_BYTES_MAX)
		text_add(&file, "# as long as it is wide\n");
	assert_refused(&file, "x.yaml: larger than 1048576 bytes");
	text_fini(&file);
}

static void test_many_complaints(void **state)
{
	(void)state;
	struct text file, shown;
	text_init(&file);
	text_init(&shown);
	for (int i = 0; i < 150; i++)
		text_addf(&file, "unknown%d: 1\n", i);
	struct conf *c = conf_parse("x.yaml", text_slice(&file));
	CONF_EACH(conf_root(c), child)
	conf_unknown_key(c, child, NULL, 0);
	assert_int_equal(conf_complaints(c), 150);
	conf_show(c, &shown);
	assert_non_null(strstr(shown.ptr, "x.yaml:100:1: "));
	assert_null(strstr(shown.ptr, "x.yaml:101:1: "));
	assert_non_null(strstr(shown.ptr, "x.yaml: and 50 more\n"));
	text_fini(&file);
	text_fini(&shown);
	conf_free(&c);
}

/* A long line is shown around the place, control bytes as blanks, one column a character. */
static void test_shown_lines(void **state)
{
	(void)state;
	struct text file, shown;
	text_init(&file);
	text_init(&shown);
	for (int i = 0; i < 300; i++)
		text_add(&file, "ü");
	struct conf *c = conf_parse("x.yaml", text_slice(&file));
	conf_complain(c, (struct conf_place){ 1, 201 }, "here");
	conf_show(c, &shown);
	size_t line = slice_find(text_slice(&shown), '\n') + 1;
	struct slice rest = slice_cut(text_slice(&shown), line, SIZE_MAX);
	struct slice quoted = slice_cut(rest, 0, slice_find(rest, '\n'));
	assert_int_equal(quoted.len, strlen("    1 | ") + 100 * strlen("ü"));
	struct slice caret = slice_cut(rest, quoted.len + 1, SIZE_MAX);
	assert_int_equal(slice_find(caret, '^'), strlen("      | ") + 80);
	conf_free(&c);
	c = conf_parse("x.yaml", SLICE("a: 1 # \x1b[31m\ttext\n"));
	conf_complain(c, (struct conf_place){ 1, 4 }, "bell \a");
	assert_complaints(c, "x.yaml:1:4: bell  \n"
			     "    1 | a: 1 #  [31m text\n"
			     "      |    ^\n"
			     "x.yaml:1:8: not text in UTF-8: control characters are not "
			     "allowed\n"
			     "    1 | a: 1 #  [31m text\n"
			     "      |        ^\n");
	c = conf_parse("x.yaml", SLICE("a: \u202e1\n"));
	conf_complain(c, (struct conf_place){ 1, 5 }, "here");
	assert_complaints(c, "x.yaml:1:5: here\n    1 | a: ?1\n      |     ^\n");
	text_fini(&file);
	text_fini(&shown);
}

/* YAML has more line breaks than one: what is shown is the line that is meant. */
static void test_line_breaks(void **state)
{
	(void)state;
	static const char *const breaks[] = { "\n", "\r", "\r\n", "\xc2\x85",
		"\xe2\x80\xa8", "\xe2\x80\xa9" };
	for (size_t i = 0; i < ARRAY_LEN(breaks); i++) {
		struct text file;
		text_init(&file);
		text_addf(&file, "a: 1%sb: 2%sc: 3%s", breaks[i], breaks[i], breaks[i]);
		struct conf *c = conf_parse("x.yaml", text_slice(&file));
		const struct conf_node *b = conf_get(conf_root(c), "b");
		assert_non_null(b);
		conf_complain(c, b->at, "here");
		assert_complaints(c, "x.yaml:2:4: here\n"
				     "    2 | b: 2\n"
				     "      |    ^\n");
		text_reset(&file);
		text_addf(&file, "a: 1%sb: \xff", breaks[i]);
		c = conf_parse("x.yaml", text_slice(&file));
		assert_complaints(c, "x.yaml:2:4: not text in UTF-8: invalid leading "
				     "UTF-8 octet\n"
				     "    2 | b: ?\n"
				     "      |    ^\n");
		text_fini(&file);
	}
}

static void test_load(void **state)
{
	(void)state;
	struct problem p = { "" };
	assert_null(conf_load("/nonexistent/x.yaml", &p));
	assert_string_equal(p.text, "/nonexistent/x.yaml: No such file or directory");
	p.text[0] = '\0';
	assert_null(conf_load("/", &p));
	assert_non_null(strstr(p.text, "Is a directory"));
	char path[] = "/tmp/weir-conf-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a: 1\r\nb: 2\r\n", 12), 12);
	close(fd);
	struct conf *c = conf_load(path, &p);
	unlink(path);
	assert_non_null(c);
	assert_string_equal(conf_name(c), path);
	assert_int_equal(conf_root(c)->count, 2);
	assert_string_equal(conf_get(conf_root(c), "a")->text, "1");
	conf_free(&c);
}

static void test_as_json(void **state)
{
	(void)state;
	struct conf *c = conf_parse("x",
		SLICE("none: ~\nflat: [1, -2.5, \"3\", true, yes, 07, a b, '']\n"
		      "deep: { a: [[], {}, [[1]]], b: { c: { d: e } } }\nafter: 1\n"));
	struct text t;
	text_init(&t);
	assert_int_equal(conf_complaints(c), 0);
	conf_json(conf_get(conf_root(c), "none"), &t);
	assert_text(&t, "null");
	conf_json(conf_get(conf_root(c), "flat"), &t);
	assert_text(&t, "[1,-2.5,\"3\",true,\"yes\",\"07\",\"a b\",\"\"]");
	conf_json(conf_get(conf_root(c), "deep"), &t);
	assert_text(&t, "{\"a\":[[],{},[[1]]],\"b\":{\"c\":{\"d\":\"e\"}}}");
	text_fini(&t);
	conf_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tree_and_places),
		TEST(test_empty),
		TEST(test_keys),
		TEST(test_kinds),
		TEST(test_syntax),
		TEST(test_other_syntax),
		TEST(test_bounds),
		TEST(test_many_complaints),
		TEST(test_shown_lines),
		TEST(test_line_breaks),
		TEST(test_load),
		TEST(test_as_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
