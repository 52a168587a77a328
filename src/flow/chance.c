#include "flow/chance.h"

#include <math.h>

#define FIRST_BITS 20 /* the first span ends at 2^20 ns */
#define SUB_BITS 6    /* spans an octave: 2^6 */
#define SUBS (1u << SUB_BITS)
#define WEIGHT_MAX 1e9
/* What is beyond all that was seen counts as a fiftieth of a call. By the simulation of
 * test_hold.c, 0.02 to 0.5 make no difference; without it three times as many wait for nothing. */
#define GUESS 0.02
/* Who has lasted long will last long: half of the calls last twice as long as they have (a Pareto
 * tail with an index of 1), which is 1 - 2^(-1/64) a span. */
#define GUESS_HAZARD 0.0108
#define REFUTED_COUNTS 0.01
/* A trial is of calls with so much variance: 25 of which every fifth is a long one. */
#define TRIAL_VARIANCE 4.0
/* So many trials are taken to have shown calls that are drawn, to begin with; and trials fade by
 * half each TRIALS_HALVE: some 13 s at 60 calls a second. */
#define TRIALS_PRESUMED 2.0
#define TRIALS_HALVE 32
/* What is expected is itself in error, by a quarter of that deviation in test_hold.c's model. */
#define SCATTER_MIN (1 / 16.0)
#define TRACE 0.05 /* of a call that has ended: less of it is known no more */

/* --- spans --- */

static uint32_t span_of(ns_t duration)
{
	if (duration < (ns_t)1 << FIRST_BITS)
		return 0;
	uint32_t octave = 63 - (uint32_t)__builtin_clzll((uint64_t)duration);
	uint32_t sub = (uint32_t)(duration >> (octave - SUB_BITS)) & (SUBS - 1);
	uint32_t span = 1 + ((octave - FIRST_BITS) << SUB_BITS) + sub;
	return span < CHANCE_SPANS ? span : CHANCE_SPANS - 1;
}

static ns_t span_begin(uint32_t span)
{
	if (span == 0)
		return 0;
	uint32_t octave = (span - 1) >> SUB_BITS, sub = (span - 1) & (SUBS - 1);
	return ((ns_t)(SUBS + sub) << FIRST_BITS >> SUB_BITS) << octave;
}

static ns_t span_width(uint32_t span)
{
	uint32_t octave = (span - 1) >> SUB_BITS;
	return span ? (ns_t)1 << (FIRST_BITS - SUB_BITS) << octave
		    : (ns_t)1 << FIRST_BITS;
}

static ns_t span_middle(uint32_t span)
{
	return (span_begin(span) + span_begin(span + 1)) / 2;
}

/* The first span is one by itself. */
static uint32_t octave_of(uint32_t span)
{
	return (span + SUBS - 1) / SUBS;
}

static uint32_t octave_begin(uint32_t octave)
{
	return octave ? 1 + (octave - 1) * SUBS : 0;
}

static uint32_t octave_end(uint32_t octave)
{
	uint32_t end = octave_begin(octave + 1);
	return end < CHANCE_SPANS ? end : CHANCE_SPANS;
}

/* Spans of the octaves in that set. */
#define EACH_SPAN(set, i) \
	for (uint32_t of = (set); of; of &= of - 1) \
		for (uint32_t o = (uint32_t)__builtin_ctz(of), i = octave_begin(o); \
			i < octave_end(o); i++)

/* --- how sure --- */

static void running_by_octave(const struct chance *c, double *of_octave)
{
	memset(of_octave, 0, CHANCE_OCTAVES * sizeof(*of_octave));
	EACH_SPAN (c->busy, i)
		of_octave[octave_of(i)] += c->running[i];
}

static void begin_trial(struct chance *c)
{
	memset(c->ends, 0, sizeof(c->ends));
	running_by_octave(c, c->were);
}

static void presume_scatter(struct chance *c)
{
	c->scatter_sum = c->scatter_weight = TRIALS_PRESUMED;
	begin_trial(c);
}

/* Each call has met the hazards of the octaves that it went through meanwhile: their sum is how many
 * ends were to be expected of it. (Of single spans it would be one that calls take a millisecond
 * longer for a moment, all of them, which is nothing to those who wait.) */
static void try_scatter(struct chance *c)
{
	double excess = 0, variance = 0, met = 0, met_variance = 0;
	double are[CHANCE_OCTAVES];
	running_by_octave(c, are);
	for (uint32_t i = 0, from = 0, to = 1; i < CHANCE_OCTAVES; i++) {
		double more = are[i] - c->were[i];
		double hazard = c->left[from] > 0 ? 1 - c->left[to] / c->left[from] : 1;
		excess -= more * met;
		variance += more * met_variance;
		met += hazard;
		met_variance += hazard * (1 - hazard);
		excess += c->ends[i] * (1 - met);
		variance += c->ends[i] * met_variance;
		from = to;
		to = to + SUBS < CHANCE_SPANS ? to + SUBS : CHANCE_SPANS;
	}
	if (variance < TRIAL_VARIANCE)
		return;
	const double keeps = exp2(-1.0 / TRIALS_HALVE);
	c->scatter_sum = c->scatter_sum * keeps + excess * excess / variance;
	c->scatter_weight = c->scatter_weight * keeps + 1;
	begin_trial(c);
}

double chance_scatter(const struct chance *c)
{
	return fmin(fmax(c->scatter_sum / c->scatter_weight, SCATTER_MIN), 1);
}

/* --- evidence --- */

void chance_init(struct chance *c, ns_t half_life)
{
	CHECK(half_life > 0);
	*c = (struct chance){ .half_life = half_life, .weight = 1 };
	presume_scatter(c);
	chance_refresh(c, 0);
}

static void scale(struct chance *c, double by)
{
	EACH_SPAN (c->seen, i) {
		c->over[i] = (float)(c->over[i] * by);
		c->gone[i] = (float)(c->gone[i] * by);
	}
}

static void set_weight(struct chance *c, ns_t now)
{
	c->weight = exp2((double)(now - c->epoch) / (double)c->half_life);
	if (c->weight < WEIGHT_MAX)
		return;
	scale(c, 1 / c->weight);
	c->weight = 1;
	c->epoch = now;
}

/* A call counts by when it began: else the long ones, of which more are seen at work than were
 * begun in the same time, would count for too many. */
static double fading(const struct chance *c, ns_t age)
{
	return exp2(-(double)age / (double)c->half_life);
}

void chance_done(struct chance *c, ns_t duration, ns_t now)
{
	const uint32_t span = span_of(duration);
	set_weight(c, now);
	c->over[span] += (float)(c->weight * fading(c, duration));
	c->seen |= 1u << octave_of(span);
	c->ends[octave_of(span)]++;
	if (now - duration <= c->begun)
		return;
	c->begun = now - duration;
	c->in_question = false;
}

void chance_gone(struct chance *c, ns_t age, ns_t now)
{
	const uint32_t span = span_of(age);
	set_weight(c, now);
	c->gone[span] += (float)(c->weight * fading(c, age));
	c->seen |= 1u << octave_of(span);
	c->were[octave_of(span)]--;
}

void chance_running_begin(struct chance *c)
{
	EACH_SPAN (c->busy, i)
		c->running[i] = 0;
	c->busy = 0;
}

void chance_running(struct chance *c, ns_t age)
{
	const uint32_t span = span_of(age);
	c->running[span]++;
	c->busy |= 1u << octave_of(span);
}

void chance_doubt_late(struct chance *c, ns_t time, double factor)
{
	const uint32_t from = span_of(time);
	EACH_SPAN (c->seen, i) {
		if (i < from)
			continue;
		c->over[i] = (float)(c->over[i] * factor);
		c->gone[i] = (float)(c->gone[i] * factor);
	}
}

/* --- what follows --- */

/*
 * Of those that came to a span's begin, which share was over in it. A call that is inside the
 * span has been at risk for a part of it: counted as half of one. Where no call has been yet, it
 * is a guess.
 */
static double hazard(double over, double inside, double later)
{
	double at_risk = over + inside / 2 + later;
	return (over + GUESS * GUESS_HAZARD) / (at_risk + GUESS);
}

/* Between the values at a span's two ends. */
static double between(const float *at_begin, ns_t age)
{
	uint32_t span = span_of(age);
	double from = (double)span_begin(span), to = (double)span_begin(span + 1);
	double part = fmin(((double)age - from) / (to - from), 1);
	double begin = at_begin[span], end = at_begin[span + 1];
	return begin + (end - begin) * part;
}

/* Share of calls not over at that age. */
static double left_at(const struct chance *c, ns_t age)
{
	return between(c->left, age);
}

/* How likely it was, by what was known at the last refresh, that none of the last has ended. */
static double luck_of(const struct chance *c, ns_t now)
{
	double luck = 1;
	ns_t age = now - c->begun; /* younger ones have seen nobody overtake them */
	if (c->ended <= 0)
		return 1;
	EACH_SPAN (c->busy, i)
		if (c->running[i] && span_begin(i + 1) <= age)
			luck *= pow(c->left[i], c->running[i]);
	return luck;
}

/* What is known of a refresh's spans, while it goes on. */
struct evidence {
	double at_work[CHANCE_SPANS], later[CHANCE_SPANS]; /* of octaves in `some` */
	double later_than[CHANCE_OCTAVES];                 /* of the others */
	uint32_t some, known; /* spans before `known` have any */
	double sum, ended, unit;
	double left, spent; /* as far as it has been gone through */
};

/* Of an octave, after those beyond it. */
static void add_octave(struct evidence *e, const struct chance *c, uint32_t octave)
{
	for (uint32_t i = octave_end(octave); i-- > octave_begin(octave);) {
		e->at_work[i] = c->gone[i] * e->unit;
		if (c->running[i]) /* few are; an exp2 each */
			e->at_work[i] += c->running[i] * fading(c, span_middle(i));
		e->later[i] = e->sum; /* came through it, and beyond */
		e->sum += c->over[i] * e->unit + e->at_work[i];
		e->ended += c->over[i];
		if (!e->known && e->sum > 0)
			e->known = i + 1;
	}
}

/* Of an octave, after those before it. */
static void survive(struct chance *c, struct evidence *e, uint32_t octave)
{
	const uint32_t begin = octave_begin(octave), end = octave_end(octave);
	const double width = (double)span_width(begin);
	const bool some = e->some & 1u << octave;
	double ends = hazard(0, 0, e->later_than[octave]);
	double left = e->left, spent = e->spent;
	for (uint32_t i = begin; i < end; i++) {
		if (some)
			ends = hazard(c->over[i] * e->unit, e->at_work[i], e->later[i]);
		double after = left * (1 - ends);
		spent += (left + after) / 2 * width;
		left = after;
		c->left[i + 1] = (float)left;
		c->spent[i + 1] = (float)spent;
	}
	e->left = left;
	e->spent = spent;
}

void chance_refresh(struct chance *c, ns_t now)
{
	const double luck = luck_of(c, now);
	if (luck < CHANCE_IN_QUESTION)
		c->in_question = true;
	if (luck < CHANCE_REFUTED) {
		scale(c, REFUTED_COUNTS);
		presume_scatter(c);
		c->begun = now;
	}
	struct evidence e;
	set_weight(c, now);
	e.some = c->seen | c->busy;
	e.known = 0;
	e.sum = e.ended = 0;
	e.unit = 1 / c->weight;
	for (uint32_t o = CHANCE_OCTAVES; o-- > 0;) {
		e.later_than[o] = e.sum;
		if (e.some & 1u << o)
			add_octave(&e, c, o);
	}
	c->evidence = e.sum;
	c->ended = e.ended * e.unit;
	c->left[0] = 1;
	e.left = 1;
	e.spent = 0;
	for (uint32_t o = 0; o < CHANCE_OCTAVES; o++)
		survive(c, &e, o);
	c->mean = (ns_t)c->spent[e.known];
	try_scatter(c);
	memset(c->until, 0, sizeof(c->until));
}

/* Mean and mean square of how many times one slot, taken anew now, comes free within k steps: each
 * end begins it again. */
struct renewal {
	double mean[CHANCE_STEPS + 1], square[CHANCE_STEPS + 1];
};

/* Ends stand in the middle of their step, on the average. */
static void renewal_step(struct renewal *r, const double *ends, uint32_t k)
{
	double mean = 0, square = 0, again = 1 - ends[0] / 2;
	for (uint32_t i = 0; i < k; i++) {
		double then = r->mean[k - i - 1], later = i ? r->mean[k - i] : 0;
		double then_sq = r->square[k - i - 1],
		       later_sq = i ? r->square[k - i] : 0;
		mean += ends[i] * (1 + (then + later) / 2);
		square += ends[i] * (1 + then + later + (then_sq + later_sq) / 2);
	}
	r->mean[k] = mean / again;
	r->square[k] = (square + ends[0] * r->mean[k]) / again;
}

/* Calls much shorter than a step: no slot comes free less often than its time over the mean, less
 * one (Barlow and Proschan, 1964: of durations cut at that time). As of independent events. */
static void renewal_floor(
	struct renewal *r, const struct chance *c, uint32_t k, ns_t step)
{
	ns_t time = k * step;
	double mean = (double)time / between(c->spent, time) - 1;
	if (mean <= r->mean[k])
		return;
	r->mean[k] = mean;
	r->square[k] = mean * mean + mean;
}

static void renewal_fill(struct renewal *r, const struct chance *c, ns_t step)
{
	double ends[CHANCE_STEPS];
	for (uint32_t i = 0; i < CHANCE_STEPS; i++)
		ends[i] = left_at(c, i * step) - left_at(c, (i + 1) * step);
	r->mean[0] = r->square[0] = 0;
	for (uint32_t k = 1; k <= CHANCE_STEPS; k++) {
		renewal_step(r, ends, k);
		renewal_floor(r, c, k, step);
	}
}

/* The same within all the steps, of one whose call has that age. */
static struct chance_frees frees_of(
	const struct chance *c, ns_t age, ns_t step, const struct renewal *anew)
{
	double before = left_at(c, age), base = before, mean = 0, square = 0;
	for (uint32_t i = 0; i < CHANCE_STEPS && base > 0; i++) {
		double after = left_at(c, age + (i + 1) * step);
		double ends = (before - after) / base;
		uint32_t k = CHANCE_STEPS - i;
		double then = (anew->mean[k] + anew->mean[k - 1]) / 2;
		double then_sq = (anew->square[k] + anew->square[k - 1]) / 2;
		mean += ends * (1 + then);
		square += ends * (1 + 2 * then + then_sq);
		before = after;
	}
	return (struct chance_frees){
		.mean = mean,
		.variance = fmax(square - mean * mean, 0),
		.none = base > 0 ? before / base : 1,
	};
}

/* Until a span's begin; reckoned once a refresh. */
static struct chance_frees frees_until(struct chance *c, uint32_t span)
{
	struct renewal anew;
	struct chance_until *asked = &c->until[span % CHANCE_ASKED];
	struct chance_frees *sum = &asked->frees;
	ns_t step = span_begin(span) / CHANCE_STEPS;
	if (span == 0 || asked->span == span)
		return span ? *sum : (struct chance_frees){ .none = 1 };
	*asked = (struct chance_until){ .span = span, .frees = { .none = 1 } };
	renewal_fill(&anew, c, step);
	EACH_SPAN (c->busy, i) {
		if (!c->running[i])
			continue;
		struct chance_frees one = frees_of(c, span_middle(i), step, &anew);
		sum->mean += c->running[i] * one.mean;
		sum->variance += c->running[i] * one.variance;
		sum->none *= pow(one.none, c->running[i]);
	}
	return *sum;
}

struct chance_frees chance_frees(struct chance *c, ns_t time)
{
	if (time <= 0)
		return (struct chance_frees){ .none = 1 };
	uint32_t span = span_of(time);
	double from = (double)span_begin(span), to = (double)span_begin(span + 1);
	double part = fmin(((double)time - from) / (to - from), 1);
	struct chance_frees a = frees_until(c, span), b = frees_until(c, span + 1);
	return (struct chance_frees){
		.mean = a.mean + (b.mean - a.mean) * part,
		.variance = chance_scatter(c) *
			    (a.variance + (b.variance - a.variance) * part),
		.none = a.none + (b.none - a.none) * part,
	};
}

double chance_within(const struct chance *c, ns_t time)
{
	if (c->evidence <= 0)
		return 1;
	if (time <= 0)
		return 0;
	return 1 - left_at(c, time);
}

ns_t chance_time_for(const struct chance *c, double p)
{
	uint32_t span = 0,
		 end = CHANCE_SPANS; /* the first at whose end it is, by halves */
	if (c->evidence <= 0)
		return 0;
	while (span < end) {
		uint32_t half = (span + end) / 2;
		if (1 - c->left[half + 1] < p)
			span = half + 1;
		else
			end = half;
	}
	if (span == CHANCE_SPANS)
		return NS_NEVER;
	double before = 1 - c->left[span], after = 1 - c->left[span + 1];
	double part = after > before ? (p - before) / (after - before) : 1;
	ns_t from = span_begin(span), wide = span_begin(span + 1) - from;
	return from + (ns_t)ceil(fmax(part, 0) * (double)wide);
}

ns_t chance_known(const struct chance *c)
{
	uint32_t span = CHANCE_SPANS;
	while (span > 0 && !c->running[span - 1] &&
		c->over[span - 1] / c->weight <= TRACE)
		span--;
	return span_begin(span);
}

double chance_lasts(const struct chance *c, ns_t age)
{
	return left_at(c, ns_min(age, chance_known(c)));
}

ns_t chance_spent(const struct chance *c, ns_t time)
{
	return (ns_t)between(c->spent, time);
}

struct chance_rest chance_rest(const struct chance *c, ns_t time)
{
	struct chance_rest rest = { 0 };
	const ns_t known = chance_known(c);
	EACH_SPAN (c->busy, i) {
		if (!c->running[i])
			continue;
		ns_t age = span_middle(i);
		double now = left_at(c, ns_min(age, known));
		double then = left_at(c, ns_min(ns_add(age, time), known));
		double lasts = now > 0 ? then / now : 1;
		rest.mean += c->running[i] * lasts;
		rest.variance += c->running[i] * lasts * (1 - lasts);
	}
	return rest;
}
