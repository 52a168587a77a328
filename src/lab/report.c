#include "lab/report.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/units.h"
#include "lab/table.h"

#define JSON_FILE "samples.json"
#define MARKDOWN_FILE "table.md"
#define JSON_MARK "\"schema\": \"weir.lab/1\""
#define MARKDOWN_MARK "<!-- weir lab -->"
#define MARK_WITHIN_BYTES 4096
#define PROSE_COLUMNS 100

static const char *origin_name(const struct lab_options *o)
{
	return o->origin == LAB_ORIGIN_FASTHTTP ? "fasthttp" : "weir";
}

/* Text. */

static void add_setting(struct text *t, const struct lab_act_result *a)
{
	text_addf(t, "%.4g requests/s for ", a->set.rate);
	text_add_duration(t, a->set.run_for);
	text_addf(t, ", %u %s out for each; a server with ", a->set.gather,
		a->set.gather == 1 ? "call" : "calls");
	text_add_count(t, a->set.limit);
	text_addf(t, " slots that takes %s; callers wait ", a->act->latency);
	text_add_duration(t, a->set.patience);
}

/* The most frequent of the words all variants got; false: there were none. */
static bool best_words(
	struct lab_words *w, const char **who, const struct lab_act_result *a)
{
	w->count = 0;
	for (uint32_t i = 0; i < a->n; i++) {
		struct lab_words now;
		if (!lab_words_init(&now, &a->runs[i]) || now.count <= w->count)
			continue;
		*w = now;
		*who = a->runs[i].variant->name;
	}
	return w->count > 0;
}

static void add_words(struct text *t, const struct lab_act_result *a)
{
	struct lab_words w;
	const char *who = NULL;
	if (!best_words(&w, &who, a)) {
		text_add(t, "The server refused nothing and sent no error.");
		return;
	}
	text_add(t, "The server's own words (");
	if (w.status)
		text_addf(t, "%d, ", w.status);
	text_add_count(t, (uint64_t)w.count);
	text_addf(t, " times to %s): \"%s\"", who, w.text);
}

/* Rows whose callers were late, on one line: it is the machine that was too busy for all. */
static void add_invalid(
	struct text *t, const struct lab_act_result *a, const char *bullet)
{
	const char *why = NULL;
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->runs[i].note || a->rows[i].valid)
			continue;
		text_addf(t, "%s%s", why ? ", " : bullet, why ? "" : "(!) ");
		text_add(t, a->rows[i].name);
		why = why ? why : a->rows[i].invalid_why;
	}
	if (why)
		text_addf(t,
			": not valid: %s. Fewer variants at once (--parallel 1) or a smaller "
			"--scale fit it\n",
			why);
}

static void add_notes(struct text *t, const struct lab_act_result *a, const char *bullet)
{
	add_invalid(t, a, bullet);
	for (uint32_t i = 0; i < a->n; i++) {
		const struct lab_row *row = &a->rows[i];
		if (a->runs[i].note)
			text_addf(t, "%s(!) %s\n", bullet, a->runs[i].note);
		if (row->slots_over > 0)
			text_addf(t,
				"%s%s: the server itself counted more than its limit %lld "
				"times\n",
				bullet, row->name, (long long)row->slots_over);
	}
	for (uint32_t i = 0; i < a->missing.n; i++)
		text_addf(t, "%snot run: %s\n", bullet, a->missing.v[i]);
}

/* Breaks between words so that no line is longer than `width`, nor than one reads well. */
static void add_wrapped(struct text *t, const char *says, size_t width)
{
	size_t column = 0;
	if (width > PROSE_COLUMNS)
		width = PROSE_COLUMNS;
	while (*says) {
		size_t len = strcspn(says, " \n");
		if (column && column + 1 + len > width) {
			text_add(t, "\n  ");
			column = 2;
		} else if (column) {
			text_add_char(t, ' ');
			column++;
		}
		text_add_slice(t, (struct slice){ says, len });
		column += len;
		says += len;
		says += strspn(says, " \n");
	}
	text_add_char(t, '\n');
}

void lab_report_text(struct text *t, const struct lab_act_result *a, size_t width)
{
	struct text line;
	text_init(&line);
	text_addf(t, "Act %u: %s. %s\n", a->act->number, a->act->title, a->act->about);
	add_setting(&line, a);
	text_add_char(&line, '.');
	add_wrapped(t, line.ptr, width);
	text_add_char(t, '\n');
	text_reset(&line);
	add_words(&line, a);
	text_add(t, line.ptr);
	text_add(t, "\n\n");
	lab_table_text(t, a->rows, a->n, width);
	text_add_char(t, '\n');
	text_reset(&line);
	add_notes(&line, a, "");
	for (char *at = line.ptr, *end; at && (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		add_wrapped(t, at, width);
	}
	for (uint32_t i = 0; i < a->story.n; i++)
		add_wrapped(t, a->story.says[i], width);
	text_fini(&line);
}

/* Markdown. */

void lab_report_markdown(struct text *t, const struct lab_result *r)
{
	text_addf(t, MARKDOWN_MARK "\n# weir lab run %s\n\n%s. Server: %s.\n",
		r->scenario->name, r->scenario->summary,
		r->options->origin == LAB_ORIGIN_FASTHTTP ? "fasthttp" : "weir origin");
	for (uint32_t i = 0; i < r->n_acts; i++) {
		const struct lab_act_result *a = &r->acts[i];
		text_addf(t, "\n## Act %u: %s\n\n%s ", a->act->number, a->act->title,
			a->act->about);
		add_setting(t, a);
		text_add(t, ".\n\n> ");
		add_words(t, a);
		text_add(t, "\n\n");
		lab_table_markdown(t, a->rows, a->n);
		text_add_char(t, '\n');
		add_notes(t, a, "- ");
		for (uint32_t k = 0; k < a->story.n; k++)
			text_addf(t, "- %s\n", a->story.says[k]);
	}
}

/* JSON. */

static void argv_json(struct json *j, const char *key, const struct args *a)
{
	json_array(j, key);
	for (uint32_t i = 0; i < a->n; i++)
		json_cstr(j, NULL, a->v[i]);
	json_end(j);
}

static void peaks_json(struct json *j, const char *key, const struct lab_peaks *p)
{
	json_object(j, key);
	json_int(j, "established", p->established);
	json_int(j, "time_wait", p->time_wait);
	json_int(j, "fin_wait2", p->fin_wait2);
	json_end(j);
}

static void row_json(struct json *j, const struct lab_row *row)
{
	json_object(j, "row");
	json_real(j, "calls_in_per_s", row->in_per_s);
	json_real(j, "calls_out_per_s", row->out_per_s);
	json_int(j, "started", row->started);
	json_int(j, "good", row->good);
	json_int(j, "late", row->late);
	json_int(j, "failed", row->failed);
	json_int(j, "unanswered", row->unanswered);
	json_int(j, "calls", row->calls);
	json_int(j, "refused", row->refused);
	json_ms(j, "p50_ms", row->p50);
	json_ms(j, "p99_ms", row->p99);
	json_ms(j, "max_ms", row->max);
	json_ms(j, "good_p50_ms", row->good_p50);
	json_ms(j, "good_p99_ms", row->good_p99);
	json_object(j, "peak");
	peaks_json(j, "in", &row->peak[LAB_IN]);
	peaks_json(j, "out", &row->peak[LAB_OUT]);
	json_end(j);
	json_object(j, "closed_first");
	json_int(j, "closes", (int64_t)row->first.closes);
	json_real(j, "middleware", row->first.middleware);
	json_real(j, "server", row->first.server);
	json_real(j, "both", row->first.both);
	json_real(j, "reset", row->first.reset);
	json_real(j, "unknown", row->first.unknown);
	json_end(j);
	json_int(j, "slots_limit", row->slots_limit);
	json_int(j, "slots_peak", row->slots_peak);
	json_int(j, "slots_over", row->slots_over);
	json_int(j, "abandoned_peak", row->abandoned_peak);
	json_end(j);
}

static void closes_json(struct json *j, const struct lab_run *run)
{
	static const enum tally_side_id sides[] = { SIDE_IN, SIDE_OUT };
	const struct closes *c = &run->hosts.closes;
	json_object(j, "closes");
	for (size_t s = 0; s < ARRAY_LEN(sides); s++) {
		json_object(j, tally_side_name(sides[s]));
		json_object(j, "first");
		for (int f = 0; f < CLOSE_FIRST_COUNT; f++)
			json_int(j, close_first_name(f),
				(int64_t)closes_sum_first(c, sides[s], f));
		json_end(j);
		json_object(j, "why");
		for (int w = 0; w < WHY_COUNT; w++)
			json_int(j, close_why_name(w),
				(int64_t)closes_sum_why(c, sides[s], w));
		json_end(j);
		json_end(j);
	}
	json_int(j, "unseen", (int64_t)closes_unseen_local(c));
	json_end(j);
}

static void doc_json(struct json *j, const char *key, const struct json_doc *doc)
{
	char *raw = doc ? json_dump_at(doc, "") : NULL;
	if (raw)
		json_raw(j, key, slice_of(raw));
	else
		json_null(j, key);
	mem_free(raw);
}

static void words_json(struct json *j, const struct lab_run *run)
{
	struct lab_words w;
	if (!lab_words_init(&w, run)) {
		json_null(j, "words");
		return;
	}
	json_object(j, "words");
	json_int(j, "status", w.status);
	json_int(j, "count", w.count);
	json_cstr(j, "text", w.text);
	json_end(j);
}

static void run_json(struct json *j, const struct lab_run *run, const struct lab_row *row)
{
	json_object(j, NULL);
	json_cstr(j, "name", row->name);
	json_cstr(j, "what", row->what);
	json_bool(j, "valid", row->valid);
	json_cstr(j, "invalid_why",
		run->note             ? run->note
		: row->invalid_why[0] ? row->invalid_why
				      : NULL);
	json_object(j, "commands");
	argv_json(j, "server", &run->plan.server);
	argv_json(j, "middleware", &run->plan.middle);
	argv_json(j, "client", &run->plan.client);
	json_end(j);
	row_json(j, row);
	words_json(j, run);
	closes_json(j, run);
	doc_json(j, "load", run->load);
	doc_json(j, "server", run->server);
	doc_json(j, "middleware", run->middle);
	json_array(j, "samples");
	for (uint32_t i = 0; i < run->n_samples; i++)
		lab_sample_json(j, &run->samples[i]);
	json_end(j);
	json_end(j);
}

static void act_json(struct json *j, const struct lab_act_result *a)
{
	json_object(j, NULL);
	json_int(j, "act", a->act->number);
	json_cstr(j, "title", a->act->title);
	json_real(j, "rate", a->set.rate);
	json_ms(j, "for_ms", a->set.run_for);
	json_ms(j, "patience_ms", a->set.patience);
	json_int(j, "gather", a->set.gather);
	json_int(j, "addresses", a->set.addresses);
	json_int(j, "limit", (int64_t)a->set.limit);
	json_cstr(j, "latency", a->act->latency);
	json_array(j, "says");
	for (uint32_t i = 0; i < a->story.n; i++)
		json_cstr(j, NULL, a->story.says[i]);
	json_end(j);
	json_array(j, "missing");
	for (uint32_t i = 0; i < a->missing.n; i++)
		json_cstr(j, NULL, a->missing.v[i]);
	json_end(j);
	json_array(j, "variants");
	for (uint32_t i = 0; i < a->n; i++)
		run_json(j, &a->runs[i], &a->rows[i]);
	json_end(j);
	json_end(j);
}

void lab_report_json(struct text *t, const struct lab_result *r)
{
	struct json j;
	struct utsname un = { 0 };
	(void)uname(&un);
	json_init(&j, t, true);
	json_object(&j, NULL);
	json_cstr(&j, "schema", "weir.lab/1");
	json_cstr(&j, "weir", WEIR_VERSION);
	json_cstr(&j, "scenario", r->scenario->name);
	json_int(&j, "started_at_ms", r->started_at_ms);
	json_cstr(&j, "origin", origin_name(r->options));
	json_real(&j, "scale", r->options->scale);
	json_object(&j, "machine");
	json_cstr(&j, "kernel", un.release);
	json_int(&j, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	json_end(&j);
	json_array(&j, "acts");
	for (uint32_t i = 0; i < r->n_acts; i++)
		act_json(&j, &r->acts[i]);
	json_end(&j);
	json_end(&j);
	text_add_char(t, '\n');
}

/* Files. */

static char *join(const char *dir, const char *name)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "%s/%s", dir, name);
	return text_take(&t);
}

/* Absent, or begins as ours do. */
static bool may_replace(
	const char *dir, const char *name, const char *mark, struct problem *p)
{
	char head[MARK_WITHIN_BYTES + 1];
	char *path = join(dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd < 0 && errno == ENOENT;
	if (fd >= 0) {
		ssize_t got = read(fd, head, MARK_WITHIN_BYTES);
		head[got > 0 ? got : 0] = '\0';
		ok = strstr(head, mark) != NULL;
		close(fd);
	}
	if (!ok)
		problem_set(p,
			"--out: %s is there and is not ours to replace: name another "
			"folder",
			path);
	mem_free(path);
	return ok;
}

bool lab_report_check(const char *dir, struct problem *p)
{
	if (mkdir(dir, 0777) && errno != EEXIST)
		return problem_set(p, "--out: cannot make %s: %s", dir, strerror(errno));
	if (access(dir, W_OK | X_OK))
		return problem_set(
			p, "--out: cannot write in %s: %s", dir, strerror(errno));
	return may_replace(dir, JSON_FILE, JSON_MARK, p) &&
	       may_replace(dir, MARKDOWN_FILE, MARKDOWN_MARK, p);
}

static bool write_whole(
	const char *dir, const char *name, const struct text *t, struct problem *p)
{
	char *path = join(dir, name), *part = join(dir, ".part");
	FILE *f = fopen(part, "we");
	bool ok = f && fwrite(t->ptr, 1, t->len, f) == t->len;
	if (f && fclose(f))
		ok = false;
	ok = ok && rename(part, path) == 0;
	if (!ok)
		problem_set(p, "cannot write %s: %s", path, strerror(errno));
	mem_free(path);
	mem_free(part);
	return ok;
}

bool lab_report_write(const char *dir, const struct lab_result *r, struct problem *p)
{
	struct text json, markdown;
	text_init(&json);
	text_init(&markdown);
	lab_report_json(&json, r);
	lab_report_markdown(&markdown, r);
	bool ok = write_whole(dir, JSON_FILE, &json, p) &&
		  write_whole(dir, MARKDOWN_FILE, &markdown, p);
	text_fini(&json);
	text_fini(&markdown);
	return ok;
}
