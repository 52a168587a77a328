/* How long a message is (RFC 9112 6), and what becomes of its connection (9.3). */
#include "proto/h1_lex.h"
#include "proto/h1_span.h"

/* The largest length other software can hold too. */
#define LENGTH_MAX ((uint64_t)INT64_MAX)

/* RFC 9110 8.6: Content-Length = 1*DIGIT. No sign, no list, no overflow. */
static bool read_length(struct slice s, uint64_t *out)
{
	uint64_t n = 0;
	if (s.len == 0 || s.len > 19) /* 19 digits cannot overflow 64 bits */
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!h1_is(s.ptr[i], H1_CLASS_DIGIT))
			return false;
		n = n * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	*out = n;
	return n <= LENGTH_MAX;
}

struct codings {
	size_t items, empty, chunked;
	bool ends_chunked;
};

/* RFC 9112 7: coding names know no case. It is written anew as `chunked`, so nobody behind us
 * can miss it. */
static void read_codings(struct codings *c, struct slice list)
{
	bool more = true;
	while (more) {
		const size_t comma = slice_find(list, ',');
		const struct slice name = slice_trim(slice_cut(list, 0, comma));
		c->ends_chunked = slice_eq_nocase(name, SLICE("chunked"));
		c->chunked += c->ends_chunked;
		c->empty += name.len == 0;
		c->items++;
		more = comma < list.len;
		list = slice_cut(list, comma + 1, SIZE_MAX);
	}
}

/*
 * All Transfer-Encoding fields are one list (RFC 9110 5.3). RFC 9112 6.3 rule 4: what does not end
 * with `chunked` has no end that anybody knows; nor would all agree on one where `chunked` stands
 * twice, or an element is empty. 6.1: other codings below it are just none of ours.
 */
static enum err judge_codings(
	const struct h1_head *head, enum err framing, enum err coding)
{
	struct codings c = { 0 };
	for (size_t i = 0; i < head->field_count; i++)
		if (head->fields[i].id == H1_FIELD_TRANSFER_ENCODING)
			read_codings(&c, head->fields[i].value);
	if (!c.ends_chunked || c.chunked > 1 || c.empty)
		return framing;
	return c.items == 1 ? ERR_OK : coding;
}

/* The rules that requests and responses share; fills body LENGTH, CHUNKED or NONE. */
static enum err read_framing(
	struct h1_head *head, uint64_t doubled, enum err framing, enum err coding)
{
	const bool te = head->seen & h1_bit(H1_FIELD_TRANSFER_ENCODING);
	const struct h1_field *cl = h1_field_find(head, H1_FIELD_CONTENT_LENGTH);
	head->body = H1_BODY_NONE;
	head->content_length = 0;
	if (!te && !cl)
		return ERR_OK;
	/* RFC 9112 6.1: Transfer-Encoding with Content-Length, or in HTTP/1.0, may be an
	 * attempt at smuggling. */
	if (te && (cl || head->minor == 0))
		return framing;
	if (te) {
		head->body = H1_BODY_CHUNKED;
		return judge_codings(head, framing, coding);
	}
	/* 6.3 rule 5; a repeated equal length is refused as well. */
	if (doubled & h1_bit(H1_FIELD_CONTENT_LENGTH) ||
		!read_length(cl->value, &head->content_length))
		return framing;
	head->body = H1_BODY_LENGTH;
	return ERR_OK;
}

/* RFC 9112 9.3. Proxy-Connection says nothing to us (C.2.2). */
static bool persists(const struct h1_head *head, const struct h1_options *options)
{
	return !options->close && (head->minor > 0 || options->keep_alive);
}

/* RFC 9110 10.1.1. */
static enum err read_expect(struct h1_head *head, uint64_t doubled)
{
	const struct h1_field *expect = h1_field_find(head, H1_FIELD_EXPECT);
	head->expect_continue = false;
	if (!expect)
		return ERR_OK;
	if (doubled & h1_bit(H1_FIELD_EXPECT) ||
		!slice_eq_nocase(expect->value, SLICE("100-continue")))
		return ERR_REQ_EXPECT;
	/* In HTTP/1.0 it must be ignored; without content nothing waits for it. */
	head->expect_continue = head->minor > 0 && (head->body == H1_BODY_CHUNKED ||
							   head->content_length > 0);
	return ERR_OK;
}

enum err h1_frame_request(
	struct h1_head *head, uint64_t doubled, const struct h1_options *options)
{
	enum err e = read_framing(head, doubled, ERR_REQ_FRAMING, ERR_REQ_CODING);
	if (e != ERR_OK)
		return e;
	const bool content = head->body == H1_BODY_CHUNKED || head->content_length > 0;
	/* RFC 9110 9.3.8: TRACE has no content; 9.3.6: nor has CONNECT, and what follows
	 * its head would be read as the tunnel's by one and as a body by another. */
	if (content && (head->method == H1_TRACE || head->method == H1_CONNECT))
		return ERR_REQ_FRAMING;
	if (head->method == H1_CONNECT)
		head->body = H1_BODY_NONE;
	head->keep_alive = persists(head, options);
	/* RFC 9110 7.8: Upgrade in HTTP/1.0 is ignored. */
	head->upgrade = head->minor > 0 && options->upgrade &&
			head->seen & h1_bit(H1_FIELD_UPGRADE);
	return read_expect(head, doubled);
}

/* RFC 9112 6.3 rules 1 and 2: answers whose status or request says that no content
 * follows. */
static bool is_bodyless(const struct h1_head *head, enum h1_method asked)
{
	return asked == H1_HEAD || head->status < 200 || head->status == 204 ||
	       head->status == 304;
}

static bool is_tunnel(const struct h1_head *head, enum h1_method asked)
{
	return head->status == 101 || (asked == H1_CONNECT && head->status / 100 == 2);
}

static void end_bodyless(struct h1_head *head)
{
	/* RFC 9110 8.6, RFC 9112 6.1: a 204 announces no content. From a server that does
	 * all the same, bytes may follow: they must not meet the next request. */
	if (head->status == 204 &&
		(head->body == H1_BODY_CHUNKED || head->content_length > 0))
		head->keep_alive = false;
	head->body = H1_BODY_NONE;
}

enum err h1_frame_response(struct h1_head *head, uint64_t doubled,
	const struct h1_options *options, enum h1_method asked)
{
	head->keep_alive = persists(head, options);
	head->upgrade = head->minor > 0 && options->upgrade &&
			head->seen & h1_bit(H1_FIELD_UPGRADE);
	head->expect_continue = false;
	if (is_tunnel(head, asked)) { /* 6.3 rule 2: framing fields are ignored */
		head->body = H1_BODY_TUNNEL;
		head->content_length = 0;
		head->keep_alive = false;
		return ERR_OK;
	}
	enum err e = read_framing(head, doubled, ERR_RES_FRAMING, ERR_RES_FRAMING);
	if (e != ERR_OK)
		return e;
	if (is_bodyless(head, asked)) {
		end_bodyless(head);
	} else if (head->body == H1_BODY_NONE) { /* rule 8: until the connection ends */
		head->body = H1_BODY_CLOSE;
		head->keep_alive = false;
	}
	return ERR_OK;
}
