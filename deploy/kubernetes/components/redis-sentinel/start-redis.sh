#!/bin/sh
# Starts this pod's Redis as what the sentinels say it is; without one, as what it was; at the very first
# start pod 0 is the master.
set -eu
service=econeura-redis
here=$POD_NAME.$service
settings=/data/redis.conf

ask_sentinels() {
    for pod in 0 1 2; do
        answer=$(timeout 2 redis-cli -h "$service-$pod.$service" -p 26379 sentinel get-master-addr-by-name econeura 2>/dev/null | head -n 1) || true
        case $answer in "$service"-*) echo "$answer"; return ;; esac
    done
}

master=$(ask_sentinels)
if [ -z "$master" ] && [ -f "$settings" ]; then
    # CONFIG REWRITE wrote its last role here.
    master=$(sed -n 's/^replicaof "\{0,1\}\([^ "]*\).*/\1/p' "$settings")
    : "${master:=$here}"
fi
: "${master:=$service-0.$service}"

{
    cat /etc/redis/redis.conf
    echo "replica-announce-ip $here"
    echo "masteruser replica"
    echo "masterauth $(cat /run/secrets/replica_password)"
    # A master cut off from both others must not take what nobody else will ever see.
    echo "min-replicas-to-write 1"
    echo "min-replicas-max-lag 10"
    [ "$master" = "$here" ] || echo "replicaof $master 6379"
} > "$settings"
exec redis-server "$settings"
