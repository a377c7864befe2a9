#!/bin/sh
# Starts this pod's sentinel; what it learned in former lives is in its file.
set -eu
service=econeura-redis
settings=/data/sentinel.conf

if [ ! -f "$settings" ]; then
    # It cannot watch a name that is not known yet.
    until getent hosts "$service-0.$service" > /dev/null; do sleep 1; done
    {
        echo "port 26379"
        echo "protected-mode no"
        echo "dir /data"
        # Addresses change with every new pod, names do not.
        echo "sentinel resolve-hostnames yes"
        echo "sentinel announce-hostnames yes"
        echo "sentinel announce-ip $POD_NAME.$service"
        echo "sentinel monitor econeura $service-0.$service 6379 2"
        echo "sentinel auth-user econeura sentinel"
        echo "sentinel auth-pass econeura $(cat /run/secrets/sentinel_password)"
        echo "sentinel down-after-milliseconds econeura 5000"
        echo "sentinel failover-timeout econeura 30000"
        echo "sentinel parallel-syncs econeura 1"
    } > "$settings.new"
    mv "$settings.new" "$settings"
fi
exec redis-server "$settings" --sentinel
