#!/bin/sh
# Makes the cluster of the six nodes, once.
set -eu
service=econeura-redis
REDISCLI_AUTH=$(cat /run/secrets/operator/redis_password)
export REDISCLI_AUTH
ask() { redis-cli --user operator --no-auth-warning "$@"; }

nodes=
for pod in 0 1 2 3 4 5; do
    until ask -h "$service-$pod.$service" ping 2>/dev/null | grep -q PONG; do sleep 1; done
    nodes="$nodes $(getent hosts "$service-$pod.$service" | cut -d' ' -f1):6379"
done
if ask -h "$service-0.$service" cluster info | grep -q 'cluster_slots_assigned:16384'; then
    echo "the cluster exists"
    exit 0
fi
# shellcheck disable=SC2086  one argument each
ask --cluster create $nodes --cluster-replicas 1 --cluster-yes
