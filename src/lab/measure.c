#include "lab/measure.h"

#include <math.h>

#include "base/units.h"
#include "flow/refusal.h"

/* How long a program may wait for a processor, the mean of all its turns, before its
 * figures are the machine's: the load's own bound for being late. */
#define WAIT_MAX (5 * NS_MS)

/* What a run is measured with: its samples behind the warm-up, and the look before them. */
struct span {
	const struct lab_run *r;
	const struct lab_sample *from; /* NULL: the beginning, where all counts are 0 */
	const struct lab_sample *first, *end;
	double seconds; /* that requests came in */
};

static struct span span_of(const struct lab_run *r)
{
	ns_t warm_up = r->c->warm_up;
	struct span s = { .r = r, .first = r->samples, .end = r->samples + r->n_samples };
	for (; warm_up && s.first < s.end && s.first->at <= warm_up; s.first++)
		s.from = s.first;
	s.seconds = (double)(r->c->callers.run_for - warm_up) / (double)NS_S;
	return s;
}

static void set(struct figures *f, enum figure_id id, double value)
{
	f->of[id] = value;
}

static void set_share(struct figures *f, enum figure_id id, double part, double all)
{
	f->of[id] = all > 0 ? part / all : NAN;
}

/* --- the callers' report --- */

static double number_at(const struct json_doc *d, const char *path)
{
	double value;
	return d && json_get_real(d, path, &value) ? value : NAN;
}

static double time_at(const struct json_doc *d, const char *path)
{
	return number_at(d, path) / 1000;
}

static void from_load(struct figures *f, const struct span *s)
{
	const struct json_doc *d = s->r->load;
	static const struct {
		enum figure_id id;
		const char *path;
	} counts[] = { { FIG_started, "started" }, { FIG_good, "good" },
		{ FIG_late, "late" }, { FIG_failed, "failed" },
		{ FIG_unanswered, "unanswered" } },
	  times[] = { { FIG_p50, "latency.p50_ms" }, { FIG_p90, "latency.p90_ms" },
		  { FIG_p99, "latency.p99_ms" }, { FIG_p999, "latency.p999_ms" },
		  { FIG_max, "latency.max_ms" }, { FIG_good_p50, "latency_good.p50_ms" },
		  { FIG_good_p99, "latency_good.p99_ms" } };
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		set(f, counts[i].id, number_at(d, counts[i].path));
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		set(f, times[i].id, time_at(d, times[i].path));
	set_share(f, FIG_good_share, f->of[FIG_good], f->of[FIG_started]);
	set(f, FIG_in, f->of[FIG_started] / s->seconds);
	set(f, FIG_goodput, f->of[FIG_good] / s->seconds);
}

/* --- the server's gauges --- */

static double gauge(int64_t value)
{
	return value == GAUGE_UNKNOWN ? NAN : (double)value;
}

static double grown(int64_t now, int64_t before)
{
	return gauge(now) - (before == GAUGE_UNKNOWN ? 0 : (double)before);
}

static void raise(double *peak, double value)
{
	if (!isnan(value) && !(*peak >= value))
		*peak = value;
}

static void from_server(struct figures *f, const struct span *s)
{
	const struct lab_server_gauges *last = &s->end[-1].server;
	const struct lab_server_gauges *from = s->from ? &s->from->server : NULL;
	double used = 0, looks = 0, peak = NAN;
	set(f, FIG_refused, grown(last->refused, from ? from->refused : 0));
	set(f, FIG_calls,
		grown(last->requests, from ? from->requests : 0) + f->of[FIG_refused]);
	set_share(f, FIG_refused_share, f->of[FIG_refused], f->of[FIG_calls]);
	set(f, FIG_out, f->of[FIG_calls] / s->seconds);
	set(f, FIG_slots_over, grown(last->over, from ? from->over : 0));
	for (const struct lab_sample *at = s->first; at < s->end; at++) {
		raise(&f->of[FIG_slots_idle], gauge(at->server.idle));
		raise(&f->of[FIG_abandoned], gauge(at->server.abandoned));
		raise(&f->of[FIG_server_queue], gauge(at->server.queue));
		raise(&peak, gauge(at->server.used));
		if (at->server.used != GAUGE_UNKNOWN) {
			used += (double)at->server.used;
			looks++;
		}
	}
	set(f, FIG_slots_mean, looks > 0 ? used / looks : NAN);
	/* The server's own peak is exact, and of the whole run. */
	set(f, FIG_slots_peak, s->from ? peak : gauge(last->peak));
	if (s->r->c->server.limit != UINT64_MAX)
		set(f, FIG_slots_limit, (double)s->r->c->server.limit);
}

/* --- the hosts --- */

static double both_sides(const struct lab_host_sample *h, enum diag_state state)
{
	return h->side[LAB_IN].by_state[state] + (double)h->side[LAB_OUT].by_state[state];
}

static void from_sockets(struct figures *f, const struct lab_sample *at)
{
	const struct lab_host_sample *m = &at->host[LAB_MIDDLE];
	static const struct {
		enum figure_id id;
		int side;
		enum diag_state state;
	} peaks[] = { { FIG_established, LAB_OUT, DIAG_ESTABLISHED },
		{ FIG_time_wait, LAB_OUT, DIAG_TIME_WAIT },
		{ FIG_fin_wait2, LAB_OUT, DIAG_FIN_WAIT2 },
		{ FIG_close_wait, LAB_OUT, DIAG_CLOSE_WAIT },
		{ FIG_in_established, LAB_IN, DIAG_ESTABLISHED },
		{ FIG_in_time_wait, LAB_IN, DIAG_TIME_WAIT },
		{ FIG_in_fin_wait2, LAB_IN, DIAG_FIN_WAIT2 } };
	for (size_t i = 0; m->known && i < ARRAY_LEN(peaks); i++)
		raise(&f->of[peaks[i].id],
			m->side[peaks[i].side].by_state[peaks[i].state]);
	if (at->host[LAB_CLIENT].known)
		raise(&f->of[FIG_client_time_wait],
			both_sides(&at->host[LAB_CLIENT], DIAG_TIME_WAIT));
	if (at->host[LAB_SERVER].known) {
		raise(&f->of[FIG_server_time_wait],
			both_sides(&at->host[LAB_SERVER], DIAG_TIME_WAIT));
		raise(&f->of[FIG_server_close_wait],
			both_sides(&at->host[LAB_SERVER], DIAG_CLOSE_WAIT));
	}
	if (m->known && m->ports_left != GAUGE_UNKNOWN &&
		!(f->of[FIG_ports_left] <= (double)m->ports_left))
		f->of[FIG_ports_left] = (double)m->ports_left;
	raise(&f->of[FIG_waiting], gauge(at->middle.waiting));
	raise(&f->of[FIG_zombies], gauge(at->middle.draining));
	raise(&f->of[FIG_loop_delay], at->middle.loop_delay_ms / 1000);
}

static double closed_for(const struct span *s, enum close_why why)
{
	uint64_t from = s->from ? s->from->closed_why[LAB_OUT][why] : 0;
	return (double)(s->end[-1].closed_why[LAB_OUT][why] - from);
}

static void from_closes(struct figures *f, const struct span *s)
{
	double n[CLOSE_FIRST_COUNT], all = 0;
	for (int i = 0; i < CLOSE_FIRST_COUNT; i++) {
		uint64_t from = s->from ? s->from->closed[LAB_OUT][i] : 0;
		n[i] = (double)(s->end[-1].closed[LAB_OUT][i] - from);
		all += n[i];
	}
	double own = n[CLOSE_LOCAL] + n[CLOSE_LOCAL_OR_BOTH];
	double seconds = (double)(s->end[-1].at - (s->from ? s->from->at : 0)) /
			 (double)NS_S;
	set(f, FIG_ended, all);
	set(f, FIG_closes, seconds > 0 ? own / seconds : NAN);
	set_share(f, FIG_closed_middleware, own, all);
	set_share(f, FIG_closed_server, n[CLOSE_PEER], all);
	set_share(f, FIG_closed_both, n[CLOSE_BOTH], all);
	set_share(f, FIG_closed_reset, n[CLOSE_RESET], all);
	set_share(f, FIG_closed_unknown, n[CLOSE_UNKNOWN], all);
	set_share(f, FIG_ended_answered, closed_for(s, WHY_AFTER_ANSWER), all);
	set_share(f, FIG_ended_idle, closed_for(s, WHY_IDLE), all);
}

static double counted(const struct span *s, enum lab_host_id id, size_t offset)
{
	const struct diag_counters *now = &s->end[-1].host[id].counters;
	uint64_t value = *(const uint64_t *)(const void *)((const char *)now + offset);
	if (!s->from)
		return (double)value;
	const struct diag_counters *from = &s->from->host[id].counters;
	return (double)value -
	       (double)*(const uint64_t *)(const void *)((const char *)from + offset);
}

#define COUNTED(s, id, field) counted(s, id, offsetof(struct diag_counters, field))

static void from_counters(struct figures *f, const struct span *s)
{
	set(f, FIG_resets, COUNTED(s, LAB_MIDDLE, estab_resets));
	set(f, FIG_aborts_on_close, COUNTED(s, LAB_SERVER, abort_on_close));
	set(f, FIG_aborts_on_data, COUNTED(s, LAB_SERVER, abort_on_data));
	set(f, FIG_retransmits, COUNTED(s, LAB_MIDDLE, retrans_segs));
	double overflows = COUNTED(s, LAB_MIDDLE, listen_overflows);
	if (!s->r->c->one_host)
		overflows += COUNTED(s, LAB_CLIENT, listen_overflows) +
			     COUNTED(s, LAB_SERVER, listen_overflows);
	set(f, FIG_listen_overflows, overflows);
}

/* Programs end, so the most that was seen of their time counts. */
static struct usage usage_of(const struct span *s, enum lab_host_id id)
{
	struct usage most = { 0, 0, 0 };
	for (const struct lab_sample *at = s->first; at < s->end; at++) {
		most.cpu_for = ns_max(most.cpu_for, at->host[id].usage.cpu_for);
		most.wait_for = ns_max(most.wait_for, at->host[id].usage.wait_for);
		most.turns = ns_max(most.turns, at->host[id].usage.turns);
	}
	if (s->from) {
		most.cpu_for -= s->from->host[id].usage.cpu_for;
		most.wait_for -= s->from->host[id].usage.wait_for;
		most.turns -= s->from->host[id].usage.turns;
	}
	return most;
}

static void from_usage(struct figures *f, const struct span *s)
{
	static const enum figure_id ids[LAB_HOSTS] = { FIG_cpu_client, FIG_cpu_middleware,
		FIG_cpu_server };
	double elapsed = (double)(s->end[-1].at - (s->from ? s->from->at : 0));
	for (int i = 0; i < LAB_HOSTS; i++)
		set_share(f, ids[i], (double)usage_of(s, i).cpu_for, elapsed);
}

void measure(struct figures *f, const struct lab_run *r)
{
	struct span s = span_of(r);
	figures_init(f);
	from_load(f, &s);
	if (s.first == s.end)
		return;
	from_server(f, &s);
	for (const struct lab_sample *at = s.first; at < s.end; at++)
		from_sockets(f, at);
	from_closes(f, &s);
	from_counters(f, &s);
	from_usage(f, &s);
}

/* --- validity --- */

char *measure_invalid(const struct lab_run *r)
{
	struct span s = span_of(r);
	struct slice why;
	struct text t;
	bool valid = true;
	text_init(&t);
	if (r->load && json_get_bool(r->load, "valid", &valid) && !valid &&
		json_get_str(r->load, "invalid_why", &why))
		text_add_slice(&t, why);
	for (int i = LAB_MIDDLE; !t.len && s.first < s.end && i < LAB_HOSTS; i++) {
		struct usage u = usage_of(&s, i);
		ns_t wait = u.turns > 0 ? u.wait_for / u.turns : 0;
		if (wait <= WAIT_MAX)
			continue;
		text_addf(&t, "the %s waited ", lab_host_name(i));
		text_add_duration(&t, wait);
		text_add(&t, " for a processor each time it had something to do, so this "
			     "machine was too busy");
	}
	return t.len ? text_take(&t) : NULL;
}

/* --- words --- */

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

static uint32_t add_words(
	struct lab_words w[LAB_WORDS_MAX], uint32_t n, const struct lab_words *one)
{
	uint32_t i = 0;
	while (i < n && (w[i].status != one->status || strcmp(w[i].text, one->text) != 0))
		i++;
	if (i == LAB_WORDS_MAX)
		return n;
	if (i == n)
		w[n++] = *one;
	else
		w[i].count += one->count;
	w[i].server |= one->server;
	for (; i > 0 && w[i - 1].count < w[i].count; i--) {
		struct lab_words swap = w[i];
		w[i] = w[i - 1];
		w[i - 1] = swap;
	}
	return n;
}

uint32_t measure_words(
	struct lab_words w[LAB_WORDS_MAX], uint32_t n, const struct lab_run *r)
{
	/* weir proxy keeps them as they came; another middleware may hand them on. */
	bool own = r->middle && json_has(r->middle, "words");
	const struct json_doc *doc = own ? r->middle : r->load;
	const char *array = own ? "words" : "errors";
	size_t rows = doc ? json_len(doc, array) : 0;
	for (size_t i = 0; i < rows; i++) {
		struct lab_words one = { .count = 0 };
		char path[64];
		struct slice text;
		double status;
		snprintf(path, sizeof(path), "%s[%zu].count", array, i);
		if (!json_get_int(doc, path, &one.count))
			continue;
		snprintf(path, sizeof(path), "%s[%zu].status", array, i);
		status = number_at(doc, path);
		one.status = isnan(status) ? 0 : (int)status;
		snprintf(path, sizeof(path), "%s[%zu].text", array, i);
		if (!json_get_str(doc, path, &text) || !text.len)
			continue;
		copy_words(one.text, sizeof(one.text), text);
		one.server = own || refusal_is_quoted(text);
		n = add_words(w, n, &one);
	}
	return n;
}
