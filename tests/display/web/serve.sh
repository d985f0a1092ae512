# serve.sh PORT PROGRAM ARG...: this directory, for a browser beside it.
python3 -m http.server "$1" 2>server.log >&2 &
shift
exec "$@"
