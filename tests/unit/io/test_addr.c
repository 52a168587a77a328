#include "io/addr.h"
#include "tests/unit/base/unit.h"

static void check_text(const struct addr *a, const char *want)
{
	struct text t;

	text_init(&t);
	text_add_addr(&t, a);
	assert_string_equal(t.ptr, want);
	text_fini(&t);
}

static void addresses_are_read_and_written_alike(void **state)
{
	static const char *const same[] = { "10.0.0.1:80", "[::1]:8080", "[::]:0",
		"0.0.0.0:65535", "unix:/run/x.sock", "[2001:db8::7]:443" };
	struct problem p = { 0 };
	struct addr a, b;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		assert_true(addr_parse(slice_of(same[i]), &a, &p));
		check_text(&a, same[i]);
		assert_true(addr_parse(slice_of(same[i]), &b, &p));
		assert_true(addr_eq(&a, &b));
	}
	assert_true(addr_parse(SLICE(":8080"), &a, &p));
	check_text(&a, "[::]:8080");
	assert_true(addr_is_any(&a));
	assert_int_equal(addr_port(&a), 8080);
	addr_set_port(&a, 81);
	check_text(&a, "[::]:81");
	assert_true(addr_parse(SLICE("[::ffff:10.0.0.1]:80"), &a, &p));
	addr_unmap(&a);
	check_text(&a, "10.0.0.1:80");
	assert_true(addr_parse(SLICE("10.0.0.1:80"), &b, &p));
	assert_true(addr_eq(&a, &b));
	addr_set_port(&b, 81);
	assert_false(addr_eq(&a, &b));
	assert_true(addr_parse(SLICE("127.9.9.9:1"), &a, &p));
	assert_true(addr_is_loopback(&a));
	assert_string_equal(p.text, "");
	check_text(&(struct addr){ 0 }, "none");
}

static void refused(const char *text, const char *why)
{
	struct problem p = { 0 };
	struct addr a;

	assert_false(addr_parse(slice_of(text), &a, &p));
	if (!strstr(p.text, why))
		fail_msg("%s: '%s' does not say '%s'", text, p.text, why);
}

static void bad_addresses_are_explained(void **state)
{
	char path[200];
	(void)state;

	refused("", "empty");
	refused("8080", "write :8080 or 127.0.0.1:8080");
	refused("10.0.0.1", "no port");
	refused("example.com:80", "not an IP address");
	refused("10.0.0.1:99999", "65535");
	refused("10.0.0.1:", "not a number");
	refused("10.0.0.1:8x", "not a number");
	refused("10.0.0.1:-1", "not a number");
	refused("::1:80", "brackets");
	refused("[::1]", "no port");
	refused("[::1]80", "colon after ]");
	refused("[::1", "closing ]");
	refused("[]:80", "empty host");
	refused("[10.0.0.1.5]:80", "not an IP address");
	refused("unix:", "no path");
	memset(path, 'x', sizeof(path));
	memcpy(path, "unix:", 5);
	path[sizeof(path) - 1] = '\0';
	refused(path, "at most 107 bytes, this has 194");
}

static void names_resolve(void **state)
{
	struct problem p = { 0 };
	struct addr a[4];
	uint32_t n;
	(void)state;

	assert_true(addr_resolve(SLICE("127.0.0.1:80"), a, 4, &n, &p));
	assert_int_equal(n, 1);
	assert_true(addr_resolve(SLICE("unix:/x"), a, 4, &n, &p));
	assert_true(addr_is_unix(&a[0]));
	assert_true(addr_resolve(SLICE("localhost:81"), a, 4, &n, &p));
	assert_true(n >= 1 && addr_is_loopback(&a[0]) && addr_port(&a[0]) == 81);
	assert_false(addr_resolve(SLICE("no such name:80"), a, 4, &n, &p));
	assert_non_null(strstr(p.text, "cannot resolve 'no such name'"));
}

static void url(const char *text, const char *authority, uint16_t port, const char *path)
{
	struct problem p = { 0 };
	struct addr_url u;

	if (!addr_url_parse(slice_of(text), &u, &p))
		fail_msg("%s: %s", text, p.text);
	assert_true(slice_eq(u.authority, slice_of(authority)));
	assert_int_equal(u.port, port);
	assert_true(slice_eq(u.path, slice_of(path)));
	assert_int_equal(u.tls, text[4] == 's');
}

static void bad_url(const char *text, const char *why)
{
	struct problem p = { 0 };
	struct addr_url u;

	assert_false(addr_url_parse(slice_of(text), &u, &p));
	if (!strstr(p.text, why))
		fail_msg("%s: '%s' does not say '%s'", text, p.text, why);
}

static void origins_are_read(void **state)
{
	struct problem p = { 0 };
	struct addr_url u;
	struct addr a;
	uint32_t n;
	(void)state;

	url("http://example.com", "example.com", 80, "");
	url("https://example.com/base", "example.com", 443, "/base");
	url("HTTP://example.com:8080/", "example.com:8080", 8080, "/");
	url("http://[::1]", "[::1]", 80, "");
	url("http://[::1]:81/x", "[::1]:81", 81, "/x");
	url("10.0.0.1:9000", "10.0.0.1:9000", 9000, "");
	url("unix:/run/x", "localhost", 0, "");
	bad_url("ftp://example.com", "scheme is ftp");
	bad_url("example.com", "no port");
	bad_url("http://", "no host");
	bad_url("http://:80", "no host");
	bad_url("http://a:0", "port 0");
	bad_url("http://a:b@c", "user name");
	bad_url("http://a/?q", "? or #");
	bad_url("http://a b", "column 9");
	bad_url("http://\xc3\xa4", "column 8");
	bad_url("http://a:99999", "65535");
	bad_url("http://::1", "brackets");
	assert_true(addr_url_parse(SLICE("http://127.0.0.1/x"), &u, &p));
	assert_true(addr_url_resolve(&u, &a, 1, &n, &p));
	check_text(&a, "127.0.0.1:80");
	assert_true(addr_url_parse(SLICE("http://[::1]"), &u, &p));
	assert_true(addr_url_resolve(&u, &a, 1, &n, &p));
	check_text(&a, "[::1]:80");
	assert_true(addr_url_parse(SLICE("unix:/run/x"), &u, &p));
	assert_true(addr_url_resolve(&u, &a, 1, &n, &p));
	check_text(&a, "unix:/run/x");
}

static bool in_net(const char *net, const char *address)
{
	struct problem p = { 0 };
	struct addr_net n;
	struct addr a;
	assert_true(addr_net_parse(slice_of(net), &n, &p));
	assert_true(addr_parse(slice_of(address), &a, &p));
	return addr_net_has(&n, &a);
}

static void bad_net(const char *text, const char *why)
{
	struct problem p = { 0 };
	struct addr_net n;
	assert_false(addr_net_parse(slice_of(text), &n, &p));
	if (!strstr(p.text, why))
		fail_msg("%s: '%s' does not say '%s'", text, p.text, why);
}

static void networks_hold_their_addresses(void **state)
{
	(void)state;
	assert_true(in_net("10.0.0.0/8", "10.255.0.1:1"));
	assert_false(in_net("10.0.0.0/8", "11.0.0.1:1"));
	assert_true(in_net("10.0.0.0/8", "[::ffff:10.1.2.3]:1"));
	assert_true(in_net("192.168.4.0/23", "192.168.5.255:1"));
	assert_false(in_net("192.168.4.0/23", "192.168.6.0:1"));
	assert_true(in_net("127.0.0.1", "127.0.0.1:1"));
	assert_false(in_net("127.0.0.1", "127.0.0.2:1"));
	assert_true(in_net("0.0.0.0/0", "1.2.3.4:1"));
	assert_false(in_net("0.0.0.0/0", "[::1]:1"));
	assert_true(in_net("::/0", "1.2.3.4:1"));
	assert_true(in_net("2001:db8::/33", "[2001:db8:7fff::1]:1"));
	assert_false(in_net("2001:db8::/33", "[2001:db8:8000::1]:1"));
	assert_true(in_net("unix", "unix:/run/x"));
	assert_false(in_net("unix", "127.0.0.1:1"));
	assert_false(in_net("::/0", "unix:/run/x"));
	bad_net("", "no network");
	bad_net("/8", "no network");
	bad_net("localhost", "no network");
	bad_net("10.0.0/8", "no network");
	bad_net("10.0.0.0/33", "from 0 to 32");
	bad_net("10.0.0.0/", "from 0 to 32");
	bad_net("10.0.0.0/8x", "from 0 to 32");
	bad_net("::/129", "from 0 to 128");
	bad_net("10.0.0.1/8", "leaves out");
}

static void ip_is(const char *address, const char *ip)
{
	struct problem p = { 0 };
	struct addr a;
	char buf[64];
	struct wire w;
	assert_true(addr_parse(slice_of(address), &a, &p));
	wire_init(&w, buf, sizeof(buf));
	wire_put_addr_ip(&w, &a);
	assert_true(slice_eq((struct slice){ buf, w.len }, slice_of(ip)));
}

static void addresses_alone(void **state)
{
	(void)state;
	ip_is("10.0.0.1:80", "10.0.0.1");
	ip_is("[2001:DB8::1]:80", "2001:db8::1");
	ip_is("[::ffff:10.0.0.1]:80", "10.0.0.1");
	ip_is("unix:/run/x", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(addresses_are_read_and_written_alike),
		TEST(bad_addresses_are_explained),
		TEST(names_resolve),
		TEST(origins_are_read),
		TEST(networks_hold_their_addresses),
		TEST(addresses_alone),
	};
	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
