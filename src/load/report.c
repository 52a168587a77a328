#include "load/report.h"

#include <inttypes.h>

#include "base/pace.h"
#include "base/units.h"
#include "flow/refusal.h"
#include "proto/h1.h"

#define LABEL_COLUMN 15      /* where the figures of a line begin */
#define TEXT_SHOWN_BYTES 400 /* of an error's text on the page; JSON has all of it */
#define ERRORS_SHOWN 10
#define TIME_LINE_SHOWN PACE_RATES_MAX

const char *report_invalid_why(const struct load_result *r)
{
	if (r->invalid_why || r->runs > 1)
		return r->invalid_why;
	if (r->tally->no_fds)
		return "requests were never sent, for file descriptors ran out: "
		       "raise the hard limit (`ulimit -Hn`) or the system's fs.file-max, or "
		       "bound the connections with --pool";
	if (r->tally->no_memory)
		return "requests failed for want of memory for sockets on this machine";
	if (hist_quantile(r->tally->lateness, 0.999) <= LOAD_LATENESS_MAX)
		return NULL;
	return "requests were started late: p99.9 of the generator's own lateness is over 5 ms, "
	       "so this machine was too busy for this rate";
}

/* 667/s, 6.67/s, 0.0667/s */
static void add_rate(struct text *t, double per_second)
{
	text_add_number(t, per_second);
	text_add(t, "/s");
}

static void add_label(struct text *t, const char *label)
{
	text_add(t, label);
	text_pad(t, LABEL_COLUMN);
}

static void add_heading(struct text *t, const struct load_result *r)
{
	const struct load_asked *a = &r->asked;

	text_addf(t, "weir load %s\n  ", a->url);
	if (r->runs > 1) {
		text_addf(t, "%u runs as one, begun within ", r->runs);
		text_add_duration(t, r->begun_within);
		text_add(t, " of each other\n  ");
	}
	if (a->pace)
		text_add(t, a->pace);
	else
		add_rate(t, a->rate);
	text_addf(t, " %s for ", a->arrivals);
	text_add_duration(t, r->ran_for);
	if (a->warm_up) {
		text_add(t, " (the first ");
		text_add_duration(t, a->warm_up);
		text_add(t, " not counted)");
	}
	if (r->interrupted && r->ran_for == a->run_for) {
		text_add(t, " (the wait for answers was interrupted)");
	} else if (r->interrupted) {
		text_add(t, " (interrupted; asked for ");
		text_add_duration(t, a->run_for);
		text_add(t, ")");
	}
	text_addf(t, ", connections: %s", a->connections);
	if (a->pool != UINT64_MAX)
		text_addf(t, " of at most %" PRIu64, a->pool);
	if (a->idle != UINT64_MAX)
		text_addf(t, ", at most %" PRIu64 " of them idle", a->idle);
	if (a->idle_for != NS_NEVER) {
		text_add(t, ", idle for at most ");
		text_add_duration(t, a->idle_for);
	}
	if (a->as)
		text_addf(t, " (as %s)", a->as);
	if (a->patience != NS_NEVER) {
		text_add(t, ", patience ");
		text_add_duration(t, a->patience);
	}
	if (a->timeout != NS_NEVER) {
		text_add(t, ", timeout ");
		text_add_duration(t, a->timeout);
	}
	text_add_char(t, '\n');
}

/* The server's words as they are, each line indented; what a terminal would not show as \xNN. */
static void add_verbatim(struct text *t, struct slice words)
{
	struct slice s = slice_cut(words, 0, TEXT_SHOWN_BYTES);

	text_pad(t, LABEL_COLUMN);
	text_add_char(t, '"');
	while (s.len == words.len && s.len &&
		(s.ptr[s.len - 1] == '\n' || s.ptr[s.len - 1] == '\r'))
		s.len = --words.len;
	for (size_t i = 0; i < s.len;) {
		bool tab = s.ptr[i] == '\t';
		size_t len = tab ? 1 : text_shown_len(slice_cut(s, i, SIZE_MAX));
		if (len) {
			text_add_slice(t, slice_cut(s, i, len));
		} else if (s.ptr[i] == '\n') {
			text_add_char(t, '\n');
			text_pad(t, LABEL_COLUMN + 1);
		} else if (s.ptr[i] != '\r' || i + 1 == s.len || s.ptr[i + 1] != '\n') {
			text_addf(t, "\\x%02x", (unsigned char)s.ptr[i]);
		}
		i += len ? len : 1;
	}
	text_add_char(t, '"');
	if (s.len < words.len)
		text_addf(t, " ... (%zu bytes more)", words.len - s.len);
	text_add_char(t, '\n');
}

static void add_error_what(struct text *t, const struct words_entry *e)
{
	if (e->kind != ERR_OK) {
		text_addf(t, "%s", err_text(e->kind));
		if (e->status)
			text_addf(t, ", in an answer with status %u", e->status);
		return;
	}
	text_addf(t, "%u %s", e->status, h1_status_reason(e->status));
	const char *server = refusal_match(
		e->status, (struct slice){ e->text, e->text_len });
	if (server)
		text_addf(t, ": the server has no slot free (refusal as by %s)", server);
}

static void add_error(struct text *t, const struct words_entry *e, ns_t start)
{
	text_add(t, "  ");
	text_add_count(t, e->count);
	text_add(t, " x");
	text_pad(t, LABEL_COLUMN);
	add_error_what(t, e);
	text_add(t, "; first at ");
	text_add_duration(t, e->first - start);
	text_add(t, ", last at ");
	text_add_duration(t, e->last - start);
	text_add_char(t, '\n');
	if (e->text_len)
		add_verbatim(t, (struct slice){ e->text, e->text_len });
}

static void add_errors(struct text *t, const struct load_result *r)
{
	const struct words_entry *e;
	uint64_t more = words_dropped(r->tally->words);
	uint32_t n = 0;

	for (; n < ERRORS_SHOWN && (e = words_nth(r->tally->words, n)); n++) {
		if (n == 0)
			text_add(t, "\nfailures, in the server's own words where it "
				    "gave any\n");
		add_error(t, e, r->tally->start);
	}
	for (; (e = words_nth(r->tally->words, n)); n++)
		more += e->count;
	if (more) {
		text_add(t, "  ");
		text_add_count(t, more);
		text_add(t, " of other kinds\n");
	}
}

static void add_count_line(
	struct text *t, const char *label, uint64_t count, const struct load_result *r)
{
	ns_t counted_for = ns_max(r->ran_for - r->asked.warm_up, 0);
	double seconds = (double)counted_for / (double)NS_S;
	uint64_t started = r->tally->started;

	text_addf(t, "  %s", label);
	text_pad(t, LABEL_COLUMN);
	text_add_count(t, count);
	text_pad(t, LABEL_COLUMN + 14);
	add_rate(t, seconds > 0 ? (double)count / seconds : 0);
	text_pad(t, LABEL_COLUMN + 28);
	text_addf(t, "%.1f %%", started ? 100.0 * (double)count / (double)started : 0.0);
}

static void add_counts(struct text *t, const struct load_result *r)
{
	const struct tally *a = r->tally;

	text_add(t, "\nrequests\n");
	add_count_line(t, "started", a->started, r);
	text_add_char(t, '\n');
	add_count_line(t, "good", a->good, r);
	text_add_char(t, '\n');
	if (a->patience != NS_NEVER) {
		add_count_line(t, "late", a->late, r);
		text_add(t, "   answered after ");
		text_add_duration(t, a->patience);
		text_add_char(t, '\n');
	}
	add_count_line(t, "failed", a->failed, r);
	text_add_char(t, '\n');
	if (tally_unanswered(a)) {
		add_count_line(t, "unanswered", tally_unanswered(a), r);
		text_add(t, "   still waiting when the run ended\n");
	}
}

static void add_cell(struct text *t, size_t column, const struct hist *h, ns_t value)
{
	text_pad(t, column);
	if (hist_count(h))
		text_add_duration(t, value);
	else
		text_add(t, "-");
}

/* A latency, or that there is none. */
static void add_step_latency(struct text *t, ns_t value)
{
	if (value == NS_NEVER)
		text_add(t, "-");
	else
		text_add_duration(t, value);
}

static void add_step(struct text *t, const struct load_result *r, uint32_t nth)
{
	const struct tally *a = r->tally;
	const struct tally_step *s = &a->steps[nth];
	const ns_t from = (ns_t)nth * a->interval;
	const ns_t took = ns_min(a->interval, ns_max(r->ran_for - from, 1));
	const uint64_t counts[] = { s->good, s->late, s->failed };
	const ns_t latencies[] = { s->p50, s->p99, s->max };

	text_add(t, "  ");
	text_add_duration(t, from);
	text_pad(t, LABEL_COLUMN);
	add_rate(t, (double)s->started * NS_S / (double)took);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		text_pad(t, LABEL_COLUMN + 14 + 10 * i);
		text_add_count(t, counts[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(latencies); i++) {
		text_pad(t, LABEL_COLUMN + 44 + 10 * i);
		add_step_latency(t, latencies[i]);
	}
	text_add_char(t, '\n');
}

/* Where the rate changes on purpose the whole run's figures say little: how it went. */
static void add_time_line(struct text *t, const struct load_result *r)
{
	const uint32_t n = r->tally->step_count;

	if (!r->asked.pace)
		return;
	add_label(t, "\nbegun from");
	text_add(t,
		"started       good      late      failed    p50       p99       max\n");
	for (uint32_t i = 0; i < n && i < TIME_LINE_SHOWN; i++)
		add_step(t, r, i);
	if (n > TIME_LINE_SHOWN)
		text_addf(t, "  %u more of them are in --json\n", n - TIME_LINE_SHOWN);
}

/* The latencies side by side: a gap to the uncorrected ones was waited before the sending. */
static void add_latency(struct text *t, const struct load_result *r)
{
	static const struct {
		const char *label;
		double q;
	} rows[] = {
		{ "p50", 0.5 },
		{ "p90", 0.9 },
		{ "p99", 0.99 },
		{ "p99.9", 0.999 },
		{ "max", 1 },
	};
	const struct hist *columns[] = { r->tally->latency, r->tally->latency_good,
		r->tally->uncorrected, r->tally->lateness };
	static const size_t at[] = { LABEL_COLUMN, LABEL_COLUMN + 14, LABEL_COLUMN + 28,
		LABEL_COLUMN + 42 };

	add_label(t, "\nlatency");
	text_add(t, "all answers");
	text_pad(t, at[1]);
	text_add(t, "good answers");
	text_pad(t, at[2]);
	text_add(t, "uncorrected");
	text_pad(t, at[3]);
	text_add(t, "own lateness\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		text_addf(t, "  %s", rows[i].label);
		for (size_t k = 0; k < ARRAY_LEN(columns); k++) {
			ns_t value = rows[i].q < 1 ? hist_quantile(columns[k], rows[i].q)
						   : hist_max(columns[k]);
			add_cell(t, at[k], columns[k], value);
		}
		text_add_char(t, '\n');
	}
	text_add(t,
		"  from the intended start to the answer's end; uncorrected: from when it was "
		"sent\n");
}

static void add_named_count(struct text *t, const char *sep, const char *name, uint64_t n)
{
	text_addf(t, "%s%s ", sep, name);
	text_add_count(t, n);
}

static void add_connections(struct text *t, const struct load_result *r)
{
	add_label(t, "\nconnections");
	add_named_count(t, "", "opened", r->opened);
	add_named_count(t, ", ", "requests on one used before", r->reused);
	add_named_count(t, ", ", "open at the end", r->open);
	if (r->replayed)
		add_named_count(t, ", ", "requests sent once more", r->replayed);
	text_add_char(t, '\n');
	text_pad(t, LABEL_COLUMN);
	add_named_count(t, "closed: ", "by us", r->closed_by_us);
	add_named_count(t, ", ", "by the server", r->closed_by_peer);
	add_named_count(t, ", ", "by a reset", r->reset);
	text_add_char(t, '\n');
	if (r->asked.tls) {
		add_label(t, "tls");
		add_named_count(t, "", "handshakes", r->handshakes);
		add_named_count(t, ", ", "of these resumed", r->resumed);
		add_named_count(t, ", ", "failed", r->unshaken);
		text_add_char(t, '\n');
	}
	add_label(t, "bytes");
	text_add(t, "sent ");
	text_add_size(t, r->sent_bytes);
	text_add(t, ", received ");
	text_add_size(t, r->received_bytes);
	text_add_char(t, '\n');
}

void load_report_text(struct text *out, const struct load_result *r)
{
	const char *why = report_invalid_why(r);

	add_heading(out, r);
	if (why)
		text_addf(out,
			"\nNOT VALID: %s.\nDo not judge the server by these figures.\n",
			why);
	add_errors(out, r);
	add_counts(out, r);
	add_time_line(out, r);
	add_latency(out, r);
	add_connections(out, r);
}

static void json_bound(struct json *j, const char *name, uint64_t bound)
{
	if (bound == UINT64_MAX)
		json_null(j, name);
	else
		json_int(j, name, (int64_t)bound);
}

static void json_asked(struct json *j, const struct load_result *r)
{
	const struct load_asked *a = &r->asked;
	const char *why = report_invalid_why(r);

	json_cstr(j, "schema", "weir.load/1");
	json_cstr(j, "url", a->url);
	json_real(j, "rate", a->rate);
	json_cstr(j, "pace", a->pace);
	json_ms(j, "for_ms", a->run_for);
	json_ms(j, "warm_up_ms", a->warm_up);
	json_cstr(j, "arrivals", a->arrivals);
	json_ms(j, "patience_ms", a->patience);
	json_ms(j, "timeout_ms", a->timeout);
	json_cstr(j, "as", a->as);
	json_cstr(j, "manner", a->connections);
	json_bound(j, "pool", a->pool);
	json_bound(j, "idle", a->idle);
	json_ms(j, "idle_for_ms", a->idle_for);
	json_int(j, "runs", r->runs);
	json_ms(j, "begun_within_ms", r->begun_within);
	json_int(j, "started_at_ms", r->started_at_ms);
	json_ms(j, "ran_for_ms", r->ran_for);
	json_ms(j, "overlap_ms", r->overlap);
	json_bool(j, "interrupted", r->interrupted);
	json_bool(j, "valid", !why);
	json_cstr(j, "invalid_why", why);
}

static void json_counts(struct json *j, const struct tally *a)
{
	json_int(j, "started", (int64_t)a->started);
	json_int(j, "good", (int64_t)a->good);
	json_int(j, "late", (int64_t)a->late);
	json_int(j, "failed", (int64_t)a->failed);
	json_int(j, "unanswered", (int64_t)tally_unanswered(a));
	hist_json(j, "latency", a->latency);
	hist_json(j, "latency_good", a->latency_good);
	hist_json(j, "latency_uncorrected", a->uncorrected);
	hist_json(j, "lateness", a->lateness);
	hist_json_buckets(j, "histogram", a->latency);
	hist_json_buckets(j, "histogram_good", a->latency_good);
	hist_json_buckets(j, "histogram_uncorrected", a->uncorrected);
	hist_json_buckets(j, "histogram_lateness", a->lateness);
	words_json(j, "errors", a->words, a->start);
	json_int(j, "errors_dropped", (int64_t)words_dropped(a->words));
	json_object(j, "statuses");
	for (unsigned status = 0; status < TALLY_STATUSES; status++) {
		char key[8];
		snprintf(key, sizeof(key), "%u", status);
		if (a->statuses[status])
			json_int(j, key, (int64_t)a->statuses[status]);
	}
	json_end(j);
}

static void json_tls(struct json *j, const struct load_result *r)
{
	if (!r->asked.tls) {
		json_null(j, "tls");
		return;
	}
	json_object(j, "tls");
	json_int(j, "handshakes", (int64_t)r->handshakes);
	json_int(j, "resumed", (int64_t)r->resumed);
	json_int(j, "failed", (int64_t)r->unshaken);
	json_end(j);
}

static void json_connections(struct json *j, const struct load_result *r)
{
	json_object(j, "connections");
	json_int(j, "opened", (int64_t)r->opened);
	json_int(j, "reused", (int64_t)r->reused);
	json_int(j, "replayed", (int64_t)r->replayed);
	json_int(j, "closed_by_us", (int64_t)r->closed_by_us);
	json_int(j, "closed_by_peer", (int64_t)r->closed_by_peer);
	json_int(j, "reset", (int64_t)r->reset);
	json_int(j, "open", (int64_t)r->open);
	json_end(j);
	json_object(j, "bytes");
	json_int(j, "sent", (int64_t)r->sent_bytes);
	json_int(j, "received", (int64_t)r->received_bytes);
	json_end(j);
}

static void json_steps(struct json *j, const struct tally *a)
{
	json_ms(j, "interval_ms", a->interval);
	json_array(j, "intervals");
	for (uint32_t i = 0; i < a->step_count; i++) {
		const struct tally_step *s = &a->steps[i];
		json_object(j, NULL);
		json_ms(j, "t_ms", (ns_t)i * a->interval);
		json_int(j, "started", (int64_t)s->started);
		json_int(j, "good", (int64_t)s->good);
		json_int(j, "late", (int64_t)s->late);
		json_int(j, "failed", (int64_t)s->failed);
		json_ms(j, "p50_ms", s->p50);
		json_ms(j, "p99_ms", s->p99);
		json_ms(j, "max_ms", s->max);
		json_end(j);
	}
	json_end(j);
}

void load_report_json(struct text *out, const struct load_result *r)
{
	struct json j;

	json_init(&j, out, false);
	json_object(&j, NULL);
	json_asked(&j, r);
	json_counts(&j, r->tally);
	json_connections(&j, r);
	json_tls(&j, r);
	json_steps(&j, r->tally);
	json_end(&j);
	text_add_char(out, '\n');
}
