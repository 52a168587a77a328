#include "http/message.h"

/* Payload up to this is copied behind the head or chunk size, so that one write takes both;
 * more goes to the kernel from where it lies. */
#define OUTBOUND_COPY_BYTES 4096
/* "ffffffffffffffff\r\n" and the CRLF after the chunk. */
#define OUTBOUND_CHUNK_ROOM 20
/* Chunks up to this are joined to those before them where they lie: moving them costs less than
 * one more write, which wakes the other side once more. */
#define INBOUND_JOIN_BYTES 16384
/* Heads leave so much, so that the last chunk fits behind them before anything is flushed. */
#define OUTBOUND_TAIL_ROOM 8

static void buf_drop(char **buf, struct worker *w)
{
	if (*buf)
		slab_give(&w->bufs, *buf);
	*buf = NULL;
}

/* --- inbound --- */

static void inbound_drop_buf(struct inbound *in, struct worker *w)
{
	if (in->buf)
		slab_give(in->bulk ? &w->bulks : &w->bufs, in->buf);
	in->buf = NULL;
	in->start = in->end = in->gap = 0;
}

/* So much of the message is certain to come yet, and nothing else before it. */
static uint64_t inbound_due(const struct inbound *in)
{
	return in->bulky ? UINT64_MAX : in->body.left;
}

static bool inbound_has_buf(struct inbound *in, struct worker *w)
{
	if (in->buf)
		return true;
	in->start = in->end = 0;
	if (inbound_due(in) > WORKER_BUF_BYTES)
		in->buf = slab_take_raw(&w->bulks);
	in->bulk = in->buf != NULL;
	if (!in->buf)
		in->buf = slab_take_raw(&w->bufs);
	return in->buf != NULL;
}

/* Free bytes behind `end` that may be read into: rule 4. */
static size_t inbound_room(const struct inbound *in)
{
	uint64_t room = inbound_cap(in) - in->end, pending = in->end - in->start;
	uint64_t due = inbound_due(in);
	if (!in->bulk)
		return room;
	due = due > pending ? due - pending : 0;
	return room < due ? room : due;
}

enum err inbound_fill(struct inbound *in, struct worker *w, struct conn *c)
{
	if (!inbound_has_buf(in, w))
		return ERR_NO_MEMORY;
	if (in->end == inbound_cap(in) && in->start > 0) {
		memmove(in->buf, in->buf + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	size_t got = 0, room = inbound_room(in);
	if (room == 0)
		return ERR_NO_MEMORY;
	enum err e = conn_read(c, in->buf + in->end, room, &got);
	if (e == ERR_OK)
		in->end += (uint32_t)got;
	else if (in->start == in->end)
		inbound_drop_buf(in, w);
	return e;
}

static void inbound_begin_body(struct inbound *in, const struct h1_head *head)
{
	in->scan = (struct h1_scan){ 0 };
	h1_decoder_init(&in->body, head->body, head->content_length);
}

bool inbound_pin(
	struct inbound *in, struct worker *w, const struct h1_head *head, size_t used)
{
	CHECK(!in->pinned && in->start + used <= in->end);
	CHECK(!in->bulk);
	uint32_t rest = in->end - in->start - (uint32_t)used;
	char *next = NULL;
	if (rest) {
		next = slab_take_raw(&w->bufs);
		if (!next)
			return false;
		memcpy(next, in->buf + in->start + used, rest);
	}
	in->pinned = in->buf;
	in->buf = next;
	in->start = 0;
	in->end = rest;
	inbound_begin_body(in, head);
	return true;
}

void inbound_unpin(struct inbound *in, struct worker *w)
{
	buf_drop(&in->pinned, w);
}

void inbound_skip_head(struct inbound *in, const struct h1_head *head, size_t used)
{
	CHECK(in->start + used <= in->end);
	in->start += (uint32_t)used;
	inbound_begin_body(in, head);
}

/* The chunks behind `data`, as far as they are there, without what frames them. */
static void inbound_join(struct inbound *in, struct slice *data)
{
	struct h1_decoder next = in->body;
	struct slice rest = slice_cut(inbound_bytes(in), data->len, SIZE_MAX), more;
	size_t used;
	while (rest.len && h1_decode(&next, rest, &used, &more) == H1_PARTIAL &&
		more.len && more.len <= INBOUND_JOIN_BYTES) {
		memmove(in->buf + in->start + data->len, more.ptr, more.len);
		data->len += more.len;
		in->gap += (uint32_t)(used - more.len);
		in->body = next;
		rest = slice_cut(rest, used, SIZE_MAX);
	}
}

enum h1_result inbound_next(struct inbound *in, struct slice *data)
{
	*data = SLICE_NONE;
	while (!in->body.done) {
		struct slice bytes = inbound_bytes(in);
		size_t used = 0;
		if (h1_decode(&in->body, bytes, &used, data) == H1_BAD)
			return H1_BAD;
		/* Framing is consumed here, payload by inbound_took: it ends what was used. */
		CHECK(used >= data->len);
		in->start += (uint32_t)(used - data->len);
		if (data->len) {
			CHECK(data->ptr == in->buf + in->start && in->gap == 0);
			if (in->body.body == H1_BODY_CHUNKED)
				inbound_join(in, data);
			return H1_PARTIAL;
		}
		if (used == 0 && !in->body.done)
			return H1_PARTIAL;
	}
	return H1_DONE;
}

void inbound_took(struct inbound *in, struct slice data, size_t taken)
{
	const size_t left = data.len - taken;
	CHECK(taken <= data.len);
	if (left) {
		h1_decoder_untake(&in->body, left);
		if (in->gap)
			memmove(in->buf + in->start + taken + in->gap, data.ptr + taken,
				left);
	}
	in->start += (uint32_t)taken + in->gap;
	in->gap = 0;
}

void inbound_relax(struct inbound *in, struct worker *w, bool drop)
{
	if (drop) {
		buf_drop(&in->pinned, w);
		in->start = in->end;
	}
	if (in->start == in->end)
		inbound_drop_buf(in, w);
}

/* --- outbound --- */

static bool outbound_has_buf(struct outbound *out, struct worker *w)
{
	if (!out->buf) {
		out->buf = slab_take_raw(&w->bufs);
		out->start = out->end = 0;
	}
	return out->buf != NULL;
}

bool outbound_head(struct outbound *out, struct worker *w, struct wire *wire)
{
	if (!outbound_has_buf(out, w))
		return false;
	size_t room = WORKER_BUF_BYTES - out->end;
	room = room > OUTBOUND_TAIL_ROOM ? room - OUTBOUND_TAIL_ROOM : 0;
	wire_init(wire, out->buf + out->end, room);
	return true;
}

void outbound_head_end(struct outbound *out, const struct wire *wire,
	enum h1_body framing, uint64_t length)
{
	CHECK(!wire->over && wire->ptr == out->buf + out->end);
	out->end += (uint32_t)wire->len;
	out->framing = framing;
	out->left = framing == H1_BODY_LENGTH ? length : 0;
	out->head_done = true;
}

static void outbound_put(struct outbound *out, const char *bytes, size_t len)
{
	CHECK(len <= WORKER_BUF_BYTES - out->end);
	memcpy(out->buf + out->end, bytes, len);
	out->end += (uint32_t)len;
}

/* Writes what waits, then `data`; *put counts bytes of data alone. */
static enum err outbound_write(
	struct outbound *out, struct conn *c, struct slice data, size_t *put)
{
	struct iovec iov[2];
	int n = 0;
	size_t pending = out->end - out->start, wrote = 0;
	*put = 0;
	if (pending)
		iov[n++] = (struct iovec){ out->buf + out->start, pending };
	if (data.len)
		iov[n++] = (struct iovec){ (void *)(uintptr_t)data.ptr, data.len };
	if (n == 0)
		return ERR_OK;
	out->tried = true;
	enum err e = conn_writev(c, iov, n, &wrote);
	if (e != ERR_OK)
		return e;
	out->sent_any = true;
	if (wrote < pending) {
		out->start += (uint32_t)wrote;
		return ERR_AGAIN;
	}
	out->start = out->end = 0;
	*put = wrote - pending;
	return *put < data.len ? ERR_AGAIN : ERR_OK;
}

/* Opens a chunk of `len` bytes when none is open. ERR_AGAIN: no room until flushed. */
static enum err outbound_open_chunk(struct outbound *out, struct conn *c, size_t len)
{
	size_t put;
	if (WORKER_BUF_BYTES - out->end < OUTBOUND_CHUNK_ROOM) {
		enum err e = outbound_write(out, c, SLICE_NONE, &put);
		if (e != ERR_OK)
			return e;
	}
	struct wire wire;
	wire_init(&wire, out->buf + out->end, WORKER_BUF_BYTES - out->end);
	h1_put_chunk_size(&wire, len);
	CHECK(!wire.over);
	out->end += (uint32_t)wire.len;
	out->left = len;
	return ERR_OK;
}

/* Sends or copies a run of payload within one chunk. */
static enum err outbound_run(struct outbound *out, struct worker *w, struct conn *c,
	struct slice run, size_t *put)
{
	size_t room = WORKER_BUF_BYTES - OUTBOUND_CHUNK_ROOM;
	if (run.len <= OUTBOUND_COPY_BYTES && outbound_has_buf(out, w) &&
		out->end + run.len <= room) {
		outbound_put(out, run.ptr, run.len);
		*put = run.len;
		return ERR_OK;
	}
	return outbound_write(out, c, run, put);
}

enum err outbound_data(struct outbound *out, struct worker *w, struct conn *c,
	struct slice data, size_t *taken)
{
	enum err e = ERR_OK;
	*taken = 0;
	if (out->framing == H1_BODY_NONE) {
		*taken = data.len;
		return ERR_OK;
	}
	bool bounded = out->framing == H1_BODY_LENGTH || out->framing == H1_BODY_CHUNKED;
	/* A chunk's end goes into the buffer; the last flush may have given it back. */
	if (out->framing == H1_BODY_CHUNKED && !outbound_has_buf(out, w))
		return ERR_NO_MEMORY;
	while (e == ERR_OK && *taken < data.len) {
		struct slice run = slice_cut(data, *taken, SIZE_MAX);
		if (out->framing == H1_BODY_CHUNKED && out->left == 0) {
			e = outbound_open_chunk(out, c, run.len);
			if (e != ERR_OK)
				break;
		}
		CHECK(!bounded || out->framing == H1_BODY_CHUNKED ||
			run.len <= out->left);
		if (bounded && run.len > out->left)
			run.len = out->left;
		size_t put = 0;
		e = outbound_run(out, w, c, run, &put);
		*taken += put;
		if (bounded)
			out->left -= put;
		if (out->framing == H1_BODY_CHUNKED && out->left == 0)
			outbound_put(out, "\r\n", 2);
	}
	return e == ERR_AGAIN ? ERR_OK : e;
}

bool outbound_end(struct outbound *out, struct worker *w)
{
	CHECK(out->head_done && !out->done);
	if (out->framing == H1_BODY_LENGTH || out->framing == H1_BODY_CHUNKED)
		CHECK(out->left == 0);
	if (out->framing == H1_BODY_CHUNKED) {
		if (!outbound_has_buf(out, w))
			return false;
		outbound_put(out, H1_LAST_CHUNK, sizeof(H1_LAST_CHUNK) - 1);
	}
	out->done = true;
	return true;
}

enum err outbound_flush(struct outbound *out, struct worker *w, struct conn *c)
{
	size_t put;
	enum err e = outbound_write(out, c, SLICE_NONE, &put);
	if (e == ERR_OK)
		buf_drop(&out->buf, w);
	return e;
}

void outbound_reset(struct outbound *out, struct worker *w)
{
	buf_drop(&out->buf, w);
	*out = (struct outbound){ 0 };
}
