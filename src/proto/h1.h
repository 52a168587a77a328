/*
 * h1: HTTP/1.1 messages: a strict incremental parser and a serialiser (RFC 9110, RFC
 * 9112).
 *
 * WHAT    Bytes in, slices out. No fd, no clock, no allocation: fields live in the
 *         caller's array, slices point into the caller's buffer.
 * MODEL   h1_parse_request / h1_parse_response look at all bytes received so far of one
 *         head. H1_PARTIAL: call again with the same bytes and more (the scanner
 *         remembers how far it looked, so the whole is O(n)). H1_DONE: *used bytes were
 *         the head. H1_BAD: *why says which rule, and its row in err.def which status.
 * RULES   1. Strict: bare CR or LF, obs-fold, space before colon, empty or illegal field
 *            names, control bytes (but HTAB) in values, any white space but one SP in the
 *            request line, TE with CL, TE in HTTP/1.0, CL lists or differing CLs, any
 *            transfer coding but `chunked` alone (in any case; ERR_REQ_CODING where it
 *            only stands over others), Content_Length and Transfer_Encoding, Host missing (HTTP/1.1),
 *            doubled or malformed, a target outside visible ASCII: refused. Up to 2 empty
 *            lines (CRLF) before a request line are skipped (RFC 9112 2.2).
 *            In a response up to 16 blanks before a colon are taken away (RFC 9112 5.1), but
 *            not behind Content-Length, Transfer-Encoding, Connection and Upgrade.
 *         2. The same bytes give the same result however they are split.
 *         3. Never reads at or past in.ptr + in.len.
 */
#ifndef WEIR_PROTO_H1_H
#define WEIR_PROTO_H1_H

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"

enum h1_method {
	H1_OTHER, /* a valid token we have no name for */
	H1_GET,
	H1_HEAD,
	H1_POST,
	H1_PUT,
	H1_DELETE,
	H1_CONNECT,
	H1_OPTIONS,
	H1_TRACE,
	H1_PATCH,
};

/*
 * Fields the engine cares about; the rest are H1_FIELD_OTHER. Names in proto/field.def.
 * H1_FIELD_X_FORWARDED is every name that begins with X-Forwarded and has no row of its own, and
 * every one of these and X-Real-IP that is spelled with _ for -: CGI and its kin do not see
 * the difference. H1_FIELD_RATE_LIMIT is RateLimit and every name that begins with RateLimit-,
 * X-RateLimit- or X-Rate-Limit-.
 */
enum h1_field_id {
	H1_FIELD_OTHER,
#define FIELD(id, name, hop) H1_FIELD_##id,
#include "proto/field.def"
#undef FIELD
	H1_FIELD_COUNT
};

struct h1_field {
	struct slice name, value; /* value trimmed of OWS; may be empty */
	uint8_t id;               /* enum h1_field_id */
	bool hop; /* hop-by-hop by its nature, or named by this message's Connection field
		   */
};

enum h1_body {
	H1_BODY_NONE,   /* no body at all (for requests: no CL and no TE) */
	H1_BODY_LENGTH, /* content_length bytes, may be 0 */
	H1_BODY_CHUNKED,
	H1_BODY_CLOSE,  /* responses only: until the connection ends */
	H1_BODY_TUNNEL, /* 101, or 2xx to CONNECT */
};

enum h1_form { H1_FORM_ORIGIN, H1_FORM_ABSOLUTE, H1_FORM_AUTHORITY, H1_FORM_ASTERISK };

#define H1_FIELDS_MAX 128

struct h1_head {
	/* request */
	uint8_t method; /* enum h1_method */
	uint8_t form;   /* enum h1_form */
	struct slice method_text, target;
	struct slice path; /* origin form of the target: path and query; "*" or "" for
			      asterisk/authority. Begins with '?' where an absolute form
			      has a query and no path (h1_put_request_line adds the '/') */
	struct slice authority; /* from an absolute or authority form target, else the
				   Host value */
	/* response */
	uint16_t status;
	struct slice reason;
	/* both */
	uint8_t minor;   /* HTTP/1.minor: 0 or 1 (higher minors count as 1) */
	uint8_t body;    /* enum h1_body */
	bool keep_alive; /* the connection may be used again as far as this message says
			  */
	bool upgrade;    /* HTTP/1.1, has Upgrade, and Connection names it */
	bool expect_continue;
	uint64_t content_length; /* body == H1_BODY_LENGTH; also what an answer without a
				    body says, if H1_FIELD_CONTENT_LENGTH was seen; else 0 */
	uint16_t field_count;
	uint64_t seen; /* bit per enum h1_field_id present */
	struct h1_field fields[H1_FIELDS_MAX];
};

struct h1_limits {
	uint32_t head_bytes;   /* whole head; 0: 32 KiB */
	uint32_t target_bytes; /* 0: 8 KiB */
	uint16_t fields;       /* 0: 100; at most H1_FIELDS_MAX */
};

/* How far the reading of the head has got. Zero it for a new message; zero again after
 * H1_DONE. */
struct h1_scan {
	uint32_t at; /* bytes found good so far */
	uint8_t blank_lines;
	uint8_t step;    /* the element `at` is in, enum h1_step of h1_lex.h */
	uint16_t fields; /* complete field lines before `at` */
	uint32_t run;    /* where that element begins */
};

enum h1_result { H1_DONE, H1_PARTIAL, H1_BAD };

MUST_USE enum h1_result h1_parse_request(struct h1_scan *scan, struct slice in,
	const struct h1_limits *limits, struct h1_head *head, size_t *used,
	enum err *why);
/* `asked` is the method of the request this answers: decides the body of HEAD and CONNECT
 * answers. */
MUST_USE enum h1_result h1_parse_response(struct h1_scan *scan, struct slice in,
	const struct h1_limits *limits, enum h1_method asked, struct h1_head *head,
	size_t *used, enum err *why);

/* The first field with this id, or NULL. */
const struct h1_field *h1_field_find(const struct h1_head *head, enum h1_field_id id);
/* By name, case-insensitive, NULL when absent. */
const struct h1_field *h1_field_named(const struct h1_head *head, struct slice name);
bool h1_is_idempotent(enum h1_method m); /* RFC 9110 9.2.2 */
const char *h1_status_reason(
	uint16_t status); /* "Service Unavailable"; "" when unknown */
enum h1_method h1_method_of(struct slice token); /* case-sensitive */
bool h1_is_token(struct slice s);                /* RFC 9110 5.6.2 */

/*
 * The protocols that a request's Upgrade fields offer, as one list to be sent on (RFC 9110
 * 7.8). Left out are those under which other requests would travel that nobody reads: HTTP
 * itself in any version (h2c), and TLS (RFC 2817). False: an item is no protocol, or `out`
 * is full. Nothing put: none is left.
 */
MUST_USE bool h1_put_offer(struct wire *out, const struct h1_head *head);
/* A 101 switches to what was offered: its Upgrade names one protocol at least, and none that
 * is not in `offer` (as h1_put_offer wrote it). */
bool h1_is_switch(const struct h1_head *head, struct slice offer);

/* A Keep-Alive field's value (RFC 2068 19.7.1.1): after how long the server closes an idle
 * connection, and how many requests more it takes on it. False: it says neither. */
#define H1_KEEP_ALIVE_UNSAID UINT32_MAX
struct h1_keep_alive {
	uint32_t timeout_s, max;
};
bool h1_read_keep_alive(struct slice value, struct h1_keep_alive *out);

/*
 * Body decoder: how much of the bytes at hand is payload. One for each message being
 * received.
 */
struct h1_decoder {
	uint8_t body; /* enum h1_body */
	uint8_t state;
	uint8_t digits;
	bool done;
	uint32_t line; /* bytes of the current chunk-size or trailer line; bounded */
	uint32_t trailer_bytes;
	uint32_t excess; /* of such lines over the payload they came with; bounded */
	uint64_t left;   /* of the body or of the chunk */
};

void h1_decoder_init(struct h1_decoder *d, enum h1_body body, uint64_t content_length);
/*
 * Looks at in; *data is the next run of payload inside `in` (may be empty), *used the
 * bytes consumed (framing and that payload). Call until *used is 0 or d->done. H1_DONE:
 * the message is complete. H1_BAD: malformed chunking (rule: strict; chunk extensions are
 * parsed, bounded at 256 bytes a line and in proportion to the payload, and dropped; trailers
 * are checked as fields, bounded at 8 KiB, and dropped). The caller may take fewer bytes of
 * *data than given: h1_decoder_untake gives back the rest.
 */
MUST_USE enum h1_result h1_decode(
	struct h1_decoder *d, struct slice in, size_t *used, struct slice *data);
/* The last *data's final `bytes` were not taken: they will be offered again. Adjust your
 * offset by the same. */
void h1_decoder_untake(struct h1_decoder *d, size_t bytes);
/* The connection ended: H1_DONE only if the message was complete or lasts until close. */
MUST_USE enum h1_result h1_decoder_eof(struct h1_decoder *d);

/*
 * Serialiser: heads in one unambiguous form. Call begin, then fields, then end, then
 * check w->over. It is also set when a method or name is no token or a path is not visible
 * ASCII; control bytes in a value or reason are written as SP. So nothing that comes from
 * outside can add a line.
 */
void h1_put_request_line(
	struct wire *w, struct slice method, struct slice path); /* HTTP/1.1 */
void h1_put_status_line(struct wire *w, uint16_t status,
	struct slice reason); /* HTTP/1.1; "" = standard reason */
void h1_put_field(struct wire *w, struct slice name, struct slice value);
void h1_put_field_u64(struct wire *w, struct slice name, uint64_t value);
/*
 * All end-to-end fields of `head`, except hop-by-hop ones (Transfer-Encoding and those that
 * Connection names among them), Content-Length, Host, Expect, and those whose id is in
 * `without` (bit per enum h1_field_id).
 */
void h1_put_fields(struct wire *w, const struct h1_head *head, uint64_t without);
/* Our own framing: Content-Length, Transfer-Encoding: chunked, or nothing. */
void h1_put_framing(struct wire *w, enum h1_body body, uint64_t content_length);
void h1_put_end(struct wire *w);
/* "1f4\r\n"; the data and "\r\n" follow. Last chunk: "0\r\n\r\n". */
void h1_put_chunk_size(struct wire *w, uint64_t bytes);
#define H1_LAST_CHUNK "0\r\n\r\n"
/* RFC 9110 5.6.7 IMF-fixdate; `out` holds 29 bytes and no NUL. Cached by the caller for a
 * second. */
#define H1_DATE_BYTES 29
void h1_date(char out[H1_DATE_BYTES], int64_t wall_s);
/* Any of the three forms of RFC 9110 5.6.7, in seconds since 1970; a year of two digits is not
 * more than 50 years after `wall_s`. False: it is none. */
MUST_USE bool h1_date_read(struct slice s, int64_t wall_s, int64_t *out);

#endif
