#!/bin/sh
# host_abi.tbl and host_abi.h list the same calls, with the same number of
# arguments or with one struct for them, and not more than the contract has.
# usage: abi_table.sh [include/bailey]
set -eu
dir=${1:-include/bailey}
fail=0
calls=$(sed -n 's/^HOST_CALL(\(host_[a-z_]*\),.*/\1/p' "$dir/host_abi.tbl" |
	sort)
upcalls=$(sed -n 's/^HOST_UPCALL(\([a-z]*\),.*/\1/p' "$dir/host_abi.tbl" |
	sort)
declared=$(tr '\n' ' ' < "$dir/host_abi.h" | sed 's,/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/,,g' |
	grep -oE '(int|int64_t|_Noreturn void|host_handle) host_[a-z_]*\(' |
	sed 's/.* \(host_[a-z_]*\)($/\1/' | sort)
fields=$(sed -n 's/^.*void (\*\([a-z]*\))(struct host_context \*c);.*/\1/p' \
	"$dir/host_abi.h" | sort)
if [ "$calls" != "$declared" ]; then
	echo "calls differ: in one of host_abi.tbl and host_abi.h only:"
	printf '%s\n%s\n' "$calls" "$declared" | sort | uniq -u
	fail=1
fi
if [ "$upcalls" != "$fields" ]; then
	echo "upcalls differ"
	fail=1
fi
n=$(echo "$calls" | wc -l)
if [ "$n" -gt 35 ] || [ "$(echo "$upcalls" | wc -l)" -gt 3 ]; then
	echo "more calls than the contract allows: $n"
	fail=1
fi
# Every line says what is checked and how the call travels.
if grep -E '^HOST_CALL' "$dir/host_abi.tbl" |
	grep -vE ', (DIRECT|MONITOR|LAYER),'; then
	echo "the lines above have no way"
	fail=1
fi
[ $fail = 0 ] && echo "ok: $n calls, the same in table and header"
exit $fail
