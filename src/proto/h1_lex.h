/*
 * h1_lex: what the files of the head parser share.
 *
 * WHAT    Private to proto/. h1_scan.c walks the bytes of a head (struct h1_lex) from left
 *         to right and fills the slices; h1_target.c, h1_fields.c and h1_framing.c judge
 *         what the slices mean; h1_parse.c puts them in order.
 * MODEL   A head is a row of elements (enum h1_step). Each is a run of bytes of one class
 *         and its end mark. An element is judged no later than its last byte, from bytes
 *         up to that one only: so the verdict is that of the shortest prefix that has
 *         one, whichever way the bytes come.
 * RULES   1. What needs the whole head (Host, framing, Expect, Connection) is judged after
 *            its last byte, always in the same order.
 */
#ifndef WEIR_PROTO_H1_LEX_H
#define WEIR_PROTO_H1_LEX_H

#include "proto/h1.h"

enum h1_step {
	H1_STEP_START, /* nothing read; empty lines before a request are skipped */
	H1_STEP_METHOD,
	H1_STEP_TARGET,
	H1_STEP_VERSION, /* with its CRLF */
	H1_STEP_STATUS,  /* "HTTP/1.1 200 " */
	H1_STEP_REASON,
	H1_STEP_NAME, /* or the CRLF that ends the head */
	H1_STEP_VALUE,
	H1_STEP_END,
};

struct h1_lex {
	const char *base, *end;
	const char *at;  /* next byte to judge */
	const char *run; /* first byte of the element */
	struct h1_head *head;
	uint32_t target_max;
	uint16_t fields, fields_max;
	uint8_t step; /* enum h1_step */
	uint8_t blank_lines;
	bool response;
	bool mistakable; /* a field would pass for one that frames */
	bool whole; /* this walk began before the method or status: head holds every slice */
	enum err why;
	uint64_t doubled; /* bit per enum h1_field_id that came more than once */
};

static inline enum h1_result h1_fail(struct h1_lex *x, enum err why)
{
	x->why = why;
	return H1_BAD;
}

/* h1_scan.c: walk on. H1_DONE: x->at is behind the head. */
MUST_USE enum h1_result h1_lex_request(struct h1_lex *x);
MUST_USE enum h1_result h1_lex_response(struct h1_lex *x);

/* h1_target.c: method, form, path and authority from method_text and target. */
MUST_USE bool h1_read_target(struct h1_head *head);
/* RFC 9110 7.2 Host; sets the authority when the target has none. */
MUST_USE bool h1_read_host(struct h1_head *head, uint64_t doubled);

/* h1_fields.c */
enum h1_field_id h1_field_id_of(struct slice name);
bool h1_field_is_hop(enum h1_field_id id);
/* A message's length or its connection's life hangs on it. */
bool h1_is_framing(struct slice name);
/* No framing field, but one to a server that keeps fields as CGI does, with _ for -. */
bool h1_passes_for_framing(struct slice name);

/* What the Connection fields say (RFC 9110 7.6.1). */
struct h1_options {
	bool close, keep_alive, upgrade;
};

/* Marks the fields that Connection names. ERR_OK, ERR_REQ_SYNTAX when an option is no
 * token, ERR_REQ_HEAD_LARGE when there are too many. */
MUST_USE enum err h1_read_connection(struct h1_head *head, struct h1_options *options);

/* h1_framing.c: body, content_length, keep_alive, upgrade, expect_continue. */
MUST_USE enum err h1_frame_request(
	struct h1_head *head, uint64_t doubled, const struct h1_options *options);
MUST_USE enum err h1_frame_response(struct h1_head *head, uint64_t doubled,
	const struct h1_options *options, enum h1_method asked);

static inline uint64_t h1_bit(enum h1_field_id id)
{
	return (uint64_t)1 << id;
}

#endif
