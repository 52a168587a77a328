/* Methods and status codes by name. */
#include "proto/h1.h"

enum h1_method h1_method_of(struct slice t)
{
	static const struct {
		struct slice name;
		enum h1_method method;
	} known[] = {
		{ { "GET", 3 }, H1_GET },
		{ { "POST", 4 }, H1_POST },
		{ { "HEAD", 4 }, H1_HEAD },
		{ { "PUT", 3 }, H1_PUT },
		{ { "DELETE", 6 }, H1_DELETE },
		{ { "CONNECT", 7 }, H1_CONNECT },
		{ { "OPTIONS", 7 }, H1_OPTIONS },
		{ { "TRACE", 5 }, H1_TRACE },
		{ { "PATCH", 5 }, H1_PATCH },
	};
	/* RFC 9110 9.1: case-sensitive. */
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_eq(t, known[i].name))
			return known[i].method;
	return H1_OTHER;
}

/* RFC 9110 9.2.1 and 9.2.2: the safe methods, PUT and DELETE. What we do not know is
 * not. */
bool h1_is_idempotent(enum h1_method m)
{
	switch (m) {
	case H1_GET:
	case H1_HEAD:
	case H1_PUT:
	case H1_DELETE:
	case H1_OPTIONS:
	case H1_TRACE:
		return true;
	case H1_OTHER:
	case H1_POST:
	case H1_CONNECT:
	case H1_PATCH:
		break;
	}
	return false;
}

/* IANA's HTTP Status Code Registry. */
static const char *const reasons[] = {
	[100] = "Continue",
	[101] = "Switching Protocols",
	[102] = "Processing",
	[103] = "Early Hints",
	[200] = "OK",
	[201] = "Created",
	[202] = "Accepted",
	[203] = "Non-Authoritative Information",
	[204] = "No Content",
	[205] = "Reset Content",
	[206] = "Partial Content",
	[207] = "Multi-Status",
	[208] = "Already Reported",
	[226] = "IM Used",
	[300] = "Multiple Choices",
	[301] = "Moved Permanently",
	[302] = "Found",
	[303] = "See Other",
	[304] = "Not Modified",
	[305] = "Use Proxy",
	[307] = "Temporary Redirect",
	[308] = "Permanent Redirect",
	[400] = "Bad Request",
	[401] = "Unauthorized",
	[402] = "Payment Required",
	[403] = "Forbidden",
	[404] = "Not Found",
	[405] = "Method Not Allowed",
	[406] = "Not Acceptable",
	[407] = "Proxy Authentication Required",
	[408] = "Request Timeout",
	[409] = "Conflict",
	[410] = "Gone",
	[411] = "Length Required",
	[412] = "Precondition Failed",
	[413] = "Content Too Large",
	[414] = "URI Too Long",
	[415] = "Unsupported Media Type",
	[416] = "Range Not Satisfiable",
	[417] = "Expectation Failed",
	[421] = "Misdirected Request",
	[422] = "Unprocessable Content",
	[423] = "Locked",
	[424] = "Failed Dependency",
	[425] = "Too Early",
	[426] = "Upgrade Required",
	[428] = "Precondition Required",
	[429] = "Too Many Requests",
	[431] = "Request Header Fields Too Large",
	[451] = "Unavailable For Legal Reasons",
	[500] = "Internal Server Error",
	[501] = "Not Implemented",
	[502] = "Bad Gateway",
	[503] = "Service Unavailable",
	[504] = "Gateway Timeout",
	[505] = "HTTP Version Not Supported",
	[506] = "Variant Also Negotiates",
	[507] = "Insufficient Storage",
	[508] = "Loop Detected",
	[511] = "Network Authentication Required",
};

const char *h1_status_reason(uint16_t status)
{
	const char *reason = status < ARRAY_LEN(reasons) ? reasons[status] : NULL;
	return reason ? reason : "";
}
