/* Upgrade: what a request offers and what 101 switches to (RFC 9110 7.8). */
#include "proto/h1.h"

/* Item by item through all Upgrade fields, which are one list (RFC 9110 5.3). */
struct protocols {
	const struct h1_head *head;
	size_t next; /* field */
	struct slice rest;
};

static bool protocols_next(struct protocols *p, struct slice *item)
{
	while (!slice_next_item(&p->rest, item)) {
		while (p->next < p->head->field_count &&
			p->head->fields[p->next].id != H1_FIELD_UPGRADE)
			p->next++;
		if (p->next == p->head->field_count)
			return false;
		p->rest = p->head->fields[p->next++].value;
	}
	return true;
}

/* protocol = token [ "/" token ] */
static bool is_protocol(struct slice item)
{
	size_t slash = slice_find(item, '/');
	return h1_is_token(slice_cut(item, 0, slash)) &&
	       (slash == item.len || h1_is_token(slice_cut(item, slash + 1, SIZE_MAX)));
}

/* What other requests can travel under, unseen: past every rule that weir is there for. */
static bool is_for_http(struct slice item)
{
	static const struct slice names[] = { { "http", 4 }, { "h2", 2 }, { "h3", 2 },
		{ "tls", 3 } };
	const struct slice h2c = SLICE("h2c"); /* its drafts were h2c-14 and such */
	struct slice name = slice_cut(item, 0, slice_find(item, '/'));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_eq_nocase(name, names[i]))
			return true;
	return slice_eq_nocase(slice_cut(name, 0, h2c.len), h2c);
}

bool h1_put_offer(struct wire *out, const struct h1_head *head)
{
	struct protocols at = { .head = head };
	struct slice item;
	while (protocols_next(&at, &item)) {
		if (!is_protocol(item))
			return false;
		if (is_for_http(item))
			continue;
		if (out->len)
			WIRE_LIT(out, ", ");
		wire_put_slice(out, item);
	}
	return !out->over;
}

static bool is_offered(struct slice item, struct slice offer)
{
	struct slice offered;
	while (slice_next_item(&offer, &offered))
		if (slice_eq_nocase(item, offered))
			return true;
	return false;
}

bool h1_is_switch(const struct h1_head *head, struct slice offer)
{
	struct protocols at = { .head = head };
	struct slice item;
	size_t named = 0;
	if (head->status != 101 || !head->upgrade)
		return false;
	for (; protocols_next(&at, &item); named++)
		if (!is_offered(item, offer))
			return false;
	return named > 0;
}
