/*
 * The server behind all proxies: /64k is answered by 64 KiB, /chunk by as many in chunks,
 * /16m by 16 MiB, all else by 13 bytes; what is uploaded is dropped.
 */
#include "rig.h"

#define HEAD_MAX 8192

struct page {
	size_t len;
	char *bytes;
};

struct server {
	struct rig *rig;
	struct page small, big, huge, chunked;
};

struct listener {
	struct link link; /* its descriptor listens */
	struct server *server;
	SSL_CTX *tls;
};

struct caller {
	struct link link;
	struct server *server;
	unsigned long upload;   /* bytes of a request's body still to come */
	const struct page *due; /* being answered; NULL: nothing */
	size_t sent, len;       /* of the answer; of a head */
	char head[HEAD_MAX];
};

static char *new_page(struct page *p, size_t cap)
{
	p->bytes = malloc(cap);
	must(p->bytes != NULL, "malloc");
	memset(p->bytes, 'x', cap);
	return p->bytes;
}

static void make_page(struct page *p, size_t body)
{
	char *bytes = new_page(p, 256 + body);
	int n = snprintf(bytes, 256,
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		"Content-Length: %zu\r\n\r\n",
		body);

	p->len = (size_t)n + body;
	bytes[n] = 'x'; /* over the text's NUL */
	bytes[p->len - 1] = '\n';
}

static void page_add(struct page *p, const char *text)
{
	size_t len = strlen(text);

	memcpy(p->bytes + p->len, text, len);
	p->len += len;
}

/* As applications write them: a line of its size, some KiB, and so on. */
static void make_chunked(struct page *p, size_t body)
{
	char size[16];

	new_page(p, 256 + body + body / RIG_CHUNK * sizeof(size));
	snprintf(size, sizeof(size), "%x\r\n", RIG_CHUNK);
	p->len = 0;
	page_add(p, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n");
	for (; body > 0; body -= RIG_CHUNK) {
		page_add(p, size);
		p->len += RIG_CHUNK;
		page_add(p, "\r\n");
	}
	page_add(p, "0\r\n\r\n");
}

static const struct page *page_of(const struct server *s, const char *head)
{
	if (strncmp(head, "GET /64k", 8) == 0)
		return &s->big;
	if (strncmp(head, "GET /16m", 8) == 0)
		return &s->huge;
	return strncmp(head, "GET /chunk", 10) == 0 ? &s->chunked : &s->small;
}

static unsigned long content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");
	return at ? strtoul(at + 17, NULL, 10) : 0;
}

/* Each step: > 0 it went on, else LINK_WAIT or LINK_END. */

static ssize_t answer(struct caller *c)
{
	const struct page *p = c->due;
	ssize_t n = 1;

	if (c->sent < p->len)
		n = link_send(&c->link, p->bytes + c->sent, p->len - c->sent);
	c->sent += n > 0 ? (size_t)n : 0;
	if (n > 0 && c->sent == p->len) {
		n = link_flush(&c->link) < 0 ? LINK_WAIT : 1;
		if (n > 0)
			c->due = NULL;
	}
	return n;
}

/* A head, and perhaps the beginning of its body; requests come one at a time. */
static ssize_t read_head(struct caller *c)
{
	size_t room = HEAD_MAX - 1 - c->len;
	ssize_t n = link_recv(&c->link, c->head + c->len, room);

	if (n <= 0)
		return n;
	c->len += (size_t)n;
	c->head[c->len] = '\0';
	const char *end = strstr(c->head, "\r\n\r\n");
	if (!end)
		return c->len < HEAD_MAX - 1 ? n : LINK_END;
	size_t body = c->len - (size_t)(end + 4 - c->head);
	c->upload = *c->head == 'P' ? content_length(c->head) : 0;
	c->upload -= body < c->upload ? body : c->upload;
	c->due = page_of(c->server, c->head);
	c->sent = c->len = 0;
	return n;
}

static ssize_t drop_body(struct caller *c)
{
	ssize_t n = link_drop(&c->link, c->upload);

	c->upload -= n > 0 ? (unsigned long)n : 0;
	return n;
}

static void on_caller_ready(struct link *l, uint32_t events)
{
	struct caller *c = (struct caller *)l;
	ssize_t n = 1;

	while (n > 0) {
		if (c->upload)
			n = drop_body(c);
		else if (c->due)
			n = answer(c);
		else
			n = read_head(c);
		/* Nothing comes behind an answer until the caller has read it. */
		if (n > 0 && !c->due && !c->upload && c->len == 0)
			break;
	}
	if (n != LINK_END && !(events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)))
		return;
	link_close(l);
	free(c);
}

static void on_listener_ready(struct link *l, uint32_t events)
{
	struct listener *at = (struct listener *)l;
	int on = 1, fd;

	(void)events;
	while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct caller *c = calloc(1, sizeof(*c));
		must(c != NULL, "calloc");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c->server = at->server;
		c->link.on_ready = on_caller_ready;
		link_open(at->server->rig, &c->link, fd, at->tls);
		if (c->link.ssl)
			SSL_set_accept_state(c->link.ssl);
	}
}

static void listen_for(struct server *s, SSL_CTX *tls)
{
	struct listener *l = calloc(1, sizeof(*l));

	must(l != NULL, "calloc");
	l->server = s;
	l->tls = tls;
	l->link.on_ready = on_listener_ready;
	link_open(s->rig, &l->link, listen_anywhere(), NULL);
}

void server_start(struct rig *r)
{
	struct server *s = calloc(1, sizeof(*s));

	must(s != NULL, "calloc");
	s->rig = r;
	make_page(&s->small, 13);
	make_page(&s->big, RIG_BODY);
	make_page(&s->huge, RIG_HUGE);
	make_chunked(&s->chunked, RIG_BODY);
	listen_for(s, NULL);
	listen_for(s, r->server_tls);
}
