#include "obs/metrics.h"

#include <inttypes.h>

static const struct {
	ns_t upto;
	const char *text; /* in seconds */
} edges[METRIC_BUCKETS] = {
	{ NS_MS, "0.001" },
	{ 2500 * NS_US, "0.0025" },
	{ 5 * NS_MS, "0.005" },
	{ 10 * NS_MS, "0.01" },
	{ 25 * NS_MS, "0.025" },
	{ 50 * NS_MS, "0.05" },
	{ 100 * NS_MS, "0.1" },
	{ 250 * NS_MS, "0.25" },
	{ 500 * NS_MS, "0.5" },
	{ NS_S, "1" },
	{ 2500 * NS_MS, "2.5" },
	{ 5 * NS_S, "5" },
	{ 10 * NS_S, "10" },
	{ 30 * NS_S, "30" },
};

void durations_note(struct durations *d, ns_t took)
{
	int i = 0;

	while (i < METRIC_BUCKETS && took > edges[i].upto)
		i++;
	d->in[i]++;
	d->sum = ns_add(d->sum, ns_max(took, 0));
}

void durations_add(struct durations *sum, const struct durations *d)
{
	for (int i = 0; i <= METRIC_BUCKETS; i++)
		sum->in[i] += d->in[i];
	sum->sum = ns_add(sum->sum, d->sum);
}

static const char *kind_word(enum metric_kind kind)
{
	switch (kind) {
	case METRIC_GAUGE:
		return "gauge";
	case METRIC_COUNTER:
		return "counter";
	case METRIC_HISTOGRAM:
		return "histogram";
	}
	CHECK(!"a kind of metric");
	return NULL;
}

void metrics_family(
	struct text *t, const char *name, enum metric_kind kind, const char *help)
{
	text_addf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind_word(kind));
}

static void add_escaped(struct text *t, const char *value)
{
	for (const char *c = value; *c; c++) {
		if (*c == '\n') {
			text_add(t, "\\n");
			continue;
		}
		if (*c == '"' || *c == '\\')
			text_add_char(t, '\\');
		text_add_char(t, *c);
	}
}

static void begin_sample(struct text *t, const char *name, const char *suffix,
	const struct metric_labels *labels)
{
	text_addf(t, "%s%s", name, suffix);
	for (uint32_t i = 0; labels && i < labels->n; i++) {
		text_addf(t, "%s%s=\"", i ? "," : "{", labels->v[i].name);
		add_escaped(t, labels->v[i].value);
		text_add_char(t, '"');
	}
	text_add(t, labels && labels->n ? "} " : " ");
}

static void add_count(struct text *t, uint64_t value)
{
	text_add_u64(t, value);
	text_add_char(t, '\n');
}

static void add_seconds(struct text *t, ns_t value)
{
	ns_t d = ns_max(value, 0);
	text_addf(t, "%" PRId64 ".%09" PRId64 "\n", d / NS_S, d % NS_S);
}

void metrics_count(struct text *t, const char *name, const struct metric_labels *labels,
	uint64_t value)
{
	begin_sample(t, name, "", labels);
	add_count(t, value);
}

void metrics_seconds(
	struct text *t, const char *name, const struct metric_labels *labels, ns_t value)
{
	begin_sample(t, name, "", labels);
	add_seconds(t, value);
}

void metrics_durations(struct text *t, const char *name,
	const struct metric_labels *labels, const struct durations *d)
{
	struct metric_labels all = labels ? *labels : (struct metric_labels){ 0 };
	uint64_t count = 0;

	CHECK(all.n < METRIC_LABELS_MAX);
	all.v[all.n++].name = "le";
	for (int i = 0; i <= METRIC_BUCKETS; i++) {
		count += d->in[i];
		all.v[all.n - 1].value = i < METRIC_BUCKETS ? edges[i].text : "+Inf";
		begin_sample(t, name, "_bucket", &all);
		add_count(t, count);
	}
	begin_sample(t, name, "_sum", labels);
	add_seconds(t, d->sum);
	begin_sample(t, name, "_count", labels);
	add_count(t, count);
}
