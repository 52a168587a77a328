#include "load/plan.h"

#include "base/ascii.h"
#include "base/schedule.h"

#define RATE_MAX 1e6 /* per second: beyond what one thread can start */
#define RUN_MAX (30 * 24 * 3600 * NS_S)
#define STEPS_MAX 100000 /* of the time line */
#define INTERVAL_MIN (10 * NS_MS)
#define RAMP_INTERVALS 10     /* of the time line, unless asked for otherwise */
#define FIELDS_BYTES_MAX 8192 /* the head must fit a buffer with room for the engine's */
#define TARGET_BYTES_MAX 4096

static bool check_recorded(struct load_plan *plan, struct problem *p)
{
	const struct load_options *o = plan->opts;
	struct problem why = { "" };

	if (o->rate)
		return problem_set(
			p, "--schedule says when requests start: leave --rate out");
	if (!trace_read(&plan->recorded, o->schedule, RUN_MAX, &why))
		return problem_set(p, "--schedule %s", why.text);
	return true;
}

static bool check_arrivals(struct load_plan *plan, struct problem *p)
{
	const struct load_options *o = plan->opts;
	struct problem why = { "" };

	if (o->schedule && *o->schedule)
		return check_recorded(plan, p);
	if (!o->rate)
		return problem_set(p, "--rate is missing: write --rate 100/s");
	if (!pace_parse(slice_of(o->rate), &plan->pace, &why))
		return problem_set(p, "--rate: %s", why.text);
	if (!(pace_max(&plan->pace) > 0))
		return problem_set(p, "--rate is zero: write --rate 100/s");
	if (pace_max(&plan->pace) > RATE_MAX)
		return problem_set(p, "--rate: at most 1,000,000/s from one process");
	if (o->run_for <= 0 || o->run_for > RUN_MAX)
		return problem_set(p,
			"--for: write a duration above zero, at most 30d, such as 30s");
	if (pace_mean(&plan->pace) * ((double)o->run_for / (double)NS_S) >= 1e12)
		return problem_set(p, "--rate and --for: more than 10^12 requests");
	return true;
}

static bool check_times(const struct load_plan *plan, struct problem *p)
{
	const struct load_options *o = plan->opts;

	if (o->patience <= 0)
		return problem_set(p, "--patience: write a duration above zero, or none");
	if (o->warm_up < 0 || o->warm_up >= plan_run_for(plan))
		return problem_set(p, "--warm-up: write a duration shorter than the run");
	if (o->timeout <= 0)
		return problem_set(p, "--timeout: write a duration above zero, or none");
	return true;
}

/* The rate changes on purpose; then --rate says how. */
static bool is_paced(const struct load_plan *plan)
{
	return !plan->recorded.count && plan->pace.kind != PACE_FLAT;
}

/* Where the rate changes, so that each of its steps, or a tenth of its ramp, is one of ours. */
static ns_t usual_interval(const struct load_plan *plan)
{
	uint32_t parts = plan->pace.kind == PACE_STEPS ? plan->pace.count
						       : RAMP_INTERVALS;

	if (!is_paced(plan))
		return NS_S;
	return ns_max((plan_run_for(plan) + parts - 1) / parts, INTERVAL_MIN);
}

static bool check_interval(struct load_plan *plan, struct problem *p)
{
	ns_t asked = plan->opts->interval;

	if (asked < INTERVAL_MIN)
		return problem_set(p, "--interval: write a duration of at least 10ms");
	plan->interval = asked == NS_NEVER ? usual_interval(plan) : asked;
	if (plan_run_for(plan) / plan->interval > STEPS_MAX)
		return problem_set(p,
			"--interval: the run holds more than 100,000 steps of it: write a "
			"longer one");
	return true;
}

/* A count of connections, or `none`. */
static bool check_count(const char *name, uint64_t asked, uint32_t none, uint32_t *count,
	struct problem *p)
{
	*count = none;
	if (asked == UINT64_MAX)
		return true;
	if (asked == 0 || asked >= SLOTS_NO_LIMIT)
		return problem_set(
			p, "--%s: write a count of connections, or none", name);
	*count = (uint32_t)asked;
	return true;
}

/* What is given stands, be it `none`, and the client's own where it is not. */
static void take_manner(
	struct client *own, const struct load_options *o, const struct client *client)
{
	own->connections = client->connections;
	if (o->pool == UINT64_MAX && !load_is_given(o, "pool"))
		own->pool = client->pool;
	if (o->idle == UINT64_MAX && !load_is_given(o, "idle"))
		own->idle = client->idle;
	if (o->idle_for == NS_NEVER && !load_is_given(o, "idle-for"))
		own->idle_for = client->idle_for;
}

static bool check_manner(struct load_plan *plan, struct problem *p)
{
	const struct load_options *o = plan->opts;
	struct client own = { NULL, (enum upstream_connections)o->connections, o->pool,
		o->idle, o->idle_for };

	if (o->as && *o->as) {
		plan->as = client_named(o->as, p);
		if (!plan->as)
			return false;
		if (load_is_given(o, "connections"))
			return problem_set(p,
				"--as %s says how connections are used: leave "
				"--connections out",
				o->as);
		take_manner(&own, o, plan->as);
	}
	plan->connections = own.connections;
	plan->idle_for = own.idle_for;
	if (own.idle_for <= 0)
		return problem_set(p, "--idle-for: write a duration above zero, or none");
	return check_count("pool", own.pool, SLOTS_NO_LIMIT, &plan->pool, p) &&
	       check_count("idle", own.idle, 0, &plan->idle, p);
}

static bool check_method(struct load_plan *plan, struct problem *p)
{
	char upper[16] = "";
	struct slice m = slice_of(plan->opts->method);

	plan->method = m;
	plan->method_id = h1_method_of(m);
	if (!h1_is_token(m))
		return problem_set(p, "--method: '%.*s' is not a method", SLICE_ARG(m));
	if (plan->method_id == H1_CONNECT)
		return problem_set(
			p, "--method: CONNECT opens a tunnel, it asks nothing");
	if (plan->method_id != H1_OTHER || m.len >= sizeof(upper))
		return true;
	for (size_t i = 0; i < m.len; i++)
		upper[i] = ascii_upper(m.ptr[i]);
	if (h1_method_of(slice_of(upper)) == H1_OTHER)
		return true;
	return problem_set(p, "--method: '%.*s': methods are upper case: write %s",
		SLICE_ARG(m), upper);
}

/* Fields that frame the message or steer the connection: options of their own do that. */
static const char *owner_of_field(struct slice name)
{
	static const struct {
		const char *name, *instead;
	} owned[] = {
		{ "Connection", "--connections says it" },
		{ "Keep-Alive", "--connections says it" },
		{ "Content-Length", "--body says it" },
		{ "Transfer-Encoding", "--body says it" },
		{ "Expect", "requests are sent whole" },
		{ "Upgrade", "an upgraded connection has no latency" },
		{ "TE", "it belongs to the connection" },
		{ "Trailer", "there are none" },
	};
	for (size_t i = 0; i < ARRAY_LEN(owned); i++) {
		if (slice_eq_nocase(name, slice_of(owned[i].name)))
			return owned[i].instead;
	}
	return NULL;
}

static bool is_field_value(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static bool add_field(
	struct load_plan *plan, const char *text, bool *has_host, struct problem *p)
{
	struct slice s = slice_of(text);
	size_t colon = slice_find(s, ':');
	struct slice name = slice_cut(s, 0, colon);
	struct slice value = slice_trim(slice_cut(s, colon + 1, SIZE_MAX));

	if (colon == s.len || !h1_is_token(name))
		return problem_set(p, "--header: '%s': write it as 'Name: value'", text);
	if (!is_field_value(value))
		return problem_set(p, "--header: the value of %.*s has a control byte",
			SLICE_ARG(name));
	const char *instead = owner_of_field(name);
	if (instead)
		return problem_set(
			p, "--header: %.*s cannot be set: %s", SLICE_ARG(name), instead);
	bool is_host = slice_eq_nocase(name, SLICE("Host"));
	if (is_host && *has_host)
		return problem_set(p, "--header: Host is given twice");
	*has_host |= is_host;
	text_add_slice(&plan->fields, name);
	text_add(&plan->fields, ": ");
	text_add_slice(&plan->fields, value);
	text_add(&plan->fields, "\r\n");
	return true;
}

static bool check_fields(struct load_plan *plan, struct problem *p)
{
	bool has_host = false;

	for (uint32_t i = 0; i < plan->opts->header.n; i++) {
		if (!add_field(plan, plan->opts->header.v[i], &has_host, p))
			return false;
	}
	if (!has_host)
		text_addf(&plan->fields, "Host: %.*s\r\n", SLICE_ARG(plan->to.authority));
	if (plan->fields.len > FIELDS_BYTES_MAX)
		return problem_set(p, "--header: %zu bytes in all, at most %d",
			plan->fields.len, FIELDS_BYTES_MAX);
	return true;
}

/* A server that expects a body is told that there is none (RFC 9110 8.6). */
static void choose_framing(struct load_plan *plan)
{
	enum h1_method m = plan->method_id;
	bool expects = m == H1_POST || m == H1_PUT || m == H1_PATCH;

	plan->body_bytes = plan->opts->body;
	plan->framing = plan->body_bytes || expects ? H1_BODY_LENGTH : H1_BODY_NONE;
}

static bool check_query(struct slice query, struct problem *p)
{
	for (size_t i = 0; i < query.len; i++) {
		unsigned char c = (unsigned char)query.ptr[i];
		if (c <= ' ' || c >= 0x7f)
			return problem_set(p,
				"the URL's query has a space, a control byte or one "
				"outside ASCII: write it as %%%02X",
				c);
	}
	return true;
}

static bool check_url(struct load_plan *plan, struct problem *p)
{
	struct addr_url *url = &plan->to;
	struct slice whole = slice_of(plan->url);
	bool local = slice_starts(whole, SLICE("unix:"));
	struct slice base = local ? whole : slice_cut(whole, 0, slice_find(whole, '?'));
	struct slice query = slice_cut(whole, base.len, SIZE_MAX);

	if (!local && slice_find(whole, '#') < whole.len)
		return problem_set(p,
			"the URL has a # part, which is never sent to a server: "
			"leave it out");
	if (!addr_url_parse(base, url, p) || !check_query(query, p))
		return false;
	text_add_slice(&plan->target, url->path);
	if (!url->path.len)
		text_add(&plan->target, "/");
	text_add_slice(&plan->target, query);
	if (plan->target.len > TARGET_BYTES_MAX)
		return problem_set(p, "the URL's path has %zu bytes, at most %d",
			plan->target.len, TARGET_BYTES_MAX);
	return true;
}

static bool take_url(
	struct load_plan *plan, const struct opt_texts *words, struct problem *p)
{
	if (words->n == 0)
		return problem_set(p, "no URL: write weir load --rate 100/s "
				      "http://127.0.0.1:8080/");
	if (words->n > 1)
		return problem_set(
			p, "'%s' is one word too many: one URL is loaded", words->v[1]);
	plan->url = words->v[0];
	return true;
}

bool plan_check(struct load_plan *plan, const struct load_options *opts,
	const struct opt_texts *words, struct problem *p)
{
	*plan = (struct load_plan){ .opts = opts };
	text_init(&plan->target);
	text_init(&plan->fields);
	if (!take_url(plan, words, p) || !check_url(plan, p) ||
		!check_arrivals(plan, p) || !check_times(plan, p) ||
		!check_interval(plan, p) || !check_manner(plan, p) ||
		!check_method(plan, p) || !check_fields(plan, p))
		return false;
	choose_framing(plan);
	return true;
}

bool plan_resolve(struct load_plan *plan, struct problem *p)
{
	return addr_url_resolve(&plan->to, plan->endpoints, UPSTREAM_ENDPOINTS_MAX,
		&plan->endpoint_count, p);
}

void plan_fini(struct load_plan *plan)
{
	text_fini(&plan->target);
	text_fini(&plan->fields);
	trace_fini(&plan->recorded);
}

ns_t plan_run_for(const struct load_plan *plan)
{
	return plan->recorded.count ? trace_run_for(&plan->recorded)
				    : plan->opts->run_for;
}

/* How many a second are started in the mean. */
static double rate_of(const struct load_plan *plan)
{
	return plan->recorded.count ? trace_rate(&plan->recorded)
				    : pace_mean(&plan->pace);
}

static const char *arrivals_of(const struct load_plan *plan)
{
	if (plan->recorded.count)
		return "recorded";
	return plan->opts->arrivals == SCHEDULE_POISSON ? "poisson" : "constant";
}

static const char *connections_of(const struct load_plan *plan)
{
	switch (plan->connections) {
	case UPSTREAM_POOL:
		return "pool";
	case UPSTREAM_CLOSE:
		return "close";
	case UPSTREAM_PRETEND:
		return "pretend";
	}
	CHECK(!"a choice of --connections");
	return NULL;
}

struct load_asked plan_asked(const struct load_plan *plan)
{
	const struct load_options *o = plan->opts;

	return (struct load_asked){
		.url = plan->url,
		.rate = rate_of(plan),
		.pace = is_paced(plan) ? o->rate : NULL,
		.run_for = plan_run_for(plan),
		.warm_up = o->warm_up,
		.patience = o->patience,
		.timeout = o->timeout,
		.interval = plan->interval,
		.arrivals = arrivals_of(plan),
		.connections = connections_of(plan),
		.as = plan->as ? plan->as->name : NULL,
		.pool = plan->pool == SLOTS_NO_LIMIT ? UINT64_MAX : plan->pool,
		.idle = plan->idle ? plan->idle : UINT64_MAX,
		.idle_for = plan->idle_for,
		.tls = plan->to.tls,
	};
}
