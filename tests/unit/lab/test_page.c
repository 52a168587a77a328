#include "tests/unit/base/unit.h"
#include "lab/markdown.h"
#include "lab/page.h"
#include "lab/result.h"

#define HOSTILE \
	"</script><script>alert(1)</script><!-- | `x` **b** [a](http://e.x) \\u0000\\u0007"

/* A result with one act: a variant swept over two timeouts, beside one that is not. */
static const char result[] =
	"{\"schema\": \"weir.lab/2\", \"weir\": \"1\", \"scenario\": {\"name\": \"s\", "
	"\"title\": \"" HOSTILE "\"}, \"acts\": [{\"title\": \"t\", \"repetitions\": 2, "
	"\"rate\": 1, \"calls\": 1, \"limit\": 1, \"latency\": \"1s\", "
	"\"sweep\": [{\"name\": \"timeout\", \"variants\": [\"a\"]}], "
	"\"expect\": [{\"text\": \"a.good > 1\", \"held\": false}, "
	"{\"text\": \"b.p99 < 1s\", \"held\": null}], \"variants\": ["
	"{\"name\": \"a\", \"label\": \"a timeout=1s\", \"role\": \"fault\", "
	"\"point\": {\"timeout\": \"1s\"}, \"valid\": true, \"figures\": {"
	"\"good\": {\"median\": 3, \"low\": 2, \"high\": 4}, \"p50_ms\": null}, "
	"\"words\": [{\"status\": 503, \"count\": 1, \"text\": \"```" HOSTILE "\"}]}, "
	"{\"name\": \"a\", \"label\": \"a timeout=2s\", \"role\": \"fault\", "
	"\"point\": {\"timeout\": \"2s\"}, \"valid\": true, \"figures\": {}, \"words\": []}, "
	"{\"name\": \"b|\", \"label\": \"b|\", \"role\": \"cure\", \"point\": {}, "
	"\"valid\": false, \"figures\": {}, \"words\": []}]}]}";

static struct json_doc *parse(const char *text)
{
	struct problem p = { "" };
	struct json_doc *doc = json_doc_parse(slice_of(text), &p);
	if (!doc)
		fail_msg("%s", p.text);
	return doc;
}

static size_t times(const char *text, const char *what)
{
	size_t n = 0;
	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static void test_figures_are_read(void **state)
{
	struct json_doc *doc = parse(result);
	struct lab_act_figures a;
	(void)state;
	lab_act_figures_init(&a, doc, 0);
	assert_int_equal(a.n, 3);
	assert_true(a.v[0].is_fault && !a.v[2].is_fault);
	assert_true(a.v[0].good.known && a.v[0].good.median == 3 &&
		    a.v[0].good.low == 2 && a.v[0].good.high == 4);
	assert_false(a.v[0].p50.known);
	assert_false(a.v[0].started.known);
	assert_int_equal(a.v[0].words_count, 1);
	assert_false(a.v[2].valid);
	/* not all variants sweep: these are its variants' points, to be compared */
	assert_int_equal(a.v[0].group, a.v[1].group);
	assert_int_equal(a.v[0].group, a.v[2].group);
	lab_act_figures_fini(&a);
	json_doc_free(&doc);
}

/* What all variants sweep is the scene, not a cure. */
static void test_points_that_all_have_are_groups(void **state)
{
	struct json_doc *doc = parse(
		"{\"acts\": [{\"sweep\": [{\"name\": \"rate\", \"variants\": [\"a\", \"b\"]}], "
		"\"variants\": ["
		"{\"name\": \"a\", \"point\": {\"rate\": \"1/s\"}}, "
		"{\"name\": \"a\", \"point\": {\"rate\": \"2/s\"}}, "
		"{\"name\": \"b\", \"point\": {\"rate\": \"1/s\"}}, "
		"{\"name\": \"b\", \"point\": {\"rate\": \"2/s\"}}]}]}");
	struct lab_act_figures a;
	(void)state;
	lab_act_figures_init(&a, doc, 0);
	assert_int_equal(a.v[0].group, a.v[2].group);
	assert_int_equal(a.v[1].group, a.v[3].group);
	assert_int_not_equal(a.v[0].group, a.v[1].group);
	lab_act_figures_fini(&a);
	json_doc_free(&doc);
}

/* Nothing a run brought ends the element that holds it, and all of it is there. */
static void test_data_stays_data(void **state)
{
	struct json_doc *doc = parse(result), *again;
	struct text t;
	(void)state;
	text_init(&t);
	lab_page_html(&t, doc);
	const char *begins = strstr(t.ptr, "id=\"data\">");
	assert_non_null(begins);
	begins += strlen("id=\"data\">");
	const char *ends = strstr(begins, "</script>");
	assert_non_null(ends);
	char *data = slice_dup((struct slice){ begins, (size_t)(ends - begins) });
	struct slice title;
	assert_null(strchr(data, '<'));
	again = parse(data);
	assert_true(json_get_str(again, "result.scenario.title", &title));
	assert_int_equal(title.len, strlen(HOSTILE) - 10); /* two signs of six */
	assert_memory_equal(title.ptr, "</script><script>", 17);
	assert_int_equal(json_len(again, "verdicts"), 1);
	assert_null(strstr(t.ptr, "@DATA@"));
	json_doc_free(&again);
	mem_free(data);
	text_fini(&t);
	json_doc_free(&doc);
}

static void test_markdown_of_a_result(void **state)
{
	struct json_doc *doc = parse(result);
	struct text t;
	(void)state;
	text_init(&t);
	lab_page_markdown(&t, doc);
	assert_null(strstr(t.ptr, "\n</script>"));
	assert_non_null(strstr(t.ptr, "\n\\</script\\>\\<script\\>"));
	assert_non_null(strstr(t.ptr, "\n````text\n```</script>"));
	assert_non_null(strstr(t.ptr, "| b\\| (!) |"));
	assert_non_null(strstr(t.ptr, "| ? |"));
	assert_non_null(strstr(t.ptr, "- **did not hold**: a.good \\> 1\n"));
	assert_non_null(strstr(t.ptr, "- not judged: b.p99 \\< 1s\n"));
	text_fini(&t);
	json_doc_free(&doc);
}

static void test_a_table_has_as_many_cells_in_every_line(void **state)
{
	struct json_doc *doc = parse(result);
	struct text t;
	size_t first = 0;
	(void)state;
	text_init(&t);
	lab_page_markdown(&t, doc);
	char *line = strstr(t.ptr, "| variant ");
	assert_non_null(line);
	for (char *end; *line == '|'; line = end + 1) {
		end = strchr(line, '\n');
		*end = '\0';
		size_t bars = times(line, "|") - times(line, "\\|");
		first = first ? first : bars;
		assert_int_equal(bars, first);
	}
	assert_true(first > 10);
	text_fini(&t);
	json_doc_free(&doc);
}

static const struct {
	const char *words, *markdown;
} samples[] = {
	{ "plain, words (and more): all.", "plain, words (and more): all." },
	{ "TIME_WAIT *b* `c` [d](e) <f> #1 a|b ~s~ \\ &amp; @you $x$",
		"TIME\\_WAIT \\*b\\* \\`c\\` \\[d\\](e) \\<f\\> \\#1 a\\|b \\~s\\~ \\\\ "
		"\\&amp; \\@you \\$x\\$" },
	{ "- no list", "\\- no list" },
	{ "1. no list", "1\\. no list" },
	{ "1.5 s", "1.5 s" },
	{ "a 1. b - c", "a 1. b - c" },
	{ "two\nlines\r\a", "two lines  " },
	{ "see http://e.x/", "see http\\://e.x/" },
	{ "", "" },
};

static void test_words_mark_nothing_up(void **state)
{
	struct text t;
	(void)state;
	text_init(&t);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		text_reset(&t);
		text_add(&t, "");
		markdown_add(&t, samples[i].words);
		assert_string_equal(t.ptr ? t.ptr : "", samples[i].markdown);
	}
	text_fini(&t);
}

static void test_a_fence_is_longer_than_any_inside(void **state)
{
	struct text t;
	(void)state;
	text_init(&t);
	markdown_add_block(&t, "a ```` b\x1b[31m");
	assert_string_equal(t.ptr, "`````text\na ```` b [31m\n`````\n");
	text_fini(&t);
}

static void test_only_results_are_read(void **state)
{
	struct json_doc *other = parse("{\"schema\": \"weir.load/1\"}"),
			*none = parse("[]"), *good = parse(result);
	struct problem p = { "" };
	(void)state;
	assert_false(lab_result_check(other, &p));
	assert_non_null(strstr(p.text, "weir.load/1"));
	assert_false(lab_result_check(none, &p));
	assert_true(lab_result_check(good, &p));
	json_doc_free(&other);
	json_doc_free(&none);
	json_doc_free(&good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_figures_are_read),
		TEST(test_points_that_all_have_are_groups),
		TEST(test_data_stays_data),
		TEST(test_markdown_of_a_result),
		TEST(test_a_table_has_as_many_cells_in_every_line),
		TEST(test_words_mark_nothing_up),
		TEST(test_a_fence_is_longer_than_any_inside),
		TEST(test_only_results_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
