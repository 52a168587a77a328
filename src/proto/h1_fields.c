/* Field names we know, and the fields that end with this hop. */
#include "proto/h1_lex.h"
#include "proto/h1_span.h"

/* Connection options a message may have: each is compared with every field. */
#define OPTIONS_MAX 64

#define ROWS 32 /* H1_FIELD_COUNT, rounded up to whole vectors */
_Static_assert(H1_FIELD_COUNT <= ROWS, "make ROWS 48");

static const struct slice names[ROWS] = {
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

/* Length and first letter in a byte: what names are compared by before their letters. The
 * keys of all known names stand in rows, which are compared at once. */
#define KEY(len, first) (uint8_t)((len)*8 ^ ((uint8_t)(first) | 0x20))

static const uint8_t keys[ROWS] = {
#define FIELD(id, name, hop) [H1_FIELD_##id] = KEY(sizeof(name) - 1, name[0]),
#include "proto/field.def"
#undef FIELD
};

/* Equal but for case, eight bytes at once. Exact for tokens only: 0x20 apart lie upper and
 * lower case, and no other two bytes of which one is in a known name (letters, digits, '-') and
 * both are tchar. */
static bool same_8(const char *token, const char *known, size_t len)
{
	const uint64_t fold = ~(uint64_t)0x2020202020202020;
	uint64_t a = 0, b = 0;
	memcpy(&a, token, len);
	memcpy(&b, known, len);
	return ((a ^ b) & fold) == 0;
}

/* Whether a token is this name, in any case. */
static bool is_name(struct slice t, struct slice name)
{
	const char *token = t.ptr, *known = name.ptr;
	const size_t len = t.len;
	size_t i = 0;
	if (len != name.len || len == 0)
		return false;
	if (len < 8) { /* halves of a fixed size, which may overlap */
		if (len < 4)
			return same_8(token, known, len);
		return same_8(token, known, 4) &&
		       same_8(token + len - 4, known + len - 4, 4);
	}
	for (; i + 8 <= len; i += 8)
		if (!same_8(token + i, known + i, 8))
			return false;
	return same_8(token + len - 8, known + len - 8, 8);
}

/* Equal but for case, and with _ for -. */
static bool reads_as(const char *token, struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((token[i] == '_' ? '-' : token[i] | 0x20) != name.ptr[i])
			return false;
	return true;
}

bool h1_passes_for_framing(struct slice name)
{
	const struct slice length = SLICE("content-length"),
			   coding = SLICE("transfer-encoding");
	return (name.len == length.len && reads_as(name.ptr, length)) ||
	       (name.len == coding.len && reads_as(name.ptr, coding));
}

static bool is_about_rates(struct slice name)
{
	const struct slice kin[] = { SLICE("ratelimit-"), SLICE("x-ratelimit-"),
		SLICE("x-rate-limit-") };
	for (size_t i = 0; i < ARRAY_LEN(kin); i++)
		if (slice_eq_nocase(slice_cut(name, 0, kin[i].len), kin[i]))
			return true;
	return false;
}

/* A name without a row. */
static enum h1_field_id kin_of(struct slice name)
{
	const struct slice forwarded = SLICE("x-forwarded"), real = SLICE("x-real-ip");
	const char first = (char)(*name.ptr | 0x20);
	if (first != 'x' && first != 'r')
		return H1_FIELD_OTHER;
	if (is_about_rates(name))
		return H1_FIELD_RATE_LIMIT;
	if (first == 'r')
		return H1_FIELD_OTHER;
	if ((name.len >= forwarded.len && reads_as(name.ptr, forwarded)) ||
		(name.len == real.len && reads_as(name.ptr, real)))
		return H1_FIELD_X_FORWARDED;
	return H1_FIELD_OTHER;
}

enum h1_field_id h1_field_id_of(struct slice name)
{
	if (name.len == 0)
		return H1_FIELD_OTHER;
	const uint8_t key = KEY(name.len, *name.ptr);
	for (size_t row = 0; row < ROWS; row += 16) {
		h1_v16 hit = (h1_v16)(h1_load(keys + row) == key);
		for (size_t i = h1_first(hit); i < 16; i = h1_first(hit)) {
			if (is_name(name, names[row + i]))
				return (enum h1_field_id)(row + i);
			hit[i] = 0;
		}
	}
	return kin_of(name);
}

bool h1_field_is_hop(enum h1_field_id id)
{
	return hops[id];
}

bool h1_is_framing(struct slice name)
{
	const enum h1_field_id id = h1_field_id_of(name);
	return id == H1_FIELD_CONTENT_LENGTH || id == H1_FIELD_TRANSFER_ENCODING ||
	       id == H1_FIELD_CONNECTION || id == H1_FIELD_UPGRADE;
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
	bool many = id == H1_FIELD_OTHER || id == H1_FIELD_X_FORWARDED ||
		    id == H1_FIELD_RATE_LIMIT;
	if (!(head->seen & h1_bit(id)))
		return;
	for (size_t i = 0; i < head->field_count; i++) {
		struct h1_field *f = &head->fields[i];
		if (f->id == id && (!many || slice_eq_nocase(f->name, name)))
			f->hop = true;
	}
}

static void read_option(struct h1_head *head, struct slice o, struct h1_options *options)
{
	if (is_name(o, SLICE("close")))
		options->close = true;
	else if (is_name(o, SLICE("keep-alive")))
		options->keep_alive = true;
	else if (is_name(o, SLICE("upgrade")))
		options->upgrade = true;
	else
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
