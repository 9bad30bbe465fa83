#!/bin/sh
# The fleet's own CA and its certificates, as files in the current folder. OpenSSL 1.1.1 or newer.
#
#   certificates.sh ca              ca.key (keep it off the broker and the devices) and ca.crt
#   certificates.sh broker NAME...  server.key, server.crt for the host names and addresses
#   certificates.sh client NAME     NAME.key, NAME.crt for a device or a collector; renews it, too
#
# DAYS is how long a certificate is valid.
set -eu
umask 077

usage() {
  sed -n 's/^#   //p' "$0" >&2
  exit 2
}

new_key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

# leaf FILE COMMON-NAME USAGE [ALTERNATIVE-NAMES]: the files appear whole or not at all.
leaf() {
  # shellcheck disable=SC2086
  openssl req $new_key -keyout "$1.key.new" -out "$1.csr" -subj "/CN=$2"
  {
    echo "basicConstraints=critical,CA:FALSE"
    echo "keyUsage=critical,digitalSignature"
    echo "extendedKeyUsage=$3"
    if [ -n "${4-}" ]; then echo "subjectAltName=$4"; fi
  } >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial \
    -days "${DAYS:-90}" -extfile "$1.ext" -out "$1.crt.new"
  mv "$1.key.new" "$1.key"
  mv "$1.crt.new" "$1.crt"
  chmod 644 "$1.crt"
  rm "$1.csr" "$1.ext"
}

case "${1-}" in
ca)
  [ $# -eq 1 ] || usage
  if [ -e ca.key ]; then
    echo "there is a ca.key here already" >&2
    exit 1
  fi
  # shellcheck disable=SC2086
  openssl req -x509 $new_key -keyout ca.key -out ca.crt -days "${DAYS:-3650}" \
    -subj "/CN=Edgeward fleet" -addext "keyUsage=critical,keyCertSign,cRLSign"
  chmod 644 ca.crt
  ;;
broker)
  [ $# -ge 2 ] || usage
  shift
  names=
  for name; do
    case "$name" in
    *:*) names="$names,IP:$name" ;;
    *[!0-9.]*) names="$names,DNS:$name" ;;
    *) names="$names,IP:$name" ;;
    esac
  done
  leaf server "$1" serverAuth "${names#,}"
  ;;
client)
  [ $# -eq 2 ] || usage
  # The characters of a device's name: no `/`, `+` or `#` comes into a pattern of the access list.
  case "$2" in
  '' | ca | server | *[!A-Za-z0-9_-]*)
    echo "a name has letters, digits, _ and -, and is neither ca nor server" >&2
    exit 1
    ;;
  esac
  leaf "$2" "$2" clientAuth
  ;;
*) usage ;;
esac
