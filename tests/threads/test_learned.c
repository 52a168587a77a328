/*
 * What real threads learn of one server together (http/vitals.h, http/hangups.h): each tells what
 * its calls met and asks what stands, at random, and what must hold holds at every look.
 */
#include <math.h>
#include <pthread.h>

#include "base/rng.h"
#include "http/hangups.h"
#include "http/vitals.h"
#include "tests/unit/base/unit.h"

#define HANDS 4
#define PLACES 3

struct play {
	struct vitals *vitals;
	struct hangups *hangups;
	struct addr places[PLACES];
	_Atomic ns_t clock;
	uint64_t looks; /* of each hand */
};

struct player {
	struct play *play;
	uint32_t nth;
	pthread_t thread;
	struct rng rng;
	uint64_t out; /* looks at which a place was left out */
};

static uint64_t looks(void)
{
	return getenv("WEIR_SANITIZED") ? 20000 : 100000;
}

/* Of the first place most calls fail, of the others few. */
static void tell_end(
	struct player *p, struct vital **all, const struct health_set *set, ns_t now)
{
	uint64_t at = rng_below(&p->rng, PLACES);
	bool bad = rng_below(&p->rng, 10) < (at ? 1 : 9);
	struct vital *v = all[at];
	const struct health verdict = vital_verdict(v);
	if (verdict.state != HEALTH_IN && health_is_due(&verdict, now))
		vitals_try(p->play->vitals, v, now);
	(void)vitals_note(p->play->vitals, v, set, bad ? HEALTH_BAD : HEALTH_GOOD,
		now - (ns_t)rng_below(&p->rng, 10 * NS_MS), now);
}

/* An assertion of cmocka's ends the main thread alone. */
static void look_at_places(struct player *p, struct vital **all)
{
	for (int i = 0; i < PLACES; i++) {
		const struct health h = vital_view(p->play->vitals, all[i]);
		CHECK(h.good >= 0 && h.bad >= 0 && isfinite(h.good + h.bad));
		CHECK(h.state != HEALTH_OUT || h.until > h.since);
		p->out += vital_state(all[i]) == HEALTH_OUT;
	}
}

/* A server that frees slots: who is hung up on ends soon, the others late. */
static void give_up(struct player *p, ns_t now)
{
	struct hangups *h = p->play->hangups;
	hangups_note_took(h, (ns_t)rng_below(&p->rng, NS_S), now);
	enum hangup_arm arm = hangups_ask(h, 64, hangups_natural_end(h, now, now), now);
	if (arm != HANGUP_OUT)
		(void)hangups_ended(h, arm, arm != HANGUP_LEFT, now);
	hangups_note_served(h);
	ns_t until;
	if (rng_below(&p->rng, 1000) == 0)
		(void)hangups_note_refused(h, now);
	if (hangups_owes(h, now, &until))
		CHECK(until > now);
}

static void *play(void *arg)
{
	struct player *p = arg;
	struct play *g = p->play;
	struct vital *all[PLACES];
	struct health_set set = { .n = PLACES, .share = 0.5 };
	for (uint64_t i = 0; i < g->looks; i++) {
		ns_t now = atomic_fetch_add(&g->clock, NS_MS);
		if (i % 1000 == 0) {
			for (int k = 0; k < PLACES; k++) {
				if (i)
					vitals_give(g->vitals, &all[k]);
				all[k] = vitals_take(
					g->vitals, &g->places[k], SLICE("host"), now);
				set.all[k] = &all[k]->health;
			}
		}
		tell_end(p, all, &set, now);
		look_at_places(p, all);
		give_up(p, now);
	}
	for (int k = 0; k < PLACES; k++)
		vitals_give(g->vitals, &all[k]);
	return NULL;
}

static void test_what_is_learned_together_holds(void **state)
{
	(void)state;
	struct play g = { .clock = NS_S, .looks = looks() };
	struct player players[HANDS];
	uint64_t out = 0;
	g.vitals = vitals_new();
	g.hangups = hangups_new(1);
	for (uint32_t i = 0; i < PLACES; i++) {
		struct problem why;
		assert_true(addr_parse(SLICE("10.0.0.1:80"), &g.places[i], &why));
		addr_set_port(&g.places[i], (uint16_t)(80 + i));
	}
	for (uint32_t i = 0; i < HANDS; i++) {
		players[i] = (struct player){ .play = &g, .nth = i };
		rng_init(&players[i].rng, i + 1);
		assert_int_equal(
			pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
	}
	for (uint32_t i = 0; i < HANDS; i++) {
		assert_int_equal(pthread_join(players[i].thread, NULL), 0);
		out += players[i].out;
	}
	const struct hangup h = hangups_view(g.hangups);
	assert_int_equal(h.watched, 0);
	assert_true(h.changes > 0 && out > 0 && vitals_changes(g.vitals) > 0);
	hangups_unref(&g.hangups);
	vitals_unref(&g.vitals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_learned_together_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
