/*
 * message: one direction of one HTTP/1.1 connection, shared by server and client side.
 *
 * MODEL   inbound: bytes read from a conn -> head -> body payload, in one pooled buffer.
 *         outbound: head and framing in one pooled buffer; payload goes to the kernel from
 *         where it lies, copied only when small.
 * RULES   1. An inbound that is empty and an outbound that is flushed hold no buffer.
 *         2. While `pinned`, the head's slices stay valid, whatever body passes.
 *         3. Payload that the taker refuses stays in the buffer and stops the reading:
 *            back-pressure costs one buffer a direction.
 *         4. Where more than a buffer of payload is certain to come, a bulk buffer is read
 *            into, while there are any: fewer and larger system calls. It ends with that
 *            payload, so it never holds a head, unless the inbound is `bulky`.
 */
#ifndef WEIR_HTTP_MESSAGE_H
#define WEIR_HTTP_MESSAGE_H

#include "conn/conn.h"
#include "http/worker.h"

struct inbound {
	char *buf;    /* bytes [start, end) are not consumed yet */
	char *pinned; /* the buffer that holds a head in use */
	uint32_t start, end;
	uint32_t gap; /* until inbound_took: between its data and what follows */
	bool bulk;    /* buf is one of WORKER_BULK_BYTES, else of WORKER_BUF_BYTES */
	bool bulky;   /* its heads are never pinned: bulk buffers do for them too */
	struct h1_scan scan;
	struct h1_decoder body;
};

/* Reads once into the free space. ERR_OK: something came; ERR_NO_MEMORY: no buffer left or
 * no room in it. */
MUST_USE enum err inbound_fill(struct inbound *in, struct worker *w, struct conn *c);
static inline struct slice inbound_bytes(const struct inbound *in)
{
	return in->buf ? (struct slice){ in->buf + in->start, in->end - in->start }
		       : SLICE_NONE;
}
static inline uint32_t inbound_cap(const struct inbound *in)
{
	return in->bulk ? WORKER_BULK_BYTES : WORKER_BUF_BYTES;
}
static inline bool inbound_is_full(const struct inbound *in)
{
	return in->buf && in->end == inbound_cap(in) && in->start == 0;
}
/* `used` bytes were a head: consume them, keep them valid, and get ready for its body.
 * False: no buffer left for what follows the head. */
MUST_USE bool inbound_pin(
	struct inbound *in, struct worker *w, const struct h1_head *head, size_t used);
/* The message is over: the head's slices die. */
void inbound_unpin(struct inbound *in, struct worker *w);
/* The head was used inside a callback and is consumed now. */
void inbound_skip_head(struct inbound *in, const struct h1_head *head, size_t used);
/*
 * The next run of payload, of as many chunks as are there. H1_DONE: none left, the message is
 * complete; H1_PARTIAL: *data (may be empty: more must be read); H1_BAD. Tell what was taken
 * with inbound_took.
 */
MUST_USE enum h1_result inbound_next(struct inbound *in, struct slice *data);
void inbound_took(struct inbound *in, struct slice data, size_t taken);
/* Gives buffers back when nothing is in them (or always, with `drop`). */
void inbound_relax(struct inbound *in, struct worker *w, bool drop);

struct outbound {
	char *buf;
	uint64_t left; /* of Content-Length, or of the chunk begun */
	uint32_t start, end;
	uint8_t framing; /* enum h1_body */
	bool head_done,
		done;  /* done: the message is framed whole (perhaps not flushed) */
	bool sent_any; /* bytes of this message reached the kernel */
	bool tried;    /* or may have been sealed for it: nothing can be taken back */
};

/* A wire into the buffer for a head; NULL when no buffer is left. End with outbound_head_end. */
MUST_USE bool outbound_head(struct outbound *out, struct worker *w, struct wire *wire);
void outbound_head_end(struct outbound *out, const struct wire *wire,
	enum h1_body framing, uint64_t length);
/*
 * Frames and sends payload. *taken <= data.len; less means blocked: want IO_WRITE, offer the
 * rest after outbound_flush gave ERR_OK. Errors as io_writev.
 */
MUST_USE enum err outbound_data(struct outbound *out, struct worker *w, struct conn *c,
	struct slice data, size_t *taken);
/* The payload is complete: last chunk if chunked. CHECKs that a Content-Length was kept. False:
 * no buffer left for that chunk; the message stays unfinished. */
MUST_USE bool outbound_end(struct outbound *out, struct worker *w);
/* ERR_OK: nothing waits; ERR_AGAIN: blocked. */
MUST_USE enum err outbound_flush(struct outbound *out, struct worker *w, struct conn *c);
static inline bool outbound_is_flushed(const struct outbound *out)
{
	return out->start == out->end;
}
void outbound_reset(
	struct outbound *out, struct worker *w); /* ready for the next message */

#endif
