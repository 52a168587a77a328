#include "load/merge.h"

#include "base/json_read.h"
#include "base/units.h"

#define PATH_BYTES 64
#define STEPS_MAX 200000             /* of the time line */
#define STARTED_MAX_MS 4102444800000 /* the year 2100: far from overflow */

/* One document. What is missing in it, or of another kind, is a problem once: the first. */
struct source {
	const char *file;
	struct json_doc *doc;
	struct problem *problem;
	bool bad;
};

static bool fail(struct source *s, const char *path)
{
	if (!s->bad)
		problem_fill(s->problem,
			"%s: '%s' is missing or wrong: merged are documents of "
			"`weir load --json`, as this weir writes them",
			s->file, path);
	s->bad = true;
	return false;
}

static uint64_t count_at(struct source *s, const char *path)
{
	int64_t n = 0;

	if (!json_get_int(s->doc, path, &n) || n < 0)
		fail(s, path);
	return n < 0 ? 0 : (uint64_t)n;
}

static ns_t ms_at(struct source *s, const char *path)
{
	ns_t value = 0;

	if (!json_get_ms(s->doc, path, &value) || value < 0) {
		fail(s, path);
		return 0;
	}
	return value;
}

static double real_at(struct source *s, const char *path)
{
	double value = 0;

	if (!json_get_real(s->doc, path, &value) || value < 0)
		fail(s, path);
	return value;
}

static bool bool_at(struct source *s, const char *path)
{
	bool value = false;

	if (!json_get_bool(s->doc, path, &value))
		fail(s, path);
	return value;
}

/* `name` of the object at `under`; of the document itself where that is NULL. */
static const char *path_to(char *path, const char *under, const char *name)
{
	snprintf(path, PATH_BYTES, "%s%s%s", under ? under : "", under ? "." : "", name);
	return path;
}

struct count {
	const char *name;
	uint64_t *into;
};

static void add_each(
	struct source *s, const char *under, const struct count *rows, size_t n)
{
	char path[PATH_BYTES];

	for (size_t i = 0; i < n; i++)
		*rows[i].into += count_at(s, path_to(path, under, rows[i].name));
}

static void times_at(struct source *s, const char *under, const char *const *names,
	size_t n, ns_t *into)
{
	char path[PATH_BYTES];

	for (size_t i = 0; i < n; i++)
		into[i] = ms_at(s, path_to(path, under, names[i]));
}

/* null: nothing. */
static struct slice text_at(struct source *s, const char *path)
{
	struct slice value = SLICE_NONE;

	if (!json_is_null_at(s->doc, path) && !json_get_str(s->doc, path, &value))
		fail(s, path);
	return value;
}

/* One that a page shows as it is: what steers a terminal is not in it. */
static struct slice plain_at(struct source *s, const char *path)
{
	struct slice value = text_at(s, path);

	for (size_t i = 0, n; i < value.len; i += n) {
		n = text_shown_len(slice_cut(value, i, SIZE_MAX));
		if (n)
			continue;
		fail(s, path);
		return SLICE_NONE;
	}
	return value;
}

/* --- histograms --- */

static void add_buckets(struct source *s, struct hist *h, const char *path)
{
	char item[PATH_BYTES];

	if (!json_has(s->doc, path) || json_is_null_at(s->doc, path))
		fail(s, path);
	for (size_t i = 0, n = json_len(s->doc, path); i < n && !s->bad; i++) {
		snprintf(item, sizeof(item), "%s[%zu][0]", path, i);
		uint64_t low_us = count_at(s, item);
		if (low_us > HIST_US_MAX)
			fail(s, item);
		snprintf(item, sizeof(item), "%s[%zu][1]", path, i);
		uint64_t count = count_at(s, item);
		if (!s->bad)
			hist_record_n(h, (ns_t)low_us * NS_US, count);
	}
}

/* The buckets, and beside them what they hold to three digits only: both ends and the mean. */
static void add_hist(
	struct source *s, struct hist *into, const char *buckets, const char *summary)
{
	struct hist *h = hist_new();
	char path[PATH_BYTES];

	add_buckets(s, h, buckets);
	if (count_at(s, path_to(path, summary, "count")) != hist_count(h))
		fail(s, path);
	if (hist_count(h) && !s->bad) {
		ns_t ends[3];
		static const char *const names[] = { "min_ms", "mean_ms", "max_ms" };
		times_at(s, summary, names, ARRAY_LEN(names), ends);
		if (hist_set_exact(h, ends[0], ends[1], ends[2]))
			hist_merge(into, h);
		else
			fail(s, summary);
	}
	hist_free(&h);
}

/* --- errors --- */

static bool kind_of(struct slice label, enum err *kind)
{
	*kind = ERR_OK;
	if (slice_eq(label, SLICE("status")))
		return true;
	for (int e = 0; e < ERR_COUNT; e++) {
		*kind = (enum err)e;
		if (slice_eq(label, slice_of(err_label(*kind))))
			return true;
	}
	return false;
}

/* A member of the error that is read. */
static const char *member(char *path, size_t nth, const char *name)
{
	snprintf(path, PATH_BYTES, "errors[%zu].%s", nth, name);
	return path;
}

/* The bytes themselves, where a string could not tell them. */
static void read_words(struct source *s, size_t nth, struct text *out)
{
	char path[PATH_BYTES];

	if (!json_has(s->doc, member(path, nth, "base64")))
		text_add_slice(out, text_at(s, member(path, nth, "text")));
	else if (!text_add_unbase64(out, text_at(s, path)))
		fail(s, path);
}

static uint16_t status_at(struct source *s, const char *path)
{
	uint64_t status = count_at(s, path);

	if (status >= TALLY_STATUSES)
		fail(s, path);
	return status < TALLY_STATUSES ? (uint16_t)status : 0;
}

static void add_error(struct source *s, struct words *words, size_t nth, ns_t began)
{
	char path[PATH_BYTES];
	struct words_many e = { .status = 0 };
	struct text bytes;

	text_init(&bytes);
	if (!kind_of(text_at(s, member(path, nth, "kind")), &e.kind))
		fail(s, path);
	if (!json_is_null_at(s->doc, member(path, nth, "status")))
		e.status = status_at(s, path);
	e.count = count_at(s, member(path, nth, "count"));
	e.first = ns_add(began, ms_at(s, member(path, nth, "first_ms")));
	e.last = ns_add(began, ms_at(s, member(path, nth, "last_ms")));
	if (bool_at(s, member(path, nth, "refusal")))
		e.marks |= WORDS_REFUSAL;
	read_words(s, nth, &bytes);
	e.text = text_slice(&bytes);
	if (!s->bad && e.count)
		words_add_many(words, &e);
	text_fini(&bytes);
}

/* --- counts --- */

static void add_statuses(struct source *s, struct tally *t)
{
	struct slice key;

	for (size_t i = 0; json_get_key(s->doc, "statuses", i, &key); i++) {
		char path[PATH_BYTES];
		uint64_t status = TALLY_STATUSES;
		struct problem why = { "" };
		snprintf(path, sizeof(path), "statuses.%.*s",
			(int)(key.len < 8 ? key.len : 8), key.ptr);
		if (!units_count(key, &status, &why) || status >= TALLY_STATUSES) {
			fail(s, "statuses");
			return;
		}
		t->statuses[status] += count_at(s, path);
	}
}

static void add_counts(struct source *s, struct tally *t)
{
	const struct count rows[] = {
		{ "started", &t->started },
		{ "good", &t->good },
		{ "late", &t->late },
		{ "failed", &t->failed },
		{ "unanswered", &t->open },
	};

	add_each(s, NULL, rows, ARRAY_LEN(rows));
	if (t->started != t->good + t->late + t->failed + t->open)
		fail(s, "started");
	words_add_dropped(t->words, count_at(s, "errors_dropped"));
	add_statuses(s, t);
}

static void add_step(struct source *s, struct tally *t, size_t nth)
{
	static const char *const times[] = { "p50_ms", "p99_ms", "max_ms" };
	struct tally_step *step = tally_settled(t, (uint32_t)nth);
	const struct count rows[] = {
		{ "started", &step->started },
		{ "good", &step->good },
		{ "late", &step->late },
		{ "failed", &step->failed },
	};
	ns_t took[ARRAY_LEN(times)];
	char under[32];
	bool had = step->max != NS_NEVER;

	snprintf(under, sizeof(under), "intervals[%zu]", nth);
	add_each(s, under, rows, ARRAY_LEN(rows));
	times_at(s, under, times, ARRAY_LEN(times), took);
	if (took[2] == NS_NEVER)
		return; /* nothing was answered there: what the others say stands */
	step->p50 = had ? NS_NEVER : took[0];
	step->p99 = had ? NS_NEVER : took[1];
	step->max = had ? ns_max(step->max, took[2]) : took[2];
}

/* The last one begins before the end of all time. */
static void add_steps(struct source *s, struct tally *t)
{
	size_t n = json_len(s->doc, "intervals");

	if (n > STEPS_MAX)
		fail(s, "intervals");
	else if ((ns_t)n > NS_NEVER / t->interval)
		fail(s, "interval_ms");
	for (size_t i = 0; i < n && !s->bad; i++)
		add_step(s, t, i);
}

static void add_connections(struct source *s, struct load_result *r)
{
	const struct count connections[] = {
		{ "opened", &r->opened },
		{ "reused", &r->reused },
		{ "replayed", &r->replayed },
		{ "closed_by_us", &r->closed_by_us },
		{ "closed_by_peer", &r->closed_by_peer },
		{ "reset", &r->reset },
		{ "open", &r->open },
	};
	const struct count bytes[] = {
		{ "sent", &r->sent_bytes },
		{ "received", &r->received_bytes },
	};
	const struct count tls[] = {
		{ "handshakes", &r->handshakes },
		{ "resumed", &r->resumed },
		{ "failed", &r->unshaken },
	};

	add_each(s, "connections", connections, ARRAY_LEN(connections));
	add_each(s, "bytes", bytes, ARRAY_LEN(bytes));
	if (json_is_null_at(s->doc, "tls"))
		return;
	r->asked.tls = true;
	add_each(s, "tls", tls, ARRAY_LEN(tls));
}

/* --- what was asked for --- */

static struct slice next_word(struct slice *rest)
{
	size_t end = slice_find(*rest, ' ');
	struct slice word = slice_cut(*rest, 0, end);

	*rest = slice_cut(*rest, end + 1, SIZE_MAX);
	return word;
}

static void add_word(struct text *all, struct slice word)
{
	struct slice rest = text_slice(all);

	while (rest.len)
		if (slice_eq(next_word(&rest), word))
			return;
	text_add(all, all->len ? " " : "");
	text_add_slice(all, word);
}

/* What several runs say stands side by side, each once. */
static void add_words(struct source *s, struct text *all, const char *path)
{
	struct slice words = plain_at(s, path);

	if (!words.len)
		fail(s, path);
	while (words.len)
		add_word(all, next_word(&words));
}

static bool differs(struct source *s, const char *path, ns_t before, ns_t here)
{
	struct text t;

	if (before == here)
		return false;
	text_init(&t);
	text_add_duration(&t, here);
	text_add(&t, " here and ");
	text_add_duration(&t, before);
	text_add(&t, " in the file before");
	if (!s->bad)
		problem_fill(s->problem,
			"%s: '%s' is %s: runs that were measured unlike each other are not "
			"parts of one",
			s->file, path, t.ptr);
	s->bad = true;
	text_fini(&t);
	return true;
}

static void add_durations(struct source *s, struct merge *m)
{
	struct load_asked *a = &m->result.asked;
	const struct {
		const char *path;
		ns_t *into;
	} rows[] = {
		{ "for_ms", &a->run_for },
		{ "warm_up_ms", &a->warm_up },
		{ "patience_ms", &a->patience },
		{ "timeout_ms", &a->timeout },
		{ "interval_ms", &a->interval },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ns_t here = ms_at(s, rows[i].path);
		if (!m->documents)
			*rows[i].into = here;
		else if (differs(s, rows[i].path, *rows[i].into, here))
			return;
	}
}

/* Nothing where they are not alike. */
static void add_alike(
	struct source *s, struct merge *m, const char *name, struct text *into)
{
	struct slice here = json_has(s->doc, name) ? plain_at(s, name) : SLICE_NONE;

	if (!m->documents)
		text_add_slice(into, here);
	else if (!slice_eq(text_slice(into), here))
		text_reset(into);
}

/* Of all together: the sum; without a bound where one has none. */
static void add_bound(struct source *s, struct merge *m, const char *name, uint64_t *sum)
{
	uint64_t bound = UINT64_MAX;

	if (json_has(s->doc, name) && !json_is_null_at(s->doc, name))
		bound = count_at(s, name);
	if (!m->documents)
		*sum = bound;
	else if (*sum == UINT64_MAX || bound == UINT64_MAX)
		*sum = UINT64_MAX;
	else
		*sum += bound;
}

static void add_manner(struct source *s, struct merge *m)
{
	struct load_asked *a = &m->result.asked;
	/* An older version said nothing of it, and closed none. */
	bool says = json_has(s->doc, "idle_for_ms");
	ns_t idle_for = says ? ms_at(s, "idle_for_ms") : NS_NEVER;

	add_words(s, &m->manner, "manner");
	add_alike(s, m, "as", &m->as);
	add_bound(s, m, "pool", &a->pool);
	add_bound(s, m, "idle", &a->idle);
	if (!m->documents)
		a->idle_for = idle_for;
	else if (a->idle_for != idle_for)
		a->idle_for = NS_NEVER;
}

static void add_asked(struct source *s, struct merge *m)
{
	add_durations(s, m);
	add_alike(s, m, "pace", &m->pace);
	m->result.asked.rate += real_at(s, "rate");
	add_words(s, &m->url, "url");
	add_words(s, &m->arrivals, "arrivals");
	add_manner(s, m);
}

/* When it took place: its start, by the clock of the world, as the merged ledger counts. */
static ns_t add_times(struct source *s, struct merge *m)
{
	struct load_result *r = &m->result;
	int64_t first = (int64_t)count_at(s, "started_at_ms");
	int64_t within = ms_at(s, "begun_within_ms") / NS_MS;
	uint64_t runs = count_at(s, "runs");

	if (runs == 0 || runs > UINT32_MAX - r->runs)
		fail(s, "runs");
	if (first > STARTED_MAX_MS || within > STARTED_MAX_MS) {
		fail(s, first > STARTED_MAX_MS ? "started_at_ms" : "begun_within_ms");
		return 0;
	}
	int64_t last = first + within;
	ns_t over = ns_add((ns_t)last * NS_MS, ms_at(s, "overlap_ms"));
	if (!m->documents) {
		m->first_ms = first;
		m->last_ms = last;
		m->over = over;
	}
	m->first_ms = first < m->first_ms ? first : m->first_ms;
	m->last_ms = last > m->last_ms ? last : m->last_ms;
	m->over = ns_min(m->over, over);
	r->ran_for = ns_max(r->ran_for, ms_at(s, "ran_for_ms"));
	r->interrupted |= bool_at(s, "interrupted");
	r->runs += (uint32_t)runs;
	return (ns_t)first * NS_MS;
}

static void add_validity(struct source *s, struct merge *m)
{
	if (bool_at(s, "valid"))
		return;
	struct slice why = plain_at(s, "invalid_why");
	if (!why.len)
		fail(s, "invalid_why");
	if (m->invalid++)
		return;
	m->culprit = s->file;
	text_add_slice(&m->why, why);
}

/* --- all of it --- */

void merge_init(struct merge *m)
{
	struct text *const texts[] = { &m->url, &m->pace, &m->arrivals, &m->manner,
		&m->as, &m->why };

	*m = (struct merge){ .documents = 0 };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		text_init(texts[i]);
}

void merge_fini(struct merge *m)
{
	struct text *const texts[] = { &m->url, &m->pace, &m->arrivals, &m->manner,
		&m->as, &m->why };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		text_fini(texts[i]);
	tally_free(&m->tally);
}

static struct tally *tally_for(const struct load_asked *a)
{
	const struct tally_cfg cfg = { a->patience, a->interval, a->warm_up };
	return tally_new(0, &cfg);
}

static void add_all(struct source *s, struct merge *m)
{
	add_asked(s, m);
	const ns_t interval = m->result.asked.interval;
	if (!s->bad && (interval == 0 || interval == NS_NEVER))
		fail(s, "interval_ms");
	ns_t began = add_times(s, m);
	add_validity(s, m);
	if (s->bad)
		return;
	if (!m->tally)
		m->tally = tally_for(&m->result.asked);
	struct tally *t = m->tally;
	add_counts(s, t);
	add_hist(s, t->latency, "histogram", "latency");
	add_hist(s, t->latency_good, "histogram_good", "latency_good");
	add_hist(s, t->uncorrected, "histogram_uncorrected", "latency_uncorrected");
	add_hist(s, t->lateness, "histogram_lateness", "lateness");
	for (size_t i = 0, n = json_len(s->doc, "errors"); i < n && !s->bad; i++)
		add_error(s, t->words, i, began);
	add_steps(s, t);
	add_connections(s, &m->result);
}

bool merge_add(struct merge *m, const char *file, struct problem *p)
{
	struct source s = { .file = file, .problem = p };
	struct slice schema = SLICE_NONE;

	s.doc = json_doc_load(file, p);
	if (!s.doc)
		return false;
	if (!json_get_str(s.doc, "schema", &schema) ||
		!slice_eq(schema, SLICE("weir.load/1"))) {
		problem_fill(p, "%s: it is not a document of `weir load --json`", file);
		s.bad = true;
	} else {
		add_all(&s, m);
	}
	json_doc_free(&s.doc);
	m->documents++;
	return !s.bad;
}

/* Loads that did not take place together are no load of the sum of their rates. */
static void judge(struct merge *m)
{
	const struct load_result *r = &m->result;
	struct text t;

	if (m->documents == 1)
		return;
	text_init(&t);
	if (m->invalid)
		text_addf(&t, "%u of %u files %s of a run that is not valid; %s: %s",
			m->invalid, m->documents, m->invalid == 1 ? "is" : "are",
			m->culprit, m->why.ptr);
	else if (r->overlap == 0)
		text_add(&t,
			"one run was over as another began: they are no load together");
	text_reset(&m->why);
	text_add_slice(&m->why, text_slice(&t));
	text_fini(&t);
}

void merge_end(struct merge *m)
{
	struct load_result *r = &m->result;

	r->tally = m->tally;
	m->tally->start = (ns_t)m->first_ms * NS_MS;
	r->started_at_ms = m->first_ms;
	r->begun_within = (ns_t)(m->last_ms - m->first_ms) * NS_MS;
	r->overlap = ns_max(m->over - (ns_t)m->last_ms * NS_MS, 0);
	judge(m);
	r->invalid_why = m->why.len ? m->why.ptr : NULL;
	r->asked.url = m->url.ptr;
	r->asked.pace = m->pace.len ? m->pace.ptr : NULL;
	r->asked.arrivals = m->arrivals.ptr;
	r->asked.connections = m->manner.ptr;
	r->asked.as = m->as.len ? m->as.ptr : NULL;
}
