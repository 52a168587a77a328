/* Heads in one unambiguous form: one SP where white space may stand, CRLF, own framing. */
#include "proto/h1_lex.h"
#include "proto/h1_span.h"

static bool is_visible(struct slice s)
{
	return s.len > 0 && h1_span_target(s.ptr, s.ptr + s.len) == s.ptr + s.len;
}

/* RFC 9110 5.5: CR, LF, NUL and other controls in a value are replaced by SP, so that no
 * text that found its way here can end a line. */
static void put_text(struct wire *w, struct slice s)
{
	if (s.len == 0)
		return; /* ptr may be NULL */
	const char *p = s.ptr, *end = s.ptr + s.len;
	while (p < end) {
		const char *q = h1_span_value(p, end);
		wire_put(w, p, (size_t)(q - p));
		if (q < end)
			WIRE_LIT(w, " ");
		p = q + (q < end);
	}
}

void h1_put_request_line(struct wire *w, struct slice method, struct slice path)
{
	if (!h1_is_token(method) || !is_visible(path)) {
		w->over = true;
		return;
	}
	wire_put_slice(w, method);
	WIRE_LIT(w, " ");
	/* RFC 9112 3.2.1: an absolute form may have a query and no path. */
	if (*path.ptr == '?')
		WIRE_LIT(w, "/");
	wire_put_slice(w, path);
	WIRE_LIT(w, " HTTP/1.1\r\n");
}

void h1_put_status_line(struct wire *w, uint16_t status, struct slice reason)
{
	CHECK(status >= 100 && status <= 599);
	WIRE_LIT(w, "HTTP/1.1 ");
	wire_put_u64(w, status);
	/* RFC 9112 4: the SP stays where there is no reason. */
	WIRE_LIT(w, " ");
	put_text(w, reason.len ? reason : slice_of(h1_status_reason(status)));
	WIRE_LIT(w, "\r\n");
}

/* False, and `over`, for what is no field name. */
static bool put_name(struct wire *w, struct slice name)
{
	if (!h1_is_token(name)) {
		w->over = true;
		return false;
	}
	wire_put_slice(w, name);
	WIRE_LIT(w, ": ");
	return true;
}

void h1_put_field(struct wire *w, struct slice name, struct slice value)
{
	if (!put_name(w, name))
		return;
	put_text(w, value);
	WIRE_LIT(w, "\r\n");
}

void h1_put_field_u64(struct wire *w, struct slice name, uint64_t value)
{
	if (!put_name(w, name))
		return;
	wire_put_u64(w, value);
	WIRE_LIT(w, "\r\n");
}

/* One validated field, checked for room once. Where it stands in the input as it is to be
 * written, with one SP behind the colon, name and value are copied together. */
static void put_read_field(struct wire *w, const struct h1_field *f)
{
	const size_t name = f->name.len, value = f->value.len, all = name + value + 4;
	char *to = w->ptr + w->len;
	if (UNLIKELY(all > w->cap - w->len)) {
		w->over = true;
		return;
	}
	if (f->value.ptr == f->name.ptr + name + 2 && f->value.ptr[-1] == ' ') {
		memcpy(to, f->name.ptr, all - 2);
	} else {
		memcpy(to, f->name.ptr, name);
		to[name] = ':';
		to[name + 1] = ' ';
		if (value) /* ptr may be NULL */
			memcpy(to + name + 2, f->value.ptr, value);
	}
	to[all - 2] = '\r';
	to[all - 1] = '\n';
	w->len += all;
}

void h1_put_fields(struct wire *w, const struct h1_head *head, uint64_t without)
{
	without |= h1_bit(H1_FIELD_CONTENT_LENGTH) | h1_bit(H1_FIELD_HOST) |
		   h1_bit(H1_FIELD_EXPECT) | h1_bit(H1_FIELD_TRANSFER_ENCODING);
	for (size_t i = 0; i < head->field_count; i++) {
		const struct h1_field *f = &head->fields[i];
		if (!f->hop && !(without & h1_bit((enum h1_field_id)f->id)))
			put_read_field(w, f);
	}
}

void h1_put_framing(struct wire *w, enum h1_body body, uint64_t content_length)
{
	switch (body) {
	case H1_BODY_LENGTH:
		WIRE_LIT(w, "Content-Length: ");
		wire_put_u64(w, content_length);
		WIRE_LIT(w, "\r\n");
		break;
	case H1_BODY_CHUNKED:
		WIRE_LIT(w, "Transfer-Encoding: chunked\r\n");
		break;
	case H1_BODY_NONE:
	case H1_BODY_CLOSE:
	case H1_BODY_TUNNEL:
		break;
	}
}

void h1_put_end(struct wire *w)
{
	WIRE_LIT(w, "\r\n");
}

void h1_put_chunk_size(struct wire *w, uint64_t bytes)
{
	wire_put_hex(w, bytes);
	WIRE_LIT(w, "\r\n");
}
