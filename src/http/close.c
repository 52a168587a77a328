/* How a connection is closed that the server has not closed: binds flow/last_word.h to an
 * upstream. */
#include "http/upstream_internal.h"

static struct last_word *word_of(struct upstream *u)
{
	return u->share ? share_last_word(u->share) : &u->last_word;
}

bool close_is_fin(struct upstream *u)
{
	return u->cfg.idle_fin || last_word_is_fin(word_of(u));
}

static void close_by(struct cconn *cc, enum io_close how)
{
	if (how == IO_CLOSE_RESET)
		last_word_reset(word_of(cc->up));
	cconn_close(cc, how);
}

void cconn_close_first(struct cconn *cc)
{
	enum io_close how = IO_CLOSE_FIN;
	if (!close_is_fin(cc->up))
		how = conn_quiet_close(&cc->conn);
	if (how == IO_CLOSE_RESET)
		conn_farewell(&cc->conn);
	close_by(cc, how);
}

void cconn_close_after(struct cconn *cc)
{
	if (cc->gone || cc->shut) {
		cconn_close(cc, IO_CLOSE_FIN);
		return;
	}
	conn_farewell(&cc->conn);
	cconn_break(cc); /* it reads no more: nothing that is under way can be lost */
}

/* An RST tells it at once and leaves nothing behind, but is never sent again: lost on the way it
 * leaves the server's slot held. */
void cconn_break(struct cconn *cc)
{
	close_by(cc, close_is_fin(cc->up) ? IO_CLOSE_FIN : IO_CLOSE_RESET);
}

void cconn_close_idle(struct cconn *cc)
{
	cc->up->stats.closed_idle++;
	cconn_close_first(cc);
}

/* Where calls were hung up on that is the likelier reason. */
void close_note_refused(struct upstream *u)
{
	bool fixed = !u->tuner && slots_limit(&u->slots) != SLOTS_NO_LIMIT;
	if (!fixed || u->cfg.idle_fin || hangups_doubts(u->hangups))
		return;
	if (last_word_refused(word_of(u)) && u->cfg.on_fin)
		u->cfg.on_fin(u->cfg.on_mind_ctx);
}
