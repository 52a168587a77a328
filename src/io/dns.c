/* The resolver of the real loop: c-ares' questions, our search list, sockets and timers. */
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <sys/stat.h>

#include "io/dns_answer.h"
#include "io/sock.h"
#include "io/watch.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define TRY_FOR (2 * NS_S)
#define TRIES 2
#define LOOKUPS_MAX 8

/* One of c-ares' sockets. */
struct sock_watch {
	struct io_watch watch;
	struct list_node node;
	struct dns *dns;
};

struct dns {
	struct io_loop *loop;
	ares_channel channel;
	struct ares_options system; /* domains, ndots, lookups as ares_init found them */
	struct stat conf;           /* resolv.conf as it was then */
	struct text servers; /* for ares_set_servers_ports_csv; empty: the system's */
	ns_t try_for;
	uint32_t tries;
	struct list queries, watches;
	struct timer timer; /* the next of c-ares' timeouts */
};

struct question {
	struct dns_query *query;
	int family;
};

/* A lookup under way, or what c-ares still owes an answer to after it. */
struct dns_query {
	struct list_node node;
	struct dns *dns;
	struct dns_lookup *lookup; /* NULL: told, or cancelled */
	struct text name;
	uint16_t port;
	uint32_t source;  /* index into the lookups: 'f' hosts file, 'b' nameservers */
	uint32_t suffix;  /* of the search list, the next to be tried */
	uint32_t pending; /* answers c-ares owes */
	struct question questions[2];
	struct dns_found found;
	ns_t negative; /* for how long the nameserver knows nothing; NS_NEVER: not asked */
	int failed; /* c-ares' status of what could not be told; ARES_SUCCESS: nothing */
	bool has_name; /* it exists, but has no address */
	struct io_defer step;
	struct timer patience; /* with the second family */
};

/* --- sockets and timeouts --- */

static void rearm(struct dns *d)
{
	struct timeval tv, *next = ares_timeout(d->channel, NULL, &tv);
	ns_t in = NS_NEVER;

	if (next)
		in = next->tv_sec * NS_S + next->tv_usec * NS_US + NS_MS;
	io_timer_set(d->loop, &d->timer, ns_add(io_clock(d->loop), in));
}

static void on_timeout(struct timer *t)
{
	struct dns *d = CONTAINER_OF(t, struct dns, timer);
	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(d);
}

/* The watch may go while its socket is looked after. */
static void on_sock_ready(struct io_watch *w, unsigned bits)
{
	struct dns *d = CONTAINER_OF(w, struct sock_watch, watch)->dns;
	int fd = w->fd;

	ares_process_fd(d->channel, bits & IO_READ ? fd : ARES_SOCKET_BAD,
		bits & IO_WRITE ? fd : ARES_SOCKET_BAD);
	rearm(d);
}

static struct sock_watch *find_watch(const struct dns *d, int fd)
{
	LIST_EACH (&d->watches, n, after) {
		struct sock_watch *w = CONTAINER_OF(n, struct sock_watch, node);
		if (w->watch.fd == fd)
			return w;
	}
	return NULL;
}

static void on_sock_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = ctx;
	struct sock_watch *w = find_watch(d, fd);
	unsigned bits = (readable ? IO_READ : 0u) | (writable ? IO_WRITE : 0u);

	if (!bits && w) {
		io_unwatch(&w->watch);
		list_remove(&d->watches, &w->node);
		mem_free(w);
	}
	if (!bits)
		return;
	if (!w) {
		w = mem_zalloc(sizeof(*w));
		w->dns = d;
		w->watch.on_ready = on_sock_ready;
		if (io_watch_fd(d->loop, &w->watch, fd) != ERR_OK) {
			mem_free(w); /* the kernel is out of it: the question times out */
			return;
		}
		list_push_back(&d->watches, &w->node);
	}
	io_watch_want(&w->watch, bits);
}

/* --- the channel --- */

static int open_channel(struct dns *d, ares_channel *channel)
{
	struct ares_options o = {
		.timeout = (int)(d->try_for / NS_MS),
		.tries = (int)d->tries,
		.sock_state_cb = on_sock_state,
		.sock_state_cb_data = d,
	};
	int status = ares_init_options(channel, &o,
		ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);

	if (status == ARES_SUCCESS && d->servers.len)
		status = ares_set_servers_ports_csv(*channel, d->servers.ptr);
	return status;
}

static void read_system(struct dns *d)
{
	int mask;

	ares_destroy_options(&d->system);
	d->system = (struct ares_options){ .ndots = 1 };
	CHECK(ares_save_options(d->channel, &d->system, &mask) == ARES_SUCCESS);
}

static struct stat stat_conf(void)
{
	struct stat st = { 0 };
	if (stat(RESOLV_CONF, &st) < 0)
		st = (struct stat){ 0 };
	return st;
}

/* With no lookup under way. One that cannot be read now changes nothing. */
static void reopen_if_changed(struct dns *d)
{
	struct stat st = stat_conf();
	ares_channel fresh;

	if (st.st_mtim.tv_sec == d->conf.st_mtim.tv_sec &&
		st.st_mtim.tv_nsec == d->conf.st_mtim.tv_nsec &&
		st.st_ino == d->conf.st_ino && st.st_size == d->conf.st_size)
		return;
	d->conf = st;
	if (open_channel(d, &fresh) != ARES_SUCCESS)
		return;
	ares_destroy(d->channel);
	d->channel = fresh;
	read_system(d);
}

/* --- a lookup's steps --- */

static void query_free(struct dns_query *q)
{
	CHECK(q->pending == 0 && !q->lookup);
	list_remove(&q->dns->queries, &q->node);
	io_defer_cancel(q->dns->loop, &q->step);
	io_timer_stop(q->dns->loop, &q->patience);
	text_fini(&q->name);
	mem_free(q);
}

/* Nobody waits any more; what c-ares still owes is dropped when it comes. */
static void query_let_go(struct dns_query *q)
{
	q->lookup->query = NULL;
	q->lookup = NULL;
	io_defer_cancel(q->dns->loop, &q->step);
	io_timer_stop(q->dns->loop, &q->patience);
	if (q->pending == 0)
		query_free(q);
}

static void query_tell(struct dns_query *q, const struct dns_answer *answer)
{
	struct dns_lookup *l = q->lookup;
	query_let_go(q);
	l->on_done(l, answer);
}

static bool query_has_found(const struct dns_query *q)
{
	return q->found.n4 + q->found.n6 > 0;
}

static void query_tell_found(struct dns_query *q)
{
	struct dns_answer answer;
	dns_found_merge(&q->found, q->port, &answer);
	query_tell(q, &answer);
}

static void query_tell_none(struct dns_query *q)
{
	struct dns_answer answer;
	const char *why = q->has_name ? "the name has no address" : "no such name";

	if (q->failed != ARES_SUCCESS)
		dns_answer_none(&answer, DNS_FAILED, 0, ares_strerror(q->failed));
	else if (!dns_name_is_sound(text_slice(&q->name)))
		dns_answer_none(&answer, DNS_FAILED, 0, "that can be no name");
	else
		dns_answer_none(&answer, DNS_NO_NAME,
			q->negative == NS_NEVER ? 0 : q->negative, why);
	query_tell(q, &answer);
}

static void ask_hosts_for(struct dns_query *q, int family)
{
	struct hostent *host = NULL;
	/* a file of this host, read at once: c-ares' own lookups do the same */
	int status = ares_gethostbyname_file(q->dns->channel, q->name.ptr, family, &host);

	if (status == ARES_SUCCESS && host->h_addrtype == family)
		for (char **a = host->h_addr_list; *a; a++)
			dns_found_add(&q->found, family, *a, DNS_TTL_HOSTS);
	if (status == ARES_SUCCESS)
		ares_free_hostent(host);
}

/* A negative answer's, or one without what was asked for. */
static void note_nothing(
	struct dns_query *q, bool has_name, const unsigned char *msg, int len)
{
	ns_t ttl = msg && len > 0 ? dns_negative_ttl(msg, (size_t)len) : 0;
	q->has_name |= has_name;
	q->negative = ns_min(q->negative, ttl);
}

static int parse_v4(struct dns_found *found, const unsigned char *msg, int len)
{
	struct ares_addrttl list[DNS_ADDRS_MAX];
	int n = ARRAY_LEN(list), status = ares_parse_a_reply(msg, len, NULL, list, &n);

	for (int i = 0; status == ARES_SUCCESS && i < n; i++)
		dns_found_add(found, AF_INET, &list[i].ipaddr, list[i].ttl * NS_S);
	return status == ARES_SUCCESS && n == 0 ? ARES_ENODATA : status;
}

static int parse_v6(struct dns_found *found, const unsigned char *msg, int len)
{
	struct ares_addr6ttl list[DNS_ADDRS_MAX];
	int n = ARRAY_LEN(list), status = ares_parse_aaaa_reply(msg, len, NULL, list, &n);

	for (int i = 0; status == ARES_SUCCESS && i < n; i++)
		dns_found_add(found, AF_INET6, &list[i].ip6addr, list[i].ttl * NS_S);
	return status == ARES_SUCCESS && n == 0 ? ARES_ENODATA : status;
}

static void note_answer(
	struct dns_query *q, int family, int status, const unsigned char *msg, int len)
{
	if (status == ARES_SUCCESS)
		status = family == AF_INET ? parse_v4(&q->found, msg, len)
					   : parse_v6(&q->found, msg, len);
	if (status == ARES_ENODATA || status == ARES_ENOTFOUND)
		note_nothing(q, status == ARES_ENODATA, msg, len);
	else if (status != ARES_SUCCESS)
		q->failed = status;
}

static void on_answer(void *ctx, int status, int timeouts, unsigned char *msg, int len)
{
	struct question *question = ctx;
	struct dns_query *q = question->query;
	struct io_loop *loop = q->dns->loop;

	(void)timeouts;
	q->pending--;
	if (!q->lookup) {
		if (q->pending == 0)
			query_free(q);
		return;
	}
	note_answer(q, question->family, status, msg, len);
	if (q->pending == 0)
		io_defer(loop, &q->step);
	else if (query_has_found(q))
		io_timer_set(loop, &q->patience,
			ns_add(io_clock(loop), DNS_SECOND_FAMILY_FOR));
}

static uint32_t dots_in(const struct text *name)
{
	uint32_t dots = 0;
	for (size_t i = 0; i < name->len; i++)
		dots += name->ptr[i] == '.';
	return dots;
}

/* The nth name to ask for, by resolv.conf's search list; false: there are no more. */
static bool nth_candidate(const struct dns_query *q, uint32_t nth, struct text *out)
{
	const struct ares_options *system = &q->dns->system;
	bool absolute = q->name.ptr[q->name.len - 1] == '.';
	uint32_t domains = absolute ? 0 : (uint32_t)system->ndomains;
	bool first = dots_in(&q->name) >= (uint32_t)system->ndots;
	uint32_t as_is = first ? 0 : domains;

	text_reset(out);
	text_add_slice(out, text_slice(&q->name));
	if (nth != as_is && nth <= domains)
		text_addf(out, ".%s", system->domains[first ? nth - 1 : nth]);
	return nth <= domains;
}

/* Asks for both families of the next candidate; false: all have been asked for. */
static bool ask_servers(struct dns_query *q)
{
	struct dns *d = q->dns;
	struct text name;
	bool more;

	text_init(&name);
	do {
		more = nth_candidate(q, q->suffix++, &name);
	} while (more && !dns_name_is_sound(text_slice(&name)));
	if (more) {
		q->pending = 2; /* before: c-ares may call back at once */
		ares_query(d->channel, name.ptr, ns_c_in, ns_t_aaaa, on_answer,
			&q->questions[0]);
		ares_query(d->channel, name.ptr, ns_c_in, ns_t_a, on_answer,
			&q->questions[1]);
		rearm(d);
	}
	text_fini(&name);
	return more;
}

/* RFC 6761: known by nobody, it is this host all the same. */
static void add_loopback(struct dns_query *q)
{
	const struct in_addr v4 = { .s_addr = htonl(INADDR_LOOPBACK) };
	dns_found_add(&q->found, AF_INET6, &in6addr_loopback, DNS_TTL_HOSTS);
	dns_found_add(&q->found, AF_INET, &v4, DNS_TTL_HOSTS);
}

static void on_step(struct io_defer *defer)
{
	struct dns_query *q = CONTAINER_OF(defer, struct dns_query, step);
	const char *lookups = q->dns->system.lookups ? q->dns->system.lookups : "fb";
	bool local = dns_is_under(text_slice(&q->name), SLICE("localhost"));
	struct dns_answer literal;

	if (dns_literal(text_slice(&q->name), q->port, &literal)) {
		query_tell(q, &literal);
		return;
	}
	bool asks = !local && !dns_is_under(text_slice(&q->name), SLICE("invalid"));
	while (!query_has_found(q) && dns_name_is_sound(text_slice(&q->name)) &&
		q->source < LOOKUPS_MAX && lookups[q->source]) {
		char source = lookups[q->source];
		if (source == 'b' && asks && ask_servers(q))
			return;
		if (source == 'f') {
			ask_hosts_for(q, AF_INET6);
			ask_hosts_for(q, AF_INET);
		}
		q->source++;
	}
	if (local && !query_has_found(q))
		add_loopback(q);
	if (query_has_found(q))
		query_tell_found(q);
	else
		query_tell_none(q);
}

static void on_patience_over(struct timer *t)
{
	query_tell_found(CONTAINER_OF(t, struct dns_query, patience));
}

void dns_lookup(struct dns *d, struct dns_lookup *l, struct slice host, uint16_t port)
{
	struct dns_query *q = mem_zalloc(sizeof(*q));

	CHECK(!l->query && l->on_done);
	if (d->queries.len == 0)
		reopen_if_changed(d);
	q->dns = d;
	q->lookup = l;
	q->port = port;
	q->negative = NS_NEVER;
	q->questions[0] = (struct question){ q, AF_INET6 };
	q->questions[1] = (struct question){ q, AF_INET };
	q->step.fn = on_step;
	q->patience.on_fire = on_patience_over;
	dns_found_init(&q->found);
	text_init(&q->name);
	text_add_slice(&q->name, host);
	list_push_back(&d->queries, &q->node);
	l->query = q;
	io_defer(d->loop, &q->step);
}

void dns_cancel(struct dns_lookup *l)
{
	if (l->query)
		query_let_go(l->query);
}

/* --- life --- */

struct dns *dns_new(struct io_loop *loop, const struct dns_cfg *cfg, struct problem *p)
{
	struct dns *d = mem_zalloc(sizeof(*d));
	int status;

	d->loop = loop;
	d->try_for = cfg->try_for ? cfg->try_for : TRY_FOR;
	d->tries = cfg->tries ? cfg->tries : TRIES;
	d->timer.on_fire = on_timeout;
	list_init(&d->queries);
	list_init(&d->watches);
	text_init(&d->servers);
	CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
	if (cfg->servers && !dns_servers_parse(cfg->servers, &d->servers, p)) {
		dns_free(&d);
		return NULL;
	}
	d->conf = stat_conf();
	status = open_channel(d, &d->channel);
	if (status != ARES_SUCCESS) {
		(void)problem_set(
			p, "cannot set up the resolver: %s", ares_strerror(status));
		dns_free(&d);
		return NULL;
	}
	read_system(d);
	return d;
}

void dns_free(struct dns **handle)
{
	struct dns *d = *handle;

	if (!d)
		return;
	LIST_EACH (&d->queries, n, after) {
		struct dns_query *q = CONTAINER_OF(n, struct dns_query, node);
		if (q->lookup)
			query_let_go(q);
	}
	if (d->channel)
		ares_destroy(d->channel); /* calls back for every answer it owes */
	CHECK(d->queries.len == 0 && d->watches.len == 0);
	io_timer_stop(d->loop, &d->timer);
	ares_destroy_options(&d->system);
	ares_library_cleanup();
	text_fini(&d->servers);
	mem_free(d);
	*handle = NULL;
}
