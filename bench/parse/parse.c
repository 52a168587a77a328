/* What a head costs: parse CASE ROUNDS. Prints ns a round. The rounds are the whole program,
 * so that an instruction counter over two runs tells what one round takes. */
#include "proto/h1.h"

struct job {
	const char *name;
	bool response, write;
	const char *head;
};

#define SMALL \
	"GET /api/v1/items?page=2 HTTP/1.1\r\n" \
	"Host: api.example.com\r\n" \
	"Accept: */*\r\n" \
	"X-Request-Id: 7f\r\n" \
	"\r\n"
#define BROWSER \
	"GET /catalogue/books/history?sort=price&page=3 HTTP/1.1\r\n" \
	"Host: www.example.com\r\n" \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\r\n" \
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif," \
	"image/webp,*/*;q=0.8\r\n" \
	"Accept-Language: en-US,en;q=0.5\r\n" \
	"Accept-Encoding: gzip, deflate, br\r\n" \
	"Referer: https://www.example.com/catalogue/books\r\n" \
	"Connection: keep-alive\r\n" \
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; seen=1\r\n" \
	"Upgrade-Insecure-Requests: 1\r\n" \
	"Sec-Fetch-Dest: document\r\n" \
	"Sec-Fetch-Mode: navigate\r\n" \
	"Sec-Fetch-Site: same-origin\r\n" \
	"Sec-Fetch-User: ?1\r\n" \
	"If-None-Match: W/\"0123456789abcdef-5c0692e1\"\r\n" \
	"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n" \
	"\r\n"
#define ANSWER \
	"HTTP/1.1 200 OK\r\n" \
	"Server: nginx/1.22.1\r\n" \
	"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" \
	"Content-Type: application/json; charset=utf-8\r\n" \
	"Content-Length: 512\r\n" \
	"Connection: keep-alive\r\n" \
	"Cache-Control: no-cache\r\n" \
	"\r\n"

static const struct job jobs[] = {
	{ "read-small", false, false, SMALL },
	{ "read-browser", false, false, BROWSER },
	{ "read-answer", true, false, ANSWER },
	{ "forward-small", false, true, SMALL },
	{ "forward-browser", false, true, BROWSER },
	{ "forward-answer", true, true, ANSWER },
};

static void write_head(const struct h1_head *head, bool response)
{
	static char buf[4096];
	struct wire w;
	wire_init(&w, buf, sizeof buf);
	if (response) {
		h1_put_status_line(&w, head->status, head->reason);
	} else {
		h1_put_request_line(&w, head->method_text, head->path);
		h1_put_field(&w, SLICE("Host"), head->authority);
	}
	h1_put_fields(&w, head, 0);
	h1_put_framing(&w, (enum h1_body)head->body, head->content_length);
	h1_put_end(&w);
	CHECK(!w.over);
}

static void one_round(const struct job *job, struct slice in)
{
	static struct h1_head head;
	struct h1_scan scan = { 0 };
	enum err why;
	size_t used;
	enum h1_result r = job->response ? h1_parse_response(&scan, in, NULL, H1_GET,
						   &head, &used, &why)
					 : h1_parse_request(
						   &scan, in, NULL, &head, &used, &why);
	CHECK(r == H1_DONE && used == in.len);
	if (job->write)
		write_head(&head, job->response);
}

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	if (argc == 1) {
		for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
			printf("%s %zu\n", jobs[i].name, strlen(jobs[i].head));
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(jobs) && argc == 3; i++) {
		if (strcmp(argv[1], jobs[i].name) != 0)
			continue;
		const long rounds = strtol(argv[2], NULL, 10);
		const double start = now_ns();
		for (long n = 0; n < rounds; n++)
			one_round(&jobs[i], slice_of(jobs[i].head));
		printf("%.1f\n", (now_ns() - start) / (double)rounds);
		return 0;
	}
	fprintf(stderr, "usage: parse [CASE ROUNDS]\n");
	return 2;
}
