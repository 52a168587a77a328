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

void access_note(struct proxy *p, struct sconn *client, const struct exchange *x)
{
	const struct h1_head *head = sconn_head(client);
	if (!access_is_on(p))
		return;
	const struct h1_field *id = h1_field_find(head, H1_FIELD_X_REQUEST_ID);
	const struct access line = {
		.id = id ? id->value : SLICE_NONE,
		.client = client_name(client),
		.method = head->method_text,
		.host = head->authority,
		.path = shown_path(p, head),
		.upstream = slice_of(x->route ? x->route->name : NULL),
		.status = x->status,
		.reason = x->why,
		.bytes_in = x->bytes_in,
		.bytes_out = x->bytes_out,
		.duration = x->begun_at ? proxy_now(p) - x->begun_at : 0,
		.queued_for = x->queued_for,
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
	if (!call->queued_at)
		return 0;
	return (call->granted_at ? call->granted_at : proxy_now(p)) - call->queued_at;
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
