#include "origin/model.h"

static void enter(struct model *m, struct model_call *call, enum model_stage stage)
{
	static const bool is_legal[MODEL_STAGES][MODEL_STAGES] = {
		[STAGE_OUTSIDE] = { [STAGE_WAITING] = true },
		[STAGE_WAITING] = { [STAGE_WORKING] = true, [STAGE_OUTSIDE] = true },
		[STAGE_WORKING] = { [STAGE_ANSWERING] = true, [STAGE_OUTSIDE] = true },
		[STAGE_ANSWERING] = { [STAGE_OUTSIDE] = true },
	};

	CHECK(is_legal[call->stage][stage]);
	if (call->stage != STAGE_OUTSIDE)
		list_remove(&m->stages[call->stage], &call->in_stage);
	call->stage = stage;
	if (stage != STAGE_OUTSIDE)
		list_push_back(&m->stages[stage], &call->in_stage);
}

void model_init(struct model *m, const struct model_cfg *cfg)
{
	*m = (struct model){
		.limit = cfg->limit,
		.workers = cfg->workers,
		.unit = cfg->unit,
		.full = cfg->full,
		.hangup = cfg->hangup,
		.spoil = cfg->spoil,
		.latency = cfg->latency,
		.seed = cfg->seed,
	};
	for (int i = 0; i < MODEL_STAGES; i++)
		list_init(&m->stages[i]);
	list_init(&m->heard);
	list_init(&m->abandoned);
}

void model_fini(struct model *m)
{
	for (int i = 0; i < MODEL_STAGES; i++)
		CHECK(m->stages[i].len == 0);
	CHECK(m->heard.len == 0 && m->abandoned.len == 0);
	for (uint32_t i = 0; i < m->phase_count; i++)
		change_fini(&m->phases[i].change);
	dist_free(&m->latency);
}

void model_add_phase(struct model *m, struct phase *phase)
{
	uint32_t i = m->phase_count;

	CHECK(i < MODEL_PHASES_MAX && m->phase_next == 0);
	for (; i > 0 && m->phases[i - 1].at > phase->at; i--)
		m->phases[i] = m->phases[i - 1];
	m->phases[i] = *phase;
	m->phase_count++;
	phase->change.latency = NULL;
}

/* Rule 1 as a gauge: counted where `used` or `limit` has just changed. */
static void note_over(struct model *m)
{
	if (m->used > m->limit)
		m->over++;
}

static bool take_slot(struct model *m)
{
	if (m->used >= m->limit) {
		m->refused++;
		return false;
	}
	m->used++;
	if (m->used > m->peak)
		m->peak = m->used;
	note_over(m);
	return true;
}

bool model_accept(struct model *m)
{
	m->accepted++;
	return m->unit == UNIT_REQUEST || take_slot(m);
}

void model_close(struct model *m)
{
	if (m->unit == UNIT_REQUEST)
		return;
	CHECK(model_idle(m) > 0);
	m->used--;
}

bool model_arrive(struct model *m, struct model_call *call)
{
	const bool by_request = m->unit == UNIT_REQUEST;

	CHECK(by_request || model_idle(m) > 0);
	if (by_request && !take_slot(m))
		return false;
	*call = (struct model_call){ .nth = m->requests++, .has_slot = by_request };
	enter(m, call, STAGE_WAITING);
	list_push_back(&m->heard, &call->by_caller);
	return true;
}

void model_answered(struct model *m, struct model_call *call)
{
	CHECK(m->used >= call->has_slot);
	m->used -= call->has_slot;
	call->has_slot = false;
}

struct model_call *model_next(struct model *m)
{
	struct list_node *first = list_front(&m->stages[STAGE_WAITING]);
	struct model_call *call;
	struct rng rng;

	if (!first || m->stages[STAGE_WORKING].len >= m->workers)
		return NULL;
	call = CONTAINER_OF(first, struct model_call, in_stage);
	rng_init(&rng, rng_mix(m->seed, call->nth));
	call->work_for = dist_sample(m->latency, &rng, call->nth);
	enter(m, call, STAGE_WORKING);
	return call;
}

enum spoil_how model_worked(struct model *m, struct model_call *call)
{
	enum spoil_how how = spoil_draw(&m->spoil, m->seed, call->nth);

	enter(m, call, STAGE_ANSWERING);
	m->spoiled += how != SPOIL_NOT;
	return how;
}

void model_leave(struct model *m, struct model_call *call, bool answered)
{
	model_answered(m, call);
	enter(m, call, STAGE_OUTSIDE);
	list_remove(call->is_abandoned ? &m->abandoned : &m->heard, &call->by_caller);
	if (answered)
		m->answered++;
}

bool model_hang_up(struct model *m, struct model_call *call)
{
	CHECK(call->stage != STAGE_OUTSIDE);
	if (!call->is_abandoned) {
		list_remove(&m->heard, &call->by_caller);
		list_push_back(&m->abandoned, &call->by_caller);
		call->is_abandoned = true;
		m->hangups++;
	}
	return m->hangup == HANGUP_AT_ONCE;
}

void model_apply(struct model *m, struct change *change)
{
	if (change->has_workers)
		m->workers = change->workers;
	if (change->has_full)
		m->full = change->full;
	if (change->has_hangup)
		m->hangup = change->hangup;
	if (change->has_spoil)
		m->spoil = change->spoil;
	if (change->latency) {
		dist_free(&m->latency);
		m->latency = change->latency;
		change->latency = NULL;
	}
	if (change->has_limit) {
		m->limit = change->limit;
		note_over(m);
	}
}

bool model_run_phases(struct model *m, ns_t since_start)
{
	bool any = false;

	while (model_next_phase(m) <= since_start) {
		model_apply(m, &m->phases[m->phase_next++].change);
		any = true;
	}
	return any;
}

ns_t model_next_phase(const struct model *m)
{
	return m->phase_next < m->phase_count ? m->phases[m->phase_next].at : NS_NEVER;
}
