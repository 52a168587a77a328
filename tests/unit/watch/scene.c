#include "tests/unit/watch/scene.h"

void scene_init(struct scene *s, enum tally_side_id side)
{
	memset(s, 0, sizeof(*s));
	s->place.side = side;
	assert_true(diag_end_parse("10.0.0.2", 8080, &s->place.at));
	s->of_places[0] = &s->place;
	s->places = (struct places){ .v = s->of_places, .n = 1 };
	s->tally.usable = 28232;
	s->tally.usable_first = 14116;
	s->from = (struct causes_from){
		.places = &s->places,
		.users = &s->users,
		.heard = &s->heard,
		.tally = &s->tally,
		.before = &s->before,
		.now = &s->now,
		.since_start_for = 60 * NS_S,
	};
}

void seen_there(struct scene *s, enum runtime runtime)
{
	s->user = (struct users_of_place){
		.side = s->place.side, .at = s->place.at, .n = 1
	};
	s->user.v[0] = (struct user){ .pid = 7, .runtime = runtime, .ended = true };
	s->users = (struct users){ .v = &s->user, .n = 1 };
}

void heard_there(struct scene *s, uint16_t status, uint32_t count)
{
	s->heard.v[s->heard.n++] = (struct heard_words){
		.at = s->place.at, .status = status, .count = count
	};
}

void closes(struct scene *s, enum close_first first, enum close_why why, uint32_t n)
{
	s->place.count[first][why] += n;
	s->place.total += n;
}

void closed_by_us(struct scene *s, uint32_t once, uint32_t few, uint32_t many)
{
	closes(s, CLOSE_LOCAL_OR_BOTH, WHY_AFTER_ANSWER, once + few + many);
	s->place.by_us = (struct place_uses){
		.n = { [PLACE_ONCE] = once, [PLACE_FEW] = few, [PLACE_MANY] = many }
	};
}

void ages_put_many(struct ages *ages, uint32_t n, ns_t at)
{
	for (uint32_t i = 0; i < n; i++)
		ages_put(ages, at);
}

const struct cause *only_cause(struct scene *s)
{
	causes_find(&s->c, &s->from);
	assert_true(s->c.n <= 1);
	return s->c.n ? &s->c.v[0] : NULL;
}

void assert_cause(struct scene *s, const char *name)
{
	assert_non_null(only_cause(s));
	assert_string_equal(cause_name(s->c.v[0].id), name);
}
