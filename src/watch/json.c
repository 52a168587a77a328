/* The report as a program reads it: docs/json/watch.md. */
#include "base/json.h"
#include "watch/json_causes.h"
#include "watch/report.h"

static const char *const first_keys[FIRST_COUNT] = {
	[FIRST_OPEN] = "open",
	[FIRST_LOCAL] = "local",
	[FIRST_LOCAL_OR_BOTH] = "local_or_both",
	[FIRST_PEER] = "peer",
	[FIRST_BOTH] = "both",
};

static void put_end(struct json *j, const char *key, const struct diag_end *e, bool port)
{
	struct text t;

	text_init(&t);
	if (port)
		text_add_end(&t, e);
	else
		text_add_ip(&t, e);
	json_str(j, key, text_slice(&t));
	text_fini(&t);
}

static void put_by_first(struct json *j, const char *key, const uint32_t *by_first)
{
	json_object(j, key);
	for (int f = 0; f < FIRST_COUNT; f++)
		json_int(j, first_keys[f], by_first[f]);
	json_end(j);
}

static void put_by_state(struct json *j, const char *key, const uint32_t *by_state)
{
	json_object(j, key);
	for (size_t i = 0; i < DIAG_LIFE_STATES; i++)
		json_int(j, diag_state_name(diag_life[i]), by_state[diag_life[i]]);
	json_end(j);
}

static void put_time(struct json *j, int64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;
	char day[32], whole[48];

	if (!gmtime_r(&s, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	snprintf(whole, sizeof(whole), "%s.%03dZ", day, (int)(wall_ms % 1000));
	json_cstr(j, "time", whole);
}

static void put_head(struct json *j, const struct report *r)
{
	uint32_t range = (uint32_t)(r->ports->high - r->ports->low + 1);

	json_cstr(j, "schema", "weir.watch/1");
	put_time(j, r->wall_ms);
	json_int(j, "time_unix_ms", r->wall_ms);
	json_object(j, "namespace");
	json_cstr(j, "name", r->where->name[0] ? r->where->name : NULL);
	json_int(j, "inode", (int64_t)r->where->inode);
	json_end(j);
	json_object(j, "port_range");
	json_int(j, "low", r->ports->low);
	json_int(j, "high", r->ports->high);
	json_int(j, "reserved", range - r->ports->usable);
	json_int(j, "listening", r->ports->usable - r->tally->usable);
	json_int(j, "usable", r->tally->usable);
	json_int(j, "cliff", r->tally->usable_first);
	json_end(j);
	json_object(j, "dump");
	json_int(j, "sockets", r->dump->told);
	json_int(j, "interrupted", r->dump->interrupted);
	json_bool(j, "whole", r->dump->whole);
	json_end(j);
}

static void put_states(struct json *j, const struct tally *t)
{
	json_array(j, "states");
	for (size_t i = 0; i < DIAG_LIFE_STATES; i++) {
		uint32_t first[FIRST_COUNT] = { 0 };
		uint32_t total = 0;

		json_object(j, NULL);
		json_cstr(j, "state", diag_state_name(diag_life[i]));
		for (int side = 0; side < SIDE_COUNT; side++) {
			const struct tally_side *s = &t->side[side];

			json_int(j, tally_side_name((enum tally_side_id)side),
				s->by_state[diag_life[i]]);
			total += s->by_state[diag_life[i]];
			for (int f = 0; f < FIRST_COUNT; f++)
				first[f] += s->state_first[diag_life[i]][f];
		}
		json_int(j, "total", total);
		put_by_first(j, "closed_first", first);
		json_end(j);
	}
	json_end(j);
}

static void put_sides(struct json *j, const struct tally *t)
{
	json_object(j, "sides");
	for (int side = 0; side < SIDE_COUNT; side++) {
		const struct tally_side *s = &t->side[side];

		json_object(j, tally_side_name((enum tally_side_id)side));
		json_int(j, "total", s->total);
		put_by_state(j, "states", s->by_state);
		put_by_first(j, "closed_first", s->by_first);
		json_int(j, "orphan_fin_wait2", s->orphan_fin_wait2);
		json_real(j, "time_wait_closes_per_s",
			s->by_state[DIAG_TIME_WAIT] / (double)TALLY_TIME_WAIT_S);
		json_real(j, "time_wait_closes_per_s_10s",
			s->fresh_time_wait / (double)TALLY_FRESH_S);
		json_end(j);
	}
	json_end(j);
}

static double share(uint32_t part, uint32_t whole)
{
	return whole ? 100.0 * part / whole : 0;
}

static void put_dest(struct json *j, const struct tally *t, const struct tally_dest *d)
{
	json_object(j, NULL);
	put_end(j, "to", &d->to, true);
	put_end(j, "from", &d->from, false);
	json_int(j, "total", d->total);
	put_by_state(j, "states", d->by_state);
	put_by_first(j, "closed_first", d->by_first);
	json_int(j, "orphan_fin_wait2", d->orphan_fin_wait2);
	json_int(j, "connects_unanswered", d->unanswered);
	json_int(j, "ports_used", d->used);
	json_int(j, "ports_left", d->left);
	json_int(j, "ports_reusable", d->reusable);
	json_real(j, "ports_used_percent", share(d->used, t->usable));
	json_int(j, "cliff_used", d->used_first);
	json_int(j, "cliff_left", d->cliff_left);
	json_real(j, "cliff_percent",
		share(t->usable_first - d->cliff_left, t->usable_first));
	json_bool(j, "past_cliff", d->used > 0 && d->cliff_left == 0);
	json_real(j, "time_wait_closes_per_s",
		d->by_state[DIAG_TIME_WAIT] / (double)TALLY_TIME_WAIT_S);
	json_real(j, "time_wait_closes_per_s_10s",
		d->fresh_time_wait / (double)TALLY_FRESH_S);
	json_int(j, "time_wait_settles_at", report_settles_at(d));
	json_end(j);
}

static uint32_t at_most(uint32_t n, uint32_t top)
{
	return n < top ? n : top;
}

static void put_dests(struct json *j, const struct report *r)
{
	const struct tally *t = r->tally;

	json_int(j, "destinations_total", t->n_dests);
	json_array(j, "destinations");
	for (uint32_t i = 0; i < at_most(t->n_dests, r->top); i++)
		put_dest(j, t, &t->dests[i]);
	json_end(j);
}

static void put_listeners(struct json *j, const struct report *r)
{
	const struct tally *t = r->tally;

	json_int(j, "listeners_total", t->n_listeners);
	json_array(j, "listeners");
	for (uint32_t i = 0; i < at_most(t->n_listeners, r->top); i++) {
		const struct tally_listener *l = &t->listeners[i];
		const struct owner *w = r->owners ? owners_find(r->owners, l->l.inode)
						  : NULL;

		json_object(j, NULL);
		put_end(j, "at", &l->l.at, true);
		json_int(j, "total", l->total);
		put_by_state(j, "states", l->by_state);
		json_int(j, "to_accept", l->l.waiting);
		json_int(j, "backlog", l->l.backlog);
		json_int(j, "uid", l->l.uid);
		if (w)
			json_int(j, "pid", w->pid);
		else
			json_null(j, "pid");
		json_cstr(j, "program", w ? w->comm : NULL);
		json_end(j);
	}
	json_end(j);
}

static void put_owners(struct json *j, const struct report *r)
{
	const struct owners *o = r->owners;

	if (!o) {
		json_null(j, "processes");
		return;
	}
	json_array(j, "processes");
	for (uint32_t i = 0; i < at_most(o->n, r->top); i++) {
		const struct owner *w = &o->v[i];

		json_object(j, NULL);
		json_int(j, "pid", w->pid);
		json_cstr(j, "program", w->comm);
		json_int(j, "established_in", w->established_in);
		json_int(j, "established_out", w->established_out);
		json_int(j, "close_wait", w->close_wait);
		json_int(j, "listening", w->listening);
		json_int(j, "other", w->other);
		json_end(j);
	}
	json_end(j);
	json_int(j, "processes_total", o->n);
	json_int(j, "sockets_unowned", o->unowned);
}

static void put_counters(struct json *j, const struct report *r)
{
	json_object(j, "counters");
#define X(field, group, name) json_int(j, #field, (int64_t)r->counters->field);
	DIAG_COUNTERS(X)
#undef X
	json_end(j);
}

static void put_close_rows(struct json *j, const char *key, const struct closes *c)
{
	json_array(j, key);
	for (int cell = 0; cell < SIDE_COUNT * CLOSE_FIRST_COUNT * WHY_COUNT; cell++) {
		int why = cell % WHY_COUNT;
		int first = cell / WHY_COUNT % CLOSE_FIRST_COUNT;
		int side = cell / WHY_COUNT / CLOSE_FIRST_COUNT;

		if (!c->count[side][first][why])
			continue;
		json_object(j, NULL);
		json_cstr(j, "side", tally_side_name((enum tally_side_id)side));
		json_cstr(j, "first", close_first_name((enum close_first)first));
		json_cstr(j, "why", close_why_name((enum close_why)why));
		json_int(j, "count", (int64_t)c->count[side][first][why]);
		json_end(j);
	}
	json_end(j);
}

static void put_clusters(struct json *j, const struct closes *c, enum tally_side_id side,
	enum close_why why)
{
	struct cluster found[CLUSTERS_MAX];
	uint32_t n = clusters_find(c->ages[side][why], found);

	for (uint32_t i = 0; i < n; i++) {
		json_object(j, NULL);
		json_cstr(j, "side", tally_side_name(side));
		json_cstr(j, "why", close_why_name(why));
		json_ms(j, "at_ms", found[i].at);
		json_int(j, "count", (int64_t)found[i].count);
		json_end(j);
	}
}

static void put_closes(struct json *j, const struct report *r)
{
	const struct report_closes *c = r->closes;

	if (!c) {
		json_null(j, "closes");
		return;
	}
	json_object(j, "closes");
	json_ms(j, "interval_ms", c->interval_for);
	put_close_rows(j, "interval", c->interval);
	json_ms(j, "since_start_ms", c->since_start_for);
	put_close_rows(j, "since_start", c->since_start);
	json_array(j, "clusters");
	for (int cell = 0; cell < SIDE_COUNT * WHY_COUNT; cell++)
		put_clusters(j, c->since_start, (enum tally_side_id)(cell / WHY_COUNT),
			(enum close_why)(cell % WHY_COUNT));
	json_end(j);
	watch_json_places(j, c->places, r->top);
	json_int(j, "lost", (int64_t)c->lost);
	json_int(j, "unseen_local", (int64_t)closes_unseen_local(c->since_start));
	json_end(j);
}

static void put_warnings(struct json *j, const struct report *r)
{
	json_array(j, "warnings");
	for (uint32_t i = 0; i < r->warnings.n; i++) {
		const struct warning *w = &r->warnings.v[i];

		json_object(j, NULL);
		json_cstr(j, "id", w->id);
		json_cstr(j, "level", warning_level_name(w->level));
		if (w->dest)
			put_end(j, "destination", &w->dest->to, true);
		else
			json_null(j, "destination");
		json_cstr(j, "text", w->text);
		json_end(j);
	}
	json_end(j);
	json_int(j, "warnings_left_out", r->warnings.left_out);
}

void watch_report_json(struct text *t, const struct report *r, bool pretty)
{
	struct json j;

	json_init(&j, t, pretty);
	json_object(&j, NULL);
	put_head(&j, r);
	put_states(&j, r->tally);
	put_sides(&j, r->tally);
	put_dests(&j, r);
	put_listeners(&j, r);
	put_owners(&j, r);
	put_counters(&j, r);
	put_closes(&j, r);
	put_warnings(&j, r);
	watch_json_heard(&j, r->heard);
	watch_json_causes(&j, r->causes, r->closes != NULL);
	json_end(&j);
	text_add_char(t, '\n');
}
