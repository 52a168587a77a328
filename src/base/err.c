#include "base/err.h"

#include <errno.h>
#include <stdarg.h>

struct row {
	const char *text, *label;
	enum err_fault fault;
	enum err_retry retry;
	uint16_t status;
};

static const struct row rows[ERR_COUNT] = {
#define ERR(name, fault, retry, status, label, text) \
	[ERR_##name] = { text, label, FAULT_##fault, RETRY_##retry, status },
#include "base/err.def"
#undef ERR
};

static const struct row *row_of(enum err e)
{
	CHECK((unsigned)e < ERR_COUNT);
	return &rows[e];
}

const char *err_text(enum err e)
{
	return row_of(e)->text;
}

const char *err_label(enum err e)
{
	return row_of(e)->label;
}

enum err_fault err_fault(enum err e)
{
	return row_of(e)->fault;
}

enum err_retry err_retry(enum err e)
{
	return row_of(e)->retry;
}

uint16_t err_status(enum err e)
{
	return row_of(e)->status;
}

enum err err_from_errno(int errnum)
{
	switch (errnum) {
	case 0:
		return ERR_OK;
	case EAGAIN: /* also EWOULDBLOCK */
	case EINPROGRESS:
	case EALREADY:
		return ERR_AGAIN;
	case ECONNREFUSED:
	case ENOENT: /* a unix: path nobody listens on */
		return ERR_REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
		return ERR_UNREACHABLE;
	case ETIMEDOUT: /* the kernel gave up on SYNs; on a connection, on its data */
		return ERR_CONNECT_TIMEOUT;
	case ECONNRESET:
	case ECONNABORTED:
		return ERR_RESET;
	case EPIPE:
	case ENOTCONN:
		return ERR_PIPE;
	case EADDRNOTAVAIL:
		return ERR_NO_PORTS;
	case EMFILE:
	case ENFILE:
		return ERR_NO_FDS;
	case ENOBUFS:
	case ENOMEM:
		return ERR_NO_MEMORY;
	case EADDRINUSE:
		return ERR_ADDR_IN_USE;
	case EACCES:
	case EPERM:
		return ERR_ACCESS;
	default:
		return ERR_SOCKET;
	}
}

void problem_fill(struct problem *p, const char *fmt, ...)
{
	static const char cut_mark[] = "...";
	va_list args;

	if (!p || p->text[0])
		return;
	va_start(args, fmt);
	int len = vsnprintf(p->text, sizeof(p->text), fmt, args);
	va_end(args);
	if (len >= (int)sizeof(p->text))
		memcpy(p->text + sizeof(p->text) - sizeof(cut_mark), cut_mark,
			sizeof(cut_mark));
}
