#include "http/tuner.h"

#include "base/joint.h"
#include "flow/cutoff.h"

struct tuner {
	struct joint joint; /* its lock is over limit, cutoff and stall */
	/* What stands in `stall`, and stalled.count, for who looks without the lock. */
	_Atomic ns_t stalls_due;
	_Atomic uint32_t stalled_count;
	_Atomic ns_t short_at;
	struct limit limit;
	struct cutoff cutoff;
	struct stall stall;
	struct tuner_stalled stalled; /* the last verdict */
};

struct tuner *tuner_new(uint32_t max, ns_t now)
{
	struct tuner *t = mem_zalloc(sizeof(*t));
	joint_init(&t->joint);
	limit_init(&t->limit, max, now);
	stall_init(&t->stall);
	t->stalls_due = t->stall.due;
	return t;
}

void tuner_ref(struct tuner *t)
{
	joint_ref(&t->joint);
}

void tuner_unref(struct tuner **tp)
{
	struct tuner *t = *tp;
	*tp = NULL;
	if (t && joint_unref(&t->joint))
		mem_free(t);
}

void tuner_need(struct tuner *t, uint32_t need)
{
	joint_lock(&t->joint);
	limit_need(&t->limit, need);
	joint_unlock(&t->joint);
}

void tuner_note_short(struct tuner *t, ns_t now)
{
	atomic_store_explicit(&t->short_at, now, memory_order_relaxed);
}

ns_t tuner_short_at(const struct tuner *t)
{
	return atomic_load_explicit(&t->short_at, memory_order_relaxed);
}

void tuner_set_max(struct tuner *t, uint32_t max)
{
	joint_lock(&t->joint);
	limit_set_max(&t->limit, max);
	joint_unlock(&t->joint);
}

static struct tuner_told told_of(const struct limit *l, ns_t now)
{
	return (struct tuner_told){ limit_next(l), limit_doubles_in(l), limit_keeps(l),
		limit_falls(l, now) };
}

uint32_t tuner_look(
	struct tuner *t, ns_t now, uint32_t level, bool waiting, struct tuner_told *told)
{
	joint_lock(&t->joint);
	uint32_t limit = limit_look(&t->limit, now, level, waiting);
	*told = told_of(&t->limit, now);
	joint_unlock(&t->joint);
	return limit;
}

void tuner_hear(struct tuner *t, ns_t now, struct tuner_told *told)
{
	joint_lock(&t->joint);
	*told = told_of(&t->limit, now);
	joint_unlock(&t->joint);
}

uint32_t tuner_sent(
	struct tuner *t, ns_t now, const struct tuner_call *call, struct limit_mark *mark)
{
	joint_lock(&t->joint);
	limit_sent(&t->limit, now, call->level, call->waiting, mark);
	mark->opened_at = 0;
	if (call->proven)
		stall_note_beside(&t->stall, now, &mark->stall);
	uint32_t limit = t->limit.now;
	joint_unlock(&t->joint);
	return limit;
}

void tuner_opened(struct tuner *t, ns_t now, struct limit_mark *mark)
{
	const struct cutoff_call call = { now, mark->level };
	mark->opened_at = now;
	joint_lock(&t->joint);
	cutoff_note_opened(&t->cutoff, &call);
	joint_unlock(&t->joint);
}

static enum limit_end tell_cutoff(
	struct cutoff *c, ns_t now, const struct limit_mark *mark, enum limit_end how)
{
	const bool is_new = mark->opened_at != 0;
	struct cutoff_call call = { mark->opened_at, mark->level };
	if (is_new)
		cutoff_note_ended(c, &call);
	else /* reset while we looked for its connection: it was there, and taken away at once */
		call.opened_at = how == LIMIT_CUT_OFF ? now : mark->sent_at;
	if (how == LIMIT_ANSWERED)
		cutoff_note_answer(c, now, &call, is_new);
	if (how == LIMIT_CUT_OFF && cutoff_is_refusal(c, now, &call))
		return LIMIT_REFUSED;
	return how;
}

/* Those sent before the last verdict were judged by it. */
static bool is_trial_open(const struct stall *s, const struct stall_mark *mark)
{
	return mark->kind == STALL_NEW && mark->trial && mark->sent_at > s->found_at;
}

void tuner_ended(
	struct tuner *t, ns_t now, const struct limit_mark *mark, enum limit_end how)
{
	joint_lock(&t->joint);
	stall_note_ended(&t->stall, now, &mark->stall, how == LIMIT_ANSWERED);
	limit_ended(&t->limit, now, mark, tell_cutoff(&t->cutoff, now, mark, how));
	if (how != LIMIT_UNSENT && is_trial_open(&t->stall, &mark->stall))
		limit_trial_over(&t->limit, now);
	joint_unlock(&t->joint);
}

/* --- connections that stall --- */

static void publish_due(struct tuner *t)
{
	atomic_store_explicit(&t->stalls_due, t->stall.due, memory_order_relaxed);
}

void tuner_asked(struct tuner *t, ns_t now, struct limit_mark *mark)
{
	joint_lock(&t->joint);
	stall_note_asked(&t->stall, now, limit_is_stalled(&t->limit), &mark->stall);
	publish_due(t);
	joint_unlock(&t->joint);
}

void tuner_heard(struct tuner *t, ns_t now, struct limit_mark *mark)
{
	joint_lock(&t->joint);
	stall_note_heard(&t->stall, now, &mark->stall);
	limit_heard(&t->limit, now, mark->stall.trial, t->stall.proven);
	joint_unlock(&t->joint);
}

void tuner_closed(struct tuner *t)
{
	joint_lock(&t->joint);
	stall_note_closed(&t->stall);
	joint_unlock(&t->joint);
}

ns_t tuner_stalls_due(const struct tuner *t)
{
	return atomic_load_explicit(&t->stalls_due, memory_order_relaxed);
}

static void note_stalled(struct tuner_stalled *s, const struct stall_verdict *v)
{
	s->last = *v;
	s->count++;
	if (v->trial) {
		s->trials++;
		return;
	}
	s->connections = v->waited;
	s->patience = v->patience;
	s->trials = 0;
}

bool tuner_stalls(struct tuner *t, ns_t now, struct stall_verdict *v)
{
	joint_lock(&t->joint);
	bool stalls = now >= t->stall.due && stall_judge(&t->stall, now, v);
	publish_due(t);
	if (stalls) {
		limit_stalled(&t->limit, now, v->trial, v->took);
		note_stalled(&t->stalled, v);
		atomic_store_explicit(
			&t->stalled_count, t->stalled.count, memory_order_relaxed);
	}
	joint_unlock(&t->joint);
	return stalls;
}

struct tuner_stalled tuner_stalled(struct tuner *t)
{
	joint_lock(&t->joint);
	struct tuner_stalled stalled = t->stalled;
	joint_unlock(&t->joint);
	return stalled;
}

uint32_t tuner_stalled_count(const struct tuner *t)
{
	return atomic_load_explicit(&t->stalled_count, memory_order_relaxed);
}

bool tuner_is_cut(struct tuner *t, ns_t now)
{
	joint_lock(&t->joint);
	bool cut = limit_is_cut(&t->limit, now);
	joint_unlock(&t->joint);
	return cut;
}

/* By another thread's clock it may have begun a moment from now. */
static ns_t held_for(const struct limit *l, ns_t now)
{
	return ns_max(0, now - l->since);
}

struct tuner_view tuner_view(struct tuner *t, ns_t now)
{
	joint_lock(&t->joint);
	struct tuner_view v = { limit_state(&t->limit), limit_because(&t->limit),
		held_for(&t->limit, now), (uint32_t)t->limit.stand, t->stalled };
	joint_unlock(&t->joint);
	return v;
}

static void steps_json(struct json *j, const struct limit *l)
{
	json_array(j, "shown");
	for (size_t i = 0; l->knee > 0 && i < ARRAY_LEN(l->shown); i++) {
		json_object(j, NULL);
		json_real(j, "level", l->shown[i].level);
		json_ms(j, "ms", (ns_t)(l->shown[i].time * (double)NS_S));
		json_real(j, "rate", l->shown[i].rate);
		json_end(j);
	}
	json_end(j);
}

static void stalled_json(struct json *j, const struct tuner_stalled *s)
{
	json_object(j, "stalled");
	json_int(j, "connections", s->connections);
	json_int(j, "ms", s->patience / NS_MS);
	json_int(j, "trials", s->trials);
	json_end(j);
}

void tuner_json(struct json *j, const char *key, struct tuner *t, ns_t now)
{
	joint_lock(&t->joint);
	struct limit l = t->limit;
	struct tuner_stalled stalled = t->stalled;
	joint_unlock(&t->joint);
	json_object(j, key);
	json_cstr(j, "state", limit_state_label(limit_state(&l)));
	json_cstr(j, "because", limit_because(&l));
	json_int(j, "since_ms", held_for(&l, now) / NS_MS);
	json_int(j, "max", l.max);
	if (l.wall.took)
		json_int(j, "wall", l.wall.took);
	else
		json_null(j, "wall");
	if (l.knee > 0)
		json_int(j, "knee", (int64_t)(l.knee + 0.5));
	else
		json_null(j, "knee");
	steps_json(j, &l);
	if (limit_is_stalled(&l))
		stalled_json(j, &stalled);
	else
		json_null(j, "stalled");
	json_end(j);
}
