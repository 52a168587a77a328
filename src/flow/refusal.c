#include "flow/refusal.h"

static const struct refusal_row {
	const char *server;
	uint16_t status;
	struct slice text;
} refusal_rows[] = {
#define REFUSAL(server, status, text) { server, status, { text, sizeof(text) - 1 } },
#include "flow/refusal.def"
#undef REFUSAL
};

static bool is_in(const struct refusal_row *row, struct slice body)
{
	return body.len >= row->text.len &&
	       memmem(body.ptr, body.len, row->text.ptr, row->text.len);
}

const char *refusal_match(uint16_t status, struct slice body)
{
	for (size_t i = 0; i < ARRAY_LEN(refusal_rows); i++) {
		const struct refusal_row *row = &refusal_rows[i];
		if (row->status == status && is_in(row, body))
			return row->server;
	}
	return NULL;
}

bool refusal_is_quoted(struct slice text)
{
	for (size_t i = 0; i < ARRAY_LEN(refusal_rows); i++) {
		if (is_in(&refusal_rows[i], text))
			return true;
	}
	return false;
}
