#!/bin/sh
# Starts this pod's node; who it is and whom it knows is in /data/nodes.conf. The others learn its new address
# when it greets them.
set -eu
{
    cat /etc/redis/redis.conf
    echo "cluster-enabled yes"
    echo "cluster-config-file /data/nodes.conf"
    echo "cluster-node-timeout 5000"
    echo "cluster-announce-ip $POD_IP"
    # The part of the queue that is there goes on while a shard fails over.
    echo "cluster-require-full-coverage no"
    echo "masteruser replica"
    echo "masterauth $(cat /run/secrets/replica_password)"
} > /data/redis.conf
exec redis-server /data/redis.conf
