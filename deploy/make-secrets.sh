#!/bin/sh
# Makes the secrets of one installation, for compose.yaml and as the sources of Kubernetes Secrets: Redis users
# with fresh passwords, the address with which our processes reach it, the first API key, Prometheus' key,
# Grafana's password.
# Never overwrites: rotating is in RUNBOOK.md.
#
#   deploy/make-secrets.sh DIRECTORY [REDIS_ADDRESS]
#
# REDIS_ADDRESS (default redis://redis:6379/0) is the URL without user and password.
set -eu

directory=${1:?"usage: $0 DIRECTORY [REDIS_ADDRESS]"}
address=${2:-redis://redis:6379/0}
template=$(dirname "$0")/redis/users.acl.template

if [ -e "$directory/redis/users.acl" ]; then
    echo "$directory has secrets already: nothing done" >&2
    exit 1
fi

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
sha256() { printf %s "$1" | sha256sum | cut -d' ' -f1; }
put() { printf %s "$2" > "$directory/$1"; }

# Containers run as users of their own and are given single files: the directory is what keeps others out.
umask 022
mkdir -p "$directory"
chmod 0700 "$directory"
mkdir -p "$directory/app" "$directory/redis" "$directory/keda" "$directory/operator" "$directory/grafana"

econeura=$(random) keda=$(random) replica=$(random) sentinel=$(random) operator=$(random)
put app/redis_url "${address%%://*}://econeura:$econeura@${address#*://}"
put app/api_key "$(random)"
put app/metrics_key "$(random)"
put redis/replica_password "$replica"
put redis/sentinel_password "$sentinel"
put keda/username keda
put keda/password "$keda"
put operator/redis_password "$operator"
put grafana/password "$(random)"
sed -e "s/@ECONEURA_SHA256@/$(sha256 "$econeura")/" -e "s/@KEDA_SHA256@/$(sha256 "$keda")/" \
    -e "s/@REPLICA_SHA256@/$(sha256 "$replica")/" -e "s/@SENTINEL_SHA256@/$(sha256 "$sentinel")/" \
    -e "s/@OPERATOR_SHA256@/$(sha256 "$operator")/" "$template" > "$directory/redis/users.acl"
echo "made in $directory; add each organization's client secret as a file in $directory/app"
