#include "tests/unit/base/unit.h"
#include "watch/users.h"

static struct diag_end end_at(uint16_t port)
{
	struct diag_end e;

	assert_true(diag_end_parse("10.0.0.2", port, &e));
	return e;
}

/* One program, which holds all there is, towards ports 1 to `n` of one server. */
struct scene {
	struct snap snap;
	struct diag_ports ports;
	struct tally tally;
	struct owner owner;
	struct owner_socket sockets[2];
	struct owners owners;
	struct places places;
	struct users users;
};

static void scene_init(struct scene *s, uint16_t n)
{
	struct diag_sock sock = { .state = DIAG_ESTABLISHED, .inode = 7 };

	memset(s, 0, sizeof(*s));
	snap_init(&s->snap);
	tally_init(&s->tally);
	places_init(&s->places);
	users_init(&s->users);
	assert_true(diag_ports_parse(SLICE("32768\t60999"), SLICE_NONE, &s->ports));
	assert_true(diag_end_parse("10.0.0.1", 40000, &sock.local));
	for (uint16_t port = 1; port <= n; port++) {
		sock.remote = end_at(port);
		s->snap.visitor.on_sock(&s->snap.visitor, &sock);
	}
	tally_make(&s->tally, &s->snap, &s->ports, NULL, 0);
	s->owner = (struct owner){ .pid = INT32_MAX, .comm = "python3" };
	s->sockets[0] = s->sockets[1] = (struct owner_socket){ .inode = 7 };
	s->owners = (struct owners){
		.v = &s->owner, .n = 1, .sockets = s->sockets, .cap_sockets = 2
	};
}

static void scene_fini(struct scene *s)
{
	users_fini(&s->users);
	places_fini(&s->places);
	tally_fini(&s->tally);
	snap_fini(&s->snap);
}

static void learn(struct scene *s)
{
	const struct owners_of of = { NULL, &s->snap, &s->tally, &s->ports, 0 };

	users_learn(&s->users, &s->places, &s->owners, &of);
}

static void closes_at(struct scene *s, uint16_t port)
{
	const struct diag_sock record = { .local = end_at(40000),
		.remote = end_at(port) };

	places_death(&s->places, &(struct place_close){ &record, SIDE_OUT, 0, false },
		&(struct close_verdict){ CLOSE_LOCAL, WHY_AFTER_ANSWER, 0 });
}

/* One that the program had held. */
static void ends_at(struct scene *s, uint16_t port)
{
	const struct diag_sock record = { .local = end_at(40000),
		.remote = end_at(port) };

	users_ended(&s->users, &s->places,
		&(struct place_close){ &record, SIDE_OUT, 0, false },
		&(struct close_verdict){ CLOSE_LOCAL, WHY_AFTER_ANSWER, 0 }, &s->owner);
}

static void who_holds_a_connection_is_named(void **state)
{
	const struct diag_end at = end_at(3);
	const struct users_of_place *u;
	struct scene s;

	(void)state;
	scene_init(&s, 3);
	closes_at(&s, 3);
	assert_true(users_are_missing(&s.users, &s.places));
	learn(&s);
	assert_true(users_are_missing(&s.users, &s.places)); /* whose that one was */
	u = users_find(&s.users, SIDE_OUT, &at);
	assert_non_null(u);
	assert_false(u->v[0].ended);
	ends_at(&s, 3);
	assert_false(users_are_missing(&s.users, &s.places));
	assert_true(u->v[0].ended);
	assert_non_null(u);
	assert_int_equal(u->n, 1);
	assert_string_equal(u->v[0].comm, "python3");
	assert_null(users_find(&s.users, SIDE_IN, &at));
	scene_fini(&s);
}

static void how_a_programs_connections_ended_is_counted(void **state)
{
	const struct diag_end at = end_at(1);
	const struct user *u;
	struct diag_sock r = { .local = end_at(40000), .remote = at, .has_info = true };
	struct place_close close = { &r, SIDE_OUT, 0, false };
	struct scene s;

	(void)state;
	scene_init(&s, 1);
	users_ended(&s.users, &s.places, &close,
		&(struct close_verdict){ CLOSE_LOCAL, WHY_NO_ANSWER, 0 }, &s.owner);
	users_ended(&s.users, &s.places, &close,
		&(struct close_verdict){ CLOSE_PEER, WHY_IDLE, 0 }, &s.owner);
	users_ended(&s.users, &s.places, &close,
		&(struct close_verdict){ CLOSE_LOCAL, WHY_AFTER_ANSWER, 0 }, &s.owner);
	users_ended(&s.users, &s.places, &close, NULL, &s.owner);
	u = users_find(&s.users, SIDE_OUT, &at)->v;
	assert_int_equal(u->closes.here[WHY_NO_ANSWER], 1);
	assert_int_equal(u->closes.there[WHY_IDLE], 1);
	assert_int_equal(u->closes.here[WHY_AFTER_ANSWER], 1);
	assert_false(u->reused);
	r.info = (struct diag_info){
		.data_segs_in = 9, .data_segs_out = 9, .bytes_sent = 900
	};
	users_ended(&s.users, &s.places, &close,
		&(struct close_verdict){ CLOSE_LOCAL, WHY_AFTER_ANSWER, 0 }, &s.owner);
	assert_int_equal(u->closes.here[WHY_AFTER_ANSWER], 1); /* it had done its work */
	assert_true(u->reused && u->reused_many);
	scene_fini(&s);
}

/* One name more than is kept tells whose they are as well as a name. */
static void that_there_were_others_is_news(void **state)
{
	const uint16_t many = USERS_OF_PLACE_MAX + 1;
	struct scene s;

	(void)state;
	scene_init(&s, 1);
	closes_at(&s, 1);
	for (uint16_t i = 0; i < many; i++) {
		snprintf(s.owner.comm, sizeof(s.owner.comm), "job%u", (unsigned)i);
		learn(&s);
		assert_int_equal(users_are_missing(&s.users, &s.places), i + 1 < many);
	}
	scene_fini(&s);
}

/* Of connects that failed, whoever connects there is good enough; of closes he is not. */
static void closes_after_connects_that_failed_are_asked_for(void **state)
{
	struct diag_sock failed = { .has_info = true, .remote = end_at(1) };
	struct scene s;

	(void)state;
	scene_init(&s, 1);
	failed.info.segs_out = 1;
	places_connect(&s.places, &failed, SIDE_OUT);
	assert_true(users_are_missing(&s.users, &s.places));
	learn(&s);
	assert_false(users_are_missing(&s.users, &s.places));
	closes_at(&s, 1);
	assert_true(users_are_missing(&s.users, &s.places));
	ends_at(&s, 1);
	assert_false(users_are_missing(&s.users, &s.places));
	scene_fini(&s);
}

/* More destinations than are kept, and then closes at one that was not. */
static void a_place_with_closes_has_room_where_others_have_none(void **state)
{
	const uint16_t many = USERS_MAX + 50;
	struct diag_end at;
	struct scene s;

	(void)state;
	scene_init(&s, many);
	learn(&s);
	assert_int_equal(s.users.n, USERS_MAX - PLACES_MAX);
	for (uint16_t port = 1; port <= many; port++) {
		at = end_at(port);
		if (!users_find(&s.users, SIDE_OUT, &at))
			break;
	}
	closes_at(&s, at.port);
	assert_true(users_are_missing(&s.users, &s.places));
	learn(&s);
	assert_non_null(users_find(&s.users, SIDE_OUT, &at));
	ends_at(&s, at.port);
	assert_false(users_are_missing(&s.users, &s.places));
	assert_int_equal(s.users.n, USERS_MAX - PLACES_MAX + 1);
	for (uint16_t port = 1; port <= many; port++)
		closes_at(&s, port);
	learn(&s);
	assert_in_range(s.users.n, PLACES_MAX, USERS_MAX);
	for (uint32_t i = 0; i < s.places.n; i++)
		ends_at(&s, s.places.v[i]->at.port);
	assert_false(users_are_missing(&s.users, &s.places));
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_holds_a_connection_is_named),
		TEST(how_a_programs_connections_ended_is_counted),
		TEST(that_there_were_others_is_news),
		TEST(closes_after_connects_that_failed_are_asked_for),
		TEST(a_place_with_closes_has_room_where_others_have_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
