#include "origin/full.h"

void full_put_rest(struct wire *w, struct slice server_name, struct slice date)
{
	WIRE_LIT(w, "Connection: close\r\n");
	if (server_name.len) {
		WIRE_LIT(w, "Server: ");
		wire_put_slice(w, server_name);
		WIRE_LIT(w, "\r\n");
	}
	WIRE_LIT(w, "Date: ");
	wire_put_slice(w, date);
	WIRE_LIT(w, "\r\nContent-Type: text/plain\r\nContent-Length: ");
	wire_put_u64(w, sizeof(FULL_WORDS) - 1);
	WIRE_LIT(w, "\r\n\r\n" FULL_WORDS);
}

struct full_answer full_answer(enum origin_full how)
{
	CHECK(how == FULL_FASTHTTP || how == FULL_503 || how == FULL_429);
	if (how == FULL_429)
		return (struct full_answer){
			.status = 429,
			.fields = SLICE("Retry-After: 1\r\n"),
			.body = SLICE("local_rate_limited"),
		};
	return (struct full_answer){
		.status = 503,
		.body = how == FULL_503 ? SLICE("The service is unavailable.")
					: SLICE(FULL_WORDS),
	};
}
