/* A forward whose call failed, and is sent again: what of its request has to be kept for that. */
#include "proxy/forward.h"

/* Most requests have nothing to keep: their head lives as long as they do. */
void forward_keep(struct forward *f, const struct h1_head *head)
{
	f->call.replayable = f->call.hedgeable = head->body == H1_BODY_NONE;
	if (f->call.replayable || !h1_is_idempotent(f->call.method) ||
		(head->body == H1_BODY_LENGTH &&
			head->content_length > FORWARD_KEPT_BYTES))
		return;
	f->keeps = f->call.replayable = true;
}

void forward_keep_more(struct forward *f, struct slice data)
{
	if (!f->keeps)
		return;
	text_add_slice(&f->kept, data);
	f->resent = f->kept.len;
	if (f->kept.len <= FORWARD_KEPT_BYTES)
		return;
	f->keeps = f->call.replayable = false;
	text_fini(&f->kept);
	text_init(&f->kept);
	f->resent = 0;
}

bool forward_resend(struct forward *f)
{
	while (f->resent < f->kept.len) {
		struct slice rest = slice_cut(
			text_slice(&f->kept), f->resent, f->kept.len);
		size_t taken = call_data(&f->call, rest);
		f->resent += taken;
		if (taken < rest.len)
			return false;
	}
	return true;
}

bool forward_again(struct forward *f, enum err why)
{
	if (f->answering || call_again(&f->call, f->x.route->upstream, why) != RETRY_GO)
		return false;
	capture_begin(&f->capture, 0); /* it has been noted */
	f->head_sent = false;
	f->resent = 0;
	return true;
}
