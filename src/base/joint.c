#include "base/joint.h"

void joint_init(struct joint *j)
{
	CHECK(pthread_mutex_init(&j->lock, NULL) == 0);
	atomic_init(&j->refs, 1);
}

void joint_ref(struct joint *j)
{
	CHECK(j->refs++ > 0);
}

bool joint_unref(struct joint *j)
{
	CHECK(j->refs > 0);
	if (--j->refs > 0)
		return false;
	CHECK(pthread_mutex_destroy(&j->lock) == 0);
	return true;
}

void joint_lock(struct joint *j)
{
	CHECK(pthread_mutex_lock(&j->lock) == 0);
}

void joint_unlock(struct joint *j)
{
	CHECK(pthread_mutex_unlock(&j->lock) == 0);
}
