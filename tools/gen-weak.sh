#!/bin/sh
# Weak handlers for every line of the system-call table: a call that nothing
# implements answers ENOSYS.  usage: gen-weak.sh syscalls.tbl > out.c
echo '/* generated from syscalls.tbl by tools/gen-weak.sh - do not edit */'
echo '#include <libos/sys.h>'
sed -n 's/^SYSCALL([^,]*,[^,]*, *\([a-z0-9_]*\),.*/\1/p' "$1" | sort -u |
while read -r fn; do
	printf '__attribute__((weak)) long %s(struct task *t, const struct sysargs *a)\n{\n\treturn -ENOSYS;\n}\n' "$fn"
done
