#include "watch/json_causes.h"

static void put_at(struct json *j, const struct diag_end *at)
{
	struct text t;

	text_init(&t);
	text_add_end(&t, at);
	json_str(j, "at", text_slice(&t));
	text_fini(&t);
}

/* Places. */

static void put_rows(struct json *j, const struct place *p)
{
	json_array(j, "closes");
	for (int cell = 0; cell < CLOSE_FIRST_COUNT * WHY_COUNT; cell++) {
		enum close_first first = (enum close_first)(cell / WHY_COUNT);
		enum close_why why = (enum close_why)(cell % WHY_COUNT);

		if (!p->count[first][why])
			continue;
		json_object(j, NULL);
		json_cstr(j, "first", close_first_name(first));
		json_cstr(j, "why", close_why_name(why));
		json_int(j, "count", (int64_t)p->count[first][why]);
		json_end(j);
	}
	json_end(j);
}

static int most_first(const void *a, const void *b)
{
	const struct place *x = *(const struct place *const *)a;
	const struct place *y = *(const struct place *const *)b;

	return x->total == y->total ? 0 : x->total > y->total ? -1 : 1;
}

void watch_json_places(struct json *j, const struct places *p, uint32_t top)
{
	const struct place **v = mem_alloc((p->n + 1) * sizeof(*v));

	for (uint32_t i = 0; i < p->n; i++)
		v[i] = p->v[i];
	qsort(v, p->n, sizeof(*v), most_first);
	json_int(j, "places_total", p->n);
	json_array(j, "places");
	for (uint32_t i = 0; i < p->n && i < top; i++) {
		json_object(j, NULL);
		json_cstr(j, "side", tally_side_name(v[i]->side));
		put_at(j, &v[i]->at);
		json_int(j, "total", (int64_t)v[i]->total);
		json_int(j, "connects_refused", (int64_t)v[i]->connects_refused);
		json_int(j, "connects_unanswered", (int64_t)v[i]->connects_unanswered);
		put_rows(j, v[i]);
		json_end(j);
	}
	json_end(j);
	json_int(j, "elsewhere", (int64_t)p->elsewhere);
	mem_free(v);
}

/* Words. */

static void put_words(struct json *j, const struct heard_words *w)
{
	json_object(j, NULL);
	put_at(j, &w->at);
	json_int(j, "status", w->status);
	json_cstr(j, "text", w->text);
	json_int(j, "count", (int64_t)w->count);
	json_cstr(j, "refusal", w->refusal);
	json_end(j);
}

void watch_json_heard(struct json *j, const struct heard *h)
{
	if (!h) {
		json_null(j, "words");
		return;
	}
	const struct heard_words *v[HEARD_MAX];
	uint32_t n = heard_sorted(h, v);

	json_array(j, "words");
	for (uint32_t i = 0; i < n; i++)
		put_words(j, v[i]);
	json_end(j);
	json_int(j, "words_left_out", (int64_t)h->dropped);
	json_int(j, "words_lost", (int64_t)h->lost);
}

/* Causes. */

static void put_users(struct json *j, const struct cause *c)
{
	const struct users_of_place *u = c->users;

	json_array(j, "programs");
	for (uint32_t i = 0; u && i < u->n; i++) {
		json_object(j, NULL);
		json_int(j, "pid", u->v[i].pid);
		json_cstr(j, "program", u->v[i].comm);
		json_cstr(j, "runtime", runtime_name(u->v[i].runtime));
		json_bool(j, "more_processes", u->v[i].more);
		json_bool(j, "seen_to_end", c->whose >> i & 1);
		json_end(j);
	}
	json_end(j);
	json_bool(j, "more_programs", u && u->more);
}

static void put_cures(struct json *j, const struct cause *c)
{
	json_array(j, "cures");
	for (uint32_t i = 0; i < c->n_cures; i++) {
		json_object(j, NULL);
		json_cstr(j, "runtime",
			c->cures[i].runtime == RUNTIME_UNKNOWN
				? NULL
				: runtime_name(c->cures[i].runtime));
		json_cstr(j, "text", c->cures[i].text);
		json_end(j);
	}
	json_end(j);
}

static void put_cause(struct json *j, const struct cause *c)
{
	json_object(j, NULL);
	json_cstr(j, "id", cause_name(c->id));
	json_cstr(j, "level", warning_level_name(c->level));
	json_cstr(j, "side", tally_side_name(c->place->side));
	put_at(j, &c->place->at);
	json_int(j, "count", (int64_t)c->count);
	json_int(j, "of", (int64_t)c->of);
	put_users(j, c);
	json_cstr(j, "text", c->text);
	json_cstr(j, "says", c->words ? c->words->text : NULL);
	put_cures(j, c);
	json_end(j);
}

void watch_json_causes(struct json *j, const struct causes *c, bool stayed)
{
	if (!stayed) {
		json_null(j, "diagnosis");
	} else {
		json_array(j, "diagnosis");
		for (uint32_t i = 0; i < c->n; i++)
			put_cause(j, &c->v[i]);
		json_end(j);
		json_int(j, "diagnosis_left_out", c->left_out);
	}
	json_array(j, "not_the_cause");
	for (uint32_t i = 0; i < c->n_out; i++) {
		json_object(j, NULL);
		json_cstr(j, "id", c->out[i].id);
		json_cstr(j, "text", c->out[i].text);
		json_end(j);
	}
	json_end(j);
}
