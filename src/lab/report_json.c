/* samples.json: docs/json/lab.md. */
#include <math.h>

#include "base/ascii.h"
#include "base/hist.h"
#include "lab/measure.h"
#include "lab/report.h"

static void real_or_null(struct json *j, const char *key, double value)
{
	if (isnan(value))
		json_null(j, key);
	else
		json_real(j, key, value);
}

static void argv_json(struct json *j, const char *key, const struct args *a)
{
	json_array(j, key);
	for (uint32_t i = 0; i < a->n; i++)
		json_cstr(j, NULL, a->v[i]);
	json_end(j);
}

static void pairs_json(struct json *j, const char *key, const struct lab_pairs *p)
{
	json_object(j, key);
	for (uint32_t i = 0; i < p->n; i++)
		json_cstr(j, p->v[i].name, p->v[i].value);
	json_end(j);
}

/* --- figures --- */

/* In the unit of its key. */
static double as_json(enum figure_id id, double value)
{
	return figure_table[id].unit == FIGURE_TIME ? value * 1000 : value;
}

static void catalogue_json(struct json *j)
{
	json_array(j, "figures");
	for (int i = 0; i < FIGURES; i++) {
		json_object(j, NULL);
		json_cstr(j, "key", figure_table[i].key);
		json_cstr(j, "name", figure_table[i].name);
		json_cstr(j, "unit", figure_unit_name(figure_table[i].unit));
		json_cstr(j, "about", figure_table[i].about);
		json_end(j);
	}
	json_end(j);
}

static void figures_json(struct json *j, const struct figures *f)
{
	json_object(j, "figures");
	for (int i = 0; i < FIGURES; i++)
		real_or_null(j, figure_table[i].key, as_json(i, f->of[i]));
	json_end(j);
}

static void spreads_json(struct json *j, const struct lab_run *runs, uint32_t n)
{
	const struct figures **all = mem_alloc((n + 1) * sizeof(*all));
	for (uint32_t i = 0; i < n; i++)
		all[i] = &runs[i].figures;
	json_object(j, "figures");
	for (int i = 0; i < FIGURES; i++) {
		struct spread s = figure_spread(all, n, i);
		if (isnan(s.median)) {
			json_null(j, figure_table[i].key);
			continue;
		}
		json_object(j, figure_table[i].key);
		json_real(j, "median", as_json(i, s.median));
		json_real(j, "low", as_json(i, s.low));
		json_real(j, "high", as_json(i, s.high));
		json_array(j, "values");
		for (uint32_t k = 0; k < n; k++)
			real_or_null(j, NULL, as_json(i, all[k]->of[i]));
		json_end(j);
		json_end(j);
	}
	json_end(j);
	mem_free(all);
}

/* --- time series --- */

/* One column over all samples of a run. */
struct column {
	const struct lab_run *run;
	struct json *j;
	char name[96];
};

static void column_begin(struct column *c, const char *name)
{
	json_array(c->j, name);
}

static void gauge_json(struct json *j, int64_t value)
{
	if (value == GAUGE_UNKNOWN)
		json_null(j, NULL);
	else
		json_int(j, NULL, value);
}

#define EACH_SAMPLE(c, s) \
	for (const struct lab_sample *s = (c)->run->samples; \
		s < (c)->run->samples + (c)->run->n_samples; s++)

static const char *name_state(
	struct column *c, enum lab_host_id host, int side, int state)
{
	snprintf(c->name, sizeof(c->name), "%s.%s.%s", lab_host_name(host),
		side == LAB_IN ? "in" : "out", diag_state_name(state));
	for (char *at = c->name; *at; at++)
		*at = ascii_lower(*at);
	return c->name;
}

static void state_json(struct column *c, enum lab_host_id host, int side, int state)
{
	bool any = false;
	EACH_SAMPLE(c, s)
	any |= s->host[host].side[side].by_state[state] > 0;
	if (!any)
		return;
	column_begin(c, name_state(c, host, side, state));
	EACH_SAMPLE(c, s)
	gauge_json(c->j, s->host[host].known ? s->host[host].side[side].by_state[state]
					     : GAUGE_UNKNOWN);
	json_end(c->j);
}

static void orphans_json(struct column *c, enum lab_host_id host, int side)
{
	bool any = false;
	EACH_SAMPLE(c, s)
	any |= s->host[host].side[side].orphan_fin_wait2 > 0;
	if (!any)
		return;
	snprintf(c->name, sizeof(c->name), "%s.%s.orphan_fin_wait2", lab_host_name(host),
		side == LAB_IN ? "in" : "out");
	column_begin(c, c->name);
	EACH_SAMPLE(c, s)
	gauge_json(c->j, s->host[host].known ? s->host[host].side[side].orphan_fin_wait2
					     : GAUGE_UNKNOWN);
	json_end(c->j);
}

static void first_json(struct column *c, enum lab_host_id host)
{
	for (int f = 0; f < FIRST_COUNT; f++) {
		snprintf(c->name, sizeof(c->name), "%s.first.%s", lab_host_name(host),
			tally_first_name(f));
		column_begin(c, c->name);
		EACH_SAMPLE(c, s)
		gauge_json(c->j,
			s->host[host].known ? s->host[host].first[f] : GAUGE_UNKNOWN);
		json_end(c->j);
	}
}

static void host_json(struct column *c, enum lab_host_id host)
{
	const char *name = lab_host_name(host);
	for (int side = 0; side < LAB_SIDES; side++) {
		for (int i = DIAG_ESTABLISHED; i < DIAG_STATE_COUNT; i++)
			state_json(c, host, side, i);
		orphans_json(c, host, side);
	}
	first_json(c, host);
	snprintf(c->name, sizeof(c->name), "%s.ports_left", name);
	column_begin(c, c->name);
	EACH_SAMPLE(c, s)
	gauge_json(c->j, s->host[host].ports_left);
	json_end(c->j);
#define X(field) \
	snprintf(c->name, sizeof(c->name), "%s.counters.%s", name, #field); \
	column_begin(c, c->name); \
	EACH_SAMPLE(c, s) \
	json_int(c->j, NULL, (int64_t)s->host[host].counters.field); \
	json_end(c->j);
	LAB_COUNTERS(X)
#undef X
	snprintf(c->name, sizeof(c->name), "%s.cpu_ms", name);
	column_begin(c, c->name);
	EACH_SAMPLE(c, s)
	json_ms(c->j, NULL, s->host[host].usage.cpu_for);
	json_end(c->j);
	snprintf(c->name, sizeof(c->name), "%s.cpu_wait_ms", name);
	column_begin(c, c->name);
	EACH_SAMPLE(c, s)
	json_ms(c->j, NULL, s->host[host].usage.wait_for);
	json_end(c->j);
}

static void closed_json(struct column *c)
{
	for (int side = 0; side < LAB_SIDES; side++) {
		for (int f = 0; f < CLOSE_FIRST_COUNT; f++) {
			snprintf(c->name, sizeof(c->name), "closes.%s.%s",
				side == LAB_IN ? "in" : "out", close_first_name(f));
			column_begin(c, c->name);
			EACH_SAMPLE(c, s)
			json_int(c->j, NULL, (int64_t)s->closed[side][f]);
			json_end(c->j);
		}
	}
}

static void gauges_json(struct column *c)
{
#define X(field, path) \
	column_begin(c, "server." #field); \
	EACH_SAMPLE(c, s) \
	gauge_json(c->j, s->server.field); \
	json_end(c->j);
	LAB_SERVER_GAUGES(X)
#undef X
#define X(field, path) \
	column_begin(c, "middleware." #field); \
	EACH_SAMPLE(c, s) \
	gauge_json(c->j, s->middle.field); \
	json_end(c->j);
	LAB_MIDDLE_GAUGES(X)
#undef X
	column_begin(c, "middleware.loop_delay_ms");
	EACH_SAMPLE(c, s)
	real_or_null(c->j, NULL, s->middle.loop_delay_ms);
	json_end(c->j);
}

static void series_json(struct json *j, const struct lab_run *run)
{
	struct column c = { .run = run, .j = j };
	json_object(j, "series");
	column_begin(&c, "t_ms");
	EACH_SAMPLE(&c, s)
	json_ms(j, NULL, s->at);
	json_end(j);
	for (int i = 0; i < LAB_HOSTS; i++)
		host_json(&c, i);
	closed_json(&c);
	gauges_json(&c);
	json_end(j);
}

/* --- closes, words, latency --- */

static void closes_add(struct closes *sum, const struct closes *c)
{
	for (int side = 0; side < SIDE_COUNT; side++)
		for (int f = 0; f < CLOSE_FIRST_COUNT; f++)
			for (int w = 0; w < WHY_COUNT; w++)
				sum->count[side][f][w] += c->count[side][f][w];
}

static void closes_by_json(
	struct json *j, const struct closes *c, enum tally_side_id side)
{
	json_object(j, "by");
	for (int f = 0; f < CLOSE_FIRST_COUNT; f++) {
		if (!closes_sum_first(c, side, f))
			continue;
		json_object(j, close_first_name(f));
		for (int w = 0; w < WHY_COUNT; w++)
			if (c->count[side][f][w])
				json_int(j, close_why_name(w),
					(int64_t)c->count[side][f][w]);
		json_end(j);
	}
	json_end(j);
}

static void closes_side_json(
	struct json *j, const struct closes *c, enum tally_side_id side)
{
	json_object(j, tally_side_name(side));
	json_object(j, "first");
	for (int f = 0; f < CLOSE_FIRST_COUNT; f++)
		json_int(j, close_first_name(f), (int64_t)closes_sum_first(c, side, f));
	json_end(j);
	json_object(j, "why");
	for (int w = 0; w < WHY_COUNT; w++)
		json_int(j, close_why_name(w), (int64_t)closes_sum_why(c, side, w));
	json_end(j);
	closes_by_json(j, c, side);
	json_end(j);
}

static void closes_json(struct json *j, const struct lab_run *runs, uint32_t n)
{
	uint64_t unseen = 0;
	struct closes sum = { .total = 0 }; /* of all runs; the counts alone */
	for (uint32_t i = 0; i < n; i++) {
		closes_add(&sum, &runs[i].hosts.closes);
		unseen += closes_unseen_local(&runs[i].hosts.closes);
	}
	json_object(j, "closes");
	closes_side_json(j, &sum, SIDE_IN);
	closes_side_json(j, &sum, SIDE_OUT);
	json_int(j, "unseen", (int64_t)unseen);
	json_end(j);
}

static void words_json(struct json *j, const struct lab_run *runs, uint32_t n)
{
	struct lab_words w[LAB_WORDS_MAX];
	uint32_t count = 0;
	for (uint32_t i = 0; i < n; i++)
		count = measure_words(w, count, &runs[i]);
	json_array(j, "words");
	for (uint32_t i = 0; i < count; i++) {
		json_object(j, NULL);
		json_int(j, "status", w[i].status);
		json_int(j, "count", w[i].count);
		json_cstr(j, "text", w[i].text);
		json_end(j);
	}
	json_end(j);
}

static void histogram_json(struct json *j, const struct lab_run *runs, uint32_t n)
{
	struct hist *h = hist_new();
	for (uint32_t i = 0; i < n; i++) {
		size_t rows = runs[i].load ? json_len(runs[i].load, "histogram") : 0;
		for (size_t k = 0; k < rows; k++) {
			char path[48];
			int64_t low_us = 0, count = 0;
			snprintf(path, sizeof(path), "histogram[%zu][0]", k);
			bool ok = json_get_int(runs[i].load, path, &low_us);
			snprintf(path, sizeof(path), "histogram[%zu][1]", k);
			if (ok && json_get_int(runs[i].load, path, &count) && count > 0)
				hist_record_n(h, low_us * NS_US, (uint64_t)count);
		}
	}
	hist_json_buckets(j, "histogram", h);
	hist_free(&h);
}

/* --- runs and variants --- */

static void doc_json(struct json *j, const char *key, const struct json_doc *doc)
{
	char *text = doc ? json_dump_at(doc, "") : NULL;
	if (text)
		json_raw(j, key, slice_of(text));
	else
		json_null(j, key);
	mem_free(text);
}

static void run_json(struct json *j, const struct lab_run *run)
{
	json_object(j, NULL);
	json_int(j, "repetition", run->repetition);
	json_int(j, "seed", (int64_t)run->seed);
	json_real(j, "began_at_ms", run->began_at_ms);
	json_bool(j, "valid", !run->note && !run->invalid);
	json_cstr(j, "invalid_why", run->note ? run->note : run->invalid);
	json_object(j, "commands");
	argv_json(j, "server", &run->plan.server);
	argv_json(j, "middleware", &run->plan.middle);
	argv_json(j, "client", &run->plan.client);
	json_end(j);
	json_object(j, "files");
	for (uint32_t i = 0; i < run->plan.n_files; i++)
		json_cstr(j, run->plan.files[i].name, run->plan.files[i].text);
	json_end(j);
	figures_json(j, &run->figures);
	doc_json(j, "load", run->load);
	doc_json(j, "server", run->server);
	doc_json(j, "middleware", run->middle);
	series_json(j, run);
	json_end(j);
}

static void variant_json(struct json *j, const struct lab_act_result *a, uint32_t i)
{
	const struct lab_case *c = a->cases[i];
	const struct lab_run *runs = &a->runs[i * a->repeat];
	json_object(j, NULL);
	json_cstr(j, "name", c->name);
	json_cstr(j, "what", c->what ? c->what : "");
	json_cstr(j, "role", lab_role_name(c->role));
	json_cstr(j, "program", lab_program_name(c->program));
	pairs_json(j, "point", &c->point);
	json_cstr(j, "label", c->label);
	json_bool(j, "valid", a->rows[i].valid);
	json_cstr(j, "invalid_why", a->rows[i].invalid_why);
	spreads_json(j, runs, a->repeat);
	histogram_json(j, runs, a->repeat);
	words_json(j, runs, a->repeat);
	closes_json(j, runs, a->repeat);
	json_array(j, "runs");
	for (uint32_t k = 0; k < a->repeat; k++)
		run_json(j, &runs[k]);
	json_end(j);
	json_end(j);
}

/* --- acts --- */

/* Each once, in order. */
static void add_once(struct args *a, const char *word)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (!strcmp(a->v[i], word))
			return;
	}
	args_add(a, word);
}

static void sweep_json(struct json *j, const struct lab_act_result *a)
{
	struct args names = { 0 };
	for (uint32_t i = 0; i < a->n; i++) {
		for (uint32_t k = 0; k < a->cases[i]->point.n; k++)
			add_once(&names, a->cases[i]->point.v[k].name);
	}
	json_array(j, "sweep");
	for (uint32_t n = 0; n < names.n; n++) {
		struct args values = { 0 }, variants = { 0 };
		for (uint32_t i = 0; i < a->n; i++) {
			const struct lab_pair *at = pairs_find(
				&a->cases[i]->point, names.v[n]);
			if (!at)
				continue;
			add_once(&values, at->value);
			add_once(&variants, a->cases[i]->name);
		}
		json_object(j, NULL);
		json_cstr(j, "name", names.v[n]);
		argv_json(j, "values", &values);
		argv_json(j, "variants", &variants);
		json_end(j);
		args_fini(&values);
		args_fini(&variants);
	}
	json_end(j);
	args_fini(&names);
}

static void setting_json(struct json *j, const struct lab_act_result *a)
{
	const struct lab_case *c = a->cases[0];
	bool rate = c->callers.rate > 0 && !c->callers.replay &&
		    !lab_act_sweeps(a, "rate");
	bool limit = c->server.limit != UINT64_MAX && !lab_act_sweeps(a, "limit");
	json_int(j, "repetitions", a->repeat);
	json_ms(j, "for_ms", c->callers.run_for);
	json_ms(j, "warm_up_ms", c->warm_up);
	json_ms(j, "patience_ms", c->callers.patience);
	real_or_null(j, "rate", rate ? c->callers.rate : NAN);
	real_or_null(j, "calls", lab_act_sweeps(a, "calls") ? NAN : (double)c->calls);
	real_or_null(j, "limit", limit ? (double)c->server.limit : NAN);
	json_cstr(j, "latency", lab_act_sweeps(a, "latency") ? NULL : c->server.latency);
	json_cstr(j, "server", lab_server_program_name(c->server.program));
	json_int(j, "addresses", c->server.addresses);
}

static void expect_json(
	struct json *j, const struct lab_expect *e, const struct expect_verdict *v)
{
	json_object(j, NULL);
	json_int(j, "line", e->line);
	json_cstr(j, "text", e->text);
	if (v->outcome == EXPECT_UNKNOWN)
		json_null(j, "held");
	else
		json_bool(j, "held", v->outcome == EXPECT_HELD);
	real_or_null(j, "left", v->left);
	real_or_null(j, "right", v->right);
	json_cstr(j, "unit", expect_unit(e));
	pairs_json(j, "point", &v->point);
	json_cstr(j, "why", v->why);
	json_end(j);
}

static void act_json(struct json *j, const struct lab_act_result *a)
{
	struct args says = { 0 };
	for (uint32_t i = 0; i < a->story.n; i++)
		args_add(&says, a->story.says[i]);
	json_object(j, NULL);
	json_cstr(j, "name", a->act->name);
	json_cstr(j, "title", a->act->title ? a->act->title : a->act->name);
	json_cstr(j, "about", a->act->about ? a->act->about : "");
	setting_json(j, a);
	sweep_json(j, a);
	argv_json(j, "says", &says);
	argv_json(j, "missing", &a->missing);
	json_array(j, "expect");
	for (uint32_t i = 0; i < a->act->n_expects; i++)
		expect_json(j, &a->act->expects[i], &a->verdicts[i]);
	json_end(j);
	json_array(j, "variants");
	for (uint32_t i = 0; i < a->n; i++)
		variant_json(j, a, i);
	json_end(j);
	json_end(j);
	args_fini(&says);
}

/* --- the whole --- */

static void scenario_json(struct json *j, const struct lab_scenario *s)
{
	json_object(j, "scenario");
	json_cstr(j, "name", s->name);
	json_cstr(j, "title", s->title ? s->title : s->name);
	json_cstr(j, "text", s->text);
	json_cstr(j, "file", s->source.file);
	json_end(j);
}

static void verdict_json(struct json *j, const struct lab_result *r)
{
	bool judged = false, valid = true;
	for (uint32_t i = 0; i < r->n_acts; i++) {
		const struct lab_act_result *a = &r->acts[i];
		for (uint32_t k = 0; k < a->act->n_expects; k++)
			judged |= a->verdicts[k].outcome != EXPECT_UNKNOWN;
		for (uint32_t k = 0; k < a->n; k++)
			valid &= a->rows[k].valid;
	}
	if (judged)
		json_bool(j, "passed", lab_result_passed(r));
	else
		json_null(j, "passed");
	json_bool(j, "valid", valid);
}

void lab_report_json(struct text *t, const struct lab_result *r)
{
	struct json j;
	json_init(&j, t, false);
	json_object(&j, NULL);
	json_cstr(&j, "schema", "weir.lab/2");
	json_cstr(&j, "weir", WEIR_VERSION);
	scenario_json(&j, r->scenario);
	json_array(&j, "command");
	for (uint32_t i = 0; i < r->words->n; i++)
		json_cstr(&j, NULL, r->words->v[i]);
	json_end(&j);
	json_int(&j, "started_at_ms", r->started_at_ms);
	json_ms(&j, "took_ms", r->took_for);
	json_int(&j, "seed", r->n_acts ? (int64_t)r->acts[0].act->seed : 1);
	json_bool(&j, "full", r->options->full);
	json_real(&j, "scale", r->options->scale);
	verdict_json(&j, r);
	lab_machine_json(&j, "machine", &r->machine);
	catalogue_json(&j);
	json_array(&j, "acts");
	for (uint32_t i = 0; i < r->n_acts; i++)
		act_json(&j, &r->acts[i]);
	json_end(&j);
	json_end(&j);
	text_add_char(t, '\n');
}
