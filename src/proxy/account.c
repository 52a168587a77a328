/* On whose account a request's calls are: slots are shared fairly between accounts. */
#include "proxy/proxy.h"

/* A field's value; who sends none is known by his address. */
static uint64_t key_of_field(
	const struct route *r, const struct sconn *client, const struct h1_head *head)
{
	const struct h1_field *field = h1_field_named(head, r->fair_field);
	return field ? slice_hash(field->value) : sconn_peer(client);
}

static uint64_t key_of(
	const struct route *r, const struct sconn *client, const struct h1_head *head)
{
	switch (r->fair_by) {
	case FAIR_BY_ADDRESS:
		return sconn_peer(client);
	case FAIR_BY_ROUTE:
		return (uintptr_t)r;
	case FAIR_BY_NONE:
		return 0;
	case FAIR_BY_FIELD:
		return key_of_field(r, client, head);
	}
	NEVER_HERE();
}

void account_route(struct route *r, const struct proxy_options *o)
{
	static const char *const words[] = {
		[FAIR_BY_ADDRESS] = "address",
		[FAIR_BY_ROUTE] = "route",
		[FAIR_BY_NONE] = "none",
	};
	r->priority = (uint8_t)o->priority;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(o->fair_by, words[i]) != 0)
			continue;
		r->fair_by = (enum fair_by)i;
		return;
	}
	r->fair_by = FAIR_BY_FIELD;
	r->fair_field = slice_of(o->fair_by);
}

uint64_t account_key(const struct route *r, const struct sconn *client)
{
	return key_of(r, client, sconn_head(client));
}

void account_call(const struct route *r, const struct sconn *client, struct call *call)
{
	call->priority = r->priority;
	call->caller_key = account_key(r, client);
}
