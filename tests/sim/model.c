#include "tests/sim/model.h"

#include <string.h>

#define RESUMES_IN NS_MS /* a stopped server goes through all that waits for it */

enum phase { WAITS, GOES, WORKS, RETURNS, REFUSED, SETTLES, LOST };

struct job {
	struct timer timer;
	struct list_node wait, any; /* in the callers' queue, or the server's; always */
	struct model *m;
	enum phase phase;
	ns_t came_at;
	struct limit_mark mark;
};

static void pump(struct model *m);
static void on_job(struct timer *t);

static void job_enter(struct job *j, enum phase phase, ns_t in)
{
	j->phase = phase;
	wheel_set(j->m->wheel, &j->timer, j->m->now + in);
}

static void job_free(struct job *j)
{
	struct model *m = j->m;
	list_remove(&m->all, &j->any);
	wheel_stop(m->wheel, &j->timer);
	mem_free(j);
}

/* --- the server --- */

static void others_take(struct model *m)
{
	uint32_t room = m->held < m->slots ? m->slots - m->held : 0;
	m->others = m->others_want < room ? m->others_want : room;
}

static void server_work(struct job *j)
{
	struct model *m = j->m;
	m->working++;
	ns_t takes = (ns_t)(m->slowness *
			    (double)dist_sample(m->dist, &m->rng, m->begun++));
	job_enter(j, WORKS, takes);
}

static void server_next(struct model *m)
{
	struct list_node *n;
	while ((!m->workers || m->working < m->workers) &&
		(n = list_pop_front(&m->queue)))
		server_work(CONTAINER_OF(n, struct job, wait));
}

static void server_take(struct job *j)
{
	struct model *m = j->m;
	others_take(m);
	if (m->refuses_all || m->held + m->others >= m->slots) {
		job_enter(j, REFUSED, m->rtt / 2);
		return;
	}
	m->held++;
	if (m->held > m->held_peak)
		m->held_peak = m->held;
	list_push_back(&m->queue, &j->wait);
	server_next(m);
}

/* Another job stands for the slot of which the server does not know that it is free. */
static void server_lose(struct model *m)
{
	struct job *j = mem_zalloc(sizeof(*j));
	j->m = m;
	j->timer.on_fire = on_job;
	list_push_back(&m->all, &j->any);
	job_enter(j, LOST, m->lost_for);
}

static void server_done(struct job *j)
{
	struct model *m = j->m;
	m->working--;
	if (m->lost > 0 && rng_unit(&m->rng) < m->lost)
		server_lose(m);
	else
		m->held--;
	job_enter(j, RETURNS, m->rtt / 2);
	server_next(m);
}

/* --- we --- */

static void ended(struct job *j, enum limit_end how)
{
	struct model *m = j->m;
	ns_t took = m->now - j->mark.sent_at;
	if (how == LIMIT_REFUSED) {
		m->count.refused++;
		m->open--;
	} else {
		m->count.answered++;
	}
	if (how == LIMIT_ANSWERED) {
		m->count.good += m->now <= ns_add(j->came_at, m->deadline);
		hist_record(m->took, took);
	}
	if (m->reads_refusals_as_answers)
		how = LIMIT_ANSWERED;
	if (m->grows_by_answer && how == LIMIT_ANSWERED && m->limit.state == LIMIT_SEARCH)
		m->limit.stand += 1; /* and not by time: see pump */
	limit_ended(&m->limit, m->now, &j->mark, how);
	job_enter(j, SETTLES, m->settle_for);
}

/* A stopped server's turn comes when it goes on. */
static bool server_is_stopped(struct job *j)
{
	struct model *m = j->m;
	if ((j->phase != GOES && j->phase != WORKS) || m->now >= m->stopped_until)
		return false;
	ns_t at = m->stopped_until + (ns_t)rng_below(&m->rng, RESUMES_IN);
	job_enter(j, j->phase, at - m->now);
	return true;
}

static void on_job(struct timer *t)
{
	struct job *j = CONTAINER_OF(t, struct job, timer);
	struct model *m = j->m;
	m->now = t->at;
	if (server_is_stopped(j))
		return;
	switch (j->phase) {
	case WAITS:
		m->count.left++;
		list_remove(&m->waiting, &j->wait);
		job_free(j);
		break;
	case GOES:
		server_take(j);
		break;
	case WORKS:
		server_done(j);
		break;
	case RETURNS:
		ended(j, LIMIT_ANSWERED);
		break;
	case REFUSED:
		ended(j, LIMIT_REFUSED);
		break;
	case SETTLES:
		m->used--;
		job_free(j);
		break;
	case LOST:
		m->held--;
		job_free(j);
		break;
	}
	pump(m);
}

static void send(struct model *m, struct job *j)
{
	list_remove(&m->waiting, &j->wait);
	m->used++;
	if (m->used > m->open) {
		m->open = m->used;
		m->count.opened++;
	}
	m->count.sent++;
	limit_sent(&m->limit, m->now, m->used, m->waiting.len > 0, &j->mark);
	job_enter(j, GOES, m->rtt / 2);
}

static uint32_t max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Connections above the limit go, but for those that it keeps and that were needed of late. */
static void close_above(struct model *m, uint32_t limit)
{
	uint32_t kept = limit_keeps(&m->limit);
	if (m->now - m->needed_since >= MODEL_KEPT_FOR) {
		m->needed[1] = m->needed[0];
		m->needed[0] = 0;
		m->needed_since = m->now;
	}
	m->needed[0] = max_u32(m->needed[0], m->used);
	uint32_t needed = max_u32(m->needed[0], m->needed[1]);
	kept = max_u32(max_u32(limit, m->used), kept < needed ? kept : needed);
	if (m->open > kept)
		m->open = kept;
}

static void pump(struct model *m)
{
	double stand = m->limit.stand;
	if (!m->wanted_more_at && m->used + m->waiting.len > m->slots)
		m->wanted_more_at = m->now;
	uint32_t limit = limit_look(&m->limit, m->now, m->used, m->waiting.len > 0);
	if (m->grows_by_answer && m->limit.state == LIMIT_SEARCH)
		m->limit.stand = stand; /* the mutant */
	close_above(m, limit);
	while (m->waiting.len && m->used < limit && m->used < m->limit.now) {
		send(m, CONTAINER_OF(list_front(&m->waiting), struct job, wait));
	}
	ns_t next = limit_next(&m->limit);
	wheel_set(m->wheel, &m->looker,
		next == NS_NEVER ? NS_NEVER : ns_max(next, m->now + NS_US));
}

static void on_look(struct timer *t)
{
	struct model *m = CONTAINER_OF(t, struct model, looker);
	m->now = t->at;
	pump(m);
}

static void on_arrival(struct timer *t)
{
	struct model *m = CONTAINER_OF(t, struct model, arrival);
	m->now = t->at;
	struct job *j = mem_zalloc(sizeof(*j));
	j->m = m;
	j->timer.on_fire = on_job;
	j->came_at = m->now;
	m->count.came++;
	list_push_back(&m->all, &j->any);
	list_push_back(&m->waiting, &j->wait);
	job_enter(j, WAITS, m->queue_for);
	wheel_set(m->wheel, t,
		m->now + 1 + (ns_t)rng_exponential(&m->rng, (double)NS_S / m->rate));
	pump(m);
}

void model_init(struct model *m, uint64_t seed)
{
	memset(m, 0, sizeof(*m));
	m->rate = 390;
	m->deadline = NS_S;
	m->queue_for = 300 * NS_MS;
	m->rtt = NS_MS;
	m->settle_for = 0;
	m->slots = 1000;
	m->max = 10000;
	m->slowness = 1;
	m->service = "50ms";
	m->now = NS_S;
	m->took = hist_new();
	m->wheel = wheel_new(m->now, NS_US);
	rng_init(&m->rng, seed);
	list_init(&m->waiting);
	list_init(&m->all);
	list_init(&m->queue);
	m->arrival.on_fire = on_arrival;
	m->looker.on_fire = on_look;
}

void model_run(struct model *m, ns_t until)
{
	struct problem p;
	if (!m->dist) {
		limit_init(&m->limit, m->max, m->now);
		wheel_set(m->wheel, &m->arrival, m->now);
	}
	if (m->dist_text != m->service) {
		dist_free(&m->dist);
		m->dist = dist_parse(
			(struct slice){ m->service, strlen(m->service) }, &p);
		CHECK(m->dist);
		m->dist_text = m->service;
	}
	others_take(m);
	for (;;) {
		ns_t next = wheel_next(m->wheel);
		if (next > until)
			break;
		wheel_run(m->wheel, next);
	}
	m->now = until;
}

void model_fini(struct model *m)
{
	while (m->all.len)
		job_free(CONTAINER_OF(list_front(&m->all), struct job, any));
	wheel_stop(m->wheel, &m->arrival);
	wheel_stop(m->wheel, &m->looker);
	wheel_free(&m->wheel);
	dist_free(&m->dist);
	hist_free(&m->took);
}
