/* A connection of the rig, plain or TLS. */
#include "rig.h"

/* What is sealed at once, and not with the kernel yet, fits into junk. */
#define SEAL_MAX (128 * 1024)

static char junk[256 * 1024]; /* one thread, and nobody reads it */

void link_open(struct rig *r, struct link *l, int fd, SSL_CTX *tls)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = l };

	l->fd = fd;
	if (tls) {
		BIO *in = BIO_new_socket(fd, BIO_NOCLOSE);
		l->ssl = SSL_new(tls);
		l->out = BIO_new(BIO_s_mem());
		must(l->ssl && in && l->out, "SSL_new");
		SSL_set_bio(l->ssl, in, l->out);
	}
	must(epoll_ctl(r->ep, EPOLL_CTL_ADD, fd, &ev) == 0, "epoll_ctl");
}

void link_close(struct link *l)
{
	SSL_free(l->ssl);
	l->ssl = NULL;
	close(l->fd);
	l->fd = -1;
}

static ssize_t of_errno(ssize_t n)
{
	if (n > 0)
		return n;
	return n < 0 && (errno == EAGAIN || errno == ENOTCONN) ? LINK_WAIT : LINK_END;
}

int link_flush(struct link *l)
{
	char *bytes;
	long len = l->out ? BIO_get_mem_data(l->out, &bytes) : 0;

	while (len > 0) {
		ssize_t n = of_errno(
			send(l->fd, bytes, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT));
		if (n < 0)
			return (int)n;
		if (n == len)
			(void)BIO_reset(l->out);
		else
			BIO_read(l->out, junk, (int)n); /* n fits: SEAL_MAX */
		len = BIO_get_mem_data(l->out, &bytes);
	}
	return 0;
}

static ssize_t of_ssl(struct link *l, int n)
{
	if (n > 0)
		return n;
	if (link_flush(l) == LINK_END) /* of a handshake */
		return LINK_END;
	return SSL_get_error(l->ssl, n) == SSL_ERROR_WANT_READ ? LINK_WAIT : LINK_END;
}

ssize_t link_recv(struct link *l, char *buf, size_t cap)
{
	if (l->ssl)
		return of_ssl(l, SSL_read(l->ssl, buf, (int)cap));
	return of_errno(recv(l->fd, buf, cap, MSG_DONTWAIT));
}

ssize_t link_drop(struct link *l, size_t bytes)
{
	if (l->ssl)
		return link_recv(l, junk, bytes < sizeof(junk) ? bytes : sizeof(junk));
	/* MSG_TRUNC: TCP drops the bytes without a copy */
	return of_errno(recv(l->fd, NULL, bytes, MSG_DONTWAIT | MSG_TRUNC));
}

ssize_t link_send(struct link *l, const char *bytes, size_t len)
{
	if (!l->ssl)
		return of_errno(send(l->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT));
	int flushed = link_flush(l);
	if (flushed < 0)
		return flushed;
	return of_ssl(
		l, SSL_write(l->ssl, bytes, (int)(len < SEAL_MAX ? len : SEAL_MAX)));
}

static SSL_CTX *new_tls(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	must(ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION), "TLS 1.3");
	must(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256"), "cipher");
	must(SSL_CTX_set1_groups_list(ctx, "X25519"), "curve");
	SSL_CTX_set_mode(
		ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(
		ctx, sizeof(junk)); /* a read takes what is there */
	return ctx;
}

void rig_tls(struct rig *r, const char *cert_file, const char *key_file)
{
	r->client_tls = new_tls(TLS_client_method());
	r->server_tls = new_tls(TLS_server_method());
	must(SSL_CTX_use_certificate_file(r->server_tls, cert_file, SSL_FILETYPE_PEM) ==
				1 &&
			SSL_CTX_use_PrivateKey_file(
				r->server_tls, key_file, SSL_FILETYPE_PEM) == 1,
		cert_file);
}
