/* The client: a request at a time on each connection, as fast as answers come or on a schedule. */
#include "rig.h"

#define SAMPLES_MAX (1u << 21)
#define ANSWER_HEAD_MAX 4096
#define NOT_CHUNKED SIZE_MAX

struct seat { /* one connection */
	struct link link;
	struct client *client;
	size_t sent;       /* of the request */
	size_t len, left;  /* bytes of an answer's head; its body still to come */
	size_t tail;       /* chunked: bytes of its end that have come; NOT_CHUNKED */
	long long from_ns; /* intended start */
	int open, busy;
	struct seat *next_idle;
	char *request; /* the client's, or its own */
	size_t request_len;
	char head[ANSWER_HEAD_MAX];
};

static void on_seat_ready(struct link *l, uint32_t events);

struct client {
	struct rig *rig;
	struct run run;
	char *request;
	size_t request_len;
	unsigned opened, served; /* seats open; answers before `going` */
	int warmed, going;
	long long start_ns, end_ns, last_ns, late_ns;
	unsigned long started, done, refused;
	struct seat *idle;
	unsigned *us; /* latencies */
	struct seat seats[];
};

static void fail(const char *what)
{
	printf("failed %s\n", what);
	fflush(stdout);
	exit(1);
}

static int is_job(const struct client *c, const char *job)
{
	return strcmp(c->run.job, job) == 0;
}

static char *request_of(
	const struct client *c, const char *path, const char *fields, size_t *len)
{
	size_t body = is_job(c, "up") ? RIG_UPLOAD : is_job(c, "post") ? RIG_POST : 0;
	char head[256];
	int n = snprintf(head, sizeof(head),
		"%s %s HTTP/1.1\r\nHost: bench.test:%s\r\nUser-Agent: rig\r\nAccept: */*\r\n%s",
		body ? "POST" : "GET", path, c->run.port, fields);

	if (body)
		n += snprintf(head + n, sizeof(head) - (size_t)n,
			"Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n",
			body);
	n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
	*len = (size_t)n + body;
	char *request = malloc(*len);
	must(request != NULL, "malloc");
	memset(request, 'x', *len);
	memcpy(request, head, (size_t)n);
	return request;
}

static void make_request(struct client *c)
{
	static const char *const paths[] = { "64k", "16m", "chunk" };
	char path[16] = "/";

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (is_job(c, paths[i]))
			snprintf(path, sizeof(path), "/%s", paths[i]);
	c->request = request_of(c, path,
		is_job(c, "close") ? "Connection: close\r\n" : "", &c->request_len);
}

static void take_request(struct seat *s, unsigned number)
{
	struct client *c = s->client;
	char path[16], caller[32];

	s->request = c->request;
	s->request_len = c->request_len;
	if (!is_job(c, "each"))
		return;
	snprintf(path, sizeof(path), "/%u", number);
	snprintf(caller, sizeof(caller), "Caller: %u\r\n", number);
	s->request = request_of(c, path, caller, &s->request_len);
}

static void begin(struct seat *s, long long from_ns)
{
	s->sent = s->len = s->left = 0;
	s->from_ns = from_ns;
	s->busy = 1;
}

static ssize_t send_request(struct seat *s)
{
	ssize_t n = link_send(&s->link, s->request + s->sent, s->request_len - s->sent);

	s->sent += n > 0 ? (size_t)n : 0;
	return n;
}

static int is_expected(struct client *c, const char *head)
{
	if (strncmp(head, "HTTP/1.1 200", 12) == 0)
		return 1;
	c->refused += (unsigned)c->going;
	return (is_job(c, "any") || is_job(c, "each")) &&
	       strncmp(head, "HTTP/1.1 5", 10) == 0;
}

/* Whether the end of a chunked body, which may come in pieces, is there. */
static int is_last_chunk(struct seat *s, const char *bytes, size_t len)
{
	static const char end[] = "\r\n0\r\n\r\n";

	/* Bodies are of x alone, so that these bytes are nowhere else but at chunks' ends. */
	if (len > sizeof(end))
		s->tail = 0;
	for (size_t i = len > sizeof(end) ? len - sizeof(end) : 0; i < len; i++)
		s->tail = bytes[i] == end[s->tail] ? s->tail + 1 : bytes[i] == '\r';
	return s->tail == sizeof(end) - 1;
}

static ssize_t read_answer_head(struct seat *s)
{
	ssize_t n = link_recv(&s->link, s->head + s->len, sizeof(s->head) - s->len);

	if (n <= 0)
		return n;
	s->len += (size_t)n;
	const char *end = memmem(s->head, s->len, "\r\n\r\n", 4);
	if (!end)
		return s->len < sizeof(s->head) ? n : LINK_END;
	size_t body = s->len - (size_t)(end + 4 - s->head);
	const char *length = strcasestr(s->head, "\r\ncontent-length:");
	size_t told = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	const char *coding = strcasestr(s->head, "\r\ntransfer-encoding: chunked");
	s->tail = coding && coding < end ? 0 : NOT_CHUNKED;
	if (s->tail == 0)
		told = body + !is_last_chunk(s, end + 4, body);
	if (!is_expected(s->client, s->head) || body > told)
		return LINK_END;
	s->left = told - body;
	if (s->left == 0)
		s->busy = 0;
	return n;
}

static ssize_t read_chunks(struct seat *s)
{
	static char bytes[65536];
	ssize_t n = link_recv(&s->link, bytes, sizeof(bytes));

	s->busy = n <= 0 || !is_last_chunk(s, bytes, (size_t)n);
	return n;
}

static ssize_t drop_answer_body(struct seat *s)
{
	ssize_t n = link_drop(&s->link, s->left);

	s->left -= n > 0 ? (size_t)n : 0;
	if (s->left == 0)
		s->busy = 0;
	return n;
}

static ssize_t step(struct seat *s)
{
	if (link_flush(&s->link) < 0)
		return LINK_WAIT;
	if (s->sent < s->request_len)
		return send_request(s);
	if (s->left > 0)
		return s->tail == NOT_CHUNKED ? drop_answer_body(s) : read_chunks(s);
	return read_answer_head(s);
}

static void open_link(struct seat *s)
{
	struct client *c = s->client;

	s->link = (struct link){ .on_ready = on_seat_ready };
	link_open(c->rig, &s->link, connect_to(c->run.port),
		c->run.tls ? c->rig->client_tls : NULL);
	if (s->link.ssl)
		SSL_set_connect_state(s->link.ssl);
}

static void note(struct client *c, struct seat *s)
{
	long long now = now_ns();

	if (c->done < SAMPLES_MAX)
		c->us[c->done] = (unsigned)((now - s->from_ns) / 1000);
	c->done++;
	c->last_ns = now;
	if (c->run.rate == 0 && now < c->end_ns) {
		c->started++;
		begin(s, now);
		return;
	}
	s->next_idle = c->idle;
	c->idle = s;
}

/* Goes on until it must wait, or is idle. */
static void seat_run(struct seat *s)
{
	struct client *c = s->client;
	ssize_t n = 1;

	while (s->busy && n > 0) {
		n = step(s);
		if (n == LINK_END)
			fail(c->run.job);
		if (s->busy)
			continue;
		if (is_job(c, "close")) {
			link_close(&s->link);
			open_link(s);
			n = LINK_WAIT; /* it will be ready to write */
		}
		if (c->going)
			note(c, s);
		else
			c->served++;
	}
}

static void on_seat_ready(struct link *l, uint32_t events)
{
	struct seat *s = (struct seat *)l;

	if ((events & (EPOLLERR | EPOLLRDHUP | EPOLLHUP)) && !is_job(s->client, "close"))
		fail("connection closed by the proxy");
	seat_run(s);
}

static void begin_all(struct client *c, long long from_ns)
{
	for (unsigned i = 0; i < c->run.conns; i++) {
		begin(&c->seats[i], from_ns);
		seat_run(&c->seats[i]);
	}
}

/* A few at a time, so that no queue of connections overflows; and when all are served, all
 * at once, so that the proxy has its connections to the server. */
static void get_ready(struct client *c)
{
	if (c->served == c->run.conns && !c->warmed) {
		c->warmed = 1;
		begin_all(c, 0);
	}
	while (c->opened < c->run.conns && c->opened < c->served + 64) {
		struct seat *s = &c->seats[c->opened++];
		s->client = c;
		take_request(s, c->opened - 1);
		open_link(s);
		begin(s, 0);
	}
}

struct client *client_new(struct rig *r, const struct run *run)
{
	struct client *c = calloc(1, sizeof(*c) + run->conns * sizeof(struct seat));

	must(c != NULL, "calloc");
	c->rig = r;
	c->run = *run;
	c->us = malloc(SAMPLES_MAX * sizeof(*c->us));
	must(c->us != NULL, "malloc");
	make_request(c);
	get_ready(c);
	return c;
}

int client_is_ready(const struct client *c)
{
	return !c->going && c->served == 2 * c->run.conns;
}

void client_go(struct client *c)
{
	c->going = 1;
	c->start_ns = c->last_ns = now_ns();
	c->end_ns = c->start_ns + (long long)(c->run.seconds * 1e9);
	if (c->run.rate == 0) {
		c->started = c->run.conns;
		begin_all(c, c->start_ns);
		return;
	}
	for (unsigned i = 0; i < c->run.conns; i++) {
		c->seats[i].next_idle = c->idle;
		c->idle = &c->seats[i];
	}
}

static long long due_ns(const struct client *c)
{
	return c->start_ns + (long long)((double)c->started * 1e9 / c->run.rate);
}

long client_tick(struct client *c)
{
	if (!c->going)
		get_ready(c);
	if (!c->going || c->run.rate == 0)
		return -1;
	for (;;) {
		long long due = due_ns(c), now = now_ns();
		if (due >= c->end_ns || !c->idle)
			return -1; /* over, or an answer must come first */
		if (due > now)
			return due - now;
		struct seat *s = c->idle;
		c->idle = s->next_idle;
		c->late_ns = now - due > c->late_ns ? now - due : c->late_ns;
		c->started++;
		begin(s, due);
		seat_run(s);
	}
}

int client_is_done(const struct client *c)
{
	int all_started = c->run.rate > 0 ? due_ns(c) >= c->end_ns : 1;
	return c->going && all_started && c->done == c->started;
}

static int by_size(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return (x > y) - (x < y);
}

void client_end(struct client *c)
{
	size_t n = c->done < SAMPLES_MAX ? c->done : SAMPLES_MAX;

	printf("done %lu %.6f", c->done, (double)(c->last_ns - c->start_ns) / 1e9);
	fflush(stdout); /* the proxy's usage is read now */
	qsort(c->us, n, sizeof(*c->us), by_size);
	printf(" %u %u %lld %lu\n", c->us[n / 2], c->us[n * 99 / 100], c->late_ns / 1000,
		c->refused);
	fflush(stdout);
	for (unsigned i = 0; i < c->run.conns; i++) {
		link_close(&c->seats[i].link);
		if (c->seats[i].request != c->request)
			free(c->seats[i].request);
	}
	free(c->request);
	free(c->us);
	free(c);
}
