/* The resolver of the real loop against a nameserver of the test's own. */
#include <sys/socket.h>
#include <unistd.h>

#include "io/dns.h"
#include "io/dns_answer.h"
#include "tests/unit/base/unit.h"
#include "tests/unit/io/nameserver.h"

struct scene {
	struct nameserver server;
	struct io_loop *loop;
	struct dns *dns;
};

struct ask {
	struct dns_lookup lookup;
	struct dns_answer answer;
	struct text got; /* "10.0.0.1:80 [::1]:80" */
	uint32_t told;
};

static void on_done(struct dns_lookup *l, const struct dns_answer *answer)
{
	struct ask *a = CONTAINER_OF(l, struct ask, lookup);

	assert_false(dns_is_asking(l));
	a->answer = *answer;
	a->told++;
	for (uint32_t i = 0; i < answer->n; i++) {
		text_add(&a->got, i ? " " : "");
		text_add_addr(&a->got, &answer->addrs[i]);
	}
}

static void ask_start(struct scene *s, struct ask *a, const char *name)
{
	*a = (struct ask){ .lookup.on_done = on_done };
	text_init(&a->got);
	dns_lookup(s->dns, &a->lookup, slice_of(name), 80);
	assert_true(dns_is_asking(&a->lookup));
	assert_int_equal(a->told, 0); /* not inside the call */
}

static void scene_with(struct scene *s, const char *more_servers)
{
	struct problem p = { "" };
	struct text servers;

	nameserver_start(&s->server);
	s->loop = io_loop_new(NULL);
	text_init(&servers);
	text_addf(&servers, "%s127.0.0.1:%u", more_servers, s->server.port);
	s->dns = dns_new(s->loop,
		&(struct dns_cfg){
			.servers = servers.ptr, .try_for = 500 * NS_MS, .tries = 2 },
		&p);
	assert_non_null(s->dns);
	text_fini(&servers);
}

static void scene_fini(struct scene *s)
{
	dns_free(&s->dns);
	assert_null(s->dns);
	io_loop_free(&s->loop); /* no socket and no timer is left */
	nameserver_stop(&s->server);
}

struct row {
	const char *name, *got;
	enum dns_result result;
	ns_t ttl;
	const char *why;
};

static void check_row(struct scene *s, const struct row *row)
{
	struct ask a;

	ask_start(s, &a, row->name);
	io_loop_run(s->loop); /* and ends: nothing is left */
	assert_int_equal(a.told, 1);
	assert_string_equal(a.got.ptr ? a.got.ptr : "", row->got);
	assert_int_equal(a.answer.result, row->result);
	assert_int_equal(a.answer.ttl, row->ttl);
	assert_string_equal(a.answer.why, row->why);
	text_fini(&a.got);
}

static void answers(void **state)
{
	static const struct row rows[] = {
		{ "one.test.", "10.0.0.1:80", DNS_FOUND, 30 * NS_S, "" },
		{ "ONE.test", "10.0.0.1:80", DNS_FOUND, 30 * NS_S, "" },
		{ "both.test.", "[2001:db8::1]:80 10.0.0.1:80 10.0.0.2:80", DNS_FOUND,
			100 * NS_S, "" },
		{ "zero.test.", "10.0.0.1:80", DNS_FOUND, NS_S, "" },
		{ "long.test.", "10.0.0.1:80", DNS_FOUND, 3600 * NS_S, "" },
		{ "alias.test.", "10.0.0.1:80", DNS_FOUND, 5 * NS_S, "" },
		{ "lame.test.", "10.0.0.1:80", DNS_FOUND, 30 * NS_S, "" },
		{ "half.test.", "10.0.0.1:80", DNS_FOUND, 30 * NS_S, "" },
		{ "dangling.test.", "", DNS_NO_NAME, 40 * NS_S,
			"the name has no address" },
		{ "gone.test.", "", DNS_NO_NAME, 7 * NS_S, "no such name" },
		{ "forever.test.", "", DNS_NO_NAME, 300 * NS_S, "no such name" },
		{ "bare.test.", "", DNS_NO_NAME, 5 * NS_S, "no such name" },
		{ "silent.test.", "", DNS_FAILED, 5 * NS_S,
			"Timeout while contacting DNS servers" },
		{ "broken.test.", "", DNS_FAILED, 5 * NS_S,
			"Could not contact DNS servers" },
		{ "garbage.test.", "", DNS_FAILED, 5 * NS_S, "Misformatted DNS reply" },
		{ "127.0.0.1", "127.0.0.1:80", DNS_FOUND, NS_NEVER, "" },
		{ "::1", "[::1]:80", DNS_FOUND, NS_NEVER, "" },
		{ "[::1]", "[::1]:80", DNS_FOUND, NS_NEVER, "" },
		{ "unix:/run/x", "unix:/run/x", DNS_FOUND, NS_NEVER, "" },
		{ "a..b", "", DNS_FAILED, 5 * NS_S, "that can be no name" },
		{ "", "", DNS_FAILED, 5 * NS_S, "that can be no name" },
		{ "x.localhost", "[::1]:80 127.0.0.1:80", DNS_FOUND, 60 * NS_S, "" },
		/* by the search list */
		{ "host", "10.9.9.9:80", DNS_FOUND, 30 * NS_S, "" },
		{ "nobody", "", DNS_NO_NAME, 40 * NS_S, "no such name" },
		{ "gone.invalid", "", DNS_NO_NAME, 5 * NS_S, "no such name" },
	};
	struct scene s;
	(void)state;

	scene_with(&s, "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&s, &rows[i]);
	assert_int_equal(s.server.asked_tcp, 0);
	scene_fini(&s);
}

static void localhost_by_the_hosts_file(void **state)
{
	struct scene s;
	struct ask a;
	(void)state;

	scene_with(&s, "");
	ask_start(&s, &a, "localhost");
	io_loop_run(s.loop);
	assert_non_null(strstr(a.got.ptr, "127.0.0.1:80"));
	assert_int_equal(a.answer.ttl, 60 * NS_S);
	assert_int_equal(s.server.asked, 0);
	text_fini(&a.got);
	scene_fini(&s);
}

static void truncated_goes_to_tcp(void **state)
{
	struct scene s;
	struct ask a;
	(void)state;

	scene_with(&s, "");
	ask_start(&s, &a, "big.test.");
	io_loop_run(s.loop);
	assert_int_equal(a.answer.result, DNS_FOUND);
	assert_int_equal(a.answer.n, DNS_ADDRS_MAX); /* of 20 */
	assert_true(s.server.asked_tcp > 0);
	text_fini(&a.got);
	scene_fini(&s);
}

/* A port of loopback where nobody is. */
static uint16_t dead_port(void)
{
	struct nameserver s;
	nameserver_start(&s);
	nameserver_stop(&s);
	return s.port;
}

static void a_server_that_is_down(void **state)
{
	struct scene s;
	struct ask a;
	struct text dead;
	(void)state;

	text_init(&dead);
	text_addf(&dead, "127.0.0.1:%u,", dead_port());
	scene_with(&s, dead.ptr);
	for (int i = 0; i < 3; i++) { /* the second is asked at once */
		ask_start(&s, &a, "one.test.");
		io_loop_run(s.loop);
		assert_string_equal(a.got.ptr, "10.0.0.1:80");
		text_fini(&a.got);
	}
	scene_fini(&s);
	text_fini(&dead);
}

static void all_servers_are_down(void **state)
{
	struct io_loop *loop = io_loop_new(NULL);
	struct problem p = { "" };
	struct scene s = { .loop = loop };
	struct text dead;
	struct ask a;
	(void)state;

	text_init(&dead);
	text_addf(&dead, "127.0.0.1:%u", dead_port());
	s.dns = dns_new(loop,
		&(struct dns_cfg){ .servers = dead.ptr, .try_for = 100 * NS_MS }, &p);
	ask_start(&s, &a, "one.test.");
	io_loop_run(loop);
	assert_int_equal(a.told, 1);
	assert_int_equal(a.answer.result, DNS_FAILED);
	assert_string_equal(a.answer.why, "Could not contact DNS servers");
	text_fini(&a.got);
	text_fini(&dead);
	dns_free(&s.dns);
	io_loop_free(&loop);
}

static void many_at_once(void **state)
{
	static const char *const names[] = { "one.test.", "both.test.", "gone.test.",
		"half.test.", "big.test.", "silent.test.", "10.0.0.7", "alias.test." };
	struct ask asks[64];
	struct scene s;
	(void)state;

	scene_with(&s, "");
	for (size_t i = 0; i < ARRAY_LEN(asks); i++)
		ask_start(&s, &asks[i], names[i % ARRAY_LEN(names)]);
	io_loop_run(s.loop);
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		assert_int_equal(asks[i].told, 1);
		assert_int_equal(asks[i].answer.result, i % 8 == 2   ? DNS_NO_NAME
							: i % 8 == 5 ? DNS_FAILED
								     : DNS_FOUND);
		text_fini(&asks[i].got);
	}
	scene_fini(&s);
}

struct pause {
	struct timer timer;
	struct io_loop *loop;
};

static void on_pause_over(struct timer *t)
{
	io_loop_stop(CONTAINER_OF(t, struct pause, timer)->loop);
}

static void run_for(struct scene *s, ns_t for_ns)
{
	struct pause p = { .timer.on_fire = on_pause_over, .loop = s->loop };

	io_timer_set(s->loop, &p.timer, io_clock(s->loop) + for_ns);
	io_loop_run(s->loop);
}

/* In each phase: before the question, while it is under way, with one family known. */
static void cancel_in_flight(void **state)
{
	static const char *const names[] = { "silent.test.", "half.test.", "one.test.",
		"big.test.", "127.0.0.1", "nobody" };
	struct scene s;
	(void)state;

	scene_with(&s, "");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		for (ns_t wait = 0; wait <= 20 * NS_MS; wait += 4 * NS_MS) {
			struct ask *a = mem_zalloc(sizeof(*a));
			if (wait > 0)
				run_for(&s, wait);
			dns_cancel(&a->lookup);
			dns_cancel(&a->lookup);
			assert_false(dns_is_asking(&a->lookup));
			text_fini(&a->got);
			mem_free(a); /* nobody may touch it any more */
		}
	}
	io_loop_run(s.loop); /* what was owed comes and is dropped */
	scene_fini(&s);
}

static void free_in_flight(void **state)
{
	struct scene s;
	struct ask asks[3];
	(void)state;

	scene_with(&s, "");
	ask_start(&s, &asks[0], "silent.test.");
	ask_start(&s, &asks[1], "half.test.");
	run_for(&s, 5 * NS_MS);
	ask_start(&s, &asks[2], "10.0.0.1");
	dns_free(&s.dns);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(asks[i].told, 0);
		assert_false(dns_is_asking(&asks[i].lookup));
		text_fini(&asks[i].got);
	}
	scene_fini(&s);
}

/* on_done may ask again, and may end it all. */
struct chain {
	struct dns_lookup lookup;
	struct scene *scene;
	uint32_t left;
};

static void on_link(struct dns_lookup *l, const struct dns_answer *answer)
{
	struct chain *c = CONTAINER_OF(l, struct chain, lookup);
	assert_int_equal(answer->result, DNS_FOUND);
	if (--c->left > 0)
		dns_lookup(c->scene->dns, l, SLICE("one.test."), 80);
	else
		dns_free(&c->scene->dns);
}

static void ask_again_and_free_in_on_done(void **state)
{
	struct scene s;
	struct chain c = { .lookup.on_done = on_link, .scene = &s, .left = 3 };
	(void)state;

	scene_with(&s, "");
	dns_lookup(s.dns, &c.lookup, SLICE("one.test."), 80);
	io_loop_run(s.loop);
	assert_int_equal(c.left, 0);
	scene_fini(&s);
}

static void servers_as_users_write_them(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = { { "10.0.0.53", true }, { "10.0.0.53:5353, [::1]:53", true },
		{ "::1", true }, { "[2001:db8::53]", true }, { "", false },
		{ ",", false }, { "dns.example.com", false }, { "10.0.0.53:0", false },
		{ "10.0.0.53:", false }, { ":53", false }, { "unix:/x", false },
		{ "10.0.0.53:66000", false } };
	struct io_loop *loop = io_loop_new(NULL);
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct problem p = { "" };
		struct dns *d = dns_new(
			loop, &(struct dns_cfg){ .servers = rows[i].text }, &p);
		assert_int_equal(d != NULL, rows[i].ok);
		assert_int_equal(p.text[0] == '\0', rows[i].ok);
		dns_free(&d);
	}
	io_loop_free(&loop);
}

/* Every prefix of a negative answer, and every byte of it changed: no more is read than is
 * there (under the sanitizers). */
static void negative_ttl_of_mutilated_messages(void **state)
{
	static const uint8_t whole[] = { 0, 1, 0x84, 0x83, 0, 1, 0, 0, 0, 1, 0,
		0,                                          /* head */
		4, 'g', 'o', 'n', 'e', 0, 0, 1, 0, 1,       /* question */
		0xc0, 12, 0, 6, 0, 1, 0, 0, 3, 132, 0, 24,  /* SOA, TTL 900 */
		0xc0, 12, 0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 0, /* names, serial, refresh */
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7 };       /* retry, expire, minimum */
	(void)state;

	assert_int_equal(dns_negative_ttl(whole, sizeof(whole)), 7 * NS_S);
	for (size_t len = 0; len < sizeof(whole); len++) {
		uint8_t *cut = mem_alloc(len + 1);
		memcpy(cut, whole, len);
		assert_int_equal(dns_negative_ttl(cut, len), 0);
		mem_free(cut);
	}
	for (size_t at = 0; at < sizeof(whole); at++) {
		for (int value = 0; value < 256; value++) {
			uint8_t *copy = mem_alloc(sizeof(whole));
			memcpy(copy, whole, sizeof(whole));
			copy[at] = (uint8_t)value;
			assert_true(dns_negative_ttl(copy, sizeof(whole)) >= 0);
			mem_free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers),
		TEST(localhost_by_the_hosts_file),
		TEST(truncated_goes_to_tcp),
		TEST(a_server_that_is_down),
		TEST(all_servers_are_down),
		TEST(many_at_once),
		TEST(cancel_in_flight),
		TEST(free_in_flight),
		TEST(ask_again_and_free_in_on_done),
		TEST(servers_as_users_write_them),
		TEST(negative_ttl_of_mutilated_messages),
	};
	/* c-ares takes them over resolv.conf's: the same on every host */
	(void)setenv("LOCALDOMAIN", "corp.test", 1);
	(void)setenv("RES_OPTIONS", "ndots:1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
