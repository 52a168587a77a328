#include "tests/unit/base/unit.h"
#include "obs/mask.h"

#define S(lit) slice_of(lit)

static void test_names(void **state)
{
	static const char *const secret[] = { "Authorization", "Proxy-Authorization",
		"COOKIE", "set-cookie", "X-Api-Key", "x_api_key", "api%5Fkey", "%6bey",
		"access_token", "client_secret", "Password", "X-Amz-Signature", "sig",
		"X-Auth-Token", "X-CSRF", "code" };
	static const char *const plain[] = { "Content-Type", "page", "limit", "Server",
		"Retry-After", "zipcode", "design", "q", "" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(secret); i++)
		if (!mask_is_secret(S(secret[i])))
			fail_msg("%s is shown", secret[i]);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (mask_is_secret(S(plain[i])))
			fail_msg("%s is masked", plain[i]);
}

static void assert_target(const char *target, bool keep, const char *want)
{
	char buf[256];
	struct wire w;
	wire_init(&w, buf, sizeof(buf));
	mask_target(&w, S(target), keep);
	assert_false(w.over);
	assert_int_equal(w.len, strlen(want));
	assert_memory_equal(buf, want, w.len);
}

static void test_targets(void **state)
{
	(void)state;
	assert_target("/", false, "/");
	assert_target("/a?", false, "/a?");
	assert_target("/a?page=2&token=abc&q=x", false, "/a?page=2&token=***&q=x");
	assert_target("/a?token=abc=d;key=", false, "/a?token=***;key=***");
	assert_target("/a?api%5fkey=abc", false, "/a?api%5fkey=***");
	assert_target("/a?token", false, "/a?token");
	assert_target("/a?token=abc", true, "/a?token=abc");
	assert_target(
		"http://me:pass@host:80/x?key=1", false, "http://***@host:80/x?key=***");
	assert_target("http://a@b@host", false, "http://***@host");
	assert_target("http://me:pass@host/", true, "http://***@host/");
	assert_target("http://host/a@b", false, "http://host/a@b");
	assert_target("/x:y@z", false, "/x:y@z");
}

static void test_what_does_not_fit_is_cut(void **state)
{
	char buf[11];
	struct wire w;
	(void)state;
	wire_init(&w, buf, sizeof(buf));
	mask_target(&w, S("/a?token=abcdef"), false);
	assert_true(w.over);
	assert_int_equal(w.len, 11);
	assert_memory_equal(buf, "/a?token=**", 11);
}

static void test_fields(void **state)
{
	static const char want[] = "Server: x\nSet-Cookie: ***\n"
				   "Location: /l?key=***\nA: b\n";
	char buf[64];
	struct wire w;
	(void)state;
	wire_init(&w, buf, sizeof(buf));
	mask_field(&w, S("Server"), S("x"), false);
	mask_field(&w, S("Set-Cookie"), S("id=1"), false);
	mask_field(&w, S("Location"), S("/l?key=v"), false);
	mask_field(&w, S("A"), S("b"), false);
	assert_int_equal(w.len, strlen(want));
	assert_memory_equal(buf, want, w.len);
	mask_field(&w, S("Long"), S("a value that has no room any more"), false);
	assert_int_equal(w.len, strlen(want));
}

struct row {
	const char *text, *want;
};

static void assert_rows(const struct row *rows, size_t n)
{
	char buf[256];
	struct wire w;
	for (size_t i = 0; i < n; i++) {
		wire_init(&w, buf, sizeof(buf) - 1);
		mask_text(&w, S(rows[i].text));
		buf[w.len] = '\0';
		assert_string_equal(buf, rows[i].want);
	}
}

static void test_running_text(void **state)
{
	static const struct row rows[] = {
		{ "", "" },
		{ "db down: 17 of 20", "db down: 17 of 20" },
		{ "Cannot GET /x?api_key=ab%2F1&page=2",
			"Cannot GET /x?api_key=***&page=2" },
		{ "<pre>/x?a=1&amp;sid=17</pre>", "<pre>/x?a=1&amp;sid=***</pre>" },
		{ "{\"code\":\"slow\",\"token\":\"a\\\"b c\",\"n\":1}",
			"{\"code\":\"slow\",\"token\":\"***\",\"n\":1}" },
		{ "{\"pin\" : 1234, \"keys\": [\"a\", \"b\"]}",
			"{\"pin\" : ***, \"keys\": [***]}" },
		{ "\"{\\\"token\\\":\\\"abc\\\",\\\"n\\\":1}\"",
			"\"{\\\"token\\\":\\\"***\\\",\\\"n\\\":1}\"" },
		{ "Authorization: Bearer abc.def, no", "Authorization: ***, no" },
		{ "no right by Bearer abc.def at all", "no right by Bearer *** at all" },
		{ "Unauthorized: no such user", "Unauthorized: no such user" },
		{ "token='a b' is old; password = hunter2!",
			"token='***' is old; password = ***" },
		{ "at http://me:pw@db:80/x and http://db:80/@",
			"at http://***@db:80/x and http://db:80/@" },
		{ "\"/x?a=1\\u0026sig=abc\\u0026b=2\"",
			"\"/x?a=1\\u0026sig=***\\u0026b=2\"" },
		{ "\\usrtoken=abc", "\\usrtoken=***" },
		{ "Authorization: Negotiate YIIG+a/b==, no", "Authorization: ***, no" },
		{ "Authorization: NTLM TlRM; ApiKey: k",
			"Authorization: ***; ApiKey: ***" },
		{ "Authorization: ApiKey a.b", "Authorization: ***" },
		{ "<p>Cookie: lang=en; PHPSESSID=1</p>", "<p>Cookie: ***</p>" },
		{ "{\"h\":\"Set-Cookie: a=1; Path=/, b=2\",\"n\":1}",
			"{\"h\":\"Set-Cookie: ***\",\"n\":1}" },
		{ "{\"cookie\":\"a=1; b=2\",\"n\":1}", "{\"cookie\":\"***\",\"n\":1}" },
		{ "{\"set-cookie\":[\"a=1\",\"b=2\"]}", "{\"set-cookie\":[***]}" },
		{ "Cookie:", "Cookie:" },
		{ "token=", "token=" },
		{ "token", "token" },
		{ "password: \"never ends", "password: \"***" },
		{ "password: \"ends\\", "password: \"***" },
		{ ":", ":" },
		{ "://@", "://@" },
		{ "x://a@", "x://***@" },
	};
	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void test_objects_and_arrays(void **state)
{
	static const struct row rows[] = {
		{ "{\"token\":{\"value\":\"x\"},\"n\":1}", "{\"token\":{***},\"n\":1}" },
		{ "{\"auth\":{\"a\":[{\"b\":\"}\"}],\"c\":{}},\"n\":1}",
			"{\"auth\":{***},\"n\":1}" },
		{ "{\"tokens\":[\"a\\\"]\",[\"b\\\\\"]],\"n\":[1]}",
			"{\"tokens\":[***],\"n\":[1]}" },
		{ "\"{\\\"token\\\":{\\\"v\\\":\\\"a\\\\\\\"}b\\\"},\\\"n\\\":1}\"",
			"\"{\\\"token\\\":{***},\\\"n\\\":1}\"" },
		{ "cookie: [1, 2], limit: 3", "cookie: [***], limit: 3" },
		{ "token: {} and keys: []", "token: {} and keys: []" },
		{ "token: {\"never\": \"ends", "token: {***" },
		{ "{\"error\":{\"message\":\"db down\"}}",
			"{\"error\":{\"message\":\"db down\"}}" },
	};
	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void test_other_forms(void **state)
{
	static const struct row rows[] = {
		{ "user=me&password=a%26b&x=1", "user=me&password=***&x=1" },
		{ "password=a\nb", "password=***\nb" },
		{ "password:\thunter2, \"pin\"\t:\t1",
			"password:\t***, \"pin\"\t:\t***" },
		{ "password:\nhunter2 was wrong", "password:\nhunter2 was wrong" },
		{ "{\"token\":\n\t\"x\", \"keys\":\r\n[1]}",
			"{\"token\":\n\t\"***\", \"keys\":\r\n[***]}" },
		{ "Authorization: Bearer  \tabc, no", "Authorization: ***, no" },
		{ "Authorization: Bearer", "Authorization: ***" },
		{ "Authorization: Bearer \r\nHost: h", "Authorization: ***\r\nHost: h" },
		{ "<token><![CDATA[a<b]]></token>", "<token><![CDATA[***]]></token>" },
		{ "<token>\n <![CDATA[a]] and no end", "<token>\n <![CDATA[***" },
		{ "<token><![CDATA[a]]> </token>b", "<token><![CDATA[***]]> </token>b" },
		{ "<token><![CDATA[a]]>b</token>c", "<token>***</token>c" },
		{ "<token>a<![CDATA[</token>]]>b</token>c", "<token>***</token>c" },
		{ "<token><![CDATA[a]]>b", "<token>***" },
		{ "<key>a<!-- </key> -->b</key> e", "<key>***</key> e" },
		{ "<key>a<!-- </key> b", "<key>***" },
		{ "'<key\\n a=1>b</key>'", "'<key\\n a=1>***</key>'" },
		{ "<cl\xc3\xa9-token>b</cl\xc3\xa9-token> e",
			"<cl\xc3\xa9-token>***</cl\xc3\xa9-token> e" },
		{ "<token>\n <a/>", "<token>***" },
		{ "<token><v>abc</v> d</token> e", "<token>***</token> e" },
		{ "<s:Key><a><KeyId>b</KeyId></a></S:key><b>c</b>",
			"<s:Key>***</S:key><b>c</b>" },
		{ "<keys><x/></keys>", "<keys>***</keys>" },
		{ "<key><keys>a</keys>b</key>", "<key>***</key>" },
		{ "<key><key>a</key>b</key> e", "<key>***</key> e" },
		{ "<key>a<KEY n=\"1\">b</KEY >c</key> e", "<key>***</key> e" },
		{ "<key><key/>a<key n=\"1\" />b</key> e", "<key>***</key> e" },
		{ "<credentials>id <value>abc", "<credentials>***" },
		{ "<credentials>id <value>abc</value> and cut</cre", "<credentials>***" },
		{ "<key>a<b>c<\\/b><\\/key> e", "<key>***<\\/key> e" },
		{ "<!--token-->a <?key?>b", "<!--token-->a <?key?>b" },
		{ "<w:Password Type=\"a#b\">c</w:Password>",
			"<w:Password Type=\"a#b\">***</w:Password>" },
		{ "<token/>a <token />b", "<token/>a <token />b" },
		{ "Bearer\tabc.def at all", "Bearer\t*** at all" },
		{ "Cookie: a=1; b=2\r\nHost: h", "Cookie: ***\r\nHost: h" },
		{ "Authorization: Basic dTpw\r\nHost: h",
			"Authorization: ***\r\nHost: h" },
		{ "Authorization: Digest username=\"me\", response=\"abc\"\nHost: h",
			"Authorization: ***\nHost: h" },
		{ "Authorization: AWS4-HMAC-SHA256 Credential=AK/d/s3, SignedHeaders=host, "
		  "Signature=ab",
			"Authorization: *** Credential=***, SignedHeaders=host, "
			"Signature=***" },
		{ "/x?X-Amz-Credential=AK%2Fs3&X-Amz-Date=1&X-Amz-Signature=ab",
			"/x?X-Amz-Credential=***&X-Amz-Date=1&X-Amz-Signature=***" },
		{ "{\"password\"=>\"x\", 'pin' => 'y', :token=>z}",
			"{\"password\"=>\"***\", 'pin' => '***', :token=>***}" },
		{ "<Code>SlowDown</Code><Token>a b</Token><s:Secret>c</s:Secret>",
			"<Code>SlowDown</Code><Token>***</Token><s:Secret>***</s:Secret>" },
		{ "user->token>5 <a href=\"/token\">tokens</a>",
			"user->token>5 <a href=\"/token\">tokens</a>" },
		{ "/in?to=https%3A%2F%2Fh%2Fx%3Fa%3D1%26token%3Dabc%26b%3D2&c=3",
			"/in?to=https%3A%2F%2Fh%2Fx%3Fa%3D1%26token%3D***%26b%3D2&c=3" },
		{ "\"at http:\\/\\/me:pw@db\\/x\"", "\"at http:\\/\\/***@db\\/x\"" },
	};
	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void test_long_elements(void **state)
{
	struct text t;
	(void)state;
	text_init(&t);
	text_add(&t, "<credentials>");
	for (int i = 0; i < 5000; i++)
		text_add_char(&t, 'a');
	text_add(&t, "<value>b</value></credentials> e");
	assert_rows(&(struct row){ t.ptr, "<credentials>***</credentials> e" }, 1);
	text_fini(&t);
}

static void test_words_that_are_known(void **state)
{
	static const struct row rows[] = {
		{ "Incorrect API key provided: sk-proj-aB3dE6gH9jK2mN5p. See",
			"Incorrect API key provided: ***. See" },
		{ "the key AKIAIOSFODNN7EXAMPLE does not exist",
			"the key *** does not exist" },
		{ "<AWSAccessKeyId>AKIAIOSFODNN7EXAMPLE</AWSAccessKeyId>",
			"<AWSAccessKeyId>***</AWSAccessKeyId>" },
		{ "jwt malformed (eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgN-_X)",
			"jwt malformed (***)" },
		{ "ghp_16C7e42F292c6912E7710c838347Ae178B4a,", "***," },
		{ "/sk-scikit-learn-something-long/x",
			"/sk-scikit-learn-something-long/x" },
		{ "task-aB3dE6gH9jK2mN5pQ8s is unknown",
			"task-aB3dE6gH9jK2mN5pQ8s is unknown" },
		{ "AKIA, eyJ and sk-1234", "AKIA, eyJ and sk-1234" },
		{ "-----BEGIN RSA PRIVATE KEY----- MIIEow IBAA -----END RSA PRIVATE KEY----- x",
			"-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY----- x" },
		{ "-----BEGIN PRIVATE KEY-----\nMII", "-----BEGIN PRIVATE KEY-----***" },
		{ "-----BEGIN CERTIFICATE----- MII -----END CERTIFICATE-----",
			"-----BEGIN CERTIFICATE----- MII -----END CERTIFICATE-----" },
	};
	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void test_ordinary_words(void **state)
{
	static const char *const texts[] = {
		"The connection cannot be served because Server.Concurrency limit exceeded",
		"upstream connect error or disconnect/reset before headers",
		"{\"error\":{\"code\":429,\"state\":\"full\",\"message\":\"Slow down\"}}",
		"<html><head><title>503 Service Unavailable</title></head></html>",
		"no healthy upstream: 3 of 3 => retry in 5s (a > b, 100%)",
		"at com.example.Pool.take(Pool.java:117)",
		"for(i=0;i<keys.length;i++){if(a>b) take(); } is slow",
		"Map<java.lang.String,com.example.application.model.catalogue.ProductLine> "
		"is not one",
		"https://example.com:8080/a?b=c%20d",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_rows(&(struct row){ texts[i], texts[i] }, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST(test_targets),
		TEST(test_what_does_not_fit_is_cut),
		TEST(test_fields),
		TEST(test_running_text),
		TEST(test_objects_and_arrays),
		TEST(test_other_forms),
		TEST(test_long_elements),
		TEST(test_words_that_are_known),
		TEST(test_ordinary_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
