/* Patterns of hosts, addresses and ports, and what they let through. */
#include "flow/allow.h"
#include "tests/unit/base/unit.h"

struct lists {
	struct allow_list allowed, denied;
	const struct allow_rule *by;
};

static struct lists lists_of(const char *allowed, const char *denied)
{
	struct lists l = { .by = NULL };
	struct problem p = { "" };
	if (allowed)
		assert_true(allow_add(&l.allowed, allowed, &p));
	if (denied)
		assert_true(allow_add(&l.denied, denied, &p));
	return l;
}

static void lists_fini(struct lists *l)
{
	allow_fini(&l->allowed);
	allow_fini(&l->denied);
}

static struct allow_ip ip_of(const char *digits)
{
	struct allow_ip ip;
	assert_true(allow_ip_parse(slice_of(digits), &ip));
	return ip;
}

/* "host" or "host=address"; a tunnel unless the port is said to be HTTP's. */
static enum allow_verdict judge_as(struct lists *l, const char *host, const char *address,
	uint16_t port, bool tunnel)
{
	struct allow_ip ip;
	struct allow_target t = {
		.host = slice_of(host), .port = port, .tunnel = tunnel
	};
	if (address) {
		ip = ip_of(address);
		t.ip = &ip;
	}
	return allow_judge(&l->allowed, &l->denied, &t, &l->by);
}

static enum allow_verdict judge(const char *allowed, const char *denied, const char *host,
	const char *address, uint16_t port)
{
	struct lists l = lists_of(allowed, denied);
	enum allow_verdict v = judge_as(&l, host, address, port, false);
	lists_fini(&l);
	return v;
}

#define PUBLIC "93.184.216.34"

static void test_defaults_reach_the_public_internet(void **state)
{
	(void)state;
	struct lists l = lists_of(NULL, NULL);
	assert_int_equal(judge_as(&l, "example.com", PUBLIC, 80, false), ALLOW_OK);
	assert_int_equal(judge_as(&l, "example.com", PUBLIC, 443, false), ALLOW_OK);
	assert_int_equal(judge_as(&l, "example.com", PUBLIC, 8080, false), ALLOW_OK);
	assert_int_equal(judge_as(&l, "example.com", PUBLIC, 1024, false), ALLOW_OK);
	assert_int_equal(judge_as(&l, "example.com", PUBLIC, 1023, false), ALLOW_PORT);
	assert_int_equal(judge_as(&l, "example.com", PUBLIC, 25, false), ALLOW_PORT);
	assert_int_equal(judge_as(&l, "example.com", PUBLIC, 443, true), ALLOW_OK);
	assert_int_equal(judge_as(&l, "example.com", PUBLIC, 8443, true), ALLOW_PORT);
	assert_int_equal(judge_as(&l, "example.com", PUBLIC, 22, true), ALLOW_PORT);
	assert_int_equal(
		judge_as(&l, "example.com", "2606:2800::1", 443, true), ALLOW_OK);
	assert_int_equal(judge_as(&l, "example.com", NULL, 443, true), ALLOW_OK);
}

/* First and last address of each range, in all the clothes that they come in. */
static void test_special_addresses(void **state)
{
	(void)state;
	static const char *const special[] = { "0.0.0.0", "0.255.255.255", "10.0.0.0",
		"10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
		"127.255.255.255", "169.254.169.254", "169.254.0.0", "169.254.255.255",
		"172.16.0.0", "172.31.255.255", "192.0.0.192", "192.168.0.0",
		"192.168.255.255", "198.18.0.0", "198.19.255.255", "224.0.0.1",
		"239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
		"192.0.2.1", "203.0.113.9", "::", "::1", "::ffff:127.0.0.1",
		"::ffff:10.1.2.3", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
		"64:ff9b:1::1", "fc00::1", "fdff::1", "fd00:ec2::254", "fe80::1",
		"febf::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1",
		"2002:7f00:1::1", "100::1", "4000::1", "::ffff:0:7f00:1" };
	static const char *const public[] = { PUBLIC, "1.0.0.0", "9.255.255.255",
		"11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
		"128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
		"172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "223.255.255.255", "168.63.129.15", "2606:2800::1",
		"2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2001:4860::8888",
		"2001:200::1" };
	for (size_t i = 0; i < ARRAY_LEN(special); i++) {
		struct allow_ip ip = ip_of(special[i]);
		if (!allow_special(&ip))
			fail_msg("%s is special", special[i]);
		assert_int_equal(
			judge(NULL, NULL, "h.test", special[i], 80), ALLOW_SPECIAL);
		assert_int_equal(judge("*, h.test", NULL, "h.test", special[i], 80),
			ALLOW_SPECIAL);
	}
	for (size_t i = 0; i < ARRAY_LEN(public); i++) {
		struct allow_ip ip = ip_of(public[i]);
		if (allow_special(&ip))
			fail_msg("%s is public", public[i]);
	}
}

static void test_a_network_opens_what_lies_around_it(void **state)
{
	(void)state;
	assert_int_equal(judge("10.1.0.0/16", NULL, "w.corp", "10.1.2.3", 80), ALLOW_OK);
	assert_int_equal(
		judge("10.1.0.0/16", NULL, "w.corp", "::ffff:10.1.2.3", 80), ALLOW_OK);
	assert_int_equal(
		judge("10.1.0.0/16", NULL, "w.corp", "10.2.2.3", 80), ALLOW_UNLISTED);
	assert_int_equal(
		judge("10.1.0.0/16", NULL, "w.corp", PUBLIC, 80), ALLOW_UNLISTED);
	assert_int_equal(judge("10.1.0.0/16", NULL, "w.corp", NULL, 80), ALLOW_OK);
	assert_int_equal(judge("10.0.0.0/8", NULL, "w.corp", "10.2.2.3", 80), ALLOW_OK);
	/* too wide to be meant */
	assert_int_equal(
		judge("0.0.0.0/0", NULL, "w.corp", "10.2.2.3", 80), ALLOW_SPECIAL);
	assert_int_equal(judge("0.0.0.0/0", NULL, "w.corp", PUBLIC, 80), ALLOW_OK);
	assert_int_equal(
		judge("8.0.0.0/5", NULL, "w.corp", "10.2.2.3", 80), ALLOW_SPECIAL);
	assert_int_equal(judge("::/0", NULL, "h.test", "::1", 80), ALLOW_SPECIAL);
	assert_int_equal(judge("::/0", NULL, "h.test", "4000::1", 80), ALLOW_SPECIAL);
	assert_int_equal(judge("::/0", NULL, "h.test", PUBLIC, 80), ALLOW_UNLISTED);
	assert_int_equal(judge("::1", NULL, "h.test", "::1", 80), ALLOW_OK);
	assert_int_equal(judge("[::1]:80", NULL, "h.test", "::1", 80), ALLOW_OK);
	assert_int_equal(judge("[::1]:81", NULL, "h.test", "::1", 80), ALLOW_PORT);
	assert_int_equal(judge("fc00::/7", NULL, "h.test", "fd12::1", 80), ALLOW_OK);
	assert_int_equal(judge("127.0.0.1", NULL, "h", "127.0.0.1", 80), ALLOW_OK);
	assert_int_equal(judge("127.0.0.1", NULL, "h", "127.0.0.2", 80), ALLOW_UNLISTED);
	assert_int_equal(
		judge("::ffff:10.0.0.0/104", NULL, "h", "10.2.2.3", 80), ALLOW_OK);
	assert_int_equal(
		judge("64:ff9b::a00:0/104", NULL, "h", "64:ff9b::a01:1", 80), ALLOW_OK);
	/* a denied IPv4 address is denied by way of NAT64 too */
	assert_int_equal(
		judge(NULL, "1.1.1.0/24", "h", "64:ff9b::101:101", 80), ALLOW_DENIED);
	assert_int_equal(
		judge(NULL, "1.1.2.0/24", "h", "64:ff9b::101:101", 80), ALLOW_OK);
	assert_int_equal(
		judge(NULL, "64:ff9b::/96", "h", "64:ff9b::101:101", 80), ALLOW_DENIED);
	assert_int_equal(judge("10.0.0.0/31", NULL, "h", "10.0.0.2", 80), ALLOW_UNLISTED);
	assert_int_equal(judge("10.0.0.0/31", NULL, "h", "10.0.0.1", 80), ALLOW_OK);
}

static void test_a_name_with_its_addresses(void **state)
{
	(void)state;
	const char *wiki = "wiki.corp@10.1.0.0/16:8080, *.example.com";
	assert_int_equal(judge(wiki, NULL, "wiki.corp", "10.1.2.3", 8080), ALLOW_OK);
	assert_int_equal(judge(wiki, NULL, "wiki.corp", "10.1.2.3", 80), ALLOW_PORT);
	assert_int_equal(
		judge(wiki, NULL, "wiki.corp", "10.2.2.3", 8080), ALLOW_UNLISTED);
	assert_int_equal(judge(wiki, NULL, "wiki.corp", PUBLIC, 8080), ALLOW_UNLISTED);
	assert_int_equal(
		judge(wiki, NULL, "a.example.com", "10.1.2.3", 8080), ALLOW_SPECIAL);
	assert_int_equal(judge("x@[fd00::]:443", NULL, "x", "fd00::", 443), ALLOW_OK);
	assert_int_equal(judge("x@fd00::/8", NULL, "x", "fd01::", 443), ALLOW_OK);
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(judge("Example.COM", NULL, "example.com", PUBLIC, 80), ALLOW_OK);
	assert_int_equal(
		judge("example.com.", NULL, "example.com", PUBLIC, 80), ALLOW_OK);
	assert_int_equal(
		judge("example.com", NULL, "a.example.com", PUBLIC, 80), ALLOW_UNLISTED);
	assert_int_equal(
		judge("*.example.com", NULL, "a.b.example.com", PUBLIC, 80), ALLOW_OK);
	assert_int_equal(
		judge("*.example.com", NULL, "example.com", PUBLIC, 80), ALLOW_UNLISTED);
	assert_int_equal(judge("*.example.com", NULL, "badexample.com", PUBLIC, 80),
		ALLOW_UNLISTED);
	assert_int_equal(
		judge(".example.com", NULL, "example.com", PUBLIC, 80), ALLOW_OK);
	assert_int_equal(
		judge(".example.com", NULL, "a.example.com", PUBLIC, 80), ALLOW_OK);
	assert_int_equal(
		judge(".example.com", NULL, "aexample.com", PUBLIC, 80), ALLOW_UNLISTED);
	assert_int_equal(
		judge("example.com", NULL, "example.com", "10.0.0.1", 80), ALLOW_SPECIAL);
	assert_int_equal(judge("*.com", NULL, "1.2.3.4", "1.2.3.4", 80), ALLOW_UNLISTED);
}

static void test_ports(void **state)
{
	(void)state;
	struct lists l = lists_of("*, a.test:22, :8000-8002, b.test:*", NULL);
	assert_int_equal(judge_as(&l, "a.test", PUBLIC, 22, true), ALLOW_OK);
	assert_int_equal(judge_as(&l, "c.test", PUBLIC, 22, true), ALLOW_PORT);
	assert_int_equal(judge_as(&l, "c.test", PUBLIC, 7999, true), ALLOW_PORT);
	assert_int_equal(judge_as(&l, "c.test", PUBLIC, 8000, true), ALLOW_OK);
	assert_int_equal(judge_as(&l, "c.test", PUBLIC, 8002, true), ALLOW_OK);
	assert_int_equal(judge_as(&l, "c.test", PUBLIC, 8003, true), ALLOW_PORT);
	assert_int_equal(judge_as(&l, "c.test", PUBLIC, 443, true), ALLOW_OK);
	assert_int_equal(judge_as(&l, "b.test", PUBLIC, 1, true), ALLOW_OK);
	assert_int_equal(judge_as(&l, "b.test", PUBLIC, 65535, true), ALLOW_OK);
	lists_fini(&l);
}

static void test_denials_are_stronger(void **state)
{
	(void)state;
	struct lists l = lists_of("*, 10.0.0.0/8", "*.bad.test, 10.9.0.0/16, :8080");
	assert_int_equal(judge_as(&l, "a.bad.test", NULL, 443, true), ALLOW_DENIED);
	assert_string_equal(l.by->text, "*.bad.test");
	assert_int_equal(judge_as(&l, "good.test", "10.9.1.1", 443, true), ALLOW_DENIED);
	assert_string_equal(l.by->text, "10.9.0.0/16");
	assert_int_equal(judge_as(&l, "good.test", NULL, 443, true), ALLOW_OK);
	assert_int_equal(judge_as(&l, "good.test", "10.8.1.1", 443, true), ALLOW_OK);
	assert_int_equal(judge_as(&l, "good.test", PUBLIC, 8080, false), ALLOW_DENIED);
	/* a denied host is denied on every port */
	assert_int_equal(judge_as(&l, "a.bad.test", NULL, 9, false), ALLOW_DENIED);
	lists_fini(&l);
}

static void test_where_the_process_itself_listens(void **state)
{
	(void)state;
	static const struct {
		const char *allowed;
		enum allow_verdict then;
	} cases[] = { { "127.0.0.0/8", ALLOW_OWN }, { "127.0.0.1", ALLOW_OWN },
		{ "127.0.0.1:8000-9000", ALLOW_OWN }, { "127.0.0.1:*", ALLOW_OWN },
		{ "127.0.0.1:8080", ALLOW_OK }, { "*", ALLOW_SPECIAL } };
	struct allow_ip ip = ip_of("127.0.0.1");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lists l = lists_of(cases[i].allowed, NULL);
		const struct allow_target t = {
			.host = SLICE("x"), .port = 8080, .ip = &ip, .own = true
		};
		assert_int_equal(
			allow_judge(&l.allowed, &l.denied, &t, &l.by), cases[i].then);
		lists_fini(&l);
	}
}

static void test_hosts(void **state)
{
	(void)state;
	static const char *const bad[] = { "", ".", "..", "a..b", ".a", "a..", "a b",
		"a%41", "a,b", "[::1]", "a:1", "10.1", "2130706433", "0x7f.1",
		"127.0.0.0x1", "1.2.3.4.5", "256.1.1.1", "a.1", "0177.0.0.1", "a*",
		"\xc3\xa4.de", "a@b", "01.2.3.4" };
	char out[ALLOW_HOST_MAX + 1], longest[300];
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (allow_host(slice_of(bad[i]), out))
			fail_msg("'%s' is no host", bad[i]);
	assert_true(allow_host(SLICE("WWW.Example.COM."), out));
	assert_string_equal(out, "www.example.com");
	assert_true(allow_host(SLICE("xn--bcher-kva.example"), out));
	assert_true(allow_host(SLICE("_srv.a-b.c1"), out));
	assert_true(allow_host(SLICE("1.2.3.4"), out));
	memset(longest, 'a', sizeof(longest));
	assert_false(allow_host((struct slice){ longest, 64 }, out));
	assert_true(allow_host((struct slice){ longest, 63 }, out));
	for (size_t i = 50; i < sizeof(longest); i += 50)
		longest[i] = '.';
	assert_true(allow_host((struct slice){ longest, ALLOW_HOST_MAX }, out));
	assert_false(allow_host((struct slice){ longest, ALLOW_HOST_MAX + 1 }, out));
}

static void test_what_is_no_pattern(void **state)
{
	(void)state;
	static const char *const bad[] = { "", ",", ":", "a:", "a:0", "a:65536", "a:2-1",
		"a:x", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/x", "::/129",
		"fe80::1%eth0", "10.1", "256.0.0.1", "http://a.test", "http://a.test/x",
		"a.test/x", "a*b", "*.*.a", "a..b", "a@b", "@10.0.0.0/8", "a@", "[::1",
		"b\xc3\xbc"
		"cher.de",
		"a:1-65536", "a b" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct allow_list l = { .n = 0 };
		struct problem p = { "" };
		if (allow_add(&l, bad[i], &p))
			fail_msg("'%s' is no pattern", bad[i]);
		assert_true(p.text[0]);
		allow_fini(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_defaults_reach_the_public_internet),
		TEST(test_special_addresses),
		TEST(test_a_network_opens_what_lies_around_it),
		TEST(test_a_name_with_its_addresses), TEST(test_names), TEST(test_ports),
		TEST(test_denials_are_stronger),
		TEST(test_where_the_process_itself_listens), TEST(test_hosts),
		TEST(test_what_is_no_pattern) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
