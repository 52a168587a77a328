/* What the files of src/http tell each other and nobody else. */
#ifndef WEIR_HTTP_INTERNAL_H
#define WEIR_HTTP_INTERNAL_H

#include <stddef.h>

/* Bytes of an object, for the worker's slabs; the structs are private to their files. */
size_t sconn_size(void);
size_t cconn_size(void);

#endif
