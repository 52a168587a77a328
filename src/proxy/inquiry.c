/* GET /explain?id=ID of the admin: each hand is asked whether it has the request. */
#include "proxy/round.h"

struct inquiry {
	struct round round;
	uint64_t nth;
	char *id;
	bool found;
	struct explain_record record; /* the latest of that id */
};

static struct inquiry *inquiry_of(struct round *r)
{
	return CONTAINER_OF(r, struct inquiry, round);
}

static void on_visit(struct round *r, struct proxy *p)
{
	struct inquiry *q = inquiry_of(r);
	const struct explain_record *found = explain_find(p->explain, slice_of(q->id));
	if (!found || (q->found && q->record.ended_at > found->ended_at))
		return;
	q->found = true;
	q->record = *found;
}

static void write_json(const struct inquiry *q, struct text *out, ns_t now)
{
	struct json j;
	json_init(&j, out, true);
	json_object(&j, NULL);
	json_cstr(&j, "schema", "weir.explain/1");
	json_bool(&j, "found", q->found);
	if (q->found) {
		explain_json(&j, &q->record, now);
	} else {
		json_cstr(&j, "id", q->id);
		json_cstr(&j, "why",
			"no request of that id among those that ended lately: it is under "
			"way still, its record has made room for others, or it never came "
			"here");
	}
	json_end(&j);
	text_add_char(out, '\n');
}

static void on_done(struct round *r)
{
	struct inquiry *q = inquiry_of(r);
	struct crew *c = r->crew;
	struct text said;
	text_init(&said);
	write_json(q, &said, io_now(crew_main(c)->loop));
	if (c->admin)
		admin_explained(
			c->admin, q->nth, q->found ? 200 : 404, text_slice(&said));
	text_fini(&said);
	mem_free(q->id);
	mem_free(q);
}

uint64_t crew_explain(void *ctx, struct slice id)
{
	struct crew *c = ctx;
	struct inquiry *q = mem_zalloc(sizeof(*q));
	q->round.visit = on_visit;
	q->round.done = on_done;
	q->id = slice_dup(id);
	q->nth = ++c->inquiries;
	round_begin(&q->round, c);
	return q->nth;
}
