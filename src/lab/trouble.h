/* trouble: why a lab could not go on, and what the program at fault last said itself. */
#ifndef WEIR_LAB_TROUBLE_H
#define WEIR_LAB_TROUBLE_H

#include "base/err.h"
#include "base/text.h"

struct lab_trouble {
	struct problem p;
	struct text said; /* its standard error, or a compiler's; may be empty */
};

#endif
