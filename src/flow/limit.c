#include "flow/limit.h"

#include <math.h>

#define START 8
#define DOUBLES_IN (300 * NS_MS)
#define DOUBLES_IN_MIN (100 * NS_MS)
#define DOUBLES_IN_TIMES 2      /* what an answer usually takes */
#define REGROWS_IN (50 * NS_MS) /* doubles, below a limit that held before */
#define EASE_FOR (150 * NS_MS)  /* beyond a wall: until growth has its full speed */
#define LOOK_MAX (20 * NS_MS)   /* a longer absence is not made up for at once */
#define LOOK_MIN NS_MS

#define PULSE_EACH (200 * NS_MS)
#define AT_CEILING_FOR (250 * NS_MS) /* before it is tried */

#define NEARLY 0.9 /* of the limit: as good as all of it */
#define STEP_CALLS 32
#define STEP_UP 1.3
#define HOLD_CALLS 256
#define HOLD_FOR (500 * NS_MS)
#define BEFORE_FOR (5 * NS_S) /* so long a step can be judged against */
#define KNEE_PROBE_EACH (2 * NS_S)
#define KNEE_PROBE_FOR (4 * NS_S)
#define KNEE_PROBE_MIN (700 * NS_MS)
#define KNEE_PROBE_TIMES 4
#define KNEE_PROBE_UP 0.5
#define KNEE_WAIT_MAX 1.3 /* times as long as where none waited: room for uneven flow */
#define KNEE_LESS 0.15
#define KNEE_MOST 0.8 /* of a step kept: the next follows at once */
#define CLEAR_FOLLOWS 4

#define UNKNOWN_FOR (5 * NS_S) /* without an answer, ever */
#define QUIET_OWES 8 /* of calls drawn one by one that is chance once in 3,000 times */
/* While it is searched. With four a search that met short calls and long ones stood for seconds. */
#define QUIET_ASKED 16
#define TRIAL_OWES 0.5 /* a trial passes with more only by an answer */
#define SILENT_TIMES 8
#define SILENT_MIN (250 * NS_MS)
#define SILENT_OWES 16
#define RECENT_FOR (250 * NS_MS)

static const char *const state_labels[] = {
	[LIMIT_SEARCH] = "search",
	[LIMIT_WALL] = "wall",
	[LIMIT_KNEE] = "knee",
	[LIMIT_BROWN_OUT] = "brown-out",
};

const char *limit_state_label(enum limit_state state)
{
	return state_labels[state];
}

static const char *const causes[] = {
	[LIMIT_BY_START] = "it has not been met yet",
	[LIMIT_BY_DEMAND] = "callers wait and the server takes more",
	[LIMIT_BY_MAX] = "limit-max is reached",
	[LIMIT_BY_REFUSAL] = "the server refused a call above it",
	[LIMIT_BY_QUEUE] = "above it calls only wait inside the server",
	[LIMIT_BY_STALL] =
		"connections above it are never answered, and those below it are",
	[LIMIT_BY_SILENCE] = "calls run and none is answered",
};

const char *limit_because(const struct limit *l)
{
	if (l->silent)
		return causes[LIMIT_BY_SILENCE];
	if (l->state == LIMIT_BROWN_OUT && l->cause == LIMIT_BY_REFUSAL)
		return "the server refuses every call";
	return causes[l->cause];
}

enum limit_state limit_state(const struct limit *l)
{
	return l->silent ? LIMIT_BROWN_OUT : l->state;
}

bool limit_is_cut(const struct limit *l, ns_t now)
{
	bool lately = now - l->wall.cut_at < WALL_TRY_EACH;
	if (l->cause == LIMIT_BY_STALL)
		return !l->silent;
	return l->cause == LIMIT_BY_REFUSAL && !l->silent &&
	       (lately || l->state == LIMIT_BROWN_OUT);
}

bool limit_falls(const struct limit *l, ns_t now)
{
	return wall_falls(&l->wall, now);
}

static void enter(struct limit *l, ns_t now, enum limit_state state, enum limit_cause why)
{
	if (l->state != state || l->cause != why)
		l->since = now;
	l->state = state;
	l->cause = why;
	l->probing = false;
	l->probe_sent_at = 0;
}

static bool is_failing(const struct limit *l)
{
	return l->recent_failed > l->recent_ok;
}

/* --- steps: what is sent now, what has been sent, what was learned of it --- */

static void step_begin(struct limit *l, ns_t now)
{
	gain_begin(&l->step, ++l->step_ids, now, l->answered);
}

static struct gain_step *ended_step(struct limit *l, uint32_t i)
{
	return &l->ended[(l->ended_first + i) % LIMIT_STEPS];
}

/* What is sent from now on is another step; what was, is judged when its median is known. */
static void step_end(struct limit *l, ns_t now)
{
	l->step.ended_at = now;
	if (l->ended_count == LIMIT_STEPS) {
		if (ended_step(l, 0)->id == l->probe_step)
			l->probe_step = 0; /* too few of its calls were answered */
		l->ended_first = (l->ended_first + 1) % LIMIT_STEPS;
		l->ended_count--;
	}
	*ended_step(l, l->ended_count++) = l->step;
	step_begin(l, now);
}

/* All that was sent is of another time: a cut, a silence. */
static void steps_forget(struct limit *l, ns_t now)
{
	l->ended_count = 0;
	l->probe_step = 0;
	step_begin(l, now);
}

static struct gain_step *step_of(struct limit *l, const struct limit_mark *mark)
{
	if (mark->step == 0)
		return NULL;
	if (l->step.id == mark->step)
		return &l->step;
	for (uint32_t i = 0; i < l->ended_count; i++)
		if (ended_step(l, i)->id == mark->step)
			return ended_step(l, i);
	return NULL;
}

/* --- the knee --- */

static void knee_show(struct limit *l, const struct gain_fact *after)
{
	l->shown[0] = l->before;
	l->shown[1] = *after;
}

static double knee_step(const struct limit *l)
{
	return fmin(fmax(2, l->probe_up * l->stand), l->max - l->stand);
}

/* While searching: with room for what is uncertain, and so that an uneven flow leaves no
 * worker idle. */
static void knee_met(struct limit *l, ns_t now, const struct gain_fact *after)
{
	double error, knee = gain_knee(&l->clear, &l->before, after, &error);
	double stand = fmin(knee + error / 2 + 1 + knee / 16, after->level);
	knee_show(l, after);
	l->knee = knee;
	l->stand = fmin(l->stand, stand);
	enter(l, now, LIMIT_KNEE, LIMIT_BY_QUEUE);
	l->probe_at = now + KNEE_PROBE_EACH;
	l->probe_up = KNEE_PROBE_UP;
	l->keeps = l->stand + knee_step(l); /* growth has been there */
	steady_moved(&l->steady);
	steps_forget(l, now);
}

/* A step up gained most of what it added: it is kept, and the next, twice as large, follows
 * at once. When that has come to doubling, the knee is no longer where it was. */
static void knee_climb(struct limit *l, ns_t now, const struct gain_fact *after)
{
	l->stand = fmax(l->stand, after->level);
	l->clear = l->before;
	l->before = *after;
	l->probe_at = now;
	l->probe_up *= 2;
	steady_moved(&l->steady);
	if (l->probe_up <= 1)
		return;
	l->knee = 0;
	enter(l, now, LIMIT_SEARCH, LIMIT_BY_DEMAND);
	l->growing_since = 0;
}

/*
 * A step up gained little: that much is kept, less what may be chance. If it gained nothing,
 * and calls take longer than they did where none waited, more are let in than are worked on:
 * some less. (Of a server that has become slower this may cost a few too many; the
 * next step gains them back, and shows what its time is now.)
 */
static void knee_settle(struct limit *l, ns_t now, const struct gain_fact *after)
{
	double error, worked = gain_worked(&l->before, after, &error);
	double added = after->level - l->before.level;
	l->probe_up = KNEE_PROBE_UP;
	knee_show(l, after);
	bool waits = l->before.time - 2 * l->before.error > KNEE_WAIT_MAX * l->clear.time;
	bool sure = worked > 3 * error;
	double kept = fmax(0, sure ? worked : worked - error);
	if (sure)
		l->clear = l->before;
	else if (waits && worked < 2 * error)
		kept = -KNEE_LESS * l->stand;
	if (sure && kept > KNEE_MOST * added) {
		l->probe_at = now;
		l->before = *after; /* or what it gained would be counted again */
	}
	if (kept < 0 && !l->lowered.at)
		l->lowered = l->before;
	l->lowered.at = kept < 0 ? now : 0;
	if (kept < 0)
		step_begin(l, now); /* or its first calls were sent before */
	double to = fmax(1, l->stand + fmin(kept, added));
	steady_stepped(&l->steady, l->stand, to);
	l->stand = to;
}

/* The step up from the knee has its verdict. */
static void knee_judged(struct limit *l, ns_t now, const struct gain_fact *after,
	enum gain_verdict verdict)
{
	l->probe_step = 0;
	l->probe_at = now + KNEE_PROBE_EACH;
	if (l->state != LIMIT_KNEE)
		return;
	if (verdict == GAIN_WORKED && gain_is_counted(&l->before, after))
		knee_climb(l, now, after);
	else if (verdict == GAIN_OPEN || verdict == GAIN_WAITED)
		knee_settle(l, now, after);
}

static bool is_stale(const struct gain_fact *before, const struct gain_fact *after)
{
	return before->at == 0 ||
	       after->at - before->at >
		       BEFORE_FOR + (ns_t)(4 * after->time * (double)NS_S);
}

/* What came down for a queue, and there was none: the server is slower, and that is its time. */
static void knee_return(struct limit *l, ns_t now, const struct gain_fact *after)
{
	l->stand = fmin(fmax(l->stand, l->lowered.level), l->max);
	l->clear = *after;
	l->probing = false;
	l->probe_step = 0;
	l->probe_at = now + KNEE_PROBE_EACH;
	steady_moved(&l->steady);
	step_begin(l, now);
}

/* Until it is known whether there was a queue, it is judged by more and more of a step. */
static void knee_lowered_look(struct limit *l, ns_t now, const struct gain_fact *after)
{
	enum gain_verdict verdict = GAIN_NO_STEP;
	if (!l->lowered.at)
		return;
	if (l->state == LIMIT_KNEE && !is_stale(&l->lowered, after))
		verdict = gain_judge_less(&l->lowered, after, steady_noise(&l->steady));
	if (verdict == GAIN_OPEN)
		return;
	if (verdict == GAIN_WORKED)
		knee_return(l, now, after);
	l->lowered.at = 0;
}

static void clear_follow(struct limit *l, const struct gain_fact *after)
{
	double less = (l->clear.time - after->time) / CLEAR_FOLLOWS;
	double time = l->clear.time - less;
	l->clear = *after;
	l->clear.time = time;
}

static void judge(struct limit *l, ns_t now, uint32_t id, const struct gain_fact *after)
{
	enum gain_verdict verdict = GAIN_NO_STEP;
	bool stale = is_stale(&l->before, after);
	if (l->before.at)
		verdict = gain_judge(&l->before, after, NULL);
	if (id == l->probe_step) {
		knee_judged(l, now, after, verdict);
		return;
	}
	if (l->state == LIMIT_KNEE && steady_note(&l->steady, after))
		l->probe_at = now;
	knee_lowered_look(l, now, after);
	if (verdict == GAIN_WAITED && !stale) {
		knee_met(l, now, after);
		return;
	}
	if (verdict == GAIN_OPEN && !stale)
		return;
	l->before = *after;
	/* At the knee a queue may stand: what was clear before remains it. */
	bool anew = l->state != LIMIT_KNEE && (stale || verdict == GAIN_SPEED);
	if (anew || l->clear.at == 0)
		l->clear = *after;
	else if (after->time < l->clear.time) /* of many, the least is the luckiest */
		clear_follow(l, after);
}

static void judge_ended(struct limit *l, ns_t now)
{
	struct gain_fact fact;
	while (l->ended_count && gain_know(ended_step(l, 0), now, l->answered, &fact)) {
		uint32_t id = ended_step(l, 0)->id;
		l->ended_first = (l->ended_first + 1) % LIMIT_STEPS;
		l->ended_count--;
		judge(l, now, id, &fact);
	}
}

/* A step while searching spans a third more; while standing it is as long as it must be. */
static void step_look(struct limit *l, ns_t now)
{
	const struct gain_step *s = &l->step;
	if (l->state == LIMIT_KNEE && l->probing)
		return;
	if (l->state == LIMIT_SEARCH) {
		bool up = s->sent >= STEP_CALLS && l->level_peak * (double)s->sent >=
							   STEP_UP * (double)s->level_sum;
		if (up && l->ended_count < LIMIT_STEPS)
			step_end(l, now);
		else if (s->sent >= GAIN_CALLS_MAX)
			step_end(l, now);
		return;
	}
	if (s->sent >= HOLD_CALLS && now - s->began_at >= HOLD_FOR)
		step_end(l, now);
}

/* A lesser one shows nothing (flow/gain.h). */
static bool knee_has_room(const struct limit *l)
{
	return knee_step(l) >= fmax(1, GAIN_STEP_MIN * l->stand);
}

static void knee_probe_begin(struct limit *l, ns_t now)
{
	/* A step cut short says less than a whole one that is still fresh. */
	bool fresh = now - l->before.at < KNEE_PROBE_EACH &&
		     l->before.level >= NEARLY * l->stand;
	l->probe_at = now + KNEE_PROBE_EACH;
	if (l->step.sent >= HOLD_CALLS || (!fresh && l->step.sent >= STEP_CALLS))
		step_end(l, now);
	else
		step_begin(l, now);
	l->probing = true;
	l->probe_began_at = now;
	l->probe_level = l->stand + knee_step(l);
	l->keeps = fmax(l->keeps, l->probe_level);
	steady_step(&l->steady);
}

static bool knee_may_step(const struct limit *l, ns_t now)
{
	return l->bound && !l->quiet && now >= l->probe_at && !l->probe_step &&
	       l->before.at && knee_has_room(l) &&
	       steady_may_step(&l->steady, &l->clear, knee_step(l));
}

static void knee_look(struct limit *l, ns_t now)
{
	if (!l->probing) {
		if (knee_may_step(l, now))
			knee_probe_begin(l, now);
		return;
	}
	uint32_t needed = gain_calls_needed(&l->before, l->probe_level - l->stand);
	ns_t took = now - l->probe_began_at;
	bool late = took > KNEE_PROBE_FOR;
	ns_t least = (ns_t)(KNEE_PROBE_TIMES * l->before.time * (double)NS_S);
	bool enough = l->step.sent >= needed && took >= ns_max(least, KNEE_PROBE_MIN);
	if (!enough && !(late && l->step.sent >= STEP_CALLS))
		return;
	l->probe_step = l->step.id;
	l->probing = false;
	step_end(l, now);
}

/* --- the wall --- */

/* Until it is tried again. */
static void wall_rest(struct limit *l, ns_t now)
{
	l->probing = false;
	l->probe_sent_at = 0;
	l->probe_at = now + wall_wait(&l->wall, l->stand, now);
}

static void trial_passed(struct limit *l, ns_t now)
{
	bool again = l->state == LIMIT_BROWN_OUT;
	l->stand = again ? fmax(1, l->level_peak) : l->stand + 1;
	wall_passed(&l->wall, l->stand);
	enter(l, now, LIMIT_SEARCH, LIMIT_BY_DEMAND);
	l->growing_since = again ? 0 : now;
	steps_forget(l, now);
}

/* A server that is stopped refuses nothing either: it must have answered meanwhile. But where the wall
 * came down lately, it may be back before any of the calls at work is due: that is not waited for. */
static bool trial_needs_answer(const struct limit *l, ns_t now)
{
	return !wall_may_return(&l->wall, l->stand, now) ||
	       silence_owed(&l->silence, now) >= TRIAL_OWES;
}

static bool trial_outlasted(const struct limit *l, ns_t now)
{
	ns_t until = trial_needs_answer(l, now) ? l->answered_at : now;
	return l->probe_sent_at && until - l->probe_sent_at >= wall_taken_after(&l->wall);
}

static void wall_look(struct limit *l, ns_t now)
{
	if (l->probing) {
		if (trial_outlasted(l, now))
			trial_passed(l, now);
		return;
	}
	if (is_failing(l))
		wall_doubt(&l->wall);
	else if (l->bound && now >= l->probe_at && wall_may_try(&l->wall, l->stand, now))
		l->probing = true;
}

static void brown_out_look(struct limit *l, ns_t now)
{
	if (l->probe_sent_at && now - l->probe_sent_at >= wall_taken_after(&l->wall))
		trial_passed(l, now);
	else if (!l->probing && now >= l->probe_at && !l->probe_sent_at)
		l->probing = true;
}

static void cut(struct limit *l, ns_t now, const struct wall_refusal *refusal)
{
	l->stand = wall_cut(&l->wall, now, l->stand, refusal);
	enter(l, now, l->stand < 1 ? LIMIT_BROWN_OUT : LIMIT_WALL, LIMIT_BY_REFUSAL);
	wall_rest(l, now);
	if (l->state == LIMIT_BROWN_OUT)
		l->probe_at = now + PULSE_EACH;
	steps_forget(l, now);
}

static void refused(struct limit *l, ns_t now, const struct limit_mark *mark)
{
	bool trial = l->probing && (double)mark->level > l->stand;
	enum wall_cause asked = l->state == LIMIT_SEARCH ? WALL_BY_GROWTH : WALL_UNASKED;
	struct wall_refusal r = { mark->sent_at, mark->level,
		trial ? WALL_BY_TRIAL : asked };
	l->refused++;
	l->refused_at_level = mark->level;
	if (l->state == LIMIT_BROWN_OUT) {
		l->probe_sent_at = 0;
		l->probe_at = now + PULSE_EACH;
	} else if (trial && l->state == LIMIT_WALL && l->cause != LIMIT_BY_STALL) {
		wall_held(&l->wall, now);
		wall_rest(l, now);
	} else if (trial || (double)mark->level - 1 < l->stand) {
		cut(l, now, &r);
	}
	wall_note_refused(&l->wall, now, &r);
}

/* --- the wall of a server that lets what is above it stall --- */

#define CLIMB_SHARE 8 /* so many answered in a row for one more at a time */
#define CLIMB_MOST 16
#define CLIMB_GONE 1.5  /* times what it was found at: it is not there any more */
#define FAILED_LONGER 2 /* times the wait is doubled */

static void stall_rest(struct limit *l, ns_t now)
{
	l->probing = false;
	l->probe_sent_at = 0;
	l->climbed = 0;
	l->probe_at = now + (STALL_TRY_EACH << l->failed);
	if (l->failed < FAILED_LONGER)
		l->failed++;
}

bool limit_is_stalled(const struct limit *l)
{
	return l->state == LIMIT_WALL && l->cause == LIMIT_BY_STALL;
}

void limit_stalled(struct limit *l, ns_t now, bool trial, uint32_t took)
{
	bool anew = !trial || l->cause != LIMIT_BY_STALL;
	l->stand = fmax(1, fmin(l->stand, took)); /* less than one was a BROWN_OUT */
	if (anew) {
		l->wall.cut_at = now;
		l->wall.unasked = false;
		l->failed = 0;
		l->knee = 0; /* above a wall that stalls none has been seen */
		steps_forget(l, now);
	}
	l->wall.took = (uint32_t)l->stand;
	l->stalled_above = l->stand;
	enter(l, now, LIMIT_WALL, LIMIT_BY_STALL);
	stall_rest(l, now);
}

void limit_heard(struct limit *l, ns_t now, bool trial, uint32_t proven)
{
	if (!limit_is_stalled(l))
		return;
	l->stand = fmin(fmax(l->stand, proven), l->max);
	if (!trial)
		return;
	l->failed = 0;
	l->climbed++;
	l->probing = true;
	l->probe_sent_at = 0;
	l->probe_at = now;
	if (l->stand < CLIMB_GONE * l->stalled_above)
		return;
	enter(l, now, LIMIT_SEARCH, LIMIT_BY_DEMAND);
	l->growing_since = now;
	steps_forget(l, now);
}

void limit_trial_over(struct limit *l, ns_t now)
{
	if (limit_is_stalled(l) && l->probing) /* else one beside it has ended that */
		stall_rest(l, now);
}

/* Who would go on it need not wait yet: while none waits, it costs nothing. */
static void stall_look(struct limit *l, ns_t now, bool full)
{
	if (!l->probing && full && now >= l->probe_at)
		l->probing = true;
}

/* So many may be tried at once. */
static double stall_ahead(const struct limit *l)
{
	return 1 + fmin(l->climbed / CLIMB_SHARE,
			   CLIMB_MOST); /* NOLINT(bugprone-integer-division) */
}

/* --- health --- */

static void recent_look(struct limit *l, ns_t now)
{
	if (now - l->recent_at < RECENT_FOR)
		return;
	l->recent_ok /= 2;
	l->recent_failed /= 2;
	l->recent_at = now;
}

/* Calls run and none is answered. While not one ever was, time alone tells; later, all at work
 * have had as long as hardly any takes: they may be slow ones, and in step. */
static bool is_silent(const struct limit *l, ns_t now)
{
	ns_t lasts = silence_lasts(&l->silence, now), usual = silence_usual(&l->silence);
	if (!usual)
		return lasts >= UNKNOWN_FOR;
	ns_t least = ns_max(SILENT_TIMES * usual, silence_slow(&l->silence));
	return lasts >= ns_max(least, SILENT_MIN) &&
	       silence_owed(&l->silence, now) >= SILENT_OWES;
}

/* While it is found out how many are taken, the few that are may all be slow ones: some more tell. */
static bool has_asked(const struct limit *l)
{
	return l->state != LIMIT_SEARCH || !silence_usual(&l->silence) ||
	       l->silence.asked >= QUIET_ASKED;
}

static void silence_look(struct limit *l, ns_t now)
{
	bool asked = has_asked(l), silent = asked && is_silent(l, now);
	l->quiet = silent || (asked && silence_owed(&l->silence, now) >= QUIET_OWES);
	if (l->quiet && l->state == LIMIT_WALL && l->probe_sent_at)
		l->probe_sent_at = now; /* the trial's own refusal may be held up, too */
	if (silent == l->silent)
		return;
	l->silent = silent;
	if (l->state == LIMIT_KNEE)
		l->probing = false;
	steps_forget(l, now);
	if (!silent)
		l->before = (struct gain_fact){ 0 };
}

/* --- growth --- */

static ns_t doubles_in(const struct limit *l)
{
	if (!wall_is_regrown(&l->wall, l->stand))
		return REGROWS_IN;
	ns_t usual = DOUBLES_IN_TIMES * silence_usual(&l->silence);
	return usual ? ns_min(ns_max(usual, DOUBLES_IN_MIN), DOUBLES_IN) : DOUBLES_IN;
}

ns_t limit_doubles_in(const struct limit *l)
{
	bool grows = l->state == LIMIT_SEARCH && !l->quiet && l->stand < l->max;
	return grows && !is_failing(l) ? doubles_in(l) : NS_NEVER;
}

static double ease(const struct limit *l, ns_t now)
{
	if (!l->growing_since)
		return 1;
	ns_t since = ns_max(now - l->growing_since, NS_MS);
	return since >= EASE_FOR ? 1 : (double)since / (double)EASE_FOR;
}

static void grow(struct limit *l, ns_t now, ns_t elapsed)
{
	if (is_failing(l))
		return;
	double doubled = ease(l, now) * (double)elapsed / (double)doubles_in(l);
	double before = l->stand, ceiling = l->wall.ceiling;
	l->stand *= exp2(doubled);
	if (before <= ceiling && l->stand >= ceiling) {
		l->stand = ceiling;
		enter(l, now, LIMIT_WALL, LIMIT_BY_REFUSAL);
		l->probe_at = now + AT_CEILING_FOR;
		return;
	}
	if (l->knee > 0 && l->stand >= l->wall.former) {
		/* It was taken from its knee by refusals, and is back. */
		l->stand = l->wall.former;
		enter(l, now, LIMIT_KNEE, LIMIT_BY_QUEUE);
		l->probe_at = now + KNEE_PROBE_EACH;
		l->probe_up = KNEE_PROBE_UP;
		l->keeps =
			l->stand; /* of before the refusals no more is known to be taken */
		return;
	}
	if (l->cause != LIMIT_BY_DEMAND && l->cause != LIMIT_BY_MAX)
		enter(l, now, LIMIT_SEARCH, LIMIT_BY_DEMAND);
	if (l->stand >= l->max) {
		l->stand = l->max;
		enter(l, now, LIMIT_SEARCH, LIMIT_BY_MAX);
	}
}

/* --- what the caller asks --- */

void limit_init(struct limit *l, uint32_t max, ns_t now)
{
	*l = (struct limit){
		.max = max, .looked_at = now, .recent_at = now, .since = now
	};
	l->stand = max < START ? max : START;
	l->now = (uint32_t)l->stand;
	wall_init(&l->wall);
	silence_init(&l->silence);
	step_begin(l, now);
}

void limit_set_max(struct limit *l, uint32_t max)
{
	l->max = max;
	l->stand = fmin(l->stand, max);
	l->probe_level = fmin(l->probe_level, max);
	l->keeps = fmin(l->keeps, max);
}

/* Of a trial. */
static double ahead(const struct limit *l)
{
	return l->cause == LIMIT_BY_STALL ? stall_ahead(l) : 1;
}

static uint32_t in_force(const struct limit *l, uint32_t level)
{
	double at = l->stand;
	if (l->state == LIMIT_BROWN_OUT)
		return l->probing ? level + 1 : 0;
	if (l->probing)
		at = l->state == LIMIT_KNEE ? l->probe_level : l->stand + ahead(l);
	if (l->probing && l->state == LIMIT_WALL && !l->probe_sent_at)
		at = fmax(at, l->need);
	return (uint32_t)fmin(at, l->max);
}

void limit_need(struct limit *l, uint32_t need)
{
	l->need = need;
}

uint32_t limit_look(struct limit *l, ns_t now, uint32_t level, bool waiting)
{
	bool full = level >= l->now || l->level_peak >= l->now;
	bool bound = waiting && full && level <= l->now;
	now = ns_max(now,
		l->looked_at); /* threads' clocks are apart: it never shrinks by that */
	ns_t elapsed = ns_min(now - l->looked_at, LOOK_MAX);
	if (level > l->now)
		l->wall.over_at = now;
	recent_look(l, now);
	silence_look(l, now);
	judge_ended(l, now);
	step_look(l, now);
	bool grew = bound && l->bound;
	l->bound = bound;
	if (!l->silent) {
		switch (l->state) {
		case LIMIT_SEARCH:
			if (grew && !l->quiet)
				grow(l, now, elapsed);
			break;
		case LIMIT_WALL:
			if (l->cause == LIMIT_BY_STALL)
				stall_look(l, now, full);
			else
				wall_look(l, now);
			break;
		case LIMIT_KNEE:
			knee_look(l, now);
			break;
		case LIMIT_BROWN_OUT:
			break;
		}
	}
	if (l->state == LIMIT_BROWN_OUT)
		brown_out_look(l, now);
	l->looked_at = now;
	l->level_peak = level;
	l->now = in_force(l, level);
	return l->now;
}

uint32_t limit_keeps(const struct limit *l)
{
	bool knows = l->state == LIMIT_KNEE && !l->silent && l->keeps <= l->wall.ceiling;
	return knows ? (uint32_t)l->keeps : 0;
}

ns_t limit_next(const struct limit *l)
{
	if (l->state == LIMIT_BROWN_OUT || (l->state == LIMIT_WALL && l->probing)) {
		if (l->cause == LIMIT_BY_STALL)
			return NS_NEVER; /* an answer tells, or flow/stall.h */
		if (l->probe_sent_at && l->state == LIMIT_WALL &&
			trial_needs_answer(l, l->looked_at))
			return NS_NEVER; /* that tells, or a refusal */
		if (l->probe_sent_at)
			return l->probe_sent_at + wall_taken_after(&l->wall);
		return l->probing ? NS_NEVER : l->probe_at;
	}
	if (!l->bound)
		return NS_NEVER;
	if (l->state == LIMIT_SEARCH && (l->quiet || l->stand >= l->max || is_failing(l)))
		return l->looked_at + LOOK_MAX;
	if (l->state != LIMIT_SEARCH)
		return ns_max(l->probe_at, l->looked_at + LOOK_MAX);
	/* When it is one more. */
	double doublings = log2((floor(l->stand) + 1) / l->stand);
	ns_t in = (ns_t)(doublings * (double)doubles_in(l) / ease(l, l->looked_at));
	return l->looked_at + ns_min(ns_max(in, LOOK_MIN), LOOK_MAX);
}

/* By growth, or alone. */
static bool is_try(const struct limit *l, uint32_t level)
{
	if (l->state == LIMIT_SEARCH)
		return l->bound && l->cause != LIMIT_BY_MAX && level > l->level_peak;
	return l->state != LIMIT_KNEE && l->probing && (double)level > l->stand;
}

void limit_sent(
	struct limit *l, ns_t now, uint32_t level, bool waiting, struct limit_mark *mark)
{
	*mark = (struct limit_mark){
		.sent_at = now, .level = level, .tries = is_try(l, level)
	};
	if (level > l->level_peak)
		l->level_peak = level;
	silence_sent(&l->silence, now);
	wall_sent(&l->wall);
	steady_sent(&l->steady);
	bool probe = l->probing && !l->probe_sent_at && (double)level > l->stand;
	if (probe && l->state == LIMIT_BROWN_OUT) {
		l->probing = false; /* one is enough */
		l->now = 0;
	}
	if (probe && l->state != LIMIT_KNEE)
		l->probe_sent_at = now;
	/* Below the limit there are idle ones among them: such a call says nothing. While the
	 * limit makes a step, only those count that are sent on it. */
	double least = l->state == LIMIT_KNEE && l->probing
			       ? (l->stand + l->probe_level) / 2
			       : (double)l->now;
	if (waiting && level >= NEARLY * least && gain_sent(&l->step, level))
		mark->step = l->step.id;
}

void limit_ended(
	struct limit *l, ns_t now, const struct limit_mark *mark, enum limit_end how)
{
	struct gain_step *s = step_of(l, mark);
	silence_ended(&l->silence);
	switch (how) {
	case LIMIT_ANSWERED:
		l->answered++;
		l->answered_at = now;
		l->recent_ok++;
		silence_answered(&l->silence, now - mark->sent_at);
		if (s)
			gain_done(s, now - mark->sent_at);
		break;
	case LIMIT_REFUSED:
		if (s)
			gain_withdrawn(s, mark->level);
		silence_broken(&l->silence);
		refused(l, now, mark);
		break;
	case LIMIT_FAILED:
	case LIMIT_CUT_OFF:
		l->recent_failed++;
		if (s)
			gain_withdrawn(s, mark->level);
		break;
	case LIMIT_UNSENT:
		if (s)
			gain_withdrawn(s, mark->level);
		break;
	case LIMIT_LEFT:
		break;
	}
}
