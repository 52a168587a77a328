/* The access log: what is known of an exchange when it is over. */
#include "proxy/proxy.h"

bool access_is_on(const struct proxy *p)
{
	return p->log && p->opt->access_log;
}

static struct slice client_name(const struct sconn *client)
{
	const struct visitor *v = sconn_conn_ctx(client);
	return slice_of(v ? v->name : NULL);
}

static struct slice shown_path(const struct proxy *p, const struct h1_head *head)
{
	size_t mark = slice_find(head->target, '?');
	bool mask = p->opt->access_log_query == 0;
	/* The ? stays: there was a query. */
	return mask ? slice_cut(head->target, 0, mark + 1) : head->target;
}

/* What the log tells of a request. */
struct access_head {
	struct slice id, method, host, path; /* of kept ones the bytes follow */
};

static struct access_head head_seen(const struct proxy *p, const struct h1_head *head)
{
	const struct h1_field *id = h1_field_find(head, H1_FIELD_X_REQUEST_ID);
	return (struct access_head){
		.id = id ? id->value : SLICE_NONE,
		.method = head->method_text,
		.host = head->authority,
		.path = shown_path(p, head),
	};
}

static struct slice keep(char **at, struct slice s)
{
	struct slice kept = { *at, s.len };
	if (s.len)
		memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return kept;
}

void access_keep(struct proxy *p, const struct sconn *client, struct exchange *x)
{
	if (!access_is_on(p))
		return;
	struct access_head seen = head_seen(p, sconn_head(client));
	x->kept = mem_alloc(sizeof(*x->kept) + seen.id.len + seen.method.len +
			    seen.host.len + seen.path.len);
	char *at = (char *)(x->kept + 1);
	x->kept->id = keep(&at, seen.id);
	x->kept->method = keep(&at, seen.method);
	x->kept->host = keep(&at, seen.host);
	x->kept->path = keep(&at, seen.path);
}

void access_note(struct proxy *p, struct sconn *client, const struct exchange *x)
{
	const struct h1_head *head = sconn_head(client);
	/* of a tunnel that is older than the log, nothing is known */
	if (!access_is_on(p) || !(head || x->kept))
		return;
	const struct access_head seen = head ? head_seen(p, head) : *x->kept;
	const struct access line = {
		.id = seen.id,
		.client = client_name(client),
		.method = seen.method,
		.host = seen.host,
		.path = seen.path,
		.upstream = slice_of(x->route ? x->route->name : NULL),
		.status = x->status,
		.reason = x->why,
		.bytes_in = x->bytes_in,
		.bytes_out = x->bytes_out,
		.duration = x->begun_at ? proxy_now(p) - x->begun_at : 0,
		.queued_for = x->queued_for,
		.attempts = x->attempts,
	};
	accesslog_add(p->log, &p->log_line, &line);
}

void access_note_refused(struct proxy *p, struct sconn *client, enum err why)
{
	const struct access line = {
		.client = client_name(client),
		.status = err_status(why),
		.reason = why,
	};
	if (access_is_on(p))
		accesslog_add(p->log, &p->log_line, &line);
}

ns_t access_queued_for(const struct proxy *p, const struct call *call)
{
	ns_t sum = 0;
	if (!call->queued_at)
		return 0;
	for (uint32_t i = 0; i < call->past && i < CALL_TRIES; i++)
		sum += ns_max(call->tries[i].granted_at - call->tries[i].queued_at, 0);
	if (call->between)
		return sum;
	return sum + (call->granted_at ? call->granted_at : proxy_now(p)) -
	       call->queued_at;
}

bool access_open(const struct plan *plan, int *fd, struct problem *why)
{
	const char *path = plan->opt->access_log;
	struct problem cause = { "" };
	*fd = -1;
	if (!path || (*fd = accesslog_open(path, &cause)) >= 0)
		return true;
	return problem_set(why, "access-log: %s", cause.text);
}
