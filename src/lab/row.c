#include "lab/row.h"

static int64_t int_at(const struct json_doc *doc, const char *path)
{
	int64_t value = 0;
	return doc && json_get_int(doc, path, &value) ? value : 0;
}

static ns_t ms_at(const struct json_doc *doc, const char *path)
{
	ns_t value = 0;
	return doc && json_get_ms(doc, path, &value) && value != NS_NEVER ? value : 0;
}

static void from_load(struct lab_row *row, const struct lab_run *run)
{
	const struct json_doc *d = run->load;
	struct slice why;
	row->known = d != NULL;
	row->valid = d && json_get_bool(d, "valid", &row->valid) && row->valid;
	if (d && json_get_str(d, "invalid_why", &why))
		snprintf(row->invalid_why, sizeof(row->invalid_why), "%.*s",
			SLICE_ARG(why));
	row->started = int_at(d, "started");
	row->good = int_at(d, "good");
	row->late = int_at(d, "late");
	row->failed = int_at(d, "failed");
	row->unanswered = int_at(d, "unanswered");
	row->p50 = ms_at(d, "latency.p50_ms");
	row->p99 = ms_at(d, "latency.p99_ms");
	row->max = ms_at(d, "latency.max_ms");
	row->good_p50 = ms_at(d, "latency_good.p50_ms");
	row->good_p99 = ms_at(d, "latency_good.p99_ms");
}

static void from_server(struct lab_row *row, const struct lab_run *run)
{
	row->refused = int_at(run->server, "refused");
	row->calls = int_at(run->server, "requests") + row->refused;
	row->slots_limit = (int64_t)run->plan.set.limit;
	row->slots_peak = int_at(run->server, "slots.peak");
	row->slots_over = int_at(run->server, "slots.over");
}

static void raise_to(uint32_t *peak, uint32_t value)
{
	if (value > *peak)
		*peak = value;
}

static void from_samples(struct lab_row *row, const struct lab_run *run)
{
	for (uint32_t i = 0; i < run->n_samples; i++) {
		const struct lab_sample *s = &run->samples[i];
		for (int side = 0; side < LAB_SIDES; side++) {
			const struct lab_sockets *at = &s->sockets[LAB_MIDDLE][side];
			struct lab_peaks *peak = &row->peak[side];
			raise_to(&peak->established, at->by_state[DIAG_ESTABLISHED]);
			raise_to(&peak->time_wait, at->by_state[DIAG_TIME_WAIT]);
			raise_to(&peak->fin_wait2, at->by_state[DIAG_FIN_WAIT2]);
		}
		if (s->server.abandoned > row->abandoned_peak)
			row->abandoned_peak = s->server.abandoned;
	}
}

static void from_closes(struct lab_row *row, const struct lab_run *run)
{
	const struct closes *c = &run->hosts.closes;
	uint64_t n[CLOSE_FIRST_COUNT], total = 0;
	for (int i = 0; i < CLOSE_FIRST_COUNT; i++) {
		n[i] = closes_sum_first(c, SIDE_OUT, (enum close_first)i);
		total += n[i];
	}
	row->first.closes = total;
	if (!total)
		return;
	double all = (double)total;
	row->first.middleware = (double)(n[CLOSE_LOCAL] + n[CLOSE_LOCAL_OR_BOTH]) / all;
	row->first.server = (double)n[CLOSE_PEER] / all;
	row->first.both = (double)n[CLOSE_BOTH] / all;
	row->first.reset = (double)n[CLOSE_RESET] / all;
	row->first.unknown = (double)n[CLOSE_UNKNOWN] / all;
	if (run->took_for > 0)
		row->closes_per_s = (double)(n[CLOSE_LOCAL] + n[CLOSE_LOCAL_OR_BOTH]) *
				    (double)NS_S / (double)run->took_for;
}

void lab_row_init(struct lab_row *row, const struct lab_run *run)
{
	*row = (struct lab_row){ .name = run->variant->name,
		.what = run->variant->what,
		.role = run->variant->role };
	from_load(row, run);
	from_server(row, run);
	from_samples(row, run);
	from_closes(row, run);
	double seconds = (double)run->plan.set.run_for / (double)NS_S;
	row->in_per_s = (double)row->started / seconds;
	row->out_per_s = (double)row->calls / seconds;
}

/* On one line: what the server sent may hold anything. */
static void copy_words(char *to, size_t cap, struct slice text)
{
	size_t n = text.len < cap - 1 ? text.len : cap - 1;
	while (n > 0 && strchr("\r\n \t", text.ptr[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		to[i] = c < 0x20 || c == 0x7f ? ' ' : text.ptr[i];
	}
	to[n] = '\0';
}

/* Takes the row of `array` with the highest count and a text. */
static bool take_words(struct lab_words *w, const struct json_doc *doc, const char *array)
{
	bool found = false;
	size_t n = doc ? json_len(doc, array) : 0;
	for (size_t i = 0; i < n; i++) {
		char path[64];
		struct slice text;
		snprintf(path, sizeof(path), "%s[%zu].count", array, i);
		int64_t count = int_at(doc, path);
		snprintf(path, sizeof(path), "%s[%zu].status", array, i);
		int64_t status = int_at(doc, path);
		snprintf(path, sizeof(path), "%s[%zu].text", array, i);
		if (!json_get_str(doc, path, &text) || !text.len || count <= w->count)
			continue;
		w->count = count;
		w->status = (int)status;
		copy_words(w->text, sizeof(w->text), text);
		found = true;
	}
	return found;
}

bool lab_words_init(struct lab_words *w, const struct lab_run *run)
{
	*w = (struct lab_words){ 0 };
	/* weir proxy keeps them as they came; another middleware may hand them on. */
	if (run->middle)
		return take_words(w, run->middle, "words");
	return take_words(w, run->load, "errors");
}
