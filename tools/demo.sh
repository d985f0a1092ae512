#!/bin/bash
# demo.sh - shows what bailey does, on this machine, in under a minute.
B=${B:-build}
bailey=$B/bailey
if [ -t 1 ] && [ -z "$NO_COLOR" ]; then
	bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' off=$'\e[0m'
fi
failed=0
dir=$(mktemp -d)
name=demo-web-$$
trap '"$bailey" rm -f "$name" "$name-py" "$name"-{0..9} >/dev/null 2>&1; rm -rf "$dir"' EXIT
chmod 755 "$dir"

show() { # COMMAND: printed and run
	echo "$bold\$ $1$off"
	if ! eval "$1"; then
		echo "${red}failed$off"
		failed=1
	fi
	echo
}
port=$((20000 + RANDOM % 20000))
bailey() { "$B/bailey" "$@"; }
export -f bailey
export B
# What somebody types at a terminal, key by key; script(1) is the terminal.
typed() { # COMMAND KEYS...
	local k
	for k in '' "${@:2}"; do printf "$k"; sleep 0.4; done |
		script -qec "$1" /dev/null
}

show "bailey doctor | head -n 12"
show "bailey run echo 'hello from a picoprocess'"
show "bailey run bash -c 'id; uname -sr; ls -x /; echo only here > /etc/motd; cat /etc/motd'"
# an interactive shell: typed at, stopped with Ctrl-Z, ended with a status
show "typed \"$bailey run -it bash\" 'sleep 9\n' '\032' 'kill %%1\n' 'exit 7\n' || echo status \$?"
show "printf 'b\na\nb\n' | bailey run -i sh -c 'sort | uniq -c'"
mkdir -p "$dir/src" "$dir/out"
printf '#include <stdio.h>\nint main(void) { puts("compiled inside"); }\n' >"$dir/src/a.c"
chmod 777 "$dir/out"
show "bailey run -v $dir/src:/src:ro -v $dir/out:/out gcc -o /out/a /src/a.c && $dir/out/a"
mkdir -p "$dir/www" && echo 'served from the yard' >"$dir/www/index.html"
chmod -R a+rX "$dir/www"
show "bailey run -d --name $name -p $port:80 -v $dir/www:/var/www/html:ro nginx -g 'daemon off;' >/dev/null"
show "curl -s --retry 9 --retry-connrefused -w 'nginx answers: %{http_code}\n' localhost:$port"
show "bailey run -d --name $name-py python3 -m http.server >/dev/null; sleep 1; bailey exec $name-py curl -s -o /dev/null -w 'inside: %{http_code}\n' localhost:8000; ! curl -s localhost:8000 || false"
show "bailey ps"
show "bailey ps --json | head -n 9"
show "bailey exec $name sh -c 'ps ax | head -n 4'"
show "bailey logs $name-py 2>&1 | tail -n 1"
show "bailey inspect $name | head -n 6"
# saved with all that runs in it, ended, and running on: once, then ten times
www="-v $dir/www:/var/www/html:ro"
show "bailey save $name --stop -o $dir/web.bly && bailey image inspect $dir/web.bly | head -n 6"
show "bailey resume -d --name $name -p $port:80 $www $dir/web.bly >/dev/null && curl -s localhost:$port"
show "bailey resume -d --clones 10 --name '$name-{}' -p $((port + 1))+:80 $www $dir/web.bly >/dev/null && curl -s localhost:$((port + 10)); bailey rm -f $name-{0..9} | wc -l"
show "bailey kill $name && bailey wait $name; bailey rm -f $name $name-py"
show "bailey run --trace ls / 2>&1 >/dev/null | tail -n 5"
show "bailey syscalls | head -n 5"
show "bailey abi | head -n 5"
show "bailey abi --host | head -n 6"
if [ $failed = 0 ]; then
	echo "${green}All of it worked.$off"
fi
exit $failed
