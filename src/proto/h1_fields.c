/* Field names we know, and the fields that end with this hop. */
#include "proto/h1_lex.h"
#include "proto/h1_span.h"

/* Connection options a message may have: each is compared with every field. */
#define OPTIONS_MAX 64

#define ROWS 32 /* H1_FIELD_COUNT, rounded up to whole vectors */
_Static_assert(H1_FIELD_COUNT <= ROWS, "make ROWS 48");

static const struct slice names[H1_FIELD_COUNT] = {
	[H1_FIELD_OTHER] = { "", 0 },
#define FIELD(id, name, hop) [H1_FIELD_##id] = { name, sizeof(name) - 1 },
#include "proto/field.def"
#undef FIELD
};

static const bool hops[H1_FIELD_COUNT] = {
#define FIELD(id, name, hop) [H1_FIELD_##id] = hop,
#include "proto/field.def"
#undef FIELD
};

/* The lengths and first letters of all known names, in rows that are compared at once. */
static const uint8_t lengths[ROWS] = {
#define FIELD(id, name, hop) [H1_FIELD_##id] = sizeof(name) - 1,
#include "proto/field.def"
#undef FIELD
};

static const uint8_t initials[ROWS] = {
#define FIELD(id, name, hop) [H1_FIELD_##id] = (uint8_t)name[0] | 0x20,
#include "proto/field.def"
#undef FIELD
};

/* Equal but for case. Exact only for tokens: 0x20 apart lie upper and lower case, and no
 * other two bytes of which one is in a known name (letters and '-') and both are tchar. */
static bool same_name(const char *token, const char *known, size_t len)
{
	const uint64_t fold = ~(uint64_t)0x2020202020202020;
	uint64_t a, b;
	size_t i = 0;
	for (; i + sizeof a <= len; i += sizeof a) {
		memcpy(&a, token + i, sizeof a);
		memcpy(&b, known + i, sizeof b);
		if ((a ^ b) & fold)
			return false;
	}
	for (; i < len; i++)
		if ((token[i] ^ known[i]) & ~0x20)
			return false;
	return true;
}

enum h1_field_id h1_field_id_of(struct slice name)
{
	if (name.len == 0 || name.len > UINT8_MAX)
		return H1_FIELD_OTHER;
	const uint8_t len = (uint8_t)name.len, first = (uint8_t)*name.ptr | 0x20;
	for (size_t row = 0; row < ROWS; row += 16) {
		h1_v16 hit = (h1_v16)((h1_load(lengths + row) == len) &
				      (h1_load(initials + row) == first));
		for (size_t i = h1_first(hit); i < 16; i = h1_first(hit)) {
			if (same_name(name.ptr, names[row + i].ptr, name.len))
				return (enum h1_field_id)(row + i);
			hit[i] = 0;
		}
	}
	return H1_FIELD_OTHER;
}

bool h1_field_is_hop(enum h1_field_id id)
{
	return hops[id];
}

const struct h1_field *h1_field_find(const struct h1_head *head, enum h1_field_id id)
{
	if (!(head->seen & h1_bit(id)))
		return NULL;
	for (size_t i = 0; i < head->field_count; i++)
		if (head->fields[i].id == id)
			return &head->fields[i];
	return NULL;
}

const struct h1_field *h1_field_named(const struct h1_head *head, struct slice name)
{
	for (size_t i = 0; i < head->field_count; i++)
		if (slice_eq_nocase(head->fields[i].name, name))
			return &head->fields[i];
	return NULL;
}

bool h1_is_token(struct slice s)
{
	return s.len > 0 && h1_span_token(s.ptr, s.ptr + s.len) == s.ptr + s.len;
}

static void mark_named(struct h1_head *head, struct slice name)
{
	enum h1_field_id id = h1_field_id_of(name);
	if (!(head->seen & h1_bit(id)))
		return;
	for (size_t i = 0; i < head->field_count; i++) {
		struct h1_field *f = &head->fields[i];
		if (f->id == id &&
			(id != H1_FIELD_OTHER || slice_eq_nocase(f->name, name)))
			f->hop = true;
	}
}

static void read_option(struct h1_head *head, struct slice o, struct h1_options *options)
{
	if (slice_eq_nocase(o, SLICE("close")))
		options->close = true;
	else if (slice_eq_nocase(o, SLICE("keep-alive")))
		options->keep_alive = true;
	else if (slice_eq_nocase(o, SLICE("upgrade")))
		options->upgrade = true;
	mark_named(head, o);
}

/* RFC 9110 7.6.1: Connection = #connection-option, each a token, in any case. */
enum err h1_read_connection(struct h1_head *head, struct h1_options *options)
{
	size_t count = 0;
	if (!(head->seen & h1_bit(H1_FIELD_CONNECTION)))
		return ERR_OK;
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id != H1_FIELD_CONNECTION)
			continue;
		struct slice rest = head->fields[i].value, option;
		while (slice_next_item(&rest, &option)) {
			if (!h1_is_token(option))
				return ERR_REQ_SYNTAX;
			if (++count > OPTIONS_MAX)
				return ERR_REQ_HEAD_LARGE;
			read_option(head, option, options);
		}
	}
	return ERR_OK;
}
