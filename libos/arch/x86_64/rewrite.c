#include "rewrite.h"
void rewrite_site(struct task *t)
{
}
