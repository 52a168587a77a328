#include "load/tally.h"

#include "flow/refusal.h"

struct tally *tally_new(ns_t start, const struct tally_cfg *cfg)
{
	struct tally *t = mem_zalloc(sizeof(*t));

	CHECK(cfg->interval > 0);
	t->start = start;
	t->patience = cfg->patience;
	t->interval = cfg->interval;
	t->warm_up = cfg->warm_up;
	t->latency = hist_new();
	t->latency_good = hist_new();
	t->uncorrected = hist_new();
	t->lateness = hist_new();
	t->words = words_new();
	return t;
}

void tally_free(struct tally **tp)
{
	struct tally *t = *tp;

	if (!t)
		return;
	for (uint32_t i = 0; i < t->step_count; i++)
		mem_free(t->steps[i].samples_us);
	mem_free(t->steps);
	hist_free(&t->latency);
	hist_free(&t->latency_good);
	hist_free(&t->uncorrected);
	hist_free(&t->lateness);
	words_free(&t->words);
	mem_free(t);
	*tp = NULL;
}

static void check_rule_1(const struct tally *t)
{
	CHECK(t->started == t->good + t->late + t->failed + tally_unanswered(t));
}

static int compare_us(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* The smallest sample that a share q of all does not exceed. */
static ns_t quantile(const struct tally_step *s, uint32_t percent)
{
	uint64_t rank = ((uint64_t)s->sample_count * percent + 99) / 100;
	return (ns_t)s->samples_us[rank ? rank - 1 : 0] * NS_US;
}

static void settle(struct tally_step *s)
{
	s->settled = true;
	s->p50 = s->p99 = s->max = NS_NEVER;
	if (!s->sample_count)
		return;
	qsort(s->samples_us, s->sample_count, sizeof(*s->samples_us), compare_us);
	s->p50 = quantile(s, 50);
	s->p99 = quantile(s, 99);
	s->max = quantile(s, 100);
	mem_free(s->samples_us);
	s->samples_us = NULL;
	s->sample_cap = 0;
}

static bool step_is_over(const struct tally *t, const struct tally_step *s)
{
	return s != &t->steps[t->step_count - 1] &&
	       s->started == s->good + s->late + s->failed;
}

/* Makes steps up to number `last`; those that are passed by and have nothing open settle. */
static void reach_step(struct tally *t, uint32_t last)
{
	while (t->step_count <= last) {
		if (t->step_count == t->step_cap) {
			t->step_cap = t->step_cap ? t->step_cap * 2 : 64;
			t->steps = mem_realloc(t->steps, t->step_cap * sizeof(*t->steps));
		}
		t->steps[t->step_count++] = (struct tally_step){ .settled = false };
		if (t->step_count < 2)
			continue;
		struct tally_step *passed = &t->steps[t->step_count - 2];
		if (!passed->settled && step_is_over(t, passed))
			settle(passed);
	}
}

static uint32_t step_number(const struct tally *t, ns_t offset)
{
	ns_t n = ns_max(offset, 0) / t->interval;
	CHECK(n < UINT32_MAX);
	return (uint32_t)n;
}

static struct tally_step *step_of(struct tally *t, const struct tally_times *times)
{
	uint32_t n = step_number(t, times->intended - t->start);
	CHECK(n < t->step_count);
	return &t->steps[n];
}

static bool is_warm_up(const struct tally *t, const struct tally_times *times)
{
	return times->intended - t->start < t->warm_up;
}

void tally_start(struct tally *t, const struct tally_times *times)
{
	reach_step(t, step_number(t, times->intended - t->start));
	step_of(t, times)->started++;
	t->open++;
	if (is_warm_up(t, times)) {
		t->warming++;
	} else {
		t->started++;
		hist_record(t->lateness, times->real - times->intended);
	}
	check_rule_1(t);
}

static void add_sample(struct tally_step *s, ns_t latency)
{
	if (s->sample_count == s->sample_cap) {
		s->sample_cap = s->sample_cap ? s->sample_cap * 2 : 64;
		s->samples_us = mem_realloc(
			s->samples_us, s->sample_cap * sizeof(*s->samples_us));
	}
	uint64_t us = (uint64_t)(ns_max(latency, 0) / NS_US);
	s->samples_us[s->sample_count++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* One open request has ended. */
static void end_one(struct tally *t, const struct tally_times *times, enum tally_end how)
{
	struct tally_step *s = step_of(t, times);
	uint64_t *const in_step[] = { &s->good, &s->late, &s->failed };
	uint64_t *const in_all[] = { &t->good, &t->late, &t->failed };

	CHECK(t->open > 0 && !s->settled);
	t->open--;
	(*in_step[how])++;
	if (is_warm_up(t, times))
		t->warming--;
	else
		(*in_all[how])++;
	check_rule_1(t);
	if (step_is_over(t, s))
		settle(s);
}

enum tally_end tally_answer(struct tally *t, const struct tally_times *times,
	uint16_t status, struct slice body, ns_t now)
{
	ns_t latency = now - times->intended;
	bool bad = status < 200 || status >= 400;
	enum tally_end how = bad                     ? TALLY_FAILED
			     : latency > t->patience ? TALLY_LATE
						     : TALLY_GOOD;

	CHECK(status < TALLY_STATUSES);
	add_sample(step_of(t, times), latency);
	if (!is_warm_up(t, times)) {
		t->statuses[status]++;
		hist_record(t->latency, latency);
		hist_record(t->uncorrected, now - times->sent);
		if (how == TALLY_GOOD)
			hist_record(t->latency_good, latency);
		if (how == TALLY_FAILED)
			words_add(t->words, ERR_OK, status, body,
				refusal_match(status, body) ? WORDS_REFUSAL : 0, now);
	}
	end_one(t, times, how);
	return how;
}

void tally_failure(struct tally *t, const struct tally_times *times, enum err why,
	uint16_t status, struct slice body, ns_t now)
{
	bool refusal = status && refusal_match(status, body) != NULL;

	CHECK(why != ERR_OK);
	if (!is_warm_up(t, times)) {
		words_add(t->words, why, status, body, refusal ? WORDS_REFUSAL : 0, now);
		t->no_fds += why == ERR_NO_FDS;
		t->no_memory += why == ERR_NO_MEMORY;
	}
	end_one(t, times, TALLY_FAILED);
}

struct tally_step *tally_settled(struct tally *t, uint32_t n)
{
	uint32_t had = t->step_count;

	reach_step(t, n);
	for (uint32_t i = had; i < t->step_count; i++)
		if (!t->steps[i].settled)
			settle(&t->steps[i]);
	return &t->steps[n];
}

void tally_finish(struct tally *t, ns_t ran_for)
{
	if (ran_for > 0)
		reach_step(t, step_number(t, ran_for - 1));
	for (uint32_t i = 0; i < t->step_count; i++) {
		if (!t->steps[i].settled)
			settle(&t->steps[i]);
	}
	check_rule_1(t);
}
